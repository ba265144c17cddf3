/*
 * Code for assignments.
 *
 * All are loops over the places that the left side yields, with the value that changes in an
 * accumulator. `a |= f` takes the member out (null stays behind) so that f changes it in place; a
 * member for which f yields nothing is deleted, all such at the end.
 *
 * Most left sides are one place that can be written down: `.a[$i]`. Then there is no loop, and the
 * input itself is handed over, so that a value with one owner changes in place.
 */
#include "expr/compile.h"

struct assignment {
    struct place place;
    operand state; /* accumulator: the changing value */
    operand path;
    bool is_single; /* no loop */
    uint32_t fork;  /* of the loop */
};

operand gen_path(struct compiler *c, const struct node *node, struct place p, operand want)
{
    struct unit *unit = unit_new(c, c->unit, NULL, node, p.scope);
    if (!unit) return OPERAND_NONE;
    operand at = register_new(c);
    (void)emit(c, (struct insn){.op = OP_CALL_PATH, .a = at, .b = p.input, .d = unit->index});
    p.in_path = false;
    return result(c, p, want, (struct insn){.op = OP_PATH, .b = at});
}

static operand take(struct compiler *c, operand state)
{
    operand to = register_new(c);
    (void)emit(c, (struct insn){.op = OP_TAKE, .a = to, .b = state});
    return taken(to);
}

static void store(struct compiler *c, operand state, operand value)
{
    (void)emit(c, (struct insn){.op = OP_STORE, .a = state, .b = value});
}

/* --- one place ---------------------------------------------------------------------------------
 */

/* Says whether a key has exactly one value whatever happens, without a look at any names. */
static bool is_single_key(const struct node *key)
{
    switch (key->kind) {
    case NODE_TEXT:
    case NODE_NUMBER:
    case NODE_IDENTITY:
    case NODE_VARIABLE: return true;
    case NODE_INDEX:
    case NODE_BINARY: return is_single_key(key->a) && is_single_key(key->b);
    case NODE_STRING:
        for (const struct node *part = key->list; part; part = part->next) {
            if (!is_single_key(part)) return false;
        }
        return true;
    default: return false;
    }
}

static bool is_single_place(const struct node *left)
{
    while (left->kind == NODE_INDEX && is_single_key(left->b)) left = left->a;
    return left->kind == NODE_IDENTITY;
}

static bool is_plain_constant(const struct compiler *c, operand o)
{
    return operand_is_constant(o) && c->expr->constants[o & OPERAND_INDEX].kind <= JSON_TEXT;
}

static json constant_path(const struct compiler *c, const operand *keys, size_t count)
{
    json path = json_array_new(count);
    for (size_t i = 0; i < count; i++) {
        json key = c->expr->constants[keys[i] & OPERAND_INDEX];
        json_array_push(&path, key.kind == JSON_TEXT ? json_text_new(json_str(key)) : key);
    }
    return path;
}

/* The keys of `left`, outermost first, as an array. */
static operand gen_single_path(struct compiler *c, const struct node *left, struct place p)
{
    uint32_t count = 0;
    for (const struct node *at = left; at->kind == NODE_INDEX; at = at->a) count++;
    operand *keys = arena_alloc(c->arena, (count + 1) * sizeof *keys);
    if (!keys) {
        return compile_fail(c, left, EXPR_FAULT_LIMIT, (str){}, "expression is too large", "");
    }
    bool is_constant = true;
    uint32_t i       = count;
    for (const struct node *at = left; at->kind == NODE_INDEX; at = at->a) {
        keys[--i]   = untaken(gen_value(c, at->b, p, false));
        is_constant = is_constant && is_plain_constant(c, keys[i]);
    }
    if (has_failed(c)) return OPERAND_NONE;
    if (is_constant) return constant(c, constant_path(c, keys, count));
    struct insn insn = {.op = OP_ARRAY, .c = (operand)count, .e = operands_add(c, keys, count)};
    return untaken(result(c, p, OPERAND_NONE, insn));
}

/* --- the loop ----------------------------------------------------------------------------------
 */

/* Up to where the path of the (next) place is known. `value`: the right side, if it is there. */
static struct assignment begin(struct compiler *c, const struct node *left, struct place p,
                               operand value)
{
    p.is_tail           = false;
    p.in_path           = false;
    p                   = keeping(p, value);
    struct assignment a = {
        .place = p, .state = register_new(c), .is_single = is_single_place(left)};
    if (a.is_single) {
        a.path = gen_single_path(c, left, p);
        (void)emit(c, (struct insn){.op = OP_MOVE, .a = a.state, .b = gen_input(p)});
        return a;
    }
    (void)emit(c, (struct insn){.op = OP_MOVE, .a = a.state, .b = p.input});
    a.fork = emit(c, (struct insn){.op = OP_FORK});
    a.path = untaken(gen_path(c, left, p, OPERAND_NONE));
    return a;
}

