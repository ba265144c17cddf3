/*
 * The request model as the body of Gemini's `:generateContent`. The answers of tools, one message
 * each elsewhere, are one content here and want the name of their function, which is looked up by
 * the id of the call.
 */
#include "llm-proxy/providers/gemini.h"

#include "base/attr.h"
#include "llm-proxy/chat/chat_loss.h"
#include "llm-proxy/providers/upstream.h"
#include "json/json_write.h"

#include <string.h>

#define NO_SIGNATURE "skip_thought_signature_validator"

enum { MEDIA_TYPE_MAX = 128, MODEL_NAME_MAX = 512 };

struct printing {
    const struct chat_request *request;
    struct losses *losses;
    bool wants_signatures; /* calls without one are refused */
    struct json_writer w;
};

static void lose(struct printing *p, const struct chat_message *message,
                 const struct chat_part *part, enum loss_action action, const char *note)
{
    chat_lose_part(p->request, p->losses, message, part, "", action, note);
}

static void put_value(struct printing *p, const char *key, json value)
{
    if (json_is(value, JSON_INVALID)) return;
    json_member(&p->w, key);
    json_write_value(&p->w, value);
}

/* --- parts -------------------------------------------------------------------------------------
 */

static void print_text(struct printing *p, str text)
{
    if (text.len == 0) return;
    json_begin_object(&p->w);
    json_put_text(&p->w, "text", text);
    json_end_object(&p->w);
}

static void print_data(struct printing *p, const struct chat_part *part)
{
    CLEANUP(buf_done) struct buf type = buf_init(MEDIA_TYPE_MAX);
    bool is_bare                      = part->kind == PART_AUDIO && part->media_type.len > 0 &&
                   !memchr(part->media_type.ptr, '/', part->media_type.len);
    if (is_bare) (void)buf_put_text(&type, "audio/"); /* OpenAI says "wav" alone */
    (void)buf_put_str(&type, part->media_type);
    json_begin_object(&p->w);
    json_member(&p->w, "inlineData");
    json_begin_object(&p->w);
    json_put_text(&p->w, "mimeType", buf_str(&type));
    json_put_text(&p->w, "data", part->data);
    json_end_object(&p->w);
    json_end_object(&p->w);
}

static bool is_of_google(str url)
{
    return str_starts_with(url, str_from("gs://")) ||
           str_starts_with(url, str_from("https://generativelanguage.googleapis.com/"));
}

static void print_media(struct printing *p, const struct chat_message *message,
                        const struct chat_part *part)
{
    if (part->text.len > 0) {
        print_text(p, part->text);
        if (part->name.len == 0) return;
        chat_lose_part(p->request, p->losses, message, part, "/title", LOSS_DROPPED,
                       "a document of text is a text there");
    } else if (part->data.len > 0) {
        print_data(p, part);
    } else if (is_of_google(part->url)) {
        json_begin_object(&p->w);
        json_member(&p->w, "fileData");
        json_begin_object(&p->w);
        if (part->media_type.len > 0) json_put_text(&p->w, "mimeType", part->media_type);
        json_put_text(&p->w, "fileUri", part->url);
        json_end_object(&p->w);
        json_end_object(&p->w);
    } else {
        lose(p, message, part, LOSS_DROPPED,
             "Gemini takes data, or URLs of files that lie at Google");
    }
}

static void print_args(struct printing *p, const struct chat_message *message,
                       const struct chat_part *part)
{
    if (upstream_put_arguments(&p->w, "args", part->text)) return;
    lose(p, message, part, LOSS_APPROXIMATED, "the arguments are no JSON object");
}

/* Of the calls of one turn the first one is signed. Whose signature is not at hand says so by a
 * word that Google's documentation has for it (thought signatures, questions and answers). */
static void print_call(struct printing *p, const struct chat_message *message,
                       const struct chat_part *part, bool is_first)
{
    json_begin_object(&p->w);
    json_member(&p->w, "functionCall");
    json_begin_object(&p->w);
    if (part->id.len > 0) json_put_text(&p->w, "id", part->id);
    json_put_text(&p->w, "name", part->name);
    print_args(p, message, part);
    json_end_object(&p->w);
    if (part->signature.len > 0 && part->is_own) {
        json_put_text(&p->w, "thoughtSignature", part->signature);
    } else if (is_first && p->wants_signatures) {
        json_put_text(&p->w, "thoughtSignature", str_from(NO_SIGNATURE));
        lose(p, message, part, LOSS_DEFAULTED, "the signature of the model's thoughts is gone");
    }
    json_end_object(&p->w);
}

