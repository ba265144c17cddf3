/* The first step: out of sight. */
#include "scheduler/engine/removal/deletion.h"

#include "base/log.h"
#include "scheduler/engine/budgets/engine_budgets.h"
#include "scheduler/engine/events/events.h"
#include "scheduler/engine/redrive/redrive.h"
#include "scheduler/engine/removal/damage.h"
#include "scheduler/engine/removal/erasure.h"
#include "scheduler/tables/run_index.h"

/* --- rows --------------------------------------------------------------------------------------
 */

static status row_delete(struct engine *engine, enum table table, const struct key *key,
                         struct error *reterr)
{
    status deleted = txn_delete(engine->txn, table, key_bytes(key), NULL);
    if (deleted == STATUS_OK || deleted == STATUS_NOT_FOUND) return STATUS_OK;
    return fail(reterr, deleted, "table %s: a row cannot be deleted", table_names[table]);
}

/* A row that leads to this run, and to no other that has taken its place. */
static status lead_delete(struct engine *engine, enum table table, const struct key *key, str run,
                          struct error *reterr)
{
    const ProtobufCMessageDescriptor *type = &pb__client_id_record__descriptor;
    Pb__ClientIdRecord *record             = NULL;
    status got =
        record_get(engine->txn, table, key_bytes(key), type, engine->arena, &record, reterr);
    if (got == STATUS_NOT_FOUND) return STATUS_OK;
    if (got == STATUS_DATA_LOSS) return row_delete(engine, table, key, reterr); /* no use to any */
    TRY(got);
    return str_is(run, record->run) ? row_delete(engine, table, key, reterr) : STATUS_OK;
}

static status leads_delete(struct engine *engine, const Pb__RunView *row, struct error *reterr)
{
    struct key key;
    str run       = str_from(row->id);
    str namespace = str_from(row->namespace_);
    if (*row->client_id) {
        client_id_key(&key, namespace, str_from(row->client_id));
        TRY(lead_delete(engine, TABLE_CLIENT_IDS, &key, run, reterr));
    }
    if (row->start_key.len == 0) return STATUS_OK;
    start_key_key(&key, namespace, str_from(row->workflow), str_of(row->start_key));
    return lead_delete(engine, TABLE_START_KEYS, &key, run, reterr);
}

status engine_watchers_delete(struct engine *engine, str run, struct error *reterr)
{
    struct key prefix;
    watcher_key(&prefix, run, (str){});
    const struct scan scan                       = {.prefix = key_bytes(&prefix)};
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    TRY(cursor_open(engine->txn, TABLE_WATCHERS, &scan, &cursor, reterr));
    for (;;) {
        bytes key   = {};
        bytes row   = {};
        status next = cursor_next(cursor, &key, &row, NULL);
        if (next == STATUS_NOT_FOUND) return STATUS_OK;
        if (next != STATUS_OK) return fail(reterr, next, "the watchers of a run cannot be read");
        TRY(cursor_delete(cursor, reterr));
    }
}

static status note_rest(struct engine *engine, str run, const Pb__RunHead *head, bool keeps_letters,
                        struct error *reterr)
{
    Pb__DeletionRecord record = PB__DELETION_RECORD__INIT;
    struct key key;
    id_key(&key, run);
    record.entry            = head->last_entry;
    record.is_snapshot_gone = head->snapshot_entry == 0;
    record.keeps_letters    = keeps_letters;
    engine->has_deletions   = true;
    return record_put(engine->txn, TABLE_DELETIONS, key_bytes(&key), &record.base, reterr);
}

status engine_delete_rows(struct engine *engine, str run, bool keeps_letters, struct error *reterr)
{
    Pb__RunHead *head = NULL;
    Pb__RunView *row  = NULL;
    struct key key;
    TRY(run_rows_get(engine->txn, run, engine->arena, &row, &head, reterr));
    TRY(leads_delete(engine, row, reterr));
    TRY(engine_purse_delete(engine, row, reterr));
    TRY(run_index_delete(engine->txn, row, reterr));
    TRY(engine_watchers_delete(engine, run, reterr));
    TRY(listener_rows_delete(engine, run, reterr));
    if (head->due_us > 0) {
        timer_key(&key, head->due_us, run);
        TRY(row_delete(engine, TABLE_TIMERS, &key, reterr));
    }
    id_key(&key, run);
    TRY(row_delete(engine, TABLE_RUNS, &key, reterr));
    TRY(row_delete(engine, TABLE_RUN_HEADS, &key, reterr));
    return note_rest(engine, run, head, keeps_letters, reterr);
}

