/*
 * What a decision leaves in the tables: one journal entry per command, rows of jobs and approvals
 * as the events say, and once per turn and run its head, its row in the lists if that changed, its
 * timer and, now and then, a snapshot.
 */
#include "base/assert.h"
#include "base/log.h"
#include "scheduler/engine/breakers/job_wait.h"
#include "scheduler/engine/budgets/engine_budgets.h"
#include "scheduler/engine/call_cache.h"
#include "scheduler/engine/commands/approvals.h"
#include "scheduler/engine/engine_internal.h"
#include "scheduler/engine/events/events.h"
#include "scheduler/engine/events/webhooks.h"
#include "scheduler/engine/jobs/job_rows.h"
#include "scheduler/engine/redrive/calls.h"
#include "scheduler/engine/removal/deletion.h"
#include "scheduler/tables/run_index.h"

#include <inttypes.h>

enum {
    SNAPSHOT_ENTRIES       = 256,      /* behind the last one: a moving run gets a new one */
    SNAPSHOT_SLEEP_ENTRIES = 16,       /* likewise, when it goes to sleep or ends */
    SNAPSHOT_SIZE_MAX      = 64 << 20, /* bytes */
};
#define SLEEP_US    INT64_C(1'000'000) /* a run with nothing to do for so long sleeps */
#define TIMER_LATER INT64_C(1'000'000)

void engine_work_begin(struct engine *engine, str run)
{
    if (engine->partition->poison) poison_begin(engine->partition->poison, run);
}

void engine_work_end(struct engine *engine)
{
    if (engine->partition->poison) poison_end(engine->partition->poison);
}

/* --- runs in memory ----------------------------------------------------------------------------
 */

static void copy_traceparent(struct live_run *live, const char *traceparent)
{
    size_t len = strlen(traceparent);
    if (len < sizeof live->traceparent) memcpy(live->traceparent, traceparent, len + 1);
}

static status load(struct engine *engine, str id, struct live_run **ret_live, struct error *reterr)
{
    Pb__RunHead *head = NULL;
    Pb__RunView *row  = NULL;
    TRY(run_rows_get(engine->txn, id, engine->arena, &row, &head, reterr));
    if (head->is_parked) {
        return fail_code(reterr, STATUS_FAILED_PRECONDITION, "run_finished",
                         "run " STR_FMT " was parked after it stopped the engine twice",
                         STR_ARG(id));
    }

    CLEANUP(run_freep) struct run *run = NULL;
    struct error why                   = {};
    engine_work_begin(engine, id);
    status loaded = run_load(engine->txn, engine->options.definitions, id, head,
                             (bytes){row->digest.data, row->digest.len}, false, NULL, &run, &why);
    engine_work_end(engine);
    if (loaded == STATUS_DATA_LOSS) return run_damaged(id, &why, reterr);
    if (loaded != STATUS_OK) return fail(reterr, loaded, "%s", why.text);

    struct live_run *live = run_cache_add(&engine->cache, TAKE(run));
    live->head            = *head;
    live->head.phase      = "";
    live->created_us      = row->created_us;
    live->was_final       = run_status_is_final(run_status(live->run));
    live->has_slot        = *row->slot_group != '\0';
    copy_traceparent(live, row->traceparent);
    *ret_live = live;
    return STATUS_OK;
}

status engine_run(struct engine *engine, str id, struct command *command,
                  struct live_run **ret_live, struct error *)
{
    *ret_live = run_cache_find(&engine->cache, id);
    if (*ret_live) return STATUS_OK;

    struct error why = {};
    status loaded    = load(engine, id, ret_live, &why);
    if (loaded == STATUS_OK) return STATUS_OK;

    bool is_damaged = loaded != STATUS_NOT_FOUND && loaded != STATUS_FAILED_PRECONDITION;
    if (is_damaged) {
        log_write(LOG_ERROR, "run.unreadable", LOG_STR("run", id), LOG_TEXT_OF("error", why.text));
    }
    if (!command) return STATUS_OK;
    if (is_damaged && loaded != STATUS_DATA_LOSS) {
        return command_refuse(command, STATUS_INTERNAL, "internal",
                              "run " STR_FMT " cannot be read", STR_ARG(id));
    }
    return command_refuse(command, loaded, why.code, "%s", why.text);
}

