/** engine_schedules: what the two files about schedules share. Of the system partition, and of the
 * engine's transaction, like all of engine_internal.h. */
#ifndef SCHEDULER_ENGINE_SCHEDULES_H
#define SCHEDULER_ENGINE_SCHEDULES_H

#include "message.pb-c.h"
#include "schedule.pb-c.h"
#include "scheduler/engine/engine_internal.h"
#include "workflow/timetable.h"

/* --- engine_schedules.c ------------------------------------------------------------------------
 */

/** The row of a schedule; NULL: there is none. Lives as long as the turn. */
status schedule_row_get(struct engine *engine, str namespace, str name, Pb__ScheduleView **ret_row,
                        struct error *reterr);
status schedule_row_put(struct engine *engine, const Pb__ScheduleView *row, struct error *reterr);

/** Takes its next time out of the table of those that are due. */
status schedule_due_delete(struct engine *engine, const Pb__ScheduleView *row,
                           struct error *reterr);

/** The version whose schedule it is. False: it cannot be read, and the schedule stands still, which
 * its row says. */
bool schedule_workflow(struct engine *engine, Pb__ScheduleView *row,
                       const struct workflow **ret_workflow);

/** Orders a start; the caller has set what differs between schedules. */
status schedule_order(struct engine *engine, const Pb__ScheduleView *row, uint16_t partition,
                      Pb__RunOrder *ordered, struct error *reterr);

/* --- schedule_starts.c: rows with a `spec` -------------------------------------------------------
 */

enum {
    SCHEDULE_ID_MAX       = 63,  /* bytes */
    SCHEDULE_WAITING_MAX  = 500, /* times that wait for the end of a run; then they are skipped */
    SCHEDULE_BACKFILL_MAX = 500, /* times at once */
};

/** Its times; to be timetable_done(). Fails as cron_parse() and zone_load(). */
status schedule_timetable(const Pb__ScheduleSpec *spec, struct timetable *ret_timetable,
                          struct error *reterr);

/** How much later than due. */
int64_t schedule_jitter(const Pb__ScheduleView *row, int64_t due_us);

/** Sets its next time, which is after `after_us`; none while it is paused. The row is to be put. */
void schedule_move(Pb__ScheduleView *row, int64_t after_us);

/** By what the run of a time is known. */
void schedule_client_id(const Pb__ScheduleView *row, int64_t due_us, char *text, size_t size);

/** Does what `overlap` says about a time. The row is to be put, also by the others below. */
status schedule_begin(struct engine *engine, Pb__ScheduleView *row, int64_t due_us,
                      Pb__ScheduleOutcome *ret_outcome, struct error *reterr);

/** Starts it, whatever goes on. */
status schedule_begin_now(struct engine *engine, Pb__ScheduleView *row, int64_t due_us,
                          struct error *reterr);

/** Puts a time behind those that wait. False: no more fit. */
bool schedule_wait(struct engine *engine, Pb__ScheduleView *row, int64_t due_us);

/** Starts the first that waits, if nothing goes on. */
status schedule_go_on(struct engine *engine, Pb__ScheduleView *row, struct error *reterr);

/** The time of the row has come, and is out of the table. Puts the row. */
status schedule_due(struct engine *engine, Pb__ScheduleView *row, struct error *reterr);

/** Puts the row. */
status schedule_answered(struct engine *engine, Pb__ScheduleView *row,
                         const Pb__ScheduleAnswer *answer, struct error *reterr);

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
