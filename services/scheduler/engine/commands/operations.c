/*
 * A row says what is asked and how far it is; a turn does a piece and writes how far it has come
 * with it, so that nothing is done twice and a restart goes on. Runs that are created later are
 * left alone.
 */
#include "scheduler/engine/commands/operations.h"

#include "base/log.h"
#include "scheduler/engine/commands/operation_check.h"
#include "scheduler/engine/removal/deletion.h"
#include "scheduler/engine/removal/erasure.h"
#include "scheduler/tables/run_sources.h"

enum {
    OPERATION_RUNS_PER_TURN = 100,   /* that something is done to */
    OPERATION_ROWS_PER_TURN = 2'000, /* that are looked at */
    OPERATIONS_MAX          = 1'000, /* kept; the oldest that are over go first */
    REFUSALS_SHOWN_MAX      = 20,
    REASONS_MAX             = 20, /* codes that are counted */
};
#define OPERATION_TURN_US INT64_C(5'000)

static status record_save(struct engine *engine, const Pb__OperationRecord *record,
                          struct error *reterr)
{
    struct key key;
    id_key(&key, str_from(record->view->id));
    return record_put(engine->txn, TABLE_OPERATIONS, key_bytes(&key), &record->base, reterr);
}

/* The oldest one; NULL: none. `is_over`: of those that are, else of the others. */
static status oldest(struct engine *engine, bool is_over, Pb__OperationRecord **ret_record,
                     struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan scan                       = {};
    *ret_record                                  = NULL;
    TRY(cursor_open(engine->txn, TABLE_OPERATIONS, &scan, &cursor, reterr));
    for (;;) {
        bytes key                   = {};
        bytes row                   = {};
        Pb__OperationRecord *record = NULL;
        status next                 = cursor_next(cursor, &key, &row, NULL);
        if (next == STATUS_NOT_FOUND) return STATUS_OK;
        if (next != STATUS_OK) return fail(reterr, next, "operations cannot be read");
        TRY(record_read(row, &pb__operation_record__descriptor, engine->arena, &record, reterr));
        if (record->view->is_over != is_over) continue;
        *ret_record = record;
        return STATUS_OK;
    }
}

status engine_operations_recover(struct engine *engine, struct error *reterr)
{
    Pb__OperationRecord *record = NULL;
    TRY(oldest(engine, false, &record, reterr));
    engine->has_operations = record != NULL;
    return STATUS_OK;
}

/* --- start -------------------------------------------------------------------------------------
 */

static status make_room(struct engine *engine, struct error *reterr)
{
    uint64_t count           = 0;
    Pb__OperationRecord *old = NULL;
    TRY(txn_count(engine->txn, TABLE_OPERATIONS, &count, reterr));
    if (count < OPERATIONS_MAX) return STATUS_OK;
    TRY(oldest(engine, true, &old, reterr));
    if (!old) return STATUS_OK;
    struct key key;
    id_key(&key, str_from(old->view->id));
    return txn_delete(engine->txn, TABLE_OPERATIONS, key_bytes(&key), reterr);
}

status engine_start_bulk(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__StartBulk *request = command->request;
    Pb__OperationView view       = PB__OPERATION_VIEW__INIT;
    Pb__StartBulk asked          = *request;
    Pb__OperationRecord record   = PB__OPERATION_RECORD__INIT;
    engine_answer(engine, command);
    const struct made_by_request *made = NULL;
    TRY(engine_request_find(engine, command->request_id, &made, reterr));
    struct id id =
        id_next(&engine->ids, engine->now_us / 1000, (uint32_t)prng_next(&engine->random));
    if (id_is_valid(str_from(request->id))) memcpy(id.text, request->id, ID_LEN);
    if (made) id = made->run;
    view.id                                 = text_in(command->arena, str_from(id.text));
    view.namespace_                         = request->namespace_;
    view.action                             = request->action;
    view.dry_run                            = request->dry_run;
    view.created_us                         = engine->now_us;
    view.created_by                         = request->by;
    record.view                             = &view;
    record.asked                            = &asked;
    *(Pb__OperationView *)command->response = view;
    if (made) return STATUS_OK;
    TRY(make_room(engine, reterr));
    engine->has_operations = true;
    TRY(record_save(engine, &record, reterr));
    return engine_request_keep(engine, command->request_id, str_from(id.text), (str){}, reterr);
}

/* --- a piece -----------------------------------------------------------------------------------
 */

