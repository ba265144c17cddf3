#include "scheduler/scheduler.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/one_cpu.h"
#include "base/pause.h"
#include "base/random.h"
#include "scheduler/engine/watches/hints.h"
#include "scheduler/services/run_history.h"
#include "scheduler/services/run_reader.h"
#include "scheduler/tables/function_registry.h"
#include "scheduler/tables/subscriptions.h"
#include "scheduler/tables/system_view.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
    LATE_ARENA_MAX = 128 << 20, /* bytes */
    TICK_MS        = 250,
};

struct scheduler {
    uint16_t count;
    struct shard **shards; /* `count`; NULL: not ours */
    bool *has;             /* `count`: which partitions are ours, also while they are opened */
    _Atomic(struct engine *) *engines; /* `count`: for each other; NULL: not there (yet) */
    struct peers *peers;               /* NULL: all partitions are ours */
    struct store *system; /* of another process, opened to be read; NULL: partition 0 is ours */
    struct definitions *definitions;
    struct subscriptions *subscriptions;
    struct function_registry *functions;
    struct secrets_place secrets;
    struct breaker_rules breakers;
    struct history_waits *history_waits;
    struct safekeeping *safekeeping;
    uint64_t instance;
    bool has_four_eyes;
    bool has_one_cpu;
    struct call_cache_limits cache_limits; /* without zeros */
    struct run_limits limits;
    uint32_t lease_ms;
    int64_t started_us;
    struct hints hints;

    /* A thread that ends waits that are over, and tends what needs it. */
    pthread_t ticker;
    bool has_ticker;
    struct pause pause; /* of it */
};

/* --- hearing of commits: on the engine threads -------------------------------------------------
 */

static bool on_wants(str run, void *context)
{
    const struct shard *shard = context;
    return run_is_watched(shard->watches, run);
}

static void on_watch(bytes subscriber, str run, void *context)
{
    const struct shard *shard = context;
    struct error error        = {};
    if (run_watch_add(shard->watches, subscriber, run, &error) == STATUS_OK) return;
    log_write(LOG_WARN, "watch.refused", LOG_STR("run", run), LOG_TEXT_OF("error", error.text));
}

/* A run has ended that nobody watched before the commit: somebody may have begun to meanwhile, who
 * read the store too early to see the end. */
static void tell_late(const struct shard *shard, const char *run)
{
    if (!run_is_watched(shard->watches, str_from(run))) return;
    CLEANUP(arena_freep) struct arena *arena = arena_new(LATE_ARENA_MAX);
    Pb__RunView *view                        = NULL;
    struct error error                       = {};
    status read                              = STATUS_RESOURCE_EXHAUSTED;
    if (arena) read = run_read_view(shard, str_from(run), true, arena, &view, &error);
    if (read == STATUS_OK) {
        run_watch_ended(shard->watches, view);
    } else {
        log_write(LOG_ERROR, "watch.unreadable", LOG_TEXT_OF("run", run),
                  LOG_TEXT_OF("error", error.text));
    }
}

static void on_progressed(const struct id *run, void *context)
{
    const struct shard *shard  = context;
    const struct run_move move = {.run = *run};
    hints_runs(&shard->scheduler->hints, shard->index, &move, 1);
}

static void on_moved(const struct run_move *moves, size_t count, void *context)
{
    const struct shard *shard   = context;
    struct scheduler *scheduler = shard->scheduler;
    bool has_waits              = history_is_waited_for(scheduler->history_waits);
    bool has_ended              = false;
    for (size_t i = 0; i < count; i++) {
        has_ended |= moves[i].has_ended;
        if (moves[i].view) {
            run_watch_ended(shard->watches, moves[i].view);
        } else if (moves[i].has_ended) {
            tell_late(shard, moves[i].run.text);
        }
        if (has_waits) history_moved(scheduler->history_waits, str_from(moves[i].run.text));
    }
    if (has_ended) run_watches_tell(shard->watches);
    hints_runs(&scheduler->hints, shard->index, moves, count);
}

static void on_telling(void *)
{
    rpc_replies_hold();
}

static void on_told(void *)
{
    rpc_replies_release();
}

void scheduler_hint_key(struct scheduler *scheduler, const char *id)
{
    hints_key(&scheduler->hints, id);
}

/* --- between engines: on the engine threads ----------------------------------------------------
 */

