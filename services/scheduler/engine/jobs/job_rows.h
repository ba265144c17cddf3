/**
 * job_rows: what a turn knows about jobs without reading or writing their rows.
 *
 * Most jobs are leased in the turn that schedules them: their place is written once, as it is at
 * the end of the turn, and the worker gets what was just written.
 */
#ifndef SCHEDULER_JOB_ROWS_H
#define SCHEDULER_JOB_ROWS_H

#include "record.pb-c.h"
#include "scheduler/engine/engine_internal.h"

enum { FUNCTION_NAMES_MAX = 10'000 };

/** When a job is due that waits for a person: at the end of 9999, so that its place in the queue is
 * behind all others and it is never handed out before it is answered. */
#define JOB_ASKS_US INT64_C(253402300799000000)

/** The row of a job that was scheduled in this turn. Lives as long as the turn. */
struct fresh_job {
    Pb__JobRecord record;
    Pb__LeasedJob leased;
};

/** NULL: it is not of this turn, or has been handed out already. */
Pb__JobRecord *engine_fresh_take(struct engine *engine, struct open_job *job, struct arena *arena);

/** Writes into its row what the next attempt, or whoever repeats the call, hears of the one that
 * has ended (`ended_as`) and those before: the worst. */
void open_job_note_end(const struct open_job *job, Pb__JobRecord *record);

/** A copy of a function's name that stays; NULL: there are too many. */
const char *engine_function_name(struct engine *engine, const char *name);

/** Its place is to be written when the turn ends. */
status engine_place_later(struct engine *engine, struct open_job *job, struct error *reterr);

/** Writes the places that are due. */
status engine_places_flush(struct engine *engine, struct error *reterr);

/** Somebody has answered what a job asks (EVENT_APPROVAL_DECIDED of a call): it goes on. */
status engine_answer_job(struct engine *engine, const struct live_run *live,
                         const struct event *event, struct error *reterr);

void engine_functions_free(struct engine *engine);

#endif
