/* The conversation of an agent: what the model is asked, and what becomes of its answers. */
#include "base/utf8.h"
#include "scheduler/run/agent.h"
#include "schema/schema.h"
#include "workflow/errors.h"
#include "workflow/token_estimate.h"
#include "json/json_text.h"

#include <stdio.h>

enum { TEXT_MAX = 64 << 20 /* bytes of one result */ };

/* --- asking ------------------------------------------------------------------------------------
 */

json agent_messages_new(const struct agent *agent)
{
    json messages = json_array_new(agent->said_count);
    for (uint32_t i = 0; i < agent->said_count; i++) {
        json_array_push(&messages, agent_said_message_new(&agent->said[i]));
    }
    return messages;
}

int64_t agent_turn_tokens(json messages)
{
    return (int64_t)(chat_text_size(messages) / CHAT_BYTES_PER_TOKEN);
}

/* A budget of tokens also bounds the answer: `max_tokens` is what is left, if that is less. */
static void bound_answer(const struct activation *activation, json *arguments)
{
    const struct agent *agent = activation->agent;
    int64_t budget            = 0;
    if (!json_to_int(json_get_text(activation->items, "budget_tokens"), &budget)) return;
    int64_t left = budget - agent->usage.input_tokens - agent->usage.output_tokens -
                   agent_turn_tokens(json_get_text(*arguments, "messages"));
    if (left < 1) left = 1;
    json completion = json_get_text(*arguments, "max_completion_tokens");
    bool is_new     = completion.kind != JSON_INVALID;
    const char *key = is_new ? "max_completion_tokens" : "max_tokens";
    int64_t given   = 0;
    if (json_to_int(json_get_text(*arguments, key), &given) && given <= left) return;
    json_object_put_text(arguments, key, json_int(left));
}

static json format_new(json schema)
{
    json inner = json_object_new(2);
    json_object_put_text(&inner, "name", json_text_from("answer"));
    json_object_put_text(&inner, "schema", json_ref(schema));
    json format = json_object_new(2);
    json_object_put_text(&format, "type", json_text_from("json_schema"));
    json_object_put_text(&format, "json_schema", inner);
    return format;
}

json agent_turn_arguments(const struct activation *activation)
{
    json plan      = activation->items;
    json arguments = json_ref(json_get_text(plan, "chat"));
    json tools     = json_get_text(plan, "tools");
    json schema    = json_get_text(plan, "schema");
    json_object_put_text(&arguments, "messages", agent_messages_new(activation->agent));
    if (json_count(tools) > 0) json_object_put_text(&arguments, "tools", json_ref(tools));
    if (schema.kind != JSON_INVALID) {
        json_object_put_text(&arguments, "response_format", format_new(schema));
    }
    bound_answer(activation, &arguments);
    return arguments;
}

json run_turn_input(const struct run *run, str job)
{
    const struct activation *turn = job_activation(run, job);
    if (!turn || !activation_task(run, turn)->call.is_turn) return json_invalid();
    return agent_turn_arguments(activation_parent(run, turn));
}

/* --- what the model asks for -------------------------------------------------------------------
 */

/* Where a tool of the plan comes from: {tool: in the definition}, and of a server's more. Without
 * servers the two go side by side, and there is nothing to say. */
static json origin_of(json plan, int64_t offer)
{
    json origins = json_get_text(plan, "origins");
    bool is_any  = json_is(origins, JSON_ARRAY) && offer >= 0;
    return is_any ? json_at(origins, (size_t)offer) : json_invalid();
}

static bool is_of_server(json origin)
{
    return json_get_text(origin, "name").kind != JSON_INVALID;
}

/* The place of a tool in the plan; -1: there is none of that name. */
static int64_t offer_find(json plan, json name)
{
    json tools = json_get_text(plan, "tools");
    for (size_t i = 0; json_is(name, JSON_TEXT) && i < json_count(tools); i++) {
        json function = json_get_text(json_at(tools, i), "function");
        if (json_equal(json_get_text(function, "name"), name)) return (int64_t)i;
    }
    return -1;
}

/* The first violations, as a sentence for the model; JSON_INVALID: the arguments are fine. A server
 * checks itself what comes, so a schema of its own that cannot be read here is passed over. Owned.
 */
