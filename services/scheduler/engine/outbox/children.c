/*
 * Child runs on both sides. The parent's engine orders a run and hears of its start and end; the
 * child's engine starts it once and tells. All of it goes through the outbox, also within one
 * partition, so that a crash anywhere gives exactly one child.
 */
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "scheduler/engine/budgets/engine_budgets.h"
#include "scheduler/engine/events/events.h"
#include "workflow/errors.h"

#include <stdio.h>

enum {
    WATCHERS_MAX = 100'000, /* told of one end in one turn */
    PLACE_MAX    = 8192,    /* bytes of the reference of a task */
};

/* --- the parent's side -------------------------------------------------------------------------
 */

static status order(struct engine *engine, struct live_run *live, const struct event *event,
                    struct error *reterr)
{
    Pb__RunView *row = live->row;
    if (!row) TRY(run_row_get(engine->txn, str_from(live->id.text), engine->arena, &row, reterr));
    CLEANUP(buf_done) struct buf place = buf_init(PLACE_MAX);
    const struct run_wait child        = {.slot = event->activation};
    run_wait_put(live->run, &child, &place);
    Pb__RunOrder ordered      = PB__RUN_ORDER__INIT;
    ordered.workflow          = text_in(engine->arena, json_str(event->key));
    ordered.child             = event->id.text;
    ordered.parent_run        = live->id.text;
    ordered.parent_activation = event->activation;
    ordered.parent_task       = text_in(engine->arena, buf_str(&place));
    ordered.depth             = run_depth(live->run) + 1;
    ordered.awaited           = event->is_kept;
    ordered.created_by        = row->created_by;
    ordered.traceparent       = live->traceparent;
    ordered.budget_usd_nanos  = event->budget_usd_nanos;
    ordered.budget_tokens     = event->budget_tokens;
    bool is_bounded           = event->budget_usd_nanos > 0 || event->budget_tokens > 0;
    TRY(engine_child_scopes(engine, live, row, is_bounded, &ordered.charged_to,
                            &ordered.n_charged_to, reterr));
    TRY(json_in(engine->arena, event->value, &ordered.input_json, reterr));
    Pb__Message message  = PB__MESSAGE__INIT;
    message.content_case = PB__MESSAGE__CONTENT_RUN_ORDER;
    message.run_order    = &ordered;
    return engine_tell(engine, id_partition(str_from(event->id.text)), &message, reterr);
}

static status stop(struct engine *engine, const struct live_run *live, const struct event *event,
                   struct error *reterr)
{
    Pb__ChildStop stopped = PB__CHILD_STOP__INIT;
    char reason[64];
    (void)snprintf(reason, sizeof reason, "by its parent run %s", live->id.text);
    stopped.child        = event->id.text;
    stopped.terminate    = event->kind == EVENT_CHILD_TERMINATED;
    stopped.reason       = reason;
    Pb__Message message  = PB__MESSAGE__INIT;
    message.content_case = PB__MESSAGE__CONTENT_CHILD_STOP;
    message.child_stop   = &stopped;
    return engine_tell(engine, id_partition(str_from(event->id.text)), &message, reterr);
}

status engine_child_event(struct engine *engine, struct live_run *live, const struct event *event,
                          struct error *reterr)
{
    if (event->kind == EVENT_CHILD_SCHEDULED) return order(engine, live, event, reterr);
    return stop(engine, live, event, reterr);
}

static bool outcome_of(Pb__ChildOutcome told, enum child_outcome *ret_outcome)
{
    switch (told) {
    case PB__CHILD_OUTCOME__CHILD_OUTCOME_STARTED: *ret_outcome = CHILD_STARTED; return true;
    case PB__CHILD_OUTCOME__CHILD_OUTCOME_COMPLETED: *ret_outcome = CHILD_COMPLETED; return true;
    case PB__CHILD_OUTCOME__CHILD_OUTCOME_FAULTED: *ret_outcome = CHILD_FAULTED; return true;
    case PB__CHILD_OUTCOME__CHILD_OUTCOME_CANCELLED: *ret_outcome = CHILD_CANCELLED; return true;
    case PB__CHILD_OUTCOME__CHILD_OUTCOME_TERMINATED: *ret_outcome = CHILD_TERMINATED; return true;
    case PB__CHILD_OUTCOME__CHILD_OUTCOME_REFUSED: *ret_outcome = CHILD_REFUSED; return true;
    default: return false;
    }
}

