/*
 * Gemini's `:generateContent`, read, in the nesting of the REST API. Members are taken in both of
 * the spellings Google takes: inlineData and inline_data.
 */
#include "llm-proxy/chat/chat.h"

#include "base/assert.h"
#include "base/attr.h"
#include "llm-proxy/chat/chat_read.h"
#include "llm-proxy/chat/chat_schema.h"
#include "llm-proxy/chat/wire.h"

#include <stdio.h>
#include <string.h>

enum { NAME_MAX_BYTES = 64 };

/* A call whose answer is looked for by name, where there are no ids. */
struct open_call {
    str id, name;
    bool is_answered;
};

struct reader {
    struct chat_request *request;
    struct open_call *calls;
    size_t call_count, call_room;
};

static json member(json object, const char *camel)
{
    char snake[NAME_MAX_BYTES];
    size_t length = 0;
    json value    = json_get_text(object, camel);
    if (!json_is(value, JSON_INVALID)) return value;
    for (const char *c = camel; *c && length < sizeof snake - 2; c++) {
        bool is_capital = *c >= 'A' && *c <= 'Z';
        if (is_capital) snake[length++] = '_';
        snake[length++] = (char)(is_capital ? *c + ('a' - 'A') : *c);
    }
    return json_get(object, (str){snake, length});
}

static str text_member(json object, const char *camel)
{
    json value = member(object, camel);
    return json_is(value, JSON_TEXT) ? json_str(value) : (str){};
}

/* Where the API has a list of contents or of parts, one may stand alone: Google's own examples
 * write it so (google-gemini/api-examples, rest/system_instruction.sh). */
static bool is_list(json value)
{
    return json_is(value, JSON_ARRAY) || json_is(value, JSON_OBJECT);
}

static size_t list_count(json list)
{
    return json_is(list, JSON_OBJECT) ? 1 : json_count(list);
}

static json list_at(json list, size_t index)
{
    return json_is(list, JSON_OBJECT) ? list : json_at(list, index);
}

/* --- parts -------------------------------------------------------------------------------------
 */

static enum chat_part_kind kind_of_media(str media_type)
{
    if (str_starts_with(media_type, str_from("image/"))) return PART_IMAGE;
    return str_starts_with(media_type, str_from("audio/")) ? PART_AUDIO : PART_FILE;
}

static status read_call(struct reader *reader, json call, const char *pointer,
                        struct chat_part *part, struct error *reterr)
{
    struct chat_request *request = reader->request;
    json args                    = json_get_text(call, "args");
    part->kind                   = PART_TOOL_CALL;
    part->id                     = wire_text(call, "id");
    part->name                   = wire_text(call, "name");
    part->text                   = str_from("{}");
    if (part->name.len == 0) return chat_invalid(reterr, pointer, "a functionCall needs a `name`");
    if (json_is(args, JSON_OBJECT) && !chat_keep_json(request, args, &part->text)) {
        return chat_no_memory(reterr);
    }
    if (part->id.len == 0) {
        const char *id = arena_printf(request->arena, "call_%zu", reader->call_count);
        if (!id) return chat_no_memory(reterr);
        part->id = str_from(id);
    }
    ASSERT(reader->call_count < reader->call_room);
    reader->calls[reader->call_count++] = (struct open_call){.id = part->id, .name = part->name};
    return STATUS_OK;
}

/* The id of the first call of that function that has no answer yet. */
static str id_for(struct reader *reader, json response)
{
    str id   = wire_text(response, "id");
    str name = wire_text(response, "name");
    for (size_t i = 0; i < reader->call_count; i++) {
        struct open_call *call = &reader->calls[i];
        bool is_it             = id.len > 0 ? str_equal(call->id, id) : str_equal(call->name, name);
        if (!is_it || call->is_answered) continue;
        call->is_answered = true;
        return call->id;
    }
    return id.len > 0 ? id : name;
}

/* {"output": "..."} is its text, {"error": "..."} likewise; anything else is JSON. */
static status read_response(struct reader *reader, json response, struct chat_part *part,
                            struct error *reterr)
{
    static const char *const words[] = {"output", "result", "error"};
    json said                        = json_get_text(response, "response");
    part->kind                       = PART_TOOL_RESULT;
    part->id                         = id_for(reader, response);
    part->is_error                   = wire_has(said, "error") && json_count(said) == 1;
    for (size_t i = 0; json_count(said) == 1 && i < ARRAY_LEN(words); i++) {
        json text = json_get_text(said, words[i]);
        if (!json_is(text, JSON_TEXT)) continue;
        part->text = json_str(text);
        return STATUS_OK;
    }
    if (!json_is(said, JSON_OBJECT)) return STATUS_OK;
    return chat_keep_json(reader->request, said, &part->text) ? STATUS_OK : chat_no_memory(reterr);
}

