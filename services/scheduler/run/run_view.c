/* Looking at a run, and at its events, from outside. */
#include "scheduler/run/agent.h"
#include "scheduler/run/call_cache.h"
#include "scheduler/run/job_key.h"
#include "scheduler/run/paused.h"
#include "scheduler/run/question.h"
#include "scheduler/run/state.h"
#include "scheduler/run/undo.h"
#include "json/json_write.h"

#include "base/assert.h"
#include "base/money.h"

enum { ITERATION_MAX = 1024, DATA_MAX = PAYLOAD_MAX + (64 << 10) /* bytes */ };

const char *run_id(const struct run *run)
{
    return run->id.text;
}

const struct workflow *run_workflow(const struct run *run)
{
    return run->workflow;
}

enum run_status run_status(const struct run *run)
{
    if (run->status == RUN_RUNNING && run->is_suspended) return RUN_SUSPENDED;
    bool is_undoing = run->undo_done + run->undo_failed < run->undo_total;
    bool moves      = run->job_count > 0 || run_has_more(run) || is_undoing;
    return run->status == RUN_RUNNING && !moves ? RUN_WAITING : run->status;
}

uint32_t run_depth(const struct run *run)
{
    return run->depth;
}

bool run_is_suspended(const struct run *run)
{
    return run->is_suspended;
}

uint64_t run_sequence(const struct run *run)
{
    return run->sequence;
}

json run_input(const struct run *run)
{
    return run->input;
}

json run_context(const struct run *run)
{
    return run->context;
}

json run_output(const struct run *run)
{
    return run->output;
}

json run_error(const struct run *run)
{
    return run->error;
}

int64_t run_started_us(const struct run *run)
{
    return run->started_us;
}

int64_t run_ended_us(const struct run *run)
{
    return run->ended_us;
}

int64_t run_deadline_us(const struct run *run)
{
    return run->deadline_us;
}

uint8_t run_priority(const struct run *run)
{
    return run->priority;
}

const struct usage *run_usage(const struct run *run)
{
    return &run->usage;
}

int64_t run_budget_usd_nanos(const struct run *run)
{
    return run->budget_usd_nanos;
}

int64_t run_budget_tokens(const struct run *run)
{
    return run->budget_tokens;
}

uint32_t run_jobs_open(const struct run *run)
{
    return run->job_count + undo_awaited(run);
}

bool run_is_waiting_to_start(const struct run *run)
{
    return run->status == RUN_DRAFT || (run->status == RUN_PENDING && run->sequence > 0);
}

bool run_is_reopenable(const struct run *run)
{
    return run_status_is_final(run->status) && run->retry_from > 0;
}

struct run_compensation run_compensation(const struct run *run)
{
    return (struct run_compensation){run->undo_total, run->undo_done, run->undo_failed};
}

static bool wait_of(const struct run *run, const struct activation *activation,
                    struct run_wait *ret_wait)
{
    const struct task *task = activation_task(run, activation);
    *ret_wait               = (struct run_wait){
                      .task     = task,
                      .slot     = activation->slot,
                      .since_us = activation->started_us,
                      .due_us   = activation->due_us ? activation->due_us : activation->deadline_us,
                      .id       = str_from(activation->id.text),
    };
    switch (activation->state) {
    case TASK_QUEUED: ret_wait->kind = WAIT_JOB; return true;
    case TASK_RETRYING: ret_wait->kind = WAIT_TIMER; return true;
    case TASK_WAITING:
        ret_wait->kind = WAIT_TIMER;
        if (task->kind == TASK_LISTEN) {
            ret_wait->kind = task->listen.approval ? WAIT_APPROVAL : WAIT_EVENT;
        }
        if (task->kind == TASK_RUN) {
            ret_wait->kind = WAIT_CHILD;
            if (json_is(activation->key, JSON_TEXT)) ret_wait->id = json_str(activation->key);
        }
        if (task_is_paused(run, activation)) {
            ret_wait->kind     = WAIT_OPERATOR;
            ret_wait->id       = paused_job(run, activation);
            ret_wait->since_us = paused_since_us(run, activation);
        } else if (task_is_asking(run, activation)) {
            ret_wait->kind     = WAIT_APPROVAL;
            ret_wait->id       = str_from(activation->approval.text);
            ret_wait->since_us = id_unix_ms(ret_wait->id) * 1000;
        } else if (task->kind == TASK_CALL) {
            ret_wait->kind = WAIT_CACHE;
            ret_wait->id   = str_from("the answer of an equal call, kept or under way (cache)");
        }
        return true;
    case TASK_ILLEGAL:
    case TASK_RUNNING:
    case TASK_UNDOING:
    case TASK_COMPLETED:
    case TASK_FAULTED:
    case TASK_CANCELLED:
    case TASK_STATE_COUNT: break;
    }
    return false;
}

