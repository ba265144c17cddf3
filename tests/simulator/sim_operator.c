/* What is set of limits, the queue and budgets: who sets it at the beginning, an operator who
 * changes it while jobs wait and work, and the simulation's own book of what holds by now. */
#include "base/assert.h"
#include "scheduler/engine/engine_internal.h"
#include "sim.h"
#include "system.pb-c.h"
#include "json/json_text.h"

#include <inttypes.h>
#include <stdlib.h>

enum { CHANGES_MAX = 30, CHANGE_PAUSE_MS = 5'000, CHANGE_STEP_MS = 3'000, CHANGE_LATE_MS = 1'000 };

static const char *const targets[] = {
    [TARGET_STEP] = "worker:step", [TARGET_UNDO] = "worker:undo"};

/** What an operator asks for. */
struct sim_change {
    enum { CHANGE_TARGET, CHANGE_QUEUE, CHANGE_PAUSE, CHANGE_RESUME } what;
    enum sim_target target;
    struct call_limit rule;    /* of the target; none: that of the configuration */
    struct call_limit of_keys; /* beside `rule`, of the queue */
};

/* --- drawing ------------------------------------------------------------------------------------
 */

static void put_target(const struct sim_operator *operator, enum sim_target target, struct buf *out)
{
    const struct call_limit *limit = &operator->configured[target];
    (void)buf_printf(out, "\"%s\":{", targets[target]);
    if (limit->concurrency > 0) (void)buf_printf(out, "\"concurrency\":%u", limit->concurrency);
    if (limit->rate_count > 0) {
        (void)buf_printf(out, "%s\"rate\":{\"count\":%u,\"per\":\"%us\"}",
                         limit->concurrency > 0 ? "," : "", limit->rate_count, limit->rate_s);
    }
    (void)buf_put_text(out, "}");
}

/* Whoever is named has a breaker; of those that were drawn each rests for seconds. */
static void name_targets(struct sim *sim)
{
    CLEANUP(buf_done) struct buf text = buf_init(FAILURE_MAX);
    if (!json_is(sim->breakers.targets, JSON_OBJECT)) sim->breakers.common.open_us = 5 * SECOND;
    (void)buf_put_text(&text, "{");
    put_target(&sim->operator, TARGET_STEP, &text);
    (void)buf_put_text(&text, ",");
    put_target(&sim->operator, TARGET_UNDO, &text);
    (void)buf_put_text(&text, "}");
    json_unref(sim->breakers.targets);
    status read = json_parse(buf_str(&text), NULL, &sim->breakers.targets, NULL, NULL);
    ASSERT(read == STATUS_OK);
}

static struct sim_queue draw_queue(struct sim *sim)
{
    struct sim_queue queue = {};
    if (sim_draw(sim, 3) == 0) queue.all = sim_limit_draw(sim, STAGE_PARTITIONS_MAX);
    if (sim_draw(sim, 3) == 0) queue.of_keys = sim_limit_draw(sim, 1);
    return queue;
}

void sim_operator_draw(struct sim *sim)
{
    struct sim_operator *operator= & sim->operator;
    struct call_limit drawn[TARGETS_SIM] = {};
    operator->is_there                   = sim_draw(sim, 3) == 0;
    if (!operator->is_there && sim_draw(sim, 3) == 0) return;
    if (sim_draw(sim, 2) == 0) drawn[TARGET_STEP] = sim_limit_draw(sim, 1);
    if (sim_draw(sim, 4) == 0) drawn[TARGET_UNDO] = sim_limit_draw(sim, 1);
    operator->is_configured = sim_draw(sim, 2) == 0;
    operator->queues[0]     = draw_queue(sim);
    bool has_targets        = operator->is_there;
    for (size_t i = 0; i < TARGETS_SIM; i++) {
        has_targets |= call_limit_is_any(&drawn[i]);
        if (operator->is_configured) {
            operator->configured[i] = drawn[i];
        } else {
            operator->by_api[i] = drawn[i];
        }
    }
    if (has_targets) name_targets(sim);
}

/* --- asking -------------------------------------------------------------------------------------
 */

static struct stage_call *set_target(const struct sim_change *change)
{
    struct stage_call *call = stage_call_new(COMMAND_SET_LIMIT, 0);
    Pb__SetLimit *request   = stage_call_alloc(call, sizeof *request);
    Pb__LimitRule *rule     = stage_call_alloc(call, sizeof *rule);
    Pb__LimitView *response = stage_call_alloc(call, sizeof *response);
    *request                = (Pb__SetLimit)PB__SET_LIMIT__INIT;
    *rule                   = (Pb__LimitRule)PB__LIMIT_RULE__INIT;
    *response               = (Pb__LimitView)PB__LIMIT_VIEW__INIT;
    rule->concurrency       = change->rule.concurrency;
    rule->rate_count        = change->rule.rate_count;
    rule->rate_period_us    = change->rule.rate_s * SECOND;
    request->name           = targets[change->target];
    request->rule           = rule;
    request->by             = "sim";
    call->command.request   = request;
    call->command.response  = response;
    return call;
}

static void put_limits(const struct sim_change *change, Pb__SetQueue *request)
{
    request->action             = PB__QUEUE_ACTION__QUEUE_ACTION_LIMIT;
    request->sets_concurrency   = true;
    request->concurrency        = change->rule.concurrency;
    request->sets_rate          = true;
    request->rate_count         = change->rule.rate_count;
    request->rate_period_us     = change->rule.rate_s * SECOND;
    request->sets_key           = true;
    request->key_concurrency    = change->of_keys.concurrency;
    request->key_rate_count     = change->of_keys.rate_count;
    request->key_rate_period_us = change->of_keys.rate_s * SECOND;
}

static struct stage_call *set_queue(const struct sim_change *change)
{
    struct stage_call *call = stage_call_new(COMMAND_SET_QUEUE, 0);
    Pb__SetQueue *request   = stage_call_alloc(call, sizeof *request);
    Pb__QueueView *response = stage_call_alloc(call, sizeof *response);
    *request                = (Pb__SetQueue)PB__SET_QUEUE__INIT;
    *response               = (Pb__QueueView)PB__QUEUE_VIEW__INIT;
    request->name           = "default";
    request->namespace_     = "sim";
    if (change->what == CHANGE_QUEUE) {
        put_limits(change, request);
    } else {
        request->action = change->what == CHANGE_PAUSE ? PB__QUEUE_ACTION__QUEUE_ACTION_PAUSE
                                                       : PB__QUEUE_ACTION__QUEUE_ACTION_RESUME;
    }
    call->command.request  = request;
    call->command.response = response;
    return call;
}

static struct stage_call *make(const struct sim_change *change)
{
    return change->what == CHANGE_TARGET ? set_target(change) : set_queue(change);
}

struct stage_call *sim_operator_make(const struct op *op)
{
    return make(op->change);
}

/* --- the book -----------------------------------------------------------------------------------
 */

static struct call_limit holding(const struct sim_operator *operator, enum sim_target target)
{
    const struct call_limit *by_api = &operator->by_api[target];
    return call_limit_is_any(by_api) ? *by_api : operator->configured[target];
}

static void note(struct sim *sim, uint16_t partition, const struct sim_change *change)
{
    struct sim_operator *operator= & sim->operator;
    struct sim_queue *queue = &operator->queues[partition];
    sim_trace(sim, "change %d holds in partition %u", (int)change->what, partition);
    switch (change->what) {
    case CHANGE_TARGET: {
        operator->by_api[change->target] = change->rule;
        const struct call_limit rule     = holding(operator, change->target);
        sim_limits_of_target(sim, change->target, &rule);
        return;
    }
    case CHANGE_QUEUE:
        queue->all     = change->rule;
        queue->of_keys = change->of_keys;
        sim_limits_of_queue(sim, partition, queue);
        return;
    case CHANGE_PAUSE: queue->is_paused = true; return;
    case CHANGE_RESUME: queue->is_paused = false; return;
    }
}

/* What comes again under the same id changes nothing. */
void sim_operator_committed(struct sim *sim, struct op *op, const struct command *command)
{
    if (command->code != STATUS_OK || op->is_committed) return;
    op->is_committed = true;
    if (op->kind == OP_BUDGET) {
        const Pb__PutBudget *request = command->request;
        const struct spend limit     = {request->spec->tokens, request->spec->usd_nanos};
        sim_budgets_committed(op->budget, &limit);
    } else {
        note(sim, op->partition, op->change);
    }
}

/* --- at the beginning ---------------------------------------------------------------------------
 */

static bool ask(struct sim *sim, uint16_t partition, const struct sim_change *change)
{
    CLEANUP(stage_call_freep) struct stage_call *call = make(change);
    struct error error                                = {};
    call->command.namespace                           = str_from("sim");
    status code = stage_ask(sim->stage, partition, call, &error);
    if (code != STATUS_OK) sim_fail(sim, "a limit is refused: %s", error.text);
    return code == STATUS_OK;
}

bool sim_operator_set_up(struct sim *sim)
{
    struct sim_operator *operator= & sim->operator;
    const struct sim_queue drawn = operator->queues[0];
    for (enum sim_target target = 0; target < TARGETS_SIM; target++) {
        const struct call_limit rule   = holding(operator, target);
        const struct sim_change change = {
            .what = CHANGE_TARGET, .target = target, .rule = operator->by_api[target] };
        sim_limits_of_target(sim, target, &rule);
        if (call_limit_is_any(&change.rule) && !ask(sim, 0, &change)) return false;
    }
    for (uint16_t i = 0; i < stage_partition_count(sim->stage); i++) {
        const struct sim_change change = {
            .what = CHANGE_QUEUE, .rule = drawn.all, .of_keys = drawn.of_keys};
        bool is_any = call_limit_is_any(&drawn.all) || call_limit_is_any(&drawn.of_keys);
        if (is_any && !ask(sim, i, &change)) return false;
        operator->queues[i] = drawn;
        sim_limits_of_queue(sim, i, &drawn);
    }
    return true;
}

/* --- changing it --------------------------------------------------------------------------------
 */

static struct op *send(struct sim *sim, uint16_t partition, const struct sim_change *change)
{
    struct op *op   = client_op(sim, OP_CHANGE, NULL);
    op->partition   = partition;
    op->change      = change;
    int64_t late_us = (int64_t)sim_draw(sim, CHANGE_LATE_MS) * MS;
    sim_at(sim, late_us, client_send, op);
    return op;
}

static struct sim_change *change_new(struct sim *sim)
{
    struct sim_change *change = arena_alloc(sim->arena, sizeof *change);
    ASSERT(change);
    *change = (struct sim_change){};
    return change;
}

static void change_target(struct sim *sim)
{
    struct sim_change *change = change_new(sim);
    change->what              = CHANGE_TARGET;
    change->target            = sim_draw(sim, 5) == 0 ? TARGET_UNDO : TARGET_STEP;
    switch (sim_draw(sim, 4)) { /* so tight that jobs wait */
    case 0: break;
    case 1: change->rule = sim_limit_draw(sim, 1); break;
    case 2: change->rule.concurrency = 1; break;
    default:
        change->rule.rate_count = 1;
        change->rule.rate_s     = 4 + (uint32_t)sim_draw(sim, 6);
        break;
    }
    (void)send(sim, 0, change);
}

static void change_queue(struct sim *sim)
{
    struct sim_change *change    = change_new(sim);
    const struct sim_queue drawn = draw_queue(sim);
    change->what                 = CHANGE_QUEUE;
    change->rule                 = drawn.all;
    change->of_keys              = drawn.of_keys;
    for (uint16_t i = 0; i < stage_partition_count(sim->stage); i++) (void)send(sim, i, change);
}

static void resume(struct sim *sim, void *subject)
{
    const struct op *pause = subject;
    if (!pause->is_done) { /* not before it is known that it has paused */
        sim_at(sim, 1 * SECOND, resume, subject);
        return;
    }
    struct sim_change *change = change_new(sim);
    change->what              = CHANGE_RESUME;
    (void)send(sim, pause->partition, change);
}

static void pause_queue(struct sim *sim)
{
    struct sim_change *change = change_new(sim);
    change->what              = CHANGE_PAUSE;
    for (uint16_t i = 0; i < stage_partition_count(sim->stage); i++) {
        struct op *op = send(sim, i, change);
        sim_at(sim, (int64_t)sim_draw(sim, CHANGE_PAUSE_MS) * MS, resume, op);
    }
}

/* One thing after the other: what comes later holds. */
static bool is_busy(const struct sim *sim)
{
    for (const struct op *op = sim->ops; op; op = op->next) {
        if (op->kind == OP_CHANGE && !op->is_done) return true;
    }
    return false;
}

static void operate(struct sim *sim, void *)
{
    struct sim_operator *operator= & sim->operator;
    if (sim->is_calm || operator->changes == CHANGES_MAX) return;
    sim_at(sim, (int64_t)sim_draw(sim, CHANGE_STEP_MS) * MS, operate, NULL);
    if (is_busy(sim)) return;
    operator->changes++;
    switch (sim_draw(sim, 8)) {
    case 0: change_queue(sim); return;
    case 1: pause_queue(sim); return;
    case 2: sim_budgets_change(sim); return;
    default: change_target(sim); return;
    }
}

void sim_operator_begin(struct sim *sim)
{
    if (sim->operator.is_there) sim_at(sim, 1 * SECOND, operate, NULL);
}

/* --- what engines know of it --------------------------------------------------------------------
 */

static bool is_rule(const struct queue_limits *there, const struct call_limit *rule)
{
    bool has_rate = rule->rate_count > 0;
    return there->concurrency == rule->concurrency && there->rate_count == rule->rate_count &&
           (!has_rate || there->rate_period_us == rule->rate_s * SECOND);
}

static void check_target(struct sim *sim, uint16_t partition, enum sim_target target)
{
    const struct call_limit rule = holding(&sim->operator, target);
    const struct limits *limits  = job_queues_limits(stage_engine(sim->stage, partition)->queues);
    const struct limit *limit    = limits_find(limits, str_from(targets[target]));
    bool is_by_api               = call_limit_is_any(&sim->operator.by_api[target]);
    bool is_known                = limit ? is_rule(&limit->rule, &rule) : !is_by_api;
    if (is_known) return;
    sim_fail(sim, "limit %s: partition %u knows %u at once and %u in a time, %u and %u were set",
             targets[target], partition, limit ? limit->rule.concurrency : 0,
             limit ? limit->rule.rate_count : 0, rule.concurrency, rule.rate_count);
}

static void check_queue(struct sim *sim, uint16_t partition)
{
    const struct sim_queue *set = &sim->operator.queues[partition];
    struct job_queues *queues   = stage_engine(sim->stage, partition)->queues;
    const struct queue *queue   = job_queue_find(queues, str_from("sim"), str_from("default"));
    bool is_set =
        call_limit_is_any(&set->all) || call_limit_is_any(&set->of_keys) || set->is_paused;
    bool is_known = queue ? queue->is_paused == set->is_paused &&
                                is_rule(&queue->limits, &set->all) &&
                                is_rule(&queue->key_limits, &set->of_keys)
                          : !is_set;
    if (is_known) return;
    sim_fail(sim, "the queue of partition %u is not as it was set: %u at once and %s, %u and %s",
             partition, queue ? queue->limits.concurrency : 0,
             queue && queue->is_paused ? "paused" : "not paused", set->all.concurrency,
             set->is_paused ? "paused" : "not paused");
}

void sim_operator_check(struct sim *sim, uint16_t partition, bool is_final)
{
    if (!stage_is_up(sim->stage) || stage_has_failed(sim->stage)) return;
    check_queue(sim, partition);
    if (partition > 0 && !is_final) return; /* it hears of targets later */
    for (enum sim_target target = 0; target < TARGETS_SIM; target++) {
        check_target(sim, partition, target);
    }
}
