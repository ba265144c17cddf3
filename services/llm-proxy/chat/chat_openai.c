/*
 * OpenAI's chat completions, read. Source of the shapes: openai/openai-openapi, openapi.json 2.3.0.
 * A table says which members are known; the others stay in `extra` and are passed on.
 */
#include "llm-proxy/chat/chat.h"

#include "base/assert.h"
#include "base/attr.h"
#include "llm-proxy/chat/chat_read.h"
#include "llm-proxy/chat/wire.h"

#include <string.h>

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

static status read_part(json value, const char *pointer, struct chat_part *ret_part,
                        struct error *reterr)
{
    str type               = wire_text(value, "type");
    struct chat_part *part = ret_part;
    part->raw              = value;
    part->cache            = chat_read_cache(value);
    if (str_is(type, "text")) {
        part->kind = PART_TEXT;
        part->text = wire_text(value, "text");
    } else if (str_is(type, "refusal")) {
        part->kind = PART_REFUSAL;
        part->text = wire_text(value, "refusal");
    } else if (str_is(type, "image_url")) {
        json image   = json_get_text(value, "image_url"); /* some say the address alone */
        bool is_bare = json_is(image, JSON_TEXT);
        part->kind   = PART_IMAGE;
        chat_split_data_url(is_bare ? json_str(image) : wire_text(image, "url"), part);
    } else if (str_is(type, "input_audio")) {
        json audio       = json_get_text(value, "input_audio");
        part->kind       = PART_AUDIO;
        part->data       = wire_text(audio, "data");
        part->media_type = wire_text(audio, "format");
    } else if (str_is(type, "file")) {
        json file  = json_get_text(value, "file");
        part->kind = PART_FILE;
        part->id   = wire_text(file, "file_id");
        part->name = wire_text(file, "filename");
        chat_split_data_url(wire_text(file, "file_data"), part);
    } else if (type.len > 0) { /* others who speak this protocol have more: video_url */
        part->kind = PART_FOREIGN;
        part->name = type;
    } else {
        return chat_invalid(reterr, pointer,
                            "a part needs a `type`: text, image_url, input_audio, file or refusal");
    }
    return STATUS_OK;
}

static status read_content(struct chat_request *request, json content, const char *pointer,
                           struct chat_message *message, size_t spare, struct error *reterr)
{
    size_t count = json_is(content, JSON_ARRAY) ? json_count(content) : 1;
    if (count > CHAT_PARTS_MAX) return chat_invalid(reterr, pointer, "too many parts");
    message->parts = chat_allocate(request, count + spare + 1, sizeof *message->parts);
    if (!message->parts) return chat_no_memory(reterr);

    if (json_is(content, JSON_TEXT)) {
        message->parts[message->part_count++] =
            (struct chat_part){.kind = PART_TEXT, .text = json_str(content)};
        return STATUS_OK;
    }
    if (json_is(content, JSON_ARRAY)) {
        for (size_t i = 0; i < count; i++) {
            struct chat_part *part = &message->parts[message->part_count];
            part->position         = (uint32_t)i;
            TRY(read_part(json_at(content, i), pointer, part, reterr));
            message->part_count++;
        }
        return STATUS_OK;
    }
    if (json_is(content, JSON_NULL) || json_is(content, JSON_INVALID)) return STATUS_OK;
    return chat_invalid(reterr, pointer, "`content` is a text or a list of parts");
}

/* A text that is JSON; some send the object itself. */
static bool read_arguments(struct chat_request *request, json function, str *ret_text)
{
    json said = json_get_text(function, "arguments");
    if (json_is(said, JSON_OBJECT)) return chat_keep_json(request, said, ret_text);
    *ret_text = json_is(said, JSON_TEXT) ? json_str(said) : (str){};
    return true;
}

static status read_tool_calls(struct chat_request *request, json calls, const char *pointer,
                              struct chat_message *message, struct error *reterr)
{
    for (size_t i = 0; i < json_count(calls); i++) {
        json call     = json_at(calls, i);
        json function = json_get_text(call, "function");
        if (!json_is(function, JSON_OBJECT)) {
            return chat_invalid(reterr, pointer, "a tool call needs `function`");
        }
        str arguments = {};
        if (!read_arguments(request, function, &arguments)) return chat_no_memory(reterr);
        message->parts[message->part_count++] = (struct chat_part){
            .kind     = PART_TOOL_CALL,
            .id       = wire_text(call, "id"),
            .name     = wire_text(function, "name"),
            .text     = arguments,
            .cache    = chat_read_cache(call),
            .position = (uint32_t)i,
        };
    }
    return STATUS_OK;
}

