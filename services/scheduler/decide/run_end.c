#include "scheduler/decide/run_end.h"

#include "base/assert.h"
#include "scheduler/decide/late_job.h"
#include "scheduler/decide/run_retry.h"
#include "scheduler/decide/undo_run.h"

void run_fault(struct decision *decision, json error)
{
    run_cancel_all(decision);
    if (undo_begin_run(decision, UNDO_THEN_FAULT, error)) return;
    late_jobs_drop(decision);
    uint64_t place     = retry_place(decision);
    struct event event = {.kind = EVENT_RUN_FAULTED, .error = error, .retry_from = place};
    if (place > 0) {
        event.index   = decision->failed_task + 1;
        event.scope   = decision->failed_scope;
        event.attempt = decision->failed_sequence == 0;
        event.is_kept = decision->is_failed_answered;
    }
    (void)decide_emit(decision, &event);
}

static void run_complete(struct decision *decision, json output)
{
    const struct workflow *workflow = decision->run->workflow;
    struct scene scene              = scene_of_run(decision->run, decision->env);
    CLEANUP(json_unrefp) json value = json_invalid();
    json error                      = json_invalid();
    status code                     = STATUS_OK;
    if (workflow->output_as) {
        code = scene_eval(&scene, workflow->output_as, output, &value, &error);
    } else {
        value = json_ref(output);
    }
    if (code == STATUS_OK) {
        code = scene_check(&scene, workflow->output_schema, value, "output", &error);
    }
    if (code != STATUS_OK) {
        run_fault(decision, error);
        return;
    }
    /* What was cancelled by `then: end` is undone before. */
    if (undo_begin_run(decision, UNDO_THEN_COMPLETE, value)) {
        value = json_invalid();
        return;
    }
    late_jobs_drop(decision);
    struct event event = {
        .kind       = EVENT_RUN_COMPLETED,
        .retry_from = undo_place(decision, decision->run->sequence + 1),
    };
    if (json_same(value, output) && value.kind >= JSON_TEXT) {
        event.value_from = VALUE_RESULT;
    } else {
        event.value = json_take(&value);
    }
    (void)decide_emit(decision, &event);
}

void run_settle(struct decision *decision, json error)
{
    const struct scope *root = run_scope(decision->run, ROOT_SLOT);
    ASSERT(root && root->active == SLOT_NONE);
    if (root->state == SCOPE_FAILED) {
        run_fault(decision, json_ref(error));
    } else {
        run_complete(decision, root->data);
    }
}

void run_end_from(struct decision *decision, uint32_t owner, json data)
{
    struct run *run = decision->run;
    while (owner != SLOT_NONE) {
        struct activation *around = run_activation(run, owner);
        task_cancel_below(decision, around);
        owner              = run_scope(run, around->scope)->owner;
        struct event event = {
            .kind       = EVENT_TASK_COMPLETED,
            .activation = around->slot,
            .flow       = {.kind = FLOW_END},
        };
        if (json_same(data, activation_result(run, around)) && data.kind >= JSON_TEXT) {
            event.value_from = VALUE_RESULT;
        } else {
            event.value = json_ref(data);
        }
        (void)decide_emit(decision, &event);
    }
    decide_settle(decision, SLOT_NONE, json_invalid());
}
