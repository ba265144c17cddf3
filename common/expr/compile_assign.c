/*
 * Code for assignments.
 *
 * All are loops over the places that the left side yields, with the value that changes in an
 * accumulator. `a |= f` takes the member out (null stays behind) so that f changes it in place; a
 * member for which f yields nothing is deleted, all such at the end.
 */
#include "expr/compile.h"

struct assignment {
    struct place place;
    operand state; /* accumulator: the changing value */
    operand path;  /* register */
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

/* Up to where the path of the next place is known. Returns the fork to be patched at the end. */
static uint32_t begin(struct compiler *c, const struct node *left, struct place p,
                      struct assignment *ret)
{
    p.is_tail  = false;
    p.in_path  = false;
    ret->place = p;
    ret->state = register_new(c);
    (void)emit(c, (struct insn){.op = OP_MOVE, .a = ret->state, .b = p.input});
    uint32_t fork = emit(c, (struct insn){.op = OP_FORK});
    ret->path     = untaken(gen_path(c, left, p, OPERAND_NONE));
    return fork;
}

/* Puts `value` in place and goes on with the next. */
static void put(struct compiler *c, const struct assignment *a, operand value)
{
    operand whole       = take(c, a->state);
    operand arguments[] = {a->path, value};
    operand changed =
        gen_builtin(c, "setpath", whole, arguments, ARRAY_LEN(arguments), a->place, OPERAND_NONE);
    store(c, a->state, changed);
    (void)emit(c, (struct insn){.op = OP_BACKTRACK});
}

static operand extract(struct compiler *c, const struct assignment *a)
{
    return result(c, a->place, OPERAND_NONE,
                  (struct insn){.op = OP_EXTRACT, .b = a->state, .c = a->path});
}

static operand end(struct compiler *c, const struct assignment *a, uint32_t fork, struct place p,
                   operand want)
{
    if (has_failed(c)) return OPERAND_NONE;
    patch(c, fork);
    p.in_path = false;
    return result(c, p, want, (struct insn){.op = OP_TAKE, .b = a->state});
}

static operand gen_set(struct compiler *c, const struct node *node, struct place p, operand want)
{
    operand value = untaken(gen_value(c, node->b, p, false));
    struct assignment a;
    uint32_t fork = begin(c, node->a, p, &a);
    put(c, &a, value);
    return end(c, &a, fork, p, want);
}

static operand gen_arithmetic(struct compiler *c, const struct node *node, struct place p,
                              operand want)
{
    operand value = untaken(gen_value(c, node->b, p, false));
    struct assignment a;
    uint32_t fork    = begin(c, node->a, p, &a);
    operand member   = extract(c, &a);
    struct insn insn = {.op = (uint8_t)(OP_ADD + node->op - ASSIGN_ADD), .b = member, .c = value};
    put(c, &a, result(c, a.place, OPERAND_NONE, insn));
    return end(c, &a, fork, p, want);
}

static operand gen_default(struct compiler *c, const struct node *node, struct place p,
                           operand want)
{
    operand value = untaken(gen_value(c, node->b, p, false));
    struct assignment a;
    uint32_t fork  = begin(c, node->a, p, &a);
    operand member = untaken(extract(c, &a));
    operand chosen = register_new(c);
    (void)emit(c, (struct insn){.op = OP_MOVE, .a = chosen, .b = member});
    uint32_t skip = emit(c, (struct insn){.op = OP_JUMP_IF, .b = member});
    (void)emit(c, (struct insn){.op = OP_MOVE, .a = chosen, .b = value});
    if (!has_failed(c)) patch(c, skip);
    put(c, &a, taken(chosen));
    return end(c, &a, fork, p, want);
}

static operand gen_modify(struct compiler *c, const struct node *node, struct place p, operand want)
{
    operand dropped = register_new(c); /* accumulator: paths to delete */
    (void)emit(c, (struct insn){.op = OP_MOVE, .a = dropped, .b = constant(c, json_array_new(0))});
    struct assignment a;
    uint32_t fork = begin(c, node->a, p, &a);

    operand member      = extract(c, &a);
    operand mark        = register_new(c);
    uint32_t none       = emit(c, (struct insn){.op = OP_MARK, .a = mark});
    struct place inside = a.place;
    inside.input        = untaken(member);
    inside.is_owned     = true;
    operand value       = gen(c, node->b, inside, OPERAND_NONE);
    (void)emit(c, (struct insn){.op = OP_CUT, .b = mark});
    put(c, &a, value);

    if (has_failed(c)) return OPERAND_NONE;
    patch(c, none);
    operand paths = take(c, dropped);
    operand more  = register_new(c);
    (void)emit(c, (struct insn){.op = OP_PUSH, .a = more, .b = paths, .c = a.path});
    store(c, dropped, taken(more));
    (void)emit(c, (struct insn){.op = OP_BACKTRACK});

    if (has_failed(c)) return OPERAND_NONE;
    patch(c, fork);
    operand whole        = take(c, a.state);
    operand paths_at_end = take(c, dropped);
    p.in_path            = false;
    return gen_builtin(c, "delpaths", whole, &paths_at_end, 1, p, want);
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
