/*
 * OpenAI's chat completions, read. Source of the shapes: openai/openai-openapi, openapi.json 2.3.0.
 * A table says which members are known; the others stay in `extra` and are passed on.
 */
#include "llm-proxy/chat.h"

#include "base/assert.h"
#include "base/attr.h"

#include <string.h>

static status invalid(struct error *reterr, const char *pointer, const char *expected)
{
    return fail(reterr, STATUS_INVALID_ARGUMENT, "%s: %s", pointer, expected);
}

static void *allocate(struct chat_request *request, size_t count, size_t size)
{
    return count > SIZE_MAX / size ? NULL : arena_alloc(request->arena, count * size);
}

static status no_memory(struct error *reterr)
{
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
}

static str text_or_empty(json object, const char *key)
{
    json value = json_get_text(object, key);
    return json_is(value, JSON_TEXT) ? json_str(value) : (str){};
}

/* --- messages ----------------------------------------------------------------------------------
 */

static bool read_role(str name, enum chat_role *ret_role)
{
    static const struct {
        const char *name;
        enum chat_role role;
    } roles[] = {
        {"system", ROLE_SYSTEM},       {"developer", ROLE_SYSTEM}, {"user", ROLE_USER},
        {"assistant", ROLE_ASSISTANT}, {"tool", ROLE_TOOL},
    };
    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        if (str_is(name, roles[i].name)) {
            *ret_role = roles[i].role;
            return true;
        }
    }
    return false;
}

/* "data:image/png;base64,AAAA" becomes media type and data; any other URL stays one. */
static void split_data_url(str url, struct chat_part *part)
{
    str prefix = str_from("data:");
    if (!str_starts_with(url, prefix)) {
        part->url = url;
        return;
    }
    const char *comma = memchr(url.ptr, ',', url.len);
    size_t at         = comma ? (size_t)(comma - url.ptr) : url.len;
    str head          = str_slice(url, prefix.len, at);
    const char *semi  = head.len > 0 ? memchr(head.ptr, ';', head.len) : NULL;
    part->media_type  = str_slice(head, 0, semi ? (size_t)(semi - head.ptr) : head.len);
    part->data        = str_slice(url, at + 1, url.len);
}

static status read_part(json value, const char *pointer, struct chat_part *ret_part,
                        struct error *reterr)
{
    str type               = text_or_empty(value, "type");
    struct chat_part *part = ret_part;
    part->raw              = value;
    if (str_is(type, "text")) {
        part->kind = PART_TEXT;
        part->text = text_or_empty(value, "text");
    } else if (str_is(type, "refusal")) {
        part->kind = PART_REFUSAL;
        part->text = text_or_empty(value, "refusal");
    } else if (str_is(type, "image_url")) {
        part->kind = PART_IMAGE;
        split_data_url(text_or_empty(json_get_text(value, "image_url"), "url"), part);
    } else if (str_is(type, "input_audio")) {
        json audio       = json_get_text(value, "input_audio");
        part->kind       = PART_AUDIO;
        part->data       = text_or_empty(audio, "data");
        part->media_type = text_or_empty(audio, "format");
    } else if (str_is(type, "file")) {
        json file  = json_get_text(value, "file");
        part->kind = PART_FILE;
        part->id   = text_or_empty(file, "file_id");
        part->name = text_or_empty(file, "filename");
        split_data_url(text_or_empty(file, "file_data"), part);
    } else {
        return invalid(reterr, pointer,
                       "a part needs a known `type`: text, image_url, "
                       "input_audio, file or refusal");
    }
    return STATUS_OK;
}

static status read_content(struct chat_request *request, json content, const char *pointer,
                           struct chat_message *message, size_t spare, struct error *reterr)
{
    size_t count = json_is(content, JSON_ARRAY) ? json_count(content) : 1;
    if (count > CHAT_PARTS_MAX) return invalid(reterr, pointer, "too many parts");
    message->parts = allocate(request, count + spare, sizeof *message->parts);
    if (!message->parts) return no_memory(reterr);

    if (json_is(content, JSON_TEXT)) {
        message->parts[message->part_count++] =
            (struct chat_part){.kind = PART_TEXT, .text = json_str(content)};
        return STATUS_OK;
    }
    if (json_is(content, JSON_ARRAY)) {
        for (size_t i = 0; i < count; i++) {
            TRY(read_part(json_at(content, i), pointer, &message->parts[message->part_count],
                          reterr));
            message->part_count++;
        }
        return STATUS_OK;
    }
    if (json_is(content, JSON_NULL) || json_is(content, JSON_INVALID)) return STATUS_OK;
    return invalid(reterr, pointer, "`content` is a text or a list of parts");
}

