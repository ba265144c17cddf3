/* What a snapshot says must hold together: it comes from disk. */
#include "scheduler/run/snapshot_tie.h"
#include "scheduler/run/call_cache.h"

#include "scheduler/run/due.h"
#include "scheduler/run/question.h"
#include "scheduler/run/undo.h"

status snapshot_broken(struct error *reterr, const char *what)
{
    return fail(reterr, STATUS_DATA_LOSS, "damaged snapshot: %s", what);
}

static status check_activation(const struct run *run, const struct activation *activation,
                               struct error *reterr)
{
    if (activation->task >= run->workflow->task_count) {
        return snapshot_broken(reterr, "no such task");
    }
    const struct scope *scope = run_scope(run, activation->scope);
    if (!scope || scope->active != activation->slot) {
        return snapshot_broken(reterr, "a task in no list");
    }
    if (!task_is_open(activation->state) || activation->raw_input.kind == JSON_INVALID) {
        return snapshot_broken(reterr, "a task that is not open");
    }
    const struct task *task = activation_task(run, activation);
    if (activation->undo && !undo_find(run, activation->undo)) {
        return snapshot_broken(reterr, "nothing to undo");
    }
    bool is_queued = activation->state == TASK_QUEUED;
    bool is_asking = call_cache_is_awaited(run, activation) || task_is_asking(run, activation);
    if (activation->approval.text[0] && !task_is_asking(run, activation)) {
        return snapshot_broken(reterr, "an approval without a job");
    }
    bool waits = activation->state == TASK_WAITING && task->kind == TASK_CALL;
    if (waits && activation->payload.kind == JSON_INVALID) {
        return snapshot_broken(reterr, "a call that waits for no answer");
    }
    bool is_called = task->kind == TASK_CALL && activation->id.text[0] && !is_asking;
    if (is_queued != is_called) {
        return snapshot_broken(reterr, "a job without a task");
    }
    if (activation->flow.kind > FLOW_GOTO) return snapshot_broken(reterr, "no such flow");
    bool is_loop = task->kind == TASK_FOR && task->loop.parallel;
    if (is_loop && json_count(activation->result) != json_count(activation->items)) {
        return snapshot_broken(reterr, "a loop without its outputs");
    }
    if ((task->kind == TASK_AGENT) != (activation->agent != NULL)) {
        return snapshot_broken(reterr, "an agent without its conversation");
    }
    bool is_listen = task->kind == TASK_LISTEN;
    if (is_listen && activation->next_index > json_count(activation->events)) {
        return snapshot_broken(reterr, "a listener without its events");
    }
    return activation->depth <= RUN_DEPTH_MAX ? STATUS_OK : snapshot_broken(reterr, "too deep");
}

static status check_undo(const struct run *run, const struct scope *scope, struct error *reterr)
{
    const struct activation *owner  = run_activation(run, scope->owner);
    const struct activation *active = run_activation(run, scope->active);
    bool is_undoing                 = owner ? owner->state == TASK_UNDOING : run->is_ending;
    if (!is_undoing || !json_is(scope->data, JSON_OBJECT)) {
        return snapshot_broken(reterr, "nothing that undoes");
    }
    if (scope->active != SLOT_NONE && (!active || !active->undo)) {
        return snapshot_broken(reterr, "a plain task that undoes");
    }
    return STATUS_OK;
}

static status check_scope(const struct run *run, const struct scope *scope, struct error *reterr)
{
    const struct activation *owner = run_activation(run, scope->owner);
    const struct task_list *list   = NULL;
    if (owner) {
        if (owner->task >= run->workflow->task_count) {
            return snapshot_broken(reterr, "no such task");
        }
        list = list_of(run->workflow, activation_task(run, owner), scope->kind);
    } else if (scope->slot == ROOT_SLOT && scope->owner == SLOT_NONE && scope->kind == SCOPE_ROOT) {
        list = &run->workflow->root;
    }
    if (scope->kind == SCOPE_UNDO) return check_undo(run, scope, reterr);
    if (!list || scope->state > SCOPE_FAILED || scope->data.kind == JSON_INVALID) {
        return snapshot_broken(reterr, "a list of nobody");
    }
    const struct activation *active = run_activation(run, scope->active);
    if (scope->active != SLOT_NONE && !active) {
        return snapshot_broken(reterr, "a list without its task");
    }
    bool needs_task = scope->state == SCOPE_OPEN || active;
    if (needs_task && scope->position >= list->count) {
        return snapshot_broken(reterr, "past its end");
    }
    if (active && list->tasks[scope->position] != active->task) {
        return snapshot_broken(reterr, "wrong task");
    }
    bool is_loop = owner && activation_task(run, owner)->kind == TASK_FOR;
    if (scope->kind == SCOPE_ITERATION &&
        scope->index >= json_count(is_loop ? owner->items : owner->events)) {
        return snapshot_broken(reterr, "no such item");
    }
    return STATUS_OK;
}

/* A tree has no loops: whoever is within is deeper. */
static status check_depth(const struct run *run, const struct activation *activation,
                          struct error *reterr)
{
    const struct activation *parent = activation_parent(run, activation);
    uint32_t depth                  = parent ? parent->depth + 1 : 0;
    return activation->depth == depth ? STATUS_OK : snapshot_broken(reterr, "tasks in a circle");
}

status snapshot_tie(struct run *run, struct error *reterr)
{
    bool is_running = run->status == RUN_RUNNING;
    bool is_stored  = run->status <= RUN_TERMINATED || run->status == RUN_DRAFT;
    if (!is_stored || run->status == RUN_WAITING ||
        is_running != (run_scope(run, ROOT_SLOT) != NULL)) {
        return snapshot_broken(reterr, "status");
    }
    for (uint32_t i = 0; i < run->activations.count; i++) {
        const struct activation *activation = run_activation(run, i);
        if (activation) TRY(check_activation(run, activation, reterr));
    }
    for (uint32_t i = 0; i < run->scopes.count; i++) {
        struct scope *scope = run_scope(run, i);
        if (!scope) continue;
        TRY(check_scope(run, scope, reterr));
        scope_link(run, scope);
    }
    for (uint32_t i = 0; i < run->activations.count; i++) {
        const struct activation *activation = run_activation(run, i);
        if (!activation) continue;
        TRY(check_depth(run, activation, reterr));
        if (activation->state == TASK_QUEUED) {
            job_index_add(run, &activation->id, activation->slot);
        }
    }
    run->more = is_running ? MORE_UNKNOWN : MORE_NO;
    due_refresh(run);
    return STATUS_OK;
}
