/*
 * Anthropic's `POST /v1/messages`, read. Answers of tools stand inside user messages there; here
 * each is a message of its own. Shapes: the type files of @anthropic-ai/sdk.
 */
#include "llm-proxy/chat/chat.h"

#include "base/attr.h"
#include "llm-proxy/chat/chat_read.h"
#include "llm-proxy/chat/wire.h"

/* --- blocks ------------------------------------------------------------------------------------
 */

static void read_source(json source, struct chat_part *part)
{
    str type = wire_text(source, "type");
    if (str_is(type, "url")) {
        part->url = wire_text(source, "url");
    } else if (str_is(type, "base64")) {
        part->media_type = wire_text(source, "media_type");
        part->data       = wire_text(source, "data");
    } else if (str_is(type, "text")) {
        part->media_type = str_from("text/plain");
        part->text       = wire_text(source, "data");
    } else if (str_is(type, "content") && json_is(json_get_text(source, "content"), JSON_TEXT)) {
        part->media_type = str_from("text/plain");
        part->text       = wire_text(source, "content");
    } else if (str_is(type, "file")) {
        part->id = wire_text(source, "file_id");
    } else {
        part->kind = PART_FOREIGN;
    }
}

static status read_block(struct chat_request *request, json block, const char *pointer,
                         struct chat_part *part, struct error *reterr)
{
    str type    = wire_text(block, "type");
    part->raw   = block;
    part->cache = chat_read_cache(block);
    part->kind  = PART_FOREIGN;
    part->name  = type;
    if (type.len == 0) return chat_invalid(reterr, pointer, "a block needs a `type`");
    if (str_is(type, "text")) {
        part->kind = PART_TEXT;
        part->text = wire_text(block, "text");
    } else if (str_is(type, "image")) {
        part->kind = PART_IMAGE;
        read_source(json_get_text(block, "source"), part);
    } else if (str_is(type, "document")) {
        part->kind = PART_FILE;
        part->name = wire_text(block, "title");
        read_source(json_get_text(block, "source"), part);
    } else if (str_is(type, "thinking")) {
        part->kind      = PART_THINKING;
        part->text      = wire_text(block, "thinking");
        part->signature = wire_text(block, "signature");
    } else if (str_is(type, "redacted_thinking")) {
        part->kind = PART_SEALED;
        part->data = wire_text(block, "data");
    } else if (str_is(type, "tool_use")) {
        json input = json_get_text(block, "input");
        part->kind = PART_TOOL_CALL;
        part->id   = wire_text(block, "id");
        part->name = wire_text(block, "name");
        if (part->id.len == 0 || part->name.len == 0 || !json_is(input, JSON_OBJECT)) {
            return chat_invalid(reterr, pointer, "a tool_use needs `id`, `name` and `input`");
        }
        if (!chat_keep_json(request, input, &part->text)) return chat_no_memory(reterr);
    }
    return STATUS_OK;
}

/* A text, or blocks. `spare` parts are left room for. */
static status read_content(struct chat_request *request, json content, const char *pointer,
                           struct chat_message *message, struct error *reterr)
{
    bool is_list = json_is(content, JSON_ARRAY);
    size_t count = is_list ? json_count(content) : 1;
    if (!is_list && !json_is(content, JSON_TEXT)) {
        return chat_invalid(reterr, pointer, "`content` is a text or a list of blocks");
    }
    if (count > CHAT_PARTS_MAX) return chat_invalid(reterr, pointer, "too many blocks");
    message->parts = chat_allocate(request, count + 1, sizeof *message->parts);
    if (!message->parts) return chat_no_memory(reterr);
    if (!is_list) {
        message->parts[0] = (struct chat_part){.kind = PART_TEXT, .text = json_str(content)};
    }
    for (size_t i = 0; is_list && i < count; i++) {
        message->parts[i].position = (uint32_t)i;
        TRY(read_block(request, json_at(content, i), pointer, &message->parts[i], reterr));
    }
    message->part_count = (uint32_t)count;
    return STATUS_OK;
}

static bool is_tool_result(json block)
{
    return str_is(wire_text(block, "type"), "tool_result");
}

static status read_tool_result(struct chat_request *request, json block, const char *pointer,
                               struct chat_message *message, struct error *reterr)
{
    json content  = json_get_text(block, "content");
    str id        = wire_text(block, "tool_use_id");
    message->role = ROLE_TOOL;
    message->path = pointer;
    if (id.len == 0) return chat_invalid(reterr, pointer, "a tool_result needs `tool_use_id`");
    if (wire_has(block, "content")) {
        TRY(read_content(request, content, pointer, message, reterr));
    } else {
        message->parts = chat_allocate(request, 1, sizeof *message->parts);
        if (!message->parts) return chat_no_memory(reterr);
    }
    if (message->part_count == 0) message->parts[message->part_count++].kind = PART_TEXT;
    for (uint32_t i = 0; i < message->part_count; i++) {
        struct chat_part *part = &message->parts[i];
        if (part->kind == PART_TEXT) part->kind = PART_TOOL_RESULT;
        part->id       = id;
        part->is_error = wire_is_true(block, "is_error");
    }
    if (json_is(message->parts[0].cache, JSON_INVALID)) {
        message->parts[0].cache = chat_read_cache(block);
    }
    return STATUS_OK;
}

