/*
 * A walk over the tree that knows of each place what `.` is there: a path from the program's input,
 * or something else.
 *
 * Recursive over a tree whose height parse.h bounds.
 */
#include "expr/reads.h"

#include "base/assert.h"
#include "base/attr.h"
#include "base/utf8.h"
#include "expr/parse.h"

enum {
    READS_ARENA_FACTOR = 2'000,   /* bytes of tree for a byte of source, as of compile.c */
    READS_ARENA_BASE   = 4 << 10, /* bytes */
};

/* What a value is: the program's input, or a member of it. NULL stands for anything else. */
struct path {
    const struct path *outer; /* NULL: it is the input */
    str key;
    size_t depth; /* keys */
};

/* A variable, innermost first. */
struct variable {
    const struct variable *outer;
    str name;
    const struct path *path;
    bool hides_all; /* a pattern or function: who knows which names it takes */
};

struct walk {
    struct arena *arena;
    const char *source;
    bool has_functions; /* of its own, whose names may be those of builtins */
    void (*visit)(const struct expr_read *read, void *context);
    void *context;
};

/* Where a node stands. */
struct place {
    const struct path *dot;
    const struct variable *variables;
};

static const struct path *look(struct walk *walk, const struct node *node, struct place place);

/* --- paths ------------------------------------------------------------------------------------ */

static void report(const struct walk *walk, const struct path *path, size_t offset)
{
    str keys[EXPR_READ_DEPTH_MAX];
    const struct expr_read read = {.keys = keys, .count = path->depth, .offset = offset};
    for (size_t i = path->depth; i-- > 0; path = path->outer) keys[i] = path->key;
    walk->visit(&read, walk->context);
}

/* The member `key` of a value. */
static const struct path *member_of(struct walk *walk, const struct path *value,
                                    const struct node *key)
{
    if (!value || key->kind != NODE_TEXT || value->depth == EXPR_READ_DEPTH_MAX) return NULL;
    struct path *path = arena_alloc(walk->arena, sizeof *path);
    if (!path) return NULL;
    *path = (struct path){.outer = value, .key = key->name, .depth = value->depth + 1};
    report(walk, path, key->offset + (walk->source[key->offset] == '.'));
    return path;
}

static const struct path *path_of_variable(const struct variable *variable, str name)
{
    for (; variable && !variable->hides_all; variable = variable->outer) {
        if (str_equal(variable->name, name)) return variable->path;
    }
    return NULL;
}

/* --- nodes ------------------------------------------------------------------------------------ */

static void look_at_all(struct walk *walk, const struct node *list, struct place place)
{
    for (const struct node *node = list; node; node = node->next) (void)look(walk, node, place);
}

static void look_at_parts(struct walk *walk, const struct node *node, struct place place)
{
    (void)look(walk, node->a, place);
    (void)look(walk, node->b, place);
    (void)look(walk, node->c, place);
}

static const struct path *look_at_pipe(struct walk *walk, const struct node *pipe,
                                       struct place place)
{
    for (const struct node *node = pipe->list; node; node = node->next) {
        place.dot = look(walk, node, place);
    }
    return place.dot;
}

static void look_at_member(struct walk *walk, const struct node *member, struct place place)
{
    if (member->b) {
        look_at_parts(walk, member, place);
    } else {
        (void)member_of(walk, place.dot, member->a);
    }
}

/* Builtins whose arguments are evaluated where the call stands. */
static bool takes_values(const struct node *call)
{
    static const char *const names[] = {
        "select",   "error",    "has",     "inside", "contains", "startswith", "endswith",
        "ltrimstr", "rtrimstr", "trimstr", "split",  "join",     "test",       "match",
        "capture",  "index",    "rindex",  "range",  "limit",    "isempty",    "first",
        "strftime", "strptime", "in",      "IN",     "splits",   "indices",    "scan",
    };
    bool is_stream = call->count == 1 || str_is(call->name, "limit") || str_is(call->name, "range");
    for (size_t i = 0; is_stream && i < ARRAY_LEN(names); i++) {
        if (str_is(call->name, names[i])) return true;
    }
    return false;
}

static const struct path *look_at_call(struct walk *walk, const struct node *call,
                                       struct place place)
{
    const struct path *dot = place.dot;
    bool is_known          = !walk->has_functions && takes_values(call);
    if (!is_known) place.dot = NULL;
    look_at_all(walk, call->list, place);
    return is_known && str_is(call->name, "select") ? dot : NULL;
}

