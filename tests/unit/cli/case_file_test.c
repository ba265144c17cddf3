/* Files of cases that are wrong: where, and in which words. */
#include "cmocka.h"

#include "cli/test/case_file.h"

enum { ARENA_MAX = 64 << 20 };

static const struct wrong {
    const char *name, *text;
    uint32_t line, column;
    const char *code, *detail; /* the detail begins so */
} wrongs[] = {
    {"no map", "[]", 1, 1, "T02", "a map is needed here"},
    {"no cases", "now: 2026-01-01T00:00:00Z", 1, 1, "T01", "`cases` is missing"},
    {"YAML that is none", "cases: [", 2, 1, "V01", ""},
    {"an unknown key", "cases: []\ncase: []", 2, 1, "T01", "`case` is not known here"},
    {"cases that are no list", "cases: {}", 1, 8, "T02", "a list is needed here"},
    {"a case that is no map", "cases: [ 1 ]", 1, 10, "T02", "a map is needed here"},
    {"a case without a name", "cases:\n  - { input: 1 }", 2, 5, "T01", "a case has a `name`"},
    {"a name that is no text", "cases:\n  - { name: 1 }", 2, 13, "T02", "a text is needed here"},
    {"a time that is none", "now: today\ncases: []", 1, 6, "T02", "a time is needed here"},
    {"an answer with nothing", "functions: { f: { takes: 1s } }\ncases: []", 1, 17, "T01",
     "an answer has one of"},
    {"an answer with two", "functions: { f: { output: 1, never: true } }\ncases: []", 1, 17, "T01",
     "an answer has one of"},
    {"an error that is a text", "functions: { f: { error: no } }\ncases: []", 1, 26, "T02",
     "an error is a map"},
    {"a duration that is none", "functions: { f: { output: 1, takes: 5 } }\ncases: []", 1, 37,
     "T02", "a duration is needed here"},
    {"times below nothing", "functions: { f: { output: 1, times: -1 } }\ncases: []", 1, 37, "T02",
     "a whole number from 0"},
    {"a step with nothing", "cases:\n  - { name: a, steps: [ { after: 1s } ] }", 2, 25, "T01",
     "a step has one of"},
    {"a step with two", "cases:\n  - { name: a, steps: [ { signal: x, cancel: true } ] }", 2, 25,
     "T01", "a step has one of"},
    {"steps out of order",
     "cases:\n  - { name: a, steps: [ { after: 2s, signal: x }, { after: 1s, signal: y } ] }", 2,
     51, "T02", "steps stand in their order"},
    {"an event without a type", "cases:\n  - { name: a, steps: [ { publish: {} } ] }", 2, 36, "T02",
     "an event is a map with a `type`"},
    {"an unknown status", "cases:\n  - { name: a, expect: { status: done } }", 2, 34, "T02",
     "none of completed"},
    {"calls of two", "cases:\n  - { name: a, expect: { calls: [ { f: 1, g: 2 } ] } }", 2, 35, "T02",
     "a call is `function: arguments`"},
    {"a count that is none", "cases:\n  - { name: a, expect: { count: { f: many } } }", 2, 38,
     "T02", "a whole number from 0"},
    {"undone by numbers", "cases:\n  - { name: a, expect: { undone: [ 1 ] } }", 2, 36, "T02",
     "the name of a function"},
    {"workflows by numbers", "with: [ 1 ]\ncases: []", 1, 9, "T02", "the path of a workflow"},
    {"secrets in a list", "secrets: []\ncases: []", 1, 10, "T02", "a map is needed here"},
};

static void is_found(void **state)
{
    const struct wrong *row                  = *state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    struct diagnostics *list                 = diagnostics_new(arena);
    struct case_file file                    = {};
    struct error error                       = {};
    status read = case_file_read(str_from(row->text), arena, list, &file, &error);
    assert_int_equal(read, STATUS_INVALID_ARGUMENT);
    assert_true(list->count > 0);
    assert_string_equal(list->items[0].code, row->code);
    assert_int_equal(list->items[0].line, row->line);
    assert_int_equal(list->items[0].column, row->column);
    assert_true(str_starts_with(str_from(list->items[0].detail), str_from(row->detail)));
    case_file_done(&file);
}

static void a_file_is_read(void **)
{
    static const char text[] =
        "workflow: w.yaml\n"
        "functions: { f: { output: 1 } }\n"
        "cases:\n"
        "  - name: a\n"
        "    functions: { g: [ { error: { status: 503 }, times: 2 }, { echo: true } ] }\n"
        "    steps: [ { after: 5s, approve: review, by: Ann }, { signal: go } ]\n"
        "    expect: { takes: { at_least: 1s }, undone: [], calls: [ f ] }\n";
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    struct diagnostics *list                 = diagnostics_new(arena);
    struct case_file file                    = {};
    assert_int_equal(case_file_read(str_from(text), arena, list, &file, NULL), STATUS_OK);
    assert_int_equal(file.count, 1);
    const struct test_case *test = &file.cases[0];
    assert_string_equal(file.workflow, "w.yaml");
    assert_int_equal(file.stand_ins.count, 1);
    assert_int_equal(test->stand_ins.items[0].count, 2);
    assert_int_equal(test->stand_ins.items[0].answers[0].times, 2);
    assert_int_equal(test->stand_ins.items[0].answers[1].kind, ANSWER_ECHO);
    assert_int_equal(test->step_count, 2);
    assert_int_equal(test->steps[0].kind, STEP_APPROVE);
    assert_string_equal(test->steps[0].task, "review");
    assert_int_equal(test->steps[1].after_us, 5'000'000); /* as the one before */
    assert_int_equal(test->expected.at_least_us, 1'000'000);
    assert_int_equal(test->expected.takes_us, -1);
    assert_true(test->expected.has_undone);
    case_file_done(&file);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(wrongs) + 1];
    for (size_t i = 0; i < ARRAY_LEN(wrongs); i++) {
        tests[i] = row_test(wrongs[i].name, is_found, &wrongs[i]);
    }
    tests[ARRAY_LEN(wrongs)] = (struct CMUnitTest)cmocka_unit_test(a_file_is_read);
    return cmocka_run_group_tests_name("case_file", tests, NULL, NULL);
}
