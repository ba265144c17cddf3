#include "llm-proxy/call/exchange.h"

#include "base/assert.h"
#include "base/mem.h"

#include <stdlib.h>
#include <strings.h>

struct exchange {
    struct exchange_options options;
    struct decoder *decoder; /* NULL: it is no stream */
    int64_t active_ms;       /* when the last bytes came */
    bool has_meaning, is_over, is_paused, is_rest;
    struct http_call *http;  /* NULL: has ended */
    struct buf whole;        /* of a stream asked for in vain */
    struct loop_timer timer; /* first event, idle; lingering */
    int64_t first_event_ms, idle_ms;
    size_t silence;                   /* bytes, until something is meant */
    struct exchange *previous, *next; /* among the rests */
};

/* --- events ------------------------------------------------------------------------------------
 */

static void send_failure(struct exchange *exchange, const struct llm_error *error)
{
    const struct exchange_options *options = &exchange->options;
    const struct llm_event failed          = {.kind = LLM_ERROR, .error = *error};
    const struct llm_event end             = {.kind = LLM_END, .end = END_CUT};
    exchange->is_over                      = true;
    options->sink(&failed, options->context);
    options->sink(&end, options->context);
}

static void give_up(struct exchange *exchange, const char *text)
{
    const struct llm_error error = {
        .class = LLM_ERROR_CONNECT, .http_status = 200, .text = str_from(text)};
    if (!exchange->is_over) send_failure(exchange, &error);
}

/* The first thing that is meant stops the clock that the client waits by. */
static void note_meaning(struct exchange *exchange)
{
    struct loop *loop     = exchange->options.loop;
    exchange->has_meaning = true;
    if (!exchange->decoder) return;
    loop_timer_clear(loop, &exchange->timer);
    if (exchange->idle_ms > 0) {
        loop_timer_set(loop, &exchange->timer, loop_now_ms(loop) + exchange->idle_ms);
    }
}

static void on_event(const struct llm_event *event, void *context)
{
    struct exchange *exchange = context;
    /* One that came in one piece is no event of a stream: what it says is. */
    bool is_whole = exchange->options.is_stream && !exchange->decoder;
    if (exchange->is_over || (is_whole && event->kind == LLM_CHUNK)) return;
    if (!exchange->has_meaning && llm_event_is_meaningful(event)) note_meaning(exchange);
    bool is_empty = event->kind == LLM_END && event->end == END_COMPLETE && !exchange->has_meaning;
    if (is_empty) {
        give_up(exchange, "the upstream's answer is empty");
        return;
    }
    exchange->is_over = event->kind == LLM_END;
    exchange->options.sink(event, exchange->options.context);
}

/* Last, since the owner may free it. */
static void tell(struct exchange *exchange)
{
    loop_timer_clear(exchange->options.loop, &exchange->timer);
    exchange->options.over(exchange->options.context);
}

/* --- timeouts ----------------------------------------------------------------------------------
 */

static void time_out(struct exchange *exchange, enum llm_timeout timeout, const char *text)
{
    const struct llm_error error = {
        .class = LLM_ERROR_TIMEOUT, .timeout = timeout, .text = str_from(text)};
    http_call_cancel(TAKE(exchange->http));
    send_failure(exchange, &error);
    tell(exchange);
}

static void on_first_event_timer(struct exchange *exchange)
{
    struct loop *loop = exchange->options.loop;
    int64_t now_ms    = loop_now_ms(loop);
    int64_t sent_ms   = http_call_sent_ms(exchange->http);
    int64_t due_ms    = (sent_ms >= 0 ? sent_ms : now_ms) + exchange->first_event_ms;
    if (due_ms <= now_ms) {
        time_out(exchange, TIMEOUT_FIRST_EVENT, "the upstream said nothing in time");
    } else {
        loop_timer_set(loop, &exchange->timer, due_ms);
    }
}

static void on_timer(void *context)
{
    struct exchange *exchange = context;
    struct loop *loop         = exchange->options.loop;
    if (!exchange->has_meaning) {
        on_first_event_timer(exchange);
        return;
    }
    int64_t now_ms = loop_now_ms(loop);
    if (exchange->is_paused) exchange->active_ms = now_ms;
    int64_t due_ms = exchange->active_ms + exchange->idle_ms;
    if (due_ms <= now_ms) {
        time_out(exchange, TIMEOUT_IDLE, "the upstream fell silent in the middle of its answer");
    } else {
        loop_timer_set(loop, &exchange->timer, due_ms);
    }
}

/* --- rests -------------------------------------------------------------------------------------
 */

static void destroy(struct exchange *exchange)
{
    loop_timer_clear(exchange->options.loop, &exchange->timer);
    if (exchange->http) http_call_cancel(exchange->http);
    decoder_free(exchange->decoder);
    buf_done(&exchange->whole);
    free(exchange);
}

static void end_rest(struct exchange *exchange)
{
    struct exchange_rests *rests = exchange->options.rests;
    if (exchange->previous) exchange->previous->next = exchange->next;
    if (exchange->next) exchange->next->previous = exchange->previous;
    if (rests->first == exchange) rests->first = exchange->next;
    rests->count--;
    destroy(exchange);
}

static void on_rest_timer(void *context)
{
    end_rest(context);
}

static void become_rest(struct exchange *exchange)
{
    struct exchange_rests *rests = exchange->options.rests;
    struct loop *loop            = exchange->options.loop;
    exchange->is_rest            = true;
    exchange->silence            = 0;
    exchange->next               = rests->first;
    if (exchange->next) exchange->next->previous = exchange;
    rests->first = exchange;
    rests->count++;
    loop_timer_clear(loop, &exchange->timer);
    exchange->timer = (struct loop_timer){.fire = on_rest_timer, .context = exchange};
    loop_timer_set(loop, &exchange->timer, loop_now_ms(loop) + EXCHANGE_LINGER_MS);
}

