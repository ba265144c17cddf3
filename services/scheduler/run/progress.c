#include "scheduler/run/progress.h"

enum { PERMILLE = 1000 };

static uint64_t part(uint64_t whole, double weight, double total)
{
    if (!(total > 0) || !(weight > 0)) return 0;
    if (weight >= total) return whole;
    return (uint64_t)((double)whole * (weight / total));
}

static double weight_of_list(const struct run *run, const struct task_list *list)
{
    const struct task *tasks = run->workflow->tasks;
    double weight            = 0;
    for (uint32_t i = 0; i < list->count; i++) weight += tasks[list->tasks[i]].weight;
    return weight;
}

static uint64_t part_of_list(const struct run *run, const struct task_list *list, uint64_t whole,
                             uint32_t position)
{
    double total = weight_of_list(run, list);
    return part(whole, run->workflow->tasks[list->tasks[position]].weight, total);
}

uint64_t progress_of_scope(const struct run *run, const struct activation *owner,
                           enum scope_kind kind, uint32_t index)
{
    if (!owner) return kind == SCOPE_ROOT ? SHARE_WHOLE : 0;
    switch (kind) {
    case SCOPE_BRANCH:
        return part_of_list(run, list_of(run->workflow, activation_task(run, owner), kind),
                            owner->share, index);
    case SCOPE_ITERATION: {
        if (activation_task(run, owner)->kind == TASK_LISTEN) return 0; /* of how many? */
        size_t count = json_count(owner->items);
        return count > 0 ? owner->share / count : 0;
    }
    case SCOPE_UNDO:
    case SCOPE_COMPENSATION: /* undoing is no progress */
    case SCOPE_BEFORE:
    case SCOPE_AFTER:           /* the extended task alone counts */
    case SCOPE_AGENT: return 0; /* nobody knows how many turns it takes */
    case SCOPE_NONE:
    case SCOPE_ROOT:
    case SCOPE_BODY:
    case SCOPE_HANDLER: break;
    }
    return owner->share;
}

/* The share of all tasks before `position`. */
static uint64_t part_before(const struct run *run, struct scope *scope, uint32_t position)
{
    const struct task_list *list = scope_list(run, scope);
    if (!scope->is_weighed) scope->weight = weight_of_list(run, list);
    if (!scope->is_weighed || position < scope->weighed) { /* it jumped back */
        scope->is_weighed    = true;
        scope->weighed       = 0;
        scope->weight_before = 0;
    }
    for (; scope->weighed < position && scope->weighed < list->count; scope->weighed++) {
        scope->weight_before += run->workflow->tasks[list->tasks[scope->weighed]].weight;
    }
    return part(scope->share, scope->weight_before, scope->weight);
}

uint64_t progress_until(const struct run *run, struct scope *scope, uint32_t position)
{
    bool is_alone = scope->kind == SCOPE_BRANCH || scope->kind == SCOPE_AGENT;
    if (is_alone || scope->kind == SCOPE_UNDO) return scope->share;
    uint64_t until = part_before(run, scope, position);
    return until > scope->counted ? until - scope->counted : 0;
}

/* Adds to `*counted` what fits its share, and says how much that was. */
static uint64_t add(uint64_t *counted, uint64_t share, uint64_t amount)
{
    uint64_t room = *counted < share ? share - *counted : 0;
    if (amount > room) amount = room;
    *counted += amount;
    return amount;
}

/* An attempt earns again what the ones before it had: only what goes beyond counts. */
static uint64_t earn(struct activation *owner, uint64_t amount)
{
    (void)add(&owner->earned, owner->share, amount);
    return owner->earned > owner->counted
               ? add(&owner->counted, owner->share, owner->earned - owner->counted)
               : 0;
}

void progress_count(struct run *run, struct scope *scope, uint64_t amount)
{
    for (;;) {
        amount                   = add(&scope->counted, scope->share, amount);
        struct activation *owner = run_activation(run, scope->owner);
        if (!owner) break;
        amount = earn(owner, amount);
        scope  = run_scope(run, owner->scope);
    }
    (void)add(&run->counted, SHARE_WHOLE, amount);
}

uint32_t run_progress_permille(const struct run *run)
{
    if (run->status == RUN_COMPLETED) return PERMILLE;
    /* Shares lose fractions when they are divided, so 999 is as far as adding gets. */
    uint64_t permille = run->counted / (SHARE_WHOLE / PERMILLE);
    return permille < PERMILLE ? (uint32_t)permille : PERMILLE - 1;
}

const char *run_phase(const struct run *run)
{
    task_index index = run->task_last;
    while (index != TASK_NONE) {
        const struct task *task = &run->workflow->tasks[index];
        if (task->phase) return task->phase;
        index = task->parent;
    }
    return "";
}
