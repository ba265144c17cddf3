/*
 * Starts of schedules that callers made: rows whose name is ":" and the caller's id, which no
 * workflow can have.
 *
 * A time is dealt with once, in the transaction that moves the row on to the next one; its run has
 * a client id made of schedule and time, so whatever orders it again finds the run that there is.
 */
#include "base/clock.h"
#include "base/log.h"
#include "scheduler/engine/schedules/schedules.h"

#include <stdio.h>

enum { CLIENT_ID_SIZE = 129 /* bytes, as run_reader.c allows */ };

/* --- times -------------------------------------------------------------------------------------
 */

status schedule_timetable(const Pb__ScheduleSpec *spec, struct timetable *ret_timetable,
                          struct error *reterr)
{
    struct timetable timetable = {.kind = TIMETABLE_AT, .us = spec->at_us};
    if (spec->every_us > 0) {
        timetable = (struct timetable){.kind = TIMETABLE_EVERY, .us = spec->every_us};
    } else if (*spec->cron) {
        timetable.kind = TIMETABLE_CRON;
        TRY(cron_parse(str_from(spec->cron), &timetable.cron, reterr));
        if (*spec->time_zone && strcmp(spec->time_zone, "UTC") != 0) {
            TRY(zone_load(str_from(spec->time_zone), &timetable.zone, reterr));
        }
    }
    *ret_timetable = timetable;
    return STATUS_OK;
}

int64_t schedule_jitter(const Pb__ScheduleView *row, int64_t due_us)
{
    char name[SCHEDULE_ID_MAX + WORKFLOW_REFERENCE_MAX];
    (void)snprintf(name, sizeof name, "%s/%s", row->namespace_, row->name);
    return timetable_jitter(str_from(name), due_us, row->spec->jitter_us);
}

static void move_to(Pb__ScheduleView *row, const struct timetable *timetable, int64_t after_us)
{
    int64_t next_us = timetable_next(timetable, after_us);
    row->next_us    = next_us == INT64_MAX ? 0 : next_us;
    row->fire_us    = row->next_us > 0 ? row->next_us + schedule_jitter(row, row->next_us) : 0;
}

void schedule_move(Pb__ScheduleView *row, int64_t after_us)
{
    struct timetable timetable = {};
    struct error why           = {};
    row->next_us               = 0;
    row->fire_us               = 0;
    if (row->paused) return;
    if (schedule_timetable(row->spec, &timetable, &why) != STATUS_OK) {
        log_write(LOG_ERROR, "schedule.unreadable", LOG_TEXT_OF("name", row->name),
                  LOG_TEXT_OF("error", why.text));
        row->last_error = "its time zone cannot be read";
        return;
    }
    move_to(row, &timetable, after_us);
    timetable_done(&timetable);
}

/* --- starts ------------------------------------------------------------------------------------
 */

void schedule_client_id(const Pb__ScheduleView *row, int64_t due_us, char *text, size_t size)
{
    char time[TIME_TEXT_SIZE];
    time_format(due_us, time);
    (void)snprintf(text, size, "scheduled%s:%s", row->name, time);
}

/* `awaited`: the next one waits for its end. */
static status order(struct engine *engine, Pb__ScheduleView *row, int64_t due_us, bool awaited,
                    struct error *reterr)
{
    const Pb__ScheduleSpec *spec = row->spec;
    Pb__RunOrder ordered         = PB__RUN_ORDER__INIT;
    char client_id[CLIENT_ID_SIZE];
    schedule_client_id(row, due_us, client_id, sizeof client_id);
    ordered.client_id  = client_id;
    ordered.due_us     = due_us;
    ordered.awaited    = awaited;
    ordered.input_json = spec->input_json;
    ordered.labels     = spec->labels;
    ordered.n_labels   = spec->n_labels;
    if (awaited) {
        row->running     = true;
        row->running_us  = due_us;
        row->running_run = "";
    }
    row->last_us = due_us;
    uint16_t partition =
        partition_of_text(str_from(row->namespace_), str_from(client_id), engine->partition->count);
    return schedule_order(engine, row, partition, &ordered, reterr);
}

/* The run that goes on is to make room. Before it has told its id there is nobody to ask. */
static status stop_running(struct engine *engine, const Pb__ScheduleView *row, struct error *reterr)
{
    if (!row->running || !*row->running_run) return STATUS_OK;
    Pb__ChildStop stopped = PB__CHILD_STOP__INIT;
    Pb__Message message   = PB__MESSAGE__INIT;
    stopped.child         = row->running_run;
    stopped.reason        = "its schedule's next time has come (overlap: replace)";
    stopped.by            = "schedule";
    message.content_case  = PB__MESSAGE__CONTENT_CHILD_STOP;
    message.child_stop    = &stopped;
    return engine_tell(engine, id_partition(str_from(row->running_run)), &message, reterr);
}

bool schedule_wait(struct engine *engine, Pb__ScheduleView *row, int64_t due_us)
{
    int64_t *waiting = NULL;
    if (row->n_waiting_us < SCHEDULE_WAITING_MAX) {
        waiting = arena_alloc(engine->arena, (row->n_waiting_us + 1) * sizeof *waiting);
    }
    if (!waiting) return false;
    if (row->n_waiting_us > 0) {
        memcpy(waiting, row->waiting_us, row->n_waiting_us * sizeof *waiting);
    }
    waiting[row->n_waiting_us++] = due_us;
    row->waiting_us              = waiting;
    return true;
}

