#include "llm-proxy/call.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "llm-proxy/providers/simulated.h"

#include <stdlib.h>

enum {
    TRY_ARENA_MAX    = 64 << 20, /* bytes: the request as HTTP */
    KEY_OFF_QUOTA_MS = 3'600'000,
    COOL_MS          = 1'000, /* a 429 without retry-after */
};

static const int64_t KEY_OFF = INT64_MAX; /* until the configuration is read anew */

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
};
/* clang-format on */

struct key_state {
    uint32_t in_flight;
    int64_t not_before_ms; /* cooling; KEY_OFF: not used any more */
};

struct pipeline {
    struct pipeline_options options;
    struct key_state (*keys)[PROVIDER_KEYS_MAX]; /* by provider, in the catalog's order */
    uint64_t *numbers;                           /* calls of a provider so far */
    struct prng prng;
    struct llm_call *calls;
};

struct llm_call {
    struct pipeline *pipeline;
    const struct chat_request *request;
    const struct llm_route *route;
    llm_call_done *done;
    void *context;
    int64_t deadline_ms;
    int64_t started_ms;
    uint8_t order[CATALOG_TARGETS_MAX];
    uint32_t position;     /* in `order` */
    uint32_t target_tries; /* of this target */
    uint32_t tries;
    struct key_state *key;  /* of the try under way; NULL: the provider has none */
    struct arena *arena;    /* of the try */
    struct http_call *http; /* of the try */
    struct answer answer;
    struct loop_timer timer; /* a wait, or a simulated answer's time */
    struct llm_call *previous, *next;
};

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

/* --- targets and keys --------------------------------------------------------------------------
 */

static const struct route_target *target_of(const struct llm_call *call)
{
    return &call->route->targets[call->order[call->position]];
}

static size_t provider_index(const struct llm_call *call)
{
    return (size_t)(target_of(call)->provider - call->pipeline->options.catalog->providers);
}

/* Drawn by weight, without putting back; targets of weight 0 follow as they stand. */
static void draw_order(struct llm_call *call)
{
    const struct llm_route *route   = call->route;
    bool taken[CATALOG_TARGETS_MAX] = {};
    uint64_t total                  = 0;
    uint32_t used                   = 0;
    for (uint32_t i = 0; i < route->target_count; i++) total += route->targets[i].weight;
    while (total > 0) {
        uint64_t point = prng_next(&call->pipeline->prng) % total;
        uint32_t i     = 0;
        for (; taken[i] || point >= route->targets[i].weight; i++) {
            if (!taken[i]) point -= route->targets[i].weight;
        }
        taken[i]            = true;
        call->order[used++] = (uint8_t)i;
        total -= route->targets[i].weight;
    }
    for (uint32_t i = 0; i < route->target_count; i++) {
        if (!taken[i]) call->order[used++] = (uint8_t)i;
    }
}

/* The key with the least load for its weight among those that may be used now. */
static const struct provider_key *choose_key(struct llm_call *call, int64_t *ret_wait_ms)
{
    const struct provider *provider = target_of(call)->provider;
    struct key_state *states        = call->pipeline->keys[provider_index(call)];
    int64_t now_ms                  = loop_now_ms(call->pipeline->options.loop);
    const struct provider_key *best = NULL;
    uint64_t best_load              = 0;
    int64_t soonest_ms              = KEY_OFF;
    for (uint32_t i = 0; i < provider->key_count; i++) {
        if (states[i].not_before_ms > now_ms) {
            if (states[i].not_before_ms < soonest_ms) soonest_ms = states[i].not_before_ms;
            continue;
        }
        uint32_t weight = provider->keys[i].weight > 0 ? provider->keys[i].weight : 1;
        uint64_t load   = ((uint64_t)states[i].in_flight << 16) / weight;
        if (best && load >= best_load) continue;
        best      = &provider->keys[i];
        best_load = load;
        call->key = &states[i];
    }
    *ret_wait_ms = soonest_ms == KEY_OFF ? -1 : soonest_ms - now_ms;
    return best;
}

