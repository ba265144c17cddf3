#include "scheduler/engine/jobs/drain.h"

#include "scheduler/engine/rows.h"
#include "system.pb-c.h"

/* --- rows --------------------------------------------------------------------------------------
 */

static status put_row(struct engine *engine, str name, uint64_t instance, struct error *reterr)
{
    Pb__WorkerDrainRecord record = PB__WORKER_DRAIN_RECORD__INIT;
    struct key key;
    record.instance = instance;
    record.since_us = engine->now_us;
    worker_drain_row(&key, name);
    return record_put(engine->txn, TABLE_META, key_bytes(&key), &record.base, reterr);
}

static status end(struct engine *engine, str name, struct error *reterr)
{
    struct key key;
    worker_drain_row(&key, name);
    status deleted = txn_delete(engine->txn, TABLE_META, key_bytes(&key), NULL);
    if (deleted != STATUS_OK && deleted != STATUS_NOT_FOUND) {
        return fail(reterr, deleted, "meta: the row of a drained worker cannot be deleted");
    }
    (void)worker_resume(engine->workers, name);
    return STATUS_OK;
}

static status read_row(struct engine *engine, bytes key, bytes row, struct error *reterr)
{
    struct key_text prefix        = {};
    struct key_text name          = {};
    Pb__WorkerDrainRecord *record = NULL;
    if (!key_take_text(&key, &prefix) || !key_take_text(&key, &name)) {
        return fail(reterr, STATUS_DATA_LOSS, "meta: the key of a drained worker");
    }
    TRY(record_read(row, &pb__worker_drain_record__descriptor, engine->arena, &record, reterr));
    (void)worker_drain(engine->workers, (str){name.data, name.len}, record->instance,
                       engine->now_us); /* there were no more than there may be */
    return STATUS_OK;
}

status engine_drains_recover(struct engine *engine, struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    struct key prefix;
    workers_forget_drains(engine->workers);
    worker_drain_row(&prefix, (str){});
    const struct scan scan = {.prefix = key_bytes(&prefix)};
    TRY(cursor_open(engine->txn, TABLE_META, &scan, &cursor, reterr));
    for (;;) {
        bytes key        = {};
        bytes row        = {};
        struct error why = {};
        status next      = cursor_next(cursor, &key, &row, NULL);
        if (next == STATUS_NOT_FOUND) return STATUS_OK;
        if (next != STATUS_OK) return fail(reterr, next, "drained workers cannot be read");
        status read = read_row(engine, key, row, &why);
        if (read == STATUS_OK) continue;
        if (read != STATUS_DATA_LOSS) return fail(reterr, read, "%s", why.text);
        engine_row_unreadable(engine, TABLE_META, key, &why);
    }
}

/* --- the command -------------------------------------------------------------------------------
 */

static void show(struct engine *engine, struct command *command, str name)
{
    Pb__WorkerStatus *answer    = command->response;
    const struct worker *worker = worker_find(engine->workers, name);
    answer->name                = ((const Pb__DrainWorkerRequest *)command->request)->name;
    answer->draining            = worker_drain_find(engine->workers, name) != NULL;
    answer->busy                = worker ? worker->busy : 0;
    if (engine->options.board) board_set_workers(engine->options.board, engine->workers);
}

static status resume(struct engine *engine, struct command *command, str name, struct error *reterr)
{
    const struct worker *worker = worker_find(engine->workers, name);
    if (!worker_drain_find(engine->workers, name)) {
        return command_refuse(command, STATUS_NOT_FOUND, "not_found",
                              "worker " STR_FMT " is not drained", STR_ARG(name));
    }
    TRY(end(engine, name, reterr));
    if (worker) engine_end_polls_of(engine, worker); /* they stand nowhere: it polls anew */
    show(engine, command, name);
    return STATUS_OK;
}

status engine_drain_worker(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__DrainWorkerRequest *request = command->request;
    str name                              = str_from(request->name);
    engine_answer(engine, command);
    if (name.len == 0 || name.len > WORKER_NAME_MAX) {
        return command_refuse(command, STATUS_INVALID_ARGUMENT, "invalid_request",
                              "worker: a name of 1 to %d bytes", WORKER_NAME_MAX);
    }
    if (request->resumes) return resume(engine, command, name, reterr);
    if (!worker_drain(engine->workers, name, request->instance, engine->now_us)) {
        return command_refuse(command, STATUS_RESOURCE_EXHAUSTED, "quota_exceeded",
                              "%d workers are drained already: let some go on", WORKERS_MAX);
    }
    TRY(put_row(engine, name, request->instance, reterr));
    const struct worker *worker = worker_find(engine->workers, name);
    if (worker) polls_leave_places(&engine->polls, worker);
    show(engine, command, name);
    return STATUS_OK;
}

/* --- what ends it by itself --------------------------------------------------------------------
 */

status engine_drain_heard(struct engine *engine, const Pb__LeaseJobs *request, struct error *reterr)
{
    str name                   = str_from(request->worker);
    struct worker_drain *drain = worker_drain_find(engine->workers, name);
    if (!drain) return STATUS_OK;
    bool is_known   = drain->instance != 0 && request->instance != 0;
    drain->heard_us = engine->now_us;
    return is_known && drain->instance != request->instance ? end(engine, name, reterr) : STATUS_OK;
}

status engine_drains_go_on(struct engine *engine, struct error *reterr)
{
    str name;
    while ((name = worker_drain_over(engine->workers, engine->now_us)).len > 0) {
        char copy[WORKER_NAME_MAX + 1];
        memcpy(copy, name.ptr, name.len); /* the name goes with it */
        TRY(end(engine, (str){copy, name.len}, reterr));
    }
    return STATUS_OK;
}
