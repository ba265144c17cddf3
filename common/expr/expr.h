/**
 * expr: expressions in the jq language (1.7; where 1.8 changed a result, 1.8's), compiled once.
 *
 * A program is immutable and may be evaluated by many threads at once. An evaluation is pure: its
 * result depends on the program, the input, the variables and `now` alone. It reads no clock, file,
 * environment or locale, and it ends: fuel, memory and depth are budgets, which no `try` catches.
 * It never recurses on the C stack over data or calls. Its values do not refer to the program and
 * may outlive it.
 *
 * Left out, as compile errors that say why: input, inputs, debug, stderr, input_filename,
 * input_line_number, env, $ENV, import, include, modulemeta, get_search_list, halt, halt_error.
 */
#ifndef EXPR_EXPR_H
#define EXPR_EXPR_H

#include "base/arena.h"
#include "base/status.h"
#include "json/json.h"

#include <stdint.h>

enum {
    EXPR_SOURCE_MAX    = 64 << 10, /* bytes */
    EXPR_VARIABLES_MAX = 32,       /* named from outside */
    EXPR_FUEL       = 1'000'000, /* steps: an instruction, or an element or 64 bytes in a builtin */
    EXPR_FUEL_MAX   = 100'000'000, /* ceiling of what a configuration may set */
    EXPR_MEMORY     = 16 << 20,    /* bytes, live */
    EXPR_MEMORY_MAX = 256 << 20,   /* bytes */
    EXPR_DEPTH      = 10'000,      /* call frames, and levels of nesting */
};

struct expr;

/** The names (without $) that a program may use; a variable is its index. */
struct expr_names {
    const char *const *names;
    uint32_t count; /* <= EXPR_VARIABLES_MAX */
};

/** Where and why a program does not compile. Texts are static or live as long as `arena`. */
struct expr_fault {
    size_t offset;      /* bytes from the start of the source */
    const char *detail; /* jq's words where it has them */
    const char *hint;   /* "" if none */
    const char *name;   /* the unknown or excluded variable or function; "" if it is not that */
    enum expr_fault_kind {
        EXPR_FAULT_SYNTAX,
        EXPR_FAULT_VARIABLE,
        EXPR_FAULT_FUNCTION,
        EXPR_FAULT_LIMIT,
    } kind;
};

/**
 * Compiles `source` (valid UTF-8, borrowed for the call). Owned: expr_free(). `ret_fault` may be
 * NULL; its texts live as long as `arena`. Fails with INVALID_ARGUMENT.
 */
status expr_compile(str source, const struct expr_names *names, struct arena *arena,
                    struct expr **ret_expr, struct expr_fault *ret_fault, struct error *reterr);
void expr_free(struct expr *expr);
void expr_freep(struct expr **expr);

/** A bit per name: which variables the program mentions. */
uint32_t expr_variables_used(const struct expr *expr);

/** Members of variable `index` that are read by a literal key (`$steps.a.b` reads "a"): calls
 * `visit` for each; returns false if the variable is also used as a whole. For the engine, which
 * keeps only what an expression can name. */
bool expr_members_used(const struct expr *expr, uint32_t index,
                       void (*visit)(str member, void *context), void *context);

/** How many values the program can yield, as far as one can tell: for the validator's warning. */
enum expr_yield { EXPR_YIELDS_ONE, EXPR_YIELDS_ANY };
enum expr_yield expr_yield_of(const struct expr *expr);

struct expr_limits {
    uint64_t fuel;
    int64_t memory; /* bytes */
    uint32_t depth;
};

/** The defaults above. */
struct expr_limits expr_limits_default(void);

/** What one evaluation gets. All borrowed for the call (or until expr_run_free()). */
struct expr_input {
    json value;            /* `.` */
    const json *variables; /* one per name; JSON_INVALID counts as null */
    int64_t now_us;        /* Unix time that `now` answers: the journalled time of the decision */
    const struct expr_limits *limits; /* NULL: the defaults */
};

/**
 * Evaluates to the first output; no output is null. `*ret_value` is owned.
 *
 * Fails with INVALID_ARGUMENT (the program raised an error: jq's message) or RESOURCE_EXHAUSTED (a
 * budget: the text names it). `ret_error_value` may be NULL; else it gets what was raised (owned).
 */
status expr_eval(const struct expr *expr, const struct expr_input *input, json *ret_value,
                 json *ret_error_value, struct error *reterr);

/* All outputs, one after the other. */
struct expr_run;

struct expr_run *expr_run_new(const struct expr *expr, const struct expr_input *input);
void expr_run_free(struct expr_run *run);
void expr_run_freep(struct expr_run **run);

/** The next output (owned); JSON_INVALID and OK at the end. Fails as expr_eval(); then it is over.
 */
status expr_run_next(struct expr_run *run, json *ret_value, json *ret_error_value,
                     struct error *reterr);

/** Steps spent so far. */
uint64_t expr_run_fuel_used(const struct expr_run *run);

#endif
