/* Where the values of secrets come from: the configuration, folders, the environment. */
#include "cmocka.h"

#include "scheduler/engine/secrets.h"
#include "support/folder.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char token[]              = "TOKEN=of-the-environment";
static char tokens[]             = "TOKENS=other";
static char empty[]              = "EMPTY=";
static char *const environment[] = {token, tokens, empty, NULL};

struct fixture {
    struct folder folder, acme;
    json configured;
    struct secrets *secrets;
    int64_t now_ms;
};

static void write_file(const struct folder *folder, const char *name, const char *text)
{
    struct folder path = folder_join(folder, name);
    FILE *file         = fopen(path.path, "we");
    if (!file) fail_msg("%s: %m", path.path);
    (void)fputs(text, file);
    (void)fclose(file);
}

static int begin(void **state)
{
    struct fixture *it = calloc(1, sizeof *it);
    it->folder         = folder_new();
    it->acme           = folder_sub(&it->folder, "acme");
    char configured[1024];
    (void)snprintf(configured, sizeof configured,
                   "{\"acme\":{\"file\":{\"file\":\"%s/one\"},\"env\":{\"env\":\"TOKEN\"},"
                   "\"empty\":{\"env\":\"EMPTY\"},\"none\":{\"env\":\"NONE\"},"
                   "\"gone\":{\"file\":\"%s/gone\"}},"
                   "\"*\":{\"env\":{\"env\":\"TOKENS\"},\"all\":{\"env\":\"TOKENS\"},"
                   "\"both\":{\"env\":\"TOKENS\"}}}",
                   it->folder.path, it->folder.path);
    assert_int_equal(json_parse(str_from(configured), NULL, &it->configured, NULL, NULL),
                     STATUS_OK);
    write_file(&it->folder, "one", "of-a-file\n");
    write_file(&it->acme, "map", "{\n  \"username\": \"ann\",\n  \"password\": \"p\"\n}\n");
    write_file(&it->acme, "both", "of-the-folder");
    write_file(&it->acme, "file", "of-the-folder");
    const struct secrets_place place = {
        .configured = it->configured, .folder = it->folder.path, .environment = environment};
    it->secrets = secrets_new(&place);
    it->now_ms  = 1'000;
    *state      = it;
    return 0;
}

static int end(void **state)
{
    struct fixture *it = *state;
    secrets_freep(&it->secrets);
    json_unref(it->configured);
    folder_remove(&it->folder);
    free(it);
    return 0;
}

static void check(struct fixture *it, const char *namespace, const char *name, const char *expected)
{
    CLEANUP(json_unrefp)
    json value = secrets_get(it->secrets, str_from(namespace), str_from(name), it->now_ms);
    if (!expected) {
        if (value.kind != JSON_INVALID) fail_msg("%s/%s is there", namespace, name);
        return;
    }
    CLEANUP(json_unrefp) json text = json_to_text_new(value);
    assert_string_equal(json_str(text).ptr, expected);
}

static void each_source_is_asked_in_turn(void **state)
{
    struct fixture *it = *state;
    check(it, "acme", "file", "\"of-a-file\"");         /* configured before the folder */
    check(it, "acme", "env", "\"of-the-environment\""); /* the namespace before all */
    check(it, "acme", "both", "\"of-the-folder\"");     /* the folder before all */
    check(it, "acme", "all", "\"other\"");
    check(it, "acme", "map", "{\"username\":\"ann\",\"password\":\"p\"}");
    check(it, "other", "env", "\"other\"");
    check(it, "other", "all", "\"other\"");
}

static void what_is_not_there_is_missing(void **state)
{
    struct fixture *it = *state;
    check(it, "acme", "empty", NULL);
    check(it, "acme", "none", NULL);
    check(it, "acme", "gone", NULL);
    check(it, "acme", "unknown", NULL);
    check(it, "other", "file", NULL); /* another namespace's */
    check(it, "other", "map", NULL);
}

