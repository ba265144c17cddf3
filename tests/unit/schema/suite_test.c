/*
 * The JSON-Schema-Test-Suite, for those drafts that lie among the test data. All of the required
 * cases must pass; of the optional ones the counts are printed.
 */
#include "schema/schema.h"
#include "json/json_text.h"

#include "cmocka.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    FILE_MAX      = 1 << 20,
    PATH_LEN_MAX  = 1024,
    DOCUMENTS_MAX = 200,
    FOLDERS_MAX   = 64,
    ARENA_MAX     = 4 << 20,
};

static struct schema_document documents[DOCUMENTS_MAX + 1];
static size_t document_count;

/* How the suite calls them, and how many required cases there are at least. */
static const struct draft {
    const char *folder;
    const char *uri;
    size_t cases_min;
} drafts[] = {
    {"draft2020-12", "https://json-schema.org/draft/2020-12/schema", 1200},
    {"draft2019-09", "https://json-schema.org/draft/2019-09/schema", 1200},
    {"draft7", "http://json-schema.org/draft-07/schema#", 900},
    {"draft6", "http://json-schema.org/draft-06/schema#", 800},
    {"draft4", "http://json-schema.org/draft-04/schema#", 600},
};

struct tally {
    size_t passed;
    size_t failed;
};

static json read_json(const char *path)
{
    const struct json_limits limits = {.depth_max = 500};
    FILE *file                      = fopen(path, "re");
    if (!file) fail_msg("%s: %m", path);
    char *text = malloc(FILE_MAX);
    str whole  = {.ptr = text, .len = fread(text, 1, FILE_MAX, file)};
    (void)fclose(file);
    json value         = json_invalid();
    struct error error = {};
    if (json_parse(whole, &limits, &value, NULL, &error) != STATUS_OK) {
        fail_msg("%s: %s", path, error.text);
    }
    free(text);
    return value;
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text);
    return len >= strlen(end) && strcmp(text + len - strlen(end), end) == 0;
}

static void load_remotes(const char *root)
{
    static const char base[] = "http://localhost:1234";
    char *folders[FOLDERS_MAX];
    size_t count     = 0;
    folders[count++] = strdup("");
    while (count > 0) {
        char *folder = folders[--count];
        char path[PATH_LEN_MAX];
        (void)snprintf(path, sizeof path, "%s/remotes%s", root, folder);
        DIR *entries = opendir(path);
        if (!entries) fail_msg("%s: %m", path);
        for (struct dirent *entry = readdir(entries); entry; entry = readdir(entries)) {
            if (entry->d_name[0] == '.') continue;
            char name[PATH_LEN_MAX];
            (void)snprintf(name, sizeof name, "%s/%.200s", folder, entry->d_name);
            if (!ends_with(name, ".json")) {
                assert_true(count < FOLDERS_MAX);
                folders[count++] = strdup(name);
                continue;
            }
            char uri[PATH_LEN_MAX + sizeof base];
            (void)snprintf(uri, sizeof uri, "%s%s", base, name);
            (void)snprintf(path, sizeof path, "%.300s/remotes%.600s", root, name);
            assert_true(document_count < DOCUMENTS_MAX);
            documents[document_count++] =
                (struct schema_document){.uri = strdup(uri), .value = read_json(path)};
        }
        (void)closedir(entries);
        free(folder);
    }
}

static void drop_remotes(void)
{
    for (size_t i = 0; i < document_count; i++) {
        free((char *)(uintptr_t)documents[i].uri);
        json_unref(documents[i].value);
    }
    document_count = 0;
}

static void say(const char *file, json group, json test, const char *why)
{
    json description = json_get_text(test, "description");
    print_message("  %s: %s: %s: %s\n", file, json_str(json_get_text(group, "description")).ptr,
                  json_is(description, JSON_TEXT) ? json_str(description).ptr : "all", why);
}

static bool run_case(const struct schema *schema, json test, struct error *error)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    struct schema_errors errors              = {};
    status code   = schema_check(schema, json_get_text(test, "data"), arena, &errors, error);
    bool expected = json_is(json_get_text(test, "valid"), JSON_TRUE);
    if (code == STATUS_INVALID_ARGUMENT) {
        assert_true(errors.count > 0);
        assert_true(strlen(errors.items[0].sentence) > 0);
    }
    return code == (expected ? STATUS_OK : STATUS_INVALID_ARGUMENT);
}

