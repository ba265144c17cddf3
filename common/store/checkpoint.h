/**
 * checkpoint: for tests: when a store makes its file durable (adr/0012), step by step.
 *
 * Not thread-safe: for tests of one thread. Stores on disk only.
 */
#ifndef STORE_CHECKPOINT_H
#define STORE_CHECKPOINT_H

#include "store/store.h"

/** From now on no checkpoint begins by itself. Before the first commit. */
void store_checkpoint_by_hand(struct store *store);

/** The next commit begins one, unless one is under way. */
void store_checkpoint_want(struct store *store);

/** Does the work of the one under way, on this thread; the next commit ends it. NOT_FOUND: none is.
 */
status store_checkpoint_work(struct store *store, struct error *reterr);

#endif
