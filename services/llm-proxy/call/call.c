#include "llm-proxy/call/call_internal.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "llm-proxy/call/call_saved.h"
#include "llm-proxy/call/embed_pool.h"

#include <stdio.h>
#include <stdlib.h>

enum { REST_MS = 20'000 /* who asks for more is not called by anybody */ };

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
    [LLM_ERROR_CONVERSION]   = {false, true,  false},
    [LLM_ERROR_BUDGET]       = {false, false, false},
    [LLM_ERROR_RUN]          = {false, false, false},
    [LLM_ERROR_OUTPUT]       = {false, false, false},
    [LLM_ERROR_INTERRUPTED]  = {false, false, false},
};
/* clang-format on */

struct pipeline *pipeline_new(const struct pipeline_options *options)
{
    struct pipeline *pipeline = mem_new(1, sizeof *pipeline);
    uint32_t count            = options->catalog->provider_count;
    pipeline->options         = *options;
    pipeline->keys            = mem_new(count ? count : 1, sizeof *pipeline->keys);
    pipeline->numbers         = mem_new(count ? count : 1, sizeof *pipeline->numbers);
    pipeline->guarded         = mem_new(count ? count : 1, sizeof *pipeline->guarded);
    for (uint32_t i = 0; options->guard && i < count; i++) {
        pipeline->guarded[i] = guard_place(options->guard, options->catalog->providers[i].name);
    }
    pipeline->prng    = (struct prng){.state = options->seed};
    pipeline->cache   = answer_cache_new(ANSWER_CACHE_SIZE_MAX);
    pipeline->vectors = answer_cache_new(VECTORS_SIZE_MAX);
    answer_cache_keep_with(pipeline->cache, &options->keeper);
    pipeline->pools = embed_pools_new(pipeline);
    return pipeline;
}

void pipeline_freep(struct pipeline **ref)
{
    struct pipeline *pipeline = *ref;
    if (!pipeline) return;
    embed_pools_freep(&pipeline->pools);
    while (pipeline->calls) llm_call_cancel(pipeline->calls);
    exchange_rests_done(&pipeline->rests);
    answer_cache_freep(&pipeline->cache);
    answer_cache_freep(&pipeline->vectors);
    free(pipeline->keys);
    free(pipeline->numbers);
    free(pipeline->guarded);
    free(pipeline);
    *ref = NULL;
}

struct pipeline *pipeline_hold(struct pipeline *pipeline)
{
    pipeline->holds++;
    return pipeline;
}

void pipeline_release(struct pipeline *pipeline)
{
    ASSERT(pipeline->holds > 0);
    pipeline->holds--;
}

bool pipeline_is_idle(const struct pipeline *pipeline)
{
    return pipeline->holds == 0 && !pipeline->calls;
}

struct loop *pipeline_loop(const struct pipeline *pipeline)
{
    return pipeline->options.loop;
}

struct measures *pipeline_measures(const struct pipeline *pipeline)
{
    return pipeline->options.measures;
}

struct http_client *pipeline_http(const struct pipeline *pipeline)
{
    return pipeline->options.http;
}

const struct pulse *pipeline_pulse(const struct pipeline *pipeline)
{
    return pipeline->options.pulse;
}

const struct catalog *pipeline_catalog(const struct pipeline *pipeline)
{
    return pipeline->options.catalog;
}

bool llm_error_is_failure(enum llm_error_class class)
{
    return class == LLM_ERROR_CONNECT || class == LLM_ERROR_TIMEOUT || class == LLM_ERROR_SERVER ||
           class == LLM_ERROR_OVERLOADED;
}

/* What the try says about its provider. */
static enum guard_end end_of(const struct llm_call *call)
{
    if (!call->is_sent) return GUARD_UNUSED;
    bool is_silent =
        call->answer.is_failed &&
        (call->answer.error.class == LLM_ERROR_RATE_LIMITED ||
         call->answer.error.class == LLM_ERROR_QUOTA || call->answer.error.class == LLM_ERROR_KEY ||
         call->answer.error.class == LLM_ERROR_LIMIT);
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
    if (llm_error_is_failure(error->class)) guard_note_failure(guard, call_guarded(call));
    bool asks_for_rest = error->class == LLM_ERROR_RATE_LIMITED && error->retry_after_ms > REST_MS;
    if (asks_for_rest) guard_note_rest(guard, call_guarded(call), error->retry_after_ms);
}

static void release_try(struct llm_call *call)
{
    call_leave_quotas(call);
    call_leave_key(call);
    exchange_free(TAKE(call->exchange));
    simulated_stream_free(TAKE(call->simulation));
    scribe_free(TAKE(call->scribe));
    json_unref(json_take(&call->source));
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
    if (call->stream.event) measures_stream(pipeline->options.measures, -1);
    loop_timer_clear(pipeline->options.loop, &call->timer);
    peers_recall_drop(call->recall);
    if (call->saving) call_saving_free(call);
    answer_done(&call->answer);
    free(call);
}

