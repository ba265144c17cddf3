/* prelude: the builtins that are written in the language. See builtins.h. */
#ifndef EXPR_PRELUDE_H
#define EXPR_PRELUDE_H

#include "expr/builtins.h"

/* Sorted by name and arity. */
const struct builtin *prelude_table(uint32_t *ret_count);

#endif
