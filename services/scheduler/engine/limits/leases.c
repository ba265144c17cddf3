/* What callers set, and permits of calls that are no jobs. */
#include "base/log.h"
#include "scheduler/engine/limits/engine_limits.h"
#include "scheduler/engine/limits/limit_board.h"

static struct limits *limits_of(const struct engine *engine)
{
    return job_queues_limits(engine->queues);
}

status engine_set_limit(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__SetLimit *request = command->request;
    Pb__LimitView *view         = command->response;
    str name                    = str_from(request->name);
    engine_answer(engine, command);
    struct limit *limit = limits_at(limits_of(engine), name);
    if (!limit) {
        return command_refuse(command, STATUS_RESOURCE_EXHAUSTED, "quota_exceeded",
                              "over %d limits", LIMITS_MAX);
    }
    const struct queue_limits rule = limit_rule_from(request->rule);
    engine_limit_rule(engine, limit, &rule);
    log_write(LOG_INFO, "limit.set", LOG_STR("limit", name), LOG_TEXT_OF("by", request->by));
    for (uint16_t i = 1; i < engine->partition->count; i++) {
        Pb__LimitNews news   = PB__LIMIT_NEWS__INIT;
        Pb__Message message  = PB__MESSAGE__INIT;
        message.content_case = PB__MESSAGE__CONTENT_LIMIT_NEWS;
        message.limit_news   = &news;
        news.name            = request->name;
        news.rule            = request->rule;
        news.is_rule         = true;
        TRY(engine_tell(engine, i, &message, reterr));
    }
    if (!limit_view_fill(limit, engine->now_us, command->arena, view)) {
        return command_refuse(command, STATUS_RESOURCE_EXHAUSTED, NULL, "no memory");
    }
    view->name = request->name;
    return STATUS_OK;
}

/* --- replicas ----------------------------------------------------------------------------------
 */

struct limit *engine_limit_brought(struct engine *engine, str name, const struct queue_limits *rule)
{
    struct limit *limit = limits_at(limits_of(engine), name);
    bool is_new         = limit && !queue_limits_are_same(&limit->rule, rule);
    if (is_new) limit_set(limits_of(engine), limit, rule, engine->now_us);
    return limit;
}

/* What it does not hold any more is over, whatever it forgot to say. */
static void end_calls(struct engine *engine, struct limit *limit, struct limit_holder *holder,
                      const Pb__LimitWant *want)
{
    uint32_t kept  = want->held < holder->given ? want->held : holder->given;
    uint32_t ended = holder->given - kept;
    holder->given  = kept;
    if (ended > 0) limit_take_back(limits_of(engine), limit, ended, 0, engine->now_us);
}

static uint32_t lease(struct engine *engine, struct limit *limit, str name,
                      const Pb__LimitWant *want)
{
    bool is_known               = want->want > 0 || want->held > 0;
    struct limit_holder *holder = limit_holder_of(limit, name, is_known);
    if (!holder) return 0;
    end_calls(engine, limit, holder, want);
    uint32_t granted = limit_room(limits_of(engine), limit, want->want, engine->now_us);
    holder->given += granted;
    holder->until_us = engine->now_us + LIMIT_HOLDER_US;
    limit_give(limits_of(engine), limit, granted, engine->now_us);
    if (holder->given == 0) limit_holder_drop(limit, holder);
    return granted;
}

/* Of a rate nobody holds anything: what was granted has started, or comes back as unused. */
static uint32_t lease_starts(struct engine *engine, struct limit *limit, const Pb__LimitWant *want)
{
    struct limits *limits = limits_of(engine);
    limit_unspend(limits, limit, want->unused, engine->now_us);
    uint32_t granted = limit_room(limits, limit, want->want, engine->now_us);
    limit_spend(limits, limit, granted, engine->now_us);
    limit_spend(limits, limit, want->spent, engine->now_us);
    return granted;
}

static int64_t opens_us(const struct engine *engine, const struct limit *limit)
{
    int64_t at_us = start_rate_opens_us(&limit->rate);
    return at_us > engine->now_us ? at_us : 0;
}

static void grant(struct engine *engine, str holder, const Pb__LimitWant *want,
                  Pb__LimitLease *ret_lease)
{
    str name                       = str_from(want->name);
    const struct queue_limits rule = limit_rule_from(want->rule);
    if (!want->rule) engine_limit_known(engine, name);
    struct limit *limit = want->rule ? engine_limit_brought(engine, name, &rule)
                                     : limits_find(limits_of(engine), name);
    if (!limit) return;
    bool is_rate          = want->rule && rule.concurrency == 0;
    ret_lease->is_limited = limit_has_rule(limit);
    ret_lease->granted =
        is_rate ? lease_starts(engine, limit, want) : lease(engine, limit, holder, want);
    bool is_short       = ret_lease->granted < want->want;
    ret_lease->retry_us = is_short || is_rate ? opens_us(engine, limit) : 0;
    if (want->rule) limit_unshow(limit);
}

status engine_lease_limits(struct engine *engine, struct command *command, struct error *)
{
    const Pb__LeaseLimits *request = command->request;
    Pb__LeasedLimits *answer       = command->response;
    size_t count                   = request->n_limits;
    engine_answer(engine, command);
    answer->limits          = arena_alloc(command->arena, (count + 1) * sizeof *answer->limits);
    Pb__LimitLease *granted = arena_alloc(command->arena, (count + 1) * sizeof *granted);
    if (!answer->limits || !granted) {
        return command_refuse(command, STATUS_RESOURCE_EXHAUSTED, NULL, "too many limits");
    }
    for (size_t i = 0; i < count; i++) {
        granted[i]        = (Pb__LimitLease)PB__LIMIT_LEASE__INIT;
        granted[i].name   = request->limits[i]->name;
        answer->limits[i] = &granted[i];
        grant(engine, str_from(request->holder), request->limits[i], &granted[i]);
    }
    answer->n_limits = count;
    return STATUS_OK;
}
