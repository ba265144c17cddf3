/* One try of a call: whether its provider may be called, the key, the exchange. */
#include "llm-proxy/call/call_internal.h"
#include "llm-proxy/call/call_saved.h"
#include "llm-proxy/providers/counting.h"

#include "base/assert.h"

#include <stdio.h>

enum {
    TRY_ARENA_MAX          = 64 << 20, /* bytes: the request as HTTP */
    SIMULATED_PER_TURN_MAX = 64,       /* events, so that a fast model lets others in between */
};

/* --- a try -------------------------------------------------------------------------------------
 */

static void fail_try(struct llm_call *call, enum llm_error_class class, const char *text)
{
    const struct llm_event event = {.kind  = LLM_ERROR,
                                    .error = {.class = class, .text = str_from(text)}};
    answer_take(&event, &call->answer);
    call_after_try(call);
}

/* Another target may be able to carry it. */
static void refuse_losses(struct llm_call *call)
{
    CLEANUP(buf_done) struct buf text = buf_init(LOSSES_TEXT_MAX);
    (void)buf_put_text(&text, "Tutti-Strict: this would be lost: ");
    losses_print_text(&call->losses, &text);
    fail_try(call, LLM_ERROR_CONVERSION, buf_str(&text).ptr);
}

struct loop_ahead *llm_call_ahead(struct llm_call *call)
{
    return call->exchange ? exchange_ahead(call->exchange) : NULL;
}

static void commit(struct llm_call *call)
{
    const struct route_target *target = call_target(call);
    int64_t after_ms   = loop_now_ms(call->pipeline->options.loop) - call->started_ms;
    call->is_committed = true;
    call->first_ms     = after_ms;
    pulse_began(call->pipeline->options.pulse, target->provider->name, after_ms);
    measures_first_token(call->pipeline->options.measures, target->provider->name, target->model,
                         after_ms);
    struct loop_ahead *ahead = llm_call_ahead(call);
    if (!ahead) return;
    loop_ahead_add(ahead, call, offsetof(struct llm_call, answer.id));
    loop_ahead_add(ahead, &call->answer.usage, sizeof call->answer.usage);
}

/* What the try says; a client that streams hears it at once. */
static void on_event(const struct llm_event *event, void *context)
{
    struct llm_call *call = context;
    struct llm_event adapted;
    const struct llm_event *said = call_adapt_event(call, event, &adapted);
    answer_take(said, &call->answer);
    if (call->saving) call_saving_take(call, said);
    if (!call->stream.event || said->kind == LLM_ERROR || said->kind == LLM_END) return;
    if (!call->is_committed && llm_event_is_meaningful(said)) commit(call);
    call->stream.event(said, call->stream.context);
}

static void on_exchange_over(void *context)
{
    call_after_try(context);
}

static void bound_by_deadline(const struct llm_call *call, struct http_timeouts *timeouts)
{
    if (call->deadline_ms == 0) return;
    int64_t left_ms = call->deadline_ms - loop_now_ms(call->pipeline->options.loop);
    if (left_ms < 1) left_ms = 1;
    if (timeouts->total_ms <= 0 || left_ms < timeouts->total_ms) timeouts->total_ms = left_ms;
}

static void send_http(struct llm_call *call, const struct provider_key *key)
{
    struct pipeline *pipeline         = call->pipeline;
    const struct route_target *target = call_target(call);
    struct http_request http          = {};
    struct error error                = {};
    const struct provider_kind *kind  = target->provider->kind;
    if (call->request->is_count) kind = kind->counter;
    ASSERT(call->request->run_count == 0 || kind->protocol == call->request->protocol);
    call->arena                        = arena_new(TRY_ARENA_MAX);
    const struct chat_request *request = call_adapt(call);
    if (!request) {
        fail_try(call, LLM_ERROR_REQUEST, "the request is too large");
        return;
    }
    const struct provider_request what = {.provider = target->provider,
                                          .key      = key,
                                          .chat     = request,
                                          .model    = target->model,
                                          .losses   = &call->losses};
    status code                        = kind->encode(&what, call->arena, &http, &error);
    bool is_strict                     = call->request->is_strict || call->route->is_strict;
    if (code == STATUS_OK && is_strict && call->losses.count > 0) {
        refuse_losses(call);
        return;
    }
    bool is_stream = call->request->is_stream;
    http.is_stream = is_stream;
    /* What is inflated comes in lumps; and within a cluster packing costs more than bytes do. */
    http.is_compressed = !is_stream && !target->provider->plain_host;
    http.timeouts      = call->route->timeouts;
    http.allow_private = true; /* base URLs come from the configuration, never from a request */
    bound_by_deadline(call, &http.timeouts);
    const struct exchange_options options = {.loop      = pipeline->options.loop,
                                             .client    = pipeline->options.http,
                                             .kind      = kind,
                                             .rests     = &pipeline->rests,
                                             .is_stream = is_stream,
                                             .sink      = on_event,
                                             .over      = on_exchange_over,
                                             .context   = call};
    if (code == STATUS_OK) code = exchange_start(&options, &http, &call->exchange, &error);
    if (code == STATUS_OK) {
        call->is_sent = true;
        arena_free(TAKE(call->arena)); /* the client has its own copy */
        json_unref(json_take(&call->source));
        return;
    }
    bool is_ours = code == STATUS_RESOURCE_EXHAUSTED;
    fail_try(call, is_ours ? LLM_ERROR_SERVER : LLM_ERROR_REQUEST, error.text);
}

