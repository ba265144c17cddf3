#include "scheduler/engine/usages/report_sources.h"

#include "usage.pb-c.h"

enum { TIDY_ROWS_MAX = 100 /* looked at when there is a new source */ };

#define SOURCE_KEPT_US (90 * INT64_C(86'400'000'000)) /* nobody repeats a report later */

/* Forgets sources that have said nothing for long. */
static status tidy_sources(struct engine *engine, struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan all                        = {};
    TRY(cursor_open(engine->txn, TABLE_USAGE_SOURCES, &all, &cursor, reterr));
    for (int i = 0; i < TIDY_ROWS_MAX; i++) {
        bytes key               = {};
        bytes value             = {};
        Pb__UsageSource *source = NULL;
        status code             = cursor_next(cursor, &key, &value, reterr);
        if (code == STATUS_NOT_FOUND) return STATUS_OK;
        TRY(code);
        TRY(record_read(value, &pb__usage_source__descriptor, engine->arena, &source, reterr));
        bool is_old = source->at_us + SOURCE_KEPT_US < engine->now_us;
        if (is_old) TRY(cursor_delete(cursor, reterr));
    }
    return STATUS_OK;
}

status report_source_take(struct engine *engine, str source, uint64_t number, uint64_t *ret_last,
                          struct error *reterr)
{
    Pb__UsageSource now     = PB__USAGE_SOURCE__INIT;
    Pb__UsageSource *before = NULL;
    struct key key;
    key_begin(&key);
    key_put_text(&key, source);
    status got = record_get(engine->txn, TABLE_USAGE_SOURCES, key_bytes(&key),
                            &pb__usage_source__descriptor, engine->arena, &before, NULL);
    if (got == STATUS_NOT_FOUND) TRY(tidy_sources(engine, reterr));
    if (got != STATUS_OK && got != STATUS_NOT_FOUND) {
        return fail(reterr, got, "table usage_sources: a row");
    }
    *ret_last = before ? before->last : 0;
    if (number <= *ret_last) return STATUS_OK;
    now.last  = number;
    now.at_us = engine->now_us;
    return record_put(engine->txn, TABLE_USAGE_SOURCES, key_bytes(&key), &now.base, reterr);
}
