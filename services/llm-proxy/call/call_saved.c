/* A call that an answer from before may serve, or that of an equal call under way. */
#include "llm-proxy/call/call_saved.h"

#include "base/mem.h"
#include "llm-proxy/call/call_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- it is said again --------------------------------------------------------------------------
 */

static void on_saved_event(const struct llm_event *event, void *context)
{
    struct llm_call *call = context;
    answer_take(event, &call->answer);
    if (!call->stream.event || event->kind == LLM_END) return;
    call->is_committed = call->is_committed || llm_event_is_meaningful(event);
    call->stream.event(event, call->stream.context);
}

static void play(void *context)
{
    struct llm_call *call           = context;
    const struct call_saving *saves = call->saving;
    answer_done(&call->answer);
    answer_init(&call->answer);
    call->losses                 = (struct losses){.arena = call->request->arena};
    call->answer.is_counted_only = call->stream.event && !call->stream.is_collected;
    if (call->stream.begun) {
        const struct llm_try begun = {.provider     = saves->answer->provider,
                                      .model        = str_from(saves->answer->model),
                                      .is_simulated = saves->answer->is_simulated,
                                      .losses       = &call->losses,
                                      .cached       = saves->said,
                                      .age_ms       = call_saved_age_ms(call)};
        call->stream.begun(&begun, call->stream.context);
    }
    event_log_play(&saves->answer->log, on_saved_event, call);
    call_end_with(call, NULL);
}

int64_t call_saved_age_ms(const struct llm_call *call)
{
    return loop_now_ms(call->pipeline->options.loop) - call->saving->answer->born_ms;
}

/* --- waiting for another -----------------------------------------------------------------------
 */

static void run_at(struct llm_call *call, loop_timer_fn *fire, int64_t at_ms)
{
    loop_timer_clear(call->pipeline->options.loop, &call->timer);
    call->timer = (struct loop_timer){.fire = fire, .context = call};
    loop_timer_set(call->pipeline->options.loop, &call->timer, at_ms);
}

static void go(void *context)
{
    call_begin_try(context);
}

static bool is_key(const struct answer_key *a, const struct answer_key *b)
{
    return memcmp(a->digest, b->digest, sizeof a->digest) == 0;
}

static void be_patient(struct llm_call *call);

/* Goes, or waits for the equal one of that key which goes already. */
static bool board(struct llm_call *call, const struct answer_key *key)
{
    struct call_saving *saves = call->saving;
    bool leads                = answer_cache_board(call->pipeline->cache, key, &saves->passenger);
    saves->said               = leads ? CACHED_MISS : CACHED_JOINED;
    return leads;
}

/* In the middle of the end of the other one: what follows is done on the next turn. An answer for
 * clients of another protocol only is none; then one goes for all of this protocol that wait. */
static void on_landed(struct saved_answer *saved, void *context)
{
    struct llm_call *call     = context;
    struct call_saving *saves = call->saving;
    int64_t now_ms            = loop_now_ms(call->pipeline->options.loop);
    bool is_ours = saved && (is_key(&saved->key, &saves->key) || is_key(&saved->key, &saves->own));
    if (is_ours) {
        saves->answer = saved_answer_ref(saved);
        run_at(call, play, now_ms);
    } else if (saved && !board(call, &saves->own)) {
        be_patient(call);
    } else {
        saves->said = CACHED_MISS;
        run_at(call, go, now_ms);
    }
}

/* Waits on, as long as it may; goes itself if who leads is held up. */
static void on_patience(void *context)
{
    struct llm_call *call      = context;
    struct passenger *waits    = &call->saving->passenger;
    struct answer_cache *cache = call->pipeline->cache;
    int64_t waited_ms          = loop_now_ms(call->pipeline->options.loop) - call->started_ms;
    if (call_is_late(call, 0)) {
        const struct llm_error error = {.class   = LLM_ERROR_TIMEOUT,
                                        .timeout = TIMEOUT_TOTAL,
                                        .text    = str_from("the deadline is over")};
        answer_cache_leave(cache, waits);
        call_end_with(call, &error);
        return;
    }
    bool is_over = waited_ms >= call->route->timeouts.total_ms;
    if (is_over) answer_cache_leave(cache, waits);
    if (!is_over && !answer_cache_overtake(cache, waits)) {
        be_patient(call);
        return;
    }
    call->saving->said = CACHED_MISS;
    call_begin_try(call);
}

static void be_patient(struct llm_call *call)
{
    int64_t at_ms = loop_now_ms(call->pipeline->options.loop) + FLIGHT_PATIENCE_MS;
    bool is_short = call->deadline_ms > 0 && call->deadline_ms < at_ms;
    run_at(call, on_patience, is_short ? call->deadline_ms : at_ms);
}

/* The newest: who has asked for a new answer may have got one that only this protocol has words
 * for, while an older one for all is still there. */
