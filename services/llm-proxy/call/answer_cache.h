/**
 * answer_cache: answers that may be given again to equal requests, and requests that wait for an
 * equal one under way.
 *
 * In memory, the least recently used ones go first; a keeper may have more (answer_shelf.h). A key
 * is a digest of all that an answer depends on; who may get an answer of which age says whoever
 * asks.
 *
 * A flight is a request under way that others with its key wait for. When it lands with an answer,
 * all get it; without one, the one that waits longest goes itself, and if that has none either, all
 * do, side by side. Nor does anybody wait for a leader whose own reader is too slow: one of those
 * that wait leads as well, and all wait for both.
 *
 * Threads: all on one loop.
 */
#ifndef LLM_PROXY_ANSWER_CACHE_H
#define LLM_PROXY_ANSWER_CACHE_H

#include "base/hash.h"
#include "llm-proxy/stream/event_log.h"

enum {
    ANSWER_CACHE_SIZE_MAX  = 64 << 20, /* bytes of all answers */
    ANSWER_CACHE_COUNT_MAX = 100'000,
    SAVED_ANSWER_SIZE_MAX  = 1 << 20, /* bytes of one */
    SAVED_NAME_SIZE        = 256,
    FLIGHT_MISSES_MAX      = 2,     /* leaders without an answer; then nobody waits any more */
    FLIGHT_LEADERS_MAX     = 3,     /* at once; likewise */
    FLIGHT_PATIENCE_MS     = 5'000, /* after which who waits looks whether it is held up */
};

struct answer_key {
    uint8_t digest[SHA256_SIZE];
};

/** Of the answers that only clients of that protocol can be given, under a key that requests of
 * several have. */
struct answer_key answer_key_within(const struct answer_key *key, enum llm_protocol protocol);

/** Says whether clients of all protocols can be given it: it has no thoughts, and nothing that its
 * upstream wants back. */
bool answer_is_for_all(const struct event_log *log);

/** An answer, and what it has cost. */
struct saved_answer {
    uint32_t refs;
    struct answer_key key;
    struct event_log log;
    char provider[SAVED_NAME_SIZE], model[SAVED_NAME_SIZE];
    int64_t cost_usd_nanos;
    bool is_simulated;
    int64_t born_ms; /* of the loop */
    size_t size;
    bool is_listed;
    bool is_of_vault; /* it calls tools by ids of the vault (vault.h), and is as old as that at most
                       */
    struct saved_answer *newer, *older;
};

struct saved_answer *saved_answer_new(void); /* owned: saved_answer_unref() */
struct saved_answer *saved_answer_ref(struct saved_answer *saved);
void saved_answer_unref(struct saved_answer *saved); /* NULL is fine */

/** Keeps answers over the life of a cache, and its limits. */
struct answer_keeper {
    void (*put)(const struct saved_answer *saved, void *context);
    void (*forget)(const struct answer_key *key, void *context);
    struct saved_answer *(*find)(const struct answer_key *key, void *context); /* owned, or NULL */
    void *context;
};

struct answer_cache;
struct answer_cache *answer_cache_new(size_t size_max); /* owned */
void answer_cache_freep(struct answer_cache **cache);

/** What is put in or forgotten from now on is said to it, and what is not in memory it is asked
 * for. Copied. */
void answer_cache_keep_with(struct answer_cache *cache, const struct answer_keeper *keeper);

/** An answer that is not older than that; owned by the caller. NULL: there is none. */
struct saved_answer *answer_cache_find(struct answer_cache *cache, const struct answer_key *key,
                                       int64_t max_age_ms, int64_t now_ms);

/** Keeps it (its own reference) in place of an older one of its key. */
void answer_cache_put(struct answer_cache *cache, struct saved_answer *saved);

/** Nobody gets that one any more. */
void answer_cache_forget(struct answer_cache *cache, const struct answer_key *key);

size_t answer_cache_size(const struct answer_cache *cache);

/** --- Flights ------------------------------------------------------------------------------- */

/** Who leads a flight, or waits for one. Zeroed but for `landed` and `context`. */
struct passenger {
    struct flight *flight; /* NULL: neither */
    bool is_leader;
    bool is_held; /* of a leader: its reader is full; said by its owner */
    struct passenger *next;
    /* It has landed with this (borrowed); NULL: go yourself. */
    void (*landed)(struct saved_answer *saved, void *context);
    void *context;
};

/** True: it leads, and goes. False: somebody else does, `landed` will be called. */
bool answer_cache_board(struct answer_cache *cache, const struct answer_key *key,
                        struct passenger *passenger);

/** The leader has an answer, or none (NULL). */
void answer_cache_land(struct answer_cache *cache, struct passenger *leader,
                       struct saved_answer *saved);

/** One that waits has been patient. True: its leaders are held up, or too many; it goes, and leads
 * as well. False: it waits on. */
bool answer_cache_overtake(struct answer_cache *cache, struct passenger *passenger);

/** Does not wait any more, or lands without an answer. One that is neither may leave as well. */
void answer_cache_leave(struct answer_cache *cache, struct passenger *passenger);

#endif
