/* Runs that are undone after their end, and runs that go on from an earlier event of another. */
#include "base/mem.h"
#include "scheduler/engine/removal/erasure.h"
#include "scheduler/run/reopen.h"
#include "scheduler/run/state.h"

#include <inttypes.h>
#include <stdlib.h>

enum { RESET_EVENTS_MAX = 50'000 /* that are copied; a longer history is not forked */ };

/* --- undoing -----------------------------------------------------------------------------------
 */

status engine_compensate_run(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__StopRun *request = command->request;
    struct live_run *live      = NULL;
    engine_answer(engine, command);
    if (engine_refuse_erased(engine, command, str_from(command->run.text))) return STATUS_OK;
    TRY(engine_run(engine, str_from(command->run.text), command, &live, reterr));
    if (!live) return STATUS_OK;
    if (live->is_touched && run_is_reopenable(live->run)) {
        return command_refuse(command, STATUS_UNAVAILABLE, "unavailable",
                              "the run has ended just now; try again");
    }
    const struct decide_env env = engine_env(engine);
    engine_work_begin(engine, str_from(live->id.text));
    command->code = run_compensate(live->run, &env, str_from(request->reason),
                                   str_from(request->by), &engine->events, &command->error);
    TRY(engine_decided(engine, command, live, reterr));
    if (command->code == STATUS_OK) {
        TRY(engine_drop_letters_of(engine, str_from(live->id.text), reterr));
    }
    return engine_answer_view(engine, command, live, reterr);
}

/* --- the first events of another run -----------------------------------------------------------
 */

/* What is copied. Events are collected while the other run is read, since writing would change what
 * is being read. */
struct copy {
    struct event_list events;
    size_t *ends; /* behind the last event of each entry; owned */
    size_t end_count, end_capacity;
    uint64_t until;   /* the last event that is wanted */
    size_t safe;      /* so many events leave nothing half done */
    bool is_complete; /* nothing more is wanted */
};

static void copy_done(struct copy *copy)
{
    event_list_done(&copy->events);
    free(copy->ends);
}

static void copy_end(struct copy *copy)
{
    if (copy->end_count == copy->end_capacity) {
        copy->end_capacity = copy->end_capacity > 0 ? 2 * copy->end_capacity : 64;
        copy->ends         = mem_resize(copy->ends, copy->end_capacity, sizeof *copy->ends);
    }
    copy->ends[copy->end_count++] = copy->events.count;
}

/* A run that is about to undo, or does so, is not gone on with from there. */
static bool is_whole(const struct run *run)
{
    if (run->status != RUN_RUNNING || run->is_ending) return false;
    for (uint32_t i = 0; i < run->activations.count; i++) {
        const struct activation *activation = run_activation(run, i);
        if (activation && (activation->undo || activation->state == TASK_UNDOING)) return false;
    }
    return true;
}

static void on_event(const struct run *run, const struct event *event, void *context)
{
    struct copy *copy = context;
    bool is_start     = event->kind == EVENT_TASK_STARTED || event->kind == EVENT_TASK_SKIPPED;
    bool is_next      = is_start && event->opens == SCOPE_NONE;
    if (copy->is_complete) return;
    /* Whatever came before the next task of a list was worked off. */
    if (is_next && is_whole(run)) copy->safe = copy->events.count;
    copy->is_complete = event->sequence > copy->until;
    if (copy->is_complete) return;

    struct event fresh = *event;
    if (event->kind == EVENT_RUN_STARTED) { /* nobody's child */
        fresh.id    = (struct id){};
        fresh.depth = 0;
    }
    json *const values[] = {&fresh.value, &fresh.input, &fresh.context,   &fresh.error,
                            &fresh.undo,  &fresh.key,   &fresh.iteration, &fresh.reference};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) *values[i] = json_ref(*values[i]);
    (void)event_list_push(&copy->events, &fresh);
}

static void on_entry(const struct run *run, void *context)
{
    struct copy *copy = context;
    if (copy->is_complete) return;
    copy_end(copy);
    if (is_whole(run)) copy->safe = copy->events.count;
}

static status copy_read(struct engine *engine, str run, struct copy *copy,
                        const struct workflow **ret_workflow, Pb__RunView **ret_row,
                        struct error *reterr)
{
    Pb__RunHead *head = NULL;
    TRY(run_rows_get(engine->txn, run, engine->arena, ret_row, &head, reterr));
    if (copy->until > RESET_EVENTS_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "to_sequence: at most %d events are copied",
                    RESET_EVENTS_MAX);
    }
    const bytes digest           = {(*ret_row)->digest.data, (*ret_row)->digest.len};
    const struct run_visit visit = {
        .visit = on_event, .context = copy, .entry = on_entry, .is_done = &copy->is_complete};
    CLEANUP(run_freep) struct run *old = NULL;
    TRY(run_load(engine->txn, engine->options.definitions, run, head, digest, true, &visit, &old,
                 reterr));
    *ret_workflow = workflow_ref(run_workflow(old));
    if (copy->until > run_sequence(old)) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "invalid_request",
                         "to_sequence: the last event of run " STR_FMT " is %" PRIu64, STR_ARG(run),
                         run_sequence(old));
    }
    if (copy->safe > 0) return STATUS_OK;
    return fail_code(reterr, STATUS_INVALID_ARGUMENT, "invalid_request",
                     "to_sequence: run " STR_FMT " had not begun at event %" PRIu64, STR_ARG(run),
                     copy->until);
}

/* --- the new run -------------------------------------------------------------------------------
 */