static status on_post(uint16_t partition, struct command *command, struct error *reterr,
                      void *context)
{
    const struct scheduler *scheduler = context;
    ASSERT(partition < scheduler->count);
    struct engine *engine = atomic_load(&scheduler->engines[partition]);
    if (engine) return engine_post(engine, command, reterr);
    bool is_elsewhere = scheduler->peers && !scheduler->has[partition];
    if (is_elsewhere) return peers_post(scheduler->peers, partition, command, reterr);
    return fail(reterr, STATUS_UNAVAILABLE, "partition %u is not here", partition);
}

static bool on_has_partition(uint16_t partition, void *context)
{
    const struct scheduler *scheduler = context;
    ASSERT(partition < scheduler->count);
    if (scheduler->has[partition]) return true;
    return scheduler->peers && peers_reach(scheduler->peers, partition);
}

/* --- shards ------------------------------------------------------------------------------------
 */

static void shard_close(struct shard *shard)
{
    if (!shard) return;
    engine_stop(shard->engine);
    secrets_free(shard->secrets);
    run_watches_free(shard->watches);
    board_free(shard->board);
    partition_close(shard->partition);
    free(shard);
}

static void shard_closep(struct shard **shard)
{
    shard_close(*shard);
}

static status shard_open(struct scheduler *scheduler, const struct scheduler_options *options,
                         uint16_t index, struct shard **ret_shard, struct error *reterr)
{
    CLEANUP(shard_closep) struct shard *shard = mem_new(1, sizeof *shard);
    shard->index                              = index;
    shard->scheduler                          = scheduler;
    shard->board                              = board_new();
    shard->watches                            = run_watches_new(scheduler->instance);
    shard->secrets                            = secrets_new(&scheduler->secrets);
    shard->secret_source                      = secrets_source(shard->secrets);

    const struct partition_options partition_options = {
        .folder         = options->folder,
        .map_size       = options->map_size,
        .index          = index,
        .count          = options->count,
        .redo_clock     = safekeeping_clock(scheduler->safekeeping),
        .redo_bytes_max = options->safekeeping.archive_backlog_size,
    };
    TRY(partition_open(&partition_options, &shard->partition, reterr));

    const struct shard *first                  = index == 0 ? shard : scheduler->shards[0];
    const struct engine_options engine_options = {
        .partition     = shard->partition,
        .definitions   = scheduler->definitions,
        .system_store  = first ? first->partition->store : scheduler->system,
        .board         = shard->board,
        .metrics       = options->metrics,
        .limits        = options->limits,
        .cache_limits  = options->cache_limits,
        .secrets       = &shard->secret_source,
        .retention     = options->retention,
        .breakers      = &scheduler->breakers,
        .audit         = options->audit,
        .lease_ms      = options->lease_ms,
        .subscriptions = scheduler->subscriptions,
        .failed        = options->failed,
        .post          = on_post,
        .has_partition = on_has_partition,
        .neighbours    = scheduler,
        .listener      = {.wants      = on_wants,
                          .moved      = on_moved,
                          .progressed = on_progressed,
                          .watch      = on_watch,
                          .telling    = on_telling,
                          .told       = on_told,
                          .context    = shard},
    };
    TRY(engine_start(&engine_options, &shard->engine, reterr));
    atomic_store(&scheduler->engines[index], shard->engine);
    *ret_shard = TAKE(shard);
    return STATUS_OK;
}

/* --- the ticker --------------------------------------------------------------------------------
 */

static void tick_watches(struct scheduler *scheduler, int64_t now_ms)
{
    for (uint16_t i = 0; i < scheduler->count; i++) {
        if (scheduler->shards[i]) run_watches_tick(scheduler->shards[i]->watches, now_ms);
    }
}

/* One at a time, and none before the first pause: whoever waits for a start needs the disk. */
static void probe_next(struct scheduler *scheduler, uint16_t *next)
{
    while (*next < scheduler->count && !scheduler->shards[*next]) (*next)++;
    if (*next < scheduler->count) partition_probe(scheduler->shards[(*next)++]->partition);
}

/* Each partition has a thread that may want a CPU. */
static size_t own_count(const struct scheduler *scheduler)
{
    size_t count = 0;
    for (uint16_t i = 0; i < scheduler->count; i++) count += scheduler->shards[i] != NULL;
    return count;
}

