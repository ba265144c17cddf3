/* The commands of run.h that concern a run as a whole: start, go on, time, signal, cancel. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "scheduler/decide/call_cache.h"
#include "scheduler/decide/late_job.h"
#include "scheduler/decide/run_end.h"
#include "scheduler/decide/run_retry.h"
#include "scheduler/decide/signal.h"
#include "scheduler/decide/undo_run.h"
#include "scheduler/run/due.h"
#include "schema/schema.h"

#include <stdio.h>
#include <stdlib.h>

/* --- start ---------------------------------------------------------------------------------------
 */

/* The stricter of two limits; 0: none. */
static int64_t lower(int64_t a, int64_t b)
{
    if (a <= 0) return b > 0 ? b : 0;
    return b > 0 && b < a ? b : a;
}

static status check_input(const struct run *run, const struct decide_env *env, json input,
                          struct error *reterr)
{
    if (!run->workflow->input_schema) return STATUS_OK;
    struct error error = {};
    arena_clear(env->scratch);
    if (schema_check(run->workflow->input_schema, input, env->scratch, NULL, &error) == STATUS_OK) {
        return STATUS_OK;
    }
    return fail_code(reterr, STATUS_INVALID_ARGUMENT, "input_invalid", "input: %s", error.text);
}

/* Evaluates what run.started carries. What fails here faults the run, which has started. */
static status start_prepare(struct scene *scene, json input, int64_t *ret_timeout_us,
                            json *ret_context, json *ret_error)
{
    const struct workflow *workflow = scene->run->workflow;
    scene->input                    = input;
    TRY(scene_duration(scene, &workflow->timeout, ret_timeout_us, ret_error));
    if (!workflow->input_from) return STATUS_OK;
    return scene_eval(scene, workflow->input_from, input, ret_context, ret_error);
}

/* Expressions before the first event see the run as it is about to start. */
static void run_dress(struct run *run, const struct decide_env *env, json input)
{
    run->started_us = env->now_us;
    json_replace(&run->input, json_ref(input));
}

/* Who has let a draft start, and what was said. */
static void emit_approval(struct decision *decision, const struct run_start *command)
{
    json value = json_object_new(2);
    json_object_put_text(&value, "by", json_text_lossy(command->approved_by));
    if (command->comment.len > 0) {
        json_object_put_text(&value, "comment", json_text_lossy(command->comment));
    }
    struct event event = {.kind = EVENT_RUN_APPROVED, .value = value};
    (void)decide_emit(decision, &event);
}

status run_start(struct run *run, const struct decide_env *env, const struct run_start *command,
                 struct event_list *events, struct error *reterr)
{
    ASSERT(run->status == RUN_PENDING || run->status == RUN_DRAFT);
    CLEANUP(json_unrefp)
    json input =
        command->input.kind == JSON_INVALID ? json_object_new(0) : json_ref(command->input);
    TRY(check_input(run, env, input, reterr));

    const struct workflow *workflow = run->workflow;
    bool inherits                   = command->priority == PRIORITY_INHERIT;
    run_dress(run, env, input);
    struct scene scene = scene_of_run(run, env);
    int64_t timeout_us = 0;
    struct event event = {
        .kind             = EVENT_RUN_STARTED,
        .priority         = inherits ? workflow->priority : command->priority,
        .budget_usd_nanos = lower(workflow->budget.usd_nanos, command->budget_usd_nanos),
        .budget_tokens    = lower(workflow->budget.tokens, command->budget_tokens),
        .id               = command->parent,
        .depth            = command->depth,
        .value            = json_ref(input),
    };
    json error        = json_invalid();
    status code       = start_prepare(&scene, input, &timeout_us, &event.context, &error);
    int64_t until_us  = timeout_us > 0 ? decide_after(env, timeout_us) : 0;
    event.deadline_us = lower(until_us, command->deadline_us);

    json_replace(&run->input, json_invalid());
    struct decision decision = decision_begin(run, env, events);
    if (command->approved_by.len > 0) emit_approval(&decision, command);
    (void)decide_emit(&decision, &event);
    if (code != STATUS_OK) {
        run_fault(&decision, error);
    } else {
        decide_list_moved(&decision, ROOT_SLOT, SLOT_NONE);
    }
    decision_end(&decision);
    return STATUS_OK;
}