status schedule_go_on(struct engine *engine, Pb__ScheduleView *row, struct error *reterr)
{
    if (row->running || row->paused || row->n_waiting_us == 0) return STATUS_OK;
    int64_t due_us = row->waiting_us[0];
    row->waiting_us++;
    row->n_waiting_us--;
    return order(engine, row, due_us, true, reterr);
}

static status skip(Pb__ScheduleView *row, Pb__ScheduleOutcome *ret_outcome)
{
    row->skipped++;
    *ret_outcome = PB__SCHEDULE_OUTCOME__SCHEDULE_OUTCOME_SKIPPED;
    return STATUS_OK;
}

status schedule_begin(struct engine *engine, Pb__ScheduleView *row, int64_t due_us,
                      Pb__ScheduleOutcome *ret_outcome, struct error *reterr)
{
    bool must_wait = row->running || row->n_waiting_us > 0;
    *ret_outcome   = PB__SCHEDULE_OUTCOME__SCHEDULE_OUTCOME_STARTED;
    switch (row->spec->overlap) {
    case PB__SCHEDULE_OVERLAP__SCHEDULE_OVERLAP_ALLOW:
        return order(engine, row, due_us, false, reterr);
    case PB__SCHEDULE_OVERLAP__SCHEDULE_OVERLAP_QUEUE:
        if (!must_wait) break;
        *ret_outcome = PB__SCHEDULE_OUTCOME__SCHEDULE_OUTCOME_QUEUED;
        return schedule_wait(engine, row, due_us) ? STATUS_OK : skip(row, ret_outcome);
    case PB__SCHEDULE_OVERLAP__SCHEDULE_OVERLAP_REPLACE:
        if (!must_wait) break;
        *ret_outcome = PB__SCHEDULE_OUTCOME__SCHEDULE_OUTCOME_REPLACES;
        row->skipped += row->n_waiting_us;
        row->n_waiting_us = 0;
        if (!schedule_wait(engine, row, due_us)) return skip(row, ret_outcome);
        TRY(stop_running(engine, row, reterr));
        return schedule_go_on(engine, row, reterr);
    case PB__SCHEDULE_OVERLAP__SCHEDULE_OVERLAP_SKIP:
    case _PB__SCHEDULE_OVERLAP_IS_INT_SIZE:
        if (must_wait) return skip(row, ret_outcome);
    }
    return order(engine, row, due_us, true, reterr);
}

status schedule_begin_now(struct engine *engine, Pb__ScheduleView *row, int64_t due_us,
                          struct error *reterr)
{
    return order(engine, row, due_us, false, reterr);
}

/* --- a time has come ---------------------------------------------------------------------------
 */

/* The first time that is not missed: at most `catch_up` ago. */
static int64_t caught_up_us(const struct engine *engine, const Pb__ScheduleView *row)
{
    int64_t from_us = engine->now_us - row->spec->catch_up_us - 1;
    return from_us > row->next_us ? from_us : row->next_us;
}

/* Skipped one by one, years of them would keep the engine busy for nothing. */
static bool skips_all(const Pb__ScheduleView *row)
{
    return row->spec->overlap == PB__SCHEDULE_OVERLAP__SCHEDULE_OVERLAP_SKIP && row->running;
}

status schedule_due(struct engine *engine, Pb__ScheduleView *row, struct error *reterr)
{
    int64_t due_us              = row->next_us;
    int64_t late_us             = engine->now_us - (row->fire_us > 0 ? row->fire_us : due_us);
    Pb__ScheduleOutcome outcome = PB__SCHEDULE_OUTCOME__SCHEDULE_OUTCOME_STARTED;
    if (late_us > row->spec->catch_up_us) {
        log_write(LOG_WARN, "schedule.missed", LOG_TEXT_OF("namespace", row->namespace_),
                  LOG_TEXT_OF("name", row->name), LOG_INT("late_s", late_us / 1'000'000));
        row->skipped++;
        schedule_move(row, caught_up_us(engine, row));
        return schedule_row_put(engine, row, reterr);
    }
    TRY(schedule_begin(engine, row, due_us, &outcome, reterr));
    schedule_move(row, skips_all(row) && engine->now_us > due_us ? engine->now_us : due_us);
    return schedule_row_put(engine, row, reterr);
}

/* --- what became of it -------------------------------------------------------------------------
 */

status schedule_answered(struct engine *engine, Pb__ScheduleView *row,
                         const Pb__ScheduleAnswer *answer, struct error *reterr)
{
    bool is_refused = *answer->refusal != '\0';
    if (row->last_us == answer->due_us) {
        row->last_error = answer->refusal;
        row->last_run   = answer->run;
    }
    if (row->running && row->running_us == answer->due_us) {
        row->running_run = answer->run;
        row->running     = !answer->ended && !is_refused;
        bool is_replaced = row->spec->overlap == PB__SCHEDULE_OVERLAP__SCHEDULE_OVERLAP_REPLACE &&
                           row->n_waiting_us > 0;
        if (is_replaced) TRY(stop_running(engine, row, reterr));
        TRY(schedule_go_on(engine, row, reterr));
    }
    return schedule_row_put(engine, row, reterr);
}
