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
    REIGNS_MAX     = 128,
    QUEUE_KEYS_MAX = 3, /* that calls have */
};

#define STARVED_US (120 * SECOND) /* no rate is that slow */

/* How long after it was given a permit is used, by the clock of who gave it: two seconds until it
 * is given up, longer over restarts, and that clock may step in between. */
#define TRAVEL_US (60 * SECOND)

/* A rule, and how long it held in whom it was set in. */
struct reign {
    struct call_limit rule;
    uint16_t setter;
    int64_t since_us, until_us; /* INT64_MAX: it does */
};

struct sim_limit {
    char name[NAME_MAX_SIM];
    struct reign reigns[REIGNS_MAX];
    size_t reign_count;
    bool is_shared;     /* permits come from the system partition, with their time */
    uint16_t partition; /* else: of the only one that it is in */
    unsigned leased, leased_before;
    int64_t latest_us; /* of the clock of who gives permits: so much has passed */
    uint64_t start_count;
    int64_t starts_us[STARTS_MAX]; /* the latest, in a ring */
};

static struct engine *engine_of(const struct sim *sim, uint16_t partition)
{
    return stage_engine(sim->stage, partition);
}

void sim_limits_begin(struct sim *sim)
{
    sim->limits.by_name = map_new(LIMITS_MAX_SIM);
}

void sim_limits_done(struct sim *sim)
{
    map_free(sim->limits.by_name);
}

/* --- drawing ------------------------------------------------------------------------------------
 */

struct call_limit sim_limit_draw(struct sim *sim, uint32_t least)
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
        site->limit = sim_limit_draw(sim, 1);
        if (sim_draw(sim, 2) == 0) site->limit.keys = 1 + (uint32_t)sim_draw(sim, 3);
    }
    for (size_t i = 0; i < sim->programs.count; i++) {
        struct call_limit *limit = &sim->programs.items[i].limit;
        if (sim_draw(sim, 2) == 0 || sim->programs.items[i].has_agents) continue;
        *limit      = sim_limit_draw(sim, 1);
        limit->keys = (uint32_t)sim_draw(sim, 3);
    }
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

/* The clock that its permits come with. */
static uint16_t clock_of(const struct sim_limit *limit)
{
    return limit->is_shared ? 0 : limit->partition;
}

static int64_t travel_us(const struct sim *sim, const struct sim_limit *limit)
{
    return limit->is_shared && stage_partition_count(sim->stage) > 1 ? TRAVEL_US : 0;
}

static struct sim_limit *limit_new(struct sim *sim, const char *name)
{
    struct sim_limit *limit = arena_alloc(sim->arena, sizeof *limit);
    ASSERT(limit);
    *limit = (struct sim_limit){.is_shared = true};
    (void)snprintf(limit->name, sizeof limit->name, "%s", name);
    bool is_put = map_put(sim->limits.by_name, str_from(limit->name), limit);
    ASSERT(is_put);
    return limit;
}

static struct sim_limit *limit_find(const struct sim *sim, const char *name)
{
    return map_get(sim->limits.by_name, str_from(name));
}

static bool is_same(const struct call_limit *a, const struct call_limit *b)
{
    return a->concurrency == b->concurrency && a->rate_count == b->rate_count &&
           a->rate_s == b->rate_s;
}

/* From now on; what `setter` said before does not hold any more. */
static void rule_begins(struct sim *sim, struct sim_limit *limit, uint16_t setter,
                        const struct call_limit *rule)
{
    int64_t now_us = limit->reign_count > 0 ? passed_us(sim, clock_of(limit)) : 0;
    for (size_t i = 0; i < limit->reign_count; i++) {
        struct reign *reign = &limit->reigns[i];
        bool is_old         = reign->setter == setter && reign->until_us == INT64_MAX;
        if (is_old && is_same(&reign->rule, rule)) return;
        if (is_old) reign->until_us = now_us;
    }
    ASSERT(limit->reign_count < REIGNS_MAX);
    limit->reigns[limit->reign_count++] =
        (struct reign){.rule = *rule, .setter = setter, .since_us = now_us, .until_us = INT64_MAX};
}

/* What was never held up by any rule that has held since then. Where there was none for a while: as
 * if there were none. */
