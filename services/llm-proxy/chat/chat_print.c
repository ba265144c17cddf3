/* The request model as OpenAI's chat completions: what compatible upstreams are sent. */
#include "llm-proxy/chat/chat.h"

#include "base/attr.h"
#include "llm-proxy/chat/chat_loss.h"
#include "json/json_members.h"
#include "json/json_write.h"

#include <string.h>

enum {
    DATA_URL_MAX  = 32 << 20, /* bytes */
    BUDGET_LOW    = 2'048,    /* tokens of thinking that are a low effort at most */
    BUDGET_MEDIUM = 8'192,
};

#define ELSEWHERE "files that lie at another vendor do not travel"

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

static bool has_raw(const struct chat_request *request, const struct chat_part *part)
{
    return request->protocol == PROTOCOL_OPENAI && !json_is(part->raw, JSON_INVALID);
}

static void print_data_url(struct json_writer *w, const char *key, const struct chat_part *part)
{
    CLEANUP(buf_done) struct buf url = buf_init(DATA_URL_MAX);
    (void)buf_printf(&url, "data:" STR_FMT ";base64,", STR_ARG(part->media_type));
    (void)buf_put_str(&url, part->data);
    if (url.is_full) w->out->is_full = true;
    json_put_text(w, key, buf_str(&url));
}

static void print_image(struct json_writer *w, const struct chat_part *part)
{
    json_put_text(w, "type", str_from("image_url"));
    json_member(w, "image_url");
    json_begin_object(w);
    if (part->url.len > 0) {
        json_put_text(w, "url", part->url);
    } else {
        print_data_url(w, "url", part);
    }
    json_end_object(w);
}

static void print_file(struct json_writer *w, const struct chat_part *part)
{
    json_put_text(w, "type", str_from("file"));
    json_member(w, "file");
    json_begin_object(w);
    json_put_text(w, "filename", part->name.len > 0 ? part->name : str_from("document.pdf"));
    print_data_url(w, "file_data", part);
    json_end_object(w);
}

/* "audio/wav" is "wav" here. */
static void print_audio(struct json_writer *w, const struct chat_part *part)
{
    const char *slash =
        part->media_type.len > 0 ? memchr(part->media_type.ptr, '/', part->media_type.len) : NULL;
    size_t from = slash ? (size_t)(slash - part->media_type.ptr) + 1 : 0;
    json_put_text(w, "type", str_from("input_audio"));
    json_member(w, "input_audio");
    json_begin_object(w);
    json_put_text(w, "data", part->data);
    json_put_text(w, "format", str_slice(part->media_type, from, part->media_type.len));
    json_end_object(w);
}

static void print_plain(struct json_writer *w, const struct chat_part *part)
{
    const char *type = part->kind == PART_REFUSAL ? "refusal" : "text";
    json_put_text(w, "type", str_from(type));
    json_put_text(w, type, part->text);
}

static void print_part(struct json_writer *w, const struct chat_request *request,
                       const struct chat_part *part)
{
    if (has_raw(request, part)) {
        json_write_value(w, part->raw); /* as it came, with members we do not know */
        return;
    }
    json_begin_object(w);
    switch (part->kind) {
    case PART_IMAGE: print_image(w, part); break;
    case PART_FILE:
        if (part->text.len > 0) {
            print_plain(w, part);
        } else {
            print_file(w, part);
        }
        break;
    case PART_AUDIO: print_audio(w, part); break;
    default: print_plain(w, part); break;
    }
    json_end_object(w);
}

/* What a part of a message of another protocol cannot be here; NULL: it can. */
static const char *obstacle_of(const struct chat_message *message, const struct chat_part *part)
{
    bool is_user = message->role == ROLE_USER;
    switch (part->kind) {
    case PART_TEXT:
    case PART_TOOL_RESULT: return NULL;
    case PART_REFUSAL: return message->role == ROLE_ASSISTANT ? NULL : "only assistants refuse";
    case PART_IMAGE:
        if (!is_user) return "only user messages have images in OpenAI's protocol";
        return part->data.len + part->url.len > 0 ? NULL : ELSEWHERE;
    case PART_AUDIO: return is_user ? NULL : "only user messages have audio in OpenAI's protocol";
    case PART_FILE:
        if (!is_user) return "only user messages have files in OpenAI's protocol";
        if (part->url.len > 0) return "a file is sent as data in OpenAI's protocol";
        return part->data.len + part->text.len > 0 ? NULL : ELSEWHERE;
    case PART_THINKING:
    case PART_SEALED: return "OpenAI's protocol takes no thoughts back";
    case PART_FOREIGN: return "only the client's own protocol has it";
    case PART_TOOL_CALL: break;
    }
    return "it is no content";
}

