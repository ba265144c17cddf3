#include "scheduler/decide/paused_task.h"

#include "scheduler/decide/tasks/tasks.h"
#include "scheduler/run/job_key.h"
#include "scheduler/run/paused.h"

enum { REASON_MAX = 512 };

/* --- pausing -----------------------------------------------------------------------------------
 */

static void emit_run(struct decision *decision, enum event_kind kind, str reason, str by)
{
    json value = json_object_new(2);
    json_object_put_text(&value, "reason", json_text_lossy(reason));
    json_object_put_text(&value, "by", json_text_lossy(by));
    struct event event = {.kind = kind, .value = value};
    (void)decide_emit(decision, &event);
}

static void reason_put(const struct decision *decision, const struct activation *activation,
                       struct buf *out)
{
    json title = json_get_text(activation->error, "title");
    reference_put(decision->run, activation, out);
    (void)buf_put_text(out, ": all attempts of its call are spent");
    if (!json_is(title, JSON_TEXT)) return;
    (void)buf_printf(out, " (" STR_FMT ")", STR_ARG(json_str(title)));
}

void task_pause(struct decision *decision, struct activation *activation, const struct id *job,
                json error)
{
    struct event event = {
        .kind       = EVENT_TASK_PAUSED,
        .activation = activation->slot,
        .id         = *job,
        .error      = error,
    };
    (void)decide_emit(decision, &event);
    if (decision->run->is_suspended) return;
    CLEANUP(buf_done) struct buf reason = buf_init(REFERENCE_MAX + REASON_MAX);
    reason_put(decision, activation, &reason);
    emit_run(decision, EVENT_RUN_SUSPENDED, buf_str(&reason), str_from(RUN_PAUSED_BY));
}

/* --- who is meant ------------------------------------------------------------------------------
 */

static bool is_meant(const struct run *run, const struct activation *activation,
                     const struct run_retry *command)
{
    if (!activation || !task_is_paused(run, activation)) return false;
    bool is_task = command->task.len == 0 ||
                   str_is(command->task, activation_task(run, activation)->reference);
    return is_task &&
           (command->job.len == 0 || str_equal(command->job, paused_job(run, activation)));
}

static status check_meant(const struct run *run, const struct run_retry *command, const char *code,
                          size_t *ret_count, struct error *reterr)
{
    *ret_count = 0;
    for (uint32_t i = 0; i < run->activations.count; i++) {
        *ret_count += is_meant(run, run_activation(run, i), command);
    }
    if (*ret_count > 0) return STATUS_OK;
    bool has_task = command->task.len > 0;
    return fail_code(reterr, STATUS_FAILED_PRECONDITION, code,
                     "run %s has not faulted, and %s" STR_FMT "%s", run->id.text,
                     has_task ? "the task `" : "no task of it", STR_ARG(command->task),
                     has_task ? "` does not wait for an operator" : " waits for an operator");
}

/* A patch is for one call, whose arguments are stored as they are sent. */
static status check_patch(const struct run *run, const struct run_retry *command, size_t count,
                          struct error *reterr)
{
    if (command->patch.kind == JSON_INVALID) return STATUS_OK;
    if (count > 1) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "invalid_request",
                         "input_patch: %zu tasks wait for an operator; name one of them, or its "
                         "dead letter",
                         count);
    }
    for (uint32_t i = 0; i < run->activations.count; i++) {
        const struct activation *activation = run_activation(run, i);
        if (!is_meant(run, activation, command)) continue;
        if (!activation_task(run, activation)->sends_secrets) continue;
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "invalid_request",
                         "input_patch: the arguments of the task that failed hold secrets");
    }
    return STATUS_OK;
}

/* --- going on ----------------------------------------------------------------------------------
 */

static void begin_again(struct decision *decision, struct activation *activation, json patch,
                        str by)
{
    struct id job = {};
    str paused    = paused_job(decision->run, activation);
    if (paused.len == ID_LEN) memcpy(job.text, paused.ptr, ID_LEN);
    json value = json_object_new(1);
    json_object_put_text(&value, "by", json_text_lossy(by));
    struct event event = {
        .kind       = EVENT_TASK_RESUMED,
        .activation = activation->slot,
        .id         = job,
        .is_kept    = patch.kind != JSON_INVALID,
        .value      = value,
    };
    (void)decide_emit(decision, &event);
    call_begin_again(decision, activation, patch, event.is_kept);
}

/* Each that is meant: once more, or with its error. */
static void speak(struct decision *decision, const struct run_retry *command, bool is_given_up)
{
    struct run *run = decision->run;
    for (uint32_t i = 0; i < run->activations.count && run->status == RUN_RUNNING; i++) {
        struct activation *activation = run_activation(run, i);
        if (!is_meant(run, activation, command)) continue;
        if (is_given_up) {
            task_fault(decision, activation, json_ref(activation->error));
        } else {
            begin_again(decision, activation, command->patch, command->by);
        }
        decision_settle(decision);
    }
}

void paused_resume_all(struct decision *decision, str by)
{
    const struct run_retry command = {.by = by};
    speak(decision, &command, false);
}

static status answer(struct run *run, const struct decide_env *env, const struct run_retry *command,
                     bool is_given_up, struct event_list *events, struct error *reterr)
{
    const char *code = is_given_up ? "nothing_to_fail" : "nothing_to_retry";
    size_t count     = 0;
    TRY(run_check_running(run, reterr));
    TRY(check_meant(run, command, code, &count, reterr));
    if (!is_given_up) TRY(check_patch(run, command, count, reterr));
    struct decision decision = decision_begin(run, env, events);
    if (run->is_suspended) {
        emit_run(&decision, EVENT_RUN_RESUMED, str_from(is_given_up ? "fail" : "retry"),
                 command->by);
    }
    speak(&decision, command, is_given_up);
    decision_end(&decision);
    return STATUS_OK;
}

status run_retry_paused(struct run *run, const struct decide_env *env,
                        const struct run_retry *command, struct event_list *events,
                        struct error *reterr)
{
    return answer(run, env, command, false, events, reterr);
}

status run_give_up(struct run *run, const struct decide_env *env, const struct run_retry *command,
                   struct event_list *events, struct error *reterr)
{
    return answer(run, env, command, true, events, reterr);
}

bool run_is_paused_by(const struct run *run, str job)
{
    const struct run_retry meant = {.job = job};
    for (uint32_t i = 0; i < run->activations.count; i++) {
        if (is_meant(run, run_activation(run, i), &meant)) return true;
    }
    return false;
}