struct work {
    struct engine *engine;
    Pb__OperationRecord *record;
    struct id runs[OPERATION_RUNS_PER_TURN];
    bool is_damaged[OPERATION_RUNS_PER_TURN];
    size_t count;
    struct id before; /* that was looked at in the turns before; empty: none */
    struct id last;   /* that was looked at */
    bool is_through;
};

/* Whether it is meant, and whose it is, nobody can know: nothing is done to it, and who asks for
 * all namespaces is told. */
static void note_damaged(struct work *work, const struct id *run, const struct error *why)
{
    log_write(LOG_ERROR, "run.unreadable", LOG_TEXT_OF("run", run->text),
              LOG_TEXT_OF("error", why->text));
    if (strcmp(work->record->asked->namespace_, "*") != 0) return;
    work->is_damaged[work->count] = true;
    work->runs[work->count++]     = *run;
}

/* Looks for runs first: what is done to them changes the tables that are read. */
static status find(struct work *work, struct error *reterr)
{
    struct engine *engine      = work->engine;
    const Pb__StartBulk *asked = work->record->asked;
    Pb__ListRuns filter        = *asked->filter;
    const Pb__OperationView *v = work->record->view;
    filter.oldest_first        = true;
    if (filter.created_before_us == 0 || filter.created_before_us > v->created_us + 1) {
        filter.created_before_us = v->created_us + 1;
    }
    const struct run_question question = {.namespace = str_from(asked->namespace_),
                                          .filter    = &filter,
                                          .after     = str_from(work->record->after)};
    struct run_sources *opened         = arena_alloc(engine->arena, sizeof *opened);
    if (!opened) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    CLEANUP(run_sources_done) struct run_sources *sources = opened;
    TRY(run_sources_open(engine->txn, &question, sources, reterr));
    for (size_t i = 0; i < OPERATION_ROWS_PER_TURN && work->count < OPERATION_RUNS_PER_TURN; i++) {
        struct id run     = {};
        bool is_found     = false;
        Pb__RunView *row  = NULL;
        Pb__RunHead *head = NULL;
        TRY(run_sources_next(sources, &run, &is_found, reterr));
        work->is_through = !is_found;
        if (!is_found) return STATUS_OK;
        work->last       = run;
        struct error why = {};
        status got =
            run_rows_get(engine->txn, str_from(run.text), engine->arena, &row, &head, &why);
        if (got == STATUS_NOT_FOUND) continue;
        if (got == STATUS_DATA_LOSS) {
            note_damaged(work, &run, &why);
            continue;
        }
        if (got != STATUS_OK) return fail(reterr, got, "%s", why.text);
        run_wire_add_head(row, head);
        if (run_question_means(&question, row)) work->runs[work->count++] = run;
    }
    return STATUS_OK;
}

static status cancel(struct engine *engine, struct live_run *live, const Pb__StartBulk *asked,
                     struct command *outcome, struct error *reterr)
{
    const struct decide_env env = engine_env(engine);
    engine_work_begin(engine, str_from(live->id.text));
    outcome->code = run_cancel(live->run, &env, str_from(asked->reason), str_from(asked->by),
                               &engine->events, &outcome->error);
    return engine_decided(engine, outcome, live, reterr);
}

/* Does it to one run; `outcome` says what became of it. */
static status act(struct engine *engine, const struct id *run, const Pb__StartBulk *asked,
                  struct command *outcome, struct error *reterr)
{
    struct live_run *live = NULL;
    str id                = str_from(run->text);
    if (asked->action == PB__BULK_ACTION__BULK_ACTION_DELETE) {
        const struct deletion_wish wish = {
            .run = id, .by = str_from(asked->by), .is_forced = asked->force};
        return engine_delete(engine, &wish, &outcome->code, &outcome->error, reterr);
    }
    if (asked->action == PB__BULK_ACTION__BULK_ACTION_ERASE) {
        return engine_erase(engine, id, outcome, NULL, reterr);
    }
    if (asked->action == PB__BULK_ACTION__BULK_ACTION_RETRY) {
        const struct engine_retry retry = {.run = run->text, .task = "", .by = asked->by};
        return engine_retry(engine, outcome, &retry, NULL, reterr);
    }
    TRY(engine_run(engine, id, outcome, &live, reterr));
    if (!live) return STATUS_OK;
    if (run_status_is_final(run_status(live->run))) {
        return command_refuse(outcome, STATUS_FAILED_PRECONDITION, "run_finished", "it has ended");
    }
    if (asked->action == PB__BULK_ACTION__BULK_ACTION_CANCEL) {
        return cancel(engine, live, asked, outcome, reterr);
    }
    return engine_terminate(engine, live, str_from(asked->reason), str_from(asked->by), reterr);
}

