/* Code for each kind of node but calls, bindings and assignments. */
#include "expr/compile.h"

#include "base/assert.h"

operand gen_input(struct place p)
{
    return p.is_owned ? taken(p.input) : p.input;
}

operand gen_value(struct compiler *c, const struct node *node, struct place p, bool is_last)
{
    p.is_owned = p.is_owned && is_last;
    p.in_path  = false;
    p.is_tail  = false;
    return gen(c, node, p, OPERAND_NONE);
}

/* A step on the way to the value of a node: not the last one. */
static operand gen_step(struct compiler *c, const struct node *node, struct place p)
{
    p.is_tail = false;
    return gen(c, node, p, OPERAND_NONE);
}

/* --- terms -------------------------------------------------------------------------------------
 */

operand gen_constant(struct compiler *c, json value, struct place p, operand want)
{
    struct binding binding = {.kind = BINDING_VARIABLE, .at = constant(c, value)};
    return gen_binding(c, &binding, p, want);
}

/* `$variable.member`: notes what is read of a variable from outside. */
static operand gen_member_of(struct compiler *c, const struct node *node, struct place p)
{
    uint32_t whole_before = c->expr->used_as_whole;
    operand container     = gen_step(c, node->a, p);
    bool is_outer         = (container & OPERAND_CLASS) == OPERAND_VARIABLE;
    if (node->a->kind != NODE_VARIABLE || node->b->kind != NODE_TEXT || !is_outer) return container;
    c->expr->used_as_whole = whole_before;
    member_use_add(c, (struct member_use){.variable = container & OPERAND_INDEX,
                                          .member   = constant_text(c, node->b->name)});
    return container;
}

static operand gen_index(struct compiler *c, const struct node *node, struct place p, operand want)
{
    operand key       = gen_value(c, node->b, p, false);
    operand container = gen_member_of(c, node, keeping(p, key));
    return result(c, p, want, (struct insn){.op = OP_INDEX, .b = container, .c = key});
}

static operand gen_bound(struct compiler *c, const struct node *node, struct place p)
{
    return node ? gen_value(c, node, p, false) : constant(c, json_null());
}

static operand gen_slice(struct compiler *c, const struct node *node, struct place p, operand want)
{
    operand from      = gen_bound(c, node->b, p);
    operand to        = gen_bound(c, node->c, p);
    operand container = gen_step(c, node->a, keeping(keeping(p, from), to));
    return result(c, p, want, (struct insn){.op = OP_SLICE, .b = container, .c = from, .e = to});
}

static operand gen_each(struct compiler *c, const struct node *node, struct place p, operand want)
{
    /* The container stays where it is until the last member was given. */
    operand container = untaken(gen_step(c, node->a, p));
    return result(c, p, want, (struct insn){.op = OP_EACH, .b = container});
}

static operand gen_negate(struct compiler *c, const struct node *node, struct place p, operand want)
{
    const struct node *a = node->a;
    if (a->kind == NODE_NUMBER && a->number.kind == JSON_INT && a->number.integer > 0) {
        return gen_constant(c, json_int(-a->number.integer), p, want);
    }
    operand value = gen_value(c, a, p, true);
    return result(c, p, want, (struct insn){.op = OP_NEGATE, .b = value});
}

/* The elements of an array as they are written. */
static const struct node *elements_of(const struct node *array)
{
    return array->a->kind == NODE_COMMA ? array->a->list : array->a;
}

static const struct node *element_after(const struct node *array, const struct node *element)
{
    return array->a->kind == NODE_COMMA ? element->next : NULL;
}

static bool are_single(struct compiler *c, const struct node *array, struct binding *scope)
{
    const struct node *at = elements_of(array);
    uint32_t count        = 0;
    for (; at && count < UINT16_MAX; at = element_after(array, at), count++) {
        if (!is_single(c, at, scope)) return false;
    }
    return !at;
}

