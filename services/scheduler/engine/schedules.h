/** engine_schedules: what the two files about schedules share. Of the system partition, and of the
 * engine's transaction, like all of engine_internal.h. */
#ifndef SCHEDULER_ENGINE_SCHEDULES_H
#define SCHEDULER_ENGINE_SCHEDULES_H

#include "message.pb-c.h"
#include "scheduler/engine/engine_internal.h"
#include "workflow.pb-c.h"

/* --- engine_schedules.c ------------------------------------------------------------------------
 */

/** The row of a schedule; NULL: there is none. Lives as long as the turn. */
status schedule_row_get(struct engine *engine, str namespace, str name, Pb__ScheduleView **ret_row,
                        struct error *reterr);
status schedule_row_put(struct engine *engine, const Pb__ScheduleView *row, struct error *reterr);

/** The version whose schedule it is. False: it cannot be read, and the schedule stands still, which
 * its row says. */
bool schedule_workflow(struct engine *engine, Pb__ScheduleView *row,
                       const struct workflow **ret_workflow);

/** Orders a start; the caller has set what differs between schedules. */
status schedule_order(struct engine *engine, const Pb__ScheduleView *row, uint16_t partition,
                      Pb__RunOrder *ordered, struct error *reterr);

/* --- schedule_types.c: `schedule.on` -----------------------------------------------------------
 */

enum {
    SCHEDULE_EVENTS_MAX = 1'000,   /* held by a schedule; then the oldest is dropped */
    SCHEDULE_BYTES_MAX  = 4 << 20, /* of JSON, likewise */
};

/** The workflows that events of a type may start: names (of the turn's arena), each once. */
status schedule_names(struct engine *engine, str namespace, str type, struct pointers *names,
                      struct error *reterr);

/** The schedule holds from now on: its events are looked for. */
status schedule_events_begin(struct engine *engine, const struct workflow *workflow,
                             struct error *reterr);

/** Another takes its place: what it holds is dropped. */
status schedule_events_end(struct engine *engine, Pb__ScheduleView *row, struct error *reterr);

#endif
