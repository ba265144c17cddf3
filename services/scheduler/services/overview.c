#include "scheduler/services/overview.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "scheduler/engine/jobs/worker.h"
#include "scheduler/services/rule_gauges.h"
#include "telemetry/metrics.h"

#include <pthread.h>
#include <stdlib.h>

enum { OVERVIEW_ARENA_MAX = 64 << 20 /* bytes */ };

/* --- queues ------------------------------------------------------------------------------------
 */

status scheduler_sum_queues(struct scheduler *scheduler, const char *namespace, const char *name,
                            struct arena *arena, struct queue_sum *ret_sum, struct error *reterr)
{
    struct queue_sum sum = {};
    sum.items            = arena_alloc(arena, SUM_NAMES_MAX * sizeof *sum.items);
    if (!sum.items) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    for (uint16_t i = 0; i < scheduler_partition_count(scheduler); i++) {
        const struct shard *shard = scheduler_shard(scheduler, i);
        if (!shard) continue;
        struct board_queues found = {};
        TRY(board_queues(shard->board, namespace, name, arena, &found, reterr));
        for (size_t q = 0; q < found.count; q++) queue_sum_add(&sum, found.items[q]);
    }
    *ret_sum = sum;
    return STATUS_OK;
}

/* --- workers -----------------------------------------------------------------------------------
 */

status scheduler_sum_workers(struct scheduler *scheduler, struct arena *arena,
                             struct worker_sum *ret_sum, struct error *reterr)
{
    struct worker_sum sum = {};
    sum.items             = arena_alloc(arena, SUM_NAMES_MAX * sizeof *sum.items);
    if (!sum.items) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    for (uint16_t i = 0; i < scheduler_partition_count(scheduler); i++) {
        const struct shard *shard = scheduler_shard(scheduler, i);
        if (!shard) continue;
        struct board_workers found = {};
        TRY(board_workers(shard->board, arena, &found, reterr));
        for (size_t w = 0; w < found.count; w++) worker_sum_add(&sum, found.items[w]);
    }
    *ret_sum = sum;
    return STATUS_OK;
}

/* --- gauges ------------------------------------------------------------------------------------
 */

struct overview {
    pthread_mutex_t mutex;       /* guards what follows: the listener asks, main shows and hides */
    struct scheduler *scheduler; /* NULL: none is shown */

    struct metric *depth, *age, *held, *dead;
    struct metric *connected, *slots;
    struct series *last_backup;
    struct rule_gauges *rules; /* owned */
    struct series *archive_covered, *archive_failing, *archive_waiting, *archive_given_up;
};

/* The kinds that are counted; a worker calls itself what it likes. */
static const char *const kinds[] = {"tools", "llm", "external"};

struct tally {
    double connected, busy, slots;
};

static void tally_workers(const struct worker_sum *workers, const char *queue, const char *kind,
                          struct tally *tally)
{
    for (size_t i = 0; i < workers->count; i++) {
        const Pb__WorkerStatus *worker = workers->items[i];
        bool serves                    = false;
        for (size_t q = 0; q < worker->n_queues && !serves; q++) {
            serves = strcmp(worker->queues[q], queue) == 0;
        }
        if (!serves || strcmp(worker->kind, kind) != 0) continue;
        tally->connected++;
        tally->busy += worker->busy;
        tally->slots += worker->slots;
    }
}

static void set_workers(const struct overview *overview, const struct worker_sum *workers,
                        const char *queue)
{
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        struct tally tally = {};
        tally_workers(workers, queue, kinds[k], &tally);
        const str labels[] = {str_from(queue), str_from(kinds[k]), str_from("busy")};
        const str other[]  = {labels[0], labels[1], str_from("free")};
        double free_slots  = tally.slots > tally.busy ? tally.slots - tally.busy : 0;
        series_set(metric_series(overview->connected, labels), tally.connected);
        series_set(metric_series(overview->slots, labels), tally.busy);
        series_set(metric_series(overview->slots, other), free_slots);
    }
}

static void set_queue(const struct overview *overview, const Pb__QueueView *queue, int64_t now_us)
{
    const str label[] = {str_from(queue->name)};
    double age_s      = queue->oldest_us > 0 ? (double)(now_us - queue->oldest_us) / 1e6 : 0;
    series_set(metric_series(overview->depth, label), (double)queue->depth);
    series_set(metric_series(overview->held, label), (double)queue->held);
    series_set(metric_series(overview->dead, label), (double)queue->dead_letters);
    series_set(metric_series(overview->age, label), age_s > 0 ? age_s : 0);
}

