/*
 * compile: from a tree to a program.
 *
 * Code is generated in one pass over the tree. Where a result goes is decided from above: a node is
 * told the register it has to fill, or left free to name any operand. A node in tail position ends
 * with its own return, so the last call of a function is a tail call without a search for it.
 *
 * Small functions that do not call themselves are expanded where they are called, and their
 * arguments within them: `map(select(.x > 3))` becomes a loop without a single call. Expansion
 * stops at a depth and at a size; what is left becomes real functions, compiled one after the other
 * from a list, so that no source makes the compiler recurse further than its tree is high.
 */
#ifndef EXPR_COMPILE_H
#define EXPR_COMPILE_H

#include "base/arena.h"
#include "expr/ast.h"
#include "expr/builtins.h"
#include "expr/parse.h"
#include "expr/program.h"

enum {
    EXPAND_NODES_MAX = 48,    /* of a function that is expanded */
    EXPAND_DEPTH_MAX = 12,    /* expansions inside each other */
    EXPAND_CODE_MAX  = 4'096, /* instructions of a program, from which on nothing is expanded */
};

/* A function of the program, until its code is made. */
struct unit {
    uint32_t index;     /* in the program */
    struct unit *outer; /* whose frame is its environment; NULL: none */
    uint32_t level;     /* functions around it */
    uint32_t registers;
    bool may_track; /* may be asked for places */
    const struct def *def;
    const struct node *body;
    struct binding *scope;
    struct unit *next; /* to be compiled */
};

enum binding_kind {
    BINDING_VARIABLE, /* register `at` of `unit`, or any operand if `unit` is NULL */
    BINDING_FUNCTION, /* def */
    BINDING_PARAM,    /* closure `at` of `unit` */
    BINDING_ARGUMENT, /* node, in the scope `inner`: a parameter of an expanded function */
    BINDING_LABEL,    /* register `at` of `unit` holds its fork */
};

/* What a name means. Inner ones come first. */
struct binding {
    enum binding_kind kind;
    str name;
    uint32_t arity;
    struct unit *unit;
    operand at;
    const struct def *def;
    const struct node *node;
    struct binding *inner; /* of a function: the scope of its definition */
    struct unit *compiled; /* of a function, once somebody called it */
    uint32_t expanding;    /* expansions of it under way */
    struct binding *outer;
};

/* Where a node stands. */
struct place {
    struct binding *scope;
    operand input; /* . */
    bool is_owned; /* nobody needs the input after this node */
    bool in_path;  /* its value is the function's, if that yields places */
    bool is_tail;  /* returns instead of going on */
};

struct compiler {
    struct arena *arena;
    struct parser parser; /* of the source; its fault is the compilation's */
    const struct expr_names *names;
    struct expr *expr;
    struct unit *unit; /* being compiled */
    struct unit *units;
    struct unit **units_end;
    struct binding *prelude;
    uint32_t depth;
    uint32_t expansions;
    uint32_t code_capacity;
    uint32_t constant_capacity;
    uint32_t operand_capacity;
    uint32_t closure_capacity;
    uint32_t function_capacity;
    uint32_t use_capacity;
};

/* --- emitting (compile_emit.c) -----------------------------------------------------------------
 */

uint32_t emit(struct compiler *c, struct insn insn);

/* Makes the jump at `at` lead here. */
void patch(struct compiler *c, uint32_t at);

operand register_new(struct compiler *c);
operand constant(struct compiler *c, json value); /* takes */
operand constant_text(struct compiler *c, str text);
uint32_t operands_add(struct compiler *c, const operand *operands, size_t count);
uint32_t closures_add(struct compiler *c, struct closure_ref ref);
void member_use_add(struct compiler *c, struct member_use use);

static inline operand taken(operand o)
{
    return operand_is_register(o) ? o | OPERAND_TAKE : o;
}

static inline operand untaken(operand o)
{
    return (o & OPERAND_CLASS) == OPERAND_TAKE ? o & OPERAND_INDEX : o;
}

/* Emits `insn`, whose result goes to `want` or a new register, and returns if in tail position. */
operand result(struct compiler *c, struct place p, operand want, struct insn insn);

/* The same for a result that exists already. */
operand result_is(struct compiler *c, struct place p, operand want, operand value);