void exchange_rests_done(struct exchange_rests *rests)
{
    while (rests->first) end_rest(rests->first);
}

void exchange_free(struct exchange *exchange)
{
    if (!exchange) return;
    bool may_linger = exchange->http && exchange->is_over && exchange->decoder &&
                      !exchange->is_paused &&
                      exchange->options.rests->count < EXCHANGE_LINGERING_MAX;
    if (may_linger) {
        become_rest(exchange);
    } else {
        destroy(exchange);
    }
}

/* --- HTTP --------------------------------------------------------------------------------------
 */

static bool is_event_stream(const struct http_answer *answer)
{
    str wanted = str_from("text/event-stream");
    str type   = {};
    if (answer->http_status != 200 || !http_answer_header(answer, "content-type", &type)) {
        return false;
    }
    return type.len >= wanted.len && strncasecmp(type.ptr, wanted.ptr, wanted.len) == 0;
}

struct loop_ahead *exchange_ahead(struct exchange *exchange)
{
    return exchange->http ? http_call_ahead(exchange->http) : NULL;
}

static enum http_flow on_headers(const struct http_answer *answer, void *context)
{
    struct exchange *exchange = context;
    if (!is_event_stream(answer)) return HTTP_GO_ON;
    exchange->decoder        = decoder_new(exchange->options.kind->stream, on_event, exchange);
    struct loop_ahead *ahead = exchange_ahead(exchange);
    if (!ahead) return HTTP_GO_ON;
    loop_ahead_add(ahead, exchange, offsetof(struct exchange, whole));
    decoder_ahead(exchange->decoder, ahead);
    return HTTP_GO_ON;
}

/* A rest is read for its connection's sake only. */
static enum http_flow skip(struct exchange *exchange, str data)
{
    exchange->silence += data.len;
    return exchange->silence > EXCHANGE_LINGER_MAX ? HTTP_STOP : HTTP_GO_ON;
}

static enum http_flow on_data(str data, void *context)
{
    struct exchange *exchange = context;
    if (exchange->is_rest) return skip(exchange, data);
    if (exchange->is_paused) return HTTP_PAUSE;
    exchange->active_ms = loop_now_ms(exchange->options.loop);
    if (!exchange->decoder) return buf_put_str(&exchange->whole, data) ? HTTP_GO_ON : HTTP_STOP;
    if (!exchange->has_meaning) exchange->silence += data.len;
    decoder_feed(exchange->decoder, data);
    if (!exchange->has_meaning && exchange->silence > EXCHANGE_SILENCE_MAX) {
        give_up(exchange, "the upstream's stream says nothing");
    }
    if (exchange->is_over) tell(exchange);
    return HTTP_GO_ON;
}

static void finish(struct exchange *exchange, const struct http_result *result)
{
    struct http_result whole = *result;
    if (exchange->decoder && result->code == STATUS_OK) {
        decoder_end(exchange->decoder);
    } else if (exchange->decoder) {
        const struct llm_error error = provider_transfer_error(result);
        decoder_fail(exchange->decoder, &error);
    } else {
        if (exchange->options.is_stream) whole.body = buf_str(&exchange->whole);
        exchange->options.kind->decode(&whole, on_event, exchange);
    }
}

static void on_done(const struct http_result *result, void *context)
{
    struct exchange *exchange = context;
    bool was_over             = exchange->is_over;
    exchange->http            = NULL;
    if (exchange->is_rest) {
        end_rest(exchange);
        return;
    }
    if (was_over) return; /* its owner knows, and has not let go of it yet */
    finish(exchange, result);
    ASSERT(exchange->is_over);
    tell(exchange);
}

status exchange_start(const struct exchange_options *options, const struct http_request *http,
                      struct exchange **ret_exchange, struct error *reterr)
{
    struct http_request request   = *http;
    struct http_handlers handlers = {.on_done = on_done};
    struct exchange *exchange     = mem_new(1, sizeof *exchange);
    exchange->options             = *options;
    exchange->whole               = buf_init(EXCHANGE_WHOLE_MAX);
    exchange->timer               = (struct loop_timer){.fire = on_timer, .context = exchange};
    exchange->first_event_ms      = http->timeouts.first_byte_ms;
    exchange->idle_ms             = http->timeouts.idle_ms;
    handlers.context              = exchange;
    if (options->is_stream) {
        handlers.on_headers            = on_headers;
        handlers.on_data               = on_data;
        request.timeouts.first_byte_ms = -1; /* ours are of events, not of bytes */
        request.timeouts.idle_ms       = -1;
    }
    status code = http_call_start(options->client, &request, &handlers, &exchange->http, reterr);
    if (code != STATUS_OK) {
        destroy(exchange);
        return code;
    }
    exchange->active_ms = loop_now_ms(options->loop);
    if (options->is_stream && exchange->first_event_ms > 0) {
        loop_timer_set(options->loop, &exchange->timer,
                       exchange->active_ms + exchange->first_event_ms);
    }
    *ret_exchange = exchange;
    return STATUS_OK;
}

void exchange_pause(struct exchange *exchange)
{
    if (exchange->options.is_stream) exchange->is_paused = true;
}

void exchange_resume(struct exchange *exchange)
{
    if (!exchange->is_paused) return;
    exchange->is_paused = false;
    exchange->active_ms = loop_now_ms(exchange->options.loop);
    if (exchange->http) http_call_resume(exchange->http);
}
