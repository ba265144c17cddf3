/* numbers: jq's arithmetic, on numbers that are exact as long as they are whole and fit int64. */
#ifndef EXPR_NUMBERS_H
#define EXPR_NUMBERS_H

#include "expr/vm.h"

json number_add(json a, json b);
json number_negate(struct expr_run *vm, json a);
json number_abs(json number);

/* Operators over all kinds. Results are owned; JSON_INVALID: raised. */
json value_add(struct expr_run *vm, json a, json b); /* takes a */
json value_subtract(struct expr_run *vm, json a, json b);
json value_multiply(struct expr_run *vm, json a, json b);
json value_divide(struct expr_run *vm, json a, json b);
json value_modulo(struct expr_run *vm, json a, json b);

#endif
