/**
 * board: what an engine shows of itself to other threads: queues, workers, counts.
 *
 * The engine writes it after its turns, readers copy from it; a mutex guards it, held for copying
 * only. It is never older than a turn that changed something, but for the fill of the store and the
 * workers, which are refreshed once a second.
 */
#ifndef SCHEDULER_BOARD_H
#define SCHEDULER_BOARD_H

#include "base/arena.h"
#include "base/status.h"
#include "system.pb-c.h"

#include <stdint.h>

struct board;

struct job_progress;
struct job_queues;
struct limit_board;
struct queue;
struct targets;
struct workers;

/** Owned: board_free(). */
struct board *board_new(void);
void board_free(struct board *board);

/** The engine's side. */
void board_set_queues(struct board *board, struct job_queues *queues, struct workers *workers,
                      int64_t now_us);
void board_set_targets(struct board *board, const struct targets *targets);
void board_set_workers(struct board *board, const struct workers *workers);
void board_set_partition(struct board *board, const Pb__PartitionStatus *partition);

/** What is set of a queue, and what is done to it; the texts are borrowed from it. */
void board_view_settings(const struct queue *queue, Pb__QueueView *view);

/** Queues of a namespace ("*": all) and tutti's own; `name` empty: all. Copies in the arena. */
struct board_queues {
    Pb__QueueView **items;
    size_t count;
};
status board_queues(struct board *board, const char *namespace, const char *name,
                    struct arena *arena, struct board_queues *ret_queues, struct error *reterr);

struct board_workers {
    Pb__WorkerStatus **items;
    size_t count;
};
status board_workers(struct board *board, struct arena *arena, struct board_workers *ret_workers,
                     struct error *reterr);

/** Targets that hold jobs, and how many, in the order of their names. */
struct board_held {
    struct board_target {
        const char *name;
        uint64_t held;
    } * items;
    size_t count;
};
status board_held(struct board *board, struct arena *arena, struct board_held *ret_held,
                  struct error *reterr);
uint64_t board_held_of(const struct board_held *held, const char *name); /* 0: none */

/** What is shown of limits. */
struct limit_board *board_limits(struct board *board);

/** How far jobs say they have come. */
struct job_progress *board_progress(struct board *board);

void board_partition(struct board *board, Pb__PartitionStatus *ret_status);

#endif
