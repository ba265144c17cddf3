#include "llm-proxy/providers/anthropic_parts.h"

#include "base/hash.h"
#include "llm-proxy/chat/chat_loss.h"
#include "llm-proxy/providers/upstream.h"

#include <stdlib.h>

static void lose(struct anthropic_printing *p, const struct chat_message *message,
                 const struct chat_part *part, enum loss_action action, const char *note)
{
    chat_lose_part(p->request, p->losses, message, part, "", action, note);
}

static void put_cache(struct anthropic_printing *p, const struct chat_part *part)
{
    anthropic_put_value(p, "cache_control", part->cache);
    if (!part->mark) return;
    json_member(&p->w, "cache_control");
    json_begin_object(&p->w);
    anthropic_put_type(p, "ephemeral");
    json_put_text(&p->w, "ttl", str_from(part->mark));
    json_end_object(&p->w);
}

/* --- parts -------------------------------------------------------------------------------------
 */

void anthropic_print_text(struct anthropic_printing *p, const struct chat_part *part)
{
    if (part->text.len == 0) return; /* empty texts are refused there */
    json_begin_object(&p->w);
    anthropic_put_type(p, "text");
    json_put_text(&p->w, "text", part->text);
    put_cache(p, part);
    json_end_object(&p->w);
}

/* `source` of an image or a document. */
static void print_source_of(struct anthropic_printing *p, const struct chat_part *part)
{
    json_member(&p->w, "source");
    json_begin_object(&p->w);
    if (part->url.len > 0) {
        anthropic_put_type(p, "url");
        json_put_text(&p->w, "url", part->url);
    } else if (part->text.len > 0) {
        anthropic_put_type(p, "text");
        json_put_text(&p->w, "media_type", str_from("text/plain"));
        json_put_text(&p->w, "data", part->text);
    } else {
        anthropic_put_type(p, "base64");
        json_put_text(&p->w, "media_type", part->media_type);
        json_put_text(&p->w, "data", part->data);
    }
    json_end_object(&p->w);
}

static void print_media(struct anthropic_printing *p, const char *type,
                        const struct chat_part *part)
{
    json_begin_object(&p->w);
    anthropic_put_type(p, type);
    print_source_of(p, part);
    if (part->kind == PART_FILE && part->name.len > 0) json_put_text(&p->w, "title", part->name);
    put_cache(p, part);
    json_end_object(&p->w);
}

/* Texts go as texts there, not as base64. */
static bool print_text_file(struct anthropic_printing *p, const struct chat_part *part)
{
    char *raw              = malloc(part->data.len + 1);
    size_t size            = 0;
    bool is_sound          = raw && base64_decode(part->data, raw, &size);
    json text              = is_sound ? json_text_lossy((str){raw, size}) : json_invalid();
    struct chat_part plain = *part;
    free(raw);
    if (!is_sound) return false;
    plain.text = json_str(text);
    print_media(p, "document", &plain);
    json_unref(text);
    return true;
}

static void print_file(struct anthropic_printing *p, const struct chat_message *message,
                       const struct chat_part *part)
{
    bool is_text = str_starts_with(part->media_type, str_from("text/"));
    bool is_pdf  = str_is(part->media_type, "application/pdf");
    if (part->url.len > 0 || part->text.len > 0 || (is_pdf && part->data.len > 0)) {
        print_media(p, "document", part);
    } else if (part->data.len > 0 && is_text && print_text_file(p, part)) {
        return;
    } else if (part->data.len == 0) {
        lose(p, message, part, LOSS_DROPPED, "files that lie at another vendor do not travel");
    } else {
        lose(p, message, part, LOSS_DROPPED, "Anthropic reads PDF and text files only");
    }
}

/* An object, whatever the model has said. */
static void print_input(struct anthropic_printing *p, const struct chat_message *message,
                        const struct chat_part *part)
{
    if (upstream_put_arguments(&p->w, "input", part->text)) return;
    lose(p, message, part, LOSS_APPROXIMATED, "the arguments are no JSON object");
}

static void print_tool_use(struct anthropic_printing *p, const struct chat_message *message,
                           const struct chat_part *part)
{
    json_begin_object(&p->w);
    anthropic_put_type(p, "tool_use");
    json_put_text(&p->w, "id", part->id);
    json_put_text(&p->w, "name", part->name);
    print_input(p, message, part);
    put_cache(p, part);
    json_end_object(&p->w);
}

static void print_thought(struct anthropic_printing *p, const struct chat_message *message,
                          const struct chat_part *part)
{
    if (!part->is_own) {
        lose(p, message, part, LOSS_DROPPED, "thoughts of another vendor's model are not sent");
        return;
    }
    json_begin_object(&p->w);
    if (part->kind == PART_SEALED) {
        anthropic_put_type(p, "redacted_thinking");
        json_put_text(&p->w, "data", part->data);
    } else {
        anthropic_put_type(p, "thinking");
        json_put_text(&p->w, "thinking", part->text);
        json_put_text(&p->w, "signature", part->signature);
    }
    json_end_object(&p->w);
}

void anthropic_print_part(struct anthropic_printing *p, const struct chat_message *message,
                          const struct chat_part *part)
{
    switch (part->kind) {
    case PART_TEXT:
    case PART_TOOL_RESULT: anthropic_print_text(p, part); break;
    case PART_REFUSAL:
        anthropic_print_text(p, part);
        lose(p, message, part, LOSS_APPROXIMATED, "a refusal is sent as a text");
        break;
    case PART_IMAGE:
        if (message->role == ROLE_ASSISTANT) {
            lose(p, message, part, LOSS_DROPPED, "Anthropic's assistants have no images");
        } else {
            print_media(p, "image", part);
        }
        break;
    case PART_FILE: print_file(p, message, part); break;
    case PART_AUDIO: lose(p, message, part, LOSS_DROPPED, "Anthropic hears no audio"); break;
    case PART_TOOL_CALL: print_tool_use(p, message, part); break;
    case PART_THINKING:
    case PART_SEALED: print_thought(p, message, part); break;
    case PART_FOREIGN:
        lose(p, message, part, LOSS_DROPPED, "only the client's own protocol has it");
        break;
    }
}

void anthropic_print_tool_result(struct anthropic_printing *p, const struct chat_message *message)
{
    json_begin_object(&p->w);
    anthropic_put_type(p, "tool_result");
    json_put_text(&p->w, "tool_use_id", message->parts[0].id);
    json_member(&p->w, "content");
    if (message->part_count == 1 && message->parts[0].kind == PART_TOOL_RESULT) {
        json_write_text(&p->w, message->parts[0].text);
    } else {
        json_begin_array(&p->w);
        for (uint32_t i = 0; i < message->part_count; i++) {
            anthropic_print_part(p, message, &message->parts[i]);
        }
        json_end_array(&p->w);
    }
    if (message->parts[0].is_error) json_put_bool(&p->w, "is_error", true);
    put_cache(p, &message->parts[0]);
    json_end_object(&p->w);
}