static struct run_wait wait_of_undo(const struct run *run, const struct undo *entry)
{
    return (struct run_wait){
        .kind     = WAIT_JOB,
        .task     = &run->workflow->tasks[entry->task],
        .slot     = SLOT_NONE,
        .since_us = id_unix_ms(str_from(entry->job.text)) * 1000,
        .id       = str_from(entry->job.text),
    };
}

size_t run_waits(const struct run *run, struct run_wait *ret_waits, size_t capacity)
{
    size_t count = 0;
    for (uint32_t i = 0; i < run->activations.count && count < capacity; i++) {
        const struct activation *activation = run_activation(run, i);
        if (activation && wait_of(run, activation, &ret_waits[count])) count++;
    }
    for (uint32_t i = 0; i < run->undo_count && count < capacity; i++) {
        const struct undo *entry = &run->undos[i];
        if (entry->job.text[0]) ret_waits[count++] = wait_of_undo(run, entry);
    }
    return count;
}

size_t run_waits_most(const struct run *run)
{
    return (size_t)run->activations.open + run->undo_count;
}

void run_wait_put(const struct run *run, const struct run_wait *wait, struct buf *out)
{
    const struct activation *activation = run_activation(run, wait->slot);
    if (activation) {
        reference_put(run, activation, out);
    } else {
        (void)buf_put_str(out, str_from(wait->task->reference));
    }
}

/* --- history ------------------------------------------------------------------------------------
 */

/* Of an undoing that begins, of a compensation that starts, of a job that ended after its task:
 * they have no task yet, or no more. */
static void view_undo(const struct run *run, const struct event *event, struct event_view *view)
{
    const struct activation *owner = run_activation(run, event->owner);
    bool is_late                   = event->kind == EVENT_JOB_SETTLED;
    const struct undo *entry =
        is_late ? undo_awaiting(run, str_from(event->id.text)) : undo_find(run, event->index);
    if (event->kind == EVENT_UNDO_BEGUN && owner) {
        view->reference = activation_task(run, owner)->reference;
        iteration_put(run, run_scope(run, owner->scope), &view->iteration);
    } else if (event->kind != EVENT_UNDO_BEGUN && entry) {
        view->reference = run->workflow->tasks[entry->task].reference;
        if (json_is(entry->iteration, JSON_TEXT)) {
            (void)buf_put_str(&view->iteration, json_str(entry->iteration));
        }
    }
}

/* Where the event's task is, or is about to be. */
static void view_place(const struct run *run, const struct event *event, struct event_view *view)
{
    bool is_start   = event->kind == EVENT_TASK_STARTED || event->kind == EVENT_TASK_SKIPPED;
    task_index task = event->task;
    const struct scope *scope = NULL;
    struct place place        = {};
    if (!is_start) {
        const struct activation *activation = run_activation(run, event->activation);
        if (!activation) return;
        task  = activation->task;
        scope = run_scope(run, activation->scope);
        place = place_of(scope);
    } else if (event->opens == SCOPE_NONE) {
        scope = run_scope(run, event->scope);
        if (scope) place = place_of(scope);
    } else {
        const struct activation *owner = run_activation(run, event->owner);
        scope                          = owner ? run_scope(run, owner->scope) : NULL;
        place = (struct place){.owner = event->owner, .kind = event->opens, .index = event->index};
    }
    if (task >= run->workflow->task_count) return;
    view->reference = run->workflow->tasks[task].reference;
    if (scope && reference_at_put(run, &place, view->reference, &view->place)) {
        view->reference = view->place.ptr;
    }
    if (scope) iteration_put(run, scope, &view->iteration);
    if (is_start && event->opens == SCOPE_ITERATION) {
        (void)buf_printf(&view->iteration, view->iteration.len > 0 ? "/%u" : "%u", event->index);
    }
}