static status read_part(struct reader *reader, json value, const char *pointer,
                        struct chat_part *part, struct error *reterr)
{
    json data       = member(value, "inlineData");
    json file       = member(value, "fileData");
    json call       = member(value, "functionCall");
    json response   = member(value, "functionResponse");
    part->raw       = value;
    part->signature = text_member(value, "thoughtSignature");
    if (!json_is(value, JSON_OBJECT)) return chat_invalid(reterr, pointer, "a part is an object");
    if (json_is(call, JSON_OBJECT)) return read_call(reader, call, pointer, part, reterr);
    if (json_is(response, JSON_OBJECT)) return read_response(reader, response, part, reterr);
    if (json_is(data, JSON_OBJECT)) {
        part->media_type = text_member(data, "mimeType");
        part->data       = wire_text(data, "data");
        part->name       = text_member(data, "displayName");
        part->kind       = kind_of_media(part->media_type);
    } else if (json_is(file, JSON_OBJECT)) {
        part->media_type = text_member(file, "mimeType");
        part->url        = text_member(file, "fileUri");
        part->name       = text_member(file, "displayName");
        part->kind       = kind_of_media(part->media_type);
    } else if (json_is(json_get_text(value, "text"), JSON_TEXT)) {
        part->kind = wire_is_true(value, "thought") ? PART_THINKING : PART_TEXT;
        part->text = wire_text(value, "text");
    } else {
        part->kind = PART_FOREIGN;
        if (json_count(value) > 0) part->name = json_key_at(value, 0);
    }
    return STATUS_OK;
}

/* --- contents ----------------------------------------------------------------------------------
 */

/* Answers of functions go out as messages of their own. */
static status read_parts(struct reader *reader, json parts, enum chat_role role,
                         const char *pointer, struct error *reterr)
{
    struct chat_request *request = reader->request;
    struct chat_message *open    = NULL;
    for (size_t i = 0; i < list_count(parts); i++) {
        json value     = list_at(parts, i);
        bool is_answer = json_is(member(value, "functionResponse"), JSON_OBJECT);
        if (!open || is_answer) {
            open       = &request->messages[request->message_count++];
            open->role = is_answer ? ROLE_TOOL : role;
            open->path = pointer;
            open->parts =
                chat_allocate(request, is_answer ? 1 : list_count(parts) - i, sizeof *open->parts);
            if (!open->parts) return chat_no_memory(reterr);
        }
        struct chat_part *part = &open->parts[open->part_count++];
        part->position         = (uint32_t)i;
        TRY(read_part(reader, value, pointer, part, reterr));
        if (is_answer) open = NULL;
    }
    return STATUS_OK;
}

static status read_content(struct reader *reader, json content, const char *pointer,
                           struct error *reterr)
{
    str role   = wire_text(content, "role");
    json parts = json_get_text(content, "parts");
    bool is_ok =
        role.len == 0 || str_is(role, "user") || str_is(role, "function") || str_is(role, "model");
    if (!is_ok) return chat_invalid(reterr, pointer, "`role` is user or model");
    if (!is_list(parts)) return chat_invalid(reterr, pointer, "`parts` is a list");
    return read_parts(reader, parts, str_is(role, "model") ? ROLE_ASSISTANT : ROLE_USER, pointer,
                      reterr);
}

static status read_contents(struct reader *reader, json source, struct error *reterr)
{
    struct chat_request *request = reader->request;
    json contents                = json_get_text(source, "contents");
    json system                  = member(source, "systemInstruction");
    size_t count                 = list_count(contents);
    size_t part_count            = list_count(json_get_text(system, "parts"));
    if (!is_list(contents) || count == 0 || count > CHAT_MESSAGES_MAX) {
        return chat_invalid(reterr, "/contents", "a list of at least one content is required");
    }
    for (size_t i = 0; i < count; i++) {
        size_t parts = list_count(json_get_text(list_at(contents, i), "parts"));
        if (parts > CHAT_PARTS_MAX) return chat_invalid(reterr, "/contents", "too many parts");
        part_count += parts;
    }
    reader->call_room = part_count;
    reader->calls     = chat_allocate(request, part_count + 1, sizeof *reader->calls);
    request->messages = chat_allocate(request, part_count + 1, sizeof *request->messages);
    if (!reader->calls || !request->messages) return chat_no_memory(reterr);
    if (json_is(system, JSON_OBJECT)) {
        TRY(read_parts(reader, json_get_text(system, "parts"), ROLE_SYSTEM, "/systemInstruction",
                       reterr));
    }
    for (size_t i = 0; i < count; i++) {
        const char *pointer = chat_place(request, "/contents", i);
        if (!pointer) return chat_no_memory(reterr);
        TRY(read_content(reader, list_at(contents, i), pointer, reterr));
    }
    return STATUS_OK;
}