static bool has_usable_key(struct llm_call *call)
{
    int64_t wait_ms = 0;
    bool has_one    = choose_key(call, &wait_ms) != NULL;
    call->key       = NULL; /* chosen again when the try begins */
    return has_one;
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
    const struct route_target *target = target_of(call);
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
    const struct route_target *target = target_of(call);
    struct llm_outcome outcome        = {
               .is_ok        = !error,
               .answer       = error ? NULL : &call->answer,
               .is_simulated = target->provider->kind->is_simulated,
               .tries        = call->tries,
               .provider     = target->provider->name,
               .model        = target->model,
               .duration_ms  = loop_now_ms(call->pipeline->options.loop) - call->started_ms,
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

static bool next_target(struct llm_call *call)
{
    if (call->position + 1 >= call->route->target_count) return false;
    call->position++;
    call->target_tries = 0;
    return true;
}

static bool is_late(const struct llm_call *call, int64_t wait_ms)
{
    return call->deadline_ms > 0 &&
           loop_now_ms(call->pipeline->options.loop) + wait_ms >= call->deadline_ms;
}

static void punish_key(struct key_state *key, const struct llm_error *error, int64_t now_ms)
{
    if (!key) return;
    int64_t rest_ms = 0;
    if (error->class == LLM_ERROR_RATE_LIMITED) {
        rest_ms = error->retry_after_ms > 0 ? error->retry_after_ms : COOL_MS;
    } else if (error->class == LLM_ERROR_QUOTA) {
        rest_ms = KEY_OFF_QUOTA_MS;
    } else if (error->class == LLM_ERROR_KEY) {
        key->not_before_ms = KEY_OFF;
        return;
    }
    if (rest_ms > 0) key->not_before_ms = now_ms + rest_ms;
}

static void after_failure(struct llm_call *call)
{
    const struct llm_error error    = call->answer.error;
    const struct verdict *verdict   = &verdicts[error.class];
    const struct route_retry *retry = &call->route->retry;
    punish_key(call->key, &error, loop_now_ms(call->pipeline->options.loop));
    release_try(call);

    bool may_be_same = verdict->same_target && call->target_tries < retry->attempts;
    if (verdict->other_key && call->target_tries < retry->attempts && has_usable_key(call)) {
        wait_for(call, 0);
        return;
    }
    int64_t wait_ms = backoff_ms(call);
    if (error.retry_after_ms > wait_ms) wait_ms = error.retry_after_ms;
    if (may_be_same && wait_ms <= retry->wait_ms_max && !is_late(call, wait_ms)) {
        wait_for(call, wait_ms);
    } else if (verdict->next_target && next_target(call)) {
        wait_for(call, 0);
    } else {
        finish(call, &error);
    }
}

static void after_try(struct llm_call *call)
{
    measures_try(call->pipeline->options.measures, target_of(call)->provider->name,
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
    target_of(call)->provider->kind->decode(result, answer_take, &call->answer);
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
    const struct route_target *target = target_of(call);
    struct http_request http          = {};
    struct error error                = {};
    call->arena                       = arena_new(TRY_ARENA_MAX);
    ASSERT(call->arena);
    status code        = target->provider->kind->encode(target->provider, key, call->request,
                                                        target->model, call->arena, &http, &error);
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
    const struct route_target *target = target_of(call);
    uint64_t number                   = ++call->pipeline->numbers[provider_index(call)];
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
                       simulated_delay_ms(target_of(call)->provider, call->request));
}

static void begin_try(struct llm_call *call)
{
    const struct provider *provider = target_of(call)->provider;
    answer_done(&call->answer);
    answer_init(&call->answer);
    call->tries++;
    call->target_tries++;
    if (is_late(call, 0)) {
        fail_try(call, LLM_ERROR_TIMEOUT, "the deadline is over");
        return;
    }
    if (provider->kind->is_simulated) {
        simulate(call);
        return;
    }
    int64_t wait_ms                = 0;
    const struct provider_key *key = choose_key(call, &wait_ms);
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
    draw_order(call);
    wait_for(call, 0); /* on the next turn, so that `done` never comes before we return */
    return call;
}

void llm_call_cancel(struct llm_call *call)
{
    if (call->http) http_call_cancel(call->http);
    release_try(call);
    measures_cancelled(call->pipeline->options.measures);
    call_free(call);
}
