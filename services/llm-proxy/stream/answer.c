#include "llm-proxy/stream/answer.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <stdlib.h>

enum { NAME_MAX_BYTES = 4096, ERROR_MAX_BYTES = 4096, ERROR_WORD_MAX = 64 /* code, param */ };

void answer_init(struct answer *answer)
{
    *answer = (struct answer){
        .id         = buf_init(NAME_MAX_BYTES),
        .model      = buf_init(NAME_MAX_BYTES),
        .error_text = buf_init(2 * ERROR_WORD_MAX + ERROR_MAX_BYTES),
        .vectors    = buf_init(ANSWER_VECTORS_MAX),
        .spelled    = buf_init(ANSWER_TEXT_MAX),
        .usage      = llm_usage_unknown(),
        .end        = END_CUT, /* until somebody says otherwise */
    };
}

static void choice_done(struct answer_choice *choice)
{
    for (uint32_t i = 0; i < choice->tool_call_count; i++) {
        buf_done(&choice->tool_calls[i].id);
        buf_done(&choice->tool_calls[i].name);
        buf_done(&choice->tool_calls[i].arguments);
    }
    free(choice->tool_calls);
    buf_done(&choice->text);
    buf_done(&choice->refusal);
    buf_done(&choice->thinking);
}

void answer_done(struct answer *answer)
{
    for (uint32_t i = 0; i < answer->choice_count; i++) choice_done(&answer->choices[i]);
    free(answer->choices);
    json_unref(json_take(&answer->whole));
    buf_done(&answer->id);
    buf_done(&answer->model);
    buf_done(&answer->vectors);
    buf_done(&answer->spelled);
    buf_done(&answer->error_text);
    *answer = (struct answer){};
}

static struct answer_choice *choice_of(struct answer *answer, uint32_t index)
{
    if (index >= ANSWER_CHOICES_MAX) return NULL;
    if (answer->choice_count <= index) {
        answer->choices = mem_resize(answer->choices, index + 1, sizeof *answer->choices);
    }
    while (answer->choice_count <= index) {
        answer->choices[answer->choice_count++] =
            (struct answer_choice){.text     = buf_init(ANSWER_TEXT_MAX),
                                   .refusal  = buf_init(ANSWER_TEXT_MAX),
                                   .thinking = buf_init(ANSWER_TEXT_MAX)};
    }
    return &answer->choices[index];
}

static struct answer_tool_call *tool_call_of(struct answer_choice *choice, uint32_t part)
{
    for (uint32_t i = 0; i < choice->tool_call_count; i++) {
        if (choice->tool_calls[i].part == part) return &choice->tool_calls[i];
    }
    if (choice->tool_call_count == ANSWER_TOOL_CALLS_MAX) return NULL;
    choice->tool_calls =
        mem_resize(choice->tool_calls, choice->tool_call_count + 1, sizeof *choice->tool_calls);
    struct answer_tool_call *call = &choice->tool_calls[choice->tool_call_count++];
    call->part                    = part;
    call->id                      = buf_init(NAME_MAX_BYTES);
    call->name                    = buf_init(NAME_MAX_BYTES);
    call->arguments               = buf_init(ANSWER_TEXT_MAX);
    return call;
}

static bool take_tool(struct answer_choice *choice, const struct llm_event *event)
{
    struct answer_tool_call *call = tool_call_of(choice, event->part);
    if (!call) return false;
    if (event->kind == LLM_TOOL_ARGS) return buf_put_str(&call->arguments, event->bytes);
    return buf_put_str(&call->id, event->id) && buf_put_str(&call->name, event->name);
}

/* Its views end with the event. What is too long for a word is some other thing. */
static void take_error(struct answer *answer, const struct llm_event *event)
{
    struct buf *kept = &answer->error_text;
    str words[]      = {event->error.code, event->error.param, event->error.text};
    for (size_t i = 0; i < 2; i++) words[i] = words[i].len > ERROR_WORD_MAX ? (str){} : words[i];
    if (words[2].len > ERROR_MAX_BYTES) words[2].len = ERROR_MAX_BYTES;
    words[2].len = utf8_valid_prefix(words[2]);
    buf_clear(kept);
    for (size_t i = 0; i < ARRAY_LEN(words); i++) (void)buf_put_str(kept, words[i]);
    size_t text_at      = words[0].len + words[1].len;
    answer->is_failed   = true;
    answer->error       = event->error;
    answer->error.type  = (str){};
    answer->error.code  = str_slice(buf_str(kept), 0, words[0].len);
    answer->error.param = str_slice(buf_str(kept), words[0].len, text_at);
    answer->error.text  = str_slice(buf_str(kept), text_at, kept->len);
}

