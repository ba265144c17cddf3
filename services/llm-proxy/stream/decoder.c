#include "llm-proxy/stream/decoder.h"

#include "base/assert.h"
#include "base/mem.h"
#include "http/sse.h"
#include "llm-proxy/stream/likeness.h"
#include "json/json_text.h"

#include <stdlib.h>

struct piece {
    enum llm_event_kind kind;
    uint32_t choice, part;
    str bytes;
};

struct decoder {
    const struct decoder_kind *kind;
    llm_sink *sink;
    void *context;
    struct sse sse;
    const struct llm_event *chunk; /* that is to go before what is made of it; NULL: it went */
    unsigned said;                 /* events that were made of it */
    struct piece last;             /* of them, if it was a piece of text */
    struct likeness likeness;
    struct piece like; /* what one means that is like the learnt one, but for its bytes */
    bool is_over;
    max_align_t state[]; /* the kind's */
};

static status on_event(const struct sse_event *event, void *context);

struct decoder *decoder_new(const struct decoder_kind *kind, llm_sink *sink, void *context)
{
    ASSERT(kind);
    ASSERT(sink);
    struct decoder *decoder = mem_new(1, sizeof *decoder + kind->state_size);
    decoder->kind           = kind;
    decoder->sink           = sink;
    decoder->context        = context;
    likeness_init(&decoder->likeness);
    sse_init(&decoder->sse, DECODER_EVENT_MAX, on_event, decoder);
    return decoder;
}

void decoder_free(struct decoder *decoder)
{
    if (!decoder) return;
    if (decoder->kind->done) decoder->kind->done(decoder->state);
    sse_done(&decoder->sse);
    likeness_done(&decoder->likeness);
    free(decoder);
}

void decoder_freep(struct decoder **decoder)
{
    decoder_free(*decoder);
    *decoder = NULL;
}

bool decoder_is_over(const struct decoder *decoder)
{
    return decoder->is_over;
}

/* --- what comes out ----------------------------------------------------------------------------
 */

void *decoder_state(struct decoder *decoder)
{
    return decoder->state;
}

/* An event that says an error is not handed on: encoders have words of their own for it. */
static void send_chunk(struct decoder *decoder)
{
    const struct llm_event *chunk = TAKE(decoder->chunk);
    if (chunk && !decoder->is_over) decoder->sink(chunk, decoder->context);
}

void decoder_send(struct decoder *decoder, const struct llm_event *event)
{
    ASSERT(event->kind != LLM_ERROR && event->kind != LLM_END);
    decoder->said++;
    decoder->last = (struct piece){
        .kind = event->kind, .choice = event->choice, .part = event->part, .bytes = event->bytes};
    send_chunk(decoder);
    if (!decoder->is_over) decoder->sink(event, decoder->context);
}

static void send_end(struct decoder *decoder, enum llm_end end)
{
    const struct llm_event event = {.kind = LLM_END, .end = end};
    decoder->is_over             = true;
    decoder->sink(&event, decoder->context);
}

void decoder_complete(struct decoder *decoder)
{
    send_chunk(decoder);
    if (!decoder->is_over) send_end(decoder, END_COMPLETE);
}

void decoder_fail(struct decoder *decoder, const struct llm_error *error)
{
    if (decoder->is_over) return;
    const struct llm_event event = {.kind = LLM_ERROR, .error = *error};
    decoder->sink(&event, decoder->context);
    send_end(decoder, END_CUT);
}

void decoder_fail_malformed(struct decoder *decoder, const char *text)
{
    const struct llm_error error = {
        .class = LLM_ERROR_CONNECT, .http_status = 200, .text = str_from(text)};
    decoder_fail(decoder, &error);
}

/* --- what goes in ------------------------------------------------------------------------------
 */

/* An event that has brought one piece of text and nothing else: others like it are to be known. */
static void learn(struct decoder *decoder, str text, json data)
{
    const struct decoder_kind *kind = decoder->kind;
    const struct piece *last        = &decoder->last;
    const char *const *keys         = last->kind == LLM_TEXT       ? kind->text_keys
                                      : last->kind == LLM_THINKING ? kind->thinking_keys
                                                                   : NULL;
    if (decoder->said != 1 || !keys || (kind->has_likes && !kind->has_likes(data))) return;
    if (likeness_learn(&decoder->likeness, text, keys, last->bytes)) decoder->like = *last;
}

static bool send_alike(struct decoder *decoder, const struct sse_event *event)
{
    const struct piece *like = &decoder->like;
    str text                 = {};
    if (!likeness_find(&decoder->likeness, event->data, &text)) return false;
    const struct llm_event chunk = {.kind     = LLM_CHUNK,
                                    .protocol = decoder->kind->protocol,
                                    .name     = event->name,
                                    .raw      = event->data,
                                    .is_alike = true};
    const struct llm_event piece = {
        .kind = like->kind, .choice = like->choice, .part = like->part, .bytes = text};
    decoder->chunk = &chunk;
    decoder_send(decoder, &piece);
    return true;
}

static str in_one_line(str data)
{
    return memchr(data.ptr, '\n', data.len) ? (str){} : data;
}

static status on_event(const struct sse_event *event, void *context)
{
    struct decoder *decoder         = context;
    const struct decoder_kind *kind = decoder->kind;
    const struct json_limits limits = {.depth_max            = DECODER_DEPTH_MAX,
                                       .values_max           = DECODER_VALUES_MAX,
                                       .allow_duplicate_keys = true};
    if (decoder->is_over || send_alike(decoder, event)) return STATUS_OK;
    if (kind->word && kind->word(decoder, event->data)) return STATUS_OK;
    CLEANUP(json_unrefp) json data = json_invalid();
    if (json_parse(event->data, &limits, &data, NULL, NULL) != STATUS_OK) {
        decoder_fail_malformed(decoder, "an event of the upstream's stream is malformed");
        return STATUS_OK;
    }
    const struct llm_event chunk = {.kind     = LLM_CHUNK,
                                    .protocol = kind->protocol,
                                    .name     = event->name,
                                    .chunk    = data,
                                    .raw      = in_one_line(event->data)};
    decoder->chunk               = &chunk;
    decoder->said                = 0;
    kind->event(decoder, event->name, data);
    send_chunk(decoder);
    if (chunk.raw.len > 0) learn(decoder, event->data, data);
    return STATUS_OK;
}

void decoder_ahead(const struct decoder *decoder, struct loop_ahead *ahead)
{
    loop_ahead_add(ahead, decoder, sizeof *decoder);
}

void decoder_feed(struct decoder *decoder, str piece)
{
    if (decoder->is_over) return;
    likeness_look_ahead(&decoder->likeness);
    if (sse_feed(&decoder->sse, piece, NULL) == STATUS_OK) return;
    decoder_fail_malformed(decoder, "an event of the upstream's stream is too long");
}

void decoder_end(struct decoder *decoder)
{
    const struct decoder_kind *kind = decoder->kind;
    /* Some leave out the empty line after the last event; what is really cut off is no JSON. */
    decoder_feed(decoder, str_from("\n\n"));
    if (decoder->is_over) return;
    if (kind->is_whole && kind->is_whole(decoder)) {
        decoder_complete(decoder);
    } else {
        decoder_fail_malformed(decoder, "the upstream's stream was cut off");
    }
}
