#include "llm-proxy/call_internal.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "llm-proxy/providers/simulated.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    TRY_ARENA_MAX = 64 << 20, /* bytes: the request as HTTP */
    REST_MS       = 20'000,   /* who asks for more is not called by anybody */
};

/* What a failure before any answer means. */
struct verdict {
    bool same_target; /* try again there */
    bool next_target;
    bool other_key; /* the key is the reason: another one of this target may do at once */
};

/* clang-format off */
static const struct verdict verdicts[LLM_ERROR_CLASS_COUNT] = {
    /*                          same   next   key   */
    [LLM_ERROR_CONNECT]      = {true,  true,  false},
    [LLM_ERROR_TIMEOUT]      = {false, true,  false},
    [LLM_ERROR_SERVER]       = {true,  true,  false},
    [LLM_ERROR_OVERLOADED]   = {true,  true,  false},
    [LLM_ERROR_RATE_LIMITED] = {true,  true,  true},
    [LLM_ERROR_QUOTA]        = {false, true,  true},
    [LLM_ERROR_KEY]          = {false, true,  true},
    [LLM_ERROR_REQUEST]      = {false, false, false},
    [LLM_ERROR_BREAKER]      = {false, true,  false},
    [LLM_ERROR_LIMIT]        = {false, true,  false},
    [LLM_ERROR_BUDGET]       = {false, false, false},
};
/* clang-format on */

static void begin_try(struct llm_call *call);

struct pipeline *pipeline_new(const struct pipeline_options *options)
{
    struct pipeline *pipeline = mem_new(1, sizeof *pipeline);
    uint32_t count            = options->catalog->provider_count;
    pipeline->options         = *options;
    pipeline->keys            = mem_new(count ? count : 1, sizeof *pipeline->keys);
    pipeline->numbers         = mem_new(count ? count : 1, sizeof *pipeline->numbers);
    pipeline->prng            = (struct prng){.state = options->seed};
    return pipeline;
}

void pipeline_freep(struct pipeline **ref)
{
    struct pipeline *pipeline = *ref;
    if (!pipeline) return;
    while (pipeline->calls) llm_call_cancel(pipeline->calls);
    free(pipeline->keys);
    free(pipeline->numbers);
    free(pipeline);
    *ref = NULL;
}

bool llm_error_is_failure(enum llm_error_class class)
{
    return class == LLM_ERROR_CONNECT || class == LLM_ERROR_TIMEOUT || class == LLM_ERROR_SERVER ||
           class == LLM_ERROR_OVERLOADED;
}

/* What the try says about its provider. */
static enum guard_end end_of(const struct llm_call *call)
{
    bool is_silent =
        call->answer.is_failed &&
        (call->answer.error.class == LLM_ERROR_RATE_LIMITED ||
         call->answer.error.class == LLM_ERROR_QUOTA || call->answer.error.class == LLM_ERROR_KEY);
    if (is_silent) return GUARD_RETURNED;
    bool has_failed = call->answer.is_failed && llm_error_is_failure(call->answer.error.class);
    return has_failed ? GUARD_FAILED : GUARD_SUCCEEDED;
}

static void leave(struct llm_call *call, enum guard_end end)
{
    struct guard *guard = call->pipeline->options.guard;
    if (guard) guard_leave(guard, &call->pass, end);
}

/* No more tries there. What a job's last provider has met its report says. */
static void note_target(const struct llm_call *call, const struct llm_error *error, bool is_last)
{
    struct guard *guard = call->pipeline->options.guard;
    bool is_told        = is_last && call->is_job;
    if (!guard || is_told) return;
    if (llm_error_is_failure(error->class)) guard_note_failure(guard, call_provider(call));
    bool asks_for_rest = error->class == LLM_ERROR_RATE_LIMITED && error->retry_after_ms > REST_MS;
    if (asks_for_rest) guard_note_rest(guard, call_provider(call), error->retry_after_ms);
}

static void release_try(struct llm_call *call)
{
    if (call->key) call->key->in_flight--;
    call->key  = NULL;
    call->http = NULL;
    arena_free(TAKE(call->arena));
}

