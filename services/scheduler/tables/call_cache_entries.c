/* Answers that are kept, in three orders: by what they answer, by when they expire, by age. */
#include "scheduler/tables/call_cache_internal.h"

#include "scheduler/run/wire.h"

struct call_cache_limits call_cache_limits_of(const struct call_cache_limits *limits)
{
    struct call_cache_limits full = *limits;
    if (full.entries_max == 0) full.entries_max = CALL_CACHE_ENTRIES_DEFAULT;
    if (full.bytes_max == 0) full.bytes_max = CALL_CACHE_BYTES_DEFAULT;
    if (full.value_bytes_max == 0) full.value_bytes_max = CALL_CACHE_VALUE_DEFAULT;
    if (full.value_bytes_max > full.bytes_max) full.value_bytes_max = full.bytes_max;
    return full;
}

/* --- keys --------------------------------------------------------------------------------------
 */

void place_key(struct key *key, const struct cache_place *place)
{
    key_begin(key);
    key_put_text(key, place->namespace);
    if (place->digest.len > 0) key_put_text(key, place->digest);
}

void order_key(struct key *key, enum cache_order order, int64_t time_us,
               const struct cache_place *place)
{
    key_begin(key);
    key_put_u8(key, (uint8_t)order);
    if (order == ORDER_AGE) key_put_text(key, place->namespace);
    key_put_u64(key, (uint64_t)time_us);
    if (order != ORDER_AGE) key_put_text(key, place->namespace);
    key_put_text(key, place->digest);
}

bool order_key_read(bytes raw, struct arena *arena, int64_t *ret_time_us,
                    struct cache_place *ret_place)
{
    bytes rest                = raw;
    uint8_t order             = 0;
    uint64_t time_us          = 0;
    struct key_text namespace = {};
    struct key_text digest    = {};
    if (!key_take_u8(&rest, &order)) return false;
    bool is_read = order == ORDER_AGE
                       ? key_take_text(&rest, &namespace) && key_take_u64(&rest, &time_us)
                       : key_take_u64(&rest, &time_us) && key_take_text(&rest, &namespace);
    if (!is_read || !key_take_text(&rest, &digest) || rest.len > 0) return false;
    if (time_us > INT64_MAX || namespace.is_digest || digest.is_digest) return false;
    *ret_time_us = (int64_t)time_us;
    ret_place->namespace =
        (str){text_in(arena, (str){namespace.data, namespace.len}), namespace.len};
    ret_place->digest = (str){text_in(arena, (str){digest.data, digest.len}), digest.len};
    return ret_place->namespace.ptr && ret_place->digest.ptr;
}

status order_first(struct txn *txn, enum cache_order order, struct arena *arena,
                   int64_t *ret_time_us, struct cache_place *ret_place, struct error *reterr)
{
    struct key prefix;
    key_begin(&prefix);
    key_put_u8(&prefix, (uint8_t)order);
    const struct scan scan                       = {.prefix = key_bytes(&prefix)};
    bytes key                                    = {};
    bytes row                                    = {};
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    TRY(cursor_open(txn, TABLE_CALL_CACHE_ORDER, &scan, &cursor, reterr));
    status next = cursor_next(cursor, &key, &row, NULL);
    if (next == STATUS_NOT_FOUND) return STATUS_NOT_FOUND;
    if (next == STATUS_OK && order_key_read(key, arena, ret_time_us, ret_place)) return STATUS_OK;
    return fail(reterr, STATUS_DATA_LOSS, "the order of kept answers cannot be read");
}

status order_put(struct txn *txn, enum cache_order order, int64_t time_us,
                 const struct cache_place *place, struct error *reterr)
{
    struct key key;
    order_key(&key, order, time_us, place);
    return txn_put(txn, TABLE_CALL_CACHE_ORDER, key_bytes(&key), (bytes){}, reterr);
}

/* What is not there is gone. */
static status gone(status deleted, struct error *reterr)
{
    if (deleted == STATUS_OK || deleted == STATUS_NOT_FOUND) return STATUS_OK;
    return fail(reterr, deleted, "a row of a kept answer cannot be deleted");
}

status order_delete(struct txn *txn, enum cache_order order, int64_t time_us,
                    const struct cache_place *place, struct error *reterr)
{
    struct key key;
    order_key(&key, order, time_us, place);
    return gone(txn_delete(txn, TABLE_CALL_CACHE_ORDER, key_bytes(&key), NULL), reterr);
}

/* --- totals ------------------------------------------------------------------------------------
 */