/* A parent that is over, or waits no more, is not interested. */
status engine_take_child_answer(struct engine *engine, const Pb__ChildAnswer *told,
                                struct error *reterr)
{
    struct live_run *live           = NULL;
    CLEANUP(json_unrefp) json value = json_invalid();
    struct child_answer answer      = {
             .activation = told->parent_activation,
             .child      = str_from(told->child),
             .run        = str_from(*told->run ? told->run : told->child),
    };
    if (!outcome_of(told->outcome, &answer.outcome) || !id_is_valid(str_from(told->parent_run))) {
        return STATUS_OK;
    }
    TRY(json_out(told->value_json, "child", &value, reterr));
    answer.value = value;
    /* A run that its key has found is another's: whoever started it pays for it. */
    if (str_is(answer.run, told->child)) usage_from_wire(told->usage, &answer.usage);
    TRY(engine_run(engine, str_from(told->parent_run), NULL, &live, reterr));
    if (!live) return STATUS_OK;

    const struct decide_env env = engine_env(engine);
    struct error why            = {};
    engine_work_begin(engine, str_from(live->id.text));
    status decided = run_child_answered(live->run, &env, &answer, &engine->events, &why);
    status kept    = decided == STATUS_OK ? engine_keep(engine, live, reterr) : STATUS_OK;
    engine_work_end(engine);
    return kept;
}

/* --- the child's side: telling -----------------------------------------------------------------
 */

/* `usage` NULL: it has not ended, or never began. */
static status tell_parent(struct engine *engine, const Pb__WatcherRecord *watcher, const char *run,
                          Pb__ChildOutcome outcome, json value, const struct usage *usage,
                          struct error *reterr)
{
    Pb__Usage used         = PB__USAGE__INIT;
    Pb__ChildAnswer answer = PB__CHILD_ANSWER__INIT;
    if (usage) {
        usage_to_wire(usage, &used);
        answer.usage = &used;
    }
    answer.parent_run        = watcher->parent_run;
    answer.parent_activation = watcher->parent_activation;
    answer.child             = watcher->child;
    answer.run               = run;
    answer.outcome           = outcome;
    TRY(json_in(engine->arena, value, &answer.value_json, reterr));
    Pb__Message message  = PB__MESSAGE__INIT;
    message.content_case = PB__MESSAGE__CONTENT_CHILD_ANSWER;
    message.child_answer = &answer;
    return engine_tell(engine, id_partition(str_from(watcher->parent_run)), &message, reterr);
}

/* Schedules live in the system partition. */
static status tell_schedule(struct engine *engine, const Pb__ScheduleAnswer *answer,
                            struct error *reterr)
{
    Pb__ScheduleAnswer copy = *answer;
    Pb__Message message     = PB__MESSAGE__INIT;
    message.content_case    = PB__MESSAGE__CONTENT_SCHEDULE_ANSWER;
    message.schedule_answer = &copy;
    return engine_tell(engine, 0, &message, reterr);
}

static status tell_end(struct engine *engine, const struct live_run *live,
                       const Pb__WatcherRecord *watcher, struct error *reterr)
{
    const struct run *run = live->run;
    if (*watcher->schedule) {
        Pb__ScheduleAnswer answer = PB__SCHEDULE_ANSWER__INIT;
        answer.schedule           = watcher->schedule;
        answer.due_us             = watcher->due_us;
        answer.run                = live->id.text;
        answer.ended              = true;
        answer.time_us            = run_ended_us(run);
        return tell_schedule(engine, &answer, reterr);
    }
    Pb__ChildOutcome outcome = PB__CHILD_OUTCOME__CHILD_OUTCOME_FAULTED;
    json value               = run_error(run);
    switch (run_status(run)) {
    case RUN_COMPLETED:
        outcome = PB__CHILD_OUTCOME__CHILD_OUTCOME_COMPLETED;
        value   = run_output(run);
        break;
    case RUN_CANCELLED: outcome = PB__CHILD_OUTCOME__CHILD_OUTCOME_CANCELLED; break;
    case RUN_TERMINATED: outcome = PB__CHILD_OUTCOME__CHILD_OUTCOME_TERMINATED; break;
    case RUN_FAULTED:
    case RUN_PENDING:
    case RUN_RUNNING:
    case RUN_WAITING:
    case RUN_DRAFT:
    case RUN_SUSPENDED: break;
    }
    return tell_parent(engine, watcher, live->id.text, outcome, value, run_usage(run), reterr);
}

