/* Command lines: what they mean, and what is said of those that are wrong. */
#include "cmocka.h"

#include "cli/settings.h"
#include "support/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 80 };

static enum cli_exit never(struct cli *)
{
    return CLI_OK;
}

static const struct cli_flag flags[] = {
    {"--input", 'i', "JSON", "a value"},
    {"--wait", 'w', NULL, "alone"},
    {"--data", 'd', "JSON", "a flag that is a global one too"},
    {},
};
static const struct cli_command command = {
    .name = "go", .argument_min = 1, .argument_max = 2, .flags = flags, .run = never};

struct parsed {
    struct settings settings;
    struct cli cli;
    struct error error;
    status code;
    bool wants_help;
};

static void parse(struct parsed *ret, const char *line)
{
    char *words[WORDS_MAX + 1] = {(char *)(uintptr_t) "tutti"};
    char *copy                 = strdup(line);
    char *rest                 = copy;
    int count                  = 1;
    for (char *word = strsep(&rest, " "); word; word = strsep(&rest, " ")) words[count++] = word;
    *ret             = (struct parsed){};
    ret->cli.command = &command;
    int first        = settings_first_word(count, words);
    ret->code = settings_read(&ret->settings, &ret->cli, count, words, first, &ret->wants_help,
                              &ret->error);
    /* What the line said is compared while it is there. */
    for (int i = 0; i < ret->cli.argument_count; i++) {
        ret->cli.arguments[i] = strdup(ret->cli.arguments[i]);
    }
    for (int i = 0; i < CLI_FLAGS_MAX; i++) {
        if (ret->cli.values[i]) ret->cli.values[i] = strdup(ret->cli.values[i]);
    }
    if (ret->cli.namespace) ret->cli.namespace = strdup(ret->cli.namespace);
    free(copy);
}

static void parsed_done(struct parsed *it)
{
    for (int i = 0; i < it->cli.argument_count; i++) free((void *)(uintptr_t)it->cli.arguments[i]);
    for (int i = 0; i < CLI_FLAGS_MAX; i++) free((void *)(uintptr_t)it->cli.values[i]);
    free((void *)(uintptr_t)it->cli.namespace);
}

static int clean_environment(void **)
{
    static const char *const names[] = {"TUTTI_URL", "TUTTI_KEY", "TUTTI_NAMESPACE", "TUTTI_DATA"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) assert_int_equal(unsetenv(names[i]), 0);
    return 0;
}

struct row {
    const char *name, *line;
    const char *error; /* part of what is said; NULL: it is right */
    const char *argument, *input, *wait, *data, *namespace;
};

static const struct row rows[] = {
    {"a word", "go a", NULL, "a", NULL, NULL, NULL, NULL},
    {"a flag with its value", "go a --input 1", NULL, "a", "1", NULL, NULL, NULL},
    {"a letter", "go -i 1 a", NULL, "a", "1", NULL, NULL, NULL},
    {"a flag alone", "go a -w", NULL, "a", NULL, "", NULL, NULL},
    {"a value that looks like a flag", "go a --input --wait", NULL, "a", "--wait", NULL, NULL,
     NULL},
    {"a dash is a word", "go -", NULL, "-", NULL, NULL, NULL, NULL},
    {"global before", "--namespace n go a", NULL, "a", NULL, NULL, NULL, "n"},
    {"global after", "go a --namespace n", NULL, "a", NULL, NULL, NULL, "n"},
    {"one name twice", "--data /tmp go a --data 7", NULL, "a", NULL, NULL, "7", NULL},
    {"the last one counts", "go a --input 1 --input 2", NULL, "a", "2", NULL, NULL, NULL},
    {"a value that is missing", "go a --input", "--input needs a value", NULL, NULL, NULL, NULL,
     NULL},
    {"a global value that is missing", "go a --url", "--url needs a value", NULL, NULL, NULL, NULL,
     NULL},
    {"an unknown flag", "go a --inptu 1", "did you mean `--input`?", NULL, NULL, NULL, NULL, NULL},
    {"a global one, nearly", "go a --namspace n", "did you mean `--namespace`?", NULL, NULL, NULL,
     NULL, NULL},
    {"a flag like no other", "go a --xyzzyx", "there is no flag `--xyzzyx`; there are --input", NULL, NULL, NULL, NULL,
     NULL},
    {"an unknown letter", "go a -z", "there is no flag `-z`", NULL, NULL, NULL, NULL, NULL},
    {"nothing to do it with", "go", "an argument is missing", NULL, NULL, NULL, NULL, NULL},
    {"an empty word", "go a ", "argument 2 is empty", NULL, NULL, NULL, NULL, NULL},
    {"a word too many", "go a b c", "`c` is one word too many", NULL, NULL, NULL, NULL, NULL},
};

