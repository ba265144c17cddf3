#include "base/diagnostic.h"
#include "support/cmocka.h"

#include <string.h>

static void test_list(void **state)
{
    (void)state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct diagnostics *list                 = diagnostics_new(arena);
    char pointer[]                           = "/do/0";
    struct diagnostic *finding = diagnostics_add(list, "V11", SEVERITY_ERROR, str_from(pointer), 3,
                                                 7, "unknown key '%s'", "cal");
    diagnostic_hint(list, finding, "did you mean '%s'?", "call");
    pointer[1] = 'X'; /* copied */
    assert_string_equal(list->items[0].code, "V11");
    assert_string_equal(list->items[0].pointer, "/do/0");
    assert_string_equal(list->items[0].detail, "unknown key 'cal'");
    assert_string_equal(list->items[0].hint, "did you mean 'call'?");
    assert_int_equal(list->items[0].line, 3);
    assert_int_equal(list->items[0].column, 7);
    (void)diagnostics_add(list, "", SEVERITY_WARNING, (str){}, 0, 0, "hm");
    assert_string_equal(list->items[1].hint, "");
    assert_string_equal(list->items[1].pointer, "");
    assert_int_equal(list->count, 2);
    assert_int_equal(list->errors, 1);
}

static void test_limit(void **state)
{
    (void)state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct diagnostics *list                 = diagnostics_new(arena);
    for (int i = 0; i < DIAGNOSTICS_MAX; i++) {
        assert_non_null(diagnostics_add(list, "", SEVERITY_ERROR, (str){}, 0, 0, "%d", i));
    }
    struct diagnostic *none = diagnostics_add(list, "", SEVERITY_ERROR, (str){}, 0, 0, "more");
    assert_null(none);
    diagnostic_hint(list, none, "nobody reads this");
    assert_null(diagnostics_add(list, "", SEVERITY_NOTE, (str){}, 0, 0, "more"));
    assert_int_equal(list->count, DIAGNOSTICS_MAX);
    assert_int_equal(list->dropped, 2);
    assert_int_equal(list->errors, DIAGNOSTICS_MAX + 1);
}

/* An arena without room for the texts still keeps the finding. */
static void test_full_arena(void **state)
{
    (void)state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(sizeof(struct diagnostics));
    struct diagnostics *list                 = diagnostics_new(arena);
    struct diagnostic *finding =
        diagnostics_add(list, "V1", SEVERITY_ERROR, str_from("/a"), 1, 1, "text");
    diagnostic_hint(list, finding, "hint");
    assert_int_equal(list->errors, 1);
    assert_true(strlen(finding->detail) > 0);
    assert_string_equal(finding->pointer, "");
}

static void test_nearest(void **state)
{
    (void)state;
    static const char *const names[] = {"timeout", "retry", "input", "output", "if"};
    static const struct {
        const char *word;
        const char *nearest;
    } rows[] = {
        {"timeout", "timeout"},
        {"timeuot", "timeout"},
        {"tiemout", "timeout"},
        {"timout", "timeout"},
        {"timeoutt", "timeout"},
        {"rerty", "retry"},
        {"imput", "input"},
        {"ouput", "output"},
        {"if", "if"},
        {"fi", NULL},
        {"it", NULL},
        {"banana", NULL},
        {"", NULL},
        {"xxmeout", "timeout"},
        {"xxxeout", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *found = nearest_name(str_from(rows[i].word), names, ARRAY_LEN(names));
        if (!rows[i].nearest) {
            assert_null(found);
            continue;
        }
        assert_non_null(found);
        assert_string_equal(found, rows[i].nearest);
    }
    char longest[66];
    memset(longest, 'a', sizeof longest);
    assert_null(nearest_name((str){longest, 65}, names, ARRAY_LEN(names)));
    assert_null(nearest_name(str_from("a"), names, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_full_arena),
        cmocka_unit_test(test_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