static bool take_piece(struct answer *answer, const struct llm_event *event)
{
    answer->output_bytes += event->bytes.len;
    if (event->kind == LLM_TOOL_START) answer->output_bytes += event->name.len;
    if (answer->is_counted_only) return true;
    struct answer_choice *choice = choice_of(answer, event->choice);
    if (!choice) return false;
    switch (event->kind) {
    case LLM_TEXT: return buf_put_str(&choice->text, event->bytes);
    case LLM_REFUSAL: return buf_put_str(&choice->refusal, event->bytes);
    case LLM_THINKING: return buf_put_str(&choice->thinking, event->bytes);
    case LLM_TOOL_START:
    case LLM_TOOL_ARGS: return take_tool(choice, event);
    case LLM_FINISH:
        choice->is_finished = true;
        choice->finish      = event->finish;
        return true;
    default: return true;
    }
}

/* All vectors of an answer have one length. */
static void take_vector(struct answer *answer, const struct llm_event *event)
{
    uint32_t dimensions = (uint32_t)(event->bytes.len / sizeof(float));
    bool is_same        = answer->vector_count == 0 || dimensions == answer->dimensions;
    if (!is_same || !buf_put_str(&answer->vectors, event->bytes)) answer->is_too_large = true;
    answer->dimensions = dimensions;
    answer->vector_count++;
}

void answer_take(const struct llm_event *event, void *context)
{
    struct answer *answer = context;
    switch (event->kind) {
    case LLM_START:
        (void)buf_put_str(&answer->id, event->id);
        (void)buf_put_str(&answer->model, event->model);
        answer->created_us = event->created_us;
        break;
    case LLM_VECTOR: take_vector(answer, event); break;
    case LLM_USAGE: llm_usage_merge(&answer->usage, &event->usage); break;
    case LLM_ERROR: take_error(answer, event); break;
    case LLM_END: answer->end = event->end; break;
    case LLM_CHUNK:
        if (answer->is_counted_only || event->is_alike) break;
        json_unref(json_take(&answer->whole));
        answer->whole = json_ref(event->chunk);
        buf_clear(&answer->spelled);
        if (!buf_put_str(&answer->spelled, event->spelled)) buf_clear(&answer->spelled);
        answer->protocol = event->protocol;
        break;
    case LLM_OPAQUE: break; /* nothing to hand it back with, where nothing is streamed */
    default:
        if (!take_piece(answer, event)) answer->is_too_large = true;
        break;
    }
}

bool answer_has_whole(const struct answer *answer, enum llm_protocol protocol)
{
    bool is_there = answer->spelled.len > 0 || json_is(answer->whole, JSON_OBJECT);
    return is_there && answer->protocol == protocol;
}

void answer_print_whole(const struct answer *answer, struct json_writer *w)
{
    if (answer->spelled.len > 0) {
        json_write_raw(w, buf_str(&answer->spelled));
    } else {
        json_write_value(w, answer->whole);
    }
}

/* --- as OpenAI's message ------------------------------------------------------------------------
 */

void answer_print_tool_calls(const struct answer_choice *choice, struct json_writer *w)
{
    json_begin_array(w);
    for (uint32_t i = 0; i < choice->tool_call_count; i++) {
        const struct answer_tool_call *call = &choice->tool_calls[i];
        json_begin_object(w);
        json_put_text(w, "id", buf_str(&call->id));
        json_put_text(w, "type", str_from("function"));
        json_member(w, "function");
        json_begin_object(w);
        json_put_text(w, "name", buf_str(&call->name));
        json_put_text(w, "arguments", buf_str(&call->arguments));
        json_end_object(w);
        json_end_object(w);
    }
    json_end_array(w);
}

void answer_print_message(const struct answer_choice *choice, struct json_writer *w)
{
    json_begin_object(w);
    json_put_text(w, "role", str_from("assistant"));
    json_member(w, "content");
    if (choice->text.len == 0 && (choice->tool_call_count > 0 || choice->refusal.len > 0)) {
        json_write_null(w);
    } else {
        json_write_text(w, buf_str(&choice->text));
    }
    json_member(w, "refusal");
    if (choice->refusal.len > 0) {
        json_write_text(w, buf_str(&choice->refusal));
    } else {
        json_write_null(w);
    }
    if (choice->thinking.len > 0) {
        json_put_text(w, "reasoning_content", buf_str(&choice->thinking));
    }
    if (choice->tool_call_count > 0) {
        json_member(w, "tool_calls");
        answer_print_tool_calls(choice, w);
    }
    json_end_object(w);
}