static struct call_limit most_since(const struct sim_limit *limit, int64_t since_us)
{
    struct call_limit most = {.rate_s = UINT32_MAX};
    bool is_free           = false;
    bool has_no_rate       = false;
    for (size_t i = 0; i < limit->reign_count; i++) {
        const struct call_limit *rule = &limit->reigns[i].rule;
        if (limit->reigns[i].until_us < since_us) continue;
        is_free |= rule->concurrency == 0;
        has_no_rate |= rule->rate_count == 0;
        if (rule->concurrency > most.concurrency) most.concurrency = rule->concurrency;
        if (rule->rate_count > most.rate_count) most.rate_count = rule->rate_count;
        if (rule->rate_s < most.rate_s) most.rate_s = rule->rate_s;
    }
    if (is_free) most.concurrency = 0;
    if (has_no_rate) most.rate_count = 0;
    return most;
}

/* So many calls began since then: at most what a full bucket holds, and what came into it. */
static void check_rate_since(struct sim *sim, const struct sim_limit *limit, uint64_t count,
                             int64_t since_us)
{
    int64_t away_us              = travel_us(sim, limit);
    int64_t took_us              = limit->latest_us - since_us + away_us;
    const struct call_limit most = most_since(limit, since_us - away_us);
    if (most.rate_count == 0) return;
    int64_t step_us = (most.rate_s * SECOND + most.rate_count - 1) / most.rate_count;
    if (count <= most.rate_count + (uint64_t)(took_us / step_us)) return;
    sim_fail(sim, "limit %s: %" PRIu64 " calls began within %" PRId64 " ms, of %u in %u s",
             limit->name, count, took_us / MS, most.rate_count, most.rate_s);
}

static void check_rate(struct sim *sim, const struct sim_limit *limit)
{
    bool has_rate = false;
    for (size_t i = 0; i < limit->reign_count; i++) {
        has_rate |= limit->reigns[i].rule.rate_count > 0;
    }
    if (!has_rate) return;
    uint64_t kept = limit->start_count < STARTS_MAX ? limit->start_count : STARTS_MAX;
    for (uint64_t count = 1; count <= kept; count++) {
        uint64_t first = limit->start_count - count;
        check_rate_since(sim, limit, count, limit->starts_us[first % STARTS_MAX]);
    }
    check_rate_since(sim, limit, limit->start_count, 0);
}

/* Of a program, which does not change it. */
static struct sim_limit *limit_at(struct sim *sim, const char *name, const struct call_limit *rule)
{
    struct sim_limit *limit = limit_find(sim, name);
    if (!limit) limit = limit_new(sim, name);
    rule_begins(sim, limit, 0, rule);
    return limit;
}

static void count_for(struct sim *sim, struct lease_note *note, struct sim_limit *limit)
{
    ASSERT(note->limit_count < LIMITS_OF_JOB_MAX);
    note->limits[note->limit_count++]                   = limit;
    limit->latest_us                                    = passed_us(sim, clock_of(limit));
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
    if (key < 0 || note->is_model) return;
    (void)snprintf(name, sizeof name, "key of queue: %" PRId64, key);
    struct sim_limit *of_key = limit_find(sim, name);
    if (of_key) count_for(sim, note, of_key);
}

void sim_limits_leased(struct sim *sim, struct lease_note *note, const char *function,
                       uint32_t site, int64_t n)
{
    char name[NAME_MAX_SIM];
    note->limit_count = 0;
    if (note->is_model) { /* another queue, and another target */
        count_key(sim, note, &sim->programs.sites[site], site, n);
        return;
    }
    if (sim->operator.queues[note->partition].is_paused) {
        sim_fail(sim, "a job was leased in partition %u, where the queue is paused",
                 note->partition);
    }
    struct sim_limit *target = limit_find(sim, function);
    if (target) count_for(sim, note, target);
    count_key(sim, note, &sim->programs.sites[site], site, n);
    (void)snprintf(name, sizeof name, "queue of partition %u", note->partition);
    struct sim_limit *queue = limit_find(sim, name);
    if (queue) count_for(sim, note, queue);
}

/* --- other rules --------------------------------------------------------------------------------
 */

void sim_limits_of_target(struct sim *sim, enum sim_target target, const struct call_limit *rule)
{
    static const char *const names[] = {
        [TARGET_STEP] = "worker.step", [TARGET_UNDO] = "worker.undo"};
    (void)limit_at(sim, names[target], rule);
}

