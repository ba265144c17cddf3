/* Code for calls: functions of the source, of the prelude, builtins, and closures. */
#include "expr/compile.h"

#include "base/assert.h"

/* --- native functions --------------------------------------------------------------------------
 */

operand gen_builtin(struct compiler *c, const char *name, operand input, const operand *arguments,
                    size_t count, struct place p, operand want)
{
    const struct builtin *builtin = builtin_find(str_from(name), (uint32_t)count);
    ASSERT(builtin && builtin->kind == BUILTIN_NATIVE);
    return result(c, p, want,
                  (struct insn){.op = OP_BUILTIN,
                                .b  = input,
                                .c  = (operand)count,
                                .d  = builtin_index(builtin),
                                .e  = operands_add(c, arguments, count)});
}

static operand gen_native(struct compiler *c, const struct builtin *builtin,
                          const struct node *node, struct place p, operand want)
{
    const struct node *nodes[VM_ARGUMENTS_MAX];
    operand arguments[VM_ARGUMENTS_MAX];
    uint32_t count = 0;
    ASSERT(node->count < VM_ARGUMENTS_MAX);
    for (const struct node *at = node->list; at; at = at->next) nodes[count++] = at;
    /* The last one first: with several values in several arguments, it is the outer loop. */
    for (uint32_t i = count; i-- > 0;) arguments[i] = gen_value(c, nodes[i], p, false);
    return gen_builtin(c, builtin->name, gen_input(p), arguments, count, p, want);
}

/* --- functions of the language -----------------------------------------------------------------
 */

static bool may_expand(const struct compiler *c, const struct binding *function)
{
    const struct def *def = function->def;
    return !def->is_recursive && def->size <= EXPAND_NODES_MAX && function->expanding == 0 &&
           c->expansions < EXPAND_DEPTH_MAX && c->expr->code_count < EXPAND_CODE_MAX;
}

/* The body in place of the call, its parameters bound to the arguments as they stand. */
static operand gen_expanded(struct compiler *c, struct binding *function, const struct node *call,
                            struct place p, operand want)
{
    bool is_prelude         = function->unit == NULL;
    struct binding *scope   = is_prelude ? NULL : function;
    struct place body       = p;
    const struct node *node = call->list;
    for (const struct param *param = function->def->params; param; param = param->next) {
        struct binding *argument = binding_new(c, BINDING_ARGUMENT, param->name, scope);
        if (!argument) return OPERAND_NONE;
        argument->node  = node;
        argument->inner = p.scope;
        scope           = argument;
        if (param->is_value) {
            operand value            = untaken(gen_value(c, node, p, false));
            struct binding *variable = binding_new(c, BINDING_VARIABLE, param->name, scope);
            if (!variable) return OPERAND_NONE;
            variable->at   = value;
            variable->unit = operand_is_register(value) ? c->unit : NULL;
            if (value == p.input) body.is_owned = false;
            scope = variable;
        }
        node = node->next;
    }
    body.scope = scope;
    c->expansions++;
    function->expanding++;
    operand value = gen(c, function->def->body, body, want);
    function->expanding--;
    c->expansions--;
    return value;
}

static struct unit *unit_of(struct compiler *c, struct binding *function)
{
    if (!function->compiled) {
        bool is_prelude    = function->unit == NULL;
        function->compiled = unit_new(c, function->unit, function->def, function->def->body,
                                      is_prelude ? NULL : function);
    }
    return function->compiled;
}

static uint16_t levels_to(const struct compiler *c, const struct unit *unit)
{
    return unit ? (uint16_t)(c->unit->level - unit->level) : 0;
}

/* What to hand over for an argument: a parameter or a function by its name, else a function of its
 * own. */
static struct closure_ref closure_of(struct compiler *c, const struct node *node,
                                     struct binding *scope)
{
    while (node->kind == NODE_CALL && node->count == 0) {
        struct binding *named = find_function(scope, node->name, 0);
        if (!named) break;
        if (named->kind == BINDING_PARAM) {
            return (struct closure_ref){
                .level = levels_to(c, named->unit), .is_param = true, .function = named->at};
        }
        if (named->kind == BINDING_FUNCTION) {
            struct unit *unit = unit_of(c, named);
            return (struct closure_ref){.level    = levels_to(c, named->unit),
                                        .function = unit ? unit->index : 0};
        }
        node  = named->node;
        scope = named->inner;
    }
    struct unit *unit = unit_new(c, c->unit, NULL, node, scope);
    return (struct closure_ref){.function = unit ? unit->index : 0};
}