static void same(const char *is, const char *wanted)
{
    assert_int_equal(is != NULL, wanted != NULL);
    if (wanted) assert_string_equal(is, wanted);
}

static void line(void **state)
{
    const struct row *row = *state;
    struct parsed it;
    parse(&it, row->line);
    if (row->error) {
        assert_int_equal(it.code, STATUS_INVALID_ARGUMENT);
        if (!strstr(it.error.text, row->error)) fail_msg("%s", it.error.text);
    } else {
        assert_int_equal(it.code, STATUS_OK);
        same(it.cli.arguments[0], row->argument);
        same(it.cli.values[0], row->input);
        same(it.cli.values[1], row->wait);
        same(it.cli.values[2], row->data);
        same(it.cli.namespace, row->namespace);
    }
    parsed_done(&it);
}

static void help_needs_no_arguments(void **)
{
    struct parsed it;
    parse(&it, "go --help");
    assert_int_equal(it.code, STATUS_OK);
    assert_true(it.wants_help);
    parsed_done(&it);
}

static void too_many_words_are_refused(void **)
{
    char text[4 * CLI_ARGUMENTS_MAX] = "go";
    for (int i = 0; i <= CLI_ARGUMENTS_MAX; i++) {
        (void)snprintf(text + strlen(text), 4, " a");
    }
    struct parsed it;
    parse(&it, text);
    assert_int_equal(it.code, STATUS_INVALID_ARGUMENT);
    assert_string_equal(it.error.text, "too many words");
    parsed_done(&it);
}

static void the_command_is_the_first_word_that_is_one(void **)
{
    char *line_a[] = {(char *)(uintptr_t) "tutti", (char *)(uintptr_t) "--url",
                      (char *)(uintptr_t) "x", (char *)(uintptr_t) "--json",
                      (char *)(uintptr_t) "run"};
    assert_int_equal(settings_first_word(5, line_a), 4);
    assert_int_equal(settings_first_word(4, line_a), 4); /* none */
    assert_int_equal(settings_first_word(1, line_a), 1);
}

static void put_file(const struct folder *folder, const char *name, const char *text)
{
    struct folder path = folder_join(folder, name);
    FILE *file         = fopen(path.path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void the_folder_says_where_and_with_which_key(void **)
{
    CLEANUP(folder_remove) struct folder folder = folder_new();
    put_file(&folder, "endpoints.json", "{\"gateway\":{\"url\":\"http://127.0.0.1:1234\"}}\n");
    put_file(&folder, "admin.key", "tutti_secret\n");
    char text[FOLDER_PATH_MAX + 64];
    (void)snprintf(text, sizeof text, "--data %s go a", folder.path);
    struct parsed it;
    parse(&it, text);
    assert_int_equal(it.code, STATUS_OK);
    assert_string_equal(it.settings.url, "http://127.0.0.1:1234");
    assert_string_equal(it.settings.key, "tutti_secret");
    settings_done(&it.settings);
    assert_string_equal(it.settings.key, "");
    parsed_done(&it);

    /* The key of this machine's suite is not for others. */
    assert_int_equal(setenv("TUTTI_URL", "https://tutti.example.com", 1), 0);
    parse(&it, text);
    assert_string_equal(it.settings.url, "https://tutti.example.com");
    assert_null(it.cli.key);
    parsed_done(&it);
    assert_int_equal(setenv("TUTTI_KEY", "mine", 1), 0);
    parse(&it, text);
    assert_string_equal(it.cli.key, "mine");
    parsed_done(&it);
    (void)clean_environment(NULL);
}

static void files_that_are_broken_are_as_if_not_there(void **)
{
    static const char *const broken[] = {"", "{", "[]", "{\"gateway\":{\"url\":7}}",
                                         "{\"gateway\":7}"};
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        CLEANUP(folder_remove) struct folder folder = folder_new();
        put_file(&folder, "endpoints.json", broken[i]);
        char text[FOLDER_PATH_MAX + 64];
        (void)snprintf(text, sizeof text, "--data %s go a", folder.path);
        struct parsed it;
        parse(&it, text);
        assert_int_equal(it.code, STATUS_OK);
        assert_string_equal(it.settings.url, "http://127.0.0.1:8080");
        assert_null(it.cli.key);
        parsed_done(&it);
    }
}

int main(void)
{
    struct CMUnitTest lines[ARRAY_LEN(rows)];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) lines[i] = row_test(rows[i].name, line, &rows[i]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_needs_no_arguments),
        cmocka_unit_test(too_many_words_are_refused),
        cmocka_unit_test(the_command_is_the_first_word_that_is_one),
        cmocka_unit_test(the_folder_says_where_and_with_which_key),
        cmocka_unit_test(files_that_are_broken_are_as_if_not_there),
    };
    return cmocka_run_group_tests_name("lines", lines, clean_environment, NULL) +
           cmocka_run_group_tests_name("settings", tests, clean_environment, NULL);
}