static struct call_limit share_of(const struct sim *sim, uint16_t partition,
                                  const struct call_limit *all)
{
    const struct queue_limits limits = {.concurrency    = all->concurrency,
                                        .rate_count     = all->rate_count,
                                        .rate_period_us = all->rate_s * SECOND};
    const struct queue_limits share =
        queue_limits_share(&limits, partition, stage_partition_count(sim->stage));
    return (struct call_limit){
        .concurrency = share.concurrency, .rate_count = share.rate_count, .rate_s = all->rate_s};
}

void sim_limits_of_queue(struct sim *sim, uint16_t partition, const struct sim_queue *queue)
{
    const struct call_limit share = share_of(sim, partition, &queue->all);
    char name[NAME_MAX_SIM];
    (void)snprintf(name, sizeof name, "queue of partition %u", partition);
    struct sim_limit *limit = limit_find(sim, name);
    if (!limit) limit = limit_new(sim, name);
    limit->is_shared = false;
    limit->partition = partition;
    rule_begins(sim, limit, 0, &share);
    for (int64_t key = 0; key < QUEUE_KEYS_MAX; key++) {
        (void)snprintf(name, sizeof name, "key of queue: %" PRId64, key);
        limit = limit_find(sim, name);
        if (!limit) limit = limit_new(sim, name);
        rule_begins(sim, limit, partition, &queue->of_keys);
    }
}

/* --- at once ------------------------------------------------------------------------------------
 */

/* Somebody may be at work at it: it was not reported, its lease holds by both clocks, and its run
 * still wants it. */
static bool is_leased(const struct sim *sim, const struct lease_note *note)
{
    struct engine *engine = engine_of(sim, note->partition);
    return !note->is_over && note->until_us > sim->now_us && note->expires_us > engine->now_us &&
           open_job_find(engine->queues, str_from(note->job));
}

static void count_leased(struct sim *sim)
{
    size_t cursor = 0;
    void *found   = NULL;
    while (map_next(sim->limits.by_name, &cursor, NULL, &found)) {
        ((struct sim_limit *)found)->leased = 0;
    }
    for (struct lease_note *note = sim->notes; note; note = note->next) {
        if (note->limit_count == 0 || !is_leased(sim, note)) continue;
        for (size_t i = 0; i < note->limit_count; i++) note->limits[i]->leased++;
    }
}

/* For whoever follows one seed. */
static void tell_leased(struct sim *sim, const struct sim_limit *limit)
{
    for (const struct lease_note *note = sim->notes; sim->trace && note; note = note->next) {
        bool counts = false;
        for (size_t i = 0; i < note->limit_count; i++) counts |= note->limits[i] == limit;
        if (!counts || !is_leased(sim, note)) continue;
        sim_trace(sim, "  job %s is leased in partition %u until %" PRId64 " ms from now",
                  note->job, note->partition, (note->until_us - sim->now_us) / MS);
    }
    for (size_t i = 0; i < limit->reign_count; i++) {
        const struct reign *reign = &limit->reigns[i];
        sim_trace(
            sim,
            "  partition %u said %u at once and %u in %u s, from %" PRId64 " to %" PRId64 " ms",
            reign->setter, reign->rule.concurrency, reign->rule.rate_count, reign->rule.rate_s,
            reign->since_us / MS, reign->until_us == INT64_MAX ? -1 : reign->until_us / MS);
    }
}

/* When a limit is lowered, those that are at work by then stay, and no more come. */
void sim_limits_check(struct sim *sim, uint16_t partition)
{
    size_t cursor = 0;
    void *found   = NULL;
    if (!stage_is_up(sim->stage)) return;
    (void)passed_us(sim, partition);
    count_leased(sim);
    while (map_next(sim->limits.by_name, &cursor, NULL, &found)) {
        struct sim_limit *limit = found;
        int64_t now_us          = passed_us(sim, clock_of(limit));
        uint32_t most           = most_since(limit, now_us - travel_us(sim, limit)).concurrency;
        uint32_t before         = limit->leased_before;
        limit->leased_before    = limit->leased;
        if (most == 0 || limit->leased <= most || limit->leased <= before) continue;
        tell_leased(sim, limit);
        sim_fail(sim, "limit %s: %u calls at once, of %u", limit->name, limit->leased, most);
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
