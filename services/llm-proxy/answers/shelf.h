/**
 * shelf: what the store of answers keeps beside them, because it is good to have and nobody waits
 * for it: a row under a key, the oldest go first.
 *
 * A row is on the disk a moment after it was put there: the thread that writes answers commits it
 * with them. Without a folder nothing is kept here. A disk that is full keeps no rows, and those
 * that are there make room for answers. A row that is damaged is none.
 *
 * Threads: as answers.h.
 */
#ifndef LLM_PROXY_ANSWERS_SHELF_H
#define LLM_PROXY_ANSWERS_SHELF_H

#include "llm-proxy/answers/answers.h"

enum shelf {
    SHELF_VAULT, /* vault.h, by ids of calls; SHELF_VAULT_MAX */
    SHELF_CACHE, /* answer_cache.h, by digests; SHELF_CACHE_MAX */
    SHELF_COUNT
};

enum {
    SHELF_KEY_MAX     = 64,       /* bytes */
    SHELF_VAULT_MAX   = 64 << 20, /* bytes of all rows */
    SHELF_CACHE_MAX   = 1 << 30,
    SHELF_WAITING_MAX = 128 << 20, /* bytes that wait for the disk: above, nothing is put there */
};

/** Puts a copy of `row` (not empty) there, in place of what `key` had. After `expires_us` (clock of
 * answers_options) it may go. */
void shelf_put(struct answers *answers, enum shelf shelf, bytes key, bytes row, int64_t expires_us);

/** Takes it away: from now on it is not found. */
void shelf_drop(struct answers *answers, enum shelf shelf, bytes key);

/** Reads a row; false: there is none that is committed, or its time is over. A view of the store,
 * for as long as `use` takes. */
typedef void shelf_use(bytes key, bytes row, void *context);
bool shelf_get(struct answers *answers, enum shelf shelf, bytes key, shelf_use *use, void *context);

/** Reads all rows, in the order in which they were put there. After answers_open(), before the
 * loop runs. Views of the store, for as long as `use` takes. Fails as the store does. */
status shelf_each(struct answers *answers, enum shelf shelf, shelf_use *use, void *context,
                  struct error *reterr);

#endif
