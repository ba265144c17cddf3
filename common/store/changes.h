/**
 * changes: what a transaction does to the entries of its store, written down as bytes.
 *
 * One after the other: 1 slot name (u8 length): what a slot stands for; 2 slot u8, key u16 length,
 * value u32 length, both: put; 3 slot, key: deleted. Each transaction names its tables anew, so
 * that a release with other tables reads it. redo_take() (redo.h) reads them back.
 */
#ifndef STORE_CHANGES_H
#define STORE_CHANGES_H

#include "base/buf.h"
#include "store/store.h"

enum change_kind { CHANGE_NAME = 1, CHANGE_PUT, CHANGE_DELETION };

enum { CHANGE_TABLE_NAME_MAX = 63 /* bytes */ };

struct changes {
    struct buf buf;
    size_t mark;    /* before the last change */
    uint64_t named; /* a bit for each slot whose name stands in the transaction */
    uint64_t marked_named;
};

/** Another transaction begins: nothing is noted. Memory above `kept_max` bytes is given back. */
void changes_clear(struct changes *changes, size_t kept_max);

/** Notes a change that is about to be tried: afterwards what it was made from may be gone. `value`
 * only with CHANGE_PUT. False: it does not fit, and `changes` is of no more use but to be cleared.
 */
bool changes_add(struct changes *changes, enum change_kind kind, unsigned table, const char *name,
                 bytes key, bytes value);

/** The last change was refused: it is as if it had not been noted. */
void changes_undo(struct changes *changes);

#endif
