/* Skeletons of manifests from workflows of Arazzo: what is taken over, what is said to be missed.
 */
#include "adapter/arazzo.h"
#include "adapter/manifest.h"

#include "base/attr.h"
#include "support/cmocka.h"
#include "yaml/yaml.h"
#include "json/json_text.h"

#include <string.h>

enum { ARENA_MAX = 32 << 20 };

static const char shop[] = "openapi: 3.0.3\n"
                           "info: {title: Shop}\n"
                           "servers: [{url: 'https://shop.test/api'}]\n"
                           "paths:\n"
                           "  /items:\n"
                           "    get: {operationId: findItems}\n"
                           "  /items/{item-id}/orders:\n"
                           "    post: {operationId: order}\n"
                           "  /orders/{id}:\n"
                           "    get: {operationId: getOrder}\n";

#define HEAD                                                                                       \
    "arazzo: 1.0.1\n"                                                                              \
    "sourceDescriptions: [{name: shop, url: shop.yaml, type: openapi}]\n"                          \
    "components: {parameters: {lang: {name: Accept-Language, in: header, value: de}}}\n"           \
    "workflows:\n"

static const char buy[] = HEAD
    "- workflowId: buyFirst\n"
    "  summary: Buys what is found first\n"
    "  inputs: {type: object, required: [query], properties: {query: {type: string}, Card-No: "
    "{type: integer}}}\n"
    "  steps:\n"
    "  - stepId: findOne\n"
    "    operationId: findItems\n"
    "    parameters:\n"
    "    - {name: q, in: query, value: $inputs.query}\n"
    "    - {name: limit, in: query, value: 1}\n"
    "    - {reference: $components.parameters.lang}\n"
    "    successCriteria:\n"
    "    - {condition: $statusCode == 200 && !($response.body#/kind == 'None' || "
    "$response.header.X-Left <= 3)}\n"
    "    - {context: $response.body#/items/0/id, condition: '^[a-z]', type: regex}\n"
    "    outputs: {item: $response.body#/items/0/id}\n"
    "  - stepId: buy\n"
    "    operationPath: '{$sourceDescriptions.shop.url}#/paths/~1items~1{item-id}~1orders/post'\n"
    "    parameters: [{name: item-id, in: path, value: $steps.findOne.outputs.item}]\n"
    "    requestBody:\n"
    "      payload: {note: 'for {$inputs.query}, =now', sum: '=1', card: $inputs.Card-No, deep: "
    "[{a: 1}]}\n"
    "      replacements: [{target: /by, value: $inputs.query}]\n"
    "    outputs: {order: $response.body#/id}\n"
    "  outputs: {order: $steps.buy.outputs.order}\n";

struct made {
    struct arena *arena;
    struct diagnostics *list;
    struct buf out;
    status code;
    struct error error;
};

static void made_done(struct made *made)
{
    buf_done(&made->out);
    arena_free(made->arena);
}

static void make(struct made *made, const char *text)
{
    CLEANUP(yaml_freep) struct yaml_document *document = NULL;
    CLEANUP(yaml_freep) struct yaml_document *source   = NULL;
    *made      = (struct made){.arena = arena_new(ARENA_MAX), .out = buf_init(MANIFEST_SIZE_MAX)};
    made->list = diagnostics_new(made->arena);
    assert_int_equal(yaml_parse(str_from(text), made->list, &document, &made->error), STATUS_OK);
    assert_int_equal(yaml_parse(str_from(shop), made->list, &source, &made->error), STATUS_OK);
    str urls[ARAZZO_SOURCES_MAX];
    assert_true(arazzo_is(yaml_root(document)));
    assert_int_equal(arazzo_sources(yaml_root(document), urls), 1);
    assert_true(str_is(urls[0], "shop.yaml"));
    const json sources[]                = {yaml_root(source)};
    const struct arazzo_options options = {.name = "shop", .sources = sources, .source_count = 1};
    made->code =
        arazzo_skeleton(yaml_root(document), &options, &made->out, made->list, &made->error);
}

/* Nothing is wrong with it but that decisions are left. */
static void check_manifest(const struct made *made)
{
    CLEANUP(manifest_freep) struct manifest *manifest = NULL;
    struct diagnostics *list                          = diagnostics_new(made->arena);
    struct error error                                = {};
    (void)!manifest_read(buf_str(&made->out), list, &manifest, &error);
    for (size_t i = 0; i < list->count; i++) {
        bool is_left =
            strcmp(list->items[i].code, "M06") == 0 || strcmp(list->items[i].code, "M08") == 0;
        if (is_left) continue;
        fail_msg("line %u: %s\n%s", list->items[i].line, list->items[i].detail, made->out.ptr);
    }
}

static void takes_over_what_a_workflow_says(void **)
{
    static const char *const parts[] = {
        "  buy_first:\n    summary: \"Buys what is found first\"\n    effect: create",
        "        query: {type: string}\n        card_no: {type: integer}\n      required: [query]",
        "      - id: find_one\n        request:\n          method: GET\n          path: \"/items\"",
        "          query: {\"q\":\"=(.params.query)\",\"limit\":1}",
        "          headers: {\"Accept-Language\":\"de\"}",
        "(((.response.body | .[\\\"kind\\\"]) | if type == \\\"string\\\" then ascii_downcase",
        "(.response.headers[\\\"X-Left\\\" | ascii_downcase]) <= 3",
        "| tostring | test(\\\"^[a-z]\\\"))",
        "(if type == \\\"array\\\" then .[0] else .[\\\"0\\\"] end) | .[\\\"id\\\"]",
        ("url: \"=(.config.base_url | rtrimstr(\\\"/\\\")) + \\\"/items/\\\" + "
         "(((.steps.find_one[\\\"item\\\"])) | tostring | @uri) + \\\"/orders\\\"\""),
        "\"note\":\"=\\\"for \\\" + ((.params.query) | tostring) + \\\", =now\\\"\"",
        "\"sum\":\"=\\\"=1\\\"\"",
        "\"card\":\"=(.params.card_no)\",\"deep\":[{\"a\":1}],\"by\":\"=(.params.query)\"}",
        "    output: {\"order\":\"=(.steps.buy[\\\"order\\\"])\"}",
        "    # idempotency: ",
    };
    CLEANUP(made_done) struct made made;
    make(&made, buy);
    if (made.code != STATUS_OK) fail_msg("%s: %s", made.error.text, made.list->items[0].detail);
    assert_int_equal(made.list->count, 0);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (!strstr(made.out.ptr, parts[i])) fail_msg("no %s in\n%s", parts[i], made.out.ptr);
    }
    check_manifest(&made);
}