/* `a as $name | b` */
static const struct path *look_at_binding(struct walk *walk, const struct node *as,
                                          struct place place)
{
    const struct pattern *pattern  = as->patterns;
    bool is_one                    = pattern->kind == PATTERN_VARIABLE && !pattern->next;
    const struct variable variable = {.outer     = place.variables,
                                      .name      = is_one ? pattern->name : (str){},
                                      .path      = look(walk, as->a, place),
                                      .hides_all = !is_one};
    const struct place behind      = {.dot = place.dot, .variables = &variable};
    return look(walk, as->b, behind);
}

/* What runs over a stream keeps a state of its own in `.`. */
static void look_at_fold(struct walk *walk, const struct node *fold, struct place place)
{
    const struct variable barrier = {.outer = place.variables, .hides_all = true};
    const struct place inside     = {.variables = &barrier};
    (void)look(walk, fold->a, place);
    (void)look(walk, fold->b, place);
    (void)look(walk, fold->c, inside);
    (void)look(walk, fold->d, inside);
}

static const struct path *look_at_function(struct walk *walk, const struct node *node,
                                           struct place place)
{
    const struct variable barrier = {.outer = place.variables, .hides_all = true};
    const struct place inside     = {.variables = &barrier};
    walk->has_functions           = true;
    (void)look(walk, node->def->body, inside);
    return look(walk, node->a, place);
}

/* What is assigned to need not be there yet. */
static void look_at_assignment(struct walk *walk, const struct node *node, struct place place)
{
    const struct place elsewhere = {.variables = place.variables};
    (void)look(walk, node->a, elsewhere);
    (void)look(walk, node->b, node->op == ASSIGN_UPDATE ? elsewhere : place);
}

/* What the node yields, if that is a path. */
static const struct path *look(struct walk *walk, const struct node *node, struct place place)
{
    if (!node) return NULL;
    switch ((enum node_kind)node->kind) {
    case NODE_IDENTITY: return place.dot;
    case NODE_VARIABLE: return path_of_variable(place.variables, node->name);
    case NODE_INDEX: {
        const struct path *value = look(walk, node->a, place);
        (void)look(walk, node->b, place);
        return member_of(walk, value, node->b);
    }
    case NODE_PIPE: return look_at_pipe(walk, node, place);
    case NODE_CALL: return look_at_call(walk, node, place);
    case NODE_AS: return look_at_binding(walk, node, place);
    case NODE_DEF: return look_at_function(walk, node, place);
    case NODE_TRY: {
        const struct place handler = {.variables = place.variables};
        const struct path *value   = look(walk, node->a, place);
        (void)look(walk, node->b, handler);
        return value;
    }
    case NODE_MEMBER: look_at_member(walk, node, place); return NULL;
    case NODE_REDUCE:
    case NODE_FOREACH: look_at_fold(walk, node, place); return NULL;
    case NODE_ASSIGN: look_at_assignment(walk, node, place); return NULL;
    case NODE_STRING:
    case NODE_COMMA:
    case NODE_OBJECT: look_at_all(walk, node->list, place); return NULL;
    case NODE_SLICE:
    case NODE_EACH:
    case NODE_NEGATE:
    case NODE_BINARY:
    case NODE_AND:
    case NODE_OR:
    case NODE_ALTERNATIVE:
    case NODE_ARRAY:
    case NODE_IF:
    case NODE_LABEL: look_at_parts(walk, node, place); return NULL;
    case NODE_NUMBER:
    case NODE_TEXT:
    case NODE_FORMAT:
    case NODE_BREAK:
    case NODE_LOCATION: return NULL;
    }
    return NULL;
}

void expr_reads(str source, void (*visit)(const struct expr_read *read, void *context),
                void *context)
{
    if (source.len > EXPR_SOURCE_MAX || utf8_valid_prefix(source) < source.len) return;
    CLEANUP(arena_freep)
    struct arena *arena            = arena_new(READS_ARENA_BASE + source.len * READS_ARENA_FACTOR);
    const char *text               = arena_strdup(arena, source);
    static const struct path input = {};
    ASSERT(text); /* fits by the arena's size */
    struct parser parser       = parser_init((str){text, source.len}, arena);
    const struct node *program = parse_program(&parser);
    struct walk walk = {.arena = arena, .source = text, .visit = visit, .context = context};
    if (program) (void)look(&walk, program, (struct place){.dot = &input});
}
