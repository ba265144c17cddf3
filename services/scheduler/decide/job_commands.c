/* The commands of run.h by which jobs answer. */
#include "scheduler/decide/decide.h"
#include "scheduler/decide/job_arguments.h"
#include "scheduler/decide/job_policy.h"
#include "scheduler/decide/job_question.h"
#include "scheduler/decide/late_job.h"
#include "scheduler/decide/paused_task.h"
#include "scheduler/decide/undo_run.h"
#include "scheduler/run/agent_said.h"
#include "scheduler/run/job_key.h"
#include "scheduler/run/question.h"
#include "workflow/function_catalog.h"

/* NULL: its task has ended. */
static struct activation *task_of(const struct run *run, str job)
{
    if (run->status != RUN_RUNNING) return NULL;
    struct activation *activation = job_activation(run, job);
    return activation ? activation : asking_activation(run, job);
}

/* What undoes a call that nobody will ever undo need not be kept. */
static bool is_undo_noted(const struct run *run, const struct activation *activation)
{
    const struct task *task = activation_task(run, activation);
    return task->is_undoable && task->compensation.by == COMPENSATE_DECLARED && !activation->undo;
}

status run_job_completed(struct run *run, const struct decide_env *env,
                         const struct job_completion *command, struct event_list *events,
                         struct error *reterr)
{
    struct activation *activation = task_of(run, command->job);
    if (!activation) return late_job_completed(run, env, command, events, reterr);
    struct decision decision = decision_begin(run, env, events);
    const struct task *task  = activation_task(run, activation);
    job_question_close(&decision, activation, false);
    json output = job_value_masked(run, env, task, command->output);
    if (output.kind == JSON_INVALID) output = json_null();
    if (task->call.is_turn) json_replace(&output, agent_answer_new(output));
    bool has_undo      = is_undo_noted(run, activation);
    struct event event = {
        .kind       = EVENT_JOB_COMPLETED,
        .activation = activation->slot,
        .id         = activation->id,
        .attempt    = activation->attempt,
        .usage      = command->usage,
        .value      = output,
        .undo       = has_undo ? job_value_masked(run, env, task, command->undo) : json_invalid(),
    };
    (void)decide_emit(&decision, &event);
    if (activation->undo) {
        undo_answered(&decision, activation);
    } else {
        task_complete(&decision, activation, activation->result, NULL);
    }
    decision_end(&decision);
    return STATUS_OK;
}

void run_charge(struct run *run, const struct decide_env *env, const struct id *job,
                const struct usage *usage, struct event_list *events)
{
    struct decision decision = decision_begin(run, env, events);
    struct event event       = {.kind = EVENT_RUN_CHARGED, .id = *job, .usage = *usage};
    (void)decide_emit(&decision, &event);
    decision_end(&decision);
}

/* An error of the language whatever the worker sent, with the task as instance. Owned. */
static json error_of(const struct run *run, const struct activation *activation, json error)
{
    CLEANUP(buf_done) struct buf reference = buf_init(REFERENCE_MAX);
    reference_put(run, activation, &reference);
    str instance     = buf_str(&reference);
    bool is_complete = json_is(json_get_text(error, "type"), JSON_TEXT) &&
                       json_is_number(json_get_text(error, "status"));
    if (!is_complete) {
        json detail = json_get_text(error, "detail");
        str text    = json_is(detail, JSON_TEXT) ? json_str(detail) : str_from("the job failed");
        return error_new(ERROR_RUNTIME, 0, text, instance);
    }
    json full = json_ref(error);
    if (json_get_text(error, "instance").kind == JSON_INVALID) {
        json_object_put_text(&full, "instance", json_text_new(instance));
    }
    return full;
}

static bool is_undoing(const struct run *run, const struct activation *activation)
{
    return activation->undo != 0 || activation_task(run, activation)->is_compensation;
}

