/*
 * probe: the MCP client of the tool-adapter as a program, for the conformance suite for clients.
 *
 *     mcp-probe URL
 *
 * Lists the server's tools and calls those that can be called: as the suite says in
 * MCP_CONFORMANCE_CONTEXT, else with arguments of the types that their schemas ask for; whatever a
 * server asks for in the middle of a call is accepted, with the defaults of its form. In the
 * scenario about schemas it says one back, and in the one about headers it also reads what
 * resources and prompts there are. The revision is that of MCP_CONFORMANCE_PROTOCOL_VERSION. Exits
 * with 0 if everything was answered.
 */
#include "base/clock.h"
#include "http/http.h"
#include "tool-adapter/peers/mcp_client.h"
#include "tool-adapter/peers/mcp_input.h"
#include "tool-adapter/peers/mcp_message.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TURN_MS = 20, CALL_MS = 20'000, ROUNDS_MAX = 5 };

struct probe {
    struct egress_rules *rules;
    struct loop *loop;
    struct http_client *http;
    struct tokens *tokens;
    struct mcp_client *client;
    json endpoint;
    json oauth; /* of OAuth 2, as the suite says; owned; JSON_INVALID: none */
    bool is_done;
    unsigned failures;
    json result; /* of the last call; owned */
    json asked;  /* what it asks for; owned; JSON_INVALID: nothing */
};

static void on_done(const struct mcp_result *result, void *context)
{
    struct probe *probe = context;
    bool is_fine        = result->code == STATUS_OK && !json_is(result->error, JSON_OBJECT);
    json said           = json_get_text(result->error, "message");
    probe->is_done      = true;
    json_unref(probe->result);
    probe->result = is_fine ? json_ref(result->result) : json_invalid();
    probe->asked  = json_ref(result->asked);
    if (is_fine || json_is(result->asked, JSON_OBJECT)) return;
    probe->failures++;
    (void)fprintf(stderr, "probe: HTTP %d %s %.*s\n", result->http_status, result->why.text,
                  json_is(said, JSON_TEXT) ? (int)json_str(said).len : 0,
                  json_is(said, JSON_TEXT) ? json_str(said).ptr : "");
}

static json value_of(json schema)
{
    json type = json_get_text(schema, "type");
    str name  = json_is(type, JSON_TEXT) ? json_str(type) : (str){.ptr = ""};
    if (str_is(name, "integer") || str_is(name, "number")) return json_int(2);
    if (str_is(name, "boolean")) return json_bool(true);
    if (str_is(name, "array")) return json_array_new(0);
    if (str_is(name, "object")) return json_object_new(0);
    return json_text_from("text");
}

/* What a form cannot do without. Owned. */
static json data_of(json schema)
{
    json required = json_get_text(schema, "required");
    json data     = json_object_new(4);
    for (size_t i = 0; json_is(required, JSON_ARRAY) && i < json_count(required); i++) {
        str name       = json_str(json_at(required, i));
        json field     = json_get(json_get_text(schema, "properties"), name);
        bool is_spoken = !json_is(json_get_text(field, "default"), JSON_INVALID);
        if (!is_spoken) json_object_put(&data, name, value_of(field));
    }
    return data;
}

/* A server of the older era hears it at once. Owned. */
static json on_asked(json params, void *)
{
    CLEANUP(json_unrefp) json answer    = json_object_new(1);
    CLEANUP(json_unrefp) json requests  = json_object_new(1);
    CLEANUP(json_unrefp) json responses = json_invalid();
    json request                        = json_object_new(2);
    json_object_put_text(&request, "method", json_text_from("elicitation/create"));
    json_object_put_text(&request, "params", json_ref(params));
    json_object_put_text(&requests, "input", request);
    json_object_put_text(&answer, "approved", json_bool(true));
    json_object_put_text(&answer, "data", data_of(json_get_text(params, "requestedSchema")));
    if (mcp_input_responses(requests, answer, &responses, NULL) != STATUS_OK) return responses;
    return json_ref(json_get_text(responses, "input"));
}

/* As somebody says who agrees to everything, and changes nothing. Owned; JSON_INVALID: it cannot be
 * answered. */
