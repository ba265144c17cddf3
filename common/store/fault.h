/**
 * fault: for tests: makes the n-th operation of a store fail.
 *
 * An operation is a begin, renew, get, put, insert, append, delete, count, last, cursor step,
 * cursor deletion or commit, of any transaction. A failing commit changes nothing on disk, but the
 * store behaves as after a real one: RESOURCE_EXHAUSTED lets it go on, anything else is final.
 *
 * Loop over n until the code under test passes with store_fault_is_pending() still true: then every
 * error path was taken. Not thread-safe: for tests of one thread.
 */
#ifndef STORE_FAULT_H
#define STORE_FAULT_H

#include "base/status.h"
#include "store/store.h"

#include <stdint.h>

/** From now on the `nth` operation (from 1) fails with `code`, once. 0 switches it off. */
void store_fault_at(struct store *store, uint64_t nth, status code);

/** The same, but only puts, inserts, appends, deletions and commits count: what a full disk or a
 * failing one does. Reading a mapped file does not fail. */
void store_fault_write_at(struct store *store, uint64_t nth, status code);

/** The next commit fails with `code`, once; STATUS_OK: it does not. */
void store_fault_at_commit(struct store *store, status code);

/** Says whether the failure is still to come. */
bool store_fault_is_pending(const struct store *store);

/** A store in memory after a failure that was final: what a new process would find, which is all
 * that was committed. No transaction may be open. */
void store_revive(struct store *store);

#endif