static status totals_get(struct txn *txn, str namespace, struct arena *arena,
                         Pb__CacheTotals **ret_totals, struct error *reterr)
{
    const struct cache_place place = {.namespace = namespace};
    struct key key;
    place_key(&key, &place);
    *ret_totals = NULL;
    status got  = record_get(txn, TABLE_CALL_CACHE_TOTALS, key_bytes(&key),
                             &pb__cache_totals__descriptor, arena, ret_totals, reterr);
    return got == STATUS_NOT_FOUND ? STATUS_OK : got;
}

static uint64_t changed(uint64_t value, int64_t change)
{
    uint64_t size = change < 0 ? -(uint64_t)change : (uint64_t)change;
    if (change >= 0) return value + size;
    return size < value ? value - size : 0;
}

status totals_add(struct call_cache *cache, str namespace, const struct totals_change *change,
                  struct error *reterr)
{
    Pb__CacheTotals totals = PB__CACHE_TOTALS__INIT;
    Pb__CacheTotals *old   = NULL;
    TRY(totals_get(cache->txn, namespace, cache->arena, &old, reterr));
    if (old) totals = *old;
    totals.hits    = changed(totals.hits, change->hits);
    totals.misses  = changed(totals.misses, change->misses);
    totals.entries = changed(totals.entries, change->entries);
    totals.bytes   = changed(totals.bytes, change->bytes);
    struct key key;
    const struct cache_place place = {.namespace = namespace};
    place_key(&key, &place);
    return record_put(cache->txn, TABLE_CALL_CACHE_TOTALS, key_bytes(&key), &totals.base, reterr);
}

struct summing {
    struct arena *arena;
    Pb__CacheTotals *sum;
};

static status add_totals(bytes, bytes row, struct error *reterr, void *context)
{
    struct summing *summing = context;
    Pb__CacheTotals *one    = NULL;
    TRY(record_read(row, &pb__cache_totals__descriptor, summing->arena, &one, reterr));
    summing->sum->hits += one->hits;
    summing->sum->misses += one->misses;
    summing->sum->entries += one->entries;
    summing->sum->bytes += one->bytes;
    return STATUS_OK;
}