static json violations_new(json schema_source, bool is_servers, json arguments,
                           struct arena *scratch)
{
    CLEANUP(schema_freep) struct schema *schema = NULL;
    struct error error                          = {};
    arena_clear(scratch);
    struct schema_errors *errors = arena_alloc(scratch, sizeof *errors);
    if (!errors) return json_text_from("there is no memory to check it");
    errors->count = 0;
    status fits   = schema_compile(schema_source, NULL, NULL, &schema, &error);
    if (fits != STATUS_OK && is_servers) return json_invalid();
    if (fits == STATUS_OK) fits = schema_check(schema, arguments, scratch, errors, &error);
    if (fits == STATUS_OK) return json_invalid();
    if (errors->count == 0) return json_text_lossy(str_from(error.text));
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    for (size_t i = 0; i < errors->count; i++) {
        (void)buf_printf(&text, "%s%s: %s", i > 0 ? "; " : "", errors->items[i].pointer,
                         errors->items[i].sentence);
    }
    return json_text_lossy(buf_str(&text));
}

static json text_or(json value, const char *otherwise)
{
    return json_is(value, JSON_TEXT) ? json_ref(value) : json_text_from(otherwise);
}

/* Reads the arguments of a call; no text means none. */
static status arguments_read(json text, json *ret_arguments, struct error *reterr)
{
    if (!json_is(text, JSON_TEXT) || json_str(text).len == 0) {
        *ret_arguments = json_object_new(0);
        return STATUS_OK;
    }
    CLEANUP(json_unrefp) json parsed = json_invalid();
    TRY(json_parse(json_str(text), NULL, &parsed, NULL, reterr));
    if (!json_is(parsed, JSON_OBJECT)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "the arguments of a tool are a JSON object");
    }
    *ret_arguments = json_take(&parsed);
    return STATUS_OK;
}

static json arguments_or_none_new(json text)
{
    json arguments = json_invalid();
    return arguments_read(text, &arguments, NULL) == STATUS_OK ? arguments : json_object_new(0);
}

/* What to tell the model of a call that cannot be made; JSON_INVALID: it can. Owned. */
static json refusal_new(json plan, int64_t offer, json text, struct arena *scratch)
{
    CLEANUP(json_unrefp) json arguments = json_invalid();
    struct error why                    = {};
    if (offer < 0) return json_text_from("there is no tool of that name");
    if (arguments_read(text, &arguments, &why) != STATUS_OK) {
        return json_text_lossy(str_from(why.text));
    }
    json entry      = json_at(json_get_text(plan, "tools"), (size_t)offer);
    json schema     = json_get_text(json_get_text(entry, "function"), "parameters");
    bool is_servers = is_of_server(origin_of(plan, offer));
    return violations_new(schema, is_servers, arguments, scratch);
}

/* Which tool it is, and what is wrong with it: what the answer does not tell by itself. */
static json verdict_new(json plan, json function, struct arena *scratch)
{
    int64_t offer = offer_find(plan, json_get_text(function, "name"));
    json origin   = origin_of(plan, offer);
    json tool     = json_get_text(origin, "tool");
    json error    = refusal_new(plan, offer, json_get_text(function, "arguments"), scratch);
    json verdict  = json_object_new(3);
    json_object_put_text(&verdict, "tool",
                         tool.kind == JSON_INVALID ? json_int(offer) : json_ref(tool));
    if (is_of_server(origin)) json_object_put_text(&verdict, "offer", json_int(offer));
    if (error.kind != JSON_INVALID) json_object_put_text(&verdict, "error", error);
    return verdict;
}

static json whole_new(json asked, json verdict)
{
    json function = json_get_text(asked, "function");
    json offer    = json_get_text(verdict, "offer");
    json error    = json_get_text(verdict, "error");
    int64_t tool  = -1;
    bool is_known = json_to_int(json_get_text(verdict, "tool"), &tool) && tool >= 0;
    json call     = json_object_new(6);
    json_object_put_text(&call, "id", text_or(json_get_text(asked, "id"), ""));
    json_object_put_text(&call, "name", text_or(json_get_text(function, "name"), ""));
    json_object_put_text(&call, "tool", json_int(tool));
    if (offer.kind != JSON_INVALID) json_object_put_text(&call, "offer", json_ref(offer));
    json_object_put_text(&call, "arguments",
                         is_known ? arguments_or_none_new(json_get_text(function, "arguments"))
                                  : json_object_new(0));
    if (error.kind != JSON_INVALID) json_object_put_text(&call, "error", json_ref(error));
    return call;
}