static void print_part(struct printing *p, const struct chat_message *message,
                       const struct chat_part *part)
{
    switch (part->kind) {
    case PART_TEXT:
    case PART_TOOL_RESULT: print_text(p, part->text); break;
    case PART_REFUSAL:
        print_text(p, part->text);
        lose(p, message, part, LOSS_APPROXIMATED, "a refusal is sent as a text");
        break;
    case PART_IMAGE:
    case PART_AUDIO:
    case PART_FILE: print_media(p, message, part); break;
    case PART_TOOL_CALL: break; /* print_call() */
    case PART_THINKING:
    case PART_SEALED:
        lose(p, message, part, LOSS_DROPPED, "thoughts of another vendor's model are not sent");
        break;
    case PART_FOREIGN:
        lose(p, message, part, LOSS_DROPPED, "only the client's own protocol has it");
        break;
    }
    if (json_is(part->cache, JSON_INVALID)) return;
    chat_lose_part(p->request, p->losses, message, part, "/cache_control", LOSS_DROPPED,
                   "Gemini has no cache markers");
}

/* --- messages ----------------------------------------------------------------------------------
 */

/* The nearest call before it: ids may come again in a later turn. */
static str function_of(const struct chat_request *request, uint32_t position, str id)
{
    for (uint32_t i = position; i-- > 0;) {
        const struct chat_message *message = &request->messages[i];
        for (uint32_t k = 0; k < message->part_count; k++) {
            const struct chat_part *part = &message->parts[k];
            if (part->kind == PART_TOOL_CALL && str_equal(part->id, id)) return part->name;
        }
    }
    return str_from("unknown");
}

static void print_response(struct printing *p, const struct chat_message *message,
                           uint32_t position)
{
    const struct chat_part *first     = &message->parts[0];
    CLEANUP(buf_done) struct buf text = buf_init(CHAT_ARENA_MAX);
    for (uint32_t i = 0; i < message->part_count; i++) {
        const struct chat_part *part = &message->parts[i];
        if (part->kind == PART_TOOL_RESULT) {
            (void)buf_put_str(&text, part->text);
        } else {
            lose(p, message, part, LOSS_DROPPED, "the answer of a function is a text there");
        }
    }
    json_begin_object(&p->w);
    json_member(&p->w, "functionResponse");
    json_begin_object(&p->w);
    if (first->id.len > 0) json_put_text(&p->w, "id", first->id);
    json_put_text(&p->w, "name", function_of(p->request, position, first->id));
    json_member(&p->w, "response");
    json_begin_object(&p->w);
    json_put_text(&p->w, first->is_error ? "error" : "output", buf_str(&text));
    json_end_object(&p->w);
    json_end_object(&p->w);
    json_end_object(&p->w);
}

static void print_message(struct printing *p, const struct chat_message *message, uint32_t position)
{
    bool is_first = true;
    if (message->role == ROLE_TOOL) {
        print_response(p, message, position);
        return;
    }
    for (uint32_t i = 0; i < message->part_count; i++) {
        const struct chat_part *part = &message->parts[i];
        if (part->kind == PART_TOOL_CALL) {
            print_call(p, message, part, is_first);
            is_first = false;
        }
        print_part(p, message, part);
    }
}

static void print_contents(struct printing *p)
{
    const struct chat_message *open = NULL;
    bool has_turns                  = chat_has_turns(p->request);
    json_member(&p->w, "contents");
    json_begin_array(&p->w);
    for (uint32_t i = 0; i < p->request->message_count; i++) {
        const struct chat_message *message = &p->request->messages[i];
        if ((message->role == ROLE_SYSTEM && has_turns) || chat_is_silent(message)) continue;
        if (!open || open->role != message->role) {
            if (open) json_end_array(&p->w);
            if (open) json_end_object(&p->w);
            json_begin_object(&p->w);
            json_put_text(&p->w, "role",
                          str_from(message->role == ROLE_ASSISTANT ? "model" : "user"));
            json_member(&p->w, "parts");
            json_begin_array(&p->w);
        }
        open = message;
        print_message(p, message, i);
    }
    if (open) json_end_array(&p->w);
    if (open) json_end_object(&p->w);
    json_end_array(&p->w);
}