static void *ticker_thread(void *context)
{
    struct scheduler *scheduler = context;
    uint16_t next_probe         = 0;
    bool is_one                 = scheduler->has_one_cpu && own_count(scheduler) == 1;
    struct one_cpu *one         = is_one ? one_cpu_new() : NULL;
    while (pause_for(&scheduler->pause, TICK_MS)) {
        probe_next(scheduler, &next_probe);
        one_cpu_tend(one, clock_mono_us(), clock_process_cpu_us());
        tick_watches(scheduler, clock_mono_ms());
        if (scheduler->system) system_view_refresh(scheduler->subscriptions, scheduler->system);
    }
    one_cpu_free(one);
    return NULL;
}

/* --- open and close ----------------------------------------------------------------------------
 */

static status start_safekeeping(struct scheduler *scheduler,
                                const struct scheduler_options *options, struct error *reterr)
{
    struct backup_source *sources = mem_new(scheduler->count, sizeof *sources);
    size_t count                  = 0;
    for (uint16_t i = 0; i < scheduler->count; i++) {
        const struct shard *shard = scheduler->shards[i];
        if (shard) sources[count++] = (struct backup_source){shard->partition, shard->engine};
    }
    const struct backup_set set = {
        .partition_count = scheduler->count, .sources = sources, .count = count};
    status started = safekeeping_start(scheduler->safekeeping, &set, options->folder, reterr);
    free(sources);
    return started;
}

/* Partition 0 is another process's: its tables are read, not its engine asked. */
static status open_system(struct scheduler *scheduler, const struct scheduler_options *options,
                          struct error *reterr)
{
    TRY(system_view_open(options->folder, options->map_size, &scheduler->system, reterr));
    definitions_forget_names(scheduler->definitions);
    return subscriptions_load(scheduler->subscriptions, scheduler->system, reterr);
}

static status open_all(struct scheduler *scheduler, const struct scheduler_options *options,
                       struct error *reterr)
{
    if (options->folder && mkdir(options->folder, 0700) && errno != EEXIST) {
        return fail(reterr, STATUS_UNAVAILABLE, "%s: %m", options->folder);
    }
    TRY(history_waits_start(run_history_answer, &scheduler->history_waits, reterr));
    if (options->peers) TRY(peers_new(options->peers, &scheduler->peers, reterr));
    if (!scheduler->has[0] && options->folder) TRY(open_system(scheduler, options, reterr));
    for (uint16_t i = 0; i < scheduler->count; i++) {
        if (options->owned && !options->owned[i]) continue;
        TRY(shard_open(scheduler, options, i, &scheduler->shards[i], reterr));
    }
    const struct shard *system = scheduler->shards[0];
    if (system) {
        TRY(function_registry_load(scheduler->functions, system->partition->store, reterr));
        TRY(subscriptions_load(scheduler->subscriptions, system->partition->store, reterr));
    }
    TRY(start_safekeeping(scheduler, options, reterr));
    if (pthread_create(&scheduler->ticker, NULL, ticker_thread, scheduler)) {
        return fail(reterr, STATUS_UNAVAILABLE, "no thread for the clock");
    }
    scheduler->has_ticker = true;
    return STATUS_OK;
}

status scheduler_open(const struct scheduler_options *options, struct scheduler **ret_scheduler,
                      struct error *reterr)
{
    ASSERT(options->count > 0 && options->count <= PARTITIONS_MAX);
    CLEANUP(scheduler_closep) struct scheduler *scheduler = mem_new(1, sizeof *scheduler);
    scheduler->count                                      = options->count;
    scheduler->secrets                                    = options->secrets;
    scheduler->breakers                                   = options->breakers;
    if (options->breakers.common.failures == 0) scheduler->breakers = breaker_rules_default;
    scheduler->shards  = mem_new(options->count, sizeof *scheduler->shards);
    scheduler->engines = mem_new(options->count, sizeof *scheduler->engines);
    scheduler->has     = mem_new(options->count, sizeof *scheduler->has);
    for (uint16_t i = 0; i < options->count; i++) {
        scheduler->has[i] = !options->owned || options->owned[i];
    }
    pause_init(&scheduler->pause);
    hints_init(&scheduler->hints);
    scheduler->definitions   = definitions_new();
    scheduler->functions     = function_registry_new();
    scheduler->subscriptions = subscriptions_new();
    scheduler->instance      = random_u64() | 1;
    scheduler->started_us    = clock_unix_us();
    scheduler->has_four_eyes = options->has_four_eyes;
    scheduler->has_one_cpu   = options->has_one_cpu;
    scheduler->limits        = options->limits;
    scheduler->cache_limits  = call_cache_limits_of(&options->cache_limits);
    scheduler->lease_ms      = options->lease_ms;
    scheduler->safekeeping   = safekeeping_new(&options->safekeeping);
    TRY(open_all(scheduler, options, reterr));
    *ret_scheduler = TAKE(scheduler);
    return STATUS_OK;
}