status engine_tell_watchers(struct engine *engine, struct live_run *live, struct error *reterr)
{
    struct key prefix;
    watcher_key(&prefix, str_from(live->id.text), (str){});
    const struct scan scan                       = {.prefix = key_bytes(&prefix)};
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    TRY(cursor_open(engine->txn, TABLE_WATCHERS, &scan, &cursor, reterr));
    for (size_t i = 0; i < WATCHERS_MAX; i++) {
        bytes key   = {};
        bytes row   = {};
        status next = cursor_next(cursor, &key, &row, NULL);
        if (next == STATUS_NOT_FOUND) return STATUS_OK;
        if (next != STATUS_OK) return fail(reterr, next, "the watchers of a run cannot be read");
        Pb__WatcherRecord *watcher = NULL;
        TRY(record_read(row, &pb__watcher_record__descriptor, engine->arena, &watcher, reterr));
        TRY(cursor_delete(cursor, reterr));
        TRY(tell_end(engine, live, watcher, reterr));
    }
    return STATUS_OK;
}

/* How the end of a run looks that cannot be read. */
static status tell_damaged(struct engine *engine, str run, const Pb__WatcherRecord *watcher,
                           struct error *reterr)
{
    if (*watcher->schedule) {
        Pb__ScheduleAnswer answer = PB__SCHEDULE_ANSWER__INIT;
        answer.schedule           = watcher->schedule;
        answer.due_us             = watcher->due_us;
        answer.run                = text_in(engine->arena, run);
        answer.ended              = true;
        answer.time_us            = engine->now_us;
        return tell_schedule(engine, &answer, reterr);
    }
    CLEANUP(json_unrefp)
    json error = error_new(ERROR_RUNTIME, 0,
                           str_from("what was stored of the child run could not be read any more, "
                                    "and it was deleted"),
                           (str){});
    return tell_parent(engine, watcher, text_in(engine->arena, run),
                       PB__CHILD_OUTCOME__CHILD_OUTCOME_FAULTED, error, NULL, reterr);
}

status engine_tell_watchers_of_damaged(struct engine *engine, str run, struct error *reterr)
{
    struct key prefix;
    watcher_key(&prefix, run, (str){});
    const struct scan scan                       = {.prefix = key_bytes(&prefix)};
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    TRY(cursor_open(engine->txn, TABLE_WATCHERS, &scan, &cursor, reterr));
    for (size_t i = 0; i < WATCHERS_MAX; i++) {
        bytes key                  = {};
        bytes row                  = {};
        Pb__WatcherRecord *watcher = NULL;
        status next                = cursor_next(cursor, &key, &row, NULL);
        if (next == STATUS_NOT_FOUND) return STATUS_OK;
        if (next != STATUS_OK) return fail(reterr, next, "the watchers of a run cannot be read");
        status read =
            record_read(row, &pb__watcher_record__descriptor, engine->arena, &watcher, NULL);
        TRY(cursor_delete(cursor, reterr));
        if (read == STATUS_OK) TRY(tell_damaged(engine, run, watcher, reterr));
    }
    return STATUS_OK;
}

/* --- the child's side: starting and stopping ---------------------------------------------------
 */

static void forget_command(struct command *)
{
}

