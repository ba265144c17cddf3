/*
 * `term.key?`, `term[key]?`, `term[from:to]?` and `term[]?`: the mark belongs to the last step
 * alone. What that step cannot do is left out and the others go on, while an error of the term or
 * of the key is one: `[1, {"a": 2}] | .[].a?` yields 2, and `1 | .a.b?` fails at .a. So
 * `term[key]?` means `key as $k | term | try .[$k]`, and without a name where the key is a
 * constant.
 */
#include "expr/parse.h"

/* No variable of a program can have these names. */
static const char *const names[] = {"?from", "?to"};

static bool is_constant(const struct node *key)
{
    return !key || key->kind == NODE_TEXT || key->kind == NODE_NUMBER ||
           (key->kind == NODE_NEGATE && key->a->kind == NODE_NUMBER);
}

static struct node *variable(struct parser *parser, const char *name, uint32_t offset)
{
    struct node *node = node_new(parser, NODE_VARIABLE, offset);
    if (node) node->name = str_from(name);
    return node;
}

/* `key as $name | body` */
static struct node *bind(struct parser *parser, struct node *key, const char *name,
                         struct node *body)
{
    struct pattern *pattern = arena_alloc(parser->arena, sizeof *pattern);
    struct node *as         = node_new(parser, NODE_AS, key->offset);
    if (!pattern || !as) return NULL;
    *pattern =
        (struct pattern){.kind = PATTERN_VARIABLE, .offset = key->offset, .name = str_from(name)};
    as->patterns = pattern;
    return node_with(parser, as, key, body, NULL);
}

/* `term | step` */
static struct node *pipe_to(struct parser *parser, struct node *term, struct node *step)
{
    struct node *pipe = node_new(parser, NODE_PIPE, term->offset);
    if (!pipe || !step) return NULL;
    term->next   = step;
    pipe->list   = term;
    pipe->count  = 2;
    pipe->height = (uint16_t)((term->height > step->height ? term->height : step->height) + 1);
    return pipe;
}

struct node *parse_optional(struct parser *parser, struct node *step, uint32_t offset)
{
    struct node *term    = step->a;
    struct node *keys[2] = {step->b, step->c};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (is_constant(keys[i])) continue;
        struct node *name               = variable(parser, names[i], keys[i]->offset);
        *(i == 0 ? &step->b : &step->c) = name;
        if (!name) return NULL;
    }
    step->a            = node_new(parser, NODE_IDENTITY, step->offset);
    step->height       = 0;
    struct node *tried = node_with(parser, step->a ? node_new(parser, NODE_TRY, offset) : NULL,
                                   node_with(parser, step, step->a, step->b, step->c), NULL, NULL);
    struct node *whole = tried;
    if (whole && term->kind != NODE_IDENTITY) whole = pipe_to(parser, term, tried);
    for (size_t i = ARRAY_LEN(keys); i-- > 0;) {
        if (!is_constant(keys[i]) && whole) whole = bind(parser, keys[i], names[i], whole);
    }
    return whole;
}
