#include "llm-proxy/call/embed.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "llm-proxy/call/call_internal.h"
#include "llm-proxy/call/embed_pool.h"
#include "llm-proxy/call/embed_share.h"

#include <stdio.h>
#include <stdlib.h>

enum { VECTORS_MAX = 512 << 20 /* bytes of all vectors of a request */ };

/* One of its texts. */
struct place {
    struct embed_seat seat;
    struct saved_answer *vector; /* owned; NULL: not yet */
};

struct embed_call {
    struct pipeline *pipeline;
    struct arena *arena; /* of the request */
    int64_t deadline_ms, started_ms;
    llm_call_done *done;
    void *context;
    uint32_t *order; /* of each input, the place of its text; owned */
    uint32_t input_count;
    struct place *places; /* owned */
    uint32_t place_count, missing;
    int64_t saved_nanos;
    bool is_failed;
    struct loop_timer timer; /* its deadline, or its end on the next turn */
    struct answer answer;
    struct llm_outcome outcome;
    struct llm_attempt *attempts; /* of its batches, in the request's arena */
    uint64_t batch;               /* the last one they were taken of */
    char provider[SAVED_NAME_SIZE];
};

static void embed_free(struct embed_call *embed)
{
    loop_timer_clear(embed->pipeline->options.loop, &embed->timer);
    for (uint32_t i = 0; i < embed->place_count; i++) {
        embed_pools_leave(&embed->places[i].seat);
        saved_answer_unref(embed->places[i].vector);
    }
    answer_done(&embed->answer);
    free(embed->order);
    free(embed->places);
    free(embed);
}

void embed_cancel(struct embed_call *embed)
{
    measures_cancelled(embed->pipeline->options.measures);
    embed_free(embed);
}

void embed_used(const struct embed_call *embed, Pb__Usage *ret_usage)
{
    *ret_usage = embed->outcome.usage;
}

/* --- the end -----------------------------------------------------------------------------------
 */

static void take_vector(const struct llm_event *event, void *context)
{
    answer_take(event, context);
}

static void fail_with(struct embed_call *embed, const struct llm_error *error)
{
    embed->outcome.is_ok = false;
    embed->outcome.error = *error;
}

static void collect(struct embed_call *embed)
{
    struct answer *answer = &embed->answer;
    for (uint32_t i = 0; i < embed->input_count; i++) {
        const struct saved_answer *vector = embed->places[embed->order[i]].vector;
        event_log_play(&vector->log, take_vector, answer);
        if (answer->model.len == 0) (void)buf_put_text(&answer->model, vector->model);
        embed->outcome.is_simulated |= vector->is_simulated;
    }
    embed->outcome.is_ok  = !answer->is_too_large;
    embed->outcome.answer = answer;
    if (embed->outcome.is_ok) return;
    const struct llm_error error = {.class = LLM_ERROR_REQUEST,
                                    .text  = str_from("the answer is too large")};
    fail_with(embed, &error);
}

/* Nothing was paid: all of it was known, or another request pays. */
static void note_saved(struct embed_call *embed)
{
    const struct saved_answer *vector = embed->places[0].vector;
    Pb__Usage *usage                  = &embed->outcome.usage;
    usage->saved_usd_nanos            = embed->saved_nanos;
    if (usage->calls > 0 || !embed->outcome.is_ok) return;
    (void)snprintf(embed->provider, sizeof embed->provider, "%s", vector->provider);
    usage->calls            = 1;
    usage->cost_source      = PB__COST_SOURCE__COST_SOURCE_CACHED;
    usage->simulated        = vector->is_simulated;
    embed->outcome.provider = embed->provider;
    usage->provider         = embed->provider;
    usage->model            = vector->model;
    embed->outcome.model    = str_from(vector->model);
    embed->outcome.cached   = CACHED_HIT;
}

static void finish(struct embed_call *embed)
{
    if (!embed->is_failed) collect(embed);
    note_saved(embed);
    measures_cached(embed->pipeline->options.measures, (int)embed->outcome.cached);
    measures_saved(embed->pipeline->options.measures, &embed->outcome.usage);
    embed->outcome.duration_ms = clock_mono_ms() - embed->started_ms;
    embed->done(&embed->outcome, embed->context);
    embed_free(embed);
}

static void on_finish(void *context)
{
    finish(context);
}

static void on_deadline(void *context)
{
    struct embed_call *embed     = context;
    const struct llm_error error = {.class   = LLM_ERROR_TIMEOUT,
                                    .timeout = TIMEOUT_TOTAL,
                                    .text    = str_from("the deadline is over")};
    embed->is_failed             = true;
    fail_with(embed, &error);
    finish(embed);
}