/* A start as a caller's would be. Everything lives as long as the turn. */
static status command_of_order(struct engine *engine, const Pb__RunOrder *ordered,
                               struct command **ret_command, struct error *reterr)
{
    struct arena *arena         = engine->arena;
    struct command *command     = arena_alloc(arena, sizeof *command);
    Pb__StartRun *request       = arena_alloc(arena, sizeof *request);
    Pb__StartedRun *response    = arena_alloc(arena, sizeof *response);
    struct start_origin *origin = arena_alloc(arena, sizeof *origin);
    if (!command || !request || !response || !origin) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory for a start");
    }
    *request                  = (Pb__StartRun)PB__START_RUN__INIT;
    *response                 = (Pb__StartedRun)PB__STARTED_RUN__INIT;
    request->workflow         = ordered->workflow;
    request->client_id        = ordered->client_id;
    request->on_conflict      = PB__ON_CONFLICT__ON_CONFLICT_RETURN;
    request->created_by       = ordered->created_by;
    request->traceparent      = ordered->traceparent;
    request->budget_usd_nanos = ordered->budget_usd_nanos;
    request->budget_tokens    = ordered->budget_tokens;
    request->charged_to       = ordered->charged_to;
    request->n_charged_to     = ordered->n_charged_to;
    request->labels           = ordered->labels;
    request->n_labels         = ordered->n_labels;
    *origin = (struct start_origin){.parent_task = ordered->parent_task, .depth = ordered->depth};
    if (id_is_valid(str_from(ordered->child))) memcpy(origin->child.text, ordered->child, ID_LEN);
    if (id_is_valid(str_from(ordered->parent_run))) {
        memcpy(origin->parent.text, ordered->parent_run, ID_LEN);
    }
    *command = (struct command){
        .kind        = COMMAND_START,
        .request     = request,
        .response    = response,
        .arena       = arena,
        .values      = mem_new(1, sizeof(json)),
        .value_count = 1,
        .origin      = origin,
        .done        = forget_command,
    };
    *ret_command = command;
    return STATUS_OK;
}

/* What start_run's caller would have checked. INVALID_ARGUMENT, NOT_FOUND, UNAVAILABLE: refused. */
static status prepare(struct engine *engine, const Pb__RunOrder *ordered, struct command *command,
                      struct error *why)
{
    struct workflow_name name = {};
    TRY(workflow_name_read(str_from(ordered->workflow), str_from("*"), &name, why));
    TRY(engine_resolve(engine, &name, &command->workflow, why));
    TRY(json_out(ordered->input_json, "input", &command->values[0], why));
    return engine_key_of(engine, command->workflow, command->values[0], &command->start_key, why);
}

static json refusal_new(status code, const struct error *why)
{
    enum error_kind kind = ERROR_COMMUNICATION;
    uint32_t http_status = 0;
    if (code == STATUS_NOT_FOUND) kind = ERROR_CONFIGURATION;
    if (code == STATUS_INVALID_ARGUMENT) kind = ERROR_VALIDATION;
    if (code == STATUS_RESOURCE_EXHAUSTED) http_status = 507;
    return error_new(kind, http_status, str_from(why->text), (str){});
}

/* The parent waits: for the end of a run that goes on, or it hears at once how it ended. */
static status attend(struct engine *engine, const Pb__RunOrder *ordered, struct live_run *live,
                     struct error *reterr)
{
    Pb__WatcherRecord watcher = PB__WATCHER_RECORD__INIT;
    watcher.parent_run        = ordered->parent_run;
    watcher.parent_activation = ordered->parent_activation;
    watcher.child             = ordered->child;
    watcher.schedule          = ordered->schedule;
    watcher.due_us            = ordered->due_us;
    bool is_other             = strcmp(ordered->child, live->id.text) != 0;
    if (*ordered->schedule) {
        Pb__ScheduleAnswer answer = PB__SCHEDULE_ANSWER__INIT;
        answer.schedule           = ordered->schedule;
        answer.due_us             = ordered->due_us;
        answer.run                = live->id.text;
        answer.time_us            = engine->now_us;
        TRY(tell_schedule(engine, &answer, reterr));
    } else if (!ordered->awaited || is_other) {
        TRY(tell_parent(engine, &watcher, live->id.text, PB__CHILD_OUTCOME__CHILD_OUTCOME_STARTED,
                        json_invalid(), NULL, reterr));
    }
    if (!ordered->awaited) return STATUS_OK;
    bool was_over = run_status_is_final(run_status(live->run)) && live->was_final;
    if (was_over) return tell_end(engine, live, &watcher, reterr);
    struct key key;
    const char *who = *ordered->schedule ? ordered->schedule : ordered->child;
    watcher_key(&key, str_from(live->id.text), str_from(who));
    return record_put(engine->txn, TABLE_WATCHERS, key_bytes(&key), &watcher.base, reterr);
}

