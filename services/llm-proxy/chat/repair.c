#include "llm-proxy/chat/repair.h"

#include "llm-proxy/chat/content.h"
#include "json/json_text.h"

#include <string.h>

#define ASK_AGAIN                                                                                  \
    "Your answer does not fit. Answer again with nothing but the whole JSON, corrected:\n"

void repair_explain(const struct chat_request *request, str answer, struct buf *out)
{
    (void)buf_put_text(out, ASK_AGAIN);
    content_explain(request, answer, out);
}

/* --- the conversation --------------------------------------------------------------------------
 */

static bool put_message(struct arena *arena, enum chat_role role, str text,
                        struct chat_message *message)
{
    struct chat_part *part = arena_alloc(arena, sizeof *part);
    if (!part) return false;
    *part    = (struct chat_part){.kind = PART_TEXT, .text = text};
    *message = (struct chat_message){.role = role, .parts = part, .part_count = 1};
    return true;
}

/* A message in the words of a protocol; owned. */
static json message_new(enum llm_protocol protocol, enum chat_role role, str text)
{
    bool is_gemini    = protocol == PROTOCOL_GEMINI;
    const char *other = is_gemini ? "model" : "assistant";
    json message      = json_object_new(2);
    json_object_put_text(&message, "role", json_text_from(role == ROLE_USER ? "user" : other));
    if (!is_gemini) {
        json_object_put_text(&message, "content", json_text_lossy(text));
        return message;
    }
    json part  = json_object_new(1);
    json parts = json_array_new(1);
    json_object_put_text(&part, "text", json_text_lossy(text));
    json_array_push(&parts, part);
    json_object_put_text(&message, "parts", parts);
    return message;
}

/* The body with what was said. The request owns it with what its reader has made anew. */
static void go_on_in_source(struct chat_request *request, str answer, str problems)
{
    const char *key = request->protocol == PROTOCOL_GEMINI ? "contents" : "messages";
    json messages = json_ref(json_get_text(request->source, key)); /* a list, or one: it was read */
    json source   = json_ref(request->source);
    if (json_is(messages, JSON_OBJECT)) {
        json only = messages;
        messages  = json_array_new(3);
        json_array_push(&messages, only);
    }
    if (answer.len > 0) {
        json_array_push(&messages, message_new(request->protocol, ROLE_ASSISTANT, answer));
    }
    json_array_push(&messages, message_new(request->protocol, ROLE_USER, problems));
    json_object_put_text(&source, key, messages);
    if (json_is(request->converted, JSON_INVALID)) request->converted = json_array_new(1);
    json_array_push(&request->converted, source);
    if (json_is(request->extra, JSON_OBJECT)) request->extra = source;
    request->source = source;
    request->bytes  = (str){};
}

/* An answer without a word is not repeated: there are upstreams that take no empty message. */
status repair_go_on(struct chat_request *request, str answer, str problems, struct error *reterr)
{
    uint32_t count                = request->message_count;
    struct chat_message *messages = arena_alloc(request->arena, (count + 2) * sizeof *messages);
    bool fits                     = messages && count + 2 <= CHAT_MESSAGES_MAX;
    if (fits && count > 0) memcpy(messages, request->messages, count * sizeof *messages);
    if (fits && answer.len > 0) {
        fits = put_message(request->arena, ROLE_ASSISTANT, answer, &messages[count++]);
    }
    fits = fits && put_message(request->arena, ROLE_USER, problems, &messages[count++]);
    if (!fits) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    request->repair_count += count - request->message_count;
    request->messages      = messages;
    request->message_count = count;
    if (json_is(request->source, JSON_OBJECT)) go_on_in_source(request, answer, problems);
    return STATUS_OK;
}

/* --- what it costs -----------------------------------------------------------------------------
 */

void repair_add_usage(Pb__Usage *usage, const Pb__Usage *before)
{
    usage->calls += before->calls;
    usage->input_tokens += before->input_tokens;
    usage->output_tokens += before->output_tokens;
    usage->cached_tokens += before->cached_tokens;
    usage->reasoning_tokens += before->reasoning_tokens;
    usage->cost_usd_nanos += before->cost_usd_nanos;
    usage->saved_usd_nanos += before->saved_usd_nanos;
    usage->simulated = usage->simulated || before->simulated;
    bool was_free    = before->cost_source == PB__COST_SOURCE__COST_SOURCE_CACHED;
    bool is_free     = usage->cost_source == PB__COST_SOURCE__COST_SOURCE_CACHED;
    if (is_free || (!was_free && before->cost_source > usage->cost_source)) {
        usage->cost_source = before->cost_source; /* the less certain one */
    }
}
