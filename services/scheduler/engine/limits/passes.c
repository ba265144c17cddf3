/* Requests that bring along the limits of the API key that they are made with. */
#include "auth/key_limits.h"
#include "scheduler/engine/limits/engine_limits.h"
#include "scheduler/tables/record.h"
#include "system.pb-c.h"

enum { PASSES_MAX = 8 };

static struct limits *limits_of(const struct engine *engine)
{
    return job_queues_limits(engine->queues);
}

/* --- may it go ---------------------------------------------------------------------------------
 */

/* What can never be there at once goes when all is there that can be. */
static uint32_t needed(const struct limit *limit, uint32_t count)
{
    uint32_t most = limit->rate.count;
    return most > 0 && count > most ? most : count;
}

static bool has_room(const struct engine *engine, struct limit *limit, const char *holder,
                     uint32_t count)
{
    uint32_t need = needed(limit, count);
    if (limit_room(limits_of(engine), limit, need, engine->now_us) < need) return false;
    return limit->rule.concurrency == 0 || limit_holder_of(limit, str_from(holder), true);
}

static int64_t retry_us(const struct engine *engine, const struct limit *limit, uint32_t count)
{
    int64_t at_us = start_rate_due_us(&limit->rate, needed(limit, count));
    return at_us > engine->now_us ? at_us : 0;
}

static void take(struct engine *engine, struct limit *limit, const char *holder, uint32_t count)
{
    if (limit->rule.concurrency == 0) {
        limit_spend(limits_of(engine), limit, count, engine->now_us);
        return;
    }
    struct limit_holder *one = limit_holder_of(limit, str_from(holder), true);
    if (!one) return; /* has_room() has made it */
    one->given += count;
    one->until_us = engine->now_us + LIMIT_HOLDER_US;
    limit_give(limits_of(engine), limit, count, engine->now_us);
}

static Pb__LimitStanding standing_of(const struct engine *engine, const struct limit *limit)
{
    Pb__LimitStanding standing = PB__LIMIT_STANDING__INIT;
    uint32_t most    = limit->rule.concurrency > 0 ? limit->rule.concurrency : limit->rate.count;
    standing.left    = limit_room(limits_of(engine), limit, most, engine->now_us);
    bool is_full     = limit->rate.count == 0 || limit->rate.full_us <= engine->now_us;
    standing.full_us = is_full ? 0 : limit->rate.full_us;
    return standing;
}

/* Who got nothing has nothing to hold; a limit that nobody needs goes. */
static void tidy(struct limit *limit, const char *holder)
{
    struct limit_holder *one = limit_holder_of(limit, str_from(holder), false);
    if (one && one->given == 0) limit_holder_drop(limit, one);
    limit_unshow(limit);
}

static status fill_standings(struct engine *engine, struct command *command,
                             struct limit *const *limits, size_t count)
{
    Pb__PassedLimits *answer = command->response;
    Pb__LimitStanding *items = arena_alloc(command->arena, (count + 1) * sizeof *items);
    answer->standings        = arena_alloc(command->arena, (count + 1) * sizeof *answer->standings);
    if (!items || !answer->standings) {
        return command_refuse(command, STATUS_RESOURCE_EXHAUSTED, NULL, "no memory");
    }
    for (size_t i = 0; i < count; i++) {
        items[i]             = standing_of(engine, limits[i]);
        answer->standings[i] = &items[i];
    }
    answer->n_standings = count;
    return STATUS_OK;
}

status engine_pass_limits(struct engine *engine, struct command *command, struct error *)
{
    const Pb__PassLimits *request = command->request;
    Pb__PassedLimits *answer      = command->response;
    struct limit *limits[PASSES_MAX];
    engine_answer(engine, command);
    if (request->n_limits > PASSES_MAX) {
        return command_refuse(command, STATUS_INVALID_ARGUMENT, NULL, "at most %d limits",
                              PASSES_MAX);
    }
    answer->granted = true;
    for (size_t i = 0; i < request->n_limits; i++) {
        const Pb__LimitPass *pass      = request->limits[i];
        const struct queue_limits rule = limit_rule_from(pass->rule);
        limits[i]                      = engine_limit_brought(engine, str_from(pass->name), &rule);
        if (!limits[i]) {
            return command_refuse(command, STATUS_RESOURCE_EXHAUSTED, "quota_exceeded",
                                  "over %d limits", LIMITS_MAX);
        }
        bool is_short = !has_room(engine, limits[i], request->holder, pass->count);
        if (!is_short || !answer->granted) continue;
        answer->granted  = false;
        answer->refused  = pass->name;
        answer->retry_us = retry_us(engine, limits[i], pass->count);
    }
    for (size_t i = 0; i < request->n_limits; i++) {
        if (answer->granted) take(engine, limits[i], request->holder, request->limits[i]->count);
        tidy(limits[i], request->holder);
    }
    return fill_standings(engine, command, limits, request->n_limits);
}

/* --- under way, and over -----------------------------------------------------------------------
 */

static void hold(struct engine *engine, const Pb__LimitHold *said)
{
    struct limit *limit = limits_find(limits_of(engine), str_from(said->name));
    struct limit_holder *holder =
        limit ? limit_holder_of(limit, str_from(said->holder), false) : NULL;
    if (!holder) return;
    holder->until_us = engine->now_us + LIMIT_HOLDER_US;
    if (!said->is_over) return;
    limit_take_back(limits_of(engine), limit, holder->given, 0, engine->now_us);
    limit_holder_drop(limit, holder);
}

status engine_hold_limits(struct engine *engine, struct command *command, struct error *)
{
    const Pb__HoldLimits *request = command->request;
    engine_answer(engine, command);
    for (size_t i = 0; i < request->n_holds; i++) hold(engine, request->holds[i]);
    return STATUS_OK;
}

/* --- tokens ------------------------------------------------------------------------------------
 */

status engine_spend_key_tokens(struct engine *engine, const char *key_id, int64_t tokens,
                               struct error *reterr)
{
    char name[KEY_LIMIT_NAME_SIZE];
    Pb__ApiKey *row = NULL;
    struct key key;
    if (!key_limit_name(KEY_TOKENS, key_id, name)) return STATUS_OK;
    api_key_key(&key, str_from(key_id));
    status got = record_get(engine->txn, TABLE_API_KEYS, key_bytes(&key), &pb__api_key__descriptor,
                            engine->arena, &row, NULL);
    if (got == STATUS_NOT_FOUND) return STATUS_OK;
    if (got != STATUS_OK) return fail(reterr, got, "table api_keys: a row");
    uint32_t most = row->limits ? row->limits->tokens_per_minute : 0;
    if (most == 0) return STATUS_OK;
    const struct queue_limits rule = {.rate_count     = key_limit_bucket(KEY_TOKENS, most),
                                      .rate_period_us = KEY_LIMIT_PERIOD_US};
    struct limit *limit            = engine_limit_brought(engine, str_from(name), &rule);
    if (!limit) return STATUS_OK; /* LIMITS_MAX: nobody is held by it either */
    limit_spend(limits_of(engine), limit, key_limit_permits(KEY_TOKENS, most, tokens),
                engine->now_us);
    return STATUS_OK;
}
