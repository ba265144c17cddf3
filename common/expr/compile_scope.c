/* What names mean, and where their values are. */
#include "expr/compile.h"

#include "base/assert.h"

operand compile_fail(struct compiler *c, const struct node *node, enum expr_fault_kind kind,
                     str name, const char *detail, const char *hint)
{
    if (c->parser.has_failed) return OPERAND_NONE;
    (void)parse_fail(&c->parser, node ? node->offset : 0, detail, hint);
    c->parser.fault.kind = kind;
    if (name.len > 0) {
        const char *copy     = arena_strdup(c->arena, name);
        c->parser.fault.name = copy ? copy : "";
    }
    return OPERAND_NONE;
}

struct binding *binding_new(struct compiler *c, enum binding_kind kind, str name,
                            struct binding *outer)
{
    struct binding *binding = arena_alloc(c->arena, sizeof *binding);
    if (!binding) {
        (void)compile_fail(c, NULL, EXPR_FAULT_LIMIT, (str){}, "expression is too large", "");
        return NULL;
    }
    *binding = (struct binding){.kind = kind, .name = name, .unit = c->unit, .outer = outer};
    return binding;
}

struct binding *find_variable(struct binding *scope, str name)
{
    for (; scope; scope = scope->outer) {
        if (scope->kind == BINDING_VARIABLE && str_equal(scope->name, name)) return scope;
    }
    return NULL;
}

struct binding *find_label(struct binding *scope, str name)
{
    for (; scope; scope = scope->outer) {
        if (scope->kind == BINDING_LABEL && str_equal(scope->name, name)) return scope;
    }
    return NULL;
}

static bool is_callable(const struct binding *binding)
{
    return binding->kind == BINDING_FUNCTION || binding->kind == BINDING_PARAM ||
           binding->kind == BINDING_ARGUMENT;
}

struct binding *find_function(struct binding *scope, str name, uint32_t arity)
{
    for (; scope; scope = scope->outer) {
        if (is_callable(scope) && scope->arity == arity && str_equal(scope->name, name)) {
            return scope;
        }
    }
    return NULL;
}

const struct node *argument_of(const struct node *node, struct binding **scope)
{
    while (node->kind == NODE_CALL && node->count == 0) {
        const struct binding *named = find_function(*scope, node->name, 0);
        if (!named || named->kind != BINDING_ARGUMENT) break;
        node   = named->node;
        *scope = named->inner;
    }
    return node;
}

struct binding *find_prelude(struct compiler *c, const struct builtin *builtin)
{
    str name              = str_from(builtin->name);
    struct binding *known = find_function(c->prelude, name, builtin->arity);
    if (known) return known;

    struct parser parser = parser_init(str_from(builtin->text), c->arena);
    struct def *def      = parse_definition(&parser);
    if (!def) {
        (void)compile_fail(c, NULL, EXPR_FAULT_LIMIT, (str){}, "expression is too large", "");
        return NULL;
    }
    struct binding *binding = binding_new(c, BINDING_FUNCTION, name, c->prelude);
    if (!binding) return NULL;
    binding->arity = builtin->arity;
    binding->def   = def;
    binding->unit  = NULL; /* needs no environment */
    c->prelude     = binding;
    return binding;
}

/* --- variables ---------------------------------------------------------------------------------
 */

operand gen_binding(struct compiler *c, const struct binding *binding, struct place p, operand want)
{
    if (binding->unit && binding->unit != c->unit) {
        struct insn up = {.op = OP_UP,
                          .b  = untaken(p.input),
                          .c  = (operand)(c->unit->level - binding->unit->level),
                          .e  = binding->at};
        return result(c, p, want, up);
    }
    /* A place needs a register of its own: there it is decided whether the value is one. */
    if (p.in_path && want == OPERAND_NONE) want = register_new(c);
    if (!p.in_path || !p.is_tail) return result_is(c, p, want, binding->at);
    return result(c, p, want,
                  (struct insn){.op = OP_MOVE, .b = binding->at, .c = untaken(p.input)});
}

static operand unknown_variable(struct compiler *c, const struct node *node)
{
    bool is_env = str_is(node->name, "ENV");
    const char *detail =
        is_env ? "$ENV is not available"
               : arena_printf(c->arena, "$" STR_FMT " is not defined", STR_ARG(node->name));
    const char *hint = is_env ? "an expression does not see the environment of the service" : "";
    return compile_fail(c, node, EXPR_FAULT_VARIABLE, node->name, detail, hint);
}

static int64_t outer_index(const struct compiler *c, str name)
{
    for (uint32_t i = 0; c->names && i < c->names->count; i++) {
        if (str_is(name, c->names->names[i])) return i;
    }
    return -1;
}

operand gen_variable(struct compiler *c, const struct node *node, struct place p, operand want)
{
    const struct binding *binding = find_variable(p.scope, node->name);
    if (binding) return gen_binding(c, binding, p, want);
    int64_t index = outer_index(c, node->name);
    if (index < 0) return unknown_variable(c, node);

    c->expr->variables_used |= (uint32_t)1 << index;
    c->expr->used_as_whole |= (uint32_t)1 << index; /* who reads but a member takes that back */
    struct binding outer = {.kind = BINDING_VARIABLE,
                            .at   = (operand)(OPERAND_VARIABLE | (operand)index)};
    return gen_binding(c, &outer, p, want);
}