/* A label of the same key is replaced. */
static status add_labels(const struct live_run *live, Pb__RunView *view, struct arena *arena,
                         struct error *reterr)
{
    size_t count = view->n_labels;
    for (const struct added_label *l = live->labels; l; l = l->next) count++;
    Pb__Label **labels = arena_alloc(arena, (count + 1) * sizeof *labels);
    if (!labels) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "an answer is too large");
    size_t kept = 0;
    for (size_t i = 0; i < view->n_labels; i++) labels[kept++] = view->labels[i];
    for (const struct added_label *l = live->labels; l; l = l->next) {
        size_t at = 0;
        while (at < kept && strcmp(labels[at]->key, l->key) != 0) at++;
        Pb__Label *label = arena_alloc(arena, sizeof *label);
        if (!label) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "an answer is too large");
        *label       = (Pb__Label)PB__LABEL__INIT;
        label->key   = l->key;
        label->value = l->value;
        labels[at]   = label;
        if (at == kept) kept++;
    }
    view->labels   = labels;
    view->n_labels = kept;
    return STATUS_OK;
}

status engine_label_run(struct engine *engine, struct live_run *live, const struct event *event,
                        struct error *reterr)
{
    for (size_t i = 0; i < json_count(event->value); i++) {
        struct added_label *label = arena_alloc(engine->arena, sizeof *label);
        if (!label) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
        label->key               = text_in(engine->arena, json_key_at(event->value, i));
        label->value             = text_in(engine->arena, json_str(json_value_at(event->value, i)));
        label->next              = NULL;
        struct added_label **end = &live->labels;
        while (*end) end = &(*end)->next;
        *end = label;
    }
    return STATUS_OK;
}

status engine_view(struct engine *engine, struct live_run *live, bool is_full, struct arena *arena,
                   Pb__RunView **ret_view, struct error *reterr)
{
    Pb__RunView *view = live->row;
    if (view) {
        Pb__RunView *copy = arena_alloc(arena, sizeof *copy);
        if (!copy) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "an answer is too large");
        *copy = *view; /* its texts live as long as the turn, and answers are packed before */
        view  = copy;
    } else {
        TRY(run_row_get(engine->txn, str_from(live->id.text), arena, &view, reterr));
        view->head = (ProtobufCBinaryData){};
    }
    if (live->labels) TRY(add_labels(live, view, arena, reterr));
    TRY(run_wire_fill(view, live->run, is_full, arena, reterr));
    TRY(engine_places_flush(engine, reterr)); /* they are read */
    TRY(run_waits_explain(engine->txn, view, engine->now_us, arena, reterr));
    *ret_view = view;
    return STATUS_OK;
}

/* --- one command -------------------------------------------------------------------------------
 */

/* Says whether a task that listens begins, ends or expects something else from now on. */
static bool moves_listener(const struct live_run *live, const struct event *event)
{
    if (event->kind == EVENT_TAKEN || event->kind == EVENT_LISTEN_CLOSED) return true;
    bool is_of_task = event->kind >= EVENT_TASK_STARTED && event->kind <= EVENT_TASK_CANCELLED;
    if (!is_of_task) return false;
    const struct task *task = &run_workflow(live->run)->tasks[event->task];
    return task->kind == TASK_LISTEN && !task->listen.approval;
}

/* A suspended run makes no calls. */
static status hold(struct engine *engine, struct live_run *live, const struct event *event,
                   struct error *reterr)
{
    bool is_held = event->kind == EVENT_RUN_SUSPENDED;
    TRY(engine_hold_jobs(engine, live, is_held, reterr));
    return engine_call_cache_hold(engine, live, is_held, reterr);
}