static json input_new(struct probe *probe, int round)
{
    CLEANUP(json_unrefp) json answer = json_object_new(1);
    CLEANUP(json_unrefp) json asked  = json_take(&probe->asked);
    json responses                   = json_invalid();
    struct error error               = {};
    if (!json_is(asked, JSON_OBJECT)) return responses;
    json_object_put_text(&answer, "approved", json_bool(true));
    if (mcp_input_responses(json_get_text(asked, "requests"), answer, &responses, &error) !=
        STATUS_OK) {
        probe->failures++;
        (void)fprintf(stderr, "probe: %s\n", error.text);
        return responses;
    }
    json input = json_object_new(3);
    json_object_put_text(&input, "round", json_int(round));
    json state = json_get_text(asked, "state");
    json_object_put_text(&input, "responses", responses);
    if (json_is(state, JSON_TEXT)) json_object_put_text(&input, "state", json_ref(state));
    return input;
}

static void ask_once(struct probe *probe, const char *method, json params, json schema, json input)
{
    const char *version                = getenv("MCP_CONFORMANCE_PROTOCOL_VERSION");
    const struct mcp_handlers handlers = {.answer = on_asked, .done = on_done, .context = probe};
    bool is_modern                     = false;
    const struct mcp_request request   = {
          .endpoint = probe->endpoint,
          .client   = probe->oauth,
          .version  = version && mcp_version_is_known(str_from(version), &is_modern)
                          ? str_from(version)
                          : (str){},
          .method   = method,
          .params   = params,
          .schema   = schema,
          .asks     = true,
          .answers  = true,
          .input    = input,
          .until_ms = clock_mono_ms() + CALL_MS};
    probe->is_done = false;
    (void)mcp_call_start(probe->client, &request, &handlers);
    while (!probe->is_done) loop_turn(probe->loop, TURN_MS);
}

static void ask(struct probe *probe, const char *method, json params, json schema)
{
    ask_once(probe, method, params, schema, json_invalid());
    for (int round = 1; round <= ROUNDS_MAX; round++) {
        CLEANUP(json_unrefp) json input = input_new(probe, round);
        if (!json_is(input, JSON_OBJECT)) return;
        ask_once(probe, method, params, schema, input);
    }
}

/* --- tools ------------------------------------------------------------------------------------ */

static json arguments_of(json tool)
{
    json properties = json_get_text(json_get_text(tool, "inputSchema"), "properties");
    json arguments  = json_object_new(4);
    for (size_t i = 0; json_is(properties, JSON_OBJECT) && i < json_count(properties); i++) {
        json_object_put(&arguments, json_key_at(properties, i),
                        value_of(json_value_at(properties, i)));
    }
    return arguments;
}

static void call_tool(struct probe *probe, json tool, json arguments)
{
    CLEANUP(json_unrefp) json params = json_object_new(2);
    json_object_put_text(&params, "name", json_ref(json_get_text(tool, "name")));
    json_object_put_text(&params, "arguments", json_ref(arguments));
    ask(probe, "tools/call", params, json_get_text(tool, "inputSchema"));
}

static json tool_named(json tools, json name)
{
    for (size_t i = 0; i < json_count(tools); i++) {
        if (json_equal(json_get_text(json_at(tools, i), "name"), name)) return json_at(tools, i);
    }
    return json_invalid();
}

/* The schema of the first tool, as it was received, is what the second is called with. Says whether
 * the suite asks for that. */
static bool echo_schema(struct probe *probe, json tools)
{
    const char *scenario                = getenv("MCP_CONFORMANCE_SCENARIO");
    CLEANUP(json_unrefp) json echo      = json_text_from("json_schema_echo");
    CLEANUP(json_unrefp) json focal     = json_text_from("json_schema_2020_12_tool");
    CLEANUP(json_unrefp) json arguments = json_object_new(1);
    if (!scenario || strcmp(scenario, "json-schema-2020-12-preservation") != 0) return false;
    json schema = json_get_text(tool_named(tools, focal), "inputSchema");
    json_object_put_text(&arguments, "schema", json_ref(schema));
    call_tool(probe, tool_named(tools, echo), arguments);
    return true;
}

static void call_tools(struct probe *probe, json tools)
{
    CLEANUP(json_unrefp) json context = json_invalid();
    const char *text                  = getenv("MCP_CONFORMANCE_CONTEXT");
    if (text) (void)!json_parse(str_from(text), NULL, &context, NULL, NULL);
    json calls = json_get_text(context, "toolCalls");
    for (size_t i = 0; json_is(calls, JSON_ARRAY) && i < json_count(calls); i++) {
        json call = json_at(calls, i);
        call_tool(probe, tool_named(tools, json_get_text(call, "name")),
                  json_get_text(call, "arguments"));
    }
    for (size_t i = 0; !json_is(calls, JSON_ARRAY) && i < json_count(tools); i++) {
        json tool                           = json_at(tools, i);
        CLEANUP(json_unrefp) json arguments = arguments_of(tool);
        if (mcp_tool_is_callable(tool)) call_tool(probe, tool, arguments);
    }
}

