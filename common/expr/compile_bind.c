/* Code that binds variables: as, reduce, foreach, and patterns. */
#include "expr/compile.h"

/* While variables are bound by patterns. */
struct binder {
    struct place place; /* its scope grows */
    bool has_alternatives;
    operand index; /* register: fork of the alternative that is being tried, or null */
};

static void bind(struct compiler *c, struct binder *binder, str name, operand at)
{
    struct binding *binding = binding_new(c, BINDING_VARIABLE, name, binder->place.scope);
    if (!binding) return;
    binding->at         = untaken(at);
    binding->unit       = operand_is_register(binding->at) ? c->unit : NULL;
    binder->place.scope = binding;
    /* The variable is the input itself: that must then stay where it is. */
    if (binding->at == binder->place.input) binder->place.is_owned = false;
}

/* With alternatives, all variables have their registers already. */
static void set_variable(struct compiler *c, struct binder *binder, str name, operand value)
{
    if (!binder->has_alternatives) {
        bind(c, binder, name, value);
        return;
    }
    const struct binding *known = find_variable(binder->place.scope, name);
    (void)emit(c, (struct insn){.op = OP_MOVE, .a = known->at, .b = value});
}

static void gen_pattern(struct compiler *c, const struct pattern *pattern, struct binder *binder,
                        operand value);

static operand gen_element(struct compiler *c, operand container, operand key)
{
    operand to = register_new(c);
    (void)emit(c, (struct insn){.op = OP_INDEX, .a = to, .b = container, .c = key});
    return to;
}

static void gen_object_pattern(struct compiler *c, const struct pattern *pattern,
                               struct binder *binder, operand value)
{
    for (const struct member *member = pattern->members; member; member = member->next) {
        struct place key_place = binder->place;
        key_place.input        = value;
        key_place.is_owned     = false;
        operand key            = untaken(gen_value(c, member->key, key_place, false));
        operand at             = gen_element(c, value, key);
        if (member->variable.len > 0) set_variable(c, binder, member->variable, at);
        if (member->value) gen_pattern(c, member->value, binder, at);
    }
}

static void gen_pattern(struct compiler *c, const struct pattern *pattern, struct binder *binder,
                        operand value)
{
    if (has_failed(c)) return;
    int64_t index = 0;
    switch (pattern->kind) {
    case PATTERN_VARIABLE: set_variable(c, binder, pattern->name, value); return;
    case PATTERN_OBJECT: gen_object_pattern(c, pattern, binder, value); return;
    case PATTERN_ARRAY:
        for (const struct pattern *at = pattern->list; at; at = at->next) {
            operand key = constant(c, json_int(index++));
            gen_pattern(c, at, binder, gen_element(c, value, key));
        }
        return;
    }
}

/* --- alternatives: pattern ?// pattern ---------------------------------------------------------
 */

static void declare(struct compiler *c, struct binder *binder, str name,
                    const struct binding *outside)
{
    for (const struct binding *b = binder->place.scope; b != outside; b = b->outer) {
        if (str_equal(b->name, name)) return;
    }
    bind(c, binder, name, register_new(c));
}

static void declare_all(struct compiler *c, const struct pattern *pattern, struct binder *binder,
                        const struct binding *outside)
{
    if (pattern->kind == PATTERN_VARIABLE) declare(c, binder, pattern->name, outside);
    for (const struct pattern *at = pattern->list; at; at = at->next) {
        declare_all(c, at, binder, outside);
    }
    for (const struct member *at = pattern->members; at; at = at->next) {
        if (at->variable.len > 0) declare(c, binder, at->variable, outside);
        if (at->value) declare_all(c, at->value, binder, outside);
    }
}

static void gen_alternatives(struct compiler *c, const struct pattern *patterns,
                             struct binder *binder, operand value)
{
    const struct binding *outside = binder->place.scope;
    operand error                 = register_new(c);
    operand null                  = constant(c, json_null());
    binder->index                 = register_new(c);
    for (const struct pattern *at = patterns; at; at = at->next) {
        declare_all(c, at, binder, outside);
    }
    uint32_t jump = 0; /* chain to the body */
    for (const struct pattern *at = patterns; at && !has_failed(c); at = at->next) {
        for (const struct binding *b = binder->place.scope; b != outside; b = b->outer) {
            (void)emit(c, (struct insn){.op = OP_MOVE, .a = b->at, .b = null});
        }
        struct insn guard = {.op = OP_TRY, .a = binder->index, .e = error};
        struct insn last  = {.op = OP_MOVE, .a = binder->index, .b = null};
        uint32_t at_guard = emit(c, at->next ? guard : last);
        gen_pattern(c, at, binder, value);
        if (!at->next) break;
        jump = emit(c, (struct insn){.op = OP_JUMP, .d = jump});
        if (!has_failed(c)) patch(c, at_guard);
    }
    while (jump && !has_failed(c)) {
        uint32_t before = c->expr->code[jump].d;
        patch(c, jump);
        jump = before;
    }
}

