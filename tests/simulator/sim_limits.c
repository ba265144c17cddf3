/* Limits, by the simulation's own count: how many calls that go together are leased at once, and
 * when each of them began. */
#include "base/assert.h"
#include "base/mem.h"
#include "scheduler/engine/engine_internal.h"
#include "sim.h"
#include "system.pb-c.h"
#include "json/json_text.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    LIMITS_MAX_SIM = 10'000,
    STARTS_MAX     = 256, /* that are remembered */
    NAME_MAX_SIM   = 64,
};

#define STARVED_US (120 * SECOND) /* no rate is that slow */

/* How long after it was given a permit is used, by the clock of who gave it: two seconds until it
 * is given up, longer over restarts, and that clock may step in between. */
#define TRAVEL_US (60 * SECOND)

struct sim_limit {
    char name[NAME_MAX_SIM];
    struct call_limit rule;
    bool is_shared; /* permits come from the system partition, with their time */
    unsigned leased;
    int64_t latest_us; /* of the clock of who gives permits: so much has passed */
    uint64_t start_count;
    int64_t starts_us[STARTS_MAX]; /* the latest, in a ring */
};

static struct engine *engine_of(const struct sim *sim, uint16_t partition)
{
    return stage_engine(sim->stage, partition);
}

/* --- drawing ------------------------------------------------------------------------------------
 */

static struct call_limit draw_limit(struct sim *sim, uint32_t least)
{
    struct call_limit limit = {};
    bool has_rate           = sim_draw(sim, 3) == 0;
    if (!has_rate || sim_draw(sim, 2) == 0) {
        limit.concurrency = least + (uint32_t)sim_draw(sim, 3);
    }
    if (has_rate) {
        limit.rate_count = least + (uint32_t)sim_draw(sim, 4);
        limit.rate_s     = 1 + (uint32_t)sim_draw(sim, 8);
    }
    return limit;
}

static void put_target(const char *name, const struct call_limit *limit, bool is_configured,
                       struct buf *out)
{
    (void)buf_printf(out, "\"worker:%s\":{", name);
    if (is_configured && limit->concurrency > 0) {
        (void)buf_printf(out, "\"concurrency\":%u", limit->concurrency);
    }
    if (is_configured && limit->rate_count > 0) {
        (void)buf_printf(out, "%s\"rate\":{\"count\":%u,\"per\":\"%us\"}",
                         limit->concurrency > 0 ? "," : "", limit->rate_count, limit->rate_s);
    }
    (void)buf_put_text(out, "}");
}

void sim_limits_draw(struct sim *sim)
{
    struct sim_limits *limits = &sim->limits;
    limits->by_name           = map_new(LIMITS_MAX_SIM);
    if (sim_draw(sim, 2) == 0) return;
    if (sim_draw(sim, 2) == 0) limits->step = draw_limit(sim, 1);
    if (sim_draw(sim, 4) == 0) limits->undo = draw_limit(sim, 1);
    limits->is_configured = sim_draw(sim, 2) == 0;
    if (sim_draw(sim, 3) == 0) limits->queue = draw_limit(sim, STAGE_PARTITIONS_MAX);
    if (sim_draw(sim, 3) == 0) limits->key_of_queue = draw_limit(sim, 1);
    if (!call_limit_is_any(&limits->step) && !call_limit_is_any(&limits->undo)) return;

    CLEANUP(buf_done) struct buf targets = buf_init(FAILURE_MAX);
    (void)buf_put_text(&targets, "{");
    put_target("worker.step", &limits->step, limits->is_configured, &targets);
    (void)buf_put_text(&targets, ",");
    put_target("worker.undo", &limits->undo, limits->is_configured, &targets);
    (void)buf_put_text(&targets, "}");
    /* Whoever is named has a breaker; of those that were drawn each rests for seconds. */
    bool has_breakers = json_is(sim->breakers.targets, JSON_OBJECT);
    if (!has_breakers) sim->breakers.common.open_us = 5 * SECOND;
    json_unref(sim->breakers.targets);
    status read = json_parse(buf_str(&targets), NULL, &sim->breakers.targets, NULL, NULL);
    ASSERT(read == STATUS_OK);
}

