/* How transactions tell redo what they do. */
#ifndef STORE_REDO_INTERNAL_H
#define STORE_REDO_INTERNAL_H

#include "store/changes.h"
#include "store/redo.h"
#include "store/store_internal.h"

/* All are called with a store that keeps redo, by its writer. */

void redo_begin(struct redo *redo);

/* Notes a change that is about to be tried; then exactly one of the two: it was done, or it was
 * harmlessly refused. */
void redo_note(struct txn *txn, enum change_kind kind, unsigned table, bytes key, bytes value);
status redo_done(struct txn *txn, struct error *reterr);
void redo_undone(struct redo *redo);

/* Writes what is left, and deletes what was taken; right before the commit. */
status redo_seal(struct txn *txn, struct error *reterr);

/* The transaction has ended. */
void redo_end(struct redo *redo, bool is_committed);

void redo_free(struct redo *redo);

#endif