/* --- the end -----------------------------------------------------------------------------------
 */

static void call_free(struct llm_call *call)
{
    struct pipeline *pipeline = call->pipeline;
    if (call->previous) call->previous->next = call->next;
    if (call->next) call->next->previous = call->previous;
    if (pipeline->calls == call) pipeline->calls = call->next;
    loop_timer_clear(pipeline->options.loop, &call->timer);
    answer_done(&call->answer);
    free(call);
}

static Pb__CostSource source_of(enum cost_kind kind)
{
    switch (kind) {
    case COST_KIND_REPORTED: return PB__COST_SOURCE__COST_SOURCE_REPORTED;
    case COST_KIND_ESTIMATED: return PB__COST_SOURCE__COST_SOURCE_ESTIMATED;
    case COST_KIND_SIMULATED: return PB__COST_SOURCE__COST_SOURCE_SIMULATED;
    case COST_KIND_FREE: return PB__COST_SOURCE__COST_SOURCE_FREE;
    case COST_KIND_UNKNOWN: return PB__COST_SOURCE__COST_SOURCE_UNKNOWN;
    }
    return PB__COST_SOURCE__COST_SOURCE_UNKNOWN;
}

static int64_t or_zero(int64_t counter)
{
    return counter > 0 ? counter : 0;
}

static void fill_usage(const struct llm_call *call, Pb__Usage *usage)
{
    const struct route_target *target = call_target(call);
    enum cost_kind kind               = COST_KIND_UNKNOWN;
    pb__usage__init(usage);
    usage->cost_usd_nanos =
        catalog_cost(call->pipeline->options.catalog, target, &call->answer.usage, &kind);
    usage->cost_source      = source_of(kind);
    usage->simulated        = kind == COST_KIND_SIMULATED;
    usage->calls            = 1;
    usage->input_tokens     = or_zero(call->answer.usage.input_tokens);
    usage->output_tokens    = or_zero(call->answer.usage.output_tokens);
    usage->cached_tokens    = or_zero(call->answer.usage.cached_tokens);
    usage->reasoning_tokens = or_zero(call->answer.usage.reasoning_tokens);
    usage->provider         = target->provider->name;
    usage->model            = target->model.ptr;
}

static void finish(struct llm_call *call, const struct llm_error *error)
{
    const struct route_target *target = call_target(call);
    struct llm_outcome outcome        = {
               .is_ok        = !error,
               .answer       = error ? NULL : &call->answer,
               .is_simulated = target->provider->kind->is_simulated,
               .tries        = call->tries,
               .losses       = &call->losses,
               .provider     = target->provider->name,
               .model        = target->model,
               .duration_ms  = loop_now_ms(call->pipeline->options.loop) - call->started_ms,
               .usage        = PB__USAGE__INIT,
    };
    if (error) outcome.error = *error;
    if (!error) fill_usage(call, &outcome.usage);
    measures_call(call->pipeline->options.measures, &outcome);
    call->done(&outcome, call->context);
    call_free(call);
}

/* --- after a failure ---------------------------------------------------------------------------
 */

static void on_timer(void *context)
{
    begin_try(context);
}

static void wait_for(struct llm_call *call, int64_t wait_ms)
{
    struct loop *loop = call->pipeline->options.loop;
    call->timer       = (struct loop_timer){.fire = on_timer, .context = call};
    loop_timer_set(loop, &call->timer, loop_now_ms(loop) + wait_ms);
}

/* Full jitter: a crowd that failed together does not come back together. */
static int64_t backoff_ms(struct llm_call *call)
{
    const struct route_retry *retry = &call->route->retry;
    int64_t delay_ms                = retry->delay_ms;
    for (uint32_t i = 1; i < call->target_tries && delay_ms < retry->delay_ms_max; i++) {
        delay_ms *= 2;
    }
    if (delay_ms > retry->delay_ms_max) delay_ms = retry->delay_ms_max;
    return (int64_t)(prng_next(&call->pipeline->prng) % (uint64_t)(delay_ms + 1));
}

static bool has_next_target(const struct llm_call *call)
{
    return call->position + 1 < call->route->target_count;
}