/* Binds the variables of `patterns` to the parts of `value`. */
static struct binder gen_binder(struct compiler *c, const struct pattern *patterns, operand value,
                                struct place p)
{
    struct binder binder = {.place = p, .has_alternatives = patterns->next};
    if (binder.has_alternatives) {
        gen_alternatives(c, patterns, &binder, untaken(value));
    } else {
        gen_pattern(c, patterns, &binder, untaken(value));
    }
    return binder;
}

/* The body has yielded: from now on errors do not lead to the next alternative. */
static void end_binder(struct compiler *c, const struct binder *binder)
{
    if (binder->has_alternatives) {
        (void)emit(c, (struct insn){.op = OP_TRY_END, .b = binder->index});
    }
}

operand gen_as(struct compiler *c, const struct node *node, struct place p, operand want)
{
    operand source       = gen_value(c, node->a, p, false);
    struct binder binder = gen_binder(c, node->patterns, source, p);
    if (!binder.has_alternatives) return gen(c, node->b, binder.place, want);
    binder.place.is_tail = false;
    operand value        = gen(c, node->b, binder.place, want);
    end_binder(c, &binder);
    return result_is(c, p, want, value);
}

/* --- folds -------------------------------------------------------------------------------------
 */

/* The accumulator, with what `start` yields. */
static operand gen_start(struct compiler *c, const struct node *start, struct place p)
{
    operand state = register_new(c);
    p.is_owned    = false;
    p.is_tail     = false;
    (void)gen(c, start, p, state);
    return state;
}

static struct binder gen_source(struct compiler *c, const struct node *node, struct place p)
{
    p.is_owned     = false;
    p.is_tail      = false;
    operand source = gen(c, node->a, p, OPERAND_NONE);
    return gen_binder(c, node->patterns, source, p);
}

/* What the accumulator becomes; while that is computed it is null, so that its value has one owner
 * and may change in place. */
static operand gen_update(struct compiler *c, const struct node *update, struct place p,
                          operand state)
{
    operand before = register_new(c);
    (void)emit(c, (struct insn){.op = OP_TAKE, .a = before, .b = state});
    p.input       = before;
    p.is_owned    = true;
    p.is_tail     = false;
    operand value = gen(c, update, p, OPERAND_NONE);
    return value;
}

static void gen_store(struct compiler *c, struct place p, operand state, operand value)
{
    (void)emit(c,
               (struct insn){
                   .op = OP_STORE, .flags = p.in_path ? INSN_IN_PATH : 0, .a = state, .b = value});
}

operand gen_reduce(struct compiler *c, const struct node *node, struct place p, operand want)
{
    operand state        = gen_start(c, node->b, p);
    uint32_t fork        = emit(c, (struct insn){.op = OP_FORK});
    struct binder binder = gen_source(c, node, p);
    operand value        = gen_update(c, node->c, binder.place, state);
    gen_store(c, p, state, value);
    (void)emit(c, (struct insn){.op = OP_BACKTRACK});
    if (has_failed(c)) return OPERAND_NONE;
    patch(c, fork);
    return result(c, p, want, (struct insn){.op = OP_TAKE, .b = state});
}

operand gen_foreach(struct compiler *c, const struct node *node, struct place p, operand want)
{
    operand state        = gen_start(c, node->b, p);
    struct binder binder = gen_source(c, node, p);
    operand value        = untaken(gen_update(c, node->c, binder.place, state));
    gen_store(c, p, state, value);

    struct place extract = binder.place;
    extract.input        = value;
    extract.is_owned     = false;
    extract.is_tail      = p.is_tail && !binder.has_alternatives;
    if (!node->d) {
        end_binder(c, &binder);
        return result_is(c, p, want, value);
    }
    operand yielded = gen(c, node->d, extract, want);
    if (!binder.has_alternatives) return yielded;
    end_binder(c, &binder);
    return result_is(c, p, want, yielded);
}
