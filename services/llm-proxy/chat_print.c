/* The request model as OpenAI's chat completions: what compatible upstreams are sent. */
#include "llm-proxy/chat.h"

#include "base/assert.h"
#include "json/json_text.h"
#include "json/json_write.h"

static const char *role_text(enum chat_role role)
{
    switch (role) {
    case ROLE_SYSTEM: return "system";
    case ROLE_USER: return "user";
    case ROLE_ASSISTANT: return "assistant";
    case ROLE_TOOL: return "tool";
    }
    return "user";
}

static void print_part(struct json_writer *w, const struct chat_part *part)
{
    if (!json_is(part->raw, JSON_INVALID)) {
        json_write_value(w, part->raw); /* as it came, with members we do not know */
        return;
    }
    json_begin_object(w);
    json_put_text(w, "type", str_from("text"));
    json_put_text(w, "text", part->text);
    json_end_object(w);
}

static bool is_content(const struct chat_part *part)
{
    return part->kind != PART_TOOL_CALL && part->kind != PART_THINKING;
}

static bool is_plain(const struct chat_part *part)
{
    return part->kind == PART_TEXT || part->kind == PART_TOOL_RESULT;
}

static void print_content(struct json_writer *w, const struct chat_message *message)
{
    uint32_t count               = 0;
    const struct chat_part *only = NULL;
    for (uint32_t i = 0; i < message->part_count; i++) {
        if (!is_content(&message->parts[i])) continue;
        only = &message->parts[i];
        count++;
    }
    json_member(w, "content");
    if (count == 0) {
        json_write_null(w);
    } else if (count == 1 && is_plain(only)) {
        json_write_text(w, only->text);
    } else {
        json_begin_array(w);
        for (uint32_t i = 0; i < message->part_count; i++) {
            if (is_content(&message->parts[i])) print_part(w, &message->parts[i]);
        }
        json_end_array(w);
    }
}

static void print_tool_calls(struct json_writer *w, const struct chat_message *message)
{
    bool has_begun = false;
    for (uint32_t i = 0; i < message->part_count; i++) {
        const struct chat_part *part = &message->parts[i];
        if (part->kind != PART_TOOL_CALL) continue;
        if (!has_begun) {
            json_member(w, "tool_calls");
            json_begin_array(w);
            has_begun = true;
        }
        json_begin_object(w);
        json_put_text(w, "id", part->id);
        json_put_text(w, "type", str_from("function"));
        json_member(w, "function");
        json_begin_object(w);
        json_put_text(w, "name", part->name);
        json_put_text(w, "arguments", part->text);
        json_end_object(w);
        json_end_object(w);
    }
    if (has_begun) json_end_array(w);
}

static void print_messages(struct json_writer *w, const struct chat_request *request)
{
    json_member(w, "messages");
    json_begin_array(w);
    for (uint32_t i = 0; i < request->message_count; i++) {
        const struct chat_message *message = &request->messages[i];
        json_begin_object(w);
        json_put_text(w, "role", str_from(role_text(message->role)));
        if (message->name.len > 0) json_put_text(w, "name", message->name);
        if (message->role == ROLE_TOOL && message->part_count > 0) {
            json_put_text(w, "tool_call_id", message->parts[0].id);
        }
        print_content(w, message);
        print_tool_calls(w, message);
        json_end_object(w);
    }
    json_end_array(w);
}

static void print_tools(struct json_writer *w, const struct chat_request *request)
{
    if (request->tool_count == 0) return;
    json_member(w, "tools");
    json_begin_array(w);
    for (uint32_t i = 0; i < request->tool_count; i++) {
        const struct chat_tool *tool = &request->tools[i];
        json_begin_object(w);
        json_put_text(w, "type", str_from("function"));
        json_member(w, "function");
        json_begin_object(w);
        json_put_text(w, "name", tool->name);
        if (tool->description.len > 0) json_put_text(w, "description", tool->description);
        if (!json_is(tool->schema, JSON_INVALID)) {
            json_member(w, "parameters");
            json_write_value(w, tool->schema);
        }
        if (tool->is_strict) json_put_bool(w, "strict", true);
        json_end_object(w);
        json_end_object(w);
    }
    json_end_array(w);
}