status run_advance(struct run *run, const struct decide_env *env, struct event_list *events,
                   struct error *)
{
    if (run->status != RUN_RUNNING || run->is_suspended) return STATUS_OK;
    struct decision decision = decision_begin(run, env, events);
    decision_end(&decision);
    return STATUS_OK;
}

/* --- time ----------------------------------------------------------------------------------------
 */

/* A task whose time has come. The slot may have another use when its turn comes. */
struct due {
    int64_t due_us;
    uint64_t started_sequence;
    uint32_t slot;
};

static int due_compare(const void *a, const void *b)
{
    const struct due *one   = a;
    const struct due *other = b;
    if (one->due_us != other->due_us) return one->due_us < other->due_us ? -1 : 1;
    return one->slot < other->slot ? -1 : one->slot > other->slot;
}

/* In the order of their times. Owned. */
static struct due *due_new(const struct run *run, int64_t now_us, size_t *ret_count)
{
    struct due *items = mem_new(run->activations.open + 1, sizeof *items);
    size_t count      = 0;
    for (uint32_t i = 0; i < run->activations.count; i++) {
        const struct activation *activation = run_activation(run, i);
        if (!activation) continue;
        int64_t due_us = activation_due(activation);
        if (due_us <= now_us) {
            items[count++] = (struct due){due_us, activation->started_sequence, i};
        }
    }
    qsort(items, count, sizeof *items, due_compare);
    *ret_count = count;
    return items;
}

static bool is_past(int64_t due_us, int64_t now_us)
{
    return due_us != 0 && due_us <= now_us;
}

static json timeout_new(const struct task *task, const char *detail)
{
    return error_new(ERROR_TIMEOUT, 0, str_from(detail), str_from(task->reference));
}

/* limit.attempt.duration, or limit.duration: what failed is the list, so that the catch sees it as
 * its error. */
static void attempt_end(struct decision *decision, struct activation *activation)
{
    const struct task *task   = activation_task(decision->run, activation);
    const struct scope *list  = run_scope(decision->run, activation->first_scope);
    struct activation *within = list ? run_activation(decision->run, list->active) : NULL;
    bool is_try               = task->kind == TASK_TRY;
    if (within && within->state == TASK_UNDOING) return; /* it has failed already */
    if (is_try && (!within || list->kind != SCOPE_BODY)) return;
    bool is_all = is_past(activation->retry_until_us, decision->env->now_us);
    json error  = timeout_new(task, is_all ? "the attempts took longer than limit.duration"
                                           : "the attempt took longer than limit.attempt.duration");
    if (is_try) {
        task_fault_finally(decision, within, error);
    } else {
        task_fault(decision, activation, error);
    }
}

static void due_do(struct decision *decision, struct activation *activation)
{
    int64_t now_us          = decision->env->now_us;
    const struct task *task = activation_task(decision->run, activation);
    bool is_waiting         = activation->state == TASK_WAITING;
    if (is_past(activation->deadline_us, now_us)) {
        task_close_outside(decision, activation, true);
        task_fault_finally(decision, activation, timeout_new(task, "the task took too long"));
    } else if (is_past(activation->due_us, now_us) && is_waiting && task->kind == TASK_CALL) {
        call_cache_ask_again(decision, activation);
    } else if (is_past(activation->due_us, now_us) && is_waiting) {
        task_complete(decision, activation, activation->input, NULL);
    } else if (is_past(activation->due_us, now_us) && activation->state == TASK_RETRYING) {
        decide_ready(decision, READY_OWNER, activation->slot);
    } else if (is_past(activation->attempt_deadline_us, now_us)) {
        attempt_end(decision, activation);
    }
}

static void expire_events(struct decision *decision)
{
    struct run *run = decision->run;
    while (run->status == RUN_RUNNING && run->buffer_count > 0 &&
           run->buffer[0].received_us + RUN_BUFFERED_AGE_US <= decision->env->now_us) {
        struct event event = {.kind = EVENT_EXPIRED, .index = run->buffer[0].number};
        (void)decide_emit(decision, &event);
    }
}

static void due_all(struct decision *decision)
{
    struct run *run   = decision->run;
    size_t count      = 0;
    struct due *items = due_new(run, decision->env->now_us, &count);
    if (count > decision->steps_max) count = decision->steps_max; /* the rest stays due */
    for (size_t i = 0; i < count && run->status == RUN_RUNNING; i++) {
        struct activation *activation = run_activation(run, items[i].slot);
        if (!activation || activation->started_sequence != items[i].started_sequence) continue;
        due_do(decision, activation);
        decision_settle(decision);
    }
    free(items);
    expire_events(decision);
}