/* --- runs --------------------------------------------------------------------------------------
 */

static status delete_at_rest(struct engine *engine, struct live_run *live,
                             const struct deletion_wish *wish, struct error *reterr)
{
    TRY(engine_delete_rows(engine, wish->run, wish->keeps_letters, reterr));
    if (live) run_cache_drop(&engine->cache, live);
    return STATUS_OK;
}

static bool refuse(status *ret_code, struct error *ret_why, str run)
{
    *ret_code = fail_code(ret_why, STATUS_FAILED_PRECONDITION, "run_not_finished",
                          "run " STR_FMT " has not ended; cancel it, or delete it with force=true",
                          STR_ARG(run));
    return true;
}

/* One that is not over, by force. What cannot be read cannot be ended in order either. */
static status delete_running(struct engine *engine, const struct deletion_wish *wish,
                             struct error *reterr)
{
    struct live_run *live = NULL;
    TRY(engine_run(engine, wish->run, NULL, &live, reterr));
    if (!live) {
        TRY(engine_tell_watchers_of_damaged(engine, wish->run, reterr));
        TRY(engine_drop_jobs_of(engine, wish->run, reterr));
        return engine_delete_rows(engine, wish->run, false, reterr);
    }
    TRY(engine_terminate(engine, live, str_from("deleted"), wish->by, reterr));
    live->is_deleted = true;
    engine_touch(engine, live);
    return STATUS_OK;
}

status engine_delete(struct engine *engine, const struct deletion_wish *wish, status *ret_code,
                     struct error *ret_why, struct error *reterr)
{
    *ret_code             = STATUS_OK;
    struct live_run *live = run_cache_find(&engine->cache, wish->run);
    if (live && live->is_touched && run_status_is_final(run_status(live->run))) {
        /* Its rows are written at the end of the turn; retention comes again. */
        if (!wish->keeps_letters) live->is_deleted = true;
        return STATUS_OK;
    }
    Pb__RunView *row  = NULL;
    Pb__RunHead *head = NULL;
    struct error why  = {};
    bool is_new       = live && live->is_new;
    status got        = STATUS_OK;
    bool has_ended    = false;
    if (!is_new) {
        got = run_rows_get(engine->txn, wish->run, engine->arena, &row, &head, &why);
        if (got == STATUS_DATA_LOSS && wish->is_forced && !(live && live->is_touched)) {
            return engine_delete_damaged(engine, live, wish->run, reterr);
        }
        if (got == STATUS_NOT_FOUND || got == STATUS_DATA_LOSS) {
            *ret_code = got;
            if (ret_why) *ret_why = why;
            return STATUS_OK;
        }
        if (got != STATUS_OK) return fail(reterr, got, "%s", why.text);
        has_ended = run_status_wire_is_final(row->status) && !(live && live->is_reopened);
    }
    if (has_ended && row->erased_us > 0 && !wish->keeps_letters) {
        TRY(engine_note_erasure(engine, wish->run, ERASURE_OF_RUN, reterr));
    }
    if (has_ended) return delete_at_rest(engine, live, wish, reterr);
    if (!wish->is_forced && refuse(ret_code, ret_why, wish->run)) return STATUS_OK;
    return delete_running(engine, wish, reterr);
}

status engine_delete_run(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__DeleteRun *request       = command->request;
    const struct deletion_wish wish    = {.run       = str_from(command->run.text),
                                          .by        = str_from(request->by),
                                          .is_forced = request->force};
    const struct made_by_request *made = NULL;
    engine_answer(engine, command);
    TRY(engine_request_find(engine, command->request_id, &made, reterr));
    if (made) return STATUS_OK;
    TRY(engine_delete(engine, &wish, &command->code, &command->error, reterr));
    TRY(engine_drop_letters_left(engine, command, wish.run, reterr));
    if (command->code != STATUS_OK) return STATUS_OK;
    return engine_request_keep(engine, command->request_id, wish.run, (str){}, reterr);
}
