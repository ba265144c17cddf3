/*
 * How many values an expression has is two questions: may it have none, may it have many. Almost
 * everything combines by "or": a pipe has none if a stage has none, and many if a stage has many.
 * What is not known is said to be both.
 *
 * Recursive over a tree whose height parse.h bounds.
 */
#include "expr/yield.h"

#include "base/attr.h"

enum { ONE = 0, NONE = 1, MANY = 2, ANY = NONE | MANY };
enum { PARAMS_MAX = 8 /* and the function itself; with more, nothing is said */ };

/* The functions that the program itself defines and their parameters, innermost first. What a
 * parameter yields is counted where the function is called: with its arguments. */
struct scope {
    str name;
    uint32_t arity;
    unsigned bits;
    const struct scope *outer;
};

static unsigned bits_of(const struct node *node, const struct scope *scope);

/* --- calls -------------------------------------------------------------------------------------
 */

/* Builtins that do not yield one value for each combination of their arguments' values. */
static const struct {
    const char *name;
    enum call_rule {
        RULE_ANY,   /* none, one or many */
        RULE_MAYBE, /* none or one, for each combination */
        RULE_ONE,   /* one, whatever the arguments yield: they are collected */
    } rule;
} rules[] = {
    {"IN", RULE_ONE},
    {"INDEX", RULE_ONE},
    {"JOIN", RULE_ANY},
    {"add", RULE_ONE},
    {"all", RULE_ONE},
    {"any", RULE_ONE},
    {"arrays", RULE_MAYBE},
    {"booleans", RULE_MAYBE},
    {"capture", RULE_ANY},
    {"combinations", RULE_ANY},
    {"del", RULE_ONE},
    {"empty", RULE_MAYBE},
    {"finites", RULE_MAYBE},
    {"fromstream", RULE_ANY},
    {"group_by", RULE_ONE},
    {"isempty", RULE_ONE},
    {"iterables", RULE_MAYBE},
    {"leaf_paths", RULE_ANY},
    {"limit", RULE_ANY},
    {"map", RULE_ONE},
    {"map_values", RULE_ONE},
    {"match", RULE_ANY},
    {"max_by", RULE_ONE},
    {"min_by", RULE_ONE},
    {"normals", RULE_MAYBE},
    {"nulls", RULE_MAYBE},
    {"numbers", RULE_MAYBE},
    {"objects", RULE_MAYBE},
    {"paths", RULE_ANY},
    {"pick", RULE_ONE},
    {"range", RULE_ANY},
    {"recurse", RULE_ANY},
    {"recurse_down", RULE_ANY},
    {"repeat", RULE_ANY},
    {"scalars", RULE_MAYBE},
    {"scan", RULE_ANY},
    {"select", RULE_MAYBE},
    {"skip", RULE_ANY},
    {"sort_by", RULE_ONE},
    {"splits", RULE_ANY},
    {"strings", RULE_MAYBE},
    {"tostream", RULE_ANY},
    {"truncate_stream", RULE_ANY},
    {"unique_by", RULE_ONE},
    {"values", RULE_MAYBE},
    {"while", RULE_ANY},
    {"with_entries", RULE_ONE},
};

/* `first`, `last` and `nth` take from a stream with one argument more than from an array. */
static bool takes_from_stream(const struct node *call)
{
    if (str_is(call->name, "nth")) return call->count == 2;
    return (str_is(call->name, "first") || str_is(call->name, "last")) && call->count == 1;
}

static unsigned list_bits(const struct node *list, const struct scope *scope)
{
    unsigned bits = ONE;
    for (const struct node *n = list; n; n = n->next) bits |= bits_of(n, scope);
    return bits;
}

static unsigned stream_bits(const struct node *call, const struct scope *scope)
{
    unsigned bits = ONE;
    for (const struct node *n = call->list; n->next; n = n->next) bits |= bits_of(n, scope);
    /* The second of two values is not there. Who writes first(f) or last(f) has said which one is
     * meant: it is what the warning proposes, so it is not warned about. */
    return str_is(call->name, "nth") ? bits | NONE : bits;
}

