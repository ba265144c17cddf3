/* A queue's rule for dead letters: who sets it, which calls are given up and when they complete at
 * last, and by the simulation's own count which of them the rule may redrive, must, and must not.
 */
#include "base/assert.h"
#include "breaker.pb-c.h"
#include "scheduler/engine/engine_internal.h"
#include "sim.h"
#include "system.pb-c.h"
#include "json/json_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    TIMES_DRAWN_MAX = 3,
    PERCENT_UNSURE  = 8,
    CALLS_MAX       = 10'000,
};

#define NEVER_US (2'592'000 * SECOND) /* 30 days: then only a breaker makes it go */

static const char target[] = "worker:step";
static const char busy[]   = "https://sim.test/busy";
static const char broken[] = "https://sim.test/broken";
static const char meant[]  = "busy"; /* what the rule calls the first of them */

/* A call at a late place: its jobs, one after the other. */
struct late_call {
    unsigned jobs;
};

/* One of its jobs. */
struct late_job {
    struct late_call *call;
    unsigned number;   /* of the jobs of its call, from 1 */
    unsigned failures; /* that were accepted and said what happened */
    bool is_meant;     /* its last failure is of a class of the rule */
    int64_t failed_us; /* of the simulation */
};

/* --- drawing and setting ------------------------------------------------------------------------
 */

static void have_breaker(struct sim *sim)
{
    static const char targets[] = "{\"worker:step\":{},\"worker:undo\":{}}";
    if (json_is(sim->breakers.targets, JSON_OBJECT)) return;
    status read = json_parse(str_from(targets), NULL, &sim->breakers.targets, NULL, NULL);
    ASSERT(read == STATUS_OK);
    sim->breakers.common.open_us = 5 * SECOND;
}

void sim_redrive_draw(struct sim *sim)
{
    struct sim_redrive *rule = &sim->redrive;
    rule->is_there           = sim_draw(sim, 3) == 0;
    if (!rule->is_there) return;
    if (sim_draw(sim, 2) == 0) have_breaker(sim);
    bool has_breakers      = json_is(sim->breakers.targets, JSON_OBJECT);
    rule->times            = 1 + (uint32_t)sim_draw(sim, TIMES_DRAWN_MAX);
    rule->after_us         = (int64_t)sim_draw(sim, 20) * SECOND;
    rule->has_class        = sim_draw(sim, 2) == 0;
    rule->ignores_breakers = sim_draw(sim, 3) == 0;
    if (has_breakers && !rule->ignores_breakers && sim_draw(sim, 2) == 0) {
        rule->waits_for_breaker = true;
        rule->after_us          = NEVER_US;
    }
    if (sim_draw(sim, 2) == 0) return;
    rule->rate.rate_count = STAGE_PARTITIONS_MAX;
    rule->rate.rate_s     = 8 + (uint32_t)sim_draw(sim, 60);
}

void sim_redrive_wish(const struct sim *sim, struct program_wishes *wishes)
{
    wishes->has_late   = sim->redrive.is_there;
    wishes->rounds_max = TIMES_DRAWN_MAX + 1;
}

static bool set_rule(struct sim *sim, uint16_t partition)
{
    const struct sim_redrive *drawn                   = &sim->redrive;
    CLEANUP(stage_call_freep) struct stage_call *call = stage_call_new(COMMAND_SET_QUEUE, 0);
    struct error error                                = {};
    Pb__SetQueue request                              = PB__SET_QUEUE__INIT;
    Pb__QueueView response                            = PB__QUEUE_VIEW__INIT;
    Pb__RedriveRule rule                              = PB__REDRIVE_RULE__INIT;
    const char *errors[]                              = {meant};
    rule.errors                                       = errors;
    rule.n_errors                                     = drawn->has_class ? 1 : 0;
    rule.after_us                                     = drawn->after_us;
    rule.times                                        = drawn->times;
    rule.rate_count                                   = drawn->rate.rate_count;
    rule.rate_period_us                               = drawn->rate.rate_s * SECOND;
    rule.ignores_breakers                             = drawn->ignores_breakers;
    request.name                                      = "default";
    request.namespace_                                = "sim";
    request.action                                    = PB__QUEUE_ACTION__QUEUE_ACTION_LIMIT;
    request.sets_redrive                              = true;
    request.redrive                                   = &rule;
    call->command.request                             = &request;
    call->command.response                            = &response;
    call->command.namespace                           = str_from("sim");
    if (stage_ask(sim->stage, partition, call, &error) == STATUS_OK) return true;
    sim_fail(sim, "a rule for dead letters is refused: %s", error.text);
    return false;
}

