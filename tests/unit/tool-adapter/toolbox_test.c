/* `tools.connections` as a whole: whose entries are none, and where that is said. */
#include "tool-adapter/connections/toolbox.h"

#include "cmocka.h"

#include "base/attr.h"
#include "json/json_text.h"

#include <string.h>

enum { ARENA_MAX = 8 << 20 };

#define LETTERS_10 "abcdefghij"
#define LETTERS_70 LETTERS_10 LETTERS_10 LETTERS_10 LETTERS_10 LETTERS_10 LETTERS_10 LETTERS_10

static const struct {
    const char *name, *connections, *pointer, *why;
} rows[] = {
    {"no name", "{\"\":{\"adapter\":\"github\"}}", "/tools/connections/", "a name has 1 to"},
    {"a long name",
     "{\"" LETTERS_70 LETTERS_70 LETTERS_70 LETTERS_70 "\":{\"adapter\":\"github\"}}",
     "/tools/connections/" LETTERS_70, "a name has 1 to"},
    {"no adapter", "{\"a/b\":{}}", "/tools/connections/a~1b", "`adapter` names no adapter"},
    {"an unknown one", "{\"it\":{\"adapter\":\"nothing\"}}", "/tools/connections/it",
     "`adapter` names no adapter"},
};

static void what_is_no_connection_is_said_at_its_place(void **)
{
    static const struct config_program program = {.name = "test"};
    const struct config_sources sources        = {};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(arena_freep) struct arena *arena        = arena_new(ARENA_MAX);
        struct diagnostics *list                        = diagnostics_new(arena);
        CLEANUP(toolbox_unrefp) struct toolbox *toolbox = NULL;
        CLEANUP(json_unrefp) json connections           = json_invalid();
        struct config *config                           = NULL;
        print_message("%s\n", rows[i].name);
        assert_int_equal(config_load(&program, &sources, NULL, &config, list, NULL), STATUS_OK);
        assert_int_equal(json_parse(str_from(rows[i].connections), NULL, &connections, NULL, NULL),
                         STATUS_OK);
        const struct toolbox_options options = {
            .connections = connections, .config = config, .generation = 1};
        assert_int_equal(toolbox_new(&options, list, &toolbox, NULL), STATUS_OK);
        assert_int_equal(list->count, 1);
        assert_int_equal(strncmp(list->items[0].pointer, rows[i].pointer, strlen(rows[i].pointer)),
                         0);
        assert_non_null(strstr(list->items[0].detail, rows[i].why));
        config_free(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_connection_is_said_at_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
