/*
 * plain: paths and conditions, evaluated without the machine.
 *
 * What people write as a condition is nearly always paths, scalars, comparisons, `and`, `or` and
 * `//`. Such a program yields exactly once and never backtracks, so it is also compiled to steps on
 * a short stack of views. Whatever is not as simple as that when it runs (a path into a text, a
 * comparison of arrays) is left to the machine, which then also words the error.
 */
#ifndef EXPR_PLAIN_H
#define EXPR_PLAIN_H

#include "expr/program.h"

/** Evaluates a program that has such steps; false: the machine must, and nothing has happened.
 * `*ret_value` is owned. */
bool plain_eval(const struct expr *expr, const struct expr_input *input, json *ret_value);

#endif
