/* The commands of run.h by which people stop a run: hard, or for a while. */
#include "scheduler/decide/decide.h"

static status check_running(const struct run *run, struct error *reterr)
{
    if (run->status == RUN_RUNNING) return STATUS_OK;
    return fail_code(reterr, STATUS_FAILED_PRECONDITION, "run_finished", "run %s has %s",
                     run->id.text, run->status == RUN_PENDING ? "not started" : "ended");
}

static void emit_reason(struct decision *decision, enum event_kind kind, str reason, str by)
{
    json value = json_object_new(2);
    json_object_put_text(&value, "reason", json_text_lossy(reason));
    json_object_put_text(&value, "by", json_text_lossy(by));
    struct event event = {.kind = kind, .value = value};
    (void)decide_emit(decision, &event);
}

status run_terminate(struct run *run, const struct decide_env *env, str reason, str by,
                     struct event_list *events, struct error *reterr)
{
    TRY(check_running(run, reterr));
    struct decision decision = decision_begin(run, env, events);
    decision.is_terminating  = true;
    run_cancel_all(&decision);
    emit_reason(&decision, EVENT_RUN_TERMINATED, reason, by);
    decision_end(&decision);
    return STATUS_OK;
}

status run_suspend(struct run *run, const struct decide_env *env, str reason, str by,
                   struct event_list *events, struct error *reterr)
{
    TRY(check_running(run, reterr));
    if (run->is_suspended) return STATUS_OK;
    struct decision decision = decision_begin(run, env, events);
    emit_reason(&decision, EVENT_RUN_SUSPENDED, reason, by);
    decision_end(&decision);
    return STATUS_OK;
}

status run_resume(struct run *run, const struct decide_env *env, str reason, str by,
                  struct event_list *events, struct error *reterr)
{
    TRY(check_running(run, reterr));
    if (!run->is_suspended) {
        return fail_code(reterr, STATUS_FAILED_PRECONDITION, "run_not_paused",
                         "run %s is not suspended", run->id.text);
    }
    struct decision decision = decision_begin(run, env, events);
    emit_reason(&decision, EVENT_RUN_RESUMED, reason, by);
    decision_end(&decision);
    return STATUS_OK;
}
