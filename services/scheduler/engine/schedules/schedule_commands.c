/* Commands of the system partition about schedules that callers made. */
#include "base/clock.h"
#include "base/id.h"
#include "scheduler/engine/schedules/schedules.h"

enum { SCHEDULES_MAX = 10'000, CLIENT_ID_SIZE = 129 };

static status row_find(struct engine *engine, struct command *command, const char *id,
                       Pb__ScheduleView **ret_row, struct error *reterr)
{
    const char *name = arena_printf(engine->arena, ":%s", id);
    if (!name) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    TRY(schedule_row_get(engine, command->namespace, str_from(name), ret_row, reterr));
    if (*ret_row) return STATUS_OK;
    return command_refuse(command, STATUS_NOT_FOUND, "not_found", "there is no schedule `%s`", id);
}

/* For the answer, which outlives the turn. */
static status row_answer(struct command *command, const Pb__ScheduleView *row, struct error *reterr)
{
    Pb__ScheduleView *copy = NULL;
    size_t size            = pb__schedule_view__get_packed_size(row);
    uint8_t *packed        = arena_alloc(command->arena, size + 1);
    if (!packed) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    (void)pb__schedule_view__pack(row, packed);
    TRY(record_read((bytes){packed, size}, &pb__schedule_view__descriptor, command->arena, &copy,
                    reterr));
    *(Pb__ScheduleView *)command->response = *copy;
    return STATUS_OK;
}

/* --- put ---------------------------------------------------------------------------------------
 */

static const char *kind_of(const Pb__ScheduleSpec *spec)
{
    if (spec->every_us > 0) return "every";
    return *spec->cron ? "cron" : "at";
}

/* The version is the workflow's reference's: schedule_order() puts it behind the name. */
static status create(struct engine *engine, struct command *command, const char *name,
                     struct error *reterr)
{
    const Pb__PutSchedule *request = command->request;
    Pb__ScheduleView row           = PB__SCHEDULE_VIEW__INIT;
    uint64_t count                 = 0;
    TRY(txn_count(engine->txn, TABLE_SCHEDULES, &count, reterr));
    if (count >= SCHEDULES_MAX) {
        return command_refuse(command, STATUS_RESOURCE_EXHAUSTED, "quota_exceeded",
                              "there are %d schedules; no more fit", SCHEDULES_MAX);
    }
    row.namespace_ = text_in(engine->arena, command->namespace);
    row.name       = name;
    row.kind       = kind_of(request->spec);
    row.spec       = request->spec;
    row.paused     = request->paused;
    row.revision   = 1;
    row.created_us = engine->now_us;
    row.updated_us = engine->now_us;
    row.created_by = request->by;
    schedule_move(&row, engine->now_us);
    TRY(schedule_row_put(engine, &row, reterr));
    return row_answer(command, &row, reterr);
}

/* A time that has been dealt with is not due again, whatever the clock has done. */
static int64_t from_now(const struct engine *engine, const Pb__ScheduleView *row)
{
    return row->last_us > engine->now_us ? row->last_us : engine->now_us;
}

/* Its next start is looked for from now on; schedule_due_delete() has taken away what was due. */
static status save_change(struct engine *engine, Pb__ScheduleView *row, struct error *reterr)
{
    row->updated_us = engine->now_us;
    row->revision++;
    schedule_move(row, from_now(engine, row));
    TRY(schedule_go_on(engine, row, reterr));
    return schedule_row_put(engine, row, reterr);
}

static status replace(struct engine *engine, struct command *command, Pb__ScheduleView *row,
                      struct error *reterr)
{
    const Pb__PutSchedule *request = command->request;
    if (request->revision != 0 && request->revision != row->revision) {
        return command_refuse(command, STATUS_ABORTED, "precondition_failed",
                              "the schedule was changed meanwhile");
    }
    TRY(schedule_due_delete(engine, row, reterr));
    row->kind   = kind_of(request->spec);
    row->spec   = (Pb__ScheduleSpec *)request->spec;
    row->paused = request->paused;
    TRY(save_change(engine, row, reterr));
    return row_answer(command, row, reterr);
}

status engine_put_schedule(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__PutSchedule *request = command->request;
    Pb__ScheduleView *row          = NULL;
    engine_answer(engine, command);
    if (!engine->accepts_runs) {
        return command_refuse(command, STATUS_RESOURCE_EXHAUSTED, "store_full",
                              "the store is nearly full");
    }
    if (!request->create) {
        TRY(row_find(engine, command, request->id, &row, reterr));
        return row ? replace(engine, command, row, reterr) : STATUS_OK;
    }
    const char *name = arena_printf(engine->arena, ":%s", request->id);
    if (!name) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    TRY(schedule_row_get(engine, command->namespace, str_from(name), &row, reterr));
    if (!row) return create(engine, command, name, reterr);
    return command_refuse(command, STATUS_ALREADY_EXISTS, "already_exists",
                          "there is a schedule `%s`; PUT changes it", request->id);
}

/* --- pause, delete -----------------------------------------------------------------------------
 */

status engine_pause_schedule(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__PauseSchedule *request = command->request;
    Pb__ScheduleView *row            = NULL;
    engine_answer(engine, command);
    TRY(row_find(engine, command, request->id, &row, reterr));
    if (!row) return STATUS_OK;
    if (row->paused != request->paused) {
        TRY(schedule_due_delete(engine, row, reterr));
        row->paused = request->paused;
        TRY(save_change(engine, row, reterr));
    }
    return row_answer(command, row, reterr);
}

status engine_delete_schedule(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__DeleteSchedule *request = command->request;
    Pb__ScheduleView *row             = NULL;
    struct key key;
    engine_answer(engine, command);
    TRY(row_find(engine, command, request->id, &row, reterr));
    if (!row) return STATUS_OK;
    TRY(schedule_due_delete(engine, row, reterr));
    schedule_key(&key, str_from(row->namespace_), str_from(row->name));
    TRY(txn_delete(engine->txn, TABLE_SCHEDULES, key_bytes(&key), reterr));
    return engine_peek_schedule(engine, reterr);
}

/* --- trigger, backfill -------------------------------------------------------------------------
 */

/* Client ids tell milliseconds. */
static int64_t trigger_time(const struct engine *engine, const Pb__ScheduleView *row)
{
    int64_t due_us = engine->now_us / 1'000 * 1'000;
    return due_us > row->triggered_us ? due_us : row->triggered_us + 1'000;
}

status engine_trigger_schedule(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__TriggerSchedule *request = command->request;
    Pb__TriggeredSchedule *response    = command->response;
    Pb__ScheduleView *row              = NULL;
    engine_answer(engine, command);
    if (!engine->accepts_runs) {
        return command_refuse(command, STATUS_RESOURCE_EXHAUSTED, "store_full",
                              "the store is nearly full");
    }
    TRY(row_find(engine, command, request->id, &row, reterr));
    if (!row) return STATUS_OK;
    char *client_id = arena_alloc(command->arena, CLIENT_ID_SIZE);
    if (!client_id) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    response->due_us  = trigger_time(engine, row);
    row->triggered_us = response->due_us;
    schedule_client_id(row, response->due_us, client_id, CLIENT_ID_SIZE);
    response->client_id = client_id;
    TRY(schedule_begin(engine, row, response->due_us, &response->outcome, reterr));
    return schedule_row_put(engine, row, reterr);
}

/* The times of a span; INVALID_ARGUMENT if there are too many. */
static status times_between(struct engine *engine, const Pb__ScheduleView *row, int64_t from_us,
                            int64_t to_us, int64_t **ret_times, uint32_t *ret_count,
                            struct error *reterr)
{
    struct timetable timetable = {};
    *ret_count                 = 0;
    *ret_times = arena_alloc(engine->arena, SCHEDULE_BACKFILL_MAX * sizeof **ret_times);
    if (!*ret_times) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    TRY(schedule_timetable(row->spec, &timetable, reterr));
    int64_t due_us = timetable_next(&timetable, from_us - 1);
    while (due_us < to_us && *ret_count < SCHEDULE_BACKFILL_MAX) {
        (*ret_times)[(*ret_count)++] = due_us;
        due_us                       = timetable_next(&timetable, due_us);
    }
    timetable_done(&timetable);
    if (due_us >= to_us) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "more than %d times; take a shorter span",
                SCHEDULE_BACKFILL_MAX);
}

