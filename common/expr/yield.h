/* yield: how many values a program can have, as far as its tree tells. */
#ifndef EXPR_YIELD_H
#define EXPR_YIELD_H

#include "expr/ast.h"
#include "expr/expr.h"

/* EXPR_YIELDS_ONE only if it is exactly one, whatever the input. */
enum expr_yield yield_of(const struct node *node);

#endif