static status read_tool_calls(json calls, const char *pointer, struct chat_message *message,
                              struct error *reterr)
{
    for (size_t i = 0; i < json_count(calls); i++) {
        json call     = json_at(calls, i);
        json function = json_get_text(call, "function");
        if (!json_is(function, JSON_OBJECT)) {
            return invalid(reterr, pointer, "a tool call needs `function`");
        }
        message->parts[message->part_count++] = (struct chat_part){
            .kind = PART_TOOL_CALL,
            .id   = text_or_empty(call, "id"),
            .name = text_or_empty(function, "name"),
            .text = text_or_empty(function, "arguments"),
        };
    }
    return STATUS_OK;
}

/* A tool's answer is one part: its texts joined are the result. */
static void become_tool_result(json value, struct chat_message *message)
{
    str id = text_or_empty(value, "tool_call_id");
    for (uint32_t i = 0; i < message->part_count; i++) {
        message->parts[i].kind = PART_TOOL_RESULT;
        message->parts[i].id   = id;
    }
}

static status read_message(struct chat_request *request, json value, const char *pointer,
                           struct chat_message *message, struct error *reterr)
{
    if (!json_is(value, JSON_OBJECT)) return invalid(reterr, pointer, "a message is an object");
    if (!read_role(text_or_empty(value, "role"), &message->role)) {
        return invalid(reterr, pointer, "`role` is system, developer, user, assistant or tool");
    }
    message->name = text_or_empty(value, "name");
    json calls    = json_get_text(value, "tool_calls");
    size_t spare  = json_is(calls, JSON_ARRAY) ? json_count(calls) : 0;
    if (spare > CHAT_PARTS_MAX) return invalid(reterr, pointer, "too many tool calls");
    TRY(read_content(request, json_get_text(value, "content"), pointer, message, spare, reterr));
    if (spare > 0) TRY(read_tool_calls(calls, pointer, message, reterr));
    if (message->role == ROLE_TOOL) become_tool_result(value, message);
    return STATUS_OK;
}

static status read_messages(struct chat_request *request, json messages, struct error *reterr)
{
    size_t count = json_count(messages);
    if (!json_is(messages, JSON_ARRAY) || count == 0 || count > CHAT_MESSAGES_MAX) {
        return invalid(reterr, "/messages", "a list of at least one message is required");
    }
    request->messages = allocate(request, count, sizeof *request->messages);
    if (!request->messages) return no_memory(reterr);
    for (size_t i = 0; i < count; i++) {
        const char *pointer = arena_printf(request->arena, "/messages/%zu", i);
        if (!pointer) return no_memory(reterr);
        TRY(read_message(request, json_at(messages, i), pointer, &request->messages[i], reterr));
        request->message_count++;
    }
    return STATUS_OK;
}

/* --- tools and format --------------------------------------------------------------------------
 */

static status read_tools(struct chat_request *request, json tools, struct error *reterr)
{
    if (json_is(tools, JSON_INVALID) || json_is(tools, JSON_NULL)) return STATUS_OK;
    size_t count = json_count(tools);
    if (!json_is(tools, JSON_ARRAY) || count > CHAT_TOOLS_MAX) {
        return invalid(reterr, "/tools", "a list of at most 128 tools");
    }
    request->tools = allocate(request, count + 1, sizeof *request->tools);
    if (!request->tools) return no_memory(reterr);
    for (size_t i = 0; i < count; i++) {
        json function = json_get_text(json_at(tools, i), "function");
        str name      = text_or_empty(function, "name");
        if (name.len == 0) return invalid(reterr, "/tools", "a tool needs `function.name`");
        request->tools[request->tool_count++] = (struct chat_tool){
            .name        = name,
            .description = text_or_empty(function, "description"),
            .schema      = json_get_text(function, "parameters"),
            .is_strict   = json_is_truthy(json_get_text(function, "strict")),
        };
    }
    return STATUS_OK;
}

static status read_choice(struct chat_request *request, json choice, struct error *reterr)
{
    if (json_is(choice, JSON_INVALID) || json_is(choice, JSON_NULL)) return STATUS_OK;
    if (json_is(choice, JSON_OBJECT)) {
        request->choice      = CHOICE_FUNCTION;
        request->choice_name = text_or_empty(json_get_text(choice, "function"), "name");
        if (request->choice_name.len > 0) return STATUS_OK;
    } else if (json_is(choice, JSON_TEXT)) {
        str word = json_str(choice);
        if (str_is(word, "auto")) request->choice = CHOICE_AUTO;
        if (str_is(word, "none")) request->choice = CHOICE_NONE;
        if (str_is(word, "required")) request->choice = CHOICE_REQUIRED;
        if (request->choice != CHOICE_UNSET) return STATUS_OK;
    }
    return invalid(reterr, "/tool_choice",
                   "auto, none, required or {type: function, function: "
                   "{name}}");
}

