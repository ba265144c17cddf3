/**
 * generate: expressions and inputs by chance, for comparing with other jqs. Everything comes from
 * one seed, so a run is the same everywhere.
 */
#ifndef EXPR_GENERATE_H
#define EXPR_GENERATE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct generator {
    uint64_t state;
    struct buf *out;
    bool is_newer; /* what 1.7 added or mended, too */
};

/** Appends an expression with exactly one output: an array of what was generated, or "raised". */
void generate_program(struct generator *g);

/** Appends an input: an object of numbers, texts, arrays and objects. */
void generate_input(struct generator *g);

#endif