/* Applies the events of one entry and appends it to the journal. */
static status entry_copy(struct engine *engine, struct live_run *live, struct event *events,
                         size_t count, struct error *reterr)
{
    uint64_t retry_from = events[count - 1].retry_from;
    for (size_t i = 0; i < count; i++) {
        if (events[i].sequence == retry_from) TRY(retry_keep(live->run, reterr));
        TRY(run_apply(live->run, &events[i], reterr));
    }
    struct payload_access access        = {.txn = engine->txn, .next = &engine->payload_next};
    const struct payload_store payloads = payload_store_of(&access);
    buf_clear(&engine->entry);
    TRY(entry_pack(live->run, events, count, live->head.last_entry, &payloads, &engine->entry,
                   reterr));
    struct key_u64 key = key_of_u64(engine->journal_next);
    TRY(row_append(engine->txn, TABLE_JOURNAL, key_u64_bytes(&key),
                   bytes_from(buf_str(&engine->entry)), reterr));
    live->head.last_entry = engine->journal_next++;
    live->head.entries_since++;
    return STATUS_OK;
}

static status events_copy(struct engine *engine, struct live_run *live, struct copy *copy,
                          struct error *reterr)
{
    size_t from = 0;
    for (size_t i = 0; from < copy->safe; i++) {
        size_t end = i < copy->end_count ? copy->ends[i] : copy->safe;
        if (end > copy->safe) end = copy->safe;
        if (end == from) continue;
        TRY(entry_copy(engine, live, &copy->events.items[from], end - from, reterr));
        from = end;
    }
    return STATUS_OK;
}

/* As if it had been started with what the other one was. */
static status row_copy(struct engine *engine, const struct command *command,
                       const struct workflow *workflow, const Pb__RunView *row, uint64_t sequence,
                       struct live_run *live, struct error *reterr)
{
    const Pb__ResetRun *request = command->request;
    Pb__StartRun start          = PB__START_RUN__INIT;
    start.labels                = row->labels;
    start.n_labels              = row->n_labels;
    start.created_by            = request->by_id;
    start.traceparent           = row->traceparent;
    start.forked_run            = row->id;
    start.forked_sequence       = sequence;
    const struct command as     = {.request = &start, .workflow = workflow};
    return engine_row_make(engine, &as, live, reterr);
}

/* One that still runs makes room. */
static status stop_old(struct engine *engine, str run, str by, struct error *reterr)
{
    struct live_run *old = NULL;
    TRY(engine_run(engine, run, NULL, &old, reterr));
    if (!old || run_status_is_final(run_status(old->run))) return STATUS_OK;
    return engine_terminate(engine, old, str_from("reset"), by, reterr);
}

static status go_on(struct engine *engine, struct command *command, struct live_run *live,
                    uint64_t sequence, struct error *reterr)
{
    const Pb__ResetRun *request  = command->request;
    const struct run_reset asked = {.run      = str_from(command->run.text),
                                    .sequence = sequence,
                                    .reason   = str_from(request->reason),
                                    .by       = str_from(request->by)};
    const struct decide_env env  = engine_env(engine);
    engine_work_begin(engine, str_from(live->id.text));
    command->code = run_reset(live->run, &env, &asked, &engine->events, &command->error);
    return engine_decided(engine, command, live, reterr);
}

static status fork_run(struct engine *engine, struct command *command, struct copy *copy,
                       const struct workflow *workflow, const Pb__RunView *row,
                       struct error *reterr)
{
    const Pb__ResetRun *request = command->request;
    Pb__StartedRun *answer      = command->response;
    uint32_t random             = (uint32_t)prng_next(&engine->random);
    const struct id id          = id_next(&engine->ids, engine->now_us / 1000, random);
    uint64_t sequence           = copy->events.items[copy->safe - 1].sequence;
    TRY(stop_old(engine, str_from(row->id), str_from(request->by), reterr));
    struct live_run *live = run_cache_add(&engine->cache, run_new(str_from(id.text), workflow));
    live->is_new          = true;
    engine_touch(engine, live);
    TRY(row_copy(engine, command, workflow, row, sequence, live, reterr));
    TRY(events_copy(engine, live, copy, reterr));
    TRY(go_on(engine, command, live, sequence, reterr));
    answer->created = true;
    TRY(engine_request_keep(engine, command->request_id, str_from(id.text), (str){}, reterr));
    return engine_view(engine, live, true, engine->arena, &answer->run, reterr);
}

status engine_reset_run(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__ResetRun *request = command->request;
    Pb__StartedRun *answer      = command->response;
    engine_answer(engine, command);
    const struct made_by_request *made = NULL;
    TRY(engine_request_find(engine, command->request_id, &made, reterr));
    if (made) {
        struct live_run *live = NULL;
        TRY(engine_run(engine, str_from(made->run.text), command, &live, reterr));
        if (!live) return STATUS_OK;
        answer->created = true;
        return engine_view(engine, live, true, engine->arena, &answer->run, reterr);
    }
    if (engine_refuse_erased(engine, command, str_from(command->run.text))) return STATUS_OK;
    if (!engine->accepts_runs) {
        return command_refuse(command, STATUS_RESOURCE_EXHAUSTED, "store_full",
                              "the store is nearly full: new runs are refused");
    }
    CLEANUP(copy_done) struct copy copy                      = {.until = request->to_sequence};
    CLEANUP(workflow_unrefp) const struct workflow *workflow = NULL;
    Pb__RunView *row                                         = NULL;
    struct error why                                         = {};
    status read = copy_read(engine, str_from(command->run.text), &copy, &workflow, &row, &why);
    if (read != STATUS_OK) return command_refuse(command, read, why.code, "%s", why.text);
    return fork_run(engine, command, &copy, workflow, row, reterr);
}
