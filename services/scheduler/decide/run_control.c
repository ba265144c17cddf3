/* The commands of run.h by which people stop a run: hard, or for a while. */
#include "scheduler/decide/decide.h"
#include "scheduler/decide/late_job.h"
#include "scheduler/decide/paused_task.h"
#include "scheduler/decide/run_retry.h"

status run_check_running(const struct run *run, struct error *reterr)
{
    if (run->status == RUN_RUNNING) return STATUS_OK;
    if (run->status == RUN_DRAFT) {
        return fail_code(reterr, STATUS_FAILED_PRECONDITION, "conflict",
                         "run %s is a draft and has not started: approve it first", run->id.text);
    }
    if (run->status == RUN_PENDING) {
        return fail_code(reterr, STATUS_FAILED_PRECONDITION, "conflict",
                         "run %s has not started: it waits for its turn", run->id.text);
    }
    return fail_code(reterr, STATUS_FAILED_PRECONDITION, "run_finished", "run %s has ended",
                     run->id.text);
}

static void emit_reason(struct decision *decision, enum event_kind kind, str reason, str by,
                        uint64_t retry_from)
{
    json value = json_object_new(2);
    json_object_put_text(&value, "reason", json_text_lossy(reason));
    json_object_put_text(&value, "by", json_text_lossy(by));
    struct event event = {.kind = kind, .value = value, .retry_from = retry_from};
    (void)decide_emit(decision, &event);
}

status run_terminate(struct run *run, const struct decide_env *env, str reason, str by,
                     struct event_list *events, struct error *reterr)
{
    if (!run_is_waiting_to_start(run)) TRY(run_check_running(run, reterr));
    struct decision decision = decision_begin(run, env, events);
    uint64_t place           = undo_place(&decision, decision.first_sequence);
    decision.is_terminating  = true;
    run_cancel_all(&decision);
    late_jobs_drop(&decision);
    emit_reason(&decision, EVENT_RUN_TERMINATED, reason, by, place);
    decision_end(&decision);
    return STATUS_OK;
}

status run_suspend(struct run *run, const struct decide_env *env, str reason, str by,
                   struct event_list *events, struct error *reterr)
{
    TRY(run_check_running(run, reterr));
    if (run->is_suspended) return STATUS_OK;
    struct decision decision = decision_begin(run, env, events);
    emit_reason(&decision, EVENT_RUN_SUSPENDED, reason, by, 0);
    decision_end(&decision);
    return STATUS_OK;
}

status run_resume(struct run *run, const struct decide_env *env, str reason, str by,
                  struct event_list *events, struct error *reterr)
{
    TRY(run_check_running(run, reterr));
    if (!run->is_suspended) {
        return fail_code(reterr, STATUS_FAILED_PRECONDITION, "run_not_paused",
                         "run %s is not suspended", run->id.text);
    }
    struct decision decision = decision_begin(run, env, events);
    emit_reason(&decision, EVENT_RUN_RESUMED, reason, by, 0);
    paused_resume_all(&decision, by);
    decision_end(&decision);
    return STATUS_OK;
}

status run_set_variable(struct run *run, const struct decide_env *env, str name, json value, str by,
                        struct event_list *events, struct error *reterr)
{
    TRY(run_check_running(run, reterr));
    if (!json_is(run->context, JSON_OBJECT)) {
        return fail_code(reterr, STATUS_FAILED_PRECONDITION, "variables_invalid",
                         "the context of run %s is no object: it has no variables", run->id.text);
    }
    json told = json_object_new(3);
    json_object_put_text(&told, "name", json_text_lossy(name));
    json_object_put_text(&told, "value", json_ref(value));
    json_object_put_text(&told, "by", json_text_lossy(by));
    struct event event       = {.kind = EVENT_RUN_VARIABLE, .value = told};
    struct decision decision = decision_begin(run, env, events);
    (void)decide_emit(&decision, &event);
    decision_end(&decision);
    return STATUS_OK;
}