/* --- its texts ---------------------------------------------------------------------------------
 */

static void take_batch(struct embed_call *embed, const struct embed_end *end)
{
    const struct llm_outcome *batch = end->batch;
    struct llm_outcome *outcome     = &embed->outcome;
    if (batch->tries > outcome->tries) outcome->tries = batch->tries;
    outcome->provider = batch->provider; /* of the configuration */
    outcome->model    = batch->model;
    if (end->number != embed->batch) {
        attempts_copy(batch->attempts, embed->arena, &embed->attempts);
    }
    embed->batch      = end->number;
    outcome->attempts = embed->attempts;
    if (end->paid.calls == 0) return;
    embed_usage_add(&outcome->usage, &end->paid);
    outcome->usage.provider = end->paid.provider;
    outcome->usage.model    = arena_strdup(embed->arena, str_from(end->paid.model));
}

static void on_text_ended(struct embed_seat *seat, const struct embed_end *end)
{
    struct place *place      = (struct place *)seat; /* its first member */
    struct embed_call *embed = seat->context;
    take_batch(embed, end);
    if (!end->vector) {
        embed->is_failed = true;
        fail_with(embed, end->error);
        finish(embed);
        return;
    }
    place->vector = saved_answer_ref((struct saved_answer *)(uintptr_t)end->vector);
    if (end->paid.calls == 0) embed->saved_nanos += place->vector->cost_usd_nanos;
    if (--embed->missing == 0) finish(embed);
}

/* Each text once, in the order of their first inputs. */
static void find_places(struct embed_call *embed, const struct chat_request *request)
{
    struct map *by_text = map_new(request->input_count);
    embed->input_count  = request->input_count;
    embed->order        = mem_new(request->input_count, sizeof *embed->order);
    embed->places       = mem_new(request->input_count, sizeof *embed->places);
    for (uint32_t i = 0; i < request->input_count; i++) {
        uintptr_t place = (uintptr_t)map_get(by_text, request->inputs[i]); /* from 1 */
        if (place == 0) {
            place = ++embed->place_count;
            (void)map_put(by_text, request->inputs[i], (void *)place);
        }
        embed->order[i] = (uint32_t)place - 1;
    }
    map_free(by_text);
}

static void want_all(struct embed_call *embed, const struct chat_request *request,
                     const struct embed_kind *kind)
{
    uint32_t next = 0;
    for (uint32_t i = 0; i < request->input_count; i++) {
        if (embed->order[i] != next) continue;
        struct place *place = &embed->places[next++];
        place->seat         = (struct embed_seat){.ended = on_text_ended, .context = embed};
        place->vector =
            embed_pools_want(embed->pipeline->pools, kind, request->inputs[i], &place->seat);
        if (!place->vector) embed->missing++;
        if (place->vector) embed->saved_nanos += place->vector->cost_usd_nanos;
    }
    embed_pools_go(embed->pipeline->pools, kind);
}

struct embed_call *embed_start(struct pipeline *pipeline, const struct chat_request *request,
                               const struct llm_route *route, const char *let_pass,
                               int64_t deadline_ms, llm_call_done *done, void *context)
{
    ASSERT(request->input_count > 0);
    struct loop *loop            = pipeline->options.loop;
    const struct embed_kind kind = {.route      = route,
                                    .dimensions = request->dimensions,
                                    .has_tokens = request->has_tokens,
                                    .let_pass   = let_pass};
    struct embed_call *embed     = mem_new(1, sizeof *embed);
    embed->pipeline              = pipeline;
    embed->arena                 = request->arena;
    embed->deadline_ms           = deadline_ms;
    embed->started_ms            = clock_mono_ms();
    embed->done                  = done;
    embed->context               = context;
    answer_init(&embed->answer);
    embed->answer.vectors   = buf_init(VECTORS_MAX);
    embed->outcome.provider = "";
    pb__usage__init(&embed->outcome.usage);
    find_places(embed, request);
    want_all(embed, request, &kind);
    if (embed->missing == 0) {
        embed->timer = (struct loop_timer){.fire = on_finish, .context = embed};
        loop_timer_set(loop, &embed->timer, loop_now_ms(loop));
    } else if (deadline_ms > 0) {
        embed->timer = (struct loop_timer){.fire = on_deadline, .context = embed};
        loop_timer_set(loop, &embed->timer, deadline_ms);
    }
    return embed;
}
