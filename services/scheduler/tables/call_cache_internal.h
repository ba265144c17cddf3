/* What the files of the table share: keys, entries, totals. */
#ifndef SCHEDULER_TABLES_CALL_CACHE_INTERNAL_H
#define SCHEDULER_TABLES_CALL_CACHE_INTERNAL_H

#include "scheduler/tables/call_cache.h"

/** Which answer: whose rows are found by it. */
struct cache_place {
    str namespace, digest;
};

/* What TABLE_CALL_CACHE_ORDER is sorted by. On disk. */
enum cache_order {
    ORDER_LEAD   = 1, /* due (u64), namespace, digest: a lead is to be looked at */
    ORDER_EXPIRY = 2, /* expires (u64), namespace, digest */
    ORDER_AGE    = 3, /* namespace, stored (u64), digest */
};

void place_key(struct key *key, const struct cache_place *place);
void order_key(struct key *key, enum cache_order order, int64_t time_us,
               const struct cache_place *place);

/** Of ORDER_LEAD and ORDER_EXPIRY; the texts are copied into `arena`. False: damaged. */
bool order_key_read(bytes raw, struct arena *arena, int64_t *ret_time_us,
                    struct cache_place *ret_place);

/** The first row of ORDER_LEAD or ORDER_EXPIRY. NOT_FOUND: none. */
status order_first(struct txn *txn, enum cache_order order, struct arena *arena,
                   int64_t *ret_time_us, struct cache_place *ret_place, struct error *reterr);

status order_put(struct txn *txn, enum cache_order order, int64_t time_us,
                 const struct cache_place *place, struct error *reterr);
status order_delete(struct txn *txn, enum cache_order order, int64_t time_us,
                    const struct cache_place *place, struct error *reterr);

/** `*ret_entry` NULL: none that is newer than that, and young enough (`max_age_us` 0: of any age).
 */
struct entry_wish {
    int64_t newer_than_us, max_age_us;
};
status entry_find(struct call_cache *cache, const struct cache_place *place,
                  const struct entry_wish *wish, Pb__CacheEntry **ret_entry, struct error *reterr);

/** Keeps an answer, and makes room for it. */
status entry_keep(struct call_cache *cache, const struct cache_place *place,
                  const Pb__CacheEnd *end, struct error *reterr);

status entries_expire(struct call_cache *cache, struct error *reterr);

/** What is added to the totals of a namespace; differences, which may be negative. */
struct totals_change {
    int64_t hits, misses, entries, bytes;
};
status totals_add(struct call_cache *cache, str namespace, const struct totals_change *change,
                  struct error *reterr);

#endif
