#include "scheduler/engine/redrive/calls.h"

#include "scheduler/tables/record.h"

static bool is_call(str run, str call_key)
{
    return id_is_valid(run) && call_key.len > 0;
}

status engine_call_find(struct engine *engine, str run, str call_key,
                        Pb__RedriveRecord **ret_record, struct error *reterr)
{
    struct key key;
    *ret_record = NULL;
    if (!engine->has_redrives || !is_call(run, call_key)) return STATUS_OK;
    redrive_key(&key, run, call_key);
    status got = record_get(engine->txn, TABLE_REDRIVES, key_bytes(&key),
                            &pb__redrive_record__descriptor, engine->arena, ret_record, NULL);
    if (got == STATUS_OK || got == STATUS_NOT_FOUND) return STATUS_OK;
    return fail(reterr, got, "what is known of a call cannot be read");
}

status engine_call_put(struct engine *engine, str run, str call_key,
                       const Pb__RedriveRecord *record, struct error *reterr)
{
    struct key key;
    if (!is_call(run, call_key)) return STATUS_OK;
    engine->has_redrives = true;
    redrive_key(&key, run, call_key);
    return record_put(engine->txn, TABLE_REDRIVES, key_bytes(&key), &record->base, reterr);
}

status engine_call_note(struct engine *engine, const Pb__JobRecord *record, struct error *reterr)
{
    const Pb__LeasedJob *job = record->job;
    str run                  = str_from(job->run);
    str call_key             = str_from(job->idempotency_key);
    Pb__RedriveRecord *known = NULL;
    bool may_have_acted      = job->previous >= PB__PREVIOUS_ATTEMPT__PREVIOUS_LOST;
    if (!may_have_acted && job->checkpoint_json.len == 0) return STATUS_OK;
    TRY(engine_call_find(engine, run, call_key, &known, reterr));
    Pb__RedriveRecord noted = PB__REDRIVE_RECORD__INIT;
    if (known) noted.count = known->count;
    noted.previous        = job->previous;
    noted.checkpoint_json = job->checkpoint_json;
    noted.called_us       = job->called_us > 0 ? job->called_us : record->queued_us;
    return engine_call_put(engine, run, call_key, &noted, reterr);
}

status engine_call_recall(struct engine *engine, Pb__LeasedJob *leased, struct error *reterr)
{
    Pb__RedriveRecord *known = NULL;
    TRY(engine_call_find(engine, str_from(leased->run), str_from(leased->idempotency_key), &known,
                         reterr));
    if (!known) return STATUS_OK;
    leased->previous        = known->previous;
    leased->checkpoint_json = known->checkpoint_json;
    leased->called_us       = known->called_us;
    leased->asked_again     = engine->is_asked_again;
    return STATUS_OK;
}

status engine_calls_forget(struct engine *engine, str run, struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    struct key prefix;
    redrive_key(&prefix, run, (str){});
    const struct scan scan = {.prefix = key_bytes(&prefix)};
    TRY(cursor_open(engine->txn, TABLE_REDRIVES, &scan, &cursor, reterr));
    for (;;) {
        bytes key   = {};
        bytes row   = {};
        status next = cursor_next(cursor, &key, &row, NULL);
        if (next == STATUS_NOT_FOUND) return STATUS_OK;
        if (next != STATUS_OK) return fail(reterr, next, "what is known of calls cannot be read");
        TRY(cursor_delete(cursor, reterr));
    }
}