status call_cache_stats(struct txn *txn, str namespace, struct arena *arena,
                        Pb__CacheTotals *ret_totals, struct error *reterr)
{
    enum { PAGE_ROWS = 1'000 };
    *ret_totals = (Pb__CacheTotals)PB__CACHE_TOTALS__INIT;
    if (!str_is(namespace, "*")) {
        Pb__CacheTotals *one = NULL;
        TRY(totals_get(txn, namespace, arena, &one, reterr));
        if (one) *ret_totals = *one;
        return STATUS_OK;
    }
    struct summing summing = {.arena = arena, .sum = ret_totals};
    struct page page       = {};
    const struct scan scan = {};
    do {
        TRY(txn_page(txn, TABLE_CALL_CACHE_TOTALS, &scan, PAGE_ROWS, &page, add_totals, &summing,
                     reterr));
    } while (page.has_more);
    return STATUS_OK;
}

/* --- entries -----------------------------------------------------------------------------------
 */

static status entry_get(struct call_cache *cache, const struct cache_place *place,
                        Pb__CacheEntry **ret_entry, struct error *reterr)
{
    struct key key;
    place_key(&key, place);
    *ret_entry = NULL;
    status got = record_get(cache->txn, TABLE_CALL_CACHE, key_bytes(&key),
                            &pb__cache_entry__descriptor, cache->arena, ret_entry, reterr);
    return got == STATUS_NOT_FOUND ? STATUS_OK : got;
}

status entry_find(struct call_cache *cache, const struct cache_place *place,
                  const struct entry_wish *wish, Pb__CacheEntry **ret_entry, struct error *reterr)
{
    Pb__CacheEntry *entry = NULL;
    *ret_entry            = NULL;
    TRY(entry_get(cache, place, &entry, reterr));
    if (!entry || entry->expires_us <= cache->now_us) return STATUS_OK;
    if (entry->stored_us <= wish->newer_than_us) return STATUS_OK;
    int64_t age_us = cache->now_us - entry->stored_us;
    if (wish->max_age_us > 0 && age_us >= wish->max_age_us) return STATUS_OK;
    *ret_entry = entry;
    return STATUS_OK;
}

/* What an entry is, without a copy of its value: thousands are looked at in a step. The texts are
 * views of the row. */
struct entry_facts {
    int64_t stored_us, expires_us;
    size_t size;
    str function, workflow;
};

/* proto/call_cache.proto: CacheEntry. */
static status facts_read(bytes row, struct entry_facts *ret_facts, struct error *reterr)
{
    enum { VALUE = 1, STORED, EXPIRES, FUNCTION, WORKFLOW };
    struct wire_reader reader = {.rest = {row.ptr, row.len}};
    *ret_facts                = (struct entry_facts){};
    for (bool more = true;;) {
        TRY(wire_next(&reader, &more, reterr));
        if (!more) return STATUS_OK;
        switch (reader.number) {
        case VALUE: ret_facts->size = reader.data.len; break;
        case STORED: ret_facts->stored_us = (int64_t)reader.value; break;
        case EXPIRES: ret_facts->expires_us = (int64_t)reader.value; break;
        case FUNCTION: ret_facts->function = reader.data; break;
        case WORKFLOW: ret_facts->workflow = reader.data; break;
        default: break;
        }
    }
}

static status facts_get(struct call_cache *cache, const struct cache_place *place, bool *ret_found,
                        struct entry_facts *ret_facts, struct error *reterr)
{
    struct key key;
    bytes row = {};
    place_key(&key, place);
    status got = txn_get(cache->txn, TABLE_CALL_CACHE, key_bytes(&key), &row, NULL);
    *ret_found = got == STATUS_OK;
    if (got == STATUS_NOT_FOUND) return STATUS_OK;
    if (got != STATUS_OK) return fail(reterr, got, "a kept answer cannot be read");
    return facts_read(row, ret_facts, reterr);
}

static status entry_delete(struct call_cache *cache, const struct cache_place *place,
                           const struct entry_facts *entry, struct error *reterr)
{
    struct key key;
    const struct totals_change change = {.entries = -1, .bytes = -(int64_t)entry->size};
    place_key(&key, place);
    TRY(gone(txn_delete(cache->txn, TABLE_CALL_CACHE, key_bytes(&key), NULL), reterr));
    TRY(order_delete(cache->txn, ORDER_EXPIRY, entry->expires_us, place, reterr));
    TRY(order_delete(cache->txn, ORDER_AGE, entry->stored_us, place, reterr));
    return totals_add(cache, place->namespace, &change, reterr);
}

status entries_expire(struct call_cache *cache, struct error *reterr)
{
    for (unsigned i = 0; i < CALL_CACHE_EXPIRED_MAX; i++) {
        struct cache_place place = {};
        int64_t expires_us       = 0;
        struct entry_facts entry = {};
        bool is_found            = false;
        status first =
            order_first(cache->txn, ORDER_EXPIRY, cache->arena, &expires_us, &place, reterr);
        if (first == STATUS_NOT_FOUND) return STATUS_OK;
        TRY(first);
        if (expires_us > cache->now_us) return STATUS_OK;
        TRY(facts_get(cache, &place, &is_found, &entry, reterr));
        if (!is_found || entry.expires_us != expires_us) {
            return fail(reterr, STATUS_DATA_LOSS, "the expiry of an answer that is not kept");
        }
        TRY(entry_delete(cache, &place, &entry, reterr));
        cache->counts.expired++;
    }
    return STATUS_OK;
}

/* The oldest of a namespace. NOT_FOUND: it has none. */
static status evict_one(struct call_cache *cache, str namespace, struct error *reterr)
{
    struct key prefix;
    key_begin(&prefix);
    key_put_u8(&prefix, ORDER_AGE);
    key_put_text(&prefix, namespace);
    const struct scan scan                       = {.prefix = key_bytes(&prefix)};
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    struct cache_place place                     = {};
    int64_t stored_us                            = 0;
    bytes key                                    = {};
    bytes row                                    = {};
    struct entry_facts entry                     = {};
    bool is_found                                = false;
    TRY(cursor_open(cache->txn, TABLE_CALL_CACHE_ORDER, &scan, &cursor, reterr));
    status next = cursor_next(cursor, &key, &row, NULL);
    if (next == STATUS_NOT_FOUND) return STATUS_NOT_FOUND;
    if (next != STATUS_OK || !order_key_read(key, cache->arena, &stored_us, &place)) {
        return fail(reterr, next == STATUS_OK ? STATUS_DATA_LOSS : next,
                    "the age of kept answers cannot be read");
    }
    TRY(facts_get(cache, &place, &is_found, &entry, reterr));
    if (!is_found) return fail(reterr, STATUS_DATA_LOSS, "the age of an answer that is not kept");
    cache->counts.evicted++;
    return entry_delete(cache, &place, &entry, reterr);
}

/* Room for one more of that size: what has expired goes first, then the oldest. */
static status make_room(struct call_cache *cache, str namespace, uint64_t bytes_wanted,
                        struct error *reterr)
{
    const struct call_cache_limits *limits = &cache->limits;
    for (;;) {
        Pb__CacheTotals *totals = NULL;
        TRY(totals_get(cache->txn, namespace, cache->arena, &totals, reterr));
        bool has_room = !totals || (totals->entries < limits->entries_max &&
                                    totals->bytes + bytes_wanted <= limits->bytes_max);
        if (has_room) return STATUS_OK;
        status evicted = evict_one(cache, namespace, reterr);
        if (evicted == STATUS_NOT_FOUND) return STATUS_OK;
        TRY(evicted);
    }
}

status entry_keep(struct call_cache *cache, const struct cache_place *place,
                  const Pb__CacheEnd *end, struct error *reterr)
{
    struct entry_facts old = {};
    bool has_old           = false;
    Pb__CacheEntry entry   = PB__CACHE_ENTRY__INIT;
    entry.value_json       = end->value_json;
    entry.stored_us        = cache->now_us;
    entry.function         = end->function;
    entry.workflow         = end->workflow;
    if (__builtin_add_overflow(cache->now_us, end->max_age_us, &entry.expires_us)) {
        entry.expires_us = INT64_MAX;
    }
    const struct totals_change change = {.entries = 1, .bytes = (int64_t)end->value_json.len};
    TRY(facts_get(cache, place, &has_old, &old, reterr));
    if (has_old) TRY(entry_delete(cache, place, &old, reterr));
    TRY(entries_expire(cache, reterr));
    TRY(make_room(cache, place->namespace, end->value_json.len, reterr));
    struct key key;
    place_key(&key, place);
    TRY(record_put(cache->txn, TABLE_CALL_CACHE, key_bytes(&key), &entry.base, reterr));
    TRY(order_put(cache->txn, ORDER_EXPIRY, entry.expires_us, place, reterr));
    TRY(order_put(cache->txn, ORDER_AGE, entry.stored_us, place, reterr));
    cache->counts.stored++;
    return totals_add(cache, place->namespace, &change, reterr);
}

/* --- clearing ----------------------------------------------------------------------------------
 */

static bool is_named(str name, str wanted)
{
    if (!str_starts_with(name, wanted)) return false;
    return name.len == wanted.len || name.ptr[wanted.len] == ':'; /* with its version, or of any */
}

static bool is_wanted(const struct entry_facts *entry, const Pb__ClearCache *wanted)
{
    if (!str_starts_with(entry->function, str_from(wanted->prefix))) return false;
    if (*wanted->function && !is_named(entry->function, str_from(wanted->function))) return false;
    return !*wanted->workflow || str_is(entry->workflow, wanted->workflow);
}

/* A key of TABLE_CALL_CACHE. */
static bool place_read(bytes raw, struct arena *arena, struct cache_place *ret_place)
{
    bytes rest                = raw;
    struct key_text namespace = {};
    struct key_text digest    = {};
    if (!key_take_text(&rest, &namespace) || !key_take_text(&rest, &digest)) return false;
    ret_place->namespace =
        (str){text_in(arena, (str){namespace.data, namespace.len}), namespace.len};
    ret_place->digest = (str){text_in(arena, (str){digest.data, digest.len}), digest.len};
    return ret_place->namespace.ptr && ret_place->digest.ptr && rest.len == 0;
}

status call_cache_clear(struct call_cache *cache, const Pb__ClearCache *wanted,
                        Pb__ClearedCache *ret_cleared, struct error *reterr)
{
    struct key prefix;
    const struct cache_place all                 = {.namespace = str_from(wanted->namespace_)};
    struct scan scan                             = {};
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    place_key(&prefix, &all);
    if (!str_is(all.namespace, "*")) scan.prefix = key_bytes(&prefix);
    TRY(cursor_open(cache->txn, TABLE_CALL_CACHE, &scan, &cursor, reterr));
    for (;;) {
        bytes key                = {};
        bytes row                = {};
        struct cache_place place = {};
        struct entry_facts entry = {};
        status next              = cursor_next(cursor, &key, &row, NULL);
        if (next == STATUS_NOT_FOUND) return STATUS_OK;
        if (next != STATUS_OK) return fail(reterr, next, "the kept answers cannot be read");
        TRY(facts_read(row, &entry, reterr));
        if (!is_wanted(&entry, wanted)) continue;
        if (ret_cleared->entries == CALL_CACHE_CLEARED_MAX) {
            ret_cleared->has_more = true;
            return STATUS_OK;
        }
        if (!place_read(key, cache->arena, &place)) {
            return fail(reterr, STATUS_DATA_LOSS, "the kept answers cannot be read");
        }
        ret_cleared->entries++;
        ret_cleared->bytes += entry.size;
        cache->counts.cleared++;
        TRY(entry_delete(cache, &place, &entry, reterr));
    }
}