static bool is_call(const struct site *site)
{
    if (site->is_tool) return false;
    return site->kind == SITE_MODEL || site->kind == SITE_OK || site->kind == SITE_PERMANENT ||
           site->kind == SITE_EXHAUST || site->kind == SITE_LATE;
}

void sim_limits_draw_calls(struct sim *sim)
{
    if (sim_draw(sim, 2) == 0) return;
    for (uint32_t i = 1; i <= sim->programs.site_count; i++) {
        struct site *site = &sim->programs.sites[i];
        if (!is_call(site) || sim_draw(sim, 3) > 0) continue;
        site->limit = draw_limit(sim, 1);
        if (sim_draw(sim, 2) == 0) site->limit.keys = 1 + (uint32_t)sim_draw(sim, 3);
    }
    for (size_t i = 0; i < sim->programs.count; i++) {
        struct call_limit *limit = &sim->programs.items[i].limit;
        if (sim_draw(sim, 2) == 0 || sim->programs.items[i].has_agents) continue;
        *limit      = draw_limit(sim, 1);
        limit->keys = (uint32_t)sim_draw(sim, 3);
    }
}

/* --- setting them -------------------------------------------------------------------------------
 */

static bool ask(struct sim *sim, uint16_t partition, struct stage_call *call, const char *what)
{
    struct error error      = {};
    call->command.namespace = str_from("sim");
    status code             = stage_ask(sim->stage, partition, call, &error);
    if (code != STATUS_OK) sim_fail(sim, "%s is refused: %s", what, error.text);
    return code == STATUS_OK;
}

static bool set_target(struct sim *sim, const char *name, const struct call_limit *limit)
{
    if (!call_limit_is_any(limit)) return true;
    CLEANUP(stage_call_freep) struct stage_call *call = stage_call_new(COMMAND_SET_LIMIT, 0);
    Pb__LimitRule rule                                = PB__LIMIT_RULE__INIT;
    Pb__SetLimit request                              = PB__SET_LIMIT__INIT;
    Pb__LimitView response                            = PB__LIMIT_VIEW__INIT;
    rule.concurrency                                  = limit->concurrency;
    rule.rate_count                                   = limit->rate_count;
    rule.rate_period_us                               = limit->rate_s * SECOND;
    request.name                                      = name;
    request.rule                                      = &rule;
    request.by                                        = "sim";
    call->command.request                             = &request;
    call->command.response                            = &response;
    return ask(sim, 0, call, "a limit");
}

static bool set_queue(struct sim *sim, uint16_t partition)
{
    const struct call_limit *queue = &sim->limits.queue;
    const struct call_limit *key   = &sim->limits.key_of_queue;
    if (!call_limit_is_any(queue) && !call_limit_is_any(key)) return true;
    CLEANUP(stage_call_freep) struct stage_call *call = stage_call_new(COMMAND_SET_QUEUE, 0);
    Pb__SetQueue request                              = PB__SET_QUEUE__INIT;
    Pb__QueueView response                            = PB__QUEUE_VIEW__INIT;
    request.name                                      = "default";
    request.namespace_                                = "sim";
    request.action                                    = PB__QUEUE_ACTION__QUEUE_ACTION_LIMIT;
    request.sets_concurrency                          = true;
    request.concurrency                               = queue->concurrency;
    request.sets_rate                                 = true;
    request.rate_count                                = queue->rate_count;
    request.rate_period_us                            = queue->rate_s * SECOND;
    request.sets_key                                  = true;
    request.key_concurrency                           = key->concurrency;
    request.key_rate_count                            = key->rate_count;
    request.key_rate_period_us                        = key->rate_s * SECOND;
    call->command.request                             = &request;
    call->command.response                            = &response;
    return ask(sim, partition, call, "a queue's limit");
}