/* Puts `value` in place, and goes on with the next. */
static void put(struct compiler *c, const struct assignment *a, operand value)
{
    operand whole       = take(c, a->state);
    operand arguments[] = {a->path, value};
    operand changed =
        gen_builtin(c, "setpath", whole, arguments, ARRAY_LEN(arguments), a->place, OPERAND_NONE);
    store(c, a->state, changed);
    if (!a->is_single) (void)emit(c, (struct insn){.op = OP_BACKTRACK});
}

static operand extract(struct compiler *c, const struct assignment *a)
{
    return result(c, a->place, OPERAND_NONE,
                  (struct insn){.op = OP_EXTRACT, .b = a->state, .c = a->path});
}

static void end_loop(struct compiler *c, const struct assignment *a)
{
    if (!a->is_single && !has_failed(c)) patch(c, a->fork);
}

static operand end(struct compiler *c, const struct assignment *a, struct place p, operand want)
{
    end_loop(c, a);
    p.in_path = false;
    return result(c, p, want, (struct insn){.op = OP_TAKE, .b = a->state});
}

/* --- the operators -----------------------------------------------------------------------------
 */

static operand gen_set(struct compiler *c, const struct node *node, struct place p, operand want)
{
    operand value       = untaken(gen_value(c, node->b, p, false));
    struct assignment a = begin(c, node->a, p, value);
    put(c, &a, value);
    return end(c, &a, p, want);
}

static operand gen_arithmetic(struct compiler *c, const struct node *node, struct place p,
                              operand want)
{
    operand value       = untaken(gen_value(c, node->b, p, false));
    struct assignment a = begin(c, node->a, p, value);
    operand member      = extract(c, &a);
    struct insn insn = {.op = (uint8_t)(OP_ADD + node->op - ASSIGN_ADD), .b = member, .c = value};
    put(c, &a, result(c, a.place, OPERAND_NONE, insn));
    return end(c, &a, p, want);
}

static operand gen_default(struct compiler *c, const struct node *node, struct place p,
                           operand want)
{
    operand value       = untaken(gen_value(c, node->b, p, false));
    struct assignment a = begin(c, node->a, p, value);
    operand member      = untaken(extract(c, &a));
    operand chosen      = register_new(c);
    (void)emit(c, (struct insn){.op = OP_MOVE, .a = chosen, .b = member});
    uint32_t skip = emit(c, (struct insn){.op = OP_JUMP_IF, .b = member});
    (void)emit(c, (struct insn){.op = OP_MOVE, .a = chosen, .b = value});
    if (!has_failed(c)) patch(c, skip);
    put(c, &a, taken(chosen));
    return end(c, &a, p, want);
}

static operand gen_modify(struct compiler *c, const struct node *node, struct place p, operand want)
{
    operand dropped = register_new(c); /* accumulator: paths to delete */
    (void)emit(c, (struct insn){.op = OP_MOVE, .a = dropped, .b = constant(c, json_array_new(0))});
    struct assignment a = begin(c, node->a, p, OPERAND_NONE);

    operand member      = extract(c, &a);
    operand mark        = register_new(c);
    uint32_t none       = emit(c, (struct insn){.op = OP_MARK, .a = mark});
    struct place inside = a.place;
    inside.input        = untaken(member);
    inside.is_owned     = true;
    operand value       = gen(c, node->b, inside, OPERAND_NONE);
    (void)emit(c, (struct insn){.op = OP_CUT, .b = mark});
    put(c, &a, value);
    uint32_t skip = a.is_single ? emit(c, (struct insn){.op = OP_JUMP}) : 0;

    if (has_failed(c)) return OPERAND_NONE;
    patch(c, none);
    operand paths = take(c, dropped);
    operand more  = register_new(c);
    (void)emit(c, (struct insn){.op = OP_PUSH, .a = more, .b = paths, .c = a.path});
    store(c, dropped, taken(more));
    if (!a.is_single) (void)emit(c, (struct insn){.op = OP_BACKTRACK});
    if (has_failed(c)) return OPERAND_NONE;
    if (a.is_single) patch(c, skip);

    end_loop(c, &a);
    operand whole     = take(c, a.state);
    operand all_paths = take(c, dropped);
    p.in_path         = false;
    return gen_builtin(c, "delpaths", whole, &all_paths, 1, p, want);
}

operand gen_assign(struct compiler *c, const struct node *node, struct place p, operand want)
{
    switch (node->op) {
    case ASSIGN_SET: return gen_set(c, node, p, want);
    case ASSIGN_UPDATE: return gen_modify(c, node, p, want);
    case ASSIGN_ALTERNATIVE: return gen_default(c, node, p, want);
    default: return gen_arithmetic(c, node, p, want);
    }
}