static bool is_content(const struct chat_request *request, const struct chat_message *message,
                       const struct chat_part *part)
{
    if (part->kind == PART_TOOL_CALL || part->kind == PART_THINKING) return false;
    return has_raw(request, part) || !obstacle_of(message, part);
}

static void lose_parts(const struct chat_request *request, const struct chat_message *message,
                       struct losses *losses)
{
    for (uint32_t i = 0; i < message->part_count; i++) {
        const struct chat_part *part = &message->parts[i];
        if (!json_is(part->cache, JSON_INVALID) && !has_raw(request, part)) {
            chat_lose_part(request, losses, message, part, "/cache_control", LOSS_DROPPED,
                           "OpenAI's protocol has no cache markers");
        }
        if (part->kind == PART_TOOL_CALL) continue;
        if (!is_content(request, message, part)) {
            chat_lose_part(request, losses, message, part, "", LOSS_DROPPED,
                           obstacle_of(message, part));
        } else if (part->kind == PART_FILE && part->text.len > 0 && part->name.len > 0) {
            chat_lose_part(request, losses, message, part, "/title", LOSS_DROPPED,
                           "a document of text is a text in OpenAI's protocol");
        }
    }
}

static bool is_plain(const struct chat_part *part)
{
    return part->kind == PART_TEXT || part->kind == PART_TOOL_RESULT;
}