/* What an assistant refused stands beside its content; there is room, see read_content(). */
static void read_refusal(json value, struct chat_message *message)
{
    str text = wire_text(value, "refusal");
    if (message->role != ROLE_ASSISTANT || text.len == 0) return;
    message->parts[message->part_count++] = (struct chat_part){.kind = PART_REFUSAL, .text = text};
}

/* Its texts joined are the result; a tool may say nothing. */
static void become_tool_result(json value, struct chat_message *message)
{
    str id = wire_text(value, "tool_call_id");
    if (message->part_count == 0) message->part_count = 1; /* there is room, see read_content() */
    for (uint32_t i = 0; i < message->part_count; i++) {
        struct chat_part *part = &message->parts[i];
        if (part->kind == PART_TEXT) part->kind = PART_TOOL_RESULT;
        part->id = id;
    }
    if (json_is(message->parts[0].cache, JSON_INVALID)) {
        message->parts[0].cache = chat_read_cache(value);
    }
}

static status read_message(struct chat_request *request, json value, const char *pointer,
                           struct chat_message *message, struct error *reterr)
{
    if (!json_is(value, JSON_OBJECT)) {
        return chat_invalid(reterr, pointer, "a message is an object");
    }
    if (!read_role(wire_text(value, "role"), &message->role)) {
        return chat_invalid(reterr, pointer,
                            "`role` is system, developer, user, assistant or tool");
    }
    message->path = pointer;
    message->name = wire_text(value, "name");
    json calls    = json_get_text(value, "tool_calls");
    size_t spare  = json_is(calls, JSON_ARRAY) ? json_count(calls) : 0;
    if (spare > CHAT_PARTS_MAX) return chat_invalid(reterr, pointer, "too many tool calls");
    TRY(read_content(request, json_get_text(value, "content"), pointer, message, spare, reterr));
    if (spare > 0) TRY(read_tool_calls(request, calls, pointer, message, reterr));
    if (message->role == ROLE_TOOL) become_tool_result(value, message);
    read_refusal(value, message);
    return STATUS_OK;
}

static status read_messages(struct chat_request *request, json messages, struct error *reterr)
{
    size_t count = json_count(messages);
    if (!json_is(messages, JSON_ARRAY) || count == 0 || count > CHAT_MESSAGES_MAX) {
        return chat_invalid(reterr, "/messages", "a list of at least one message is required");
    }
    request->messages = chat_allocate(request, count, sizeof *request->messages);
    if (!request->messages) return chat_no_memory(reterr);
    for (size_t i = 0; i < count; i++) {
        const char *pointer = chat_place(request, "/messages", i);
        if (!pointer) return chat_no_memory(reterr);
        TRY(read_message(request, json_at(messages, i), pointer, &request->messages[i], reterr));
        request->message_count++;
    }
    return STATUS_OK;
}

/* --- tools and format --------------------------------------------------------------------------
 */

static status read_tools(struct chat_request *request, json tools, struct error *reterr)
{
    size_t count = 0;
    TRY(chat_make_tools(request, tools, &count, reterr));
    for (size_t i = 0; i < count; i++) {
        json tool        = json_at(tools, i);
        const char *path = chat_place(request, "/tools", i);
        json function    = json_get_text(tool, "function");
        str name         = wire_text(function, "name");
        if (str_is(wire_text(tool, "type"), "custom")) {
            request->tools[request->tool_count++] =
                (struct chat_tool){.name       = wire_text(json_get_text(tool, "custom"), "name"),
                                   .is_foreign = true,
                                   .path       = path,
                                   .raw        = tool};
            continue;
        }
        if (name.len == 0) return chat_invalid(reterr, "/tools", "a tool needs `function.name`");
        request->tools[request->tool_count++] = (struct chat_tool){
            .name        = name,
            .description = wire_text(function, "description"),
            .schema      = json_get_text(function, "parameters"),
            .is_strict   = json_is_truthy(json_get_text(function, "strict")),
            .path        = path,
            .cache       = chat_read_cache(tool),
        };
    }
    return STATUS_OK;
}

