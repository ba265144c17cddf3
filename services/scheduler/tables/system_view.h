/**
 * system_view: the system partition as a process sees it that does not own it.
 *
 * All scheduler processes share one data folder on one machine, so the store of partition 0 is
 * opened there for reading only. What its owner commits is seen here at once, also after the owner
 * has died; subscriptions, which are kept in memory, are seen after SYSTEM_VIEW_PERIOD_MS.
 *
 * Threads: opened by main; a refresh by one thread at a time.
 */
#ifndef SCHEDULER_SYSTEM_VIEW_H
#define SCHEDULER_SYSTEM_VIEW_H

#include "scheduler/tables/subscriptions.h"

enum {
    SYSTEM_VIEW_PERIOD_MS = 250,    /* between refreshes: the scheduler's ticker */
    SYSTEM_VIEW_WAIT_MS   = 30'000, /* at the very first start, for the owner to make it */
};

/** Waits until the owner of partition 0 has made its store in `folder`. Owned: store_close().
 * FAILED_PRECONDITION: it did not in SYSTEM_VIEW_WAIT_MS; else as store_open_shared(). */
status system_view_open(const char *folder, uint64_t map_size, struct store **ret_store,
                        struct error *reterr);

/** Reads what is kept in memory once more. */
void system_view_refresh(struct subscriptions *subscriptions, struct store *system);

#endif