static status keep_event(struct engine *engine, struct live_run *live, const struct event *event,
                         struct error *reterr)
{
    switch (event->kind) {
    case EVENT_JOB_SCHEDULED:
    case EVENT_JOB_RETRIED:
    case EVENT_JOB_COMPLETED:
    case EVENT_JOB_FAILED:
    case EVENT_JOB_DEAD:
    case EVENT_JOB_SETTLED:
    case EVENT_JOB_CANCELLED: return engine_job_event(engine, live, event, reterr);
    case EVENT_APPROVAL_REQUESTED:
    case EVENT_APPROVAL_DECIDED:
    case EVENT_APPROVAL_EXPIRED:
    case EVENT_APPROVAL_EDITED:
    case EVENT_APPROVAL_CANCELLED: return engine_approval_event(engine, live, event, reterr);
    case EVENT_EMITTED:
        engine_event_emitted(engine, live, event);
        return engine_bury_emitted(engine, live, event, reterr);
    case EVENT_CHILD_SCHEDULED:
    case EVENT_CHILD_CANCELLED:
    case EVENT_CHILD_TERMINATED: return engine_child_event(engine, live, event, reterr);
    case EVENT_RUN_TERMINATED:
    case EVENT_RUN_COMPLETED:
    case EVENT_RUN_FAULTED:
    case EVENT_RUN_CANCELLED: engine_slot_ended(engine, live); return STATUS_OK;
    case EVENT_CACHE_ASKED: return engine_call_cache_ask(engine, live, event, reterr);
    case EVENT_CACHE_LEFT:
    case EVENT_TASK_COMPLETED:
    case EVENT_TASK_FAULTED:
    case EVENT_TASK_CANCELLED: return engine_call_cache_end(engine, live, event, reterr);
    case EVENT_RUN_SUSPENDED:
    case EVENT_RUN_RESUMED: return hold(engine, live, event, reterr);
    case EVENT_TASK_RESUMED: return engine_drop_letter_of(engine, event, reterr);
    case EVENT_TASK_PAUSED:
    case EVENT_CHILD_STARTED:
    case EVENT_CHILD_COMPLETED:
    case EVENT_CHILD_FAULTED:
    case EVENT_NONE:
    case EVENT_RUN_STARTED:
    case EVENT_TASK_STARTED:
    case EVENT_TASK_SKIPPED:
    case EVENT_CACHE_HIT:
    case EVENT_TASK_RETRIED:
    case EVENT_SIGNAL_RECEIVED:
    case EVENT_TAKEN:
    case EVENT_AGENT_TURN:
    case EVENT_AGENT_CALLS:
    case EVENT_EXPIRED:
    case EVENT_LISTEN_CLOSED:
    case EVENT_ITEM_COMPLETED:
    case EVENT_UNDO_BEGUN:
    case EVENT_COMPENSATION_STARTED:
    case EVENT_COMPENSATION_COMPLETED: return STATUS_OK; /* the journal says it all */
    case EVENT_COMPENSATION_FAILED: return engine_bury_compensation(engine, live, event, reterr);
    case EVENT_RUN_DRAFTED:
    case EVENT_RUN_APPROVED:
    case EVENT_RUN_VARIABLE:
    case EVENT_RUN_EDITED: return STATUS_OK;
    case EVENT_RUN_RESET: live->has_listener_moved = true; return STATUS_OK;
    case EVENT_RUN_COMPENSATED:
    case EVENT_RUN_RETRIED:
        live->is_reopened = true;
        live->was_final   = false;
        return engine_slot_retake(engine, live, reterr);
    case EVENT_RUN_LABELLED: return engine_label_run(engine, live, event, reterr);
    case EVENT_RUN_CHARGED: live->is_charged = live->was_final; return STATUS_OK;
    }
    return STATUS_OK;
}