static status refuse(struct engine *engine, const Pb__RunOrder *ordered, status code,
                     const struct error *why, struct error *reterr)
{
    if (*ordered->schedule) {
        Pb__ScheduleAnswer answer = PB__SCHEDULE_ANSWER__INIT;
        answer.schedule           = ordered->schedule;
        answer.due_us             = ordered->due_us;
        answer.time_us            = engine->now_us;
        answer.refusal            = *why->text ? why->text : "refused";
        return tell_schedule(engine, &answer, reterr);
    }
    Pb__WatcherRecord watcher       = PB__WATCHER_RECORD__INIT;
    CLEANUP(json_unrefp) json error = refusal_new(code, why);
    watcher.parent_run              = ordered->parent_run;
    watcher.parent_activation       = ordered->parent_activation;
    watcher.child                   = ordered->child;
    return tell_parent(engine, &watcher, ordered->child, PB__CHILD_OUTCOME__CHILD_OUTCOME_REFUSED,
                       error, NULL, reterr);
}

/* A run does not listen again to what has started it: its input. Rows for events that nobody keeps
 * would stay for ever, so only of those who listen. */
static status note_events(struct engine *engine, const Pb__RunOrder *ordered,
                          const struct live_run *live, struct error *reterr)
{
    const struct workflow *workflow = run_workflow(live->run);
    bool listens                    = false;
    for (uint32_t i = 0; i < workflow->task_count && !listens; i++) {
        listens = workflow->tasks[i].kind == TASK_LISTEN && !workflow->tasks[i].listen.approval;
    }
    for (size_t i = 0; listens && i < ordered->n_events; i++) {
        TRY(event_had(engine, str_from(live->id.text), str_from(ordered->events[i]), reterr));
    }
    return STATUS_OK;
}

status engine_take_run_order(struct engine *engine, const Pb__RunOrder *ordered,
                             struct error *reterr)
{
    struct command *command = NULL;
    struct live_run *live   = NULL;
    struct error why        = {};
    TRY(command_of_order(engine, ordered, &command, reterr));
    status code = prepare(engine, ordered, command, &why);
    status done = STATUS_OK;
    if (code == STATUS_OK) {
        done = engine_start_decide(engine, command, &live, reterr);
        code = command->code;
        why  = command->error;
    }
    command_release(command);
    TRY(done);
    if (live) TRY(note_events(engine, ordered, live, reterr));
    if (live) return attend(engine, ordered, live, reterr);
    log_write(LOG_WARN, "order.refused", LOG_TEXT_OF("workflow", ordered->workflow),
              LOG_TEXT_OF("error", why.text));
    return refuse(engine, ordered, code == STATUS_OK ? STATUS_INTERNAL : code, &why, reterr);
}

status engine_take_child_stop(struct engine *engine, const Pb__ChildStop *stopped,
                              struct error *reterr)
{
    struct live_run *live = NULL;
    str id                = str_from(stopped->child);
    str by                = str_from(*stopped->by ? stopped->by : "parent");
    if (!id_is_valid(id)) return STATUS_OK;
    struct key key;
    watcher_key(&key, id, id);
    status deleted = txn_delete(engine->txn, TABLE_WATCHERS, key_bytes(&key), NULL);
    if (deleted != STATUS_OK && deleted != STATUS_NOT_FOUND) {
        return fail(reterr, deleted, "the watcher of a child run cannot be deleted");
    }
    /* No such run: its key had found another one, which is not this parent's to stop. */
    TRY(engine_run(engine, id, NULL, &live, reterr));
    if (!live) return STATUS_OK;
    if (stopped->terminate) {
        return engine_terminate(engine, live, str_from(stopped->reason), by, reterr);
    }
    const struct decide_env env = engine_env(engine);
    struct error why            = {};
    engine_work_begin(engine, id);
    status decided =
        run_cancel(live->run, &env, str_from(stopped->reason), by, &engine->events, &why);
    status kept = decided == STATUS_OK ? engine_keep(engine, live, reterr) : STATUS_OK;
    engine_work_end(engine);
    return kept;
}
