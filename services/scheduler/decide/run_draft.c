/* The commands of run.h to a run that is there and has not started. */
#include "scheduler/decide/decide.h"
#include "json/json_pointer.h"

status run_draft(struct run *run, const struct decide_env *env, const struct run_start *command,
                 bool is_queued, struct event_list *events, struct error *)
{
    bool inherits      = command->priority == PRIORITY_INHERIT;
    bool has_input     = command->input.kind != JSON_INVALID;
    struct event event = {
        .kind             = EVENT_RUN_DRAFTED,
        .value            = has_input ? json_ref(command->input) : json_object_new(0),
        .priority         = inherits ? run->workflow->priority : command->priority,
        .deadline_us      = command->deadline_us,
        .budget_usd_nanos = command->budget_usd_nanos,
        .budget_tokens    = command->budget_tokens,
        .due_us           = is_queued ? 0 : decide_after(env, RUN_DRAFT_AGE_US),
        .is_kept          = is_queued,
    };
    struct decision decision = decision_begin(run, env, events);
    (void)decide_emit(&decision, &event);
    decision_end(&decision);
    return STATUS_OK;
}

status run_edit(struct run *run, const struct decide_env *env, json patch, str by,
                struct event_list *events, struct error *reterr)
{
    if (run->status != RUN_DRAFT) {
        return fail_code(reterr, STATUS_FAILED_PRECONDITION, "run_not_draft",
                         "run %s is no draft (any more)", run->id.text);
    }
    json value = json_object_new(1);
    json_object_put_text(&value, "by", json_text_lossy(by));
    struct event event = {
        .kind  = EVENT_RUN_EDITED,
        .input = json_merge_patch_new(run->input, patch),
        .value = value,
    };
    struct decision decision = decision_begin(run, env, events);
    (void)decide_emit(&decision, &event);
    decision_end(&decision);
    return STATUS_OK;
}

struct run_start run_drafted(const struct run *run)
{
    return (struct run_start){
        .input            = run->input,
        .deadline_us      = run->deadline_us,
        .priority         = run->priority,
        .budget_usd_nanos = run->budget_usd_nanos,
        .budget_tokens    = run->budget_tokens,
    };
}