static const char *operation_of(const struct chat_request *request)
{
    if (request->is_count) return "count";
    return request->input_count > 0 ? "embeddings" : "chat";
}

static const char *protocol_name(enum llm_protocol protocol)
{
    switch (protocol) {
    case PROTOCOL_ANTHROPIC: return "anthropic";
    case PROTOCOL_GEMINI: return "gemini";
    default: return "openai";
    }
}

/* By its provider, to the end: not by an answer from before, nor by what counts tokens here. */
static bool was_answered(const struct llm_outcome *outcome)
{
    bool is_own = outcome->cached == CACHED_NO || outcome->cached == CACHED_MISS;
    return outcome->is_ok && is_own && !outcome->is_estimated && !outcome->is_stopped;
}

void call_end_with(struct llm_call *call, const struct llm_error *error)
{
    const struct route_target *target = call_target(call);
    struct llm_outcome outcome        = {
               .is_ok        = !error,
               .answer       = error ? NULL : &call->answer,
               .is_simulated = target->provider->kind->is_simulated,
               .is_estimated = call->request->is_count && !target->provider->kind->counter,
               .tries        = call->tries,
               .attempts     = call->attempts,
               .losses       = &call->losses,
               .provider     = target->provider->name,
               .model        = target->model,
               .duration_ms  = loop_now_ms(call->pipeline->options.loop) - call->started_ms,
               .usage        = PB__USAGE__INIT,
    };
    if (error) outcome.error = *error;
    outcome.is_committed = call->is_committed;
    outcome.first_ms     = call->first_ms;
    outcome.is_stopped   = !error && call->answer.end == END_BUDGET;
    outcome.counters     = call_counters(call, !error || call->is_committed);
    call_fill_usage(call, !error || call->is_committed, &outcome.usage);
    if (call->saving) call_saving_finish(call, &outcome);
    measures_call(call->pipeline->options.measures, &outcome, operation_of(call->request),
                  protocol_name(target->provider->kind->protocol));
    call_warn_unpriced(&outcome.usage);
    if (was_answered(&outcome)) {
        pulse_answered(call->pipeline->options.pulse, outcome.provider, outcome.duration_ms);
    }
    call->done(&outcome, call->context);
    call_free(call);
}

/* --- after a failure ---------------------------------------------------------------------------
 */

