#include "scheduler/engine/queues/board.h"

#include "base/assert.h"
#include "base/mem.h"
#include "scheduler/engine/jobs/job_progress.h"
#include "scheduler/engine/jobs/job_queue.h"
#include "scheduler/engine/jobs/worker.h"
#include "scheduler/engine/limits/limit_board.h"
#include "scheduler/tables/record.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* What is shown of a queue; the names belong to the board, since queues may go away. */
struct shown_queue {
    char *redrive_json; /* owned; NULL: not shown yet */
    char *namespace, *name;
    Pb__QueueView view;
};

struct board {
    pthread_mutex_t mutex; /* guards what follows */
    struct shown_queue *queues;
    size_t queue_count, queue_capacity;
    struct worker *workers;
    size_t worker_count;
    struct board_target *targets; /* that hold jobs; their names are owned */
    size_t target_count, target_capacity;
    Pb__PartitionStatus partition;
    struct limit_board *limits;    /* owned; has its own mutex, as the next */
    struct job_progress *progress; /* owned */
};

struct board *board_new(void)
{
    struct board *board = mem_new(1, sizeof *board);
    int failed          = pthread_mutex_init(&board->mutex, NULL);
    ASSERT(!failed);
    board->partition = (Pb__PartitionStatus)PB__PARTITION_STATUS__INIT;
    board->limits    = limit_board_new();
    board->progress  = job_progress_new();
    return board;
}

static void clear_targets(struct board *board)
{
    for (size_t i = 0; i < board->target_count; i++) {
        free((char *)(uintptr_t)board->targets[i].name);
    }
    board->target_count = 0;
}

void board_free(struct board *board)
{
    if (!board) return;
    for (size_t i = 0; i < board->queue_count; i++) {
        free(board->queues[i].namespace);
        free(board->queues[i].name);
        free(board->queues[i].redrive_json);
    }
    clear_targets(board);
    limit_board_free(board->limits);
    job_progress_free(board->progress);
    free(board->targets);
    free(board->queues);
    free(board->workers);
    (void)pthread_mutex_destroy(&board->mutex);
    free(board);
}

static void lock(struct board *board)
{
    int failed = pthread_mutex_lock(&board->mutex);
    ASSERT(!failed);
}

static void unlock(struct board *board)
{
    int failed = pthread_mutex_unlock(&board->mutex);
    ASSERT(!failed);
}

/* --- the engine's side -------------------------------------------------------------------------
 */

/* Those that poll it and take jobs, and their slots. */
static void show_workers(Pb__QueueView *view, const struct workers *workers,
                         const struct queue *queue)
{
    size_t cursor        = 0;
    view->workers        = 0;
    view->draining       = 0;
    view->slots          = 0;
    view->external_slots = 0;
    const struct worker *worker;
    while ((worker = worker_next(workers, &cursor))) {
        if (!worker_serves(worker, queue->namespace, queue->name)) continue;
        if (worker->is_draining) view->draining++;
        if (worker->is_draining) continue;
        bool is_external = strcmp(worker->kind, WORKER_EXTERNAL) == 0;
        view->workers++;
        if (is_external) view->external_slots += worker->slots;
        if (!is_external) view->slots += worker->slots;
    }
}

void board_view_settings(const struct queue *queue, Pb__QueueView *view)
{
    view->paused             = queue->is_paused;
    view->purging            = queue->purge_before > 0;
    view->concurrency        = queue->limits.concurrency;
    view->rate_count         = queue->limits.rate_count;
    view->rate_period_us     = queue->limits.rate_period_us;
    view->key_concurrency    = queue->key_limits.concurrency;
    view->key_rate_count     = queue->key_limits.rate_count;
    view->key_rate_period_us = queue->key_limits.rate_period_us;
    view->redrive_json       = queue->redrive_json ? queue->redrive_json : "";
    view->redriving          = queue->is_redriving;
}