static void expect(const char *step, const char *pointer, enum severity severity,
                   const char *detail, const char *comment)
{
    CLEANUP(buf_done) struct buf text   = buf_init(ARENA_MAX);
    CLEANUP(made_done) struct made made = {};
    (void)buf_printf(&text, "%s- {workflowId: w, inputs: {properties: {a: {}}}, steps: [%s]}\n",
                     HEAD, step);
    make(&made, text.ptr);
    assert_int_equal(made.code, severity == SEVERITY_ERROR ? STATUS_INVALID_ARGUMENT : STATUS_OK);
    assert_int_equal(made.list->count, 1);
    assert_string_equal(made.list->items[0].pointer, pointer);
    assert_int_equal(made.list->items[0].severity, severity);
    if (!strstr(made.list->items[0].detail, detail)) fail_msg("%s", made.list->items[0].detail);
    if (comment && !strstr(made.out.ptr, comment)) fail_msg("%s", made.out.ptr);
    if (severity != SEVERITY_ERROR) check_manifest(&made);
}

static void what_has_no_counterpart_is_said_and_noted(void **)
{
    expect("{stepId: s, operationId: findItems, onFailure: [{name: r, type: retry}]}",
           "/workflows/0/steps/0/onFailure", SEVERITY_WARNING, "not taken over",
           "        # not taken over: onFailure: jumps and retries");
    expect("{stepId: s, operationId: findItems, successCriteria: [{type: jsonpath, context: "
           "$response.body, condition: '$.a'}]}",
           "/workflows/0/steps/0/successCriteria/0/condition", SEVERITY_WARNING, "simple or regex",
           "# not taken over: condition");
    expect("{stepId: s, operationId: findItems, outputs: {u: $url}}",
           "/workflows/0/steps/0/outputs", SEVERITY_WARNING, "`$url` has no counterpart",
           "# not taken over: outputs");
    expect("{stepId: s, operationId: findItems, parameters: [{name: c, in: cookie, value: 1}]}",
           "/workflows/0/steps/0/parameters", SEVERITY_WARNING, "cookies", "# not taken over");
    expect(
        "{stepId: s, operationId: findItems, requestBody: {contentType: text/plain, payload: x}}",
        "/workflows/0/steps/0/requestBody", SEVERITY_WARNING, "another type", NULL);
}

static void what_is_wrong_is_said_where_it_stands(void **)
{
    expect("{stepId: s, operationId: none}", "/workflows/0/steps/0/operationId", SEVERITY_ERROR,
           "no operation `none`", NULL);
    expect("{stepId: s, operationPath: 'x#/paths/~1none/get'}",
           "/workflows/0/steps/0/operationPath", SEVERITY_ERROR, "no such operation", NULL);
    expect("{stepId: s, operationId: $sourceDescriptions.other.x}",
           "/workflows/0/steps/0/operationId", SEVERITY_ERROR, "another description", NULL);
    expect("{stepId: s, workflowId: w}", "/workflows/0/steps/0/workflowId", SEVERITY_ERROR,
           "no other one inside", NULL);
    expect("{stepId: s, operationId: getOrder}", "/workflows/0/steps/0/parameters", SEVERITY_ERROR,
           "a value for `id`", NULL);
    expect("{stepId: s, operationId: findItems, outputs: {u: $inputs.b}}",
           "/workflows/0/steps/0/outputs", SEVERITY_ERROR, "no input `b`", NULL);
    expect("{stepId: s, operationId: findItems, outputs: {u: $steps.s.outputs.u}}",
           "/workflows/0/steps/0/outputs", SEVERITY_ERROR, "an earlier step", NULL);
    static const char *const conditions[] = {
        "$statusCode ==",
        "== 200",
        "($statusCode == 200",
        "$statusCode == 200)",
        "1 2",
        "!",
        "'a",
        "$statusCode = 200",
        "text == 1",
        "( )",
        "'' == ''' ",
        "$statusCode &",
    };
    for (size_t i = 0; i < ARRAY_LEN(conditions); i++) {
        CLEANUP(buf_done) struct buf text = buf_init(ARENA_MAX);
        (void)buf_printf(
            &text, "{stepId: s, operationId: findItems, successCriteria: [{condition: \"%s\"}]}",
            conditions[i]);
        expect(text.ptr, "/workflows/0/steps/0/successCriteria/0/condition", SEVERITY_ERROR, "",
               NULL);
    }
    expect("{stepId: s, operationId: findItems}, {stepId: S, operationId: findItems}",
           "/workflows/0/steps", SEVERITY_ERROR, "two steps would be `s`", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_over_what_a_workflow_says),
        cmocka_unit_test(what_has_no_counterpart_is_said_and_noted),
        cmocka_unit_test(what_is_wrong_is_said_where_it_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
