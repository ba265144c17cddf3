/* Both sides of every limit of a definition. */
#include "findings.h"

enum { TEXT_MAX = 2 << 20 /* bytes */ };

/* Reads `text`; "" if it is accepted, else the detail of the first error. */
static void check(struct buf *text, const char *detail)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(32 << 20);
    struct diagnostics *list                 = diagnostics_new(arena);
    const struct workflow *workflow          = NULL;
    assert_false(text->is_full);
    struct error why = {};
    status code      = workflow_read(buf_str(text), list, &workflow, &why);
    workflow_unref(workflow);
    buf_done(text);
    if (!detail[0]) {
        if (code != STATUS_OK) fail_msg("%s", why.text);
        return;
    }
    assert_int_equal(code, STATUS_INVALID_ARGUMENT);
    assert_string_equal(why.code, "workflow_invalid");
    if (!strstr(why.text, detail)) fail_msg("%s", why.text);
}

static void tasks(void **state)
{
    (void)state;
    for (int more = 0; more <= 1; more++) {
        struct buf text = buf_init(TEXT_MAX);
        (void)buf_put_text(&text, TASKS);
        for (int i = 0; i < WORKFLOW_TASKS_MAX + more; i++) {
            (void)buf_printf(&text, "- t%d: { wait: PT1S }\n", i);
        }
        check(&text, more ? "at most 4096 tasks" : "");
    }
}

static void definitions(void **state)
{
    (void)state;
    for (int more = 0; more <= 1; more++) {
        struct buf text = buf_init(TEXT_MAX);
        (void)buf_put_text(&text, HEAD "do: []\nuse:\n  timeouts:\n");
        for (int i = 0; i < 1'024 + more; i++) {
            (void)buf_printf(&text, "    t%d: { after: PT1S }\n", i);
        }
        check(&text, more ? "at most 1024 names" : "");
    }
}

static void expressions(void **state)
{
    (void)state;
    for (int more = 0; more <= 1; more++) {
        struct buf text = buf_init(TEXT_MAX);
        (void)buf_put_text(&text, TASKS "- a: { set: { x: [\n");
        for (int i = 0; i < 16'384 + more; i++) (void)buf_put_text(&text, "'${ . }',\n");
        (void)buf_put_text(&text, "] } }\n");
        check(&text, more ? "at most 16384 expressions" : "");
    }
}

/* Each loop adds two variables, and 23 fit: eleven loops, and a catch with its one. */
static void variables_in_scope(void **state)
{
    (void)state;
    for (int more = 0; more <= 1; more++) {
        struct buf text = buf_init(TEXT_MAX);
        (void)buf_put_text(&text, HEAD "do: ");
        for (int i = 0; i < 11; i++) {
            (void)buf_printf(&text, "[ { l%d: { for: { each: e%d, at: i%d, in: .x }, do: ", i, i,
                             i);
        }
        for (int i = 0; i < 1 + more; i++) {
            (void)buf_printf(&text, "[ { t%d: { try: [], catch: { as: c%d, do: ", i, i);
        }
        (void)buf_put_text(&text, "[ { s: { set: { x: '${ [$e0, $i10, $c0] }' } } } ]");
        for (int i = 0; i < 1 + more; i++) (void)buf_put_text(&text, " } } } ]");
        for (int i = 0; i < 11; i++) (void)buf_put_text(&text, " } } ]");
        (void)buf_put_text(&text, "\n");
        check(&text, more ? "more than 23 variables" : "");
    }
}

/* A name has at most 1,024 characters in YAML, so it takes nested tasks to get there. */
static void names(void **state)
{
    (void)state;
    for (int more = 0; more <= 1; more++) {
        struct buf text = buf_init(TEXT_MAX);
        (void)buf_put_text(&text, HEAD "do: ");
        int depth = more ? 10 : 6;
        for (int i = 0; i < depth; i++) (void)buf_printf(&text, "[ { \"%0900d\": { do: ", i);
        (void)buf_put_text(&text, "[]");
        for (int i = 0; i < depth; i++) (void)buf_put_text(&text, " } } ]");
        check(&text, more ? "more than 8192 bytes" : "");
    }
}

static void size_with_aliases(void **state)
{
    (void)state;
    for (int more = 0; more <= 1; more++) {
        struct buf text = buf_init(TEXT_MAX);
        (void)buf_put_text(&text, TASKS "- a: { set: { x: &x '");
        for (int i = 0; i < 100'000; i++) (void)buf_put_text(&text, "x");
        (void)buf_put_text(&text, "' , y: [");
        for (int i = 0; i < 35 + more * 20; i++) (void)buf_put_text(&text, " *x,");
        (void)buf_put_text(&text, " ] } }\n");
        check(&text, more ? "more than 4194304 bytes" : "");
    }
}

/* More findings than are kept: they are counted, and the text is refused. */
static void findings(void **state)
{
    (void)state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(32 << 20);
    struct diagnostics *list                 = diagnostics_new(arena);
    CLEANUP(buf_done) struct buf text        = buf_init(TEXT_MAX);
    (void)buf_put_text(&text, TASKS);
    for (int i = 0; i < DIAGNOSTICS_MAX + 5; i++) {
        (void)buf_printf(&text, "- t%d: { wait: 5m }\n", i);
    }
    const struct workflow *workflow = NULL;
    struct error why                = {};
    assert_int_equal(workflow_read(buf_str(&text), list, &workflow, &why), STATUS_INVALID_ARGUMENT);
    assert_int_equal(list->count, DIAGNOSTICS_MAX);
    assert_int_equal(list->errors, DIAGNOSTICS_MAX + 5);
    assert_int_equal(list->dropped, 5);
    assert_non_null(strstr(why.text, "105 errors"));
}

/* What others found in the same list stays, and does not refuse this text. */
static void a_list_that_is_not_empty(void **state)
{
    (void)state;
    CLEANUP(arena_freep) struct arena *arena                 = arena_new(8 << 20);
    struct diagnostics *list                                 = diagnostics_new(arena);
    CLEANUP(workflow_unrefp) const struct workflow *workflow = NULL;
    (void)diagnostics_add(list, "X01", SEVERITY_ERROR, str_from("/a"), 99, 1, "something else");
    assert_int_equal(workflow_read(str_from(TASKS "- a: { wait: PT1S }\n"), list, &workflow, NULL),
                     STATUS_OK);
    assert_int_equal(list->count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks),       cmocka_unit_test(definitions),
        cmocka_unit_test(expressions), cmocka_unit_test(variables_in_scope),
        cmocka_unit_test(names),       cmocka_unit_test(size_with_aliases),
        cmocka_unit_test(findings),    cmocka_unit_test(a_list_that_is_not_empty),
    };
    return cmocka_run_group_tests_name("workflow limits", tests, NULL, NULL);
}