static void print_system(struct printing *p)
{
    bool has_turns = chat_has_turns(p->request);
    bool has_begun = false;
    for (uint32_t i = 0; i < p->request->message_count; i++) {
        const struct chat_message *message = &p->request->messages[i];
        if (message->role != ROLE_SYSTEM || chat_is_silent(message)) continue;
        if (!has_turns) {
            chat_lose_message(p->losses, message);
            continue;
        }
        if (!has_begun) {
            json_member(&p->w, "systemInstruction");
            json_begin_object(&p->w);
            json_member(&p->w, "parts");
            json_begin_array(&p->w);
        }
        has_begun = true;
        for (uint32_t k = 0; k < message->part_count; k++) {
            print_part(p, message, &message->parts[k]);
        }
    }
    if (!has_begun) return;
    json_end_array(&p->w);
    json_end_object(&p->w);
}

/* --- tools -------------------------------------------------------------------------------------
 */

static void print_tool(struct printing *p, uint32_t position)
{
    const struct chat_tool *tool = &p->request->tools[position];
    json_begin_object(&p->w);
    json_put_text(&p->w, "name", tool->name);
    if (tool->description.len > 0) json_put_text(&p->w, "description", tool->description);
    if (!json_is(tool->schema, JSON_NULL)) put_value(p, "parametersJsonSchema", tool->schema);
    json_end_object(&p->w);
    if (tool->is_strict) {
        chat_lose_tool(p->request, p->losses, position, "/strict", LOSS_DROPPED,
                       "Gemini has no strict tools");
    }
    if (!json_is(tool->cache, JSON_INVALID)) {
        chat_lose_tool(p->request, p->losses, position, "/cache_control", LOSS_DROPPED,
                       "Gemini has no cache markers");
    }
}

static uint32_t print_tools(struct printing *p)
{
    const struct chat_request *request = p->request;
    uint32_t count                     = 0;
    bool is_subset                     = request->allowed && request->choice != CHOICE_REQUIRED;
    for (uint32_t i = 0; i < request->tool_count; i++) {
        if (request->tools[i].is_foreign) {
            chat_lose_tool(request, p->losses, i, "", LOSS_DROPPED,
                           "it runs at an upstream of the client's own protocol");
            continue;
        }
        if (is_subset && !chat_may_call(request, request->tools[i].name)) continue;
        if (count == 0) {
            json_member(&p->w, "tools");
            json_begin_array(&p->w);
            json_begin_object(&p->w);
            json_member(&p->w, "functionDeclarations");
            json_begin_array(&p->w);
        }
        print_tool(p, i);
        count++;
    }
    if (count == 0) return 0;
    json_end_array(&p->w);
    json_end_object(&p->w);
    json_end_array(&p->w);
    return count;
}

static void print_choice(struct printing *p)
{
    static const char *const modes[]   = {[CHOICE_AUTO]     = "AUTO",
                                          [CHOICE_NONE]     = "NONE",
                                          [CHOICE_REQUIRED] = "ANY",
                                          [CHOICE_FUNCTION] = "ANY"};
    const struct chat_request *request = p->request;
    if (json_is(request->parallel_tools, JSON_FALSE)) {
        chat_lose(request, p->losses, CHAT_PARALLEL, LOSS_DROPPED,
                  "Gemini cannot be kept from calling several tools at once");
    }
    if (request->choice == CHOICE_UNSET) return;
    bool is_subset = request->choice == CHOICE_REQUIRED && request->allowed;
    json_member(&p->w, "toolConfig");
    json_begin_object(&p->w);
    json_member(&p->w, "functionCallingConfig");
    json_begin_object(&p->w);
    json_put_text(&p->w, "mode", str_from(modes[request->choice]));
    if (request->choice == CHOICE_FUNCTION || is_subset) {
        json_member(&p->w, "allowedFunctionNames");
        json_begin_array(&p->w);
        if (!is_subset) json_write_text(&p->w, request->choice_name);
        for (uint32_t i = 0; is_subset && i < request->allowed_count; i++) {
            json_write_text(&p->w, request->allowed[i]);
        }
        json_end_array(&p->w);
    }
    json_end_object(&p->w);
    json_end_object(&p->w);
}

/* --- generationConfig --------------------------------------------------------------------------
 */

