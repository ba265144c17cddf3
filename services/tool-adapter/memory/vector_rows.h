/**
 * vector_rows: how vectors lie in the store: several in a row, so that a search reads long pieces
 * of memory in order. One vector per row costs three times as much: a page holds two, and each
 * begins with a wait for memory.
 *
 * Row: which of its slots are taken (a bit each), 8 bytes unused, slots of floats; then for each
 * slot step and error of its code, and its code (vector_codes.h). Rows of releases without codes
 * end behind the floats, and get theirs when they are written. A vector's sequence says in which
 * row and slot it is.
 */
#ifndef TOOL_ADAPTER_MEMORY_VECTOR_ROWS_H
#define TOOL_ADAPTER_MEMORY_VECTOR_ROWS_H

#include "tool-adapter/memory/memory_store_internal.h"

enum {
    VECTOR_ROW_SIZE  = 64 << 10, /* bytes, at most; more where one vector is larger */
    VECTOR_ROW_SLOTS = 64,       /* at most: bits of `taken` */
    VECTOR_ROW_HEAD  = 16,       /* bytes */
};

struct vector_row {
    uint64_t taken;
    uint64_t first;    /* sequence of slot 0 */
    const void *slots; /* a view; floats at any address */
    const void *marks; /* of struct vector_code, at any address; NULL: it has no codes */
    const int8_t *codes;
};

/** Slots of a row of vectors with so many dimensions: a power of 2. */
unsigned vector_row_slots(uint32_t dimensions);

/** DATA_LOSS: it is none of such vectors. `key` is that of the row. */
status vector_row_read(uint32_t dimensions, bytes key, bytes value, struct vector_row *ret_row,
                       struct error *reterr);

/** Of the code in a slot of a row that has codes. */
struct vector_code vector_row_code(const struct vector_row *row, unsigned slot);

/** The vector of an entry; NULL: there is none. A view of the transaction. */
const void *vector_find(struct txn *txn, uint32_t space, const Pb__MemoryVersion *version,
                        uint64_t sequence);

/** Noted until vectors_write(), which vector_find() does not see; the last word counts. `vector` is
 * borrowed until then. NULL as a version: there is nothing to delete. */
void vector_put(struct change *change, Pb__MemoryVersion *version, uint64_t sequence,
                const float *vector);
void vector_delete(struct change *change, Pb__MemoryVersion *version, uint64_t sequence);

/** Writes what was noted, each row once, and keeps the versions' `count`. At the end of a change;
 * before that where versions come and go. */
status vectors_write(struct change *change, struct error *reterr);

#endif