/* RETRY_REFUSED: no policy is for this error. An error in the policy replaces `*error`. */
static struct retry_choice choose(const struct run *run, const struct decide_env *env,
                                  const struct activation *activation,
                                  const struct job_failure *failure, json *error)
{
    const struct task *task        = activation_task(run, activation);
    const struct job_policy policy = job_policy_of(env, task, is_undoing(run, activation));
    const struct retry_case failed = {
        .attempt     = activation->attempt,
        .until_us    = activation->retry_until_us,
        .wait_min_us = failure->retry_after_us,
    };
    struct retry_choice choice = {.verdict = RETRY_REFUSED};
    if (failure->is_final) return choice;
    bool is_last = !policy.plan && !policy.rule && (failure->is_transient || failure->is_unknown);
    if (is_last && task->call.pauses) choice.verdict = RETRY_SPENT; /* its one attempt is */
    if (policy.plan && (failure->is_transient || policy.is_for_all)) {
        return retry_by_plan(env, policy.plan, &failed);
    }
    if (!policy.rule) return choice;

    struct scene scene = scene_of(run, env, activation);
    scene.error        = *error;
    json wrong         = json_invalid();
    if (retry_by_rule(&scene, policy.rule, &failed, &choice, &wrong) != STATUS_OK) {
        json_replace(error, wrong);
        choice.verdict = RETRY_REFUSED;
    }
    return choice;
}

/* Says whether the attempt may have done outside what a second one would do again. */
static bool is_outcome_unknown(const struct task *task, const struct job_failure *failure)
{
    if (!failure->is_lapsed) return failure->is_unknown && !failure->is_transient;
    const struct function_description *function = task->call.description;
    if (!function) return true;
    return function->effect != EFFECT_READ && (function->idempotency == IDEMPOTENCY_NONE ||
                                               function->idempotency == IDEMPOTENCY_VARIES);
}

status run_job_failed(struct run *run, const struct decide_env *env,
                      const struct job_failure *command, struct event_list *events,
                      struct error *reterr)
{
    struct activation *activation = task_of(run, command->job);
    if (!activation) return late_job_failed(run, env, command, events, reterr);
    struct decision decision       = decision_begin(run, env, events);
    const struct task *task        = activation_task(run, activation);
    CLEANUP(json_unrefp) json told = job_value_masked(run, env, task, command->error);
    CLEANUP(json_unrefp) json undo = job_value_masked(run, env, task, command->undo);
    struct job_failure failure     = *command;
    failure.undo                   = undo;
    json error                     = error_of(run, activation, told);
    json reported                  = json_ref(error);
    struct retry_choice choice     = choose(run, env, activation, command, &error);
    job_question_close(&decision, activation, false);
    struct event event = {
        .activation = activation->slot,
        .id         = activation->id,
        .attempt    = activation->attempt,
        .usage      = command->usage,
        .error      = reported,
        .is_unknown = is_outcome_unknown(task, command),
    };
    if (choice.verdict == RETRY_AGAIN) {
        event.kind    = EVENT_JOB_RETRIED;
        event.attempt = activation->attempt + 1;
        event.due_us  = choice.due_us;
        /* Of the rest the next attempt speaks; it may not come about, or end without a word. */
        bool has_part = json_count(undo) > 0;
        if (has_part) event.undo = late_job_part_new(run, activation, &failure, reported, true);
        (void)decide_emit(&decision, &event);
        json_unref(error);
    } else {
        bool is_undo  = is_undoing(run, activation);
        bool is_spent = choice.verdict == RETRY_SPENT;
        event.kind    = is_spent || is_undo ? EVENT_JOB_DEAD : EVENT_JOB_FAILED;
        event.is_kept = late_job_settles(run, activation, command);
        event.undo    = late_job_part_new(run, activation, &failure, reported, event.is_kept);
        (void)decide_emit(&decision, &event);
        if (is_spent && !is_undo && task->call.pauses) {
            task_pause(&decision, activation, &event.id, error);
        } else {
            task_fault(&decision, activation, error);
        }
    }
    decision_end(&decision);
    return STATUS_OK;
}
