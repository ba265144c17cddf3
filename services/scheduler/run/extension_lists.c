/* The lists of an extension, one after the other, and what is closed to its surroundings. */
#include "scheduler/run/state.h"

enum scope_kind extension_next(const struct run *run, const struct activation *activation)
{
    const struct extension_body *body = &activation_task(run, activation)->extension;
    const struct scope *scope         = run_scope(run, activation->first_scope);
    bool applies                      = json_is_truthy(activation->items);
    if (!scope) return applies && body->before.count > 0 ? SCOPE_BEFORE : SCOPE_BODY;
    if (scope->state != SCOPE_OVER) return SCOPE_NONE;
    if (scope->kind == SCOPE_BEFORE) {
        bool is_left = scope->position > body->before.count;
        return is_left ? SCOPE_NONE : SCOPE_BODY;
    }
    bool has_after = applies && body->after.count > 0;
    return scope->kind == SCOPE_BODY && has_after ? SCOPE_AFTER : SCOPE_NONE;
}

bool scope_passes_flow(const struct run *run, const struct scope *scope)
{
    const struct activation *owner = run_activation(run, scope->owner);
    return owner && scope->kind == SCOPE_BODY &&
           activation_task(run, owner)->kind == TASK_EXTENSION;
}

bool scope_is_closed(const struct run *run, uint32_t owner, enum scope_kind kind)
{
    if (kind == SCOPE_BEFORE || kind == SCOPE_AFTER) return true;
    const struct activation *activation = run_activation(run, owner);
    return activation && activation_task(run, activation)->kind == TASK_FUNCTION;
}