static void print_content(struct json_writer *w, const struct chat_request *request,
                          const struct chat_message *message)
{
    uint32_t count               = 0;
    const struct chat_part *only = NULL;
    for (uint32_t i = 0; i < message->part_count; i++) {
        if (!is_content(request, message, &message->parts[i])) continue;
        only = &message->parts[i];
        count++;
    }
    json_member(w, "content");
    if (count == 0 && message->role == ROLE_TOOL) {
        json_write_text(w, (str){});
    } else if (count == 0) {
        json_write_null(w);
    } else if (count == 1 && is_plain(only)) {
        json_write_text(w, only->text);
    } else {
        json_begin_array(w);
        for (uint32_t i = 0; i < message->part_count; i++) {
            const struct chat_part *part = &message->parts[i];
            if (is_content(request, message, part)) print_part(w, request, part);
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

static void print_messages(struct json_writer *w, const struct chat_request *request,
                           struct losses *losses)
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
        print_content(w, request, message);
        print_tool_calls(w, message);
        json_end_object(w);
        lose_parts(request, message, losses);
    }
    json_end_array(w);
}

/* Tools that run elsewhere do not go there, and an empty list is refused. */
static bool has_tools(const struct chat_request *request)
{
    bool has = false;
    for (uint32_t i = 0; i < request->tool_count && !has; i++) {
        has = !request->tools[i].is_foreign || request->protocol == PROTOCOL_OPENAI;
    }
    return has;
}

static void print_tools(struct json_writer *w, const struct chat_request *request,
                        struct losses *losses)
{
    bool has_some = has_tools(request);
    if (has_some) json_member(w, "tools");
    if (has_some) json_begin_array(w);
    for (uint32_t i = 0; i < request->tool_count; i++) {
        const struct chat_tool *tool = &request->tools[i];
        if (tool->is_foreign && request->protocol == PROTOCOL_OPENAI) {
            json_write_value(w, tool->raw);
            continue;
        }
        if (tool->is_foreign) {
            chat_lose_tool(request, losses, i, "", LOSS_DROPPED,
                           "it runs at an upstream of the client's own protocol");
            continue;
        }
        if (!json_is(tool->cache, JSON_INVALID)) {
            chat_lose_tool(request, losses, i, "/cache_control", LOSS_DROPPED,
                           "OpenAI's protocol has no cache markers");
        }
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
    if (has_some) json_end_array(w);
}

static void print_named(struct json_writer *w, str name)
{
    json_begin_object(w);
    json_put_text(w, "type", str_from("function"));
    json_member(w, "function");
    json_begin_object(w);
    json_put_text(w, "name", name);
    json_end_object(w);
    json_end_object(w);
}

static void print_allowed(struct json_writer *w, const struct chat_request *request)
{
    json_begin_object(w);
    json_put_text(w, "type", str_from("allowed_tools"));
    json_member(w, "allowed_tools");
    json_begin_object(w);
    json_put_text(w, "mode", str_from(request->choice == CHOICE_REQUIRED ? "required" : "auto"));
    json_member(w, "tools");
    json_begin_array(w);
    for (uint32_t i = 0; i < request->allowed_count; i++) print_named(w, request->allowed[i]);
    json_end_array(w);
    json_end_object(w);
    json_end_object(w);
}

static void print_choice(struct json_writer *w, const struct chat_request *request)
{
    static const char *const words[] = {
        [CHOICE_AUTO] = "auto", [CHOICE_NONE] = "none", [CHOICE_REQUIRED] = "required"};
    bool is_idle = request->tool_count > 0 && !has_tools(request);
    if (request->choice == CHOICE_UNSET || is_idle) return;
    json_member(w, "tool_choice");
    if (request->choice == CHOICE_FUNCTION) {
        print_named(w, request->choice_name);
    } else if (request->allowed && request->choice != CHOICE_NONE) {
        print_allowed(w, request);
    } else {
        json_write_text(w, str_from(words[request->choice]));
    }
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

/* How much thinking was bought, in words. */
static str effort_of(const struct chat_request *request, struct losses *losses)
{
    if (request->effort.len > 0) return request->effort;
    if (request->thinking == THINKING_OFF) return str_from("none");
    if (request->thinking != THINKING_BUDGET) return (str){}; /* as much as it likes: the default */
    chat_lose(request, losses, CHAT_THINKING, LOSS_APPROXIMATED,
              "a budget of tokens became a reasoning effort");
    if (request->thinking_budget <= BUDGET_LOW) return str_from("low");
    return str_from(request->thinking_budget <= BUDGET_MEDIUM ? "medium" : "high");
}

static void print_sampling(struct json_writer *w, const struct chat_request *request,
                           enum chat_flavor flavor, struct losses *losses)
{
    const char *limit = flavor == FLAVOR_OPENAI ? "max_completion_tokens" : "max_tokens";
    str effort        = effort_of(request, losses);
    put_value(w, "temperature", request->temperature);
    put_value(w, "top_p", request->top_p);
    if (flavor == FLAVOR_COMPATIBLE) {
        put_value(w, "top_k", request->top_k);
    } else if (!json_is(request->top_k, JSON_INVALID)) {
        chat_lose(request, losses, CHAT_TOP_K, LOSS_DROPPED, "OpenAI has no top_k");
    }
    put_value(w, "seed", request->seed);
    if (request->tool_count == 0 || has_tools(request)) {
        put_value(w, "parallel_tool_calls", request->parallel_tools);
    }
    if (request->max_tokens > 0) json_put_int(w, limit, request->max_tokens);
    if (request->count > 0) json_put_int(w, "n", request->count);
    if (effort.len > 0) json_put_text(w, "reasoning_effort", effort);
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

bool chat_member_is_ours(str key)
{
    static const char *const ours[] = {"model", "tutti", "stream", "stream_options"};
    for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
        if (str_is(key, ours[i])) return true;
    }
    return false;
}

void chat_print_source(const struct chat_request *request, str model, struct json_writer *w)
{
    json source     = request->source;
    size_t cursor   = 0;
    str spelled     = {};
    bool is_spelled = request->bytes.len > 0;
    bool is_scanned = request->run_count > 0;
    if (model.len > 0) json_put_text(w, "model", model);
    for (uint32_t i = 0; i < request->run_count; i++) json_write_members(w, request->runs[i]);
    for (size_t i = 0; !is_scanned && i < json_count(source); i++) {
        is_spelled = is_spelled && json_members_next(request->bytes, &cursor, &spelled);
        if (chat_member_is_ours(json_key_at(source, i))) continue;
        json_member_str(w, json_key_at(source, i));
        if (is_spelled) {
            json_write_raw(w, spelled);
        } else {
            json_write_value(w, json_value_at(source, i));
        }
    }
}

bool chat_print_openai(const struct chat_request *request, str model, enum chat_flavor flavor,
                       struct losses *losses, struct buf *out)
{
    struct json_writer w = json_writer_init(out);
    bool is_own = request->protocol == PROTOCOL_OPENAI && json_is(request->source, JSON_OBJECT);
    json_begin_object(&w);
    if (is_own) {
        chat_print_source(request, model, &w);
    } else {
        json_put_text(&w, "model", model);
        print_messages(&w, request, losses);
        print_tools(&w, request, losses);
        print_choice(&w, request);
        print_format(&w, request);
        print_sampling(&w, request, flavor, losses);
        if (request->protocol == PROTOCOL_OPENAI && json_is(request->extra, JSON_OBJECT)) {
            print_extra(&w, request->extra);
        } else {
            chat_lose_extra(request, losses);
        }
    }
    print_stream(&w, request);
    json_end_object(&w);
    return !out->is_full;
}
