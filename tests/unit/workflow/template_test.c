/* Evaluation: templates, URIs, variables, and where a failing expression stands. */
#include "findings.h"
#include "json/json_text.h"

#include <stdio.h>

/* What the test's variables answer: their own name, or that of the scope variable. */
static json variable_get(enum variable variable, const struct scope_variable *scope, void *context)
{
    json values = *(json *)context;
    if (scope) return json_get_text(values, scope->name);
    switch (variable) {
    case VARIABLE_CONTEXT: return json_get_text(values, "context");
    case VARIABLE_INPUT: return json_get_text(values, "input");
    case VARIABLE_WORKFLOW: return json_get_text(values, "workflow");
    case VARIABLE_STEPS: return json_get_text(values, "steps");
    default: return json_invalid();
    }
}

static json parse(const char *text)
{
    json value       = json_invalid();
    struct error why = {};
    if (json_parse(str_from(text), NULL, &value, NULL, &why) != STATUS_OK) fail_msg("%s", why.text);
    return value;
}

static const char values_text[] =
    "{\"context\": {\"c\": 1}, \"input\": {\"i\": 2}, \"steps\": {\"s\": 3},"
    " \"workflow\": {\"id\": \"r1\"}, \"item\": \"it\", \"index\": 4, \"error\": {\"title\": "
    "\"no\"}}";

/* As read_text(), but some of these have warnings. */
static const struct workflow *read_warned(const char *text)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(8 << 20);
    struct diagnostics *list                 = diagnostics_new(arena);
    const struct workflow *workflow          = NULL;
    if (workflow_read(str_from(text), list, &workflow, NULL) != STATUS_OK) {
        print_findings(list);
        fail_msg("%s", text);
    }
    return workflow;
}

static status eval(const struct template *template, const char *input_text, json *ret_value,
                   struct error *reterr)
{
    CLEANUP(json_unrefp) json values = parse(values_text);
    CLEANUP(json_unrefp) json input  = parse(input_text);
    const struct variables variables = {.get = variable_get, .context = &values};
    return template_eval(template, input, &variables, ret_value, reterr);
}

/* --- values ------------------------------------------------------------------------------------
 */

static const struct row {
    const char *name;
    const char *set; /* the template, as `set` of a task in a `for` in a list with a task `s` */
    const char *input;
    const char *output;
} rows[] = {
    {"a constant", "{ a: 1, b: [ x, null, 2.5 ] }", "{}", "{\"a\":1,\"b\":[\"x\",null,2.5]}"},
    {"an expression", "'${ .x }'", "{\"x\":[1]}", "[1]"},
    {"a type is kept", "{ a: '${ .n }', b: '${ .b }' }", "{\"n\":1,\"b\":true}",
     "{\"a\":1,\"b\":true}"},
    {"no output is null", "{ a: '${ empty }' }", "{}", "{\"a\":null}"},
    {"leaf by leaf", "{ a: { b: [ '${ .x }', { c: '${ .y }', d: e } ] }, z: 1 }",
     "{\"x\":1,\"y\":2}", "{\"a\":{\"b\":[1,{\"c\":2,\"d\":\"e\"}]},\"z\":1}"},
    {"keys are never evaluated", "{ '${ .x }': '${ .x }' }", "{\"x\":1}", "{\"${ .x }\":1}"},
    {"data are never evaluated", "{ a: '${ .x }' }", "{\"x\":\"${ .y }\"}", "{\"a\":\"${ .y }\"}"},
    {"an escaped wrapper", "{ a: '${ \"${x}\" }' }", "{}", "{\"a\":\"${x}\"}"},
    {"blanks around the wrapper", "{ a: '  ${ .x }  ' }", "{\"x\":1}", "{\"a\":1}"},
    {"an object in an expression", "{ a: '${ { b: .x } }' }", "{\"x\":1}", "{\"a\":{\"b\":1}}"},
    {"the standard variables", "{ a: '${ [$context.c, $input.i, $steps.s, $workflow.id] }' }", "{}",
     "{\"a\":[1,2,3,\"r1\"]}"},
    {"the variables of the loop", "{ a: '${ [$item, $index] }' }", "{}", "{\"a\":[\"it\",4]}"},
    {"no value is null", "{ a: '${ $runtime }' }", "{}", "{\"a\":null}"},
};