bool sim_redrive_set_up(struct sim *sim)
{
    sim->redrive.calls = map_new(CALLS_MAX);
    sim->redrive.jobs  = map_new(CALLS_MAX);
    for (uint16_t i = 0; sim->redrive.is_there && i < stage_partition_count(sim->stage); i++) {
        if (!set_rule(sim, i)) return false;
    }
    return true;
}

void sim_redrive_done(struct sim *sim)
{
    map_free(sim->redrive.calls);
    map_free(sim->redrive.jobs);
}

/* --- a breaker that somebody opens and resets ---------------------------------------------------
 */

/* When all else is over: what has not gone by then goes when it closes. */
void sim_redrive_begin(struct sim *sim)
{
    if (!sim->redrive.waits_for_breaker) return;
    sim_at(sim, sim->weather.until_us - sim->now_us + 120 * SECOND, client_send,
           client_op(sim, OP_OPEN_BREAKER, NULL));
}

struct stage_call *sim_redrive_make(struct sim *sim, const struct op *op)
{
    bool is_reset             = op->kind == OP_RESET_BREAKER;
    struct stage_call *call   = stage_call_new(COMMAND_SET_BREAKER, 0);
    Pb__SetBreaker *request   = stage_call_alloc(call, sizeof *request);
    Pb__BreakerView *response = stage_call_alloc(call, sizeof *response);
    *request                  = (Pb__SetBreaker)PB__SET_BREAKER__INIT;
    *response                 = (Pb__BreakerView)PB__BREAKER_VIEW__INIT;
    request->name             = target;
    request->action           = is_reset ? PB__BREAKER_ACTION__BREAKER_ACTION_RESET
                                         : PB__BREAKER_ACTION__BREAKER_ACTION_OPEN;
    request->by               = "sim";
    call->command.request     = request;
    call->command.response    = response;
    if (is_reset && sim->redrive.reset_us == 0) sim->redrive.reset_us = sim->now_us;
    return call;
}

void sim_redrive_opened(struct sim *sim)
{
    sim_at(sim, 5 * SECOND, client_send, client_op(sim, OP_RESET_BREAKER, NULL));
}

/* --- the books ----------------------------------------------------------------------------------
 */

static void *new (struct sim *sim, size_t size, struct map *map, const char *key)
{
    char *copy   = arena_strdup(sim->arena, str_from(key));
    void *memory = arena_alloc(sim->arena, size);
    ASSERT(copy && memory);
    bool is_put = map_put(map, str_from(copy), memory);
    ASSERT(is_put);
    memset(memory, 0, size);
    return memory;
}

void sim_redrive_leased(struct sim *sim, const Pb__LeasedJob *job, uint32_t site)
{
    if (sim->programs.sites[site].kind != SITE_LATE) return;
    if (map_get(sim->redrive.jobs, str_from(job->id))) return;
    struct late_call *call = map_get(sim->redrive.calls, str_from(job->idempotency_key));
    if (!call) call = new (sim, sizeof *call, sim->redrive.calls, job->idempotency_key);
    struct late_job *late = new (sim, sizeof *late, sim->redrive.jobs, job->id);
    late->call            = call;
    late->number          = ++call->jobs;
}