/* A register that all branches of a node fill; none is needed in tail position. */
operand branch_register(struct compiler *c, struct place p, operand want);

/* What a node returns whose branches have filled `filled`: its own, unless it was told `want`. */
static inline operand branch_result(operand want, operand filled)
{
    return want == OPERAND_NONE && filled != OPERAND_NONE ? filled | OPERAND_TAKE : want;
}

struct unit *unit_new(struct compiler *c, struct unit *outer, const struct def *def,
                      const struct node *body, struct binding *scope);

/* --- nodes -------------------------------------------------------------------------------------
 *
 * Each returns the operand that has the result; `want` if that is given. In tail position it
 * returns OPERAND_NONE.
 */

operand gen(struct compiler *c, const struct node *node, struct place p, operand want);

/* A value beside the main line: an argument, a key, a condition. */
operand gen_value(struct compiler *c, const struct node *node, struct place p, bool is_last);
operand gen_input(struct place p);

/* The place for what comes before `kept` is read: if that is the input, the input stays. */
static inline struct place keeping(struct place p, operand kept)
{
    if (kept == p.input) p.is_owned = false;
    return p;
}

/* Whether a node yields exactly one value and leaves no fork (compile_single.c). */
bool is_single(struct compiler *c, const struct node *node, struct binding *scope);

operand gen_constant(struct compiler *c, json value, struct place p, operand want); /* takes */

/* The value of a node that is written out: numbers, texts, arrays and objects of them. Owned. */
bool fold(struct compiler *c, const struct node *node, struct binding *scope, json *ret_value);

operand gen_call(struct compiler *c, const struct node *node, struct place p, operand want);
operand gen_named(struct compiler *c, const struct node *call, struct place p, operand want);
operand gen_closure_call(struct compiler *c, const struct binding *binding, struct place p,
                         operand want, uint32_t offset);
operand gen_special(struct compiler *c, const struct node *node, enum special special,
                    struct place p, operand want);
operand gen_builtin(struct compiler *c, const char *name, operand input, const operand *arguments,
                    size_t count, struct place p, operand want);

/* The path of the places that `node` yields. */
operand gen_path(struct compiler *c, const struct node *node, struct place p, operand want);

operand gen_as(struct compiler *c, const struct node *node, struct place p, operand want);
operand gen_reduce(struct compiler *c, const struct node *node, struct place p, operand want);
operand gen_foreach(struct compiler *c, const struct node *node, struct place p, operand want);
operand gen_assign(struct compiler *c, const struct node *node, struct place p, operand want);
operand gen_string(struct compiler *c, const struct node *node, struct place p, operand want);
operand gen_object(struct compiler *c, const struct node *node, struct place p, operand want);
operand gen_binary(struct compiler *c, const struct node *node, struct place p, operand want);
operand gen_try(struct compiler *c, const struct node *node, struct place p, operand want);

/* --- names (compile_scope.c) -------------------------------------------------------------------
 */

struct binding *binding_new(struct compiler *c, enum binding_kind kind, str name,
                            struct binding *outer);
struct binding *find_variable(struct binding *scope, str name);
struct binding *find_label(struct binding *scope, str name);
struct binding *find_function(struct binding *scope, str name, uint32_t arity);

/* The node that stands where a parameter of an expanded function is named, and its scope. */
const struct node *argument_of(const struct node *node, struct binding **scope);

/* Names a function of the prelude; NULL if it does not parse, which a test rules out. */
struct binding *find_prelude(struct compiler *c, const struct builtin *builtin);

/* The value of a variable of this or an outer function. */
operand gen_binding(struct compiler *c, const struct binding *binding, struct place p,
                    operand want);
operand gen_variable(struct compiler *c, const struct node *node, struct place p, operand want);

/* --- programs that need no machine (compile_plain.c) -------------------------------------------
 */

/* Notes the steps of `program` if it is one; its code is there already. */
void find_plain(struct compiler *c, const struct node *program);

/* Notes which constants a run copies together (compile_block.c); the code is there already. */
void find_block(struct compiler *c);

/* Notes a fault; returns OPERAND_NONE. */
operand compile_fail(struct compiler *c, const struct node *node, enum expr_fault_kind kind,
                     str name, const char *detail, const char *hint);

static inline bool has_failed(const struct compiler *c)
{
    return c->parser.has_failed;
}

#endif