static void evaluates(void **state)
{
    const struct row *row = *state;
    char text[1024];
    (void)snprintf(text, sizeof text,
                   TASKS
                   "- s: { wait: PT0S }\n- l: { for: { in: .x }, do: [ { a: { set: %s } } ] }\n",
                   row->set);
    CLEANUP(workflow_unrefp) const struct workflow *workflow = read_warned(text);
    CLEANUP(json_unrefp) json value                          = json_invalid();
    struct error why                                         = {};
    if (eval(workflow->tasks[2].set, row->input, &value, &why) != STATUS_OK) {
        fail_msg("%s", why.text);
    }
    CLEANUP(json_unrefp) json output = json_to_text_new(value);
    assert_string_equal(json_str(output).ptr, row->output);
}

/* --- URIs --------------------------------------------------------------------------------------
 */

static const struct uri_row {
    const char *name, *uri, *input;
    const char *output; /* NULL: refused */
} uris[] = {
    {"no parts", "https://x/y", "{}", "https://x/y"},
    {"a text", "https://x/{a}/z", "{\"a\":\"b\"}", "https://x/b/z"},
    {"a number", "https://x/{a}", "{\"a\":42}", "https://x/42"},
    {"a boolean", "https://x/{a}", "{\"a\":false}", "https://x/false"},
    {"what must be encoded", "https://x/{a}", "{\"a\":\"a b/\xc3\xa9?&~\"}",
     "https://x/a%20b%2F%C3%A9%3F%26~"},
    {"what is missing", "https://x/{a}/{b}", "{\"b\":1}", "https://x//1"},
    {"null", "https://x/{a}", "{\"a\":null}", "https://x/"},
    {"an input that is no object", "https://x/{a}", "[1]", "https://x/"},
    {"twice", "https://{h}/{a}{a}?q={a}", "{\"h\":\"y\",\"a\":1}", "https://y/11?q=1"},
    {"a list", "https://x/{a}", "{\"a\":[1]}", NULL},
    {"a map", "https://x/{a}", "{\"a\":{}}", NULL},
};

static void expands(void **state)
{
    const struct uri_row *row = *state;
    char text[1024];
    (void)snprintf(text, sizeof text,
                   TASKS "- a: { call: http, with: { method: GET, endpoint: '%s' } }\n", row->uri);
    CLEANUP(workflow_unrefp) const struct workflow *workflow = read_warned(text);
    CLEANUP(json_unrefp) json value                          = json_invalid();
    struct error why                                         = {};
    status code = eval(workflow->tasks[0].call.with, row->input, &value, &why);
    if (!row->output) {
        assert_int_equal(code, STATUS_INVALID_ARGUMENT);
        assert_non_null(strstr(why.text, "`{a}`"));
        return;
    }
    assert_int_equal(code, STATUS_OK);
    assert_string_equal(json_str(json_get_text(value, "endpoint")).ptr, row->output);
}