static operand finish_call(struct compiler *c, struct place p, operand want, struct insn insn)
{
    bool is_param = insn.op == OP_CALL_PARAM;
    if (!p.is_tail) return result(c, p, want, insn);
    insn.op = is_param ? OP_TAIL_CALL_PARAM : OP_TAIL_CALL;
    if (p.in_path) insn.flags |= INSN_IN_PATH;
    (void)emit(c, insn);
    return OPERAND_NONE;
}

static operand gen_real_call(struct compiler *c, struct binding *function, const struct node *call,
                             struct place p, operand want)
{
    struct unit *unit = unit_of(c, function);
    if (!unit) return OPERAND_NONE;
    struct closure_ref refs[VM_PARAMS_MAX];
    uint32_t count   = 0;
    bool keeps_frame = function->unit == c->unit;
    for (const struct node *node = call->list; node; node = node->next) {
        refs[count] = closure_of(c, node, p.scope);
        if (!refs[count].is_param && refs[count].level == 0) keeps_frame = true;
        count++;
    }
    uint32_t first = c->expr->closure_count;
    for (uint32_t i = 0; i < count; i++) (void)closures_add(c, refs[i]);
    struct insn insn = {.op    = OP_CALL,
                        .flags = keeps_frame ? INSN_KEEPS_FRAME : 0,
                        .b     = gen_input(p),
                        .c     = levels_to(c, function->unit),
                        .d     = unit->index,
                        .e     = first};
    return finish_call(c, p, want, insn);
}

static operand gen_function(struct compiler *c, struct binding *function, const struct node *call,
                            struct place p, operand want)
{
    if (call->count > VM_PARAMS_MAX) {
        return compile_fail(c, call, EXPR_FAULT_LIMIT, call->name,
                            "function has too many parameters", "");
    }
    if (may_expand(c, function)) return gen_expanded(c, function, call, p, want);
    return gen_real_call(c, function, call, p, want);
}

static operand gen_bound_call(struct compiler *c, struct binding *binding, const struct node *call,
                              struct place p, operand want)
{
    if (binding->kind == BINDING_FUNCTION) return gen_function(c, binding, call, p, want);
    if (binding->kind == BINDING_ARGUMENT) {
        p.scope = binding->inner;
        return gen(c, binding->node, p, want);
    }
    struct insn insn = {
        .op = OP_CALL_PARAM, .b = gen_input(p), .c = levels_to(c, binding->unit), .d = binding->at};
    return finish_call(c, p, want, insn);
}

/* --- what has instructions of its own ----------------------------------------------------------
 */

static operand gen_first(struct compiler *c, const struct node *node, struct place p, operand want)
{
    operand mark = register_new(c);
    (void)emit(c, (struct insn){.op = OP_MARK, .a = mark});
    struct place body = p;
    body.is_tail      = false;
    operand value     = gen(c, node->list, body, want);
    (void)emit(c, (struct insn){.op = OP_CUT, .b = mark});
    return result_is(c, p, want, value);
}

static operand gen_last(struct compiler *c, const struct node *node, struct place p, operand want)
{
    operand found  = register_new(c);
    operand latest = register_new(c);
    (void)emit(c, (struct insn){.op = OP_MOVE, .a = found, .b = constant(c, json_bool(false))});
    uint32_t fork     = emit(c, (struct insn){.op = OP_FORK});
    struct place body = p;
    body.is_tail      = false;
    body.is_owned     = false;
    operand value     = gen(c, node->list, body, OPERAND_NONE);
    (void)emit(c,
               (struct insn){
                   .op = OP_STORE, .flags = p.in_path ? INSN_IN_PATH : 0, .a = latest, .b = value});
    (void)emit(c, (struct insn){.op = OP_STORE, .a = found, .b = constant(c, json_bool(true))});
    (void)emit(c, (struct insn){.op = OP_BACKTRACK});
    if (has_failed(c)) return OPERAND_NONE;
    patch(c, fork);
    uint32_t skip = emit(c, (struct insn){.op = OP_JUMP_IF, .b = found});
    (void)emit(c, (struct insn){.op = OP_BACKTRACK});
    if (has_failed(c)) return OPERAND_NONE;
    patch(c, skip);
    return result(c, p, want, (struct insn){.op = OP_TAKE, .b = latest});
}