status engine_backfill_schedule(struct engine *engine, struct command *command,
                                struct error *reterr)
{
    const Pb__BackfillSchedule *request = command->request;
    Pb__BackfilledSchedule *response    = command->response;
    Pb__ScheduleView *row               = NULL;
    int64_t *times                      = NULL;
    uint32_t count                      = 0;
    struct error why                    = {};
    engine_answer(engine, command);
    TRY(row_find(engine, command, request->id, &row, reterr));
    if (!row) return STATUS_OK;
    if (request->from_us < 0 || request->from_us >= request->to_us ||
        request->to_us > engine->now_us) {
        return command_refuse(command, STATUS_INVALID_ARGUMENT, "schedule_invalid",
                              "from: before to, which is not in the future");
    }
    status listed =
        times_between(engine, row, request->from_us, request->to_us, &times, &count, &why);
    if (listed == STATUS_OK && !request->allow &&
        row->n_waiting_us + count > SCHEDULE_WAITING_MAX) {
        listed = fail(&why, STATUS_INVALID_ARGUMENT, "%zu times wait already; %d are the most",
                      row->n_waiting_us, SCHEDULE_WAITING_MAX);
    }
    if (listed != STATUS_OK) {
        return command_refuse(command, listed, "schedule_invalid", "%s", why.text);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (request->allow) {
            TRY(schedule_begin_now(engine, row, times[i], reterr));
        } else if (!schedule_wait(engine, row, times[i])) {
            return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
        }
    }
    response->count = count;
    TRY(schedule_go_on(engine, row, reterr));
    return schedule_row_put(engine, row, reterr);
}