/* An array of as many elements as are written. */
static operand gen_tuple(struct compiler *c, const struct node *array, struct place p, operand want)
{
    uint32_t count    = array->a->kind == NODE_COMMA ? array->a->count : 1;
    operand *operands = arena_alloc(c->arena, count * sizeof *operands);
    if (!operands) {
        return compile_fail(c, array, EXPR_FAULT_LIMIT, (str){}, "expression is too large", "");
    }
    struct place inside = p;
    uint32_t i          = 0;
    for (const struct node *at = elements_of(array); at; i++) {
        const struct node *next = element_after(array, at);
        operands[i]             = gen_value(c, at, inside, !next);
        inside                  = keeping(inside, operands[i]);
        at                      = next;
    }
    return result(
        c, p, want,
        (struct insn){.op = OP_ARRAY, .c = (operand)i, .e = operands_add(c, operands, i)});
}

static operand gen_array(struct compiler *c, const struct node *node, struct place p, operand want)
{
    json folded = json_invalid();
    if (fold(c, node, p.scope, &folded)) return gen_constant(c, folded, p, want);
    if (are_single(c, node, p.scope)) return gen_tuple(c, node, p, want);
    operand array   = register_new(c);
    uint32_t open   = emit(c, (struct insn){.op = OP_COLLECT, .a = array});
    operand element = gen_value(c, node->a, p, false);
    (void)emit(c, (struct insn){.op = OP_APPEND, .a = array, .b = element});
    patch(c, open);
    return result_is(c, p, want, taken(array));
}

static operand gen_location(struct compiler *c, const struct node *node, struct place p,
                            operand want)
{
    json location = json_object_new(2);
    json_object_put_text(&location, "file", json_text_from("<top-level>"));
    json_object_put_text(&location, "line", node->number);
    return gen_constant(c, location, p, want);
}

/* --- sequences ---------------------------------------------------------------------------------
 */

static operand gen_pipe(struct compiler *c, const struct node *node, struct place p, operand want)
{
    struct place stage    = p;
    stage.is_tail         = false;
    const struct node *at = node->list;
    for (; at->next && !has_failed(c); at = at->next) {
        operand value  = gen(c, at, stage, OPERAND_NONE);
        stage.is_owned = value != untaken(value);
        stage.input    = untaken(value);
    }
    stage.is_tail = p.is_tail;
    return gen(c, at, stage, want);
}

static operand gen_comma(struct compiler *c, const struct node *node, struct place p,
                         operand wanted)
{
    operand want          = branch_register(c, p, wanted);
    uint32_t jump         = 0; /* chain of jumps to the end, through their targets */
    struct place branch   = p;
    const struct node *at = node->list;
    for (; at && !has_failed(c); at = at->next) {
        branch.is_owned = p.is_owned && !at->next;
        uint32_t fork   = at->next ? emit(c, (struct insn){.op = OP_FORK}) : 0;
        (void)gen(c, at, branch, want);
        if (!at->next) break;
        if (!p.is_tail) jump = emit(c, (struct insn){.op = OP_JUMP, .d = jump});
        if (!has_failed(c)) patch(c, fork);
    }
    while (jump && !has_failed(c)) {
        uint32_t before = c->expr->code[jump].d;
        patch(c, jump);
        jump = before;
    }
    return branch_result(wanted, want);
}

static bool is_empty(const struct node *node, struct binding *scope)
{
    return node && node->kind == NODE_CALL && node->count == 0 && str_is(node->name, "empty") &&
           !find_function(scope, node->name, 0);
}

/* if a then b else empty end: what comes is b, wherever it is. */
static operand gen_select(struct compiler *c, const struct node *node, struct place p, operand want)
{
    operand condition = gen_value(c, node->a, p, false);
    uint32_t skip     = emit(c, (struct insn){.op = OP_JUMP_IF, .b = condition});
    (void)emit(c, (struct insn){.op = OP_BACKTRACK});
    if (!has_failed(c)) patch(c, skip);
    return gen(c, node->b, p, want);
}