static bool read_choice_word(json value, enum chat_choice *ret_choice)
{
    static const struct {
        const char *word;
        enum chat_choice choice;
    } words[] = {{"auto", CHOICE_AUTO},
                 {"none", CHOICE_NONE},
                 {"required", CHOICE_REQUIRED},
                 {"any", CHOICE_REQUIRED}}; /* Mistral's word */
    for (size_t i = 0; json_is(value, JSON_TEXT) && i < ARRAY_LEN(words); i++) {
        if (!str_is(json_str(value), words[i].word)) continue;
        *ret_choice = words[i].choice;
        return true;
    }
    return false;
}

/* {type: allowed_tools, allowed_tools: {mode, tools: [{type, function: {name}}]}} */
static status read_allowed(struct chat_request *request, json allowed, struct error *reterr)
{
    json tools   = json_get_text(allowed, "tools");
    size_t count = json_count(tools);
    if (!read_choice_word(json_get_text(allowed, "mode"), &request->choice) ||
        !json_is(tools, JSON_ARRAY) || count == 0 || count > CHAT_TOOLS_MAX) {
        return chat_invalid(reterr, "/tool_choice/allowed_tools", "{mode, tools: [...]}");
    }
    request->allowed = chat_allocate(request, count, sizeof *request->allowed);
    if (!request->allowed) return chat_no_memory(reterr);
    for (size_t i = 0; i < count; i++) {
        str name = wire_text(json_get_text(json_at(tools, i), "function"), "name");
        request->allowed[request->allowed_count++] = name;
    }
    return STATUS_OK;
}

static status read_choice(struct chat_request *request, json choice, struct error *reterr)
{
    if (json_is(choice, JSON_INVALID) || json_is(choice, JSON_NULL)) return STATUS_OK;
    if (read_choice_word(choice, &request->choice)) return STATUS_OK;
    str type = wire_text(choice, "type");
    if (str_is(type, "allowed_tools")) {
        return read_allowed(request, json_get_text(choice, "allowed_tools"), reterr);
    }
    const char *member   = str_is(type, "custom") ? "custom" : "function";
    request->choice      = CHOICE_FUNCTION;
    request->choice_name = wire_text(json_get_text(choice, member), "name");
    if (request->choice_name.len > 0) return STATUS_OK;
    return chat_invalid(reterr, "/tool_choice",
                        "auto, none, required, {type: function, function: {name}} or "
                        "{type: allowed_tools, ...}");
}

static status read_format(struct chat_request *request, json format, struct error *reterr)
{
    if (json_is(format, JSON_INVALID) || json_is(format, JSON_NULL)) return STATUS_OK;
    str type = wire_text(format, "type");
    if (str_is(type, "text")) return STATUS_OK;
    if (str_is(type, "json_object")) {
        request->format = FORMAT_JSON;
        return STATUS_OK;
    }
    if (!str_is(type, "json_schema")) {
        return chat_invalid(reterr, "/response_format/type", "text, json_object or json_schema");
    }
    json schema               = json_get_text(format, "json_schema");
    request->format           = FORMAT_SCHEMA;
    request->schema_name      = wire_text(schema, "name");
    request->schema           = json_get_text(schema, "schema");
    request->is_schema_strict = json_is_truthy(json_get_text(schema, "strict"));
    return STATUS_OK;
}

/* --- the rest ----------------------------------------------------------------------------------
 */

static status read_sampling(struct chat_request *request, json source, struct error *reterr)
{
    TRY(chat_read_number(source, "temperature", &request->temperature, reterr));
    TRY(chat_read_number(source, "top_p", &request->top_p, reterr));
    TRY(chat_read_number(source, "top_k", &request->top_k, reterr));
    TRY(chat_read_number(source, "seed", &request->seed, reterr));
    TRY(chat_read_count(source, "max_tokens", &request->max_tokens, reterr));
    TRY(chat_read_count(source, "max_completion_tokens", &request->max_tokens, reterr));
    TRY(chat_read_count(source, "n", &request->count, reterr));
    TRY(chat_read_stops(request, json_get_text(source, "stop"), "/stop", reterr));
    request->effort = wire_text(source, "reasoning_effort");
    request->user   = wire_text(source, "user");
    json parallel   = json_get_text(source, "parallel_tool_calls");
    if (json_is_bool(parallel)) request->parallel_tools = parallel;
    return STATUS_OK;
}