/* --- tools and schemas -------------------------------------------------------------------------
 */

/* JSON Schema as it is, or Google's own made into it. */
static status read_schema(struct chat_request *request, json object, const char *own,
                          const char *standard, json *ret_schema, struct error *reterr)
{
    json schema = member(object, standard);
    json other  = member(object, own);
    *ret_schema = json_invalid();
    if (json_is(schema, JSON_OBJECT)) {
        *ret_schema = schema;
        return STATUS_OK;
    }
    if (!json_is(other, JSON_OBJECT)) return STATUS_OK;
    json made = json_invalid();
    TRY(chat_schema_from_gemini(other, &made, reterr));
    if (json_is(request->converted, JSON_INVALID)) request->converted = json_array_new(4);
    json_array_push(&request->converted, made);
    *ret_schema = made;
    return STATUS_OK;
}

static status read_function(struct chat_request *request, json value, const char *path,
                            struct error *reterr)
{
    struct chat_tool tool = {.name        = wire_text(value, "name"),
                             .description = wire_text(value, "description"),
                             .path        = path};
    if (tool.name.len == 0) return chat_invalid(reterr, path, "a function needs a `name`");
    TRY(read_schema(request, value, "parameters", "parametersJsonSchema", &tool.schema, reterr));
    request->tools[request->tool_count++] = tool;
    return STATUS_OK;
}

static status read_tool(struct chat_request *request, json value, size_t position,
                        struct error *reterr)
{
    json functions   = member(value, "functionDeclarations");
    const char *path = chat_place(request, "/tools", position);
    if (!path) return chat_no_memory(reterr);
    if (json_count(functions) + request->tool_count >= CHAT_TOOLS_MAX) {
        return chat_invalid(reterr, "/tools", "at most 128 tools");
    }
    if (json_is(functions, JSON_INVALID)) {
        request->tools[request->tool_count++] =
            (struct chat_tool){.name = json_count(value) > 0 ? json_key_at(value, 0) : (str){},
                               .is_foreign = true,
                               .path       = path,
                               .raw        = value};
    }
    for (size_t i = 0; i < json_count(functions); i++) {
        const char *place = arena_printf(request->arena, "%s/functionDeclarations/%zu", path, i);
        if (!place) return chat_no_memory(reterr);
        TRY(read_function(request, json_at(functions, i), place, reterr));
    }
    return STATUS_OK;
}

static status read_tools(struct chat_request *request, json tools, struct error *reterr)
{
    if (!json_is(tools, JSON_ARRAY)) return STATUS_OK;
    request->tools = chat_allocate(request, CHAT_TOOLS_MAX, sizeof *request->tools);
    if (!request->tools) return chat_no_memory(reterr);
    for (size_t i = 0; i < json_count(tools); i++) {
        TRY(read_tool(request, json_at(tools, i), i, reterr));
    }
    return STATUS_OK;
}

static status read_choice(struct chat_request *request, json config, struct error *reterr)
{
    static const struct {
        const char *word;
        enum chat_choice choice;
    } modes[]    = {{"AUTO", CHOICE_AUTO},
                    {"VALIDATED", CHOICE_AUTO},
                    {"ANY", CHOICE_REQUIRED},
                    {"NONE", CHOICE_NONE}};
    json names   = member(config, "allowedFunctionNames");
    size_t count = json_count(names);
    str mode     = wire_text(config, "mode");
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        if (str_is(mode, modes[i].word)) request->choice = modes[i].choice;
    }
    if (!json_is(names, JSON_ARRAY) || count == 0) return STATUS_OK;
    if (count > CHAT_TOOLS_MAX) return chat_invalid(reterr, "/toolConfig", "too many names");
    request->allowed = chat_allocate(request, count, sizeof *request->allowed);
    if (!request->allowed) return chat_no_memory(reterr);
    for (size_t i = 0; i < count; i++) {
        json name = json_at(names, i);
        if (!json_is(name, JSON_TEXT)) return chat_invalid(reterr, "/toolConfig", "names");
        request->allowed[request->allowed_count++] = json_str(name);
    }
    if (request->choice != CHOICE_REQUIRED || count > 1) return STATUS_OK;
    request->choice        = CHOICE_FUNCTION;
    request->choice_name   = request->allowed[0];
    request->allowed       = NULL;
    request->allowed_count = 0;
    return STATUS_OK;
}