static json value_of(const struct run *run, const struct event *event)
{
    const struct activation *activation = run_activation(run, event->activation);
    switch (event->value_from) {
    case VALUE_HERE:
    case VALUE_AGENT:
    case VALUE_CONSTANT: break; /* the codec has put it back */
    case VALUE_RAW_INPUT: return activation ? activation->raw_input : event->value;
    case VALUE_INPUT: return activation ? activation->input : event->value;
    case VALUE_RESULT:
        if (event->kind == EVENT_RUN_COMPLETED) {
            const struct scope *root = run_scope(run, ROOT_SLOT);
            return root ? root->data : event->value;
        }
        if (event->kind == EVENT_ITEM_COMPLETED && activation) {
            const struct scope *list = run_scope(run, activation->first_scope);
            return list ? list->data : json_at(activation->events, event->index);
        }
        return activation ? activation_result(run, activation) : event->value;
    }
    return event->value;
}

static void put_value(struct json_writer *writer, const char *name, json value)
{
    if (value.kind == JSON_INVALID) return;
    json_member(writer, name);
    json_write_value(writer, value);
}

/* The value of an event; of a turn of an agent it has to be made. */
static void put_outcome(struct json_writer *writer, const char *name, const struct run *run,
                        const struct event *event)
{
    const struct activation *activation = run_activation(run, event->activation);
    bool is_made = event->kind == EVENT_AGENT_TURN && event->value_from == VALUE_RESULT;
    if (!is_made || !activation || !activation->agent) {
        put_value(writer, name, value_of(run, event));
        return;
    }
    CLEANUP(json_unrefp) json results = agent_results_new(run, activation);
    put_value(writer, name, results);
}

static void put_time(struct json_writer *writer, const char *name, int64_t time_us)
{
    if (time_us != 0) json_put_time(writer, name, time_us);
}

/* The name under which the value of an event is shown. */
static const char *value_name(enum event_kind kind)
{
    switch (kind) {
    case EVENT_RUN_STARTED:
    case EVENT_CHILD_SCHEDULED:
    case EVENT_CACHE_ASKED:
    case EVENT_JOB_SCHEDULED: return "input";
    case EVENT_RUN_COMPLETED:
    case EVENT_TASK_COMPLETED:
    case EVENT_ITEM_COMPLETED:
    case EVENT_CHILD_COMPLETED:
    case EVENT_CACHE_HIT:
    case EVENT_JOB_COMPLETED: return "output";
    case EVENT_EMITTED:
    case EVENT_SIGNAL_RECEIVED: return "event";
    case EVENT_APPROVAL_REQUESTED: return "approval";
    case EVENT_APPROVAL_DECIDED: return "decision";
    case EVENT_APPROVAL_EDITED: return "edit";
    case EVENT_AGENT_TURN: return "results";
    case EVENT_AGENT_CALLS: return "calls";
    case EVENT_RUN_CANCELLED: return "cancel";
    case EVENT_RUN_TERMINATED: return "terminate";
    case EVENT_RUN_SUSPENDED: return "suspend";
    case EVENT_RUN_RESUMED: return "resume";
    case EVENT_CHILD_STARTED: return "run";
    case EVENT_RUN_LABELLED: return "labels";
    case EVENT_TASK_RESUMED:
    case EVENT_RUN_RETRIED: return "retry";
    case EVENT_RUN_DRAFTED: return "input";
    case EVENT_RUN_EDITED: return "edit";
    case EVENT_RUN_APPROVED: return "approval";
    case EVENT_RUN_VARIABLE: return "variable";
    case EVENT_RUN_RESET: return "reset";
    case EVENT_RUN_COMPENSATED: return "compensate";
    default: return NULL;
    }
}

static void put_usage(struct json_writer *writer, const struct usage *usage)
{
    if (usage->calls == 0 && usage->input_tokens == 0 && usage->cost_usd_nanos == 0) return;
    json_member(writer, "usage");
    json_begin_object(writer);
    json_put_int(writer, "input_tokens", usage->input_tokens);
    json_put_int(writer, "output_tokens", usage->output_tokens);
    json_member(writer, "cost_usd");
    if (usage->source == COST_UNKNOWN) {
        json_write_null(writer);
    } else {
        CLEANUP(buf_done) struct buf cost = buf_init(MONEY_TEXT_MAX);
        (void)money_print(usage->cost_usd_nanos, &cost);
        json_write_text(writer, buf_str(&cost));
    }
    if (usage->is_simulated) json_put_bool(writer, "simulated", true);
    json_end_object(writer);
}