static void on_timer(void *context)
{
    call_begin_try(context);
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

/* Who says when it may be asked again. */
static bool is_resting(const struct llm_error *error)
{
    return error->class == LLM_ERROR_RATE_LIMITED || error->class == LLM_ERROR_OVERLOADED ||
           error->class == LLM_ERROR_BREAKER || error->class == LLM_ERROR_LIMIT;
}

static void note_rest(struct llm_call *call, const struct llm_error *error)
{
    int64_t now_ms  = loop_now_ms(call->pipeline->options.loop);
    int64_t back_ms = now_ms + error->retry_after_ms;
    if (!is_resting(error) || error->retry_after_ms <= 0) return;
    if (call->back_ms <= now_ms || back_ms < call->back_ms) call->back_ms = back_ms;
}

/* No target is left: begins again with the first that comes back, if the route wants that and there
 * is time. A job waits in its queue. */
static bool may_wait(struct llm_call *call, const struct llm_error *error)
{
    int64_t wait_ms = call->back_ms - loop_now_ms(call->pipeline->options.loop);
    int64_t end_ms  = call->started_ms + call->route->timeouts.total_ms;
    bool is_wanted  = call->route->waits_for_cooldown && !call->is_job && is_resting(error);
    if (!is_wanted || call->back_ms == 0 || call->back_ms >= end_ms ||
        call_is_late(call, wait_ms)) {
        return false;
    }
    call->back_ms      = 0;
    call->position     = 0;
    call->target_tries = 0;
    wait_for(call, wait_ms > 0 ? wait_ms : 0);
    return true;
}

/* Who has to come again hears of the soonest time. */
static struct llm_error with_soonest(const struct llm_call *call, const struct llm_error *error)
{
    struct llm_error told = *error;
    int64_t wait_ms       = call->back_ms - loop_now_ms(call->pipeline->options.loop);
    bool is_sooner        = call->back_ms > 0 && wait_ms < told.retry_after_ms;
    if (is_resting(error) && is_sooner) told.retry_after_ms = wait_ms > 0 ? wait_ms : 1;
    return told;
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

bool call_is_late(const struct llm_call *call, int64_t wait_ms)
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
    if (call->is_committed) { /* the client has seen the beginning of this one */
        note_target(call, &error, true);
        call_end_with(call, &error);
        return;
    }
    call_add_spent(call);
    note_rest(call, &error);

    bool may_be_same = verdict->same_target && call->target_tries < retry->attempts;
    if (verdict->other_key && call->target_tries < retry->attempts && call_has_usable_key(call)) {
        wait_for(call, 0);
        return;
    }
    /* Who says that it has too much to do is left alone, as long as there is somebody else. */
    if (error.class == LLM_ERROR_OVERLOADED && has_next_target(call)) may_be_same = false;
    int64_t wait_ms = backoff_ms(call);
    if (error.retry_after_ms > wait_ms) wait_ms = error.retry_after_ms;
    if (may_be_same && wait_ms <= retry->wait_ms_max && !call_is_late(call, wait_ms)) {
        wait_for(call, wait_ms);
    } else if (verdict->next_target && has_next_target(call)) {
        note_target(call, &error, false);
        next_target(call);
        wait_for(call, 0);
    } else {
        const struct llm_error told = with_soonest(call, &error);
        note_target(call, &error, true);
        if (!may_wait(call, &error)) call_end_with(call, &told);
    }
}

void call_after_try(struct llm_call *call)
{
    if (call->answer.is_failed && call->answer.error.class == LLM_ERROR_TIMEOUT) {
        measures_timeout(call->pipeline->options.measures, call->answer.error.timeout);
    }
    measures_try(call->pipeline->options.measures, call_target(call)->provider->name,
                 call->answer.is_failed ? llm_error_class_name(call->answer.error.class) : "ok");
    if (call->answer.is_too_large && !call->answer.is_failed) {
        call->answer.is_failed = true;
        call->answer.error     = (struct llm_error){.class = LLM_ERROR_REQUEST,
                                                    .text  = str_from("the answer is too large")};
    }
    if (call->answer.is_failed || call->attempts) call_note_attempt(call);
    if (call->answer.is_failed) {
        after_failure(call);
        return;
    }
    call_note_ratio(call);
    leave(call, end_of(call));
    release_try(call);
    call_end_with(call, NULL);
}

static void on_recalled(void *context)
{
    struct llm_call *call = context;
    call->recall          = NULL;
    call_begin_try(call);
}

/* What other llm-proxies keep of its conversation comes first. */
static void on_start(void *context)
{
    struct llm_call *call                  = context;
    const struct pipeline_options *options = &call->pipeline->options;
    if (options->vault) {
        call->recall =
            peers_recall(options->peers, call->request, call->namespace, on_recalled, call);
    }
    if (!call->recall) call_begin_try(call);
}

/* --- from the caller ---------------------------------------------------------------------------
 */

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
    call->timer.fire = on_start;
    return call;
}

void llm_call_is_job(struct llm_call *call, const char *target)
{
    call->is_job = true;
    (void)snprintf(call->let_pass, sizeof call->let_pass, "%s", target);
}

void llm_call_is_of(struct llm_call *call, str namespace)
{
    call->namespace = namespace;
}

void llm_call_stream(struct llm_call *call, const struct llm_stream *stream)
{
    ASSERT(call->request->is_stream);
    call->stream = *stream;
    measures_stream(call->pipeline->options.measures, 1);
}

void llm_call_pause(struct llm_call *call)
{
    call->is_paused = true;
    if (call->saving) call->saving->passenger.is_held = true;
    if (call->exchange) exchange_pause(call->exchange);
}

void llm_call_resume(struct llm_call *call)
{
    if (!call->is_paused) return;
    call->is_paused = false;
    if (call->saving) call->saving->passenger.is_held = false;
    if (call->exchange) exchange_resume(call->exchange);
    if (call->simulation) call_simulate_on(call);
}

bool llm_call_is_committed(const struct llm_call *call)
{
    return call->is_committed;
}

void llm_call_used(const struct llm_call *call, Pb__Usage *ret_usage)
{
    bool is_charged = call->is_committed || call->answer.usage.input_tokens >= 0;
    call_fill_usage(call, is_charged, ret_usage);
}

void llm_call_stop(struct llm_call *call)
{
    struct llm_event event = {.kind = LLM_FINISH, .finish = FINISH_LENGTH};
    uint32_t count         = call->request->count > 1 ? (uint32_t)call->request->count : 1;
    loop_timer_clear(call->pipeline->options.loop, &call->timer);
    for (; event.choice < count; event.choice++) call->stream.event(&event, call->stream.context);
    call->answer.end = END_BUDGET;
    leave(call, GUARD_SUCCEEDED);
    release_try(call);
    call_end_with(call, NULL);
}

void llm_call_cancel(struct llm_call *call)
{
    Pb__Usage used = PB__USAGE__INIT;
    llm_call_used(call, &used);
    measures_usage(call->pipeline->options.measures, &used);
    call_warn_unpriced(&used);
    leave(call, call->is_sent ? GUARD_RETURNED : GUARD_UNUSED);
    release_try(call);
    measures_cancelled(call->pipeline->options.measures);
    call_free(call);
}