static void print_choice(struct json_writer *w, const struct chat_request *request)
{
    static const char *const words[] = {
        [CHOICE_AUTO] = "auto", [CHOICE_NONE] = "none", [CHOICE_REQUIRED] = "required"};
    if (request->choice == CHOICE_UNSET) return;
    json_member(w, "tool_choice");
    if (request->choice != CHOICE_FUNCTION) {
        json_write_text(w, str_from(words[request->choice]));
        return;
    }
    json_begin_object(w);
    json_put_text(w, "type", str_from("function"));
    json_member(w, "function");
    json_begin_object(w);
    json_put_text(w, "name", request->choice_name);
    json_end_object(w);
    json_end_object(w);
}

static void print_format(struct json_writer *w, const struct chat_request *request)
{
    if (request->format == FORMAT_TEXT) return;
    json_member(w, "response_format");
    json_begin_object(w);
    if (request->format == FORMAT_JSON) {
        json_put_text(w, "type", str_from("json_object"));
    } else {
        json_put_text(w, "type", str_from("json_schema"));
        json_member(w, "json_schema");
        json_begin_object(w);
        json_put_text(w, "name",
                      request->schema_name.len > 0 ? request->schema_name : str_from("answer"));
        json_member(w, "schema");
        json_write_value(w, request->schema);
        if (request->is_schema_strict) json_put_bool(w, "strict", true);
        json_end_object(w);
    }
    json_end_object(w);
}

static void put_value(struct json_writer *w, const char *key, json value)
{
    if (json_is(value, JSON_INVALID)) return;
    json_member(w, key);
    json_write_value(w, value);
}

static void print_sampling(struct json_writer *w, const struct chat_request *request)
{
    put_value(w, "temperature", request->temperature);
    put_value(w, "top_p", request->top_p);
    put_value(w, "top_k", request->top_k);
    put_value(w, "seed", request->seed);
    put_value(w, "parallel_tool_calls", request->parallel_tools);
    if (request->max_tokens > 0) json_put_int(w, "max_tokens", request->max_tokens);
    if (request->count > 0) json_put_int(w, "n", request->count);
    if (request->effort.len > 0) json_put_text(w, "reasoning_effort", request->effort);
    if (request->user.len > 0) json_put_text(w, "user", request->user);
    if (request->stop_count == 0) return;
    json_member(w, "stop");
    json_begin_array(w);
    for (uint32_t i = 0; i < request->stop_count; i++) json_write_text(w, request->stops[i]);
    json_end_array(w);
}

/* What an answer has cost is always asked for: somebody is to be charged. */
static void print_stream(struct json_writer *w, const struct chat_request *request)
{
    if (!request->is_stream) return;
    json_put_bool(w, "stream", true);
    json_member(w, "stream_options");
    json_begin_object(w);
    for (size_t i = 0; i < json_count(request->stream_options); i++) {
        if (str_is(json_key_at(request->stream_options, i), "include_usage")) continue;
        json_member_str(w, json_key_at(request->stream_options, i));
        json_write_value(w, json_value_at(request->stream_options, i));
    }
    json_put_bool(w, "include_usage", true);
    json_end_object(w);
}

static void print_extra(struct json_writer *w, json source)
{
    for (size_t i = 0; i < json_count(source); i++) {
        if (chat_member_is_known(json_key_at(source, i))) continue;
        json_member_str(w, json_key_at(source, i));
        json_write_value(w, json_value_at(source, i));
    }
}

bool chat_print_openai(const struct chat_request *request, str model, struct buf *out)
{
    struct json_writer w = json_writer_init(out);
    json_begin_object(&w);
    json_put_text(&w, "model", model);
    print_messages(&w, request);
    print_tools(&w, request);
    print_choice(&w, request);
    print_format(&w, request);
    print_sampling(&w, request);
    print_stream(&w, request);
    if (json_is(request->extra, JSON_OBJECT)) print_extra(&w, request->extra);
    json_end_object(&w);
    return !out->is_full;
}