/* The older cases say by their folder of which draft they are. Owned. */
static json schema_of(json group, const struct draft *draft)
{
    json schema = json_ref(json_get_text(group, "schema"));
    if (json_is(schema, JSON_OBJECT) && json_is(json_get_text(schema, "$schema"), JSON_INVALID)) {
        json_object_put_text(&schema, "$schema", json_text_from(draft->uri));
    }
    return schema;
}

static void run_group(const struct draft *draft, const char *file, json group, bool is_loud,
                      bool formats, struct tally *tally)
{
    const struct schema_options options = {.documents = documents, .assert_formats = formats};
    struct error error                  = {};
    CLEANUP(schema_freep) struct schema *schema = NULL;
    CLEANUP(json_unrefp) json source            = schema_of(group, draft);
    json tests                                  = json_get_text(group, "tests");
    if (schema_compile(source, &options, NULL, &schema, &error) != STATUS_OK) {
        if (is_loud) say(file, group, json_null(), error.text);
        tally->failed += json_count(tests);
        return;
    }
    for (size_t i = 0; i < json_count(tests); i++) {
        if (run_case(schema, json_at(tests, i), &error)) {
            tally->passed++;
            continue;
        }
        tally->failed++;
        if (is_loud) say(file, group, json_at(tests, i), error.text);
    }
}

static struct tally run_file(const struct draft *draft, const char *folder, const char *name,
                             bool is_loud, bool formats)
{
    char path[PATH_LEN_MAX];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    CLEANUP(json_unrefp) json groups = read_json(path);
    struct tally tally               = {};
    for (size_t i = 0; i < json_count(groups); i++) {
        run_group(draft, name, json_at(groups, i), is_loud, formats, &tally);
    }
    return tally;
}

static struct tally run_folder(const struct draft *draft, const char *folder, bool is_required,
                               bool formats)
{
    struct tally sum = {};
    DIR *entries     = opendir(folder);
    if (!entries) return sum; /* optional cases: not every draft has all folders */
    for (struct dirent *entry = readdir(entries); entry; entry = readdir(entries)) {
        if (!ends_with(entry->d_name, ".json")) continue;
        struct tally tally = run_file(draft, folder, entry->d_name, is_required, formats);
        if (!is_required && tally.failed > 0) {
            print_message("  %s: optional %s: %zu of %zu\n", draft->folder, entry->d_name,
                          tally.passed, tally.passed + tally.failed);
        }
        sum.passed += tally.passed;
        sum.failed += tally.failed;
    }
    (void)closedir(entries);
    return sum;
}

static void the_suite_passes(void **state)
{
    const struct draft *draft = *state;
    const char *data = getenv("TUTTI_TEST_DATA"); // NOLINT(concurrency-mt-unsafe): one thread
    if (!data || !*data) {
        print_message("skipped: TUTTI_TEST_DATA is not set\n");
        skip();
        return;
    }
    char root[PATH_LEN_MAX];
    char folder[3][PATH_LEN_MAX];
    (void)snprintf(root, sizeof root, "%.600s/data/json-schema-test-suite", data);
    (void)snprintf(folder[0], sizeof folder[0], "%.700s/tests/%s", root, draft->folder);
    (void)snprintf(folder[1], sizeof folder[1], "%.800s/optional", folder[0]);
    (void)snprintf(folder[2], sizeof folder[2], "%.800s/format", folder[1]);
    if (access(folder[0], R_OK) != 0) {
        print_message("skipped: %s is not among the test data\n", draft->folder);
        skip();
        return;
    }
    load_remotes(root);
    struct tally required = run_folder(draft, folder[0], true, false);
    struct tally optional = run_folder(draft, folder[1], false, false);
    struct tally formats  = run_folder(draft, folder[2], false, true);
    print_message("%s: required %zu of %zu, optional %zu of %zu, formats %zu of %zu\n",
                  draft->folder, required.passed, required.passed + required.failed,
                  optional.passed, optional.passed + optional.failed, formats.passed,
                  formats.passed + formats.failed);
    drop_remotes();
    assert_int_equal(required.failed, 0);
    assert_true(required.passed >= draft->cases_min);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(drafts)];
    for (size_t i = 0; i < ARRAY_LEN(drafts); i++) {
        tests[i] = row_test(drafts[i].folder, the_suite_passes, &drafts[i]);
    }
    return cmocka_run_group_tests_name("JSON-Schema-Test-Suite", tests, NULL, NULL);
}