status engine_keep(struct engine *engine, struct live_run *live, struct error *reterr)
{
    struct event_list *events = &engine->events;
    if (events->count == 0) return STATUS_OK;

    struct payload_access access        = {.txn = engine->txn, .next = &engine->payload_next};
    const struct payload_store payloads = payload_store_of(&access);
    buf_clear(&engine->entry);
    TRY(entry_pack(live->run, events->items, events->count, live->head.last_entry, &payloads,
                   &engine->entry, reterr));

    uint64_t number    = engine->journal_next;
    struct key_u64 key = key_of_u64(number);
    TRY(row_append(engine->txn, TABLE_JOURNAL, key_u64_bytes(&key),
                   bytes_from(buf_str(&engine->entry)), reterr));
    engine->journal_next  = number + 1;
    live->head.last_entry = number;
    live->head.entries_since++;

    bool is_told = engine_has_subscribers(engine);
    for (size_t i = 0; i < events->count; i++) {
        live->has_listener_moved |= moves_listener(live, &events->items[i]);
        TRY(keep_event(engine, live, &events->items[i], reterr));
        if (!is_told) continue;
        TRY(engine_tell_subscribers(engine, live, &events->items[i], reterr));
    }
    event_list_clear(events);
    engine_touch(engine, live);
    return STATUS_OK;
}

/* --- once per turn and run ---------------------------------------------------------------------
 */

static status flush_timer(struct engine *engine, struct live_run *live, struct error *reterr)
{
    bool is_final  = run_status_is_final(run_status(live->run));
    int64_t due_us = is_final ? NO_DUE_US : run_next_due(live->run);
    if (run_has_more(live->run)) {
        due_us = engine->now_us; /* goes on in the next turn, also if that is after a restart */
    } else if (due_us <= engine->now_us) {
        due_us = engine->now_us + TIMER_LATER; /* never in a circle, whatever the run says */
    }
    if (due_us == NO_DUE_US) due_us = 0;
    if (due_us == live->head.due_us) return STATUS_OK;

    struct key key;
    str id = str_from(live->id.text);
    if (live->head.due_us > 0) {
        timer_key(&key, live->head.due_us, id);
        status deleted = txn_delete(engine->txn, TABLE_TIMERS, key_bytes(&key), NULL);
        if (deleted != STATUS_OK && deleted != STATUS_NOT_FOUND) {
            return fail(reterr, deleted, "a timer cannot be deleted");
        }
    }
    if (due_us > 0) {
        timer_key(&key, due_us, id);
        TRY(txn_put(engine->txn, TABLE_TIMERS, key_bytes(&key), (bytes){}, reterr));
    }
    live->head.due_us = due_us;
    return STATUS_OK;
}

bool engine_run_sleeps(const struct engine *engine, const struct live_run *live)
{
    return run_jobs_open(live->run) == 0 && !run_has_more(live->run) &&
           run_next_due(live->run) > engine->now_us + SLEEP_US;
}

static status flush_snapshot(struct engine *engine, struct live_run *live, struct error *reterr)
{
    bool rests     = run_status_is_final(run_status(live->run)) || engine_run_sleeps(engine, live);
    uint32_t limit = rests ? SNAPSHOT_SLEEP_ENTRIES : SNAPSHOT_ENTRIES;
    if (live->head.entries_since < limit || run_is_reopenable(live->run)) return STATUS_OK;

    struct payload_access access        = {.txn = engine->txn, .next = &engine->payload_next};
    const struct payload_store payloads = payload_store_of(&access);
    CLEANUP(buf_done) struct buf packed = buf_init(SNAPSHOT_SIZE_MAX);
    TRY(run_snapshot_pack(live->run, &payloads, &packed, reterr));

    struct key key;
    id_key(&key, str_from(live->id.text));
    TRY(row_append(engine->txn, TABLE_SNAPSHOTS, key_bytes(&key), bytes_from(buf_str(&packed)),
                   reterr));
    live->head.snapshot_entry    = live->head.last_entry;
    live->head.snapshot_sequence = run_sequence(live->run);
    live->head.entries_since     = 0;
    return STATUS_OK;
}

/* Rows of the index that its old row stands for, and the new one does not. */
static status flush_old_index(struct engine *engine, const struct live_run *live,
                              const Pb__RunView *row, struct error *reterr)
{
    Pb__RunView *before = NULL;
    if (live->is_new || (!live->is_reopened && !live->labels)) return STATUS_OK;
    TRY(run_row_get(engine->txn, str_from(row->id), engine->arena, &before, reterr));
    if (live->is_reopened) TRY(run_index_reopen(engine->txn, before, reterr));
    return live->labels ? run_index_relabel(engine->txn, before, row, reterr) : STATUS_OK;
}

