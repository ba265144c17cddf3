/**
 * call_cache: the answers of calls that are kept for others, and who waits for one (E16): rows of
 * the system partition.
 *
 * A caller asks (call_cache_asked). It gets an answer that is young enough; or it is told to make
 * the call, and leads: equal calls wait for it; or it waits. Whoever leads ends with an answer,
 * which all who wait get, or without one: then the next of them leads. Who leads is asked now and
 * then whether it still does (probe): one that does not answer leads no more.
 *
 * Promises: whoever asked and has not ended is either answered, or waits for a lead that answers
 * probes; the same question twice is the same question. A namespace never has more entries or bytes
 * than the limits say: what has expired goes first, then the oldest.
 *
 * Does not know runs: what it has to say goes out by `send`, in the same transaction.
 *
 * Threads: the one of the transaction. Everything is a row; nothing lives in memory.
 */
#ifndef SCHEDULER_TABLES_CALL_CACHE_H
#define SCHEDULER_TABLES_CALL_CACHE_H

#include "message.pb-c.h"
#include "scheduler/tables/record.h"

enum {
    CALL_CACHE_WAITERS_MAX = 10'000,  /* of one call; more of them call themselves */
    CALL_CACHE_TOLD_MAX    = 100,     /* callers answered in one step */
    CALL_CACHE_TOLD_BYTES  = 4 << 20, /* of answers in one step; one may be larger */
    CALL_CACHE_EXPIRED_MAX = 500,     /* entries deleted in one step */
    CALL_CACHE_CLEARED_MAX = 5'000,   /* likewise, by one request */
};

/* How long a lead is believed without asking, and then without an answer. */
#define CALL_CACHE_PROBE_US (INT64_C(30) * 1'000'000)

/** Of a namespace. */
struct call_cache_limits {
    uint64_t entries_max;     /* 0: CALL_CACHE_ENTRIES_DEFAULT */
    uint64_t bytes_max;       /* of values; 0: CALL_CACHE_BYTES_DEFAULT */
    uint64_t value_bytes_max; /* of one; 0: CALL_CACHE_VALUE_DEFAULT */
};
enum {
    CALL_CACHE_ENTRIES_DEFAULT = 10'000,
    CALL_CACHE_BYTES_DEFAULT   = 64 << 20,
    CALL_CACHE_VALUE_DEFAULT   = 256 << 10,
    CALL_CACHE_VALUE_MAX       = 4 << 20,
};

/** Fills in the defaults. */
struct call_cache_limits call_cache_limits_of(const struct call_cache_limits *limits);

struct call_cache_counts {
    uint64_t hits, joined, misses; /* callers: answered at once, after a wait, told to call */
    uint64_t stored, refused;      /* answers kept; too large to be */
    uint64_t expired, evicted, cleared;
};

/** One step, within a transaction. */
struct call_cache {
    struct txn *txn;
    struct arena *arena; /* borrowed; what is read lives as long as it */
    int64_t now_us;
    struct call_cache_limits limits; /* without zeros */

    /** To the owner of `run`. */
    status (*send)(const char *run, const Pb__Message *message, struct error *reterr,
                   void *context);
    void *context;

    struct call_cache_counts counts; /* of this step */
    size_t told, told_bytes;         /* likewise */
};

/* Messages of callers. What makes no sense is ignored. Fail as the store does. */
status call_cache_asked(struct call_cache *cache, const Pb__CacheAsk *ask, struct error *reterr);
status call_cache_ended(struct call_cache *cache, const Pb__CacheEnd *end, struct error *reterr);
status call_cache_alive(struct call_cache *cache, const Pb__CacheAlive *alive,
                        struct error *reterr);

/** Does what is due: probes, lost leads, answers that are left over, expired entries. */
status call_cache_due(struct call_cache *cache, struct error *reterr);

/** When call_cache_due() has something to do; INT64_MAX: never. */
status call_cache_next_due(struct txn *txn, int64_t *ret_due_us, struct error *reterr);

/** Deletes entries; callers that wait go on waiting. */
status call_cache_clear(struct call_cache *cache, const Pb__ClearCache *wanted,
                        Pb__ClearedCache *ret_cleared, struct error *reterr);

/** Adds up the totals of a namespace, or of all ("*"). */
status call_cache_stats(struct txn *txn, str namespace, struct arena *arena,
                        Pb__CacheTotals *ret_totals, struct error *reterr);

#endif
