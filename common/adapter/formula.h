/**
 * formula: values of a manifest: literals, and texts that begin with `=`, which are expressions.
 *
 * A value with all that is in it becomes one program, so that a request's body costs one
 * evaluation whatever its shape. An expression yields one value: none counts as null, more than one
 * is an error. In maps where it is asked for, entries that yield null are left out, unless they are
 * literally null in the manifest or stand in `keep_null`.
 *
 * `.` of every expression is the scope of the call (scope.h); there are no variables, no secrets,
 * and no access to the machine. Immutable: any thread.
 */
#ifndef ADAPTER_FORMULA_H
#define ADAPTER_FORMULA_H

#include "base/arena.h"
#include "base/status.h"
#include "json/json.h"

#include <stdbool.h>
#include <stdint.h>

struct formula;

/** Where an expression in the value does not compile. Texts live as long as the arena. */
struct formula_fault {
    const char *pointer; /* of the text, from the value on */
    size_t offset;       /* in the text, behind the `=` */
    const char *detail;
    const char *hint; /* "" if none */
};

enum formula_nulls { FORMULA_KEEPS_NULL, FORMULA_DROPS_NULL };

/** Says whether a value is an expression, or holds one. */
bool formula_is_expression(json value);
bool formula_is_constant(json value);

/**
 * Compiles `value`. `keep_null`: names of members of the outermost map that stay, a list of texts
 * or JSON_INVALID. Owned: formula_freep(). INVALID_ARGUMENT with `ret_fault`.
 */
status formula_compile(json value, enum formula_nulls nulls, json keep_null, struct arena *arena,
                       struct formula **ret_formula, struct formula_fault *ret_fault,
                       struct error *reterr);
void formula_free(struct formula *formula);
void formula_freep(struct formula **formula);

/** The value in `scope`; owned. `now_us` is what `now` answers. INVALID_ARGUMENT (the expression's
 * own error), RESOURCE_EXHAUSTED (its limits). */
status formula_eval(const struct formula *formula, json scope, int64_t now_us, json *ret_value,
                    struct error *reterr);

/** For conditions: an error counts as false, as null does. */
bool formula_test(const struct formula *formula, json scope, int64_t now_us);

#endif