static Pb__RunHead head_now(struct live_run *live)
{
    Pb__RunHead head         = live->head;
    head.last_sequence       = run_sequence(live->run);
    head.status              = run_status_wire(run_status(live->run));
    head.jobs_open           = run_jobs_open(live->run);
    head.progress_permille   = run_progress_permille(live->run);
    head.phase               = run_phase(live->run);
    live->head.last_sequence = head.last_sequence;
    live->head.status        = head.status;
    live->head.jobs_open     = head.jobs_open;
    return head;
}

/* The row of the lists, and the view for who waits for the end. */
static status flush_row(struct engine *engine, struct live_run *live, struct error *reterr)
{
    bool has_ended = run_status_is_final(run_status(live->run)) && !live->was_final;
    bool is_told   = has_ended || live->is_new || live->labels || live->is_reopened;
    if (!is_told && !live->is_charged) return STATUS_OK;

    if (has_ended) TRY(engine_tell_watchers(engine, live, reterr));
    bool is_done = has_ended && run_status(live->run) != RUN_FAULTED;
    if (is_done) TRY(engine_purse_over(engine, live, reterr));
    if (is_done && engine->has_redrives) {
        TRY(engine_calls_forget(engine, str_from(live->id.text), reterr));
    }
    const struct engine_listener *listener = &engine->options.listener;
    str id                                 = str_from(live->id.text);
    bool is_wanted = has_ended && listener->wants && listener->wants(id, listener->context);

    Pb__RunView *view = NULL;
    TRY(engine_view(engine, live, is_wanted, engine->arena, &view, reterr));
    if (is_wanted) live->ended = view;

    Pb__RunView row = *view;
    TRY(run_wire_to_row(&row, engine->arena, reterr));
    TRY(flush_old_index(engine, live, &row, reterr));
    if (live->is_new) TRY(run_index_begin(engine->txn, &row, reterr));
    if (has_ended) TRY(run_index_end(engine->txn, &row, reterr));
    if (has_ended || (live->is_charged && live->was_final)) {
        const Pb__RunHead head = head_now(live);
        TRY(run_row_add_head(&row, &head, engine->arena, reterr));
    }
    struct key key;
    id_key(&key, id);
    if (live->is_new) {
        return record_append(engine->txn, TABLE_RUNS, key_bytes(&key), &row.base, reterr);
    }
    return record_put(engine->txn, TABLE_RUNS, key_bytes(&key), &row.base, reterr);
}

static status flush_head(struct engine *engine, struct live_run *live, struct error *reterr)
{
    struct key key;
    id_key(&key, str_from(live->id.text));
    if (run_status_is_final(run_status(live->run))) { /* it is in the row */
        if (live->is_new || live->was_final) return STATUS_OK;
        status deleted = txn_delete(engine->txn, TABLE_RUN_HEADS, key_bytes(&key), NULL);
        if (deleted == STATUS_OK || deleted == STATUS_NOT_FOUND) return STATUS_OK;
        return fail(reterr, deleted, "the head of a run cannot be deleted");
    }
    const Pb__RunHead head = head_now(live);
    if (live->is_new) {
        return record_append(engine->txn, TABLE_RUN_HEADS, key_bytes(&key), &head.base, reterr);
    }
    return record_put(engine->txn, TABLE_RUN_HEADS, key_bytes(&key), &head.base, reterr);
}

status engine_flush(struct engine *engine, struct error *reterr)
{
    TRY(engine_places_flush(engine, reterr));
    for (size_t i = 0; i < engine->touched.count; i++) {
        struct live_run *live = engine->touched.items[i];
        TRY(flush_timer(engine, live, reterr));
        TRY(flush_snapshot(engine, live, reterr));
        TRY(flush_row(engine, live, reterr));
        TRY(flush_head(engine, live, reterr));
        if (live->is_deleted)
            TRY(engine_delete_rows(engine, str_from(live->id.text), false, reterr));
    }
    return STATUS_OK;
}