bool sim_limits_set_up(struct sim *sim)
{
    bool is_set = true;
    if (!sim->limits.is_configured) {
        is_set = set_target(sim, "worker:worker.step", &sim->limits.step) &&
                 set_target(sim, "worker:worker.undo", &sim->limits.undo);
    }
    for (uint16_t i = 0; i < stage_partition_count(sim->stage) && is_set; i++) {
        is_set = set_queue(sim, i);
    }
    return is_set;
}

void sim_limits_done(struct sim *sim)
{
    map_free(sim->limits.by_name);
}

/* --- counting -----------------------------------------------------------------------------------
 */

/* By the clock of who gives permits. */
static int64_t passed_us(struct sim *sim, uint16_t partition)
{
    int64_t now_us   = engine_of(sim, partition)->now_us;
    int64_t *time_us = &sim->limits.time_us[partition];
    if (*time_us > 0 && now_us > *time_us) sim->limits.passed_us[partition] += now_us - *time_us;
    *time_us = now_us;
    return sim->limits.passed_us[partition];
}

/* The new engines' time may be before that of the old ones, also if the clock goes on far ahead
 * before their first turn. */
void sim_limits_restarted(struct sim *sim)
{
    for (uint16_t i = 0; i < stage_partition_count(sim->stage); i++) (void)passed_us(sim, i);
}

/* So many calls began since then. */
static void check_rate_since(struct sim *sim, const struct sim_limit *limit, uint64_t count,
                             int64_t took_us)
{
    const struct call_limit *rule = &limit->rule;
    int64_t step_us = (rule->rate_s * SECOND + rule->rate_count - 1) / rule->rate_count;
    if (count <= rule->rate_count + (uint64_t)(took_us / step_us)) return;
    sim_fail(sim, "limit %s: %" PRIu64 " calls began within %" PRId64 " ms, of %u in %u s",
             limit->name, count, took_us / MS, rule->rate_count, rule->rate_s);
}

static void check_rate(struct sim *sim, const struct sim_limit *limit)
{
    if (limit->rule.rate_count == 0) return;
    bool travels      = limit->is_shared && stage_partition_count(sim->stage) > 1;
    int64_t travel_us = travels ? TRAVEL_US : 0;
    uint64_t kept     = limit->start_count < STARTS_MAX ? limit->start_count : STARTS_MAX;
    for (uint64_t count = 1; count <= kept; count++) {
        uint64_t first  = limit->start_count - count;
        int64_t took_us = limit->latest_us - limit->starts_us[first % STARTS_MAX];
        check_rate_since(sim, limit, count, took_us + travel_us);
    }
    check_rate_since(sim, limit, limit->start_count, limit->latest_us);
}

static struct sim_limit *limit_at(struct sim *sim, const char *name, const struct call_limit *rule)
{
    struct sim_limit *limit = map_get(sim->limits.by_name, str_from(name));
    if (limit) return limit;
    limit = arena_alloc(sim->arena, sizeof *limit);
    ASSERT(limit);
    *limit = (struct sim_limit){.rule = *rule, .is_shared = true};
    (void)snprintf(limit->name, sizeof limit->name, "%s", name);
    bool is_put = map_put(sim->limits.by_name, str_from(limit->name), limit);
    ASSERT(is_put);
    return limit;
}

static void count_for(struct sim *sim, struct lease_note *note, struct sim_limit *limit)
{
    ASSERT(note->limit_count < LIMITS_OF_JOB_MAX);
    note->limits[note->limit_count++] = limit;
    limit->latest_us                  = passed_us(sim, limit->is_shared ? 0 : note->partition);
    limit->starts_us[limit->start_count++ % STARTS_MAX] = limit->latest_us;
    check_rate(sim, limit);
}

