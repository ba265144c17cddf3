/**
 * workload: commits as a partition makes them, made up from a seed: a journal that grows, rows that
 * change and go, values that take whole pages, and transactions that are dropped.
 *
 * The same commits go to a store in memory, which says what must be in the one on disk after each.
 */
#ifndef CRASH_WORKLOAD_H
#define CRASH_WORKLOAD_H

#include "base/hash.h"
#include "recording.h"
#include "store/store.h"

enum { WORKLOAD_SIZE_MAX = 64 << 20 /* bytes of the map */ };

/** What a store holds: of all its tables, keys and values. */
struct fingerprint {
    uint8_t digest[SHA256_SIZE];
};

struct workload {
    uint64_t seed;
    uint64_t commits;           /* made; commit n has number n, from 1 */
    struct fingerprint *after;  /* [0 .. commits]; owned */
    struct recording recording; /* owned */
};

/** Opens the workload's tables in the folder `path`. */
status workload_open(const char *path, struct store **ret_store, struct error *reterr);

/** What `commits` commits must leave. Owned: workload_done(). */
status workload_new(uint64_t seed, uint64_t commits, struct workload *ret_workload,
                    struct error *reterr);

/** Makes the commits in a new store in the empty folder `path`; `acked` hears of each that is
 * acknowledged. Fails as the store does. */
status workload_play(struct workload *workload, const char *path,
                     void (*acked)(uint64_t number, void *context), void *context,
                     struct error *reterr);

/** Makes `commits` commits in a new store in the empty folder `path`, and records them. Owned:
 * workload_done(). Fails as the store does. */
status workload_run(const char *path, uint64_t seed, uint64_t commits,
                    struct workload *ret_workload, struct error *reterr);
void workload_done(struct workload *workload);

/** Opens the folder `path`, in which no log may be, as a release would that has none. Refused: its
 * guard is raised; else `*ret_found` is what such a release would go on from. Fails if it cannot be
 * read. May crash: after a power cut the file need not be a tree. */
status workload_see_without_log(const char *path, bool *ret_is_refused,
                                struct fingerprint *ret_found, struct error *reterr);

/** One more commit after those of the workload, to see that a store goes on. */
status workload_go_on(struct store *store, uint64_t number, struct error *reterr);

/** Fails as the store does. */
status fingerprint_of(struct store *store, struct fingerprint *ret_fingerprint,
                      struct error *reterr);

#endif