static void next_target(struct llm_call *call)
{
    call->position++;
    call->target_tries = 0;
}

static bool is_late(const struct llm_call *call, int64_t wait_ms)
{
    return call->deadline_ms > 0 &&
           loop_now_ms(call->pipeline->options.loop) + wait_ms >= call->deadline_ms;
}

static void after_failure(struct llm_call *call)
{
    const struct llm_error error    = call->answer.error;
    const struct verdict *verdict   = &verdicts[error.class];
    const struct route_retry *retry = &call->route->retry;
    call_punish_key(call, &error);
    leave(call, end_of(call));
    release_try(call);

    bool may_be_same = verdict->same_target && call->target_tries < retry->attempts;
    if (verdict->other_key && call->target_tries < retry->attempts && call_has_usable_key(call)) {
        wait_for(call, 0);
        return;
    }
    int64_t wait_ms = backoff_ms(call);
    if (error.retry_after_ms > wait_ms) wait_ms = error.retry_after_ms;
    if (may_be_same && wait_ms <= retry->wait_ms_max && !is_late(call, wait_ms)) {
        wait_for(call, wait_ms);
    } else if (verdict->next_target && has_next_target(call)) {
        note_target(call, &error, false);
        next_target(call);
        wait_for(call, 0);
    } else {
        note_target(call, &error, true);
        finish(call, &error);
    }
}

static void after_try(struct llm_call *call)
{
    measures_try(call->pipeline->options.measures, call_target(call)->provider->name,
                 call->answer.is_failed ? llm_error_class_name(call->answer.error.class) : "ok");
    if (call->answer.is_too_large && !call->answer.is_failed) {
        call->answer.is_failed = true;
        call->answer.error     = (struct llm_error){.class = LLM_ERROR_REQUEST,
                                                    .text  = str_from("the answer is too large")};
    }
    if (call->answer.is_failed) {
        after_failure(call);
        return;
    }
    leave(call, GUARD_SUCCEEDED);
    release_try(call);
    finish(call, NULL);
}

/* --- a try -------------------------------------------------------------------------------------
 */

static void fail_try(struct llm_call *call, enum llm_error_class class, const char *text)
{
    const struct llm_event event = {.kind  = LLM_ERROR,
                                    .error = {.class = class, .text = str_from(text)}};
    answer_take(&event, &call->answer);
    after_try(call);
}

static void on_http_done(const struct http_result *result, void *context)
{
    struct llm_call *call = context;
    call->http            = NULL;
    call_target(call)->provider->kind->decode(result, answer_take, &call->answer);
    after_try(call);
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
    const struct route_target *target = call_target(call);
    struct http_request http          = {};
    struct error error                = {};
    call->arena                       = arena_new(TRY_ARENA_MAX);
    call->losses                      = (struct losses){.arena = call->request->arena};
    ASSERT(call->arena);
    const struct provider_request what = {.provider = target->provider,
                                          .key      = key,
                                          .chat     = call->request,
                                          .model    = target->model,
                                          .losses   = &call->losses};
    status code        = target->provider->kind->encode(&what, call->arena, &http, &error);
    http.timeouts      = call->route->timeouts;
    http.allow_private = true; /* base URLs come from the configuration, never from a request */
    bound_by_deadline(call, &http.timeouts);
    const struct http_handlers handlers = {.on_done = on_http_done, .context = call};
    if (code == STATUS_OK) {
        code = http_call_start(call->pipeline->options.http, &http, &handlers, &call->http, &error);
    }
    if (code == STATUS_OK) return;
    bool is_ours = code == STATUS_RESOURCE_EXHAUSTED;
    fail_try(call, is_ours ? LLM_ERROR_SERVER : LLM_ERROR_REQUEST, error.text);
}

static void on_simulated(void *context)
{
    struct llm_call *call             = context;
    const struct route_target *target = call_target(call);
    uint64_t number                   = ++call->pipeline->numbers[call_provider(call)];
    measures_simulated(call->pipeline->options.measures);
    simulated_answer(target->provider, call->request, target->model, number, answer_take,
                     &call->answer);
    after_try(call);
}