static void a_uri_has_a_limit(void **state)
{
    (void)state;
    static char input[70'000];
    (void)snprintf(input, sizeof input, "{\"a\":\"%065500d\"}", 0);
    CLEANUP(workflow_unrefp)
    const struct workflow *workflow = read_warned(
        TASKS "- a: { call: http, with: { method: GET, endpoint: 'https://x/{a}{a}' } }\n");
    json value = json_invalid();
    assert_int_equal(eval(workflow->tasks[0].call.with, input, &value, NULL),
                     STATUS_RESOURCE_EXHAUSTED);
}

/* --- HTTP arguments ----------------------------------------------------------------------------
 */

static void http_arguments_are_plain(void **state)
{
    (void)state;
    CLEANUP(workflow_unrefp)
    const struct workflow *workflow = read_warned(
        TASKS
        "- a:\n"
        "    call: http\n"
        "    with:\n"
        "      method: post\n"
        "      endpoint: { uri: '${ .base }', authentication: { bearer: { token: '${ .t }' } } }\n"
        "      headers: { X-A: '${ .h }' }\n"
        "      query: '${ .q }'\n"
        "      body: { x: [ '${ .b }' ] }\n"
        "      output: response\n"
        "      redirect: true\n");
    CLEANUP(json_unrefp) json value = json_invalid();
    struct error why                = {};
    status code =
        eval(workflow->tasks[0].call.with,
             "{\"base\":\"https://x\",\"t\":\"s\",\"h\":\"v\",\"q\":{\"k\":\"w\"},\"b\":1}", &value,
             &why);
    if (code != STATUS_OK) fail_msg("%s", why.text);
    CLEANUP(json_unrefp) json text = json_to_text_new(value);
    assert_string_equal(
        json_str(text).ptr,
        "{\"method\":\"post\",\"endpoint\":\"https://x\",\"headers\":{\"X-A\":\"v\"},"
        "\"query\":{\"k\":\"w\"},\"body\":{\"x\":[1]},\"output\":\"response\","
        "\"redirect\":true,\"authentication\":{\"bearer\":{\"token\":\"s\"}}}");
}

/* --- failures ----------------------------------------------------------------------------------
 */

static void a_failure_says_where(void **state)
{
    (void)state;
    CLEANUP(workflow_unrefp)
    const struct workflow *workflow =
        read_warned(TASKS "- a: { set: { x: [ '${ .a }', { y: '${ .a.b }' } ] } }\n");
    json value       = json_invalid();
    struct error why = {};
    assert_int_equal(eval(workflow->tasks[0].set, "{\"a\":1}", &value, &why),
                     STATUS_INVALID_ARGUMENT);
    assert_int_equal(value.kind, JSON_INVALID);
    assert_non_null(strstr(why.text, "Cannot index number"));
    assert_non_null(strstr(why.text, "3:40"));
    assert_non_null(strstr(why.text, ".a.b"));
}

static void a_budget_is_one_too(void **state)
{
    (void)state;
    CLEANUP(workflow_unrefp)
    const struct workflow *workflow =
        read_warned(TASKS "- a: { set: { x: '${ [range(1e9)] }' } }\n");
    json value = json_invalid();
    assert_int_equal(eval(workflow->tasks[0].set, "{}", &value, NULL), STATUS_RESOURCE_EXHAUSTED);
}

static void conditions(void **state)
{
    (void)state;
    CLEANUP(workflow_unrefp)
    const struct workflow *workflow  = read_warned(TASKS "- a: { if: .x, set: { y: 1 } }\n");
    CLEANUP(json_unrefp) json values = parse(values_text);
    const struct variables variables = {.get = variable_get, .context = &values};
    static const struct {
        const char *input;
        bool truth;
    } inputs[] = {{"{\"x\":0}", true},      {"{\"x\":\"\"}", true},  {"{\"x\":true}", true},
                  {"{\"x\":false}", false}, {"{\"x\":null}", false}, {"{}", false}};
    for (size_t i = 0; i < ARRAY_LEN(inputs); i++) {
        CLEANUP(json_unrefp) json input = parse(inputs[i].input);
        bool truth                      = !inputs[i].truth;
        assert_int_equal(
            expression_test(workflow->tasks[0].condition, input, &variables, &truth, NULL),
            STATUS_OK);
        assert_int_equal(truth, inputs[i].truth);
    }
}

/* Mode loose: what is a program is evaluated, what fails or is none stays the text it is. */
static void texts_are_tried_in_mode_loose(void **)
{
    CLEANUP(workflow_unrefp)
    const struct workflow *workflow =
        read_warned("evaluate: { mode: loose }\n" TASKS
                    "- a: { set: { a: .x + 1, b: Hello you, c: '${ .x }', d: .y.z, e: '1 + ', f: [ "
                    "'.x * 2' ], g: '$output' } }\n");
    CLEANUP(json_unrefp) json value = json_invalid();
    assert_int_equal(eval(workflow->tasks[0].set, "{\"x\":1,\"y\":\"t\"}", &value, NULL),
                     STATUS_OK);
    CLEANUP(json_unrefp) json output = json_to_text_new(value);
    assert_string_equal(json_str(output).ptr,
                        "{\"a\":2,\"b\":\"Hello you\",\"c\":1,\"d\":\".y.z\",\"e\":\"1 + \","
                        "\"f\":[2],\"g\":\"$output\"}");
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows) + ARRAY_LEN(uris) + 6];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[count++] = row_test(rows[i].name, evaluates, &rows[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(uris); i++) {
        tests[count++] = row_test(uris[i].name, expands, &uris[i]);
    }
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_uri_has_a_limit);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(http_arguments_are_plain);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_failure_says_where);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_budget_is_one_too);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(conditions);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(texts_are_tried_in_mode_loose);
    return cmocka_run_group_tests_name("template", tests, NULL, NULL);
}
