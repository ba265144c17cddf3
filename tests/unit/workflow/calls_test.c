/* What calls of other services and programs look like: one row per finding. Where a form is right,
 * the only finding is that it is not executed. */
#include "findings.h"

static const struct finding_row rows[] = {
    /* K2: registered, not executed */
    {"openapi is awaited",
     TASKS "- a: { call: openapi, with: { document: { endpoint: 'https://x/openapi.json' }, "
           "operationId: find, parameters: { a: '${ .b }' }, authentication: { bearer: { token: t "
           "} }, output: raw, redirect: true } }\n",
     "V05 w", 3, 14, "not executed yet", "`configuration` error"},
    /* K5 */
    {"a2a is awaited",
     TASKS "- a: { call: a2a, with: { method: message/send, server: 'https://x', parameters: { m: "
           "1 } } }\n",
     "V05 w", 3, 14, "not executed yet", "`configuration` error"},
    /* K6 */
    {"mcp is awaited",
     TASKS "- a: { call: mcp, with: { method: tools/call, parameters: { name: n }, timeout: PT5S, "
           "protocolVersion: '2025-06-18', client: { name: c, version: '1' }, transport: { http: { "
           "endpoint: 'https://x', headers: { A: b } }, options: { o: p } } } }\n",
     "V05 w", 3, 14, "not executed yet", "`configuration` error"},
    /* K3, K4: checked, refused */
    {"grpc is refused",
     TASKS "- a: { call: grpc, with: { proto: { endpoint: 'file://a/b.proto' }, service: { name: "
           "S, host: h, port: 1 }, method: m, arguments: { a: 1 } } }\n",
     "V05", 3, 14, "`call: grpc` is not supported yet", ""},
    {"asyncapi, publishing, is refused",
     TASKS "- a: { call: asyncapi, with: { document: { name: d, endpoint: { uri: 'https://x' } }, "
           "channel: c, server: { name: s, variables: {} }, protocol: nats, message: { payload: { "
           "a: 1 }, headers: {} } } }\n",
     "V05", 3, 14, "not supported yet", ""},
    {"asyncapi, subscribed, is refused",
     TASKS "- a: { call: asyncapi, with: { document: { name: d, endpoint: { uri: 'https://x' } }, "
           "operation: o, subscription: { filter: '${ .a }', consume: { amount: 3, for: PT1S }, "
           "foreach: { item: m, at: n, do: [ { b: { set: { c: '${ $m }', d: '${ $n }' } } } ], "
           "output: { as: '${ $m }' }, export: { as: '${ $n }' } } } } }\n",
     "V05", 3, 14, "not supported yet", ""},
    /* K20 to K22 */
    {"run.shell",
     TASKS "- a: { run: { shell: { command: ls, arguments: [ -l ], stdin: a, environment: { A: b } "
           "}, await: true, return: all } }\n",
     "V31", 3, 15, "`run.shell` is not supported yet", "a service"},
    {"run.shell with a map of arguments",
     TASKS "- a: { run: { shell: { command: ls, arguments: { a: b } } } }\n", "V31", 3, 15,
     "`run.shell` is not supported yet", "a service"},
    {"run.script", TASKS "- a: { run: { script: { language: js, code: 'a${b}' } } }\n", "V31", 3,
     15, "`run.script` is not supported yet", "a service"},
    {"run.script from a source",
     TASKS "- a: { run: { script: { language: python, source: { endpoint: 'https://x' } } } }\n",
     "V31", 3, 15, "`run.script` is not supported yet", "a service"},
    {"run.container",
     TASKS "- a: { run: { container: { image: i, name: n, command: c, ports: { 80: 80 }, volumes: "
           "{}, environment: {}, stdin: s, arguments: [ a ], lifetime: { cleanup: eventually, "
           "after: PT1M }, pullPolicy: always } } }\n",
     "V31", 3, 15, "`run.container` is not supported yet", "a service"},
};

