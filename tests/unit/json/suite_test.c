/* JSONTestSuite: y_ is accepted, n_ is refused, i_ may be either; nothing crashes. */
#include "json/json_text.h"

#include "cmocka.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

enum { FILE_MAX = 1 << 20, PATH_LEN_MAX = 4096, CASES_MIN = 300 };

static str read_file(const char *path, char *buffer)
{
    FILE *file = fopen(path, "re");
    if (!file) fail_msg("%s: %m", path);
    size_t len = fread(buffer, 1, FILE_MAX, file);
    (void)fclose(file);
    return (str){.ptr = buffer, .len = len};
}

static void the_suite_passes(void **state)
{
    (void)state;
    const char *root = getenv("TUTTI_TEST_DATA"); // NOLINT(concurrency-mt-unsafe): one thread
    if (!root || !*root) {
        print_message("skipped: TUTTI_TEST_DATA is not set\n");
        skip();
        return;
    }
    char folder_path[PATH_LEN_MAX];
    (void)snprintf(folder_path, sizeof folder_path, "%s/data/json-test-suite/test_parsing", root);
    DIR *folder = opendir(folder_path);
    if (!folder) fail_msg("%s: %m", folder_path);
    char *buffer     = malloc(FILE_MAX);
    size_t counts[3] = {};
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        const char *kinds = "yni";
        const char *kind  = strchr(kinds, entry->d_name[0]);
        if (!kind || entry->d_name[1] != '_') continue;
        char path[PATH_LEN_MAX * 2];
        (void)snprintf(path, sizeof path, "%s/%s", folder_path, entry->d_name);
        /* The suite takes a repeated key for JSON, and nests 500 levels where it is i_. */
        const struct json_limits limits = {
            .depth_max = 1000, .values_max = FILE_MAX, .allow_duplicate_keys = true};
        json value  = json_null();
        status code = json_parse(read_file(path, buffer), &limits, &value, NULL, NULL);
        if (*kind == 'y' && code != STATUS_OK) fail_msg("refused: %s", entry->d_name);
        if (*kind == 'n' && code == STATUS_OK) fail_msg("accepted: %s", entry->d_name);
        counts[kind - kinds]++;
        json_unref(value);
    }
    (void)closedir(folder);
    free(buffer);
    print_message("accepted %zu, refused %zu, either %zu\n", counts[0], counts[1], counts[2]);
    assert_true(counts[0] + counts[1] + counts[2] >= CASES_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_suite_passes)};
    return cmocka_run_group_tests_name("JSONTestSuite", tests, NULL, NULL);
}