/* --- simulated ---------------------------------------------------------------------------------
 */

static void on_simulated(void *context)
{
    struct llm_call *call             = context;
    const struct route_target *target = call_target(call);
    uint64_t number                   = ++call->pipeline->numbers[call_provider(call)];
    measures_simulated(call->pipeline->options.measures);
    simulated_answer(target->provider, call->request, target->model, number, on_event, call);
    call_after_try(call);
}

/* Says what is due by now, and comes again for the rest. */
static void on_simulated_due(void *context)
{
    struct llm_call *call = context;
    struct loop *loop     = call->pipeline->options.loop;
    bool is_more          = true;
    for (int i = 0; is_more && !call->is_paused && i < SIMULATED_PER_TURN_MAX; i++) {
        if (simulated_stream_due_ms(call->simulation) > loop_now_ms(loop)) break;
        is_more = simulated_stream_send(call->simulation, on_event, call);
    }
    if (!is_more) {
        call_after_try(call);
    } else if (!call->is_paused) {
        call_simulate_on(call);
    }
}

void call_simulate_on(struct llm_call *call)
{
    call->timer = (struct loop_timer){.fire = on_simulated_due, .context = call};
    loop_timer_set(call->pipeline->options.loop, &call->timer,
                   simulated_stream_due_ms(call->simulation));
}

static void simulate(struct llm_call *call)
{
    struct loop *loop               = call->pipeline->options.loop;
    const struct provider *provider = call_target(call)->provider;
    int64_t now_ms                  = loop_now_ms(loop);
    call->is_sent                   = true;
    if (call->request->is_stream) {
        uint64_t number = ++call->pipeline->numbers[call_provider(call)];
        measures_simulated(call->pipeline->options.measures);
        call->simulation =
            simulated_stream_new(provider, call->request, call_target(call)->model, number, now_ms);
        call_simulate_on(call);
        return;
    }
    call->timer = (struct loop_timer){.fire = on_simulated, .context = call};
    loop_timer_set(loop, &call->timer, now_ms + simulated_delay_ms(provider, call->request));
}

/* --- the beginning -----------------------------------------------------------------------------
 */

/* How many tokens a request has, where nobody says. */
static void estimate(struct llm_call *call)
{
    struct llm_event used      = {.kind = LLM_USAGE, .usage = llm_usage_unknown()};
    const struct llm_event end = {.kind = LLM_END, .end = END_COMPLETE};
    used.usage.input_tokens    = counting_estimate(call->request);
    answer_take(&used, &call->answer);
    answer_take(&end, &call->answer);
    call_after_try(call);
}

/* It may wait for a limit from now on; it has. */
static void begin_wait(struct llm_call *call)
{
    call->asked_ms = loop_now_ms(call->pipeline->options.loop);
}

static void end_wait(const struct llm_call *call)
{
    int64_t waited_ms = loop_now_ms(call->pipeline->options.loop) - call->asked_ms;
    measures_lease_wait(call->pipeline->options.measures, call_target(call)->provider->name,
                        waited_ms);
}

static void on_key_decided(enum guard_verdict verdict, void *context);

static void refuse_key(struct llm_call *call, const struct key_refusal *refusal)
{
    enum llm_error_class class = refusal->is_full ? LLM_ERROR_LIMIT : LLM_ERROR_RATE_LIMITED;
    const char *text           = refusal->is_full ? "the limits of the provider's keys are reached"
                                                  : "no key of the provider is usable now";
    if (refusal->wait_ms < 0) class = LLM_ERROR_KEY;
    const struct llm_event event = {
        .kind  = LLM_ERROR,
        .error = {.class          = class,
                  .text           = str_from(text),
                  .retry_after_ms = refusal->wait_ms > 0 ? refusal->wait_ms : 0}};
    answer_take(&event, &call->answer);
    call_after_try(call);
}

/* One after the other, until one has room; each that has none is shut. */
static void try_keys(struct llm_call *call)
{
    struct key_refusal refusal;
    enum guard_verdict verdict = GUARD_LIMIT;
    while (verdict == GUARD_LIMIT) {
        const struct provider_key *key = call_choose_key(call, &refusal);
        if (!key && call_target(call)->provider->key_count > 0) {
            refuse_key(call, &refusal);
            return;
        }
        begin_wait(call);
        verdict = call_ask_key(call, on_key_decided);
        if (verdict == GUARD_LIMIT) call_shut_key(call);
    }
    if (verdict == GUARD_GO) send_http(call, call_enter_key(call));
}