static unsigned call_bits(const struct node *call, const struct scope *scope)
{
    for (const struct scope *s = scope; s; s = s->outer) {
        if (!str_equal(s->name, call->name) || s->arity != call->count) continue;
        return s->bits | list_bits(call->list, scope);
    }
    if (takes_from_stream(call)) return stream_bits(call, scope);
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        if (!str_is(call->name, rules[i].name)) continue;
        switch (rules[i].rule) {
        case RULE_ANY: return ANY;
        case RULE_MAYBE: return NONE | list_bits(call->list, scope);
        case RULE_ONE: return ONE;
        }
    }
    return list_bits(call->list, scope);
}

/* --- the others --------------------------------------------------------------------------------
 */

/* One of a comma's branches is enough to have a value. */
static unsigned comma_bits(const struct node *comma, const struct scope *scope)
{
    unsigned none = NONE;
    for (const struct node *n = comma->list; n; n = n->next) none &= bits_of(n, scope);
    return MANY | none;
}

/* What the body yields, each parameter one value. */
static unsigned body_bits(const struct def *def, const struct scope *scope)
{
    struct scope known[PARAMS_MAX];
    size_t count = 0;
    known[0]     = (struct scope){def->name, def->arity, ANY, scope}; /* when it calls itself */
    scope        = &known[count++];
    for (const struct param *param = def->params; param; param = param->next) {
        if (count == ARRAY_LEN(known)) return ANY;
        known[count] = (struct scope){param->name, 0, ONE, scope};
        scope        = &known[count++];
    }
    return bits_of(def->body, scope);
}

static unsigned def_bits(const struct node *node, const struct scope *scope)
{
    const struct def *def    = node->def;
    const struct scope inner = {def->name, def->arity, body_bits(def, scope), scope};
    return bits_of(node->a, &inner);
}

static unsigned bits_of(const struct node *node, const struct scope *scope)
{
    if (!node) return ONE;
    switch ((enum node_kind)node->kind) {
    case NODE_IDENTITY:
    case NODE_NUMBER:
    case NODE_TEXT:
    case NODE_FORMAT:
    case NODE_VARIABLE:
    case NODE_LOCATION:
    case NODE_ARRAY: return ONE;
    case NODE_EACH:
    case NODE_FOREACH: return ANY;
    case NODE_BREAK: return NONE;
    case NODE_PIPE:
    case NODE_STRING:
    case NODE_OBJECT: return list_bits(node->list, scope);
    case NODE_COMMA: return comma_bits(node, scope);
    case NODE_INDEX:
    case NODE_SLICE:
    case NODE_NEGATE:
    case NODE_BINARY:
    case NODE_AND:
    case NODE_OR:
    case NODE_MEMBER:
    case NODE_IF:
    case NODE_AS:
        return bits_of(node->a, scope) | bits_of(node->b, scope) | bits_of(node->c, scope);
    case NODE_ALTERNATIVE: return (bits_of(node->a, scope) & MANY) | bits_of(node->b, scope);
    case NODE_ASSIGN: return node->op == ASSIGN_UPDATE ? ONE : bits_of(node->b, scope);
    case NODE_REDUCE: return bits_of(node->b, scope);
    case NODE_TRY: return bits_of(node->a, scope) | (node->b ? bits_of(node->b, scope) : NONE);
    case NODE_LABEL: return NONE | bits_of(node->a, scope);
    case NODE_CALL: return call_bits(node, scope);
    case NODE_DEF: return def_bits(node, scope);
    }
    return ANY;
}

enum expr_yield yield_of(const struct node *node)
{
    return bits_of(node, NULL) == ONE ? EXPR_YIELDS_ONE : EXPR_YIELDS_ANY;
}
