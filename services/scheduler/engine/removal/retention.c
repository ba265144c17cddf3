/* The sweeper of what is kept for a time: runs here, dead letters in letter_retention.c. */
#include "scheduler/engine/removal/retention.h"

#include "base/log.h"
#include "scheduler/engine/removal/deletion.h"
#include "scheduler/tables/erasures.h"
#include "scheduler/tables/run_wire.h"

static_assert(sizeof((struct retention_sweep){}.key) == ID_BYTES);

/* What is deleted in a turn is at most what was looked at. */
struct found {
    struct id ids[RETENTION_PAGE_ROWS];
    size_t count;
    bool is_done; /* nothing behind is old enough */
};

/* Ids begin with the time of their making. */
static int64_t made_us(const struct id *id)
{
    return id_unix_ms(str_from(id->text)) * 1'000;
}

static void look(struct engine *engine, bytes key, bytes value, struct found *found)
{
    const struct retention *retention = engine->options.retention;
    Pb__RunView *row                  = NULL;
    struct id id                      = id_unpack(key.ptr);
    int64_t shortest_us               = retention_shortest_us(retention);
    if (made_us(&id) > engine->now_us - shortest_us) {
        found->is_done = true;
        return;
    }
    struct error why = {};
    if (record_read(value, &pb__run_view__descriptor, engine->arena, &row, &why) != STATUS_OK) {
        log_write(LOG_WARN, "retention.kept", LOG_TEXT_OF("run", id.text),
                  LOG_TEXT_OF("error", why.text));
        return;
    }
    bool is_over = run_status_wire_is_final(row->status) && row->ended_us > 0;
    if (is_over && retention_end_us(retention, row) <= engine->now_us) {
        found->ids[found->count++] = id;
    }
}

static status look_at_page(struct engine *engine, struct found *found, struct error *reterr)
{
    struct retention_sweep *sweep                = &engine->retention;
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan scan = {.after = {sweep->key, sweep->has_key ? sizeof sweep->key : 0}};
    TRY(cursor_open(engine->txn, TABLE_RUNS, &scan, &cursor, reterr));
    for (size_t i = 0; i < RETENTION_PAGE_ROWS && !found->is_done; i++) {
        bytes key   = {};
        bytes value = {};
        status next = cursor_next(cursor, &key, &value, NULL);
        if (next == STATUS_NOT_FOUND) {
            found->is_done = true;
            return STATUS_OK;
        }
        if (next != STATUS_OK) return fail(reterr, next, "the rows of runs cannot be read");
        if (key.len != ID_BYTES) return fail(reterr, STATUS_DATA_LOSS, "runs: a key");
        look(engine, key, value, found);
        memcpy(sweep->key, key.ptr, sizeof sweep->key);
        sweep->has_key = true;
    }
    return STATUS_OK;
}

static status delete_found(struct engine *engine, const struct found *found, struct error *reterr)
{
    for (size_t i = 0; i < found->count; i++) {
        const struct deletion_wish wish = {.run           = str_from(found->ids[i].text),
                                           .by            = str_from("retention"),
                                           .keeps_letters = true};
        status code                     = STATUS_OK;
        struct error why                = {};
        TRY(engine_delete(engine, &wish, &code, &why, reterr));
        if (code == STATUS_OK || code == STATUS_NOT_FOUND) continue;
        log_write(LOG_WARN, "retention.kept", LOG_STR("run", wish.run),
                  LOG_TEXT_OF("error", why.text));
    }
    return STATUS_OK;
}

static status sweep_runs(struct engine *engine, struct error *reterr)
{
    struct found found = {};
    TRY(look_at_page(engine, &found, reterr));
    TRY(delete_found(engine, &found, reterr));
    engine->retention.are_runs_done = found.is_done;
    if (found.is_done) engine->retention.has_key = false;
    return STATUS_OK;
}

static status sweep_erasures(struct engine *engine, struct error *reterr)
{
    int64_t keep_us = engine->options.retention->erasures_keep_us;
    size_t count    = 0;
    if (keep_us == RETENTION_FOR_EVER_US) return STATUS_OK;
    return erasures_forget(engine->txn, engine->now_us - keep_us, RETENTION_ERASURES, &count,
                           reterr);
}

status engine_retention_go_on(struct engine *engine, struct error *reterr)
{
    struct retention_sweep *sweep = &engine->retention;
    if (!engine->options.retention || engine->now_us < sweep->due_us) return STATUS_OK;
    uint64_t pile = 0;
    TRY(engine_deletions_left(engine, &pile, reterr));
    sweep->due_us = engine->now_us + RETENTION_STEP_MS * INT64_C(1'000);
    if (pile > RETENTION_PILE_MAX) return STATUS_OK;
    if (!sweep->are_runs_done) TRY(sweep_runs(engine, reterr));
    bool *is_done = &sweep->are_letters_done;
    if (!*is_done) TRY(engine_letters_sweep(engine, is_done, reterr));
    if (!sweep->are_runs_done || !sweep->are_letters_done) return STATUS_OK;
    TRY(sweep_erasures(engine, reterr));
    sweep->are_runs_done    = false;
    sweep->are_letters_done = false;
    sweep->due_us           = engine->now_us + RETENTION_REST_S * INT64_C(1'000'000);
    return STATUS_OK;
}