/* Members this file reads; from "schema" on some are those of jobs. */
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
    "cache",
    "assistant",
    "variables",
    "repair_attempts",
    "fallbacks",
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
    request->protocol = PROTOCOL_OPENAI;
    request->model    = wire_text(source, "model");
    if (request->model.len == 0) return chat_invalid(reterr, "/model", "a model is required");
    TRY(read_tools(request, json_get_text(source, "tools"), reterr));
    TRY(read_choice(request, json_get_text(source, "tool_choice"), reterr));
    TRY(read_sampling(request, source, reterr));
    keep_extra(request, source);
    return STATUS_OK;
}

static status read_stream(struct chat_request *request, json source, struct error *reterr)
{
    json stream  = json_get_text(source, "stream");
    json options = json_get_text(source, "stream_options");
    bool is_none = json_is(stream, JSON_INVALID) || json_is(stream, JSON_NULL);
    if (!is_none && !json_is_bool(stream)) return chat_invalid(reterr, "/stream", "true or false");
    request->is_stream = json_is_truthy(stream);
    if (!json_is(options, JSON_OBJECT)) return STATUS_OK;
    request->stream_options = options;
    request->wants_usage    = json_is_truthy(json_get_text(options, "include_usage"));
    return STATUS_OK;
}

static status read_openai(json source, bool has_messages, struct arena *arena,
                          struct chat_request **ret_request, struct error *reterr)
{
    struct chat_request *request = NULL;
    TRY(chat_request_new(source, arena, &request, reterr));
    TRY(read_common(request, source, reterr));
    if (has_messages) TRY(read_messages(request, json_get_text(source, "messages"), reterr));
    TRY(read_format(request, json_get_text(source, "response_format"), reterr));
    TRY(read_stream(request, source, reterr));
    request->source = source;
    *ret_request    = request;
    return STATUS_OK;
}

status chat_from_openai(json source, struct arena *arena, struct chat_request **ret_request,
                        struct error *reterr)
{
    return read_openai(source, true, arena, ret_request, reterr);
}

status chat_from_openai_rest(json rest, struct arena *arena, struct chat_request **ret_request,
                             struct error *reterr)
{
    return read_openai(rest, false, arena, ret_request, reterr);
}

/* `system` and `prompt` are messages before and after `messages`. */
static status frame_messages(struct chat_request *request, json source, struct error *reterr)
{
    str system   = wire_text(source, "system");
    str prompt   = wire_text(source, "prompt");
    json listed  = json_get_text(source, "messages");
    bool has_any = json_is(listed, JSON_ARRAY) && json_count(listed) > 0;
    if (!has_any && prompt.len == 0) {
        return chat_invalid(reterr, "/prompt", "`prompt` or `messages` is required");
    }
    if (has_any) TRY(read_messages(request, listed, reterr));

    size_t count                  = request->message_count;
    struct chat_message *messages = chat_allocate(request, count + 2, sizeof *messages);
    struct chat_part *parts       = chat_allocate(request, 2, sizeof *parts);
    if (!messages || !parts) return chat_no_memory(reterr);
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

static status read_repairs(struct chat_request *request, json value, struct error *reterr)
{
    int64_t count = 0;
    if (json_is(value, JSON_INVALID) || json_is(value, JSON_NULL)) return STATUS_OK;
    if (!json_to_int(value, &count) || count < 0 || count > CHAT_REPAIRS_MAX) {
        return chat_invalid(reterr, "/repair_attempts", "a whole number from 0 to 10");
    }
    request->repairs = count;
    return STATUS_OK;
}

status chat_from_job(json arguments, struct arena *arena, struct chat_request **ret_request,
                     struct error *reterr)
{
    struct chat_request *request = NULL;
    TRY(chat_request_new(arguments, arena, &request, reterr));
    TRY(read_common(request, arguments, reterr));
    TRY(frame_messages(request, arguments, reterr));
    TRY(read_repairs(request, json_get_text(arguments, "repair_attempts"), reterr));
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