void sim_redrive_choose(struct sim *sim, struct task_in_hand *task)
{
    const struct late_job *late = map_get(sim->redrive.jobs, str_from(task->job.text));
    ASSERT(late);
    if (late->number > sim->programs.sites[task->site].rounds) return;
    bool is_unsure = sim_chance(sim, PERCENT_UNSURE);
    task->ending   = is_unsure ? ENDS_UNSURE : ENDS_TRANSIENT;
    task->error    = sim_draw(sim, 5) == 0 ? broken : busy;
}

void sim_redrive_reported(struct sim *sim, const Pb__JobReport *report)
{
    struct late_job *late = map_get(sim->redrive.jobs, str_from(report->job));
    if (!late || report->result_case != PB__JOB_REPORT__RESULT_FAILED) return;
    const ProtobufCBinaryData *type = &report->failed->error_json;
    late->is_meant                  = str_is((str){(const char *)type->data, type->len}, busy);
    late->failed_us                 = sim->now_us;
    late->failures += !report->failed->unknown_outcome;
}

/* Why a rule must leave a job alone that was given up; NULL: it need not. */
static const char *reason_against(const struct sim *sim, const struct late_job *late)
{
    const struct sim_redrive *rule = &sim->redrive;
    if (late->failures != LATE_RETRIES + 1) return "nobody knows what it has done";
    if (rule->has_class && !late->is_meant) return "its error is none of the rule's";
    if (late->number > rule->times) return "it was redriven as often as it may be";
    return NULL;
}

void sim_redrive_happened(struct sim *sim, const char *job, int64_t lay_us)
{
    const struct sim_redrive *rule = &sim->redrive;
    const struct late_job *late    = map_get(sim->redrive.jobs, str_from(job));
    if (!late) {
        sim_fail(sim, "a rule has redriven job \"%s\", which nobody had", job);
        return;
    }
    const char *against = reason_against(sim, late);
    if (against) sim_fail(sim, "a rule has redriven job %s, and %s", job, against);
    bool by_time = rule->ignores_breakers || !json_is(sim->breakers.targets, JSON_OBJECT);
    if (by_time && lay_us < rule->after_us) {
        sim_fail(sim, "a rule has redriven job %s after %" PRId64 " ms, of %" PRId64, job,
                 lay_us / MS, rule->after_us / MS);
    }
}

bool sim_redrive_is_due(const struct sim *sim, const struct plan *plan, const char *job)
{
    const struct sim_redrive *rule = &sim->redrive;
    const struct late_job *late    = map_get(rule->jobs, str_from(job));
    if (!rule->is_there || !late || reason_against(sim, late)) return false;
    /* A run that was undone is not gone on with. */
    if (!plan || plan->tokens > 0 || plan->result.has_undone) return false;
    if (!rule->waits_for_breaker) return true;
    return rule->reset_us == 0 || late->failed_us < rule->reset_us;
}

/* --- how fast -----------------------------------------------------------------------------------
 */

static int compare(const void *a, const void *b)
{
    int64_t left  = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

void sim_redrive_rate(struct sim *sim, uint16_t partition, int64_t *times_us, size_t count)
{
    if (count > 0) qsort(times_us, count, sizeof *times_us, compare);
    const struct queue_limits rule = {.rate_count     = sim->redrive.rate.rate_count,
                                      .rate_period_us = sim->redrive.rate.rate_s * SECOND};
    const struct queue_limits share =
        queue_limits_share(&rule, partition, stage_partition_count(sim->stage));
    /* By the times of the journal, so only where clocks are not set. */
    if (rule.rate_count == 0 || sim->weather.step_us > 0) return;
    int64_t step_us = (share.rate_period_us + share.rate_count - 1) / share.rate_count;
    for (size_t first = 0; first < count; first++) {
        for (size_t last = first; last < count; last++) {
            int64_t took_us = times_us[last] - times_us[first];
            if (last - first + 1 <= share.rate_count + (uint64_t)(took_us / step_us)) continue;
            sim_fail(sim, "a rule has redriven %zu calls within %" PRId64 " ms, of %u in %u s",
                     last - first + 1, took_us / MS, share.rate_count, sim->redrive.rate.rate_s);
            return;
        }
    }
}