/* Each verdict is about the call at its place. */
static json calls_whole_new(json answer, json verdicts)
{
    json asked = agent_answer_calls(answer);
    json calls = json_array_new(json_count(verdicts));
    for (size_t i = 0; i < json_count(verdicts); i++) {
        json_array_push(&calls, whole_new(json_at(asked, i), json_at(verdicts, i)));
    }
    return calls;
}

json agent_calls_new(const struct activation *activation, json answer, struct arena *scratch)
{
    json asked                         = agent_answer_calls(answer);
    CLEANUP(json_unrefp) json verdicts = json_array_new(json_count(asked));
    for (size_t i = 0; i < json_count(asked); i++) {
        json function = json_get_text(json_at(asked, i), "function");
        json_array_push(&verdicts, verdict_new(activation->items, function, scratch));
    }
    return calls_whole_new(answer, verdicts);
}

json agent_calls_kept_new(json calls)
{
    static const char *const members[] = {"tool", "offer", "error"};
    json kept                          = json_array_new(json_count(calls));
    for (size_t i = 0; i < json_count(calls); i++) {
        json verdict = json_object_new(ARRAY_LEN(members));
        for (size_t k = 0; k < ARRAY_LEN(members); k++) {
            json value = json_get_text(json_at(calls, i), members[k]);
            if (value.kind == JSON_INVALID) continue;
            json_object_put_text(&verdict, members[k], json_ref(value));
        }
        json_array_push(&kept, verdict);
    }
    return kept;
}

json agent_calls_whole_new(const struct run *run, const struct activation *activation, json kept)
{
    json first    = json_at(kept, 0);
    bool is_whole = json_get_text(first, "arguments").kind != JSON_INVALID;
    if (!json_is(kept, JSON_ARRAY) || is_whole) return json_ref(kept); /* of earlier releases */
    return calls_whole_new(agent_answer(run, activation), kept);
}

/* --- what the model is told --------------------------------------------------------------------
 */

/* {type, title, detail} of an error of the language. Owned. */
static json error_short_new(json error)
{
    static const char *const members[] = {"type", "title", "detail"};
    json brief                         = json_object_new(3);
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        json value = json_get_text(error, members[i]);
        if (value.kind != JSON_INVALID) json_object_put_text(&brief, members[i], json_ref(value));
    }
    return brief;
}

/* How a call ended. Owned members. */
struct ending {
    struct agent_said said; /* for the model */
    json error;             /* for the log; JSON_INVALID: it went well */
};

/* A message of its own, since no output says it. Takes `content`. */
static struct agent_said message_of(json call, json content)
{
    json message = json_object_new(3);
    json_object_put_text(&message, "role", json_text_from("tool"));
    json_object_put_text(&message, "tool_call_id", json_ref(json_get_text(call, "id")));
    json_object_put_text(&message, "content", content);
    return (struct agent_said){.of = SAID_MESSAGE, .value = message};
}

/* Takes `error`. */
static struct ending failed(json call, json error)
{
    CLEANUP(json_unrefp) json told = json_object_new(1);
    json_object_put_text(&told, "error", json_ref(error));
    return (struct ending){.said = message_of(call, json_to_text_new(told)), .error = error};
}

static struct ending refused(json call, json comment)
{
    CLEANUP(buf_done) struct buf text = buf_init(AGENT_RESULT_MAX);
    bool has_comment                  = json_is(comment, JSON_TEXT) && json_str(comment).len > 0;
    (void)buf_put_text(&text, "refused");
    if (has_comment) (void)buf_printf(&text, ": " STR_FMT, STR_ARG(json_str(comment)));
    json error = json_object_new(2);
    json_object_put_text(&error, "title", json_text_from("Refused"));
    json_object_put_text(&error, "detail", text_or(comment, ""));
    json content = json_text_lossy(buf_str(&text));
    return (struct ending){.said = message_of(call, content), .error = error};
}

static struct ending succeeded(json call, json output)
{
    bool is_servers = json_get_text(call, "offer").kind != JSON_INVALID;
    return (struct ending){.said = {.of    = is_servers ? SAID_SERVER : SAID_RESULT,
                                    .value = json_ref(output),
                                    .call  = json_ref(json_get_text(call, "id"))}};
}

