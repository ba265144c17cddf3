/**
 * line: the order of the ready jobs of a queue, so that its workflows take turns.
 *
 * Each workflow (of each namespace) has a line of its own in each queue. Within a line jobs go by
 * time, and one step of priority is worth QUEUE_AGEING_US of waiting. Among lines the one goes
 * first whose first job has waited longest for its turn: since it is there, or since its line had
 * the turn before, whichever is later; here, too, one step of priority is worth QUEUE_AGEING_US. So
 * ten thousand jobs of one workflow delay those of another that have the same priority by one job
 * each, and no line waits for ever.
 *
 * Jobs of a workflow that have a limit (limits/limit.h) stand in a line within that of their
 * workflow; these take turns in the same way. A line whose limit is shut is not in the order.
 *
 * A job of a queue with lanes (lane.h) stands in a second line, too, which is that of its function
 * only; what is counted is counted in the first.
 *
 * The order is only in memory; a restart forgets who had the last turn. A job costs O(log n) when
 * it comes and when it goes, n being the jobs of its line and the lines of its queue.
 *
 * Threads: the engine thread only. Lines that are empty are kept for their next job, up to
 * LINES_IDLE_MAX.
 */
#ifndef SCHEDULER_LINE_H
#define SCHEDULER_LINE_H

#include "base/str.h"
#include "scheduler/engine/heap.h"
#include "scheduler/tables/tables.h"

#include <stdint.h>

enum {
    QUEUE_AGEING_US  = 60'000'000, /* a job of priority 5 overtakes one of 6 a minute younger */
    QUEUE_PRIORITIES = JOB_PRIORITY_MAX + 1,
    LINES_MAX        = 32'000'000,
    LINES_IDLE_MAX   = 1'024,
    LINE_NAME_MAX    = 1'024, /* bytes */
};

struct lane;
struct limit;
struct queue;
struct open_job;
struct lines;

struct line {
    str name; /* owned: of its workflow; within another: of its limit */
    struct queue *queue;
    struct lane *lane;   /* NULL: it is one of jobs of all functions */
    struct line *parent; /* NULL: it stands in the queue, or the lane, itself */

    struct heap ready[QUEUE_PRIORITIES]; /* jobs of its own */
    size_t ready_count;                  /* of them */
    size_t waiting_count;                /* of them, and of those within it */
    struct line *next, *previous;        /* in the list of its queue, while it has any */
    struct heap lines;                   /* within it: those that have a job to hand out */
    struct heap_link link;               /* in the lines of its parent, its lane or its queue */
    struct open_job *head;               /* handed out next, its own or one within; NULL: none */

    int64_t turned_us; /* when it had its turn; 0: not yet */
    uint64_t turn;     /* likewise, counted: orders turns of one time */

    struct limit *limit; /* of all its jobs; NULL: none */
    struct line *limit_next, *limit_previous;

    size_t user_count;                      /* open jobs and lines within it */
    struct line *idle_next, *idle_previous; /* while there are none */
};

struct lines *lines_new(void); /* owned */
void lines_free(struct lines *lines);

/** The heap of lines of a queue. */
struct heap lines_heap(void);

/** Finds or makes the line of a workflow, "namespace/workflow". NULL: LINES_MAX, or a name over
 * LINE_NAME_MAX. */
struct line *line_at(struct lines *lines, struct queue *queue, str name);

/** Finds or makes the line within `parent` of the jobs that `limit` is for. NULL: LINES_MAX. */
struct line *line_within(struct lines *lines, struct line *parent, struct limit *limit);

/** Finds or makes the line in `lane` that mirrors `line`, of the queue. NULL: LINES_MAX. */
struct line *line_in_lane(struct lines *lines, struct lane *lane, const struct line *line);

/** The line of a workflow, which `line` is or is within. */
const struct line *line_of_workflow(const struct line *line);

/** One more, and one less, needs the line. */
void line_use(struct lines *lines, struct line *line);
void line_leave(struct lines *lines, struct line *line);

/** A job of its own becomes ready, and is not any more. */
void line_add(struct line *line, struct open_job *job);
void line_remove(struct line *line, struct open_job *job);

/** It has its turn now: to be said before the job that is handed out is removed. */
void line_take_turn(struct line *line, int64_t now_us);

/** Its jobs, its turn or its limit have changed: it, and those that it is within, go where they
 * belong. */
void line_settle(struct line *line);

/** When the oldest of its own jobs became ready; INT64_MAX: it has none. */
int64_t line_oldest_us(const struct line *line);

/** The first job of all lines of a queue, or NULL. */
struct open_job *lines_head(const struct heap *lines);

size_t lines_count(const struct lines *lines);

#endif
