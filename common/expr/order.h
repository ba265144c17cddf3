/*
 * order: comparing values on a budget.
 *
 * json_compare() knows no fuel: two values that share their parts may be exponentially larger than
 * their memory. So an evaluation compares with these, which spend a step per member and stop at
 * jq's depth of 10,000.
 */
#ifndef EXPR_ORDER_H
#define EXPR_ORDER_H

#include "expr/vm.h"

enum { ORDER_DEPTH_MAX = 10'000 };

/* `*ret_order` is 0 if both are equal. False: raised. */
bool order_equal(struct expr_run *vm, json a, json b, int *ret_order);

/* jq's order: < 0, 0, > 0. */
bool order_compare(struct expr_run *vm, json a, json b, int *ret_order);

#endif