/* Beside the finding of every such call, that it is not executed. */
static const struct finding_row wrong[] = {
    {"an unknown argument of openapi",
     TASKS "- a: { call: openapi, with: { document: { endpoint: 'https://x/openapi.json' }, "
           "operation: f } }\n",
     "V04", 3, 81, "`operation` is not a property", "`operationId`"},
    {"openapi without operation",
     TASKS "- a: { call: openapi, with: { document: { endpoint: 'https://x/openapi.json' } } }\n",
     "V06", 3, 29, "needs `operationId`", ""},
    {"an openapi document that is no resource",
     TASKS "- a: { call: openapi, with: { document: 'https://x', operationId: o } }\n", "V06", 3,
     41, "a resource is a map, not a text", ""},
    {"parameters that are a list",
     TASKS "- a: { call: openapi, with: { document: { endpoint: 'https://x/openapi.json' }, "
           "operationId: o, parameters: [] } }\n",
     "V06", 3, 109, "a map or an expression", ""},
    {"a resource with url",
     TASKS "- a: { call: openapi, with: { document: { url: 'https://x' }, operationId: o } }\n",
     "V04", 3, 43, "`url`", "`endpoint`"},
    {"a host with a scheme",
     TASKS "- a: { call: grpc, with: { proto: { endpoint: 'https://x' }, service: { name: S, host: "
           "'http://h' }, method: m } }\n",
     "V06", 3, 88, "not the name of a host", "without scheme"},
    {"a port beyond the last",
     TASKS "- a: { call: grpc, with: { proto: { endpoint: 'https://x' }, service: { name: S, host: "
           "h, port: 70000 }, method: m } }\n",
     "V06", 3, 97, "between 0 and 65535", ""},
    {"grpc without service",
     TASKS "- a: { call: grpc, with: { proto: { endpoint: 'https://x' }, method: m } }\n", "V06", 3,
     26, "needs `service`", ""},
    {"an operation and a channel",
     TASKS "- a: { call: asyncapi, with: { document: { name: d, endpoint: { uri: 'https://x' } }, "
           "operation: o, channel: c, message: {} } }\n",
     "V06", 3, 30, "exactly one of `operation`, `channel`", ""},
    {"neither message nor subscription",
     TASKS "- a: { call: asyncapi, with: { document: { name: d, endpoint: { uri: 'https://x' } }, "
           "operation: o } }\n",
     "V06", 3, 30, "exactly one of `message`, `subscription`", ""},
    {"a protocol that is none",
     TASKS "- a: { call: asyncapi, with: { document: { name: d, endpoint: { uri: 'https://x' } }, "
           "operation: o, message: {}, protocol: mqt } }\n",
     "V06", 3, 124, "not one of the values", "`mqtt`"},
    {"consume of two",
     TASKS "- a: { call: asyncapi, with: { document: { name: d, endpoint: { uri: 'https://x' } }, "
           "operation: o, subscription: { consume: { amount: 1, until: .x } } } }\n",
     "V06", 3, 126, "exactly one of `amount`", ""},
    {"consume nothing",
     TASKS "- a: { call: asyncapi, with: { document: { name: d, endpoint: { uri: 'https://x' } }, "
           "operation: o, subscription: { consume: { amount: 0 } } } }\n",
     "V06", 3, 136, "between 1 and", ""},
    {"a task in a foreach",
     TASKS "- a: { call: asyncapi, with: { document: { name: d, endpoint: { uri: 'https://x' } }, "
           "operation: o, subscription: { consume: { amount: 1 }, foreach: { do: [ { b: { set: { "
           "c: '${ $nix }' } } } ] } } } }\n",
     "V21", 3, 179, "no variable `$nix`", ""},
    {"a method of a2a",
     TASKS "- a: { call: a2a, with: { method: message/sent, server: 'https://x' } }\n", "V06", 3,
     35, "not one of the values", "`message/send`"},
    {"a2a without address", TASKS "- a: { call: a2a, with: { method: tasks/get } }\n", "V06", 3, 25,
     "`agentCard` or `server`", ""},
    {"empty parameters of a2a",
     TASKS "- a: { call: a2a, with: { method: tasks/get, server: 'https://x', parameters: {} } }\n",
     "V06", 3, 79, "empty map", "leave it out"},
    {"a method of mcp",
     TASKS "- a: { call: mcp, with: { method: tool/call, transport: { http: { endpoint: "
           "'https://x' } } } }\n",
     "V06", 3, 35, "not one of the values", "`tools/call`"},
    {"two transports", TASKS "- a: { call: mcp, with: { method: tools/list, transport: {} } }\n",
     "V06", 3, 58, "exactly one of `http`, `stdio`", ""},
    {"mcp over stdio",
     TASKS "- a: { call: mcp, with: { method: tools/list, transport: { stdio: { command: npx, "
           "arguments: [ x ], environment: { A: b } } } } }\n",
     "V31", 3, 60, "over `stdio` is not supported yet", "a service"},
    {"a client without version",
     TASKS "- a: { call: mcp, with: { method: tools/list, client: { name: n }, transport: { http: "
           "{ endpoint: 'https://x' } } } }\n",
     "V06", 3, 55, "needs `version`", ""},
    {"a header of mcp",
     TASKS "- a: { call: mcp, with: { method: tools/list, transport: { http: { endpoint: "
           "'https://x', headers: { A: 1 } } } } }\n",
     "V06", 3, 105, "header values are texts", "A: '1'"},
    {"a timeout of mcp",
     TASKS "- a: { call: mcp, with: { method: tools/list, timeout: 5s, transport: { http: { "
           "endpoint: 'https://x' } } } }\n",
     "V07", 3, 56, "`5s`", "`PT5S`"},
    {"a shell without command", TASKS "- a: { run: { shell: {} } }\n", "V06", 3, 22,
     "needs `command`", ""},
    {"an argument that is a number",
     TASKS "- a: { run: { shell: { command: ls, arguments: [ 1 ] } } }\n", "V06", 3, 50,
     "items here are texts", "quotes"},
    {"a language that is none", TASKS "- a: { run: { script: { language: pyton, code: x } } }\n",
     "V06", 3, 35, "not one of the values", "`python`"},
    {"a script without code", TASKS "- a: { run: { script: { language: js } } }\n", "V06", 3, 23,
     "exactly one of `code`, `source`", ""},
    {"a cleanup that says no time",
     TASKS "- a: { run: { container: { image: i, lifetime: { cleanup: eventually } } } }\n", "V06",
     3, 48, "`after` belongs to", ""},
    {"a cleanup that says a time in vain",
     TASKS "- a: { run: { container: { image: i, lifetime: { cleanup: never, after: PT1S } } } }\n",
     "V06", 3, 48, "`after` belongs to", ""},
    {"a pull policy", TASKS "- a: { run: { container: { image: i, pullPolicy: allways } } }\n",
     "V06", 3, 50, "not one of the values", "`always`"},
    {"two programs", TASKS "- a: { run: { container: { image: i }, shell: { command: ls } } }\n",
     "V06", 3, 13, "exactly one of", ""},
    {"a return that is none", TASKS "- a: { run: { shell: { command: ls }, return: al } }\n", "V06",
     3, 47, "not one of the values", "`all`"},
    {"an await that is a text", TASKS "- a: { run: { shell: { command: ls }, await: yes } }\n",
     "V06", 3, 46, "`true` or `false`", ""},
};

static void check_wrong(void **state)
{
    const struct finding_row *row            = *state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(8 << 20);
    struct diagnostics *list                 = diagnostics_new(arena);
    const struct workflow *workflow          = NULL;
    assert_int_equal(workflow_read(str_from(row->text), list, &workflow, NULL),
                     STATUS_INVALID_ARGUMENT);
    bool is_there = false;
    for (size_t i = 0; i < list->count; i++) {
        is_there = is_there || finding_is(&list->items[i], row);
    }
    if (!is_there) {
        print_error("wanted %u:%u %s %s fix: %s\n", row->line, row->column, row->code, row->detail,
                    row->hint);
        print_findings(list);
        fail_msg("%s", row->name);
    }
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(wrong)];
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        tests[i] = row_test(wrong[i].name, check_wrong, &wrong[i]);
    }
    int failed = run_findings("calls that are right", rows, ARRAY_LEN(rows));
    return failed + cmocka_run_group_tests_name("calls that are wrong", tests, NULL, NULL);
}