/* --- generationConfig --------------------------------------------------------------------------
 */

static void read_thinking(struct chat_request *request, json config)
{
    static const struct {
        const char *level, *effort;
    } levels[] = {{"MINIMAL", "minimal"}, {"LOW", "low"}, {"MEDIUM", "medium"}, {"HIGH", "high"}};
    int64_t budget          = -2;
    str level               = text_member(config, "thinkingLevel");
    request->shows_thoughts = json_is(member(config, "includeThoughts"), JSON_TRUE);
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        if (str_is(level, levels[i].level)) request->effort = str_from(levels[i].effort);
    }
    if (!json_to_int(member(config, "thinkingBudget"), &budget)) {
        if (request->shows_thoughts && request->effort.len == 0) request->thinking = THINKING_AUTO;
        return;
    }
    request->thinking_budget = budget;
    request->thinking = budget == 0 ? THINKING_OFF : budget < 0 ? THINKING_AUTO : THINKING_BUDGET;
}

static status read_format(struct chat_request *request, json config, struct error *reterr)
{
    TRY(read_schema(request, config, "responseSchema", "responseJsonSchema", &request->schema,
                    reterr));
    if (json_is(request->schema, JSON_OBJECT)) {
        request->format = FORMAT_SCHEMA;
    } else if (str_is(text_member(config, "responseMimeType"), "application/json")) {
        request->format = FORMAT_JSON;
    }
    return STATUS_OK;
}

static status read_number(json config, const char *key, json *ret_number, struct error *reterr)
{
    json value = member(config, key);
    if (json_is(value, JSON_INVALID) || json_is(value, JSON_NULL)) return STATUS_OK;
    if (!json_is_number(value)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "/generationConfig/%s: a number is required",
                    key);
    }
    *ret_number = value;
    return STATUS_OK;
}

static status read_count(json config, const char *key, int64_t *ret_count, struct error *reterr)
{
    json number = json_invalid();
    TRY(read_number(config, key, &number, reterr));
    if (json_is(number, JSON_INVALID)) return STATUS_OK;
    if (json_to_int(number, ret_count) && *ret_count >= 1) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "/generationConfig/%s: a whole number from 1 is required", key);
}

static status read_config(struct chat_request *request, json config, struct error *reterr)
{
    TRY(read_number(config, "temperature", &request->temperature, reterr));
    TRY(read_number(config, "topP", &request->top_p, reterr));
    TRY(read_number(config, "topK", &request->top_k, reterr));
    TRY(read_number(config, "seed", &request->seed, reterr));
    TRY(read_count(config, "maxOutputTokens", &request->max_tokens, reterr));
    TRY(read_count(config, "candidateCount", &request->count, reterr));
    TRY(chat_read_stops(request, member(config, "stopSequences"), "/generationConfig/stopSequences",
                        reterr));
    TRY(read_format(request, config, reterr));
    read_thinking(request, member(config, "thinkingConfig"));
    return STATUS_OK;
}

static status read_all(struct chat_request *request, json source, struct error *reterr)
{
    struct reader reader = {.request = request};
    json tool_config     = member(source, "toolConfig");
    TRY(read_contents(&reader, source, reterr));
    if (request->message_count == 0) return chat_invalid(reterr, "/contents", "they say nothing");
    TRY(read_tools(request, json_get_text(source, "tools"), reterr));
    TRY(read_choice(request, member(tool_config, "functionCallingConfig"), reterr));
    return read_config(request, member(source, "generationConfig"), reterr);
}

status chat_from_gemini(json source, str model, bool is_stream, struct arena *arena,
                        struct chat_request **ret_request, struct error *reterr)
{
    struct chat_request *request = NULL;
    TRY(chat_request_new(source, arena, &request, reterr));
    request->protocol  = PROTOCOL_GEMINI;
    request->source    = source;
    request->model     = model;
    request->is_stream = is_stream;
    status code        = read_all(request, source, reterr);
    if (code != STATUS_OK) {
        chat_request_done(request);
        return code;
    }
    *ret_request = request;
    return STATUS_OK;
}