static operand gen_if(struct compiler *c, const struct node *node, struct place p, operand wanted)
{
    if (is_empty(node->c, p.scope)) return gen_select(c, node, p, wanted);
    operand want  = branch_register(c, p, wanted);
    uint32_t jump = 0;
    for (; node && node->kind == NODE_IF && !has_failed(c); node = node->c) {
        operand condition = gen_value(c, node->a, p, false);
        uint32_t skip     = emit(c, (struct insn){.op = OP_JUMP_IF_NOT, .b = condition});
        (void)gen(c, node->b, p, want);
        if (!p.is_tail) jump = emit(c, (struct insn){.op = OP_JUMP, .d = jump});
        if (!has_failed(c)) patch(c, skip);
    }
    if (node && !has_failed(c)) {
        (void)gen(c, node, p, want);
    } else {
        (void)result_is(c, p, want, gen_input(p));
    }
    while (jump && !has_failed(c)) {
        uint32_t before = c->expr->code[jump].d;
        patch(c, jump);
        jump = before;
    }
    return branch_result(wanted, want);
}

/* a and b, a or b: both are conditions, and the result is a boolean. */
static operand gen_logic(struct compiler *c, const struct node *node, struct place p, operand want)
{
    bool is_and   = node->kind == NODE_AND;
    operand truth = want == OPERAND_NONE ? register_new(c) : want;
    operand a     = gen_value(c, node->a, p, false);
    (void)emit(c, (struct insn){.op = OP_MOVE, .a = truth, .b = constant(c, json_bool(!is_and))});
    uint32_t skip = emit(c, (struct insn){.op = is_and ? OP_JUMP_IF_NOT : OP_JUMP_IF, .b = a});
    operand b     = gen_value(c, node->b, p, true);
    (void)emit(c, (struct insn){.op = OP_NOT, .a = truth, .b = b});
    (void)emit(c, (struct insn){.op = OP_NOT, .a = truth, .b = truth});
    if (!has_failed(c)) patch(c, skip);
    if (!p.is_tail) return want == OPERAND_NONE ? taken(truth) : want;
    return result_is(c, p, want, taken(truth));
}

/* a // b where a has one value. */
static operand gen_single_alternative(struct compiler *c, const struct node *node, struct place p,
                                      operand wanted)
{
    operand want    = branch_register(c, p, wanted);
    operand value   = gen_value(c, node->a, p, false);
    uint32_t reject = emit(c, (struct insn){.op = OP_JUMP_IF_NOT, .b = value});
    (void)result_is(c, p, want, value);
    uint32_t done = p.is_tail ? 0 : emit(c, (struct insn){.op = OP_JUMP});
    if (has_failed(c)) return OPERAND_NONE;
    patch(c, reject);
    (void)gen(c, node->b, p, want);
    if (done && !has_failed(c)) patch(c, done);
    return branch_result(wanted, want);
}

/* a // b: what is true of a; b if there was nothing. */
static operand gen_alternative(struct compiler *c, const struct node *node, struct place p,
                               operand wanted)
{
    if (!p.in_path && is_single(c, node->a, p.scope)) {
        return gen_single_alternative(c, node, p, wanted);
    }
    operand want  = branch_register(c, p, wanted);
    operand found = register_new(c);
    operand yes   = constant(c, json_bool(true));
    (void)emit(c, (struct insn){.op = OP_MOVE, .a = found, .b = constant(c, json_bool(false))});
    operand index      = register_new(c);
    uint32_t fork      = emit(c, (struct insn){.op = OP_MARK, .a = index});
    struct place first = p;
    first.is_owned     = false;
    first.is_tail      = false;
    operand value      = gen(c, node->a, first, OPERAND_NONE);
    uint32_t accept    = emit(c, (struct insn){.op = OP_JUMP_IF, .b = value});
    (void)emit(c, (struct insn){.op = OP_BACKTRACK});
    if (has_failed(c)) return OPERAND_NONE;
    patch(c, accept);
    (void)emit(c, (struct insn){.op = OP_STORE, .a = found, .b = yes});
    (void)emit(c, (struct insn){.op = OP_SETTLE, .b = index});
    (void)result_is(c, p, want, value);
    uint32_t done = p.is_tail ? 0 : emit(c, (struct insn){.op = OP_JUMP});
    if (has_failed(c)) return OPERAND_NONE;
    patch(c, fork);
    uint32_t none = emit(c, (struct insn){.op = OP_JUMP_IF_NOT, .b = found});
    (void)emit(c, (struct insn){.op = OP_BACKTRACK});
    if (has_failed(c)) return OPERAND_NONE;
    patch(c, none);
    (void)gen(c, node->b, p, want);
    if (done && !has_failed(c)) patch(c, done);
    return branch_result(wanted, want);
}

