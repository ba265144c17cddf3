/*
 * Which nodes yield exactly one value and leave nothing to come back to: their code needs no forks
 * around it. What is not known here, or not within a few steps, is said to be none of these, and
 * gets the code for any number of values.
 *
 * That an expression has a value at all is not promised: it may also raise an error.
 */
#include "expr/compile.h"

enum { STEPS_MAX = 96 /* nodes looked at for one answer, so that the work stays linear */ };

static bool look(struct compiler *c, const struct node *node, struct binding *scope,
                 uint32_t *steps);

static bool look_list(struct compiler *c, const struct node *list, struct binding *scope,
                      uint32_t *steps)
{
    for (const struct node *at = list; at; at = at->next) {
        if (!look(c, at, scope, steps)) return false;
    }
    return true;
}

/* --- calls -------------------------------------------------------------------------------------
 */

/* The body, its parameters bound to the arguments as they stand. */
static bool look_function(struct compiler *c, struct binding *function, const struct node *call,
                          struct binding *scope, uint32_t *steps)
{
    struct binding *inner   = function->unit ? function : NULL; /* the prelude has no outer names */
    const struct node *node = call->list;
    const struct param *params = function->def->params;
    if (function->def->is_recursive) return false;
    for (const struct param *param = params; param; param = param->next, node = node->next) {
        struct binding *argument = binding_new(c, BINDING_ARGUMENT, param->name, inner);
        if (!argument || (param->is_value && !look(c, node, scope, steps))) return false;
        argument->node  = node;
        argument->inner = scope;
        inner           = argument;
    }
    return look(c, function->def->body, inner, steps);
}

static bool look_builtin(struct compiler *c, const struct builtin *builtin, const struct node *call,
                         struct binding *scope, uint32_t *steps)
{
    switch ((enum builtin_kind)builtin->kind) {
    case BUILTIN_NATIVE: return look_list(c, call->list, scope, steps);
    case BUILTIN_PRELUDE: {
        struct binding *prelude = find_prelude(c, builtin);
        return prelude && look_function(c, prelude, call, scope, steps);
    }
    case BUILTIN_EXCLUDED: return false;
    case BUILTIN_SPECIAL: break;
    }
    switch ((enum special)builtin->special) {
    case SPECIAL_FALSE:
    case SPECIAL_NOT:
    case SPECIAL_NULL:
    case SPECIAL_TRUE: return true;
    case SPECIAL_GETPATH:
    case SPECIAL_PATH: return look_list(c, call->list, scope, steps);
    case SPECIAL_ONE:
        return look(c, call->list, scope, steps) && look(c, call->list->next, scope, steps);
    default: return false;
    }
}

static bool look_call(struct compiler *c, const struct node *call, struct binding *scope,
                      uint32_t *steps)
{
    struct binding *binding = find_function(scope, call->name, call->count);
    if (!binding) {
        const struct builtin *builtin = builtin_find(call->name, call->count);
        return builtin && look_builtin(c, builtin, call, scope, steps);
    }
    switch (binding->kind) {
    case BINDING_ARGUMENT: return look(c, binding->node, binding->inner, steps);
    case BINDING_FUNCTION: return look_function(c, binding, call, scope, steps);
    default: return false; /* a closure: anything */
    }
}

/* --- the others --------------------------------------------------------------------------------
 */

static bool look_as(struct compiler *c, const struct node *node, struct binding *scope,
                    uint32_t *steps)
{
    const struct pattern *pattern = node->patterns;
    if (pattern->next || pattern->kind == PATTERN_OBJECT) return false; /* keys may be many */
    for (const struct pattern *at = pattern->list; at; at = at->next) {
        if (at->kind != PATTERN_VARIABLE) return false;
    }
    return look(c, node->a, scope, steps) && look(c, node->b, scope, steps);
}

static bool look(struct compiler *c, const struct node *node, struct binding *scope,
                 uint32_t *steps)
{
    if (!node) return true;
    if (has_failed(c) || *steps == 0) return false;
    --*steps;
    switch ((enum node_kind)node->kind) {
    case NODE_IDENTITY:
    case NODE_NUMBER:
    case NODE_TEXT:
    case NODE_FORMAT:
    case NODE_VARIABLE:
    case NODE_LOCATION:
    case NODE_ARRAY: return true;
    case NODE_PIPE:
    case NODE_STRING:
    case NODE_OBJECT: return look_list(c, node->list, scope, steps);
    case NODE_INDEX:
    case NODE_SLICE:
    case NODE_NEGATE:
    case NODE_BINARY:
    case NODE_AND:
    case NODE_OR:
    case NODE_ALTERNATIVE:
    case NODE_MEMBER:
    case NODE_IF:
        return look(c, node->a, scope, steps) && look(c, node->b, scope, steps) &&
               look(c, node->c, scope, steps);
    case NODE_ASSIGN: return node->op == ASSIGN_UPDATE || look(c, node->b, scope, steps);
    case NODE_REDUCE: return look(c, node->b, scope, steps);
    case NODE_CALL: return look_call(c, node, scope, steps);
    case NODE_AS: return look_as(c, node, scope, steps);
    case NODE_COMMA:
    case NODE_EACH:
    case NODE_FOREACH:
    case NODE_TRY:
    case NODE_LABEL:
    case NODE_BREAK:
    case NODE_DEF: return false;
    }
    return false;
}

bool is_single(struct compiler *c, const struct node *node, struct binding *scope)
{
    uint32_t steps = STEPS_MAX;
    return look(c, node, scope, &steps);
}
