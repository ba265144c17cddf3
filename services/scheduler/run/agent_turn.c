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

int64_t agent_turn_tokens(const struct agent *agent)
{
    return (int64_t)(chat_text_size(agent->messages) / CHAT_BYTES_PER_TOKEN);
}

/* A budget of tokens also bounds the answer: `max_tokens` is what is left, if that is less. */
static void bound_answer(const struct activation *activation, json *arguments)
{
    const struct agent *agent = activation->agent;
    int64_t budget            = 0;
    if (!json_to_int(json_get_text(activation->items, "budget_tokens"), &budget)) return;
    int64_t left =
        budget - agent->usage.input_tokens - agent->usage.output_tokens - agent_turn_tokens(agent);
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
    json_object_put_text(&arguments, "messages", json_ref(activation->agent->messages));
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

/* Reads the arguments of a call; on failure `*ret_error` is what to tell the model (owned). */
static json arguments_new(json plan, int64_t offer, json text, struct arena *scratch,
                          json *ret_error)
{
    json arguments = json_object_new(0);
    *ret_error     = json_invalid();
    if (offer < 0) {
        *ret_error = json_text_from("there is no tool of that name");
        return arguments;
    }
    struct error why = {};
    bool is_given    = json_is(text, JSON_TEXT) && json_str(text).len > 0;
    if (is_given) {
        json parsed = json_invalid();
        if (json_parse(json_str(text), NULL, &parsed, NULL, &why) != STATUS_OK) {
            *ret_error = json_text_lossy(str_from(why.text));
            return arguments;
        }
        json_replace(&arguments, parsed);
    }
    if (!json_is(arguments, JSON_OBJECT)) {
        json_replace(&arguments, json_object_new(0));
        *ret_error = json_text_from("the arguments of a tool are a JSON object");
        return arguments;
    }
    json entry      = json_at(json_get_text(plan, "tools"), (size_t)offer);
    json schema     = json_get_text(json_get_text(entry, "function"), "parameters");
    bool is_servers = is_of_server(origin_of(plan, offer));
    *ret_error      = violations_new(schema, is_servers, arguments, scratch);
    return arguments;
}

json agent_calls_new(const struct activation *activation, json answer, struct arena *scratch)
{
    json plan  = activation->items;
    json asked = json_get_text(answer, "tool_calls");
    json calls = json_array_new(json_count(asked));
    for (size_t i = 0; i < json_count(asked); i++) {
        json one      = json_at(asked, i);
        json function = json_get_text(one, "function");
        json name     = json_get_text(function, "name");
        int64_t offer = offer_find(plan, name);
        json origin   = origin_of(plan, offer);
        json tool     = json_get_text(origin, "tool");
        json error    = json_invalid();
        json arguments =
            arguments_new(plan, offer, json_get_text(function, "arguments"), scratch, &error);
        json call = json_object_new(6);
        json_object_put_text(&call, "id", text_or(json_get_text(one, "id"), ""));
        json_object_put_text(&call, "name", text_or(name, ""));
        json_object_put_text(&call, "tool",
                             tool.kind == JSON_INVALID ? json_int(offer) : json_ref(tool));
        if (is_of_server(origin)) json_object_put_text(&call, "offer", json_int(offer));
        json_object_put_text(&call, "arguments", arguments);
        if (error.kind != JSON_INVALID) json_object_put_text(&call, "error", error);
        json_array_push(&calls, call);
    }
    return calls;
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
    json content; /* text for the model */
    json error;   /* for the log; JSON_INVALID: it went well */
};

/* Takes `error`. */
static struct ending failed(json error)
{
    json told = json_object_new(1);
    json_object_put_text(&told, "error", json_ref(error));
    struct ending ending = {.content = json_to_text_new(told), .error = error};
    json_unref(told);
    return ending;
}

static struct ending refused(json comment)
{
    CLEANUP(buf_done) struct buf text = buf_init(AGENT_RESULT_MAX);
    bool has_comment                  = json_is(comment, JSON_TEXT) && json_str(comment).len > 0;
    (void)buf_put_text(&text, "refused");
    if (has_comment) (void)buf_printf(&text, ": " STR_FMT, STR_ARG(json_str(comment)));
    json error = json_object_new(2);
    json_object_put_text(&error, "title", json_text_from("Refused"));
    json_object_put_text(&error, "detail", text_or(comment, ""));
    return (struct ending){.content = json_text_lossy(buf_str(&text)), .error = error};
}

/* A long result is cut for the model, between two characters; the journal has all of it. */
static struct ending succeeded(json output)
{
    CLEANUP(json_unrefp)
    json text  = json_is(output, JSON_TEXT) ? json_ref(output) : json_to_text_new(output);
    str whole  = json_str(text);
    size_t end = whole.len;
    if (end > AGENT_RESULT_MAX) {
        end = AGENT_RESULT_MAX;
        while (end > 0 && ((uint8_t)whole.ptr[end] & 0xc0) == 0x80) end--;
    }
    if (end == whole.len) return (struct ending){.content = json_take(&text)};
    CLEANUP(buf_done) struct buf cut = buf_init(AGENT_RESULT_MAX + 128);
    (void)buf_put_str(&cut, str_slice(whole, 0, end));
    (void)buf_printf(&cut, "\n[cut here; the whole result has %zu bytes]", whole.len);
    return (struct ending){.content = json_text_lossy(buf_str(&cut))};
}

/* Of a server's tool the model sees what it was meant to see: values if there are some, else texts;
 * anything else as it came. Owned. */
static json server_said_new(json output)
{
    json structured = json_get_text(output, "structured");
    json content    = json_get_text(output, "content");
    bool is_text    = json_is(content, JSON_ARRAY);
    if (json_is(structured, JSON_OBJECT)) return json_ref(structured);
    for (size_t i = 0; is_text && i < json_count(content); i++) {
        json type = json_get_text(json_at(content, i), "type");
        is_text   = json_is(type, JSON_TEXT) && str_is(json_str(type), "text");
    }
    json seen = is_text ? json_get_text(output, "text") : content;
    return json_ref(seen.kind == JSON_INVALID ? output : seen);
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
    if (wrong.kind != JSON_INVALID) {
        error = error_new(ERROR_VALIDATION, 0, json_str(wrong), (str){});
        return failed(error_short_new(error));
    }
    if (scope && scope->state == SCOPE_OVER) {
        bool is_servers = json_get_text(call, "offer").kind != JSON_INVALID;
        CLEANUP(json_unrefp)
        json out = is_servers ? server_said_new(scope->data) : json_ref(scope->data);
        return succeeded(out);
    }
    if (scope) return failed(error_short_new(scope->data));
    if (approval && approval->state == SCOPE_OVER) {
        return refused(json_get_text(json_at(approval->data, 0), "comment"));
    }
    error = json_text_from("nobody decided in time");
    return refused(error);
}

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

json agent_results_new(const struct run *run, const struct activation *activation)
{
    json calls    = activation->agent->calls;
    json messages = json_array_new(json_count(calls));
    json log      = json_array_new(json_count(calls));
    for (uint32_t i = 0; i < json_count(calls); i++) {
        json call            = json_at(calls, i);
        struct ending ending = ending_of(run, activation, i, call);
        json message         = json_object_new(3);
        json_object_put_text(&message, "role", json_text_from("tool"));
        json_object_put_text(&message, "tool_call_id", json_ref(json_get_text(call, "id")));
        json_object_put_text(&message, "content", ending.content);
        json_array_push(&messages, message);
        json_array_push(&log, entry_new(run, activation, i, call, ending.error));
    }
    json results = json_object_new(2);
    json_object_put_text(&results, "messages", messages);
    json_object_put_text(&results, "log", log);
    return results;
}