static status read_format(struct chat_request *request, json format, struct error *reterr)
{
    if (json_is(format, JSON_INVALID) || json_is(format, JSON_NULL)) return STATUS_OK;
    str type = text_or_empty(format, "type");
    if (str_is(type, "text")) return STATUS_OK;
    if (str_is(type, "json_object")) {
        request->format = FORMAT_JSON;
        return STATUS_OK;
    }
    if (!str_is(type, "json_schema")) {
        return invalid(reterr, "/response_format/type", "text, json_object or json_schema");
    }
    json schema               = json_get_text(format, "json_schema");
    request->format           = FORMAT_SCHEMA;
    request->schema_name      = text_or_empty(schema, "name");
    request->schema           = json_get_text(schema, "schema");
    request->is_schema_strict = json_is_truthy(json_get_text(schema, "strict"));
    return STATUS_OK;
}

/* --- the rest ----------------------------------------------------------------------------------
 */

static status read_stops(struct chat_request *request, json stop, struct error *reterr)
{
    if (json_is(stop, JSON_TEXT)) {
        request->stops[request->stop_count++] = json_str(stop);
        return STATUS_OK;
    }
    if (json_count(stop) > CHAT_STOPS_MAX) return invalid(reterr, "/stop", "too many");
    for (size_t i = 0; json_is(stop, JSON_ARRAY) && i < json_count(stop); i++) {
        if (!json_is(json_at(stop, i), JSON_TEXT)) return invalid(reterr, "/stop", "texts");
        request->stops[request->stop_count++] = json_str(json_at(stop, i));
    }
    return STATUS_OK;
}

static status read_number(json source, const char *key, json *ret_number, struct error *reterr)
{
    json value = json_get_text(source, key);
    if (json_is(value, JSON_NULL)) value = json_invalid();
    if (!json_is(value, JSON_INVALID) && !json_is_number(value)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "/%s: a number is required", key);
    }
    *ret_number = value;
    return STATUS_OK;
}

static status read_count(json source, const char *key, int64_t *ret_count, struct error *reterr)
{
    json number = json_invalid();
    TRY(read_number(source, key, &number, reterr));
    if (json_is(number, JSON_INVALID)) return STATUS_OK;
    int64_t value = 0;
    if (!json_to_int(number, &value) || value < 1) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "/%s: a whole number from 1 is required", key);
    }
    *ret_count = value;
    return STATUS_OK;
}

static status read_sampling(struct chat_request *request, json source, struct error *reterr)
{
    TRY(read_number(source, "temperature", &request->temperature, reterr));
    TRY(read_number(source, "top_p", &request->top_p, reterr));
    TRY(read_number(source, "top_k", &request->top_k, reterr));
    TRY(read_number(source, "seed", &request->seed, reterr));
    TRY(read_count(source, "max_tokens", &request->max_tokens, reterr));
    TRY(read_count(source, "max_completion_tokens", &request->max_tokens, reterr));
    TRY(read_count(source, "n", &request->count, reterr));
    TRY(read_stops(request, json_get_text(source, "stop"), reterr));
    request->effort = text_or_empty(source, "reasoning_effort");
    request->user   = text_or_empty(source, "user");
    json parallel   = json_get_text(source, "parallel_tool_calls");
    if (json_is_bool(parallel)) request->parallel_tools = parallel;
    return STATUS_OK;
}

/* Members this file reads; "schema", "system", "prompt", "json" are those of jobs. */
static const char *const known_members[] = {
    "model",
    "messages",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "temperature",
    "top_p",
    "top_k",
    "seed",
    "max_tokens",
    "n",
    "stop",
    "user",
    "response_format",
    "max_completion_tokens",
    "stream",
    "stream_options",
    "tutti",
    "schema",
    "reasoning_effort",
    "system",
    "prompt",
    "json",
    "assistant",
    "variables",
};

bool chat_member_is_known(str key)
{
    for (size_t i = 0; i < ARRAY_LEN(known_members); i++) {
        if (str_is(key, known_members[i])) return true;
    }
    return false;
}

static void keep_extra(struct chat_request *request, json source)
{
    for (size_t i = 0; i < json_count(source); i++) {
        if (chat_member_is_known(json_key_at(source, i))) continue;
        request->extra = source; /* the encoder skips what is known, so no copy is needed */
        return;
    }
}