/* --- messages ----------------------------------------------------------------------------------
 */

/* Results of tools go out as messages of their own, the rest between them as others. */
static status read_user_blocks(struct chat_request *request, json content, const char *pointer,
                               struct error *reterr)
{
    struct chat_message *open = NULL;
    for (size_t i = 0; i < json_count(content); i++) {
        json block = json_at(content, i);
        if (is_tool_result(block)) {
            const char *path = arena_printf(request->arena, "%s/content/%zu", pointer, i);
            if (!path) return chat_no_memory(reterr);
            TRY(read_tool_result(request, block, path, &request->messages[request->message_count++],
                                 reterr));
            open = NULL;
            continue;
        }
        if (!open) {
            open        = &request->messages[request->message_count++];
            open->role  = ROLE_USER;
            open->path  = pointer;
            open->parts = chat_allocate(request, json_count(content) - i, sizeof *open->parts);
            if (!open->parts) return chat_no_memory(reterr);
        }
        struct chat_part *part = &open->parts[open->part_count++];
        part->position         = (uint32_t)i;
        TRY(read_block(request, block, pointer, part, reterr));
    }
    return STATUS_OK;
}

static status read_message(struct chat_request *request, json value, const char *pointer,
                           struct error *reterr)
{
    json content = json_get_text(value, "content");
    str role     = wire_text(value, "role");
    if (str_is(role, "user") && json_is(content, JSON_ARRAY)) {
        return read_user_blocks(request, content, pointer, reterr);
    }
    struct chat_message *message = &request->messages[request->message_count++];
    message->path                = pointer;
    if (str_is(role, "assistant")) {
        message->role = ROLE_ASSISTANT;
    } else if (str_is(role, "system")) {
        message->role = ROLE_SYSTEM;
    } else if (str_is(role, "user")) {
        message->role = ROLE_USER;
    } else {
        return chat_invalid(reterr, pointer, "`role` is user, assistant or system");
    }
    return read_content(request, content, pointer, message, reterr);
}

/* How many messages one may become. */
static size_t message_count_of(json value)
{
    json content = json_get_text(value, "content");
    size_t count = 1;
    for (size_t i = 0; i < json_count(content); i++) {
        if (is_tool_result(json_at(content, i))) count += 2;
    }
    return count;
}

static status read_messages(struct chat_request *request, json source, struct error *reterr)
{
    json messages = json_get_text(source, "messages");
    size_t count  = json_count(messages);
    size_t room   = 1; /* for `system` */
    if (!json_is(messages, JSON_ARRAY) || count == 0 || count > CHAT_MESSAGES_MAX) {
        return chat_invalid(reterr, "/messages", "a list of at least one message is required");
    }
    for (size_t i = 0; i < count; i++) {
        json content = json_get_text(json_at(messages, i), "content");
        if (json_count(content) > CHAT_PARTS_MAX) {
            return chat_invalid(reterr, "/messages", "too many blocks in one message");
        }
        room += message_count_of(json_at(messages, i));
    }
    request->messages = chat_allocate(request, room, sizeof *request->messages);
    if (!request->messages) return chat_no_memory(reterr);
    if (wire_has(source, "system")) {
        struct chat_message *system = &request->messages[request->message_count++];
        system->role                = ROLE_SYSTEM;
        system->path                = "/system";
        TRY(read_content(request, json_get_text(source, "system"), "/system", system, reterr));
    }
    for (size_t i = 0; i < count; i++) {
        const char *pointer = chat_place(request, "/messages", i);
        if (!pointer) return chat_no_memory(reterr);
        TRY(read_message(request, json_at(messages, i), pointer, reterr));
    }
    return STATUS_OK;
}

/* --- tools -------------------------------------------------------------------------------------
 */

static status read_tools(struct chat_request *request, json tools, struct error *reterr)
{
    size_t count = 0;
    TRY(chat_make_tools(request, tools, &count, reterr));
    for (size_t i = 0; i < count; i++) {
        json value       = json_at(tools, i);
        str type         = wire_text(value, "type");
        const char *path = chat_place(request, "/tools", i);
        if (!path) return chat_no_memory(reterr);
        if (wire_text(value, "name").len == 0 && type.len == 0) {
            return chat_invalid(reterr, path, "a tool needs a `name`");
        }
        request->tools[request->tool_count++] = (struct chat_tool){
            .name        = wire_text(value, "name"),
            .description = wire_text(value, "description"),
            .schema      = json_get_text(value, "input_schema"),
            .is_strict   = wire_is_true(value, "strict"),
            .path        = path,
            .cache       = chat_read_cache(value),
            .is_foreign  = type.len > 0 && !str_is(type, "custom"),
            .raw         = value,
        };
    }
    return STATUS_OK;
}