static operand gen_label(struct compiler *c, const struct node *node, struct place p, operand want)
{
    struct binding *label = binding_new(c, BINDING_LABEL, node->name, p.scope);
    if (!label) return OPERAND_NONE;
    label->at = register_new(c);
    (void)emit(c, (struct insn){.op = OP_MARK, .a = label->at});
    p.scope = label;
    return gen(c, node->a, p, want);
}

static operand gen_break(struct compiler *c, const struct node *node, struct place p)
{
    struct binding *label = find_label(p.scope, node->name);
    if (!label) {
        return compile_fail(
            c, node, EXPR_FAULT_VARIABLE, node->name,
            arena_printf(c->arena, "$*label-" STR_FMT " is not defined", STR_ARG(node->name)), "");
    }
    p.in_path     = false;
    p.is_tail     = false;
    operand index = gen_binding(c, label, p, OPERAND_NONE);
    (void)emit(c, (struct insn){.op = OP_BREAK, .b = index});
    return OPERAND_NONE;
}

static operand gen_def(struct compiler *c, const struct node *node, struct place p, operand want)
{
    struct binding *function = binding_new(c, BINDING_FUNCTION, node->def->name, p.scope);
    if (!function) return OPERAND_NONE;
    function->arity = node->def->arity;
    function->def   = node->def;
    p.scope         = function;
    return gen(c, node->a, p, want);
}

static operand gen_kind(struct compiler *c, const struct node *node, struct place p, operand want)
{
    switch ((enum node_kind)node->kind) {
    case NODE_IDENTITY: return result_is(c, p, want, gen_input(p));
    case NODE_NUMBER: return gen_constant(c, node->number, p, want);
    case NODE_TEXT: return gen_constant(c, json_text_new(node->name), p, want);
    case NODE_STRING:
    case NODE_FORMAT: return gen_string(c, node, p, want);
    case NODE_INDEX: return gen_index(c, node, p, want);
    case NODE_SLICE: return gen_slice(c, node, p, want);
    case NODE_EACH: return gen_each(c, node, p, want);
    case NODE_NEGATE: return gen_negate(c, node, p, want);
    case NODE_PIPE: return gen_pipe(c, node, p, want);
    case NODE_COMMA: return gen_comma(c, node, p, want);
    case NODE_BINARY: return gen_binary(c, node, p, want);
    case NODE_AND:
    case NODE_OR: return gen_logic(c, node, p, want);
    case NODE_ALTERNATIVE: return gen_alternative(c, node, p, want);
    case NODE_ASSIGN: return gen_assign(c, node, p, want);
    case NODE_ARRAY: return gen_array(c, node, p, want);
    case NODE_OBJECT: return gen_object(c, node, p, want);
    case NODE_REDUCE: return gen_reduce(c, node, p, want);
    case NODE_FOREACH: return gen_foreach(c, node, p, want);
    case NODE_IF: return gen_if(c, node, p, want);
    case NODE_TRY: return gen_try(c, node, p, want);
    case NODE_LABEL: return gen_label(c, node, p, want);
    case NODE_BREAK: return gen_break(c, node, p);
    case NODE_VARIABLE: return gen_variable(c, node, p, want);
    case NODE_CALL: return gen_call(c, node, p, want);
    case NODE_DEF: return gen_def(c, node, p, want);
    case NODE_AS: return gen_as(c, node, p, want);
    case NODE_LOCATION: return gen_location(c, node, p, want);
    case NODE_MEMBER: break;
    }
    ASSERT(node->kind != NODE_MEMBER);
    return OPERAND_NONE;
}

operand gen(struct compiler *c, const struct node *node, struct place p, operand want)
{
    /* As high as a tree may be, for each of the trees that stand in one another by expansion. */
    enum { DEPTH_MAX = 2 * PARSE_HEIGHT_MAX };
    if (has_failed(c)) return OPERAND_NONE;
    if (c->depth == DEPTH_MAX) {
        return compile_fail(c, node, EXPR_FAULT_LIMIT, (str){}, "expression nests too deeply",
                            "split it with def or variables");
    }
    c->depth++;
    operand o = gen_kind(c, node, p, want);
    c->depth--;
    return o;
}