static status read_common(struct chat_request *request, json source, struct error *reterr)
{
    request->model = text_or_empty(source, "model");
    if (request->model.len == 0) return invalid(reterr, "/model", "a model is required");
    TRY(read_tools(request, json_get_text(source, "tools"), reterr));
    TRY(read_choice(request, json_get_text(source, "tool_choice"), reterr));
    TRY(read_sampling(request, source, reterr));
    keep_extra(request, source);
    return STATUS_OK;
}

static status request_new(json source, struct arena *arena, struct chat_request **ret_request,
                          struct error *reterr)
{
    ASSERT(arena);
    if (!json_is(source, JSON_OBJECT)) return invalid(reterr, "", "an object is required");
    struct chat_request *request = arena_alloc(arena, sizeof *request);
    if (!request) return no_memory(reterr);
    request->arena = arena;
    *ret_request   = request;
    return STATUS_OK;
}

static status read_stream(struct chat_request *request, json source, struct error *reterr)
{
    json stream  = json_get_text(source, "stream");
    json options = json_get_text(source, "stream_options");
    bool is_none = json_is(stream, JSON_INVALID) || json_is(stream, JSON_NULL);
    if (!is_none && !json_is_bool(stream)) return invalid(reterr, "/stream", "true or false");
    request->is_stream = json_is_truthy(stream);
    if (!json_is(options, JSON_OBJECT)) return STATUS_OK;
    request->stream_options = options;
    request->wants_usage    = json_is_truthy(json_get_text(options, "include_usage"));
    return STATUS_OK;
}

status chat_from_openai(json source, struct arena *arena, struct chat_request **ret_request,
                        struct error *reterr)
{
    struct chat_request *request = NULL;
    TRY(request_new(source, arena, &request, reterr));
    TRY(read_common(request, source, reterr));
    TRY(read_messages(request, json_get_text(source, "messages"), reterr));
    TRY(read_format(request, json_get_text(source, "response_format"), reterr));
    TRY(read_stream(request, source, reterr));
    *ret_request = request;
    return STATUS_OK;
}

/* `system` and `prompt` are messages before and after `messages`. */
static status frame_messages(struct chat_request *request, json source, struct error *reterr)
{
    str system   = text_or_empty(source, "system");
    str prompt   = text_or_empty(source, "prompt");
    json listed  = json_get_text(source, "messages");
    bool has_any = json_is(listed, JSON_ARRAY) && json_count(listed) > 0;
    if (!has_any && prompt.len == 0) {
        return invalid(reterr, "/prompt", "`prompt` or `messages` is required");
    }
    if (has_any) TRY(read_messages(request, listed, reterr));

    size_t count                  = request->message_count;
    struct chat_message *messages = allocate(request, count + 2, sizeof *messages);
    struct chat_part *parts       = allocate(request, 2, sizeof *parts);
    if (!messages || !parts) return no_memory(reterr);
    uint32_t used = 0;
    if (system.len > 0) {
        parts[0] = (struct chat_part){.kind = PART_TEXT, .text = system};
        messages[used++] =
            (struct chat_message){.role = ROLE_SYSTEM, .parts = &parts[0], .part_count = 1};
    }
    for (size_t i = 0; i < count; i++) messages[used++] = request->messages[i];
    if (prompt.len > 0) {
        parts[1] = (struct chat_part){.kind = PART_TEXT, .text = prompt};
        messages[used++] =
            (struct chat_message){.role = ROLE_USER, .parts = &parts[1], .part_count = 1};
    }
    request->messages      = messages;
    request->message_count = used;
    return STATUS_OK;
}

status chat_from_job(json arguments, struct arena *arena, struct chat_request **ret_request,
                     struct error *reterr)
{
    struct chat_request *request = NULL;
    TRY(request_new(arguments, arena, &request, reterr));
    TRY(read_common(request, arguments, reterr));
    TRY(frame_messages(request, arguments, reterr));
    json schema = json_get_text(arguments, "schema");
    if (json_is(schema, JSON_OBJECT)) {
        request->format      = FORMAT_SCHEMA;
        request->schema      = schema;
        request->schema_name = str_from("answer");
    } else if (json_is_truthy(json_get_text(arguments, "json"))) {
        request->format = FORMAT_JSON;
    } else {
        TRY(read_format(request, json_get_text(arguments, "response_format"), reterr));
        request->is_unchecked = true;
    }
    *ret_request = request;
    return STATUS_OK;
}
