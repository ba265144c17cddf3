#include "scheduler/engine/removal/erasure.h"

#include "base/log.h"
#include "scheduler/engine/redrive/redrive.h"
#include "scheduler/run/erase.h"
#include "scheduler/run/event_codec.h"

/* --- rows --------------------------------------------------------------------------------------
 */

status engine_erase_payload(struct engine *engine, uint64_t payload, struct error *reterr)
{
    CLEANUP(buf_done) struct buf erased = buf_init(PAYLOAD_MAX);
    struct key_u64 key                  = key_of_u64(payload);
    bytes row                           = {};
    status got = txn_get(engine->txn, TABLE_PAYLOADS, key_u64_bytes(&key), &row, NULL);
    if (got == STATUS_NOT_FOUND) return STATUS_OK;
    if (got != STATUS_OK) return fail(reterr, got, "a payload cannot be read");
    if (erase_json((str){row.ptr, row.len}, false, &erased, NULL) != STATUS_OK) {
        buf_clear(&erased); /* it could not be read anyway */
        (void)buf_put_text(&erased, "null");
    }
    return txn_put(engine->txn, TABLE_PAYLOADS, key_u64_bytes(&key), bytes_from(buf_str(&erased)),
                   reterr);
}

status engine_erase_entry(struct engine *engine, uint64_t number, bytes entry, struct error *reterr)
{
    CLEANUP(buf_done) struct buf erased = buf_init(ENTRY_MAX);
    struct key_u64 key                  = key_of_u64(number);
    TRY(erase_entry(entry, &erased, reterr));
    return txn_put(engine->txn, TABLE_JOURNAL, key_u64_bytes(&key), bytes_from(buf_str(&erased)),
                   reterr);
}

/* --- the first step ----------------------------------------------------------------------------
 */

static status row_erase(struct engine *engine, Pb__RunView *row, struct error *reterr)
{
    row->erased_us = engine->now_us;
    row->phase     = "";
    if (row->error_json.len == 0) return STATUS_OK;
    CLEANUP(buf_done) struct buf erased = buf_init(PAYLOAD_MAX);
    TRY(erase_json(str_of(row->error_json), true, &erased, reterr));
    char *copy = arena_strdup(engine->arena, buf_str(&erased));
    if (!copy) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    row->error_json = (ProtobufCBinaryData){.data = (uint8_t *)copy, .len = erased.len};
    return STATUS_OK;
}

status engine_note_erasure(struct engine *engine, str run, enum erasure_kind kind,
                           struct error *reterr)
{
    struct erasure erasure = {.time_us = engine->now_us, .kind = kind};
    memcpy(erasure.run.text, run.ptr, ID_LEN);
    return erasures_add(engine->txn, &erasure, reterr);
}

/* Row, head and what is left to do. */
static status rows_write(struct engine *engine, Pb__RunView *row, Pb__RunHead *head,
                         struct error *reterr)
{
    Pb__DeletionRecord record = PB__DELETION_RECORD__INIT;
    struct key key;
    id_key(&key, str_from(row->id));
    record.entry            = head->last_entry;
    record.is_snapshot_gone = head->snapshot_entry == 0;
    record.is_erasure       = true;
    head->snapshot_entry    = 0; /* nobody reads it any more */
    head->snapshot_sequence = 0;
    head->phase             = "";
    engine->has_deletions   = true;
    if (row->head.len > 0) {
        TRY(run_row_add_head(row, head, engine->arena, reterr));
    } else {
        TRY(record_put(engine->txn, TABLE_RUN_HEADS, key_bytes(&key), &head->base, reterr));
    }
    TRY(record_put(engine->txn, TABLE_RUNS, key_bytes(&key), &row->base, reterr));
    return record_put(engine->txn, TABLE_DELETIONS, key_bytes(&key), &record.base, reterr);
}

status engine_erase(struct engine *engine, str run, struct command *outcome, Pb__RunView **ret_row,
                    struct error *reterr)
{
    struct live_run *live = run_cache_find(&engine->cache, run);
    Pb__RunView *row      = NULL;
    Pb__RunHead *head     = NULL;
    if (live && (live->is_touched || live->is_new)) {
        return command_refuse(outcome, STATUS_UNAVAILABLE, "unavailable",
                              "the run has moved just now; try again");
    }
    outcome->code = run_rows_get(engine->txn, run, engine->arena, &row, &head, &outcome->error);
    if (outcome->code == STATUS_NOT_FOUND || outcome->code == STATUS_DATA_LOSS) return STATUS_OK;
    if (outcome->code != STATUS_OK) return fail(reterr, outcome->code, "%s", outcome->error.text);
    if (!run_status_wire_is_final(row->status)) {
        return command_refuse(outcome, STATUS_FAILED_PRECONDITION, "run_not_finished",
                              "run " STR_FMT " has not ended; cancel it first", STR_ARG(run));
    }
    if (row->erased_us == 0) {
        if (live) run_cache_drop(&engine->cache, live);
        TRY(row_erase(engine, row, reterr));
        TRY(rows_write(engine, row, head, reterr));
        TRY(engine_shed_letters(engine, run, reterr));
    }
    TRY(engine_note_erasure(engine, run, ERASURE_OF_VALUES, reterr));
    if (ret_row) *ret_row = row;
    return STATUS_OK;
}

status engine_erase_run(struct engine *engine, struct command *command, struct error *reterr)
{
    Pb__RunView *row = NULL;
    str run          = str_from(command->run.text);
    engine_answer(engine, command);
    TRY(engine_erase(engine, run, command, &row, reterr));
    TRY(engine_drop_letters_left(engine, command, run, reterr));
    if (!row && command->code == STATUS_OK) {
        TRY(engine_note_erasure(engine, run, ERASURE_OF_VALUES, reterr)); /* a backup may have it */
    }
    if (row && command->code == STATUS_OK) *(Pb__RunView *)command->response = *row;
    return STATUS_OK;
}

/* --- what is not done to it any more -----------------------------------------------------------
 */

bool engine_refuse_erased(struct engine *engine, struct command *command, str run)
{
    Pb__RunView *row = NULL;
    if (run_row_get(engine->txn, run, engine->arena, &row, NULL) != STATUS_OK) return false;
    if (row->erased_us == 0) return false;
    (void)command_refuse(command, STATUS_FAILED_PRECONDITION, "run_erased",
                         "what run " STR_FMT " was given and made is erased: it can be looked at "
                         "and deleted",
                         STR_ARG(run));
    return true;
}
