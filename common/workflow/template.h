/**
 * template: a value of a definition that may hold expressions, compiled.
 *
 * A text whose whole content is `${ ... }` is an expression and keeps the type of its result; maps
 * and lists are evaluated leaf by leaf; everything else is itself. Data that arrive at run time are
 * never looked at for expressions.
 */
#ifndef WORKFLOW_TEMPLATE_H
#define WORKFLOW_TEMPLATE_H

#include "base/status.h"
#include "expr/expr.h"
#include "json/json.h"

#include <stdint.h>

/** The variables every expression is compiled with, in this order. Availability by place is checked
 * when reading (V21); one that is not available where an expression stands is never used in it. */
enum variable {
    VARIABLE_CONTEXT,
    VARIABLE_INPUT,
    VARIABLE_OUTPUT,
    VARIABLE_SECRETS,
    VARIABLE_TASK,
    VARIABLE_WORKFLOW,
    VARIABLE_RUNTIME,
    VARIABLE_AUTHORIZATION,
    VARIABLE_STEPS,
    VARIABLE_STANDARD_COUNT,
};

/** After the standard ones come those of the enclosing tasks, outermost first. */
struct scope_variable {
    const char *name; /* without $ */
    uint32_t task;    /* task_index of the `for`, `try` that declares it */
    enum scope_variable_kind { SCOPE_ITEM, SCOPE_INDEX, SCOPE_ERROR } kind;
};

struct expression {
    const struct expr *program;
    uint32_t variables_used;            /* a bit per variable, as expr_variables_used() */
    const struct scope_variable *scope; /* `scope_count` of them, from VARIABLE_STANDARD_COUNT on */
    uint32_t scope_count;
    uint64_t secrets_used; /* of `use.secrets`, a bit each */
    const char *source;    /* the text between the braces, for messages */
    uint32_t line, column; /* of its first character in the definition */
};

enum template_kind {
    TEMPLATE_CONSTANT,
    TEMPLATE_EXPRESSION,
    TEMPLATE_ARRAY,
    TEMPLATE_OBJECT,
    TEMPLATE_URI, /* text with {name} parts, filled from the top-level members of the input (C3) */
};

struct template
{
    enum template_kind kind;
    json constant; /* frozen; for TEMPLATE_URI the text; for TEMPLATE_EXPRESSION what it yields if
                      it fails (mode loose), else JSON_INVALID */
    const struct expression *expression;
    const struct template *const *items; /* array; values of an object */
    json keys;                           /* frozen array of texts: an object's keys */
    uint32_t count;
};

/**
 * Where an evaluation gets its variables from: the caller answers for each that is used. `scope` is
 * NULL for a standard variable. Returns a view that stays valid during the evaluation, or
 * JSON_INVALID for "no value" (null).
 */
struct variables {
    /* Told of each expression before its variables are asked for; NULL: not wanted. */
    void (*begin)(const struct expression *expression, void *context);
    json (*get)(enum variable variable, const struct scope_variable *scope, void *context);
    void *context;
    bool masks_secrets;               /* see below */
    int64_t now_us;                   /* what `now` answers */
    const struct expr_limits *limits; /* NULL: the defaults */
};

/*
 * An expression that names secrets says nothing of why it failed but its place, since jq's messages
 * hold pieces of values. With `masks_secrets` the caller answers `***` for every secret, and one
 * that fails for that reason (`***` is no number, no base64) yields `***` itself.
 */

/**
 * Evaluates with `.` = `input`. `*ret_value` is owned. An expression that fails gives
 * INVALID_ARGUMENT or RESOURCE_EXHAUSTED with jq's message and the place in the definition.
 */
status template_eval(const struct template *template, json input, const struct variables *variables,
                     json *ret_value, struct error *reterr);

status expression_eval(const struct expression *expression, json input,
                       const struct variables *variables, json *ret_value, struct error *reterr);

/** The truth of an expression's first output. */
status expression_test(const struct expression *expression, json input,
                       const struct variables *variables, bool *ret_truth, struct error *reterr);

#endif