static void count_key(struct sim *sim, struct lease_note *note, const struct site *site,
                      uint32_t number, int64_t n)
{
    bool is_own                    = call_limit_is_any(&site->limit);
    const struct program *program  = &sim->programs.items[site->program];
    const struct call_limit *limit = is_own ? &site->limit : &program->limit;
    if (!is_call(site) || !call_limit_is_any(limit)) return;
    char name[NAME_MAX_SIM];
    int64_t key = limit->keys > 0 ? n % limit->keys : -1;
    if (limit->concurrency > 0 || limit->rate_count > 0) {
        (void)snprintf(name, sizeof name, "%s %u: %" PRId64, is_own ? "place" : "program",
                       is_own ? number : site->program, key);
        count_for(sim, note, limit_at(sim, name, limit));
    }
    const struct call_limit *queue = &sim->limits.key_of_queue;
    if (key < 0 || note->is_model || !call_limit_is_any(queue)) return;
    (void)snprintf(name, sizeof name, "key of queue: %" PRId64, key);
    count_for(sim, note, limit_at(sim, name, queue));
}

static void count_queue(struct sim *sim, struct lease_note *note)
{
    const struct call_limit *all = &sim->limits.queue;
    char name[NAME_MAX_SIM];
    if (!call_limit_is_any(all)) return;
    const struct queue_limits limits = {.concurrency    = all->concurrency,
                                        .rate_count     = all->rate_count,
                                        .rate_period_us = all->rate_s * SECOND};
    const struct queue_limits share =
        queue_limits_share(&limits, note->partition, stage_partition_count(sim->stage));
    const struct call_limit rule = {
        .concurrency = share.concurrency, .rate_count = share.rate_count, .rate_s = all->rate_s};
    (void)snprintf(name, sizeof name, "queue of partition %u", note->partition);
    struct sim_limit *limit = limit_at(sim, name, &rule);
    limit->is_shared        = false;
    count_for(sim, note, limit);
}

void sim_limits_leased(struct sim *sim, struct lease_note *note, const char *function,
                       uint32_t site, int64_t n)
{
    bool is_undo                    = strcmp(function, "worker.undo") == 0;
    const struct call_limit *target = is_undo ? &sim->limits.undo : &sim->limits.step;
    note->limit_count               = 0;
    if (note->is_model) { /* another queue, and another target */
        count_key(sim, note, &sim->programs.sites[site], site, n);
        return;
    }
    if (call_limit_is_any(target)) count_for(sim, note, limit_at(sim, function, target));
    count_key(sim, note, &sim->programs.sites[site], site, n);
    count_queue(sim, note);
}

/* Somebody may be at work at it: it was not reported, its lease holds by both clocks, and its run
 * still wants it. */
static bool is_leased(const struct sim *sim, const struct lease_note *note)
{
    struct engine *engine = engine_of(sim, note->partition);
    return !note->is_over && note->until_us > sim->now_us && note->expires_us > engine->now_us &&
           open_job_find(engine->queues, str_from(note->job));
}

void sim_limits_check(struct sim *sim, uint16_t partition)
{
    size_t cursor = 0;
    void *found   = NULL;
    if (!stage_is_up(sim->stage)) return;
    (void)passed_us(sim, partition);
    while (map_next(sim->limits.by_name, &cursor, NULL, &found)) {
        ((struct sim_limit *)found)->leased = 0;
    }
    for (struct lease_note *note = sim->notes; note; note = note->next) {
        if (note->limit_count == 0 || !is_leased(sim, note)) continue;
        for (size_t i = 0; i < note->limit_count; i++) {
            struct sim_limit *limit = note->limits[i];
            if (limit->rule.concurrency == 0 || ++limit->leased <= limit->rule.concurrency) {
                continue;
            }
            sim_fail(sim, "limit %s: %u calls at once, of %u", limit->name, limit->leased,
                     limit->rule.concurrency);
        }
    }
}

/* --- what engines know of them ------------------------------------------------------------------
 */