static operand gen_range(struct compiler *c, const struct node *node, struct place p, operand want)
{
    const struct node *upto_node = node->list->next;
    operand from                 = untaken(gen_value(c, node->list, p, false));
    operand upto                 = untaken(gen_value(c, upto_node, p, false));
    operand step = upto_node->next ? untaken(gen_value(c, upto_node->next, p, false))
                                   : constant(c, json_int(1));
    return result(c, p, want, (struct insn){.op = OP_RANGE, .b = from, .c = upto, .e = step});
}

static operand gen_error(struct compiler *c, const struct node *node, struct place p)
{
    operand value = node->list ? gen_value(c, node->list, p, true) : gen_input(p);
    (void)emit(c, (struct insn){.op = OP_ERROR, .b = value});
    return OPERAND_NONE;
}

static operand gen_getpath(struct compiler *c, const struct node *node, struct place p,
                           operand want)
{
    operand path = gen_value(c, node->list, p, false);
    return result(c, p, want, (struct insn){.op = OP_GETPATH, .b = p.input, .c = path});
}

operand gen_special(struct compiler *c, const struct node *node, enum special special,
                    struct place p, operand want)
{
    switch (special) {
    case SPECIAL_EMPTY: (void)emit(c, (struct insn){.op = OP_BACKTRACK}); return OPERAND_NONE;
    case SPECIAL_ERROR: return gen_error(c, node, p);
    case SPECIAL_FALSE: return gen_constant(c, json_bool(false), p, want);
    case SPECIAL_TRUE: return gen_constant(c, json_bool(true), p, want);
    case SPECIAL_NULL: return gen_constant(c, json_null(), p, want);
    case SPECIAL_NOT: return result(c, p, want, (struct insn){.op = OP_NOT, .b = p.input});
    case SPECIAL_FIRST: return gen_first(c, node, p, want);
    case SPECIAL_LAST: return gen_last(c, node, p, want);
    case SPECIAL_ONE: {
        /* _one(f; a; b): a if f yields exactly one value, as far as one can tell; else b. */
        const struct node *a = node->list->next;
        return gen(c, is_single(c, node->list, p.scope) ? a : a->next, p, want);
    }
    case SPECIAL_PATH: return gen_path(c, node->list, p, want);
    case SPECIAL_RANGE: return gen_range(c, node, p, want);
    case SPECIAL_GETPATH: return gen_getpath(c, node, p, want);
    }
    return OPERAND_NONE;
}

/* --- names -------------------------------------------------------------------------------------
 */

static operand unknown_function(struct compiler *c, const struct node *node)
{
    const char *detail =
        arena_printf(c->arena, STR_FMT "/%u is not defined", STR_ARG(node->name), node->count);
    const char *hint = "";
    if (builtin_has_name(node->name)) {
        hint = "there is one with another number of arguments";
    } else {
        const char *nearest = builtin_nearest(node->name);
        hint                = nearest ? arena_printf(c->arena, "did you mean `%s`?", nearest)
                                      : "a function of jq 1.7, or one of your own: def f: …;";
    }
    return compile_fail(c, node, EXPR_FAULT_FUNCTION, node->name, detail, hint);
}

operand gen_call(struct compiler *c, const struct node *node, struct place p, operand want)
{
    struct binding *binding = find_function(p.scope, node->name, node->count);
    if (binding) return gen_bound_call(c, binding, node, p, want);

    const struct builtin *builtin = builtin_find(node->name, node->count);
    if (!builtin) return unknown_function(c, node);
    switch ((enum builtin_kind)builtin->kind) {
    case BUILTIN_NATIVE: return gen_native(c, builtin, node, p, want);
    case BUILTIN_SPECIAL: return gen_special(c, node, (enum special)builtin->special, p, want);
    case BUILTIN_PRELUDE: {
        struct binding *prelude = find_prelude(c, builtin);
        return prelude ? gen_function(c, prelude, node, p, want) : OPERAND_NONE;
    }
    case BUILTIN_EXCLUDED: break;
    }
    return compile_fail(
        c, node, EXPR_FAULT_FUNCTION, node->name,
        arena_printf(c->arena, STR_FMT "/%u is not available", STR_ARG(node->name), node->count),
        builtin->text);
}
