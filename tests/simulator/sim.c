/* The loop: what happens next, when an engine turns, when it dies; and the weather. */
#include "sim.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "record.pb-c.h"
#include "scheduler/engine/budgets/late_funds.h"
#include "scheduler/engine/engine_internal.h"
#include "scheduler/tables/record.h"
#include "store/fault.h"
#include "workflow/function_catalog.h"
#include "workflow/sources.h"
#include "workflow/workflow.h"
#include "json/json_text.h"

#include <stdarg.h>
#include <stdlib.h>

enum {
    ARENA_MAX      = 256 << 20,
    DEFINITION_MAX = 1 << 20,
    TURN_US_MAX    = 3'000, /* how long an engine takes to notice something */
    STEPS_MAX      = 2'000'000,
    WRITES_MAX     = 30, /* of a turn, about: where it may break */
    KEYS_MAX       = 1'000'000,
};

#define WALL_START_US    INT64_C(1'795'341'600'000'000) /* 2026-11-22T10:00:00Z */
#define WALL_MIDNIGHT_US (WALL_START_US + 14 * 3'600 * SECOND)
#define SUN_US           (10'000 * SECOND) /* so long calm, and still not done: stuck */

/* --- for its parts ------------------------------------------------------------------------------
 */

uint64_t sim_draw(struct sim *sim, uint64_t below)
{
    return prng_next(&sim->random) % below;
}

bool sim_chance(struct sim *sim, unsigned percent)
{
    return !sim->is_calm && percent > 0 && sim_draw(sim, 100) < percent;
}

static void digest_add(struct sim *sim, uint64_t value)
{
    sim->digest = (sim->digest ^ value) * UINT64_C(0x100000001b3);
}

void sim_trace(struct sim *sim, const char *format, ...)
{
    if (!sim->trace) return;
    va_list arguments;
    va_start(arguments, format);
    (void)fprintf(sim->trace, "%10.6f ", (double)sim->now_us / 1e6);
    (void)vfprintf(sim->trace, format, arguments);
    (void)fputc('\n', sim->trace);
    va_end(arguments);
}

void sim_fail(struct sim *sim, const char *format, ...)
{
    if (sim->failure[0]) return;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sim->failure, sizeof sim->failure, format, arguments);
    va_end(arguments);
    sim_trace(sim, "FAILURE: %s", sim->failure);
}

int64_t sim_engine_us(const struct sim *sim, uint16_t partition)
{
    return stage_engine(sim->stage, partition)->now_us;
}

/* --- the process --------------------------------------------------------------------------------
 */

static void restart(struct sim *sim, void *)
{
    struct error error = {};
    sim_trace(sim, "restart");
    if (stage_restart(sim->stage, &error) != STATUS_OK) {
        sim_fail(sim, "what was committed cannot be opened: %s", error.text);
        return;
    }
    workers_restarted(sim);
    sim_limits_restarted(sim);
}