static struct saved_answer *find(const struct llm_call *call)
{
    const struct call_saving *saves = call->saving;
    struct answer_cache *cache      = call->pipeline->cache;
    int64_t now_ms                  = loop_now_ms(call->pipeline->options.loop);
    if (saves->max_age_ms == 0) return NULL; /* a new one is wanted, however young this one is */
    struct saved_answer *shared = answer_cache_find(cache, &saves->key, saves->max_age_ms, now_ms);
    struct saved_answer *own    = answer_cache_find(cache, &saves->own, saves->max_age_ms, now_ms);
    bool is_own                 = own && (!shared || own->born_ms >= shared->born_ms);
    saved_answer_unref(is_own ? shared : own);
    return is_own ? own : shared;
}

bool call_ask_saved(struct llm_call *call)
{
    struct call_saving *saves = call->saving;
    if (saves->said != CACHED_NO) return false;
    saves->answer = find(call);
    if (saves->answer) {
        saves->said = CACHED_HIT;
        play(call);
        return true;
    }
    saves->passenger = (struct passenger){.landed = on_landed, .context = call};
    bool leads       = board(call, &saves->key);
    if (!leads) be_patient(call);
    return !leads;
}

/* --- keeping -----------------------------------------------------------------------------------
 */

void llm_call_save(struct llm_call *call, const struct answer_key *key, int64_t max_age_ms)
{
    struct call_saving *saves = mem_new(1, sizeof *saves);
    saves->key                = *key;
    saves->own                = answer_key_within(key, call->request->protocol);
    saves->max_age_ms         = max_age_ms;
    saves->log                = event_log_init(SAVED_ANSWER_SIZE_MAX);
    call->saving              = saves;
}

void llm_call_forget(struct llm_call *call)
{
    if (!call->saving) return;
    answer_cache_forget(call->pipeline->cache, &call->saving->key);
    answer_cache_forget(call->pipeline->cache, &call->saving->own);
}

void call_saving_restart(struct llm_call *call)
{
    event_log_clear(&call->saving->log);
    call->saving->has_finished = false;
}

void call_saving_take(struct llm_call *call, const struct llm_event *event)
{
    struct call_saving *saves = call->saving;
    event_log_take(event, &saves->log);
    if (event->kind != LLM_FINISH) return;
    saves->has_finished = true;
    bool is_whole       = event->finish == FINISH_STOP || event->finish == FINISH_TOOL_CALLS;
    if (!is_whole) saves->log.is_broken = true;
}

static struct saved_answer *keep(struct llm_call *call, const Pb__Usage *used)
{
    struct call_saving *saves         = call->saving;
    const struct route_target *target = call_target(call);
    bool is_whole = saves->has_finished && !saves->log.is_broken && !call->answer.is_too_large &&
                    call->answer.end == END_COMPLETE && call->losses.count == 0;
    if (!is_whole) return NULL;
    struct saved_answer *saved = saved_answer_new();
    saved->key                 = answer_is_for_all(&saves->log) ? saves->key : saves->own;
    saved->log                 = saves->log;
    saves->log                 = event_log_init(0);
    saved->born_ms             = loop_now_ms(call->pipeline->options.loop);
    saved->is_simulated        = target->provider->kind->is_simulated;
    saved->cost_usd_nanos      = used->cost_usd_nanos - call->spent.cost_usd_nanos;
    (void)snprintf(saved->provider, sizeof saved->provider, "%s", target->provider->name);
    (void)snprintf(saved->model, sizeof saved->model, STR_FMT, STR_ARG(target->model));
    answer_cache_put(call->pipeline->cache, saved);
    return saved;
}

void call_saving_finish(struct llm_call *call, struct llm_outcome *outcome)
{
    struct call_saving *saves        = call->saving;
    const struct saved_answer *given = saves->answer;
    outcome->cached                  = saves->said;
    if (!given) {
        struct saved_answer *saved = outcome->is_ok ? keep(call, &outcome->usage) : NULL;
        answer_cache_land(call->pipeline->cache, &saves->passenger, saved);
        saved_answer_unref(saved);
        return;
    }
    outcome->age_ms       = call_saved_age_ms(call);
    outcome->provider     = given->provider;
    outcome->model        = str_from(given->model);
    outcome->is_simulated = given->is_simulated;
    pb__usage__init(&outcome->usage);
    outcome->usage.provider        = given->provider;
    outcome->usage.model           = given->model;
    outcome->usage.calls           = 1;
    outcome->usage.cost_source     = PB__COST_SOURCE__COST_SOURCE_CACHED;
    outcome->usage.saved_usd_nanos = given->cost_usd_nanos;
    outcome->usage.simulated       = given->is_simulated;
}

void call_saving_free(struct llm_call *call)
{
    struct call_saving *saves = call->saving;
    answer_cache_leave(call->pipeline->cache, &saves->passenger);
    saved_answer_unref(saves->answer);
    event_log_done(&saves->log);
    free(saves);
    call->saving = NULL;
}