/* Who the child is, or whose child the run. */
static void put_child(struct json_writer *writer, const struct event *event)
{
    bool is_child = event->kind >= EVENT_CHILD_SCHEDULED && event->kind <= EVENT_CHILD_TERMINATED;
    if (is_child) json_put_text(writer, "child", str_from(event->id.text));
    if (event->kind == EVENT_CHILD_SCHEDULED) put_value(writer, "workflow", event->key);
    if (event->kind == EVENT_RUN_STARTED && event->id.text[0]) {
        json_put_text(writer, "parent", str_from(event->id.text));
    }
}

/* Whether the task's answer is one that was kept, and when the next thing happens. */
static void put_times(struct json_writer *writer, const struct run *run, const struct event *event)
{
    const struct activation *activation = run_activation(run, event->activation);
    if (event->kind == EVENT_CACHE_HIT) {
        put_time(writer, "stored_at", event->due_us);
    } else if (event->kind != EVENT_CACHE_ASKED && event->kind != EVENT_RUN_RESET) {
        put_time(writer, "due_at", event->due_us);
    }
    put_time(writer, "deadline", event->deadline_us);
    if (event->kind != EVENT_TASK_COMPLETED || !activation) return;
    const struct task *task        = activation_task(run, activation);
    CLEANUP(json_unrefp) json note = call_cache_note_new(activation, task, event->time_us);
    put_value(writer, "cache", note);
}

void event_view_make(const struct run *run, const struct event *event, struct event_view *ret_view)
{
    struct event_view view = {
        .sequence  = event->sequence,
        .time_us   = event->time_us,
        .type      = event_type(event->kind),
        .reference = "",
        .place     = buf_init(REFERENCE_MAX),
        .iteration = buf_init(ITERATION_MAX),
        .data      = buf_init(DATA_MAX),
    };
    bool is_pause  = event->kind == EVENT_TASK_PAUSED || event->kind == EVENT_TASK_RESUMED;
    bool is_of_run = event->kind < EVENT_TASK_STARTED || event->kind == EVENT_SIGNAL_RECEIVED ||
                     event->kind == EVENT_EXPIRED ||
                     (event->kind >= EVENT_RUN_SUSPENDED && !is_pause);
    bool is_late = event->kind == EVENT_JOB_SETTLED;
    if (event->kind == EVENT_UNDO_BEGUN || event->kind == EVENT_COMPENSATION_STARTED || is_late) {
        view_undo(run, event, &view);
    } else if (!is_of_run) {
        view_place(run, event, &view);
    }
    if (is_pause || is_late) {
        view.job = event->id;
    } else if (event->kind >= EVENT_JOB_SCHEDULED && event->kind <= EVENT_JOB_CANCELLED) {
        view.job     = event->id;
        view.attempt = event->attempt;
    } else if (event->kind == EVENT_TASK_RETRIED) {
        view.attempt = event->attempt;
    }

    struct json_writer writer = json_writer_init(&view.data);
    const char *name          = value_name(event->kind);
    json_begin_object(&writer);
    bool has_input = event->kind == EVENT_TASK_STARTED || event->kind == EVENT_RUN_EDITED;
    if (has_input) put_value(&writer, "input", event->input);
    if (name) put_outcome(&writer, name, run, event);
    put_value(&writer, "context", event->context);
    put_value(&writer, "error", event->error);
    bool has_ended = event->kind >= EVENT_JOB_FAILED && event->kind <= EVENT_JOB_CANCELLED;
    if (has_ended || is_late) put_value(&writer, "undo", event->undo);
    put_times(&writer, run, event);
    bool is_approval =
        event->kind >= EVENT_APPROVAL_REQUESTED && event->kind <= EVENT_APPROVAL_CANCELLED;
    if (is_approval || event->kind == EVENT_APPROVAL_EDITED) {
        json_put_text(&writer, "id", str_from(event->id.text));
    }
    put_child(&writer, event);
    put_usage(&writer, &event->usage);
    json_end_object(&writer);
    if (view.data.len == 2) buf_clear(&view.data); /* nothing but {} */
    *ret_view = view;
}

void event_view_done(struct event_view *view)
{
    buf_done(&view->place);
    buf_done(&view->iteration);
    buf_done(&view->data);
}