static struct ending ending_of(const struct run *run, const struct activation *activation,
                               uint32_t index, json call)
{
    uint32_t turn                   = activation->agent->turn;
    const struct agent_step made    = {turn, AGENT_CALL, index};
    const struct agent_step asked   = {turn, AGENT_APPROVAL, index};
    const struct scope *scope       = agent_scope(run, activation, agent_index(&made));
    const struct scope *approval    = agent_scope(run, activation, agent_index(&asked));
    json wrong                      = json_get_text(call, "error");
    CLEANUP(json_unrefp) json error = json_invalid();
    if (json_is(wrong, JSON_TEXT)) {
        error = error_new(ERROR_VALIDATION, 0, json_str(wrong), (str){});
        return failed(call, error_short_new(error));
    }
    if (scope && scope->state == SCOPE_OVER) return succeeded(call, scope->data);
    if (scope) return failed(call, error_short_new(scope->data));
    if (approval && approval->state == SCOPE_OVER) {
        return refused(call, json_get_text(json_at(approval->data, 0), "comment"));
    }
    error = json_text_from("nobody decided in time");
    return refused(call, error);
}

/* Of the log. Takes `error`. */
static json entry_new(const struct run *run, const struct activation *activation, uint32_t index,
                      json call, json error)
{
    json entry    = json_object_new(3);
    bool is_valid = json_get_text(call, "error").kind == JSON_INVALID;
    json_object_put_text(&entry, "name", json_ref(json_get_text(call, "name")));
    json_object_put_text(&entry, "arguments",
                         is_valid ? agent_arguments_new(run, activation, index)
                                  : json_ref(json_get_text(call, "arguments")));
    if (error.kind != JSON_INVALID) json_object_put_text(&entry, "error", error);
    return entry;
}

void agent_results_take(const struct run *run, struct activation *activation)
{
    struct agent *agent = activation->agent;
    for (uint32_t i = 0; i < json_count(agent->calls); i++) {
        json call                  = json_at(agent->calls, i);
        const struct ending ending = ending_of(run, activation, i, call);
        agent_say(agent, &ending.said);
        json_array_push(&agent->log, entry_new(run, activation, i, call, ending.error));
    }
}

json agent_results_new(const struct run *run, const struct activation *activation)
{
    json calls    = activation->agent->calls;
    json messages = json_array_new(json_count(calls));
    json log      = json_array_new(json_count(calls));
    for (uint32_t i = 0; i < json_count(calls); i++) {
        json call            = json_at(calls, i);
        struct ending ending = ending_of(run, activation, i, call);
        json_array_push(&messages, agent_said_message_new(&ending.said));
        json_array_push(&log, entry_new(run, activation, i, call, ending.error));
        agent_said_done(&ending.said);
    }
    json results = json_object_new(2);
    json_object_put_text(&results, "messages", messages);
    json_object_put_text(&results, "log", log);
    return results;
}

/* --- the output --------------------------------------------------------------------------------
 */

status agent_content(const struct activation *activation, json answer, json *ret_content,
                     struct error *reterr)
{
    CLEANUP(json_unrefp) json text  = agent_answer_content_new(answer);
    const struct json_limits limits = {.allow_duplicate_keys = true};
    if (json_get_text(activation->items, "schema").kind != JSON_INVALID) {
        str said = json_is(text, JSON_TEXT) ? json_str(text) : (str){};
        return json_parse_within(said, &limits, ret_content, reterr);
    }
    *ret_content = text.kind == JSON_INVALID ? json_null() : json_take(&text);
    return STATUS_OK;
}

json agent_output_kept_new(json output)
{
    json kept = json_object_new(json_count(output));
    for (size_t i = 0; i < json_count(output); i++) {
        json key = json_key_value_at(output, i);
        if (str_is(json_str(key), "content") || str_is(json_str(key), "tool_calls")) continue;
        json_object_put_key(&kept, key, json_ref(json_value_at(output, i)));
    }
    return kept;
}

json agent_output_whole_new(const struct run *run, const struct activation *activation, json kept)
{
    json content = json_invalid();
    json output  = json_object_new(json_count(kept) + 2);
    status read  = agent_content(activation, agent_answer(run, activation), &content, NULL);
    json_object_put_text(&output, "content", read == STATUS_OK ? content : json_null());
    for (size_t i = 0; i < json_count(kept); i++) {
        json_object_put_key(&output, json_key_value_at(kept, i), json_ref(json_value_at(kept, i)));
        if (i == 0) json_object_put_text(&output, "tool_calls", json_ref(activation->agent->log));
    }
    return output;
}