void scheduler_close(struct scheduler *scheduler)
{
    if (!scheduler) return;
    pause_end(&scheduler->pause);
    if (scheduler->has_ticker) {
        int joined = pthread_join(scheduler->ticker, NULL);
        ASSERT(joined == 0);
    }
    safekeeping_end(scheduler->safekeeping); /* a backup that is made comes to its end */
    /* The engines tell both of what they did, so they end first; the last answers read the stores.
     */
    for (uint16_t i = 0; i < scheduler->count; i++) {
        if (scheduler->shards[i]) engine_halt(scheduler->shards[i]->engine);
    }
    peers_free(scheduler->peers); /* their last answers go to outboxes */
    for (uint16_t i = 0; i < scheduler->count; i++) {
        if (scheduler->shards[i]) engine_stopp(&scheduler->shards[i]->engine);
    }
    safekeeping_free(scheduler->safekeeping); /* archives the last commits */
    history_waits_stop(scheduler->history_waits);
    tick_watches(scheduler, INT64_MAX);
    for (uint16_t i = 0; i < scheduler->count; i++) shard_close(scheduler->shards[i]);
    definitions_free(scheduler->definitions);
    function_registry_free(scheduler->functions);
    hints_done(&scheduler->hints);
    subscriptions_free(scheduler->subscriptions);
    pause_destroy(&scheduler->pause);
    store_close(scheduler->system);
    free(scheduler->shards);
    free(scheduler->engines);
    free(scheduler->has);
    free(scheduler);
}

void scheduler_closep(struct scheduler **scheduler)
{
    scheduler_close(*scheduler);
    *scheduler = NULL;
}

uint16_t scheduler_partition_count(const struct scheduler *scheduler)
{
    return scheduler->count;
}

struct store *scheduler_system_store(const struct scheduler *scheduler)
{
    const struct shard *shard = scheduler->shards[0];
    return shard ? shard->partition->store : scheduler->system;
}

struct shard *scheduler_shard(struct scheduler *scheduler, uint16_t partition)
{
    return partition < scheduler->count ? scheduler->shards[partition] : NULL;
}

struct definitions *scheduler_definitions(struct scheduler *scheduler)
{
    return scheduler->definitions;
}

struct function_registry *scheduler_functions(struct scheduler *scheduler)
{
    return scheduler->functions;
}

const struct secrets_place *scheduler_secrets_place(const struct scheduler *scheduler)
{
    return &scheduler->secrets;
}

struct backups *scheduler_backups(struct scheduler *scheduler)
{
    return safekeeping_backups(scheduler->safekeeping);
}

struct archiver *scheduler_archiver(struct scheduler *scheduler)
{
    return safekeeping_archiver(scheduler->safekeeping);
}

struct history_waits *scheduler_history_waits(struct scheduler *scheduler)
{
    return scheduler->history_waits;
}

const struct run_limits *scheduler_limits(const struct scheduler *scheduler)
{
    return &scheduler->limits;
}

const struct breaker_rules *scheduler_breaker_rules(const struct scheduler *scheduler)
{
    return &scheduler->breakers;
}

uint32_t scheduler_lease_ms(const struct scheduler *scheduler)
{
    return scheduler->lease_ms;
}

const struct call_cache_limits *scheduler_cache_limits(const struct scheduler *scheduler)
{
    return &scheduler->cache_limits;
}

bool scheduler_has_four_eyes(const struct scheduler *scheduler)
{
    return scheduler->has_four_eyes;
}

int64_t scheduler_started_us(const struct scheduler *scheduler)
{
    return scheduler->started_us;
}

void scheduler_set_publisher(struct scheduler *scheduler, struct rpc_publisher *publisher)
{
    hints_publish_by(&scheduler->hints, publisher);
}