static void simulate(struct llm_call *call)
{
    struct loop *loop = call->pipeline->options.loop;
    call->timer       = (struct loop_timer){.fire = on_simulated, .context = call};
    loop_timer_set(loop, &call->timer,
                   loop_now_ms(loop) +
                       simulated_delay_ms(call_target(call)->provider, call->request));
}

static void try_now(struct llm_call *call)
{
    const struct provider *provider = call_target(call)->provider;
    call->tries++;
    call->target_tries++;
    if (is_late(call, 0)) {
        const struct llm_event event = {.kind  = LLM_ERROR,
                                        .error = {.class   = LLM_ERROR_TIMEOUT,
                                                  .timeout = TIMEOUT_TOTAL,
                                                  .text    = str_from("the deadline is over")}};
        answer_take(&event, &call->answer);
        after_try(call);
        return;
    }
    if (provider->kind->is_simulated) {
        simulate(call);
        return;
    }
    int64_t wait_ms                = 0;
    const struct provider_key *key = call_choose_key(call, &wait_ms);
    if (!key && provider->key_count > 0) {
        const struct llm_event event = {
            .kind  = LLM_ERROR,
            .error = {.class          = wait_ms >= 0 ? LLM_ERROR_RATE_LIMITED : LLM_ERROR_KEY,
                      .text           = str_from("no key of the provider is usable now"),
                      .retry_after_ms = wait_ms > 0 ? wait_ms : 0}};
        answer_take(&event, &call->answer);
        after_try(call);
        return;
    }
    if (call->key) call->key->in_flight++;
    send_http(call, key);
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
                  .retry_after_ms = guard_retry_ms(guard, call_provider(call))}};
    answer_take(&event, &call->answer);
    after_try(call);
}

static void on_decided(enum guard_verdict verdict, void *context)
{
    struct llm_call *call = context;
    if (verdict == GUARD_GO) {
        try_now(call);
    } else {
        refuse_try(call, verdict);
    }
}

/* Says whether the scheduler has let the call of this provider pass already. */
static bool is_let_pass(const struct llm_call *call)
{
    str target = str_from(call->let_pass);
    str kind   = str_from("llm:");
    return str_starts_with(target, kind) &&
           str_is(str_slice(target, kind.len, target.len), call_target(call)->provider->name);
}

static void begin_try(struct llm_call *call)
{
    struct guard *guard = call->pipeline->options.guard;
    answer_done(&call->answer);
    answer_init(&call->answer);
    call->pass                 = (struct guard_pass){.decided = on_decided, .context = call};
    enum guard_verdict verdict = GUARD_GO;
    if (guard && !is_let_pass(call)) {
        verdict = guard_enter(guard, call_provider(call), &call->pass);
    }
    if (verdict != GUARD_WAIT) on_decided(verdict, call);
}

struct llm_call *llm_call_start(struct pipeline *pipeline, const struct chat_request *request,
                                const struct llm_route *route, int64_t deadline_ms,
                                llm_call_done *done, void *context)
{
    ASSERT(route->target_count > 0);
    struct llm_call *call = mem_new(1, sizeof *call);
    call->pipeline        = pipeline;
    call->request         = request;
    call->route           = route;
    call->done            = done;
    call->context         = context;
    call->deadline_ms     = deadline_ms;
    call->started_ms      = loop_now_ms(pipeline->options.loop);
    call->next            = pipeline->calls;
    if (call->next) call->next->previous = call;
    pipeline->calls = call;
    answer_init(&call->answer);
    call_draw_order(call);
    wait_for(call, 0); /* on the next turn, so that `done` never comes before we return */
    return call;
}

void llm_call_is_job(struct llm_call *call, const char *target)
{
    call->is_job = true;
    (void)snprintf(call->let_pass, sizeof call->let_pass, "%s", target);
}

void llm_call_cancel(struct llm_call *call)
{
    leave(call, GUARD_RETURNED);
    if (call->http) http_call_cancel(call->http);
    release_try(call);
    measures_cancelled(call->pipeline->options.measures);
    call_free(call);
}