static void print_effort(struct printing *p)
{
    static const struct {
        const char *effort, *level;
        bool is_near;
    } levels[] = {{"minimal", "MINIMAL", false}, {"low", "LOW", false},
                  {"medium", "MEDIUM", false},   {"high", "HIGH", false},
                  {"xhigh", "HIGH", true},       {"max", "HIGH", true}};
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        if (!str_is(p->request->effort, levels[i].effort)) continue;
        json_put_text(&p->w, "thinkingLevel", str_from(levels[i].level));
        if (!levels[i].is_near) return;
        chat_lose(p->request, p->losses, CHAT_EFFORT, LOSS_APPROXIMATED, "HIGH is the most there");
        return;
    }
}

static void print_thinking(struct printing *p)
{
    const struct chat_request *request = p->request;
    bool is_off = request->thinking == THINKING_OFF || str_is(request->effort, "none");
    if (request->thinking == THINKING_UNSET && request->effort.len == 0) return;
    json_member(&p->w, "thinkingConfig");
    json_begin_object(&p->w);
    if (!is_off) json_put_bool(&p->w, "includeThoughts", true);
    if (is_off) {
        json_put_int(&p->w, "thinkingBudget", 0);
    } else if (request->thinking == THINKING_BUDGET) {
        json_put_int(&p->w, "thinkingBudget", request->thinking_budget);
    } else if (request->effort.len > 0) {
        print_effort(p);
    } else {
        json_put_int(&p->w, "thinkingBudget", -1);
    }
    json_end_object(&p->w);
}

static void print_config(struct printing *p)
{
    const struct chat_request *request = p->request;
    json_member(&p->w, "generationConfig");
    json_begin_object(&p->w);
    put_value(p, "temperature", request->temperature);
    put_value(p, "topP", request->top_p);
    put_value(p, "topK", request->top_k);
    put_value(p, "seed", request->seed);
    if (request->max_tokens > 0) json_put_int(&p->w, "maxOutputTokens", request->max_tokens);
    if (request->count > 0) json_put_int(&p->w, "candidateCount", request->count);
    if (request->stop_count > 0) {
        json_member(&p->w, "stopSequences");
        json_begin_array(&p->w);
        for (uint32_t i = 0; i < request->stop_count; i++) {
            json_write_text(&p->w, request->stops[i]);
        }
        json_end_array(&p->w);
    }
    if (request->format != FORMAT_TEXT) {
        json_put_text(&p->w, "responseMimeType", str_from("application/json"));
    }
    if (request->format == FORMAT_SCHEMA) put_value(p, "responseJsonSchema", request->schema);
    print_thinking(p);
    json_end_object(&p->w);
}

static void print_translated(struct printing *p)
{
    const struct chat_request *request = p->request;
    print_system(p);
    print_contents(p);
    if (print_tools(p) > 0) print_choice(p);
    print_config(p);
    if (request->user.len > 0) {
        chat_lose(request, p->losses, CHAT_USER, LOSS_DROPPED, "Gemini is not told of users");
    }
    chat_lose_extra(request, p->losses);
}

bool gemini_print(const struct chat_request *request, str model, struct losses *losses,
                  struct buf *out)
{
    struct printing p = {.request          = request,
                         .losses           = losses,
                         .wants_signatures = str_starts_with(model, str_from("gemini-3")),
                         .w                = json_writer_init(out)};
    json_begin_object(&p.w);
    if (request->protocol == PROTOCOL_GEMINI && json_is(request->source, JSON_OBJECT)) {
        chat_print_source(request, (str){}, &p.w);
    } else {
        print_translated(&p);
    }
    json_end_object(&p.w);
    return !out->is_full;
}

bool gemini_print_inputs(const struct chat_request *request, str model, struct buf *out)
{
    CLEANUP(buf_done) struct buf name = buf_init(MODEL_NAME_MAX);
    struct json_writer w              = json_writer_init(out);
    (void)buf_printf(&name, "models/" STR_FMT, STR_ARG(model));
    json_begin_object(&w);
    json_member(&w, "requests");
    json_begin_array(&w);
    for (uint32_t i = 0; i < request->input_count; i++) {
        json_begin_object(&w);
        json_put_text(&w, "model", buf_str(&name));
        json_member(&w, "content");
        json_begin_object(&w);
        json_member(&w, "parts");
        json_begin_array(&w);
        json_begin_object(&w);
        json_put_text(&w, "text", request->inputs[i]);
        json_end_object(&w);
        json_end_array(&w);
        json_end_object(&w);
        if (request->dimensions > 0) {
            json_put_int(&w, "outputDimensionality", request->dimensions);
        }
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    return !out->is_full;
}
