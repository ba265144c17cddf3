/**
 * change: what a call writes to a memory store, and the commit that waiting calls share.
 *
 * One thread writes at a time. Those that come meanwhile wait in line; whoever is first in it when
 * the disk is free writes for all of them, in their order, and commits once. If anything of that
 * fails, nothing of it counts, and each is written by itself: what one call is told never comes
 * from another one.
 *
 * Vectors lie several in a row of the store. A row is written once per commit, whatever has been
 * put into it, by calls for one space one after the other too.
 */
#ifndef TOOL_ADAPTER_MEMORY_MEMORY_CHANGE_H
#define TOOL_ADAPTER_MEMORY_MEMORY_CHANGE_H

#include "memory.pb-c.h"
#include "store/key.h"
#include "store/store.h"
#include "tool-adapter/memory/memory_store.h"

#include <pthread.h>

enum { CHANGES_PER_COMMIT = 16 /* calls */ };

/** A vector that is put or deleted when the change is settled. */
struct vector_write {
    Pb__MemoryVersion *version;
    uint64_t sequence;
    const float *vector; /* borrowed until then; NULL: it is deleted */
    size_t number;       /* in the order of the calls */
};

/** A transaction that writes, and the row of the space whose turn it is. */
struct change {
    struct txn *txn;
    const struct memory_scope *scope;
    Pb__MemorySpace *space; /* NULL: there is none */
    struct vector_write *vectors;
    size_t vector_count, vector_room;
};

/** Changes what is in `change`. On another thread than its owner's, who waits; called again after a
 * failure that may have been another one's. */
typedef status (*change_fn)(struct change *change, struct error *reterr, void *context);

/** Who waits, on the stack of its thread. */
struct change_ask {
    const struct memory_scope *scope;
    change_fn run;
    void *context;
    struct error *reterr;
    status code;
    bool is_done;
    struct change_ask *next;
};

/** The line of those who wait to write; all of it under the mutex. */
struct change_queue {
    pthread_mutex_t mutex;
    pthread_cond_t written;
    bool is_writing;
    struct change_ask *first, *last;
};

void change_queue_init(struct change_queue *queue);
void change_queue_done(struct change_queue *queue);

/** Runs `run` in a transaction and commits, unless it fails. Waits for other writers. The caller
 * reads no snapshot meanwhile. Fails as `run` and txn_commit() do. */
status change_run(struct memory_store *store, const struct memory_scope *scope, change_fn run,
                  void *context, struct error *reterr);

#endif