static void show(struct shown_queue *shown, const struct queue *queue,
                 const struct workers *workers, int64_t now_us)
{
    Pb__QueueView *view        = &shown->view;
    view->name                 = shown->name;
    view->depth                = queue->ready_count;
    view->delayed              = queue->delayed_count;
    view->held                 = queue->held_count;
    view->running              = queue->leased_count;
    view->dead_letters         = queue->dead_count;
    view->oldest_us            = queue_oldest_us(queue);
    view->share                = queue->concurrency;
    view->opens_us             = heap_has(&queue->opening) ? start_rate_opens_us(&queue->rate) : 0;
    view->completed_per_second = queue_flow_per_second(&queue->completed, now_us);
    view->failed_per_second    = queue_flow_per_second(&queue->failed, now_us);
    show_workers(view, workers, queue);
    board_view_settings(queue, view);
    if (!shown->redrive_json || strcmp(shown->redrive_json, view->redrive_json) != 0) {
        free(shown->redrive_json);
        shown->redrive_json = mem_dup(view->redrive_json, strlen(view->redrive_json));
    }
    view->redrive_json = shown->redrive_json;
}

/* Under the lock. Queues are never taken away while an engine lives, so places stay. */
static struct shown_queue *shown_at(struct board *board, size_t index, const struct queue *queue)
{
    if (index == board->queue_capacity) {
        board->queue_capacity = board->queue_capacity ? 2 * board->queue_capacity : 16;
        board->queues = mem_resize(board->queues, board->queue_capacity, sizeof *board->queues);
    }
    struct shown_queue *shown = &board->queues[index];
    bool is_same              = index < board->queue_count && str_is(queue->name, shown->name) &&
                   str_is(queue->namespace, shown->namespace);
    if (is_same) return shown;
    if (index < board->queue_count) { /* after a recovery their order may be another one */
        free(shown->namespace);
        free(shown->name);
        free(shown->redrive_json);
    } else {
        board->queue_count = index + 1;
    }
    *shown = (struct shown_queue){
        .namespace = mem_dup(queue->namespace.ptr, queue->namespace.len),
        .name      = mem_dup(queue->name.ptr, queue->name.len),
        .view      = PB__QUEUE_VIEW__INIT,
    };
    return shown;
}

void board_set_queues(struct board *board, struct job_queues *queues, struct workers *workers,
                      int64_t now_us)
{
    lock(board);
    size_t index = 0;
    const struct queue *queue;
    while ((queue = job_queue_next(queues, &index))) {
        show(shown_at(board, index - 1, queue), queue, workers, now_us);
    }
    unlock(board);
}

static int compare_targets(const void *a, const void *b)
{
    return strcmp(((const struct board_target *)a)->name, ((const struct board_target *)b)->name);
}

/* Few targets are shut at a time: mostly none, and then this looks at nothing. */
void board_set_targets(struct board *board, const struct targets *targets)
{
    size_t count  = targets_shut_count(targets);
    size_t cursor = 0;
    const struct target *target;
    lock(board);
    clear_targets(board);
    if (count > board->target_capacity) {
        board->target_capacity = count;
        board->targets         = mem_resize(board->targets, count, sizeof *board->targets);
    }
    while (count > 0 && (target = targets_next(targets, &cursor))) {
        if (target->held_count == 0) continue;
        ASSERT(board->target_count < count); /* only a shut one holds jobs */
        board->targets[board->target_count++] =
            (struct board_target){mem_dup(target->name.ptr, target->name.len), target->held_count};
    }
    if (board->target_count > 1) {
        qsort(board->targets, board->target_count, sizeof *board->targets, compare_targets);
    }
    unlock(board);
}

void board_set_workers(struct board *board, const struct workers *workers)
{
    lock(board);
    board->worker_count = 0;
    board->workers = mem_resize(board->workers, worker_count(workers) + 1, sizeof *board->workers);
    size_t cursor  = 0;
    const struct worker *worker;
    while ((worker = worker_next(workers, &cursor))) {
        board->workers[board->worker_count++] = *worker;
    }
    unlock(board);
}

void board_set_partition(struct board *board, const Pb__PartitionStatus *partition)
{
    lock(board);
    board->partition = *partition;
    unlock(board);
}

/* --- the readers' side -------------------------------------------------------------------------
 */