static void look_at(struct sim *sim, uint16_t partition, const struct limit *limit, bool is_final)
{
    const struct limits *owners = job_queues_limits(engine_of(sim, 0)->queues);
    uint64_t away               = 0;
    if (partition == 0) {
        uint16_t count = stage_partition_count(sim->stage);
        for (uint16_t i = 0; limit->shares && i < count; i++) away += limit->shares[i].given;
    } else if (limit->given > 0) {
        const struct limit *owner = limits_find(owners, limit->name);
        uint32_t known            = owner && owner->shares ? owner->shares[partition].given : 0;
        if (known < limit->given) {
            sim_fail(sim, "limit " STR_FMT ": partition %u has %u permits, and was given %u",
                     STR_ARG(limit->name), partition, limit->given, known);
        }
    }
    if (away != limit->away) {
        sim_fail(sim, "limit " STR_FMT ": %u permits are away, partitions have %" PRIu64,
                 STR_ARG(limit->name), limit->away, away);
    }
    if (!is_final) return;
    if (limit->used == 0 && limit->given == 0 && away == 0 && limit->waiting_count == 0) return;
    sim_fail(sim,
             "limit " STR_FMT ": all is over, and in partition %u %u are used, %u given, %" PRIu64
             " away, and %zu jobs wait",
             STR_ARG(limit->name), partition, limit->used, limit->given, away,
             limit->waiting_count);
}

/* For whoever follows one seed. */
static void tell_limits(struct sim *sim, uint16_t partition)
{
    struct engine *engine       = engine_of(sim, partition);
    const struct limits *limits = job_queues_limits(engine->queues);
    size_t cursor               = 0;
    const struct limit *limit;
    while (sim->trace && (limit = limits_next(limits, &cursor))) {
        sim_trace(sim,
                  "  partition %u, limit " STR_FMT ": %u used, %u away, %u given, %u wanted, %zu "
                  "wait, %s, opens in %" PRId64 " ms",
                  partition, STR_ARG(limit->name), limit->used, limit->away, limit->given,
                  limit->wanted, limit->waiting_count, limit->is_open ? "open" : "shut",
                  (start_rate_opens_us(&limit->rate) - engine->now_us) / MS);
        for (uint16_t i = 0; limit->shares && i < stage_partition_count(sim->stage); i++) {
            sim_trace(sim, "    partition %u: %u given, %u wanted", i, limit->shares[i].given,
                      limit->shares[i].wanted);
        }
    }
}

/* Jobs that nothing holds but a limit or a worker: while the sun shines one of them begins now and
 * then. */
static void look_for_starved(struct sim *sim)
{
    size_t ready = 0;
    for (uint16_t i = 0; i < stage_partition_count(sim->stage); i++) {
        size_t index = 0;
        const struct queue *queue;
        while ((queue = stage_queue_next(sim->stage, i, &index))) ready += queue->ready_count;
    }
    int64_t *since_us = &sim->limits.starved_since_us;
    if (ready == 0 || !sim->is_calm) *since_us = 0;
    if (ready == 0 || !sim->is_calm) return;
    if (*since_us == 0) *since_us = sim->now_us;
    if (sim->now_us - *since_us <= STARVED_US) return;
    for (uint16_t i = 0; i < stage_partition_count(sim->stage); i++) tell_limits(sim, i);
    sim_fail(sim, "%zu jobs could go, and none has begun for %" PRId64 " s", ready,
             (sim->now_us - *since_us) / SECOND);
}

void sim_limits_look(struct sim *sim, bool is_final)
{
    for (uint16_t i = 0; i < stage_partition_count(sim->stage); i++) {
        const struct limits *limits = job_queues_limits(engine_of(sim, i)->queues);
        size_t cursor               = 0;
        const struct limit *limit;
        while ((limit = limits_next(limits, &cursor))) look_at(sim, i, limit, is_final);
    }
    look_for_starved(sim);
}
