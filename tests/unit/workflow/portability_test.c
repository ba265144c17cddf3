/* What other runtimes would not do: one row per note. Without being asked there are none. */
#include "findings.h"

struct note_row {
    const char *name;
    const char *text;
    const char *code;
    uint32_t line, column;
    const char *detail;
};

#define META(more) HEAD "do:\n- a: { try: [], catch: {}, metadata: { tutti: { " more " } } }\n"

static const struct note_row rows[] = {
    {"P01: $steps", TASKS "- a: { set: { b: 1 } }\n- c: { set: { d: '${ .x + $steps.a.b }' } }\n",
     "P01", 4, 27, "`$steps`"},
    {"P02: saga of the document",
     "document: { dsl: '1.0.3', namespace: n, name: w, version: '1.0.0', metadata: { tutti: { "
     "saga: true } } }\ndo: []\n",
     "P02", 1, 89, "`saga` is ignored"},
    {"P02: saga of a task", META("saga: true"), "P02", 3, 49, "`saga` is ignored"},
    {"P02: parallel",
     TASKS "- a: { for: { in: .x }, do: [], metadata: { tutti: { parallel: 2 } } }\n", "P02", 3, 54,
     "the output is that of the last"},
    {"P02: retry",
     TASKS "- a: { call: http, with: { method: GET, endpoint: 'https://x' }, metadata: { tutti: { "
           "retry: none } } }\n",
     "P02", 3, 87, "is not tried again"},
    {"P02: the payload of an approval",
     TASKS "- a: { listen: { to: { one: { with: { type: dev.tutti.approval.decided.v1 } } } }, "
           "metadata: { tutti: { approval: { title: t, payload: { a: 1 } } } } }\n",
     "P02", 3, 127, "`payload` is ignored"},
    {"P03: a function of ours",
     TASKS "- a: { call: 'llm.chat:1@default', with: { model: m, prompt: p } }\n", "P03", 3, 14,
     "is a function of tutti"},
    {"P04: multiplier in a named policy",
     HEAD "use: { retries: { r: { backoff: { exponential: { multiplier: 3 } } } } }\n"
          "do: [ { a: { try: [], catch: { retry: r } } } ]\n",
     "P04", 2, 50, "`multiplier`"},
    {"P04: maxDelay on the spot",
     TASKS "- a: { try: [], catch: { retry: { backoff: { exponential: { maxDelay: PT1M } } } } }\n",
     "P04", 3, 61, "`maxDelay`"},
    {"P05: evaluate", HEAD "evaluate: { mode: strict }\ndo: []\n", "P05", 2, 1, "`evaluate`"},
    {"P05: catch.then", TASKS "- a: { try: [], catch: { then: end } }\n", "P05", 3, 26,
     "`catch.then`"},
    {"P05: a list in for.in", TASKS "- a: { for: { in: [ 1 ] }, do: [] }\n", "P05", 3, 15,
     "`for.in`"},
    {"P05: emit without source", TASKS "- a: { emit: { event: { with: { type: x } } } }\n", "P05",
     3, 8, "without `source`"},
    {"P05: detail of a filter",
     TASKS "- a: { try: [], catch: { errors: { with: { detail: d } } } }\n", "P05", 3, 44,
     "calls it `detail`"},
    {"P06: a builtin of jq 1.8", TASKS "- a: { set: { b: '${ .trim | trim }' } }\n", "P06", 3, 30,
     "`trim` is newer"},
    {"P06: add with an argument", TASKS "- a: { set: { b: '${ add + add(.x) }' } }\n", "P06", 3, 28,
     "`add` with an argument"},
    {"P06: in an interpolation",
     TASKS "- a: { set: { b: '${ \"add(x) \\(.c | toboolean)\" }' } }\n", "P06", 3, 37,
     "`toboolean`"},
    {"P07: retry beside do", TASKS "- a: { try: [], catch: { retry: {}, do: [] } }\n", "P07", 3, 26,
     "in three ways"},
};

/* What is everybody's has no notes. */
static const char portable[] =
    HEAD "do:\n"
         "- b: { call: http, with: { method: GET, endpoint: 'https://x' }, metadata: { other: { "
         "saga: 1 } } }\n"
         "- c: { set: { trim: '${ .trim | add }', x: '${ {add: \"skip(1)\"} }' } }\n"
         "- d: { emit: { event: { with: { type: x, source: 'https://x' } } } }\n"
         "- e: { try: [], catch: { retry: { backoff: { exponential: {} } } } }\n";

static void read_portable(const char *text, bool is_portable, struct diagnostics *list)
{
    const struct workflow_sources sources = {.is_portable = is_portable};
    const struct workflow *workflow       = NULL;
    (void)workflow_read_with(str_from(text), &sources, list, &workflow, NULL);
    workflow_unref(workflow);
}

static void check_note(void **state)
{
    const struct note_row *row               = *state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(8 << 20);
    struct diagnostics *list                 = diagnostics_new(arena);
    read_portable(row->text, true, list);
    for (size_t i = 0; i < list->count; i++) {
        const struct diagnostic *f = &list->items[i];
        if (strcmp(f->code, row->code) == 0 && f->line == row->line && f->column == row->column &&
            strstr(f->detail, row->detail) && f->severity == SEVERITY_NOTE) {
            return;
        }
    }
    print_findings(list);
    fail_msg("wanted %u:%u %s %s", row->line, row->column, row->code, row->detail);
}

static void nobody_asked(void **)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(arena_freep) struct arena *arena = arena_new(8 << 20);
        struct diagnostics *list                 = diagnostics_new(arena);
        read_portable(rows[i].text, false, list);
        for (size_t k = 0; k < list->count; k++) assert_int_equal(list->items[k].code[0], 'V');
    }
}

static void what_is_portable_has_no_notes(void **)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(8 << 20);
    struct diagnostics *list                 = diagnostics_new(arena);
    read_portable(portable, true, list);
    if (list->count > 0) print_findings(list);
    assert_int_equal(list->count, 0);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows) + 2] = {
        cmocka_unit_test(nobody_asked),
        cmocka_unit_test(what_is_portable_has_no_notes),
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[2 + i] = row_test(rows[i].name, check_note, &rows[i]);
    }
    return cmocka_run_group_tests_name("portability", tests, NULL, NULL);
}