static void on_key_decided(enum guard_verdict verdict, void *context)
{
    struct llm_call *call = context;
    end_wait(call);
    if (verdict == GUARD_GO) {
        send_http(call, call_enter_key(call));
        return;
    }
    call_shut_key(call);
    try_keys(call);
}

static void try_now(struct llm_call *call)
{
    const struct provider *provider = call_target(call)->provider;
    call->tries++;
    call->target_tries++;
    if (call_is_late(call, 0)) {
        const struct llm_event event = {.kind  = LLM_ERROR,
                                        .error = {.class   = LLM_ERROR_TIMEOUT,
                                                  .timeout = TIMEOUT_TOTAL,
                                                  .text    = str_from("the deadline is over")}};
        answer_take(&event, &call->answer);
        call_after_try(call);
        return;
    }
    if (call->request->is_count && !provider->kind->counter) {
        estimate(call);
        return;
    }
    if (provider->kind->is_simulated) {
        simulate(call);
        return;
    }
    try_keys(call);
}

/* Nobody was called: another target may do; else the caller hears when it makes sense to come
 * again, which is not counted as a try. */
static void refuse_try(struct llm_call *call, enum guard_verdict verdict)
{
    const struct guard *guard = call->pipeline->options.guard;
    bool is_breaker           = verdict == GUARD_BREAKER;
    char text[CALL_TARGET_SIZE + 64];
    (void)snprintf(text, sizeof text, "%s of llm:%s %s",
                   is_breaker ? "the circuit breaker" : "the limit",
                   call_target(call)->provider->name, is_breaker ? "is open" : "is reached");
    const struct llm_event event = {
        .kind  = LLM_ERROR,
        .error = {.class          = is_breaker ? LLM_ERROR_BREAKER : LLM_ERROR_LIMIT,
                  .text           = str_from(text),
                  .retry_after_ms = guard_retry_ms(guard, call_guarded(call))}};
    answer_take(&event, &call->answer);
    call_after_try(call);
}

static void pass_quotas(struct llm_call *call);

static void refuse_quota(struct llm_call *call)
{
    char text[QUOTA_TARGET_SIZE + 64];
    const struct llm_event event = {.kind  = LLM_ERROR,
                                    .error = call_quota_refusal(call, text, sizeof text)};
    answer_take(&event, &call->answer);
    call_after_try(call);
}

static void on_quota(struct llm_call *call, bool may_go)
{
    end_wait(call);
    if (may_go) {
        pass_quotas(call);
    } else {
        refuse_quota(call);
    }
}

static void pass_quotas(struct llm_call *call)
{
    begin_wait(call);
    switch (call_ask_quotas(call, on_quota)) {
    case QUOTA_GO: try_now(call); break;
    case QUOTA_SHUT: refuse_quota(call); break;
    case QUOTA_WAIT: break;
    }
}

static void on_decided(enum guard_verdict verdict, void *context)
{
    struct llm_call *call = context;
    if (verdict == GUARD_GO) {
        pass_quotas(call);
    } else {
        refuse_try(call, verdict);
    }
}

/* Who waits to be the probe of a breaker waits for no limit. */
static void on_waited(enum guard_verdict verdict, void *context)
{
    struct llm_call *call = context;
    if (!call->pass.wants_probe) end_wait(call);
    on_decided(verdict, call);
}

/* Says whether the scheduler has let the call of this provider pass already. */
static bool is_let_pass(const struct llm_call *call)
{
    str target = str_from(call->let_pass);
    str kind   = str_from("llm:");
    return str_starts_with(target, kind) &&
           str_is(str_slice(target, kind.len, target.len), call_target(call)->provider->name);
}

void call_begin_try(struct llm_call *call)
{
    struct guard *guard = call->pipeline->options.guard;
    if (call->saving && call_ask_saved(call)) return;
    if (call->saving) call_saving_restart(call);
    call->try_started_ms = loop_now_ms(call->pipeline->options.loop);
    call->is_sent        = false;
    answer_done(&call->answer);
    answer_init(&call->answer);
    call->losses                 = (struct losses){.arena = call->request->arena};
    call->answer.is_counted_only = call->stream.event && !call->stream.is_collected;
    if (call->stream.begun) {
        const struct provider *provider = call_target(call)->provider;
        const struct llm_try begun      = {.provider     = provider->name,
                                           .model        = call_target(call)->model,
                                           .number       = call->tries + 1,
                                           .is_simulated = provider->kind->is_simulated,
                                           .losses       = &call->losses,
                                           .attempts     = call->attempts,
                                           .cached       = call->saving ? CACHED_MISS : CACHED_NO};
        call->stream.begun(&begun, call->stream.context);
    }
    call->pass                 = (struct guard_pass){.decided = on_waited, .context = call};
    enum guard_verdict verdict = GUARD_GO;
    begin_wait(call);
    if (guard && !is_let_pass(call)) {
        verdict = guard_enter(guard, call_guarded(call), &call->pass);
    }
    if (verdict != GUARD_WAIT) on_decided(verdict, call);
}
