/**
 * atoms: the smallest pieces of a document that a chunk takes as a whole, in order. Each fits into
 * the size that the options say.
 */
#ifndef TOOL_ADAPTER_DOCUMENTS_ATOMS_H
#define TOOL_ADAPTER_DOCUMENTS_ATOMS_H

#include "tool-adapter/documents/split.h"

struct atom {
    size_t start, end; /* bytes */
    size_t block;      /* its number */
};

struct atoms {
    const struct blocks *blocks;
    const struct split_options *options;
    size_t size;  /* of a chunk, as weight */
    size_t block; /* where it goes on */
    size_t at;    /* byte; 0: at the block's beginning */
};

/** What a piece of text takes: code points, or bytes of SPLIT_TOKENS. */
size_t atoms_weight(enum split_unit unit, str text);

struct atoms atoms_of(const struct blocks *blocks, const struct split_options *options);

/** False: there are no more. */
bool atoms_next(struct atoms *atoms, struct atom *ret_atom);

#endif