static status count_reason(struct work *work, const char *code, struct error *reterr)
{
    Pb__OperationView *view = work->record->view;
    struct arena *arena     = work->engine->arena;
    for (size_t i = 0; i < view->n_reasons; i++) {
        if (strcmp(view->reasons[i]->code, code) != 0) continue;
        view->reasons[i]->count++;
        return STATUS_OK;
    }
    if (view->n_reasons >= REASONS_MAX) return STATUS_OK;
    Pb__OperationReason *one   = arena_alloc(arena, sizeof *one);
    Pb__OperationReason **list = arena_alloc(arena, (view->n_reasons + 1) * sizeof *list);
    if (!one || !list) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    for (size_t i = 0; i < view->n_reasons; i++) list[i] = view->reasons[i];
    *one                    = (Pb__OperationReason)PB__OPERATION_REASON__INIT;
    one->code               = code;
    one->count              = 1;
    list[view->n_reasons++] = one;
    view->reasons           = list;
    return STATUS_OK;
}

static status note_refusal(struct work *work, const struct id *run, const struct command *outcome,
                           struct error *reterr)
{
    Pb__OperationView *view = work->record->view;
    struct arena *arena     = work->engine->arena;
    const char *code        = outcome->error.code ? outcome->error.code : "";
    view->refused++;
    TRY(count_reason(work, code, reterr));
    if (view->n_refusals >= REFUSALS_SHOWN_MAX) return STATUS_OK;
    Pb__OperationRefusal *one   = arena_alloc(arena, sizeof *one);
    Pb__OperationRefusal **list = arena_alloc(arena, (view->n_refusals + 1) * sizeof *list);
    if (!one || !list) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    for (size_t i = 0; i < view->n_refusals; i++) list[i] = view->refusals[i];
    *one                     = (Pb__OperationRefusal)PB__OPERATION_REFUSAL__INIT;
    one->run                 = text_in(arena, str_from(run->text));
    one->code                = code;
    one->detail              = text_in(arena, str_from(outcome->error.text));
    list[view->n_refusals++] = one;
    view->refusals           = list;
    return STATUS_OK;
}

/* Why its rows cannot be read. */
static status damage_of(struct engine *engine, const struct id *run, struct error *ret_why)
{
    Pb__RunView *row  = NULL;
    Pb__RunHead *head = NULL;
    return run_rows_get(engine->txn, str_from(run->text), engine->arena, &row, &head, ret_why);
}

static status act_on_all(struct work *work, struct error *reterr)
{
    Pb__OperationView *view    = work->record->view;
    const Pb__StartBulk *asked = work->record->asked;
    int64_t until_us           = engine_mono_us(work->engine) + OPERATION_TURN_US;
    for (size_t i = 0; i < work->count; i++) {
        struct command *outcome = arena_alloc(work->engine->arena, sizeof *outcome);
        if (!outcome) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
        bool is_later = i > 0 && engine_mono_us(work->engine) >= until_us;
        if (work->is_damaged[i]) {
            is_later      = false;
            outcome->code = damage_of(work->engine, &work->runs[i], &outcome->error);
        } else if (!is_later && asked->dry_run) {
            TRY(engine_operation_check(work->engine, &work->runs[i], asked, outcome, &is_later,
                                       reterr));
        } else if (!is_later) {
            TRY(act(work->engine, &work->runs[i], asked, outcome, reterr));
        }
        if (is_later) { /* this one and the rest next time */
            work->last       = i > 0 ? work->runs[i - 1] : work->before;
            work->is_through = false;
            return STATUS_OK;
        }
        view->matched++;
        if (outcome->code == STATUS_OK) {
            view->done++;
        } else {
            TRY(note_refusal(work, &work->runs[i], outcome, reterr));
        }
    }
    return STATUS_OK;
}

status engine_operations_go_on(struct engine *engine, struct error *reterr)
{
    if (!engine->has_operations) return STATUS_OK;
    struct work work = {.engine = engine};
    TRY(oldest(engine, false, &work.record, reterr));
    engine->has_operations = work.record != NULL;
    if (!work.record) return STATUS_OK;
    if (id_is_valid(str_from(work.record->after))) {
        memcpy(work.before.text, work.record->after, ID_LEN);
    }
    TRY(find(&work, reterr));
    TRY(act_on_all(&work, reterr));
    if (work.last.text[0]) work.record->after = text_in(engine->arena, str_from(work.last.text));
    if (work.is_through) {
        work.record->view->is_over  = true;
        work.record->view->ended_us = engine->now_us;
    }
    return record_save(engine, work.record, reterr);
}