static void crash(struct sim *sim)
{
    sim_trace(sim, "crash");
    sim->crashes++;
    stage_crash(sim->stage);
    for (uint16_t i = 0; i < STAGE_PARTITIONS_MAX; i++) sim->turn_us[i] = 0;
    sim_at(sim, (int64_t)sim_draw(sim, 5'000) * MS, restart, NULL);
}

/* Dies between two turns, at a write, or after a commit of which nobody hears. */
static void doom(struct sim *sim, void *)
{
    if (sim->is_calm) return;
    sim_at(sim, (int64_t)sim_draw(sim, 2 * (uint64_t)sim->weather.crash_us) + 1, doom, NULL);
    if (!stage_is_up(sim->stage)) return;
    sim->doom = 1 + (unsigned)sim_draw(sim, 3);
    if (sim->doom > 1) return;
    sim->doom = 0;
    crash(sim);
}

static void step_clock(struct sim *sim, void *)
{
    if (sim->is_calm) return;
    int64_t step_us = (int64_t)sim_draw(sim, 40'000) * MS;
    if (sim_draw(sim, 2) == 0) step_us = -step_us;
    sim_trace(sim, "the clock steps by %lld ms", (long long)(step_us / MS));
    stage_set_now(sim->stage, stage_now_us(sim->stage) + step_us);
    sim_at(sim, (int64_t)sim_draw(sim, 2 * (uint64_t)sim->weather.step_us) + 1, step_clock, NULL);
}

/* At one of the turn's writes, or only when it is to be committed. */
static void break_store(struct sim *sim, struct store *store, status code)
{
    if (sim_draw(sim, 2) == 0) {
        store_fault_at_commit(store, code);
    } else {
        store_fault_write_at(store, 1 + sim_draw(sim, WRITES_MAX), code);
    }
}

static void mend_store(struct store *store)
{
    store_fault_at(store, 0, STATUS_OK);
    store_fault_at_commit(store, STATUS_OK);
}

static void turn(struct sim *sim, uint16_t partition)
{
    struct store *store = stage_store(sim->stage, partition);
    bool is_full =
        !sim->is_calm && sim->weather.full > 0 && sim_draw(sim, 1000) < sim->weather.full;
    unsigned end = sim->doom;
    sim->doom    = 0;
    if (end == 2) {
        break_store(sim, store, STATUS_UNAVAILABLE);
    } else if (is_full) {
        break_store(sim, store, STATUS_RESOURCE_EXHAUSTED);
        sim->fulls++;
    }
    sim->is_mute = end == 3;
    sim->turns++;
    stage_step(sim->stage, partition);
    mend_store(store);
    sim_limits_check(sim, partition);
    sim_operator_check(sim, partition, false);
    if (partition == 0) sim_budgets_check(sim, false);
    if (end > 0 || stage_has_failed(sim->stage)) crash(sim);
    sim->is_mute = false;
}

/* --- what happens next --------------------------------------------------------------------------
 */

static void go_to(struct sim *sim, int64_t at_us)
{
    if (at_us > sim->now_us) stage_pass(sim->stage, at_us - sim->now_us);
    if (at_us > sim->now_us) sim->now_us = at_us;
    if (!sim->is_calm && sim->now_us > sim->weather.until_us) {
        sim_trace(sim, "calm");
        sim->is_calm = true;
        sim->doom    = 0;
    }
}

/* The partition whose engine turns next, and when; false: none. */
static bool next_turn(struct sim *sim, uint16_t *ret_partition)
{
    bool is_any = false;
    for (uint16_t i = 0; i < stage_partition_count(sim->stage); i++) {
        int64_t wait_us = stage_partition_wait_us(sim->stage, i);
        int64_t *at_us  = &sim->turn_us[i];
        if (wait_us == INT64_MAX) {
            *at_us = 0;
            continue;
        }
        bool is_noticed = *at_us > 0 && *at_us <= sim->now_us + TURN_US_MAX;
        if (wait_us > 0) {
            *at_us = sim->now_us + wait_us;
        } else if (!is_noticed) {
            *at_us = sim->now_us + (int64_t)sim_draw(sim, TURN_US_MAX);
        }
        if (!is_any || *at_us < sim->turn_us[*ret_partition]) *ret_partition = i;
        is_any = true;
    }
    return is_any;
}

static void happen(struct sim *sim)
{
    uint16_t partition = 0;
    bool turns         = next_turn(sim, &partition);
    if (turns && sim->turn_us[partition] <= sim->heap[0].at_us) {
        go_to(sim, sim->turn_us[partition]);
        sim->turn_us[partition] = 0;
        digest_add(sim, (uint64_t)sim->now_us * 8 + partition);
        turn(sim, partition);
        return;
    }
    struct happening next = sim_next(sim);
    go_to(sim, next.at_us);
    digest_add(sim, next.order);
    next.fire(sim, next.subject);
}

/* --- the end ------------------------------------------------------------------------------------
 */

struct ends {
    struct sim *sim;
    bool is_open;
};

static status see_letter(bytes, bytes row, struct error *reterr, void *context)
{
    struct ends *ends                        = context;
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    Pb__DeadLetterRecord *letter             = NULL;
    TRY(record_read(row, &pb__dead_letter_record__descriptor, arena, &letter, reterr));
    const Pb__LeasedJob *job = letter->job->job;
    ends->is_open |= sim_redrive_is_due(ends->sim, plan_of(ends->sim, job->run), job->id);
    return STATUS_OK;
}

static status see_head(bytes, bytes row, struct error *reterr, void *context)
{
    struct ends *ends                        = context;
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    Pb__RunHead *head                        = NULL;
    TRY(record_read(row, &pb__run_head__descriptor, arena, &head, reterr));
    if (!run_status_wire_is_final((Pb__RunStatus)head->status)) ends->is_open = true;
    return STATUS_OK;
}

static status see_anything(bytes, bytes, struct error *, void *context)
{
    ((struct ends *)context)->is_open = true;
    return STATUS_OK;
}

static bool is_over(struct sim *sim)
{
    if (!sim->is_calm || !stage_is_up(sim->stage) || !clients_are_done(sim)) return false;
    struct ends ends = {.sim = sim};
    for (uint16_t i = 0; i < stage_partition_count(sim->stage) && !ends.is_open; i++) {
        CLEANUP(txn_abortp) struct txn *txn = NULL;
        const struct scan scan              = {};
        struct page heads                   = {};
        struct page outbox                  = {};
        struct page deletions               = {};
        struct page runs                    = {};
        struct page letters                 = {};
        struct page kept                    = {};
        struct page deliveries              = {};
        struct error error                  = {};
        status read = txn_begin_read(stage_store(sim->stage, i), &txn, &error);
        if (read == STATUS_OK) {
            read = txn_page(txn, TABLE_RUN_HEADS, &scan, 10'000, &heads, see_head, &ends, &error);
        }
        if (read == STATUS_OK) {
            read = txn_page(txn, TABLE_OUTBOX, &scan, 1, &outbox, see_anything, &ends, &error);
        }
        if (read == STATUS_OK) {
            read =
                txn_page(txn, TABLE_DELETIONS, &scan, 1, &deletions, see_anything, &ends, &error);
        }
        if (read == STATUS_OK) {
            read =
                txn_page(txn, TABLE_DELIVERIES, &scan, 1, &deliveries, see_anything, &ends, &error);
        }
        if (read == STATUS_OK && sim->redrive.is_there) {
            read = txn_page(txn, TABLE_DEAD_LETTERS, &scan, 10'000, &letters, see_letter, &ends,
                            &error);
        }
        if (read == STATUS_OK && sim->retention.keep_us > 0) {
            read = txn_page(txn, TABLE_RUNS, &scan, 1, &runs, see_anything, &ends, &error);
        }
        if (read == STATUS_OK && sim->retention.keep_us > 0) {
            read = txn_page(txn, TABLE_DEAD_LETTERS, &scan, 1, &kept, see_anything, &ends, &error);
        }
        ends.is_open |= late_funds_count(stage_engine(sim->stage, i)->late_funds) > 0;
        if (read != STATUS_OK) sim_fail(sim, "heads: %s", error.text);
    }
    return !ends.is_open;
}

/* Now and then in between, and at the end with everything in its place. */
static void look(struct sim *sim, void *)
{
    if (is_over(sim)) {
        sim->is_over = true;
        return;
    }
    if (stage_is_up(sim->stage)) sim_limits_look(sim, false);
    if (stage_is_up(sim->stage) && sim_draw(sim, 4) == 0) check_all(sim, false);
    sim_at(sim, 3 * SECOND, look, NULL);
}

static void play(struct sim *sim)
{
    while (!sim->is_over && !sim->failure[0]) {
        bool is_stuck = sim->steps++ == STEPS_MAX || sim->now_us > sim->weather.until_us + SUN_US;
        if (is_stuck) {
            check_all(sim, true); /* which says more */
            sim_fail(sim, "it does not come to its end");
            return;
        }
        happen(sim);
    }
    if (!sim->failure[0]) check_all(sim, true);
}

/* --- the beginning ------------------------------------------------------------------------------
 */

static void draw_weather(struct sim *sim)
{
    struct weather *weather = &sim->weather;
    bool is_rough           = sim_draw(sim, 3) > 0;
    weather->until_us       = sim->now_us + (10 + (int64_t)sim_draw(sim, 80)) * SECOND;
    if (sim_draw(sim, 10) == 0) return; /* a fine day: what is wrong then is simply wrong */
    weather->lost     = (unsigned)sim_draw(sim, is_rough ? 30 : 5);
    weather->repeated = (unsigned)sim_draw(sim, is_rough ? 30 : 5);
    weather->late     = (unsigned)sim_draw(sim, is_rough ? 15 : 3);
    weather->dies     = (unsigned)sim_draw(sim, is_rough ? 15 : 3);
    weather->fails    = (unsigned)sim_draw(sim, 50);
    weather->slow     = (unsigned)sim_draw(sim, 15);
    weather->silent   = (unsigned)sim_draw(sim, 30);
    if (sim_draw(sim, 2) == 0) weather->full = 1 + (unsigned)sim_draw(sim, 60);
    if (sim_draw(sim, 4) > 0) weather->crash_us = (1 + (int64_t)sim_draw(sim, 15)) * SECOND;
    if (sim_draw(sim, 3) == 0) weather->step_us = (5 + (int64_t)sim_draw(sim, 20)) * SECOND;
}

bool sim_put(struct sim *sim, str text)
{
    CLEANUP(arena_freep) struct arena *arena                 = arena_new(ARENA_MAX);
    CLEANUP(workflow_unrefp) const struct workflow *workflow = NULL;
    struct diagnostics list                                  = {.arena = arena};
    struct error error                                       = {};
    sim_trace(sim, "workflow: " STR_FMT, STR_ARG(text));
    const struct workflow_sources sources = {.catalog = sim->catalog};
    status put = workflow_read_with(text, &sources, &list, &workflow, &error);
    if (put == STATUS_OK) put = stage_put(sim->stage, workflow, &error);
    if (put == STATUS_OK) return true;
    const char *detail = list.count > 0 ? list.items[0].detail : "";
    sim_fail(sim, "a workflow is refused: %s: %s", error.text, detail);
    return false;
}

static bool put_program(struct sim *sim, size_t index)
{
    CLEANUP(buf_done) struct buf text = buf_init(DEFINITION_MAX);
    program_print(&sim->programs, index, &text);
    return sim_put(sim, buf_str(&text));
}

/* Breakers of the workers' functions, which open soon; runs that are not kept. */
static void draw_rules(struct sim *sim)
{
    sim->breakers = breaker_rules_default;
    if (sim_draw(sim, 3) == 0) {
        sim->breakers.common = (struct breaker_settings){
            .failures  = 2 + (uint32_t)sim_draw(sim, 4),
            .window_us = 30 * SECOND,
            .open_us   = (1 + (int64_t)sim_draw(sim, 10)) * SECOND,
            .successes = 1 + (uint32_t)sim_draw(sim, 2),
        };
        static const char targets[] = "{\"worker:step\":{},\"worker:undo\":{}}";
        status read = json_parse(str_from(targets), NULL, &sim->breakers.targets, NULL, NULL);
        ASSERT(read == STATUS_OK);
    }
    sim_limits_begin(sim);
    sim_operator_draw(sim);
    sim_budgets_draw(sim);
    sim_redrive_draw(sim);
    sim_webhooks_draw(sim);
    if (sim_draw(sim, 10) == 0) {
        sim->retention.keep_us         = (1 + (int64_t)sim_draw(sim, 30)) * SECOND;
        sim->retention.letters_keep_us = 2 * sim->retention.keep_us;
        sim->has_deletions             = true;
    }
}

/* A day turns after less than a minute, if a budget is of the day. */
static int64_t wall_start_us(const struct sim *sim)
{
    for (size_t i = 0; i < sim->budgets.count; i++) {
        if (sim->budgets.items[i].is_daily) return WALL_MIDNIGHT_US - 40 * SECOND;
    }
    return WALL_START_US;
}

/* The one function of it that a worker describes. */
static const struct function_catalog *catalog_new(void)
{
    static const char described[] =
        "[{\"name\":\"" SIM_WRITE
        "\",\"version\":\"1.0.0\",\"queue\":\"tools\",\"effect\":\"create\","
        "\"idempotency\":\"lookup\",\"input_schema\":{}}]";
    const struct function_catalog *catalog = NULL;
    CLEANUP(json_unrefp) json functions    = json_invalid();
    status made = json_parse(str_from(described), NULL, &functions, NULL, NULL);
    if (made == STATUS_OK) made = function_catalog_new(NULL, functions, &catalog, NULL);
    ASSERT(made == STATUS_OK);
    return catalog;
}

static bool set_up(struct sim *sim)
{
    draw_rules(sim);
    const struct stage_options options = {
        .partitions = (uint16_t)(1 + sim_draw(sim, 3)),
        .seed       = sim->seed + 1,
        .now_us     = wall_start_us(sim),
        .limits     = {.steps_max = sim_draw(sim, 2) ? 0 : 1 + (uint32_t)sim_draw(sim, 6)},
        .breakers   = &sim->breakers,
        .retention  = sim->retention.keep_us > 0 ? &sim->retention : NULL,
        .audit      = {.is_on = true},
    };
    struct error error = {};
    if (stage_open(&options, &sim->stage, &error) != STATUS_OK) {
        sim_fail(sim, "the stage: %s", error.text);
        return false;
    }
    struct program_wishes wishes = {};
    sim_redrive_wish(sim, &wishes);
    sim_budgets_wish(sim, &wishes);
    wishes.has_agents &= sim_draw(sim, 3) > 0;
    programs_draw(&sim->programs, sim->arena, &sim->random, 1 + sim_draw(sim, 3), &wishes);
    sim_limits_draw_calls(sim);
    for (size_t i = 0; i < sim->programs.count; i++) {
        if (!put_program(sim, i)) return false;
    }
    return sim_operator_set_up(sim) && sim_budgets_set_up(sim) && sim_redrive_set_up(sim) &&
           sim_webhooks_set_up(sim) && sim_schedule_set_up(sim);
}

bool sim_play(struct sim *sim, const struct sim_options *options)
{
    sim->seed      = options->seed;
    sim->trace     = options->trace;
    sim->random    = (struct prng){options->seed * 7'919 + 1};
    sim->arena     = arena_new(ARENA_MAX);
    sim->decisions = map_new(KEYS_MAX);
    sim->keys      = map_new(KEYS_MAX);
    sim->cuts      = map_new(KEYS_MAX);
    sim->leases    = map_new(KEYS_MAX);
    sim->catalog   = catalog_new();
    ASSERT(sim->arena);
    log_set_level(sim->trace ? LOG_DEBUG : LOG_ERROR + 1);
    if (!set_up(sim)) return false;
    draw_weather(sim);
    clients_begin(sim);
    sim_schedule_begin(sim);
    sim_redrive_begin(sim);
    sim_webhooks_begin(sim);
    sim_operator_begin(sim);
    workers_begin(sim);
    if (sim->weather.crash_us > 0) {
        sim_at(sim, (int64_t)sim_draw(sim, 2 * (uint64_t)sim->weather.crash_us), doom, NULL);
    }
    if (sim->weather.step_us > 0) {
        sim_at(sim, (int64_t)sim_draw(sim, 2 * (uint64_t)sim->weather.step_us), step_clock, NULL);
    }
    sim_at(sim, 3 * SECOND, look, NULL);
    play(sim);
    return !sim->failure[0];
}

void sim_done(struct sim *sim)
{
    stage_closep(&sim->stage);
    network_done(sim);
    map_free(sim->decisions);
    map_free(sim->keys);
    map_free(sim->cuts);
    map_free(sim->leases);
    function_catalog_unref(sim->catalog);
    sim_limits_done(sim);
    sim_redrive_done(sim);
    sim_webhooks_done(sim);
    json_unref(sim->breakers.targets);
    free(sim->heap);
    arena_free(sim->arena);
}
