#include "llm-proxy/chat/chat_plain.h"

#include "base/attr.h"
#include "json/json_text.h"

enum { DEPTH_MAX = 64 };

/* Members that the request model holds whole, each with the one that it stands in; behind a colon
 * those whose values are the caller's own. What a model was asked for under others is not told
 * apart by the request model alone, as the name of a tool whose result Gemini is given. */
static const char *const openai_words[] = {
    "/model",
    "/messages",
    "/tools",
    "/tool_choice",
    "/parallel_tool_calls",
    "/temperature",
    "/top_p",
    "/top_k",
    "/seed",
    "/max_completion_tokens",
    "/max_tokens",
    "/stop",
    "/user",
    "/metadata:",
    "/response_format",
    "/stream",
    "/stream_options:",
    "messages/role",
    "messages/content",
    "messages/name",
    "messages/tool_calls",
    "messages/tool_call_id",
    "content/type",
    "content/text",
    "content/image_url",
    "image_url/url",
    "tool_calls/id",
    "tool_calls/type",
    "tool_calls/function",
    "tools/type",
    "tools/function",
    "function/name",
    "function/arguments",
    "function/description",
    "function/parameters:",
    "function/strict",
    "tool_choice/type",
    "tool_choice/function",
    "response_format/type",
    "response_format/json_schema",
    "json_schema/name",
    "json_schema/schema:",
    "json_schema/strict",
    NULL,
};

static const char *const anthropic_words[] = {
    "/model",
    "/messages",
    "/max_tokens",
    "/system",
    "/tools",
    "/tool_choice",
    "/temperature",
    "/top_p",
    "/top_k",
    "/stop_sequences",
    "/metadata:",
    "/output_config",
    "/stream",
    "system/type",
    "system/text",
    "messages/role",
    "messages/content",
    "content/type",
    "content/text",
    "content/source",
    "content/id",
    "content/name",
    "content/input:",
    "content/tool_use_id",
    "content/content",
    "source/type",
    "source/media_type",
    "source/data",
    "source/url",
    "tools/type",
    "tools/name",
    "tools/description",
    "tools/input_schema:",
    "tool_choice/type",
    "tool_choice/name",
    "tool_choice/disable_parallel_tool_use",
    "output_config/format",
    "format/type",
    "format/schema:",
    NULL,
};

static const char *const gemini_words[] = {
    "/model",
    "/contents",
    "/systemInstruction",
    "/tools",
    "/generationConfig",
    "contents/role",
    "contents/parts",
    "systemInstruction/role",
    "systemInstruction/parts",
    "parts/text",
    "parts/inlineData",
    "inlineData/mimeType",
    "inlineData/data",
    "tools/functionDeclarations",
    "functionDeclarations/name",
    "functionDeclarations/description",
    "functionDeclarations/parameters:",
    "functionDeclarations/parametersJsonSchema:",
    "generationConfig/temperature",
    "generationConfig/topP",
    "generationConfig/topK",
    "generationConfig/maxOutputTokens",
    "generationConfig/stopSequences",
    "generationConfig/seed",
    NULL,
};

static const char *const *words_of(enum llm_protocol protocol)
{
    switch (protocol) {
    case PROTOCOL_ANTHROPIC: return anthropic_words;
    case PROTOCOL_GEMINI: return gemini_words;
    default: return openai_words;
    }
}

enum found { FOUND_NOT, FOUND_HELD, FOUND_FREE };

static enum found find(const char *const *words, str above, str key)
{
    for (; *words; words++) {
        str word     = str_from(*words);
        bool is_free = word.ptr[word.len - 1] == ':';
        if (is_free) word.len--;
        bool is_it = word.len == above.len + 1 + key.len && word.ptr[above.len] == '/' &&
                     str_equal(str_slice(word, 0, above.len), above) &&
                     str_equal(str_slice(word, above.len + 1, word.len), key);
        if (is_it) return is_free ? FOUND_FREE : FOUND_HELD;
    }
    return FOUND_NOT;
}

/* One array or object, the member it is the value of, and how far it was looked through. */
struct place {
    json container;
    str name;
    size_t next;
};

/* Says whether all members below `body` are among those words. */
static bool is_held(json body, const char *const *words)
{
    struct place stack[DEPTH_MAX] = {{.container = body}};
    size_t depth                  = 1;
    while (depth > 0) {
        struct place *place = &stack[depth - 1];
        bool is_object      = json_is(place->container, JSON_OBJECT);
        if (place->next >= json_count(place->container)) {
            depth--;
            continue;
        }
        size_t at        = place->next++;
        str name         = is_object ? json_key_at(place->container, at) : place->name;
        enum found found = is_object ? find(words, place->name, name) : FOUND_HELD;
        json value =
            is_object ? json_value_at(place->container, at) : json_at(place->container, at);
        if (found == FOUND_NOT || depth == DEPTH_MAX) return false;
        bool is_open = json_is(value, JSON_OBJECT) || json_is(value, JSON_ARRAY);
        if (found == FOUND_HELD && is_open) {
            stack[depth++] = (struct place){.container = value, .name = name};
        }
    }
    return true;
}

static bool is_plain_part(const struct chat_part *part)
{
    switch (part->kind) {
    case PART_TEXT:
    case PART_IMAGE:
    case PART_TOOL_CALL:
    case PART_TOOL_RESULT: return part->signature.len == 0 && !part->is_error;
    case PART_REFUSAL:
    case PART_AUDIO:
    case PART_FILE: /* a text may be one */
    case PART_THINKING:
    case PART_SEALED:
    case PART_FOREIGN: return false;
    }
    return false;
}

static bool has_plain_messages(const struct chat_request *request)
{
    for (uint32_t i = 0; i < request->message_count; i++) {
        const struct chat_message *message = &request->messages[i];
        for (uint32_t j = 0; j < message->part_count; j++) {
            if (!is_plain_part(&message->parts[j])) return false;
        }
    }
    return true;
}

static bool is_plain(const struct chat_request *request)
{
    return json_is(request->source, JSON_OBJECT) && request->run_count == 0 &&
           request->betas.len == 0 && is_held(request->source, words_of(request->protocol)) &&
           has_plain_messages(request);
}

/* In the words of OpenAI's protocol, which has one for each of theirs; members are sorted, since
 * some are as the client has spelled them. */
bool chat_plain_print(const struct chat_request *request, struct buf *out)
{
    struct chat_request bare          = *request;
    struct losses losses              = {.arena = request->arena};
    CLEANUP(buf_done) struct buf text = buf_init(out->len_max);
    CLEANUP(json_unrefp) json printed = json_invalid();
    if (!is_plain(request)) return false;
    bare.message_count -= bare.repair_count; /* asked once more, it is the same request */
    bare.repair_count = 0;
    bare.user         = (str){};
    bare.is_stream    = false;
    bare.extra        = json_invalid();
    if (bare.protocol == PROTOCOL_OPENAI) bare.source = json_invalid();
    bool is_whole =
        chat_print_openai(&bare, (str){}, FLAVOR_COMPATIBLE, &losses, &text) && losses.count == 0;
    return is_whole && json_parse(buf_str(&text), NULL, &printed, NULL, NULL) == STATUS_OK &&
           json_print(printed, JSON_SORTED, out);
}
