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
    operand state;  /* accumulator: the changing value */
    bool is_single; /* one place: no loop */
    operand path;   /* of the place, in a loop */
    uint32_t keys;  /* of the one place: operands */
    operand count;  /* of them */
    uint32_t fork;  /* of the loop */
};

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
    uint32_t count = 0;
    for (; left->kind == NODE_INDEX && is_single_key(left->b); left = left->a) count++;
    return left->kind == NODE_IDENTITY && count <= PROGRAM_KEYS_MAX;
}

/* The keys of `left`, outermost first. None of them is moved out of the input. */
static uint32_t gen_keys(struct compiler *c, const struct node *left, struct place *p,
                         operand *ret_count)
{
    operand keys[PROGRAM_KEYS_MAX];
    operand count = 0;
    for (const struct node *at = left; at->kind == NODE_INDEX; at = at->a) count++;
    operand i = count;
    for (const struct node *at = left; at->kind == NODE_INDEX; at = at->a) {
        keys[--i] = untaken(gen_value(c, at->b, *p, false));
        *p        = keeping(*p, keys[i]);
    }
    *ret_count = count;
    return operands_add(c, keys, count);
}

/* --- paths -------------------------------------------------------------------------------------
 */

/* path(.a[$i]): whether there is such a place is asked of its value. */
static operand gen_single_path(struct compiler *c, const struct node *node, struct place p,
                               operand want)
{
    struct place inside = p;
    inside.is_owned     = false;
    operand count       = 0;
    (void)gen_value(c, node, inside, false);
    uint32_t keys = gen_keys(c, node, &inside, &count);
    p.in_path     = false;
    return result(c, p, want, (struct insn){.op = OP_ARRAY, .c = count, .e = keys});
}

operand gen_path(struct compiler *c, const struct node *node, struct place p, operand want)
{
    node = argument_of(node, &p.scope);
    if (is_single_place(node)) return gen_single_path(c, node, p, want);
    struct unit *unit = unit_new(c, c->unit, NULL, node, p.scope);
    if (!unit) return OPERAND_NONE;
    operand at = register_new(c);
    (void)emit(c, (struct insn){.op = OP_CALL_PATH, .a = at, .b = p.input, .d = unit->index});
    p.in_path = false;
    return result(c, p, want, (struct insn){.op = OP_PATH, .b = at});
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
        a.keys = gen_keys(c, left, &p, &a.count);
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
    struct insn insn = {.op = OP_PUT, .a = a->state, .b = value, .c = a->path};
    if (a->is_single) {
        insn =
            (struct insn){.op = OP_PUT_AT, .a = a->state, .b = value, .c = a->count, .e = a->keys};
    }
    (void)emit(c, insn);
    if (!a->is_single) (void)emit(c, (struct insn){.op = OP_BACKTRACK});
}

static operand extract(struct compiler *c, const struct assignment *a)
{
    struct insn insn = {.op = OP_EXTRACT, .b = a->state, .c = a->path};
    if (a->is_single) {
        insn = (struct insn){.op = OP_EXTRACT_AT, .b = a->state, .c = a->count, .e = a->keys};
    }
    return result(c, a->place, OPERAND_NONE, insn);
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

/* The member as `update` changes it; `*ret_mark`: the fork for when it yields nothing. */
static operand gen_update(struct compiler *c, const struct assignment *a, const struct node *update,
                          uint32_t *ret_mark)
{
    operand member      = extract(c, a);
    struct place inside = a->place;
    inside.input        = untaken(member);
    inside.is_owned     = true;
    if (a->is_single && is_single(c, update, inside.scope)) {
        return gen(c, update, inside, OPERAND_NONE);
    }
    operand mark  = register_new(c);
    *ret_mark     = emit(c, (struct insn){.op = OP_MARK, .a = mark});
    operand value = gen(c, update, inside, OPERAND_NONE);
    (void)emit(c, (struct insn){.op = OP_CUT, .b = mark});
    return value;
}

/* a |= f where a is one place. */
static operand gen_modify_one(struct compiler *c, const struct node *node, struct place p,
                              operand want)
{
    uint32_t none       = 0;
    struct assignment a = begin(c, node->a, p, OPERAND_NONE);
    operand value       = gen_update(c, &a, node->b, &none);
    put(c, &a, value);
    if (none == 0 || has_failed(c)) return end(c, &a, p, want);

    uint32_t skip = emit(c, (struct insn){.op = OP_JUMP});
    patch(c, none);
    operand whole = take(c, a.state);
    operand path  = register_new(c);
    operand paths = register_new(c);
    (void)emit(c, (struct insn){.op = OP_ARRAY, .a = path, .c = a.count, .e = a.keys});
    (void)emit(c,
               (struct insn){.op = OP_ARRAY, .a = paths, .c = 1, .e = operands_add(c, &path, 1)});
    store(c, a.state, gen_builtin(c, "delpaths", whole, &paths, 1, a.place, OPERAND_NONE));
    if (!has_failed(c)) patch(c, skip);
    return end(c, &a, p, want);
}

/* a |= f for any number of places: those for which f yields nothing are deleted at the end. */
static operand gen_modify(struct compiler *c, const struct node *node, struct place p, operand want)
{
    if (is_single_place(node->a)) return gen_modify_one(c, node, p, want);
    operand dropped = register_new(c); /* accumulator: paths to delete */
    (void)emit(c, (struct insn){.op = OP_MOVE, .a = dropped, .b = constant(c, json_array_new(0))});
    struct assignment a = begin(c, node->a, p, OPERAND_NONE);
    uint32_t none       = 0;
    put(c, &a, gen_update(c, &a, node->b, &none));
    if (has_failed(c)) return OPERAND_NONE;
    patch(c, none);
    operand paths = take(c, dropped);
    operand more  = register_new(c);
    (void)emit(c, (struct insn){.op = OP_PUSH, .a = more, .b = paths, .c = a.path});
    store(c, dropped, taken(more));
    (void)emit(c, (struct insn){.op = OP_BACKTRACK});
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