static status read_choice(struct chat_request *request, json choice, struct error *reterr)
{
    static const struct {
        const char *word;
        enum chat_choice choice;
    } words[] = {{"auto", CHOICE_AUTO},
                 {"any", CHOICE_REQUIRED},
                 {"none", CHOICE_NONE},
                 {"tool", CHOICE_FUNCTION}};
    if (json_is(choice, JSON_INVALID) || json_is(choice, JSON_NULL)) return STATUS_OK;
    str type = wire_text(choice, "type");
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_is(type, words[i].word)) request->choice = words[i].choice;
    }
    request->choice_name = wire_text(choice, "name");
    if (json_is_bool(json_get_text(choice, "disable_parallel_tool_use"))) {
        request->parallel_tools = json_bool(!wire_is_true(choice, "disable_parallel_tool_use"));
    }
    bool is_nameless = request->choice == CHOICE_FUNCTION && request->choice_name.len == 0;
    if (request->choice != CHOICE_UNSET && !is_nameless) return STATUS_OK;
    return chat_invalid(reterr, "/tool_choice", "{type: auto, any, none}, or {type: tool, name}");
}

/* --- the rest ----------------------------------------------------------------------------------
 */

static status read_thinking(struct chat_request *request, json thinking, struct error *reterr)
{
    if (!json_is(thinking, JSON_OBJECT)) return STATUS_OK;
    str type = wire_text(thinking, "type");
    if (str_is(type, "disabled")) {
        request->thinking = THINKING_OFF;
        return STATUS_OK;
    }
    request->shows_thoughts = true;
    request->thinking       = THINKING_AUTO; /* adaptive, between_tools */
    if (!str_is(type, "enabled")) return STATUS_OK;
    request->thinking        = THINKING_BUDGET;
    request->thinking_budget = wire_count(thinking, "budget_tokens");
    if (request->thinking_budget > 0) return STATUS_OK;
    return chat_invalid(reterr, "/thinking/budget_tokens", "a whole number from 1 is required");
}

static status read_format(struct chat_request *request, json format, struct error *reterr)
{
    if (!json_is(format, JSON_OBJECT)) return STATUS_OK;
    request->schema = json_get_text(format, "schema");
    if (!str_is(wire_text(format, "type"), "json_schema") ||
        !json_is(request->schema, JSON_OBJECT)) {
        return chat_invalid(reterr, "/output_config/format", "{type: json_schema, schema}");
    }
    request->format = FORMAT_SCHEMA;
    return STATUS_OK;
}

static status read_rest(struct chat_request *request, json source, struct error *reterr)
{
    json output = json_get_text(source, "output_config");
    TRY(chat_read_number(source, "temperature", &request->temperature, reterr));
    TRY(chat_read_number(source, "top_p", &request->top_p, reterr));
    TRY(chat_read_number(source, "top_k", &request->top_k, reterr));
    TRY(chat_read_count(source, "max_tokens", &request->max_tokens, reterr));
    TRY(chat_read_stops(request, json_get_text(source, "stop_sequences"), "/stop_sequences",
                        reterr));
    TRY(read_thinking(request, json_get_text(source, "thinking"), reterr));
    TRY(read_format(request, json_get_text(source, "output_format"), reterr));
    TRY(read_format(request, json_get_text(output, "format"), reterr));
    request->effort    = wire_text(output, "effort");
    request->user      = wire_text(json_get_text(source, "metadata"), "user_id");
    request->is_stream = wire_is_true(source, "stream");
    return STATUS_OK;
}

status chat_from_anthropic(json source, bool needs_limit, struct arena *arena,
                           struct chat_request **ret_request, struct error *reterr)
{
    struct chat_request *request = NULL;
    TRY(chat_request_new(source, arena, &request, reterr));
    request->protocol = PROTOCOL_ANTHROPIC;
    request->source   = source;
    request->model    = wire_text(source, "model");
    if (request->model.len == 0) return chat_invalid(reterr, "/model", "a model is required");
    TRY(read_messages(request, source, reterr));
    TRY(read_tools(request, json_get_text(source, "tools"), reterr));
    TRY(read_choice(request, json_get_text(source, "tool_choice"), reterr));
    TRY(read_rest(request, source, reterr));
    if (needs_limit && request->max_tokens == 0) {
        return chat_invalid(reterr, "/max_tokens", "a whole number from 1 is required");
    }
    *ret_request = request;
    return STATUS_OK;
}