static void names_are_no_paths(void **state)
{
    struct fixture *it = *state;
    check(it, "acme", "../one", NULL);
    check(it, "..", "one", NULL);
    check(it, "acme", "", NULL);
    check(it, "", "all", NULL);
    check(it, ".", "one", NULL);
}

static void what_is_no_text_is_missing(void **state)
{
    struct fixture *it = *state;
    write_file(&it->acme, "bad", "\xff\xfe-and-more");
    write_file(&it->acme, "blank", "\n");
    check(it, "acme", "bad", NULL);
    check(it, "acme", "blank", NULL);
    (void)folder_sub(&it->acme, "folder");
    check(it, "acme", "folder", NULL);
}

static void a_secret_reaches_its_size(void **state)
{
    struct fixture *it = *state;
    char *text         = calloc(1, SECRET_SIZE_MAX + 3);
    memset(text, 'x', SECRET_SIZE_MAX);
    text[SECRET_SIZE_MAX] = '\n';
    write_file(&it->acme, "full", text);
    text[SECRET_SIZE_MAX]     = 'x';
    text[SECRET_SIZE_MAX + 1] = '\n';
    write_file(&it->acme, "over", text);
    free(text);
    CLEANUP(json_unrefp)
    json full = secrets_get(it->secrets, str_from("acme"), str_from("full"), it->now_ms);
    assert_int_equal(json_str(full).len, SECRET_SIZE_MAX);
    check(it, "acme", "over", NULL);
}

static void a_changed_file_is_read_again(void **state)
{
    struct fixture *it = *state;
    check(it, "acme", "both", "\"of-the-folder\"");
    write_file(&it->acme, "both", "changed");
    it->now_ms += SECRETS_LOOK_MS - 1;
    check(it, "acme", "both", "\"of-the-folder\"");
    it->now_ms++;
    check(it, "acme", "both", "\"changed\"");

    struct folder path = folder_join(&it->acme, "both");
    assert_int_equal(remove(path.path), 0);
    it->now_ms += SECRETS_LOOK_MS;
    check(it, "acme", "both", "\"other\""); /* what all have shows again */

    check(it, "acme", "late", NULL);
    write_file(&it->acme, "late", "here");
    it->now_ms += SECRETS_LOOK_MS;
    check(it, "acme", "late", "\"here\"");
}

/* --- names -------------------------------------------------------------------------------------
 */

static void check_names(struct fixture *it, const char *namespace, const char *expected)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(4 << 20);
    const struct secrets_place place  = {.configured = it->configured, .folder = it->folder.path};
    struct secret_name *names         = NULL;
    size_t count                      = 0;
    CLEANUP(buf_done) struct buf text = buf_init(4 << 10);
    assert_int_equal(secrets_list(&place, str_from(namespace), arena, &names, &count, NULL),
                     STATUS_OK);
    for (size_t i = 0; i < count; i++) {
        (void)buf_printf(&text, "%s/%s ", names[i].namespace, names[i].name);
    }
    (void)buf_put_byte(&text, '\0');
    assert_string_equal(text.ptr, expected);
}

static void names_are_listed_and_no_values(void **state)
{
    struct fixture *it = *state;
    check_names(it, "acme",
                "*/all */both */env acme/both acme/empty acme/env acme/file acme/gone acme/map "
                "acme/none ");
    check_names(it, "other", "*/all */both */env ");
    check_names(it, "../acme", "*/all */both */env ");
    (void)folder_sub(&it->folder, "other");
    check_names(it, "*",
                "*/all */both */env acme/both acme/empty acme/env acme/file acme/gone acme/map "
                "acme/none ");
}

#define FIXTURE_TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(each_source_is_asked_in_turn),
        FIXTURE_TEST(what_is_not_there_is_missing),
        FIXTURE_TEST(names_are_no_paths),
        FIXTURE_TEST(what_is_no_text_is_missing),
        FIXTURE_TEST(a_secret_reaches_its_size),
        FIXTURE_TEST(a_changed_file_is_read_again),
        FIXTURE_TEST(names_are_listed_and_no_values),
    };
    return cmocka_run_group_tests_name("secrets", tests, NULL, NULL);
}
