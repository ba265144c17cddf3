/*
 * plain: programs that yield once, evaluated without the machine.
 *
 * Most of what people write is paths, conditions, texts with values in them, new objects,
 * arithmetic and a builtin or two: it yields exactly once and never goes back, so it needs no
 * frames, forks and registers. Such a program is also compiled to steps on a short stack of values.
 * What fails there (a path into a text, a sum of unlike values, a budget) is left to the machine,
 * which evaluates from the start and words the error: nothing has been changed that anybody can
 * see.
 */
#ifndef EXPR_PLAIN_H
#define EXPR_PLAIN_H

#include "expr/vm.h"

/** Evaluates a program that has such steps; false: the machine must. `*ret_value` is owned. `vm` is
 * a run without frames, under its meter; NULL if the program only looks. */
bool plain_eval(const struct expr *expr, const struct expr_input *input, struct expr_run *vm,
                json *ret_value);

#endif
