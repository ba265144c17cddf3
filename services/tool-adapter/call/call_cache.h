/**
 * call_cache: outputs of reads that may be given again to equal calls, and calls that wait for an
 * equal one under way (`cache` of a manifest's action).
 *
 * In memory of this process, the least recently used go first. Failures are never kept. A flight is
 * a call under way that others with its key wait for: when it has an output, all get it; without
 * one, the one that waits longest goes itself.
 *
 * An output whose time is over stays where the other side can be asked whether it still holds
 * (validators.h), until others need its room.
 *
 * Threads: all on one loop.
 */
#ifndef TOOL_ADAPTER_CALL_CACHE_H
#define TOOL_ADAPTER_CALL_CACHE_H

#include "base/hash.h"
#include "json/json.h"

#include <stddef.h>

enum {
    CALL_CACHE_SIZE_MAX   = 64 << 20, /* bytes of all outputs, with their validators */
    CALL_CACHE_COUNT_MAX  = 100'000,
    CALL_CACHE_OUTPUT_MAX = 1 << 20, /* bytes of one; a larger one is not kept */
};

struct call_key {
    uint8_t digest[SHA256_SIZE];
};

struct call_cache;
struct call_cache *call_cache_new(size_t size_max); /* owned */
void call_cache_freep(struct call_cache **cache);   /* nobody is on a flight any more */

/** An output whose time is not over; a new reference. JSON_INVALID: there is none. */
json call_cache_find(struct call_cache *cache, const struct call_key *key, int64_t now_ms);

/** One whose time is over, and by what it can be asked after; new references. JSON_INVALID: there
 * is none. */
json call_cache_old(struct call_cache *cache, const struct call_key *key, json *ret_validators);

/** Keeps a copy of an output until `until_ms`, in place of an older one of its key: constants of
 * the configuration that it holds may go before. `validators`: JSON_INVALID: it is not asked
 * after. */
void call_cache_put(struct call_cache *cache, const struct call_key *key, json output,
                    json validators, int64_t until_ms);

/** The same for an old one that still holds. */
void call_cache_renew(struct call_cache *cache, const struct call_key *key, json output,
                      json validators, int64_t until_ms);

struct call_cache_stats {
    uint64_t entries, bytes, bytes_max;
    /* Since the start. `misses`: went themselves; `shared`: were given the output of another. */
    uint64_t hits, misses, shared, evicted, renewed;
};
struct call_cache_stats call_cache_stats(const struct call_cache *cache);

/** --- Flights ------------------------------------------------------------------------------- */

/** Who leads a flight, or waits for one. Zeroed but for `landed` and `context`. */
struct passenger {
    struct flight *flight; /* NULL: neither */
    bool is_leader;
    struct passenger *next;
    /* It has landed with this output (a view); JSON_INVALID: go yourself, you lead it now. Makes
     * nobody else leave. */
    void (*landed)(json output, void *context);
    void *context;
};

/** True: it leads, and goes. False: somebody else does, and `landed` will be called. */
bool call_cache_board(struct call_cache *cache, const struct call_key *key,
                      struct passenger *passenger);

/** The leader has an output, or none (JSON_INVALID). Calls `landed` of those who wait. */
void call_cache_land(struct call_cache *cache, struct passenger *leader, json output);

/** From now on no place passes on: nobody who waits is called, all are about to leave. */
void call_cache_close(struct call_cache *cache);

/** It gives up. A leader's place passes on. Does nothing for who is on none. */
void call_cache_leave(struct call_cache *cache, struct passenger *passenger);

#endif
