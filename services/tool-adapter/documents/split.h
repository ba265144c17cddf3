/**
 * split: a document into chunks that models can be given, in reading order.
 *
 * A chunk is a range of the text: whole paragraphs, sentences or sections as long as they fit into
 * `size`. What is larger than `size` is divided at the next smaller seam: sentences, lines, words,
 * characters. Code and rows of tables are divided only if they alone exceed `size`, UTF-8 sequences
 * never. A chunk begins with up to `overlap` of what the one before ended with, from the beginning
 * of a word. A heading does not end a chunk: it goes with what it is about.
 *
 * The same input gives the same chunks, always: nothing else has a part in it. Pure; any thread.
 */
#ifndef TOOL_ADAPTER_DOCUMENTS_SPLIT_H
#define TOOL_ADAPTER_DOCUMENTS_SPLIT_H

#include "tool-adapter/documents/blocks.h"

enum {
    SPLIT_CHUNKS_MAX = 10'000,
    SPLIT_SIZE_MIN   = 16,
    SPLIT_SIZE_MAX   = 1'000'000,
    SPLIT_TOKEN      = 4, /* bytes: an estimate that holds for most tokenizers and languages */
};

enum split_unit { SPLIT_CHARS, SPLIT_TOKENS }; /* code points; SPLIT_TOKEN bytes */

enum split_by {
    SPLIT_PARAGRAPHS, /* as many whole paragraphs as fit */
    SPLIT_SENTENCES,  /* as many whole sentences as fit */
    SPLIT_HEADINGS,   /* the same as paragraphs, but each section begins a chunk */
};

struct split_options {
    enum split_unit unit;
    enum split_by by;
    size_t size;    /* of a chunk, overlap included; in units */
    size_t overlap; /* at most half of `size` */
};

struct chunk {
    size_t start, end;            /* bytes of the text */
    str headings[HEADING_LEVELS]; /* it stands below, outermost first; views of the text */
    unsigned heading_count;
};

struct chunks {
    struct chunk *items;
    size_t count, capacity;
};

void chunks_done(struct chunks *chunks);

/** Release: chunks_done(), also after a failure. INVALID_ARGUMENT: a size or overlap that cannot
 * be, or more than SPLIT_CHUNKS_MAX chunks. */
status split_blocks(const struct blocks *blocks, const struct split_options *options,
                    struct chunks *ret_chunks, struct error *reterr);

#endif