/* --- the rest --------------------------------------------------------------------------------- */

static void read_first(struct probe *probe, const char *list, const char *member, const char *get,
                       const char *key)
{
    ask(probe, list, json_invalid(), json_invalid());
    json first                       = json_at(json_get_text(probe->result, member), 0);
    CLEANUP(json_unrefp) json params = json_object_new(1);
    json_object_put_text(&params, key, json_ref(json_get_text(first, key)));
    if (json_is(first, JSON_OBJECT)) ask(probe, get, params, json_invalid());
}

static status open(struct probe *probe, struct error *reterr)
{
    static const char *const private_allow[] = {"127.0.0.0/8", "::1/128", NULL};
    static const char *const http_allow[]    = {"127.0.0.1", "localhost", NULL};
    const struct egress_options egress = {.private_allow = private_allow, .http_allow = http_allow};
    TRY(http_init(reterr));
    TRY(egress_rules_new(&egress, &probe->rules, reterr));
    TRY(loop_new(NULL, &probe->loop, reterr));
    const struct http_client_options options = {.loop = probe->loop, .egress = probe->rules};
    TRY(http_client_new(&options, &probe->http, reterr));
    probe->tokens = tokens_new(probe->http, probe->loop);
    probe->client = mcp_client_new(probe->http, probe->loop, probe->tokens);
    return STATUS_OK;
}

/* {client_id, client_secret or private_key_pem} of the suite's context. */
static void read_client(struct probe *probe)
{
    CLEANUP(json_unrefp) json context = json_invalid();
    const char *text                  = getenv("MCP_CONFORMANCE_CONTEXT");
    if (text) (void)!json_parse(str_from(text), NULL, &context, NULL, NULL);
    json id     = json_get_text(context, "client_id");
    json secret = json_get_text(context, "client_secret");
    json key    = json_get_text(context, "private_key_pem");
    bool is_key = json_is(key, JSON_TEXT);
    if (!json_is(id, JSON_TEXT) || (!is_key && !json_is(secret, JSON_TEXT))) return;
    probe->oauth = json_object_new(2);
    json_object_put_text(&probe->oauth, "id", json_ref(id));
    json_object_put_text(&probe->oauth, is_key ? "key" : "secret", json_ref(is_key ? key : secret));
}

static void run(struct probe *probe, const char *url)
{
    const char *scenario           = getenv("MCP_CONFORMANCE_SCENARIO");
    CLEANUP(json_unrefp) json list = json_invalid();
    probe->endpoint                = json_object_new(1);
    json_object_put_text(&probe->endpoint, "uri", json_text_from(url));
    read_client(probe);
    ask(probe, "tools/list", json_invalid(), json_invalid());
    list       = json_ref(probe->result);
    json tools = json_get_text(list, "tools");
    if (json_is(tools, JSON_ARRAY) && !echo_schema(probe, tools)) call_tools(probe, tools);
    if (!scenario || strcmp(scenario, "http-standard-headers") != 0) return;
    read_first(probe, "resources/list", "resources", "resources/read", "uri");
    read_first(probe, "prompts/list", "prompts", "prompts/get", "name");
}

int main(int argc, char **argv)
{
    struct probe probe = {};
    struct error error = {};
    if (argc < 2 || open(&probe, &error) != STATUS_OK) {
        (void)fprintf(stderr, "mcp-probe URL: %s\n", error.text);
        return 2;
    }
    run(&probe, argv[argc - 1]);
    for (int turns = 0; turns < 10; turns++) loop_turn(probe.loop, TURN_MS); /* farewells */
    json_unref(probe.result);
    json_unref(probe.asked);
    json_unref(probe.endpoint);
    json_unref(probe.oauth);
    mcp_client_freep(&probe.client);
    tokens_freep(&probe.tokens);
    http_client_freep(&probe.http);
    egress_rules_free(probe.rules);
    loop_freep(&probe.loop);
    return probe.failures > 0;
}