static void set_archive(const struct overview *overview)
{
    struct archiver *archiver   = scheduler_archiver(overview->scheduler);
    struct archiver_state state = {};
    if (archiver) archiver_state(archiver, &state);
    series_set(overview->archive_covered, (double)state.covered_us / 1e6);
    series_set(overview->archive_failing, state.is_failing ? 1 : 0);
    series_set(overview->archive_waiting, (double)state.waiting_bytes);
    series_set(overview->archive_given_up, (double)state.given_up);
}

static void set_all(const struct overview *overview)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(OVERVIEW_ARENA_MAX);
    struct queue_sum queues                  = {};
    struct worker_sum workers                = {};
    if (!arena) return;
    if (scheduler_sum_queues(overview->scheduler, "*", "", arena, &queues, NULL) != STATUS_OK ||
        scheduler_sum_workers(overview->scheduler, arena, &workers, NULL) != STATUS_OK) {
        return; /* the gauges stay as they were */
    }
    int64_t now_us = clock_unix_us();
    series_set(overview->last_backup,
               (double)backups_last_us(scheduler_backups(overview->scheduler)) / 1e6);
    set_archive(overview);
    rule_gauges_set(overview->rules, overview->scheduler, arena);
    for (size_t i = 0; i < queues.count; i++) {
        set_queue(overview, queues.items[i], now_us);
        set_workers(overview, &workers, queues.items[i]->name);
    }
}

static void sample(void *context)
{
    struct overview *overview = context;
    (void)pthread_mutex_lock(&overview->mutex);
    if (overview->scheduler) set_all(overview);
    (void)pthread_mutex_unlock(&overview->mutex);
}

static struct metric *gauge(struct metrics *registry, const char *name, const char *help,
                            const char *second, const char *third)
{
    const struct metric_spec spec = {
        .name = name, .help = help, .kind = METRIC_GAUGE, .labels = {"queue", second, third}};
    return metric_add(registry, &spec);
}

static struct series *plain_gauge(struct metrics *registry, const char *name, const char *help)
{
    const struct metric_spec spec = {.name = name, .help = help, .kind = METRIC_GAUGE};
    return metric_series(metric_add(registry, &spec), NULL);
}

struct overview *overview_new(struct metrics *registry)
{
    struct overview *overview = mem_new(1, sizeof *overview);
    int failed                = pthread_mutex_init(&overview->mutex, NULL);
    ASSERT(!failed);
    overview->depth =
        gauge(registry, "tutti_queue_depth", "Jobs that a worker may have now.", NULL, NULL);
    overview->age = gauge(registry, "tutti_queue_oldest_age_seconds",
                          "How long the oldest ready job has waited.", NULL, NULL);
    overview->held =
        gauge(registry, "tutti_queue_held",
              "Jobs of suspended runs, and those whose target may not be called.", NULL, NULL);
    overview->dead      = gauge(registry, "tutti_queue_dead_letters",
                                "Entries of the dead letter queue.", NULL, NULL);
    overview->connected = gauge(registry, "tutti_worker_connected",
                                "Workers that were heard of within a minute.", "kind", NULL);
    overview->slots = gauge(registry, "tutti_worker_slots", "Jobs that workers may hold at once.",
                            "kind", "state");

    overview->last_backup =
        plain_gauge(registry, "tutti_backup_last_success_timestamp_seconds",
                    "When the newest whole backup was begun; 0: there is none.");
    overview->archive_covered =
        plain_gauge(registry, "tutti_archive_covered_timestamp_seconds",
                    "All commits until then are in the archive; 0: none is there.");
    overview->archive_failing  = plain_gauge(registry, "tutti_archive_failing",
                                             "1 while the folder of the archive refuses.");
    overview->archive_waiting  = plain_gauge(registry, "tutti_archive_waiting_bytes",
                                             "Redo in the stores, also such that goes soon.");
    overview->archive_given_up = plain_gauge(registry, "tutti_archive_given_up",
                                             "How often the backlog was given up since the start.");
    overview->rules            = rule_gauges_new(registry);
    metrics_add_hook(registry, sample, overview);
    return overview;
}

void overview_show(struct overview *overview, struct scheduler *scheduler)
{
    (void)pthread_mutex_lock(&overview->mutex);
    overview->scheduler = scheduler;
    (void)pthread_mutex_unlock(&overview->mutex);
}

void overview_free(struct overview *overview)
{
    if (!overview) return;
    (void)pthread_mutex_destroy(&overview->mutex);
    rule_gauges_free(overview->rules);
    free(overview);
}

void overview_freep(struct overview **overview)
{
    overview_free(*overview);
    *overview = NULL;
}
