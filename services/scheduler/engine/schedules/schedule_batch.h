/**
 * schedule_batch: rows of events that wait for others, to start one run together.
 *
 *     schedule_batches: namespace, name, batch (u64) -> ScheduleBatchRecord
 *     schedule_events:  namespace, name, batch (u64), number (u64) -> ScheduleEventRecord
 *
 * Of the system partition and of the engine's transaction. `row` is that of the schedule: what it
 * holds is counted there, and the caller writes it. Whatever fails has lost the transaction.
 */
#ifndef SCHEDULER_SCHEDULE_BATCH_H
#define SCHEDULER_SCHEDULE_BATCH_H

#include "scheduler/engine/engine_internal.h"
#include "workflow.pb-c.h"

struct batch {
    uint64_t number; /* 0: begun with the event at hand, and in no table yet */
    uint64_t event_count, next;
    json expects, matched; /* as of struct listening; owned */
};

/** Leaves an empty one. */
void batch_done(struct batch *batch);

status batch_put(struct engine *engine, const Pb__ScheduleView *row, const struct batch *batch,
                 struct error *reterr);

/** Adds an event (borrowed) behind the others; the batch itself is to be put. */
status batch_hold(struct engine *engine, Pb__ScheduleView *row, struct batch *batch,
                  const char *event, json value, struct error *reterr);

/** Deletes a batch with its events, which the caller has taken off the counts. */
status batch_delete(struct engine *engine, const Pb__ScheduleView *row, uint64_t batch,
                    struct error *reterr);

/** The batches of a schedule, oldest first. At the end `*ret_batch` has number 0; else it is to be
 * done. */
status batches_open(struct engine *engine, const Pb__ScheduleView *row, struct cursor **ret_cursor,
                    struct error *reterr);
status batches_next(struct engine *engine, const Pb__ScheduleView *row, struct cursor *cursor,
                    struct batch *ret_batch, struct error *reterr);

/** Drops the oldest event, which must be there. `is_all`: the filter that took it is free again. */
status batches_drop_oldest(struct engine *engine, Pb__ScheduleView *row, bool is_all,
                           struct error *reterr);

/** Deletes all of them. */
status batches_delete(struct engine *engine, Pb__ScheduleView *row, struct error *reterr);

/** The events of a batch, as the run gets them. */
struct held {
    json values;      /* owned array */
    const char **ids; /* of the arena; room for one more */
    size_t count;
    uint64_t bytes; /* of those in the table */
};

void held_done(struct held *held);

/** Takes `value`. */
void held_push(struct held *held, const char *id, json value);

/** Reads into an empty one. */
status held_read(struct engine *engine, const Pb__ScheduleView *row, const struct batch *batch,
                 struct held *held, struct error *reterr);

#endif
