/* Which outputs are kept for `$steps`: those that an expression can name from where it stands. */
#include "findings.h"

static const struct steps_row {
    const char *name, *text;
    const char *kept; /* names of the tasks, each followed by a blank */
} rows[] = {
    {"nothing asked for", TASKS "- a: { wait: PT0S }\n- b: { set: { x: '${ .y }' } }\n", ""},
    {"a task of the same list",
     TASKS "- a: { wait: PT0S }\n- b: { set: { x: '${ $steps.a.y }' } }\n", "a "},
    {"a later task, for a jump back",
     TASKS "- a: { set: { x: '${ $steps.b }' } }\n- b: { wait: PT0S }\n", "b "},
    {"an enclosing list",
     TASKS "- a: { wait: PT0S }\n- b: { do: [ { c: { set: { x: '${ $steps.a }' } } } ] }\n", "a "},
    {"an inner name and an outer one",
     TASKS "- a: { wait: PT0S }\n- b: { do: [ { a: { wait: PT0S } }, { c: { set: { x: '${ $steps.a "
           "}' } } } ] }\n",
     "a a "},
    {"the body, in output.as",
     TASKS
     "- a: { do: [ { b: { wait: PT0S } }, { c: { wait: PT0S } } ], output: { as: $steps.b } }\n",
     "b "},
    {"the body, in export.as",
     TASKS "- a: { do: [ { b: { wait: PT0S } } ], export: { as: '{ x: $steps.b }' } }\n", "b "},
    {"the branches",
     TASKS "- a: { fork: { branches: [ { b: { wait: PT0S } }, { c: { wait: PT0S } } ] }, output: { "
           "as: '[$steps.b, $steps.c]' } }\n",
     "b c "},
    {"try and catch",
     TASKS "- a: { try: [ { b: { wait: PT0S } } ], catch: { do: [ { c: { wait: PT0S } } ] }, "
           "output: { as: '[$steps.b, $steps.c]' } }\n",
     "b c "},
    {"a sequential loop",
     TASKS "- a: { for: { in: .x }, do: [ { b: { wait: PT0S } } ], output: { as: $steps.b } }\n",
     "b "},
    {"the workflow's output",
     TASKS "- a: { do: [ { b: { wait: PT0S } } ] }\noutput: { as: $steps.a }\n", "a "},
    {"all of a scope",
     TASKS "- a: { wait: PT0S }\n- b: { wait: PT0S }\n- c: { do: [ { d: { wait: PT0S } } ], if: "
           "'$steps | length > 0' }\n",
     "a b c "},
    {"by a computed name", TASKS "- a: { wait: PT0S }\n- b: { set: { x: '${ $steps[.y] }' } }\n",
     "a b "},
    {"in a policy that is used",
     HEAD "use: { timeouts: { t: { after: '${ $steps.a }' } } }\ndo:\n- a: { wait: PT0S }\n- b: { "
          "wait: PT0S, timeout: t }\n",
     "a "},
    {"in the condition of a loop",
     TASKS "- a: { wait: PT0S }\n- b: { for: { in: .x }, while: $steps.a, do: [] }\n", "a "},
};

static void keeps(void **state)
{
    const struct steps_row *row                              = *state;
    CLEANUP(arena_freep) struct arena *arena                 = arena_new(8 << 20);
    struct diagnostics *list                                 = diagnostics_new(arena);
    CLEANUP(workflow_unrefp) const struct workflow *workflow = NULL;
    if (workflow_read(str_from(row->text), list, &workflow, NULL) != STATUS_OK || list->count > 0) {
        print_findings(list);
        fail_msg("%s", row->name);
    }
    CLEANUP(buf_done) struct buf kept = buf_init(1 << 10);
    for (uint32_t i = 0; i < workflow->task_count; i++) {
        if (workflow->tasks[i].is_output_kept) {
            (void)buf_printf(&kept, "%s ", workflow->tasks[i].name);
        }
    }
    assert_string_equal(buf_str(&kept).ptr, row->kept);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows)];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[i] = row_test(rows[i].name, keeps, &rows[i]);
    }
    return cmocka_run_group_tests_name("workflow steps", tests, NULL, NULL);
}
