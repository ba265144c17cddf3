/*
 * tutti.compensate: undoes what happened in a task, and takes it off the list (E2). Its output says
 * how many compensations went well and how many failed.
 */
#include "scheduler/decide/tasks/tasks.h"
#include "scheduler/decide/undo_run.h"

/* The error that the `catch` around has: what a compensation sees as `$error`. A view. */
static json error_around(const struct run *run, const struct activation *activation)
{
    const struct scope *scope = run_scope(run, activation->scope);
    while (scope->owner != SLOT_NONE) {
        const struct activation *owner = run_activation(run, scope->owner);
        if (scope->kind == SCOPE_HANDLER) return owner->error;
        scope = run_scope(run, owner->scope);
    }
    return json_invalid();
}

void compensate_begin(struct decision *decision, struct activation *activation)
{
    if (!undo_is_in(decision->run, activation)) {
        CLEANUP(json_unrefp) json nothing = json_object_new(2);
        json_object_put_text(&nothing, "undone", json_int(0));
        json_object_put_text(&nothing, "failed", json_int(0));
        task_complete(decision, activation, nothing, NULL);
        return;
    }
    undo_begin_call(decision, activation, json_ref(error_around(decision->run, activation)));
}