status run_due(struct run *run, const struct decide_env *env, struct event_list *events,
               struct error *reterr)
{
    bool is_open = run->status == RUN_RUNNING || run->status == RUN_DRAFT;
    if (!is_open || run_next_due(run) > env->now_us) return STATUS_OK;
    if (run->status == RUN_DRAFT) {
        return run_cancel(run, env, str_from("draft_expired"), (str){}, events, reterr);
    }
    struct decision decision = decision_begin(run, env, events);
    if (is_past(run->deadline_us, env->now_us) && !run->is_ending) {
        run_fault(&decision,
                  error_new(ERROR_TIMEOUT, 0, str_from("the run took too long"), str_from("/")));
    } else {
        due_all(&decision);
    }
    decision_end(&decision);
    return STATUS_OK;
}

/* --- signal, cancel
 * -------------------------------------------------------------------------------- */

static json cloud_event_new(const struct run *run, const struct decide_env *env,
                            const struct run_signal *command, const struct id *id)
{
    char time[TIME_TEXT_SIZE];
    char source[ID_LEN + 16];
    time_format(env->now_us, time);
    (void)snprintf(source, sizeof source, "/runs/%s", run->id.text);
    json event = json_object_new(8);
    json_object_put_text(&event, "specversion", json_text_from("1.0"));
    json_object_put_text(&event, "id", json_text_from(id->text));
    json_object_put_text(&event, "source", json_text_from(source));
    json_object_put_text(&event, "type", json_text_lossy(command->name));
    json_object_put_text(&event, "subject", json_text_from(run->id.text));
    json_object_put_text(&event, "time", json_text_from(time));
    if (command->data.kind != JSON_INVALID) {
        json_object_put_text(&event, "data", json_ref(command->data));
    }
    return event;
}

status run_signal(struct run *run, const struct decide_env *env, const struct run_signal *command,
                  struct id *ret_event_id, struct event_list *events, struct error *reterr)
{
    TRY(run_check_running(run, reterr));
    struct id id             = decide_id(env);
    struct decision decision = decision_begin(run, env, events);
    size_t before            = events->count;
    decision.first_sequence++; /* the event itself is there to stay */
    status code = signal_receive(&decision, cloud_event_new(run, env, command, &id), reterr);
    if (code != STATUS_OK) {
        /* Refused: what was left over from the command before waits for run_advance(). */
        ASSERT(events->count == before);
        decision_drop(&decision);
        return code;
    }
    decision_end(&decision);
    *ret_event_id = id;
    return STATUS_OK;
}

bool run_offer(struct run *run, const struct decide_env *env, json event, struct event_list *events)
{
    if (run->status != RUN_RUNNING) return false;
    struct decision decision = decision_begin(run, env, events);
    bool is_taken            = signal_offer(&decision, event);
    if (is_taken) {
        decision_end(&decision);
    } else {
        decision_drop(&decision); /* as in run_signal() */
    }
    return is_taken;
}

status run_cancel(struct run *run, const struct decide_env *env, str reason, str by,
                  struct event_list *events, struct error *reterr)
{
    if (!run_is_waiting_to_start(run)) TRY(run_check_running(run, reterr));
    if (run->is_ending) return STATUS_OK; /* it undoes already what it did */
    struct decision decision = decision_begin(run, env, events);
    uint64_t place           = undo_place(&decision, decision.first_sequence);
    json value               = json_object_new(2);
    json_object_put_text(&value, "reason", json_text_lossy(reason));
    json_object_put_text(&value, "by", json_text_lossy(by));
    if (run->is_suspended) {
        struct event resumed = {.kind = EVENT_RUN_RESUMED, .value = json_ref(value)};
        (void)decide_emit(&decision, &resumed);
    }
    run_cancel_all(&decision);
    if (!undo_begin_run(&decision, UNDO_THEN_CANCEL, value)) {
        late_jobs_drop(&decision);
        struct event event = {.kind = EVENT_RUN_CANCELLED, .value = value, .retry_from = place};
        (void)decide_emit(&decision, &event);
    }
    decision_end(&decision);
    return STATUS_OK;
}