static bool is_asked_for(const struct shown_queue *shown, const char *namespace, const char *name)
{
    bool is_own = *shown->namespace == '\0';
    if (*name && strcmp(shown->name, name) != 0) return false;
    return is_own || strcmp(namespace, "*") == 0 || strcmp(shown->namespace, namespace) == 0;
}

status board_queues(struct board *board, const char *namespace, const char *name,
                    struct arena *arena, struct board_queues *ret_queues, struct error *reterr)
{
    struct board_queues found = {};
    lock(board);
    Pb__QueueView *views = arena_alloc(arena, (board->queue_count + 1) * sizeof *views);
    found.items          = arena_alloc(arena, (board->queue_count + 1) * sizeof *found.items);
    for (size_t i = 0; views && found.items && i < board->queue_count; i++) {
        const struct shown_queue *shown = &board->queues[i];
        if (!is_asked_for(shown, namespace, name)) continue;
        views[found.count]      = shown->view;
        views[found.count].name = text_in(arena, str_from(shown->name));
        if (shown->redrive_json) {
            views[found.count].redrive_json = text_in(arena, str_from(shown->redrive_json));
        }
        found.items[found.count] = &views[found.count];
        found.count++;
    }
    unlock(board);
    if (!views || !found.items) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "too many queues");
    *ret_queues = found;
    return STATUS_OK;
}

static void fill_worker(Pb__WorkerStatus *view, const struct worker *worker, struct arena *arena)
{
    *view              = (Pb__WorkerStatus)PB__WORKER_STATUS__INIT;
    view->name         = text_in(arena, str_from(worker->name));
    view->kind         = text_in(arena, str_from(worker->kind));
    view->slots        = worker->slots;
    view->busy         = worker->busy;
    view->last_seen_us = worker->last_seen_us;
    view->draining     = worker->is_draining;
    view->instance     = worker->instance;

    size_t capacity   = strlen(worker->queues) / 2 + 2; /* a name has a byte and a comma */
    const char **list = arena_alloc(arena, capacity * sizeof *list);
    char *names       = text_in(arena, str_from(worker->queues));
    if (!list || !names) return;
    view->queues = list;
    for (char *name = names; name && *name;) {
        list[view->n_queues++] = name;
        name                   = strchr(name, ',');
        if (name) *name++ = '\0';
    }
}

status board_workers(struct board *board, struct arena *arena, struct board_workers *ret_workers,
                     struct error *reterr)
{
    struct board_workers found = {};
    lock(board);
    Pb__WorkerStatus *views = arena_alloc(arena, (board->worker_count + 1) * sizeof *views);
    found.items             = arena_alloc(arena, (board->worker_count + 1) * sizeof *found.items);
    for (size_t i = 0; views && found.items && i < board->worker_count; i++) {
        fill_worker(&views[i], &board->workers[i], arena);
        found.items[found.count++] = &views[i];
    }
    unlock(board);
    if (!views || !found.items) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "too many workers");
    *ret_workers = found;
    return STATUS_OK;
}

status board_held(struct board *board, struct arena *arena, struct board_held *ret_held,
                  struct error *reterr)
{
    lock(board);
    struct board_held held = {.count = board->target_count};
    held.items             = arena_alloc(arena, (held.count + 1) * sizeof *held.items);
    bool is_full           = !held.items;
    for (size_t i = 0; i < held.count && !is_full; i++) {
        held.items[i]      = board->targets[i];
        held.items[i].name = text_in(arena, str_from(board->targets[i].name));
        is_full            = !held.items[i].name;
    }
    unlock(board);
    if (is_full) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "too many targets");
    *ret_held = held;
    return STATUS_OK;
}

uint64_t board_held_of(const struct board_held *held, const char *name)
{
    const struct board_target wanted = {.name = name};
    if (held->count == 0) return 0;
    const struct board_target *found =
        bsearch(&wanted, held->items, held->count, sizeof wanted, compare_targets);
    return found ? found->held : 0;
}

struct limit_board *board_limits(struct board *board)
{
    return board->limits;
}

struct job_progress *board_progress(struct board *board)
{
    return board->progress;
}

void board_partition(struct board *board, Pb__PartitionStatus *ret_status)
{
    lock(board);
    *ret_status = board->partition;
    unlock(board);
}
