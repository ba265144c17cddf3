/* Who makes a call, and who waits for its answer. */
#include "scheduler/tables/call_cache_internal.h"

/* A lead and where its row is. */
struct leading {
    struct cache_place place;
    Pb__CacheLead row;
    bool is_there;
    int64_t due_us; /* as its row of the order says; 0: none */
};

/* --- rows --------------------------------------------------------------------------------------
 */

static status lead_get(struct call_cache *cache, const struct cache_place *place,
                       struct leading *ret_lead, struct error *reterr)
{
    struct key key;
    Pb__CacheLead *row = NULL;
    *ret_lead = (struct leading){.place = *place, .row = (Pb__CacheLead)PB__CACHE_LEAD__INIT};
    place_key(&key, place);
    status got = record_get(cache->txn, TABLE_CALL_CACHE_CALLERS, key_bytes(&key),
                            &pb__cache_lead__descriptor, cache->arena, &row, reterr);
    if (got == STATUS_NOT_FOUND) return STATUS_OK;
    TRY(got);
    ret_lead->row      = *row;
    ret_lead->is_there = true;
    ret_lead->due_us   = row->due_us;
    return STATUS_OK;
}

/* Writes it, or deletes it if nobody calls and nobody waits. */
static status lead_put(struct call_cache *cache, struct leading *lead, struct error *reterr)
{
    struct key key;
    bool is_over = !*lead->row.job && lead->row.waiting == 0;
    place_key(&key, &lead->place);
    if (lead->due_us > 0 && (is_over || lead->due_us != lead->row.due_us)) {
        TRY(order_delete(cache->txn, ORDER_LEAD, lead->due_us, &lead->place, reterr));
        lead->due_us = 0;
    }
    if (is_over) {
        if (!lead->is_there) return STATUS_OK;
        lead->is_there = false;
        return txn_delete(cache->txn, TABLE_CALL_CACHE_CALLERS, key_bytes(&key), reterr);
    }
    if (lead->due_us != lead->row.due_us) {
        lead->due_us = lead->row.due_us;
        TRY(order_put(cache->txn, ORDER_LEAD, lead->due_us, &lead->place, reterr));
    }
    lead->is_there = true;
    return record_put(cache->txn, TABLE_CALL_CACHE_CALLERS, key_bytes(&key), &lead->row.base,
                      reterr);
}

static void waiter_key(struct key *key, const struct cache_place *place, const char *job)
{
    place_key(key, place);
    key_put_id(key, str_from(job));
}

/* The first that waits; ids sort by time. `*ret_waiter` NULL: nobody does. */
static status waiter_first(struct call_cache *cache, const struct cache_place *place,
                           Pb__CacheWaiter **ret_waiter, struct error *reterr)
{
    struct key lead;
    place_key(&lead, place);
    const struct scan scan = {.prefix = key_bytes(&lead), .after = key_bytes(&lead)};
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    bytes key                                    = {};
    bytes row                                    = {};
    *ret_waiter                                  = NULL;
    TRY(cursor_open(cache->txn, TABLE_CALL_CACHE_CALLERS, &scan, &cursor, reterr));
    status next = cursor_next(cursor, &key, &row, NULL);
    if (next == STATUS_NOT_FOUND) return STATUS_OK;
    if (next != STATUS_OK) return fail(reterr, next, "who waits for an answer cannot be read");
    return record_read(row, &pb__cache_waiter__descriptor, cache->arena, ret_waiter, reterr);
}

/* `*ret_was_there`: it waited. */
static status waiter_delete(struct call_cache *cache, struct leading *lead, const char *job,
                            bool *ret_was_there, struct error *reterr)
{
    struct key key;
    waiter_key(&key, &lead->place, job);
    status deleted = txn_delete(cache->txn, TABLE_CALL_CACHE_CALLERS, key_bytes(&key), NULL);
    *ret_was_there = deleted == STATUS_OK;
    if (*ret_was_there && lead->row.waiting > 0) lead->row.waiting--;
    if (deleted == STATUS_OK || deleted == STATUS_NOT_FOUND) return STATUS_OK;
    return fail(reterr, deleted, "who waits for an answer cannot be deleted");
}

/* --- telling -----------------------------------------------------------------------------------
 */

/* A caller: of a question, or of a row. */
struct caller {
    const char *run, *job;
    uint32_t activation;
};

/* `entry` NULL: it is to call. */
static status tell(struct call_cache *cache, const struct cache_place *place,
                   const struct caller *caller, const Pb__CacheEntry *entry, struct error *reterr)
{
    Pb__CacheAnswer answer            = PB__CACHE_ANSWER__INIT;
    Pb__Message message               = PB__MESSAGE__INIT;
    const struct totals_change change = {.hits = entry != NULL, .misses = entry == NULL};
    message.content_case              = PB__MESSAGE__CONTENT_CACHE_ANSWER;
    message.cache_answer              = &answer;
    answer.namespace_                 = text_in(cache->arena, place->namespace);
    answer.digest                     = text_in(cache->arena, place->digest);
    answer.run                        = caller->run;
    answer.activation                 = caller->activation;
    answer.job                        = caller->job;
    if (entry) {
        answer.is_hit     = true;
        answer.value_json = entry->value_json;
        answer.stored_us  = entry->stored_us;
        cache->told_bytes += entry->value_json.len;
    }
    cache->told++;
    TRY(cache->send(caller->run, &message, reterr, cache->context));
    return totals_add(cache, place->namespace, &change, reterr);
}

static void lead_begin(const struct call_cache *cache, struct leading *lead,
                       const struct caller *caller)
{
    lead->row.run        = caller->run;
    lead->row.activation = caller->activation;
    lead->row.job        = caller->job;
    lead->row.is_asked   = false;
    lead->row.due_us     = cache->now_us + CALL_CACHE_PROBE_US;
}

static bool has_told_enough(const struct call_cache *cache)
{
    return cache->told >= CALL_CACHE_TOLD_MAX || cache->told_bytes >= CALL_CACHE_TOLD_BYTES;
}

/* Answers the first that waits; `*ret_goes_on`: the next one may be answered, too. */
static status answer_first(struct call_cache *cache, struct leading *lead, bool *ret_goes_on,
                           struct error *reterr)
{
    Pb__CacheWaiter *waiter = NULL;
    Pb__CacheEntry *entry   = NULL;
    bool was_there          = false;
    *ret_goes_on            = false;
    TRY(waiter_first(cache, &lead->place, &waiter, reterr));
    if (!waiter) {
        lead->row.waiting = 0;
        return STATUS_OK;
    }
    const struct entry_wish wish = {.newer_than_us = waiter->newer_than_us};
    TRY(entry_find(cache, &lead->place, &wish, &entry, reterr));
    if (!entry && *lead->row.job) return STATUS_OK; /* somebody is at it */
    const struct caller caller = {waiter->run, waiter->job, waiter->activation};
    TRY(waiter_delete(cache, lead, waiter->job, &was_there, reterr));
    TRY(tell(cache, &lead->place, &caller, entry, reterr));
    if (entry) cache->counts.joined++;
    if (!entry) cache->counts.misses++;
    *ret_goes_on = entry || lead->row.is_open;
    if (!*ret_goes_on) lead_begin(cache, lead, &caller);
    return STATUS_OK;
}

/* Answers whoever waits, as far as there is something to say; what is left goes on in the next
 * step. Writes the lead. */
static status advance(struct call_cache *cache, struct leading *lead, struct error *reterr)
{
    bool goes_on = true;
    while (goes_on && lead->row.waiting > 0 && !has_told_enough(cache)) {
        TRY(answer_first(cache, lead, &goes_on, reterr));
    }
    if (goes_on && lead->row.waiting > 0) lead->row.due_us = cache->now_us;
    if (lead->row.waiting == 0) lead->row.is_open = false;
    return lead_put(cache, lead, reterr);
}

/* --- messages ----------------------------------------------------------------------------------
 */

static bool is_sound(const char *namespace, const char *digest, const char *job)
{
    return *namespace && *digest && id_is_valid(str_from(job));
}

static status wait_for(struct call_cache *cache, struct leading *lead, const Pb__CacheAsk *ask,
                       struct error *reterr)
{
    struct key key;
    bytes row = {};
    waiter_key(&key, &lead->place, ask->job);
    status got = txn_get(cache->txn, TABLE_CALL_CACHE_CALLERS, key_bytes(&key), &row, NULL);
    if (got == STATUS_OK) return STATUS_OK; /* it waits already */
    if (lead->row.waiting >= CALL_CACHE_WAITERS_MAX) {
        const struct caller caller = {ask->run, ask->job, ask->activation};
        cache->counts.misses++;
        return tell(cache, &lead->place, &caller, NULL, reterr);
    }
    Pb__CacheWaiter waiter = PB__CACHE_WAITER__INIT;
    waiter.run             = ask->run;
    waiter.activation      = ask->activation;
    waiter.job             = ask->job;
    waiter.newer_than_us   = ask->newer_than_us;
    lead->row.waiting++;
    TRY(record_put(cache->txn, TABLE_CALL_CACHE_CALLERS, key_bytes(&key), &waiter.base, reterr));
    return lead_put(cache, lead, reterr);
}

status call_cache_asked(struct call_cache *cache, const Pb__CacheAsk *ask, struct error *reterr)
{
    if (!is_sound(ask->namespace_, ask->digest, ask->job)) return STATUS_OK;
    const struct cache_place place = {str_from(ask->namespace_), str_from(ask->digest)};
    const struct caller caller     = {ask->run, ask->job, ask->activation};
    const struct entry_wish wish   = {ask->newer_than_us, ask->max_age_us};
    Pb__CacheEntry *entry          = NULL;
    struct leading lead;
    TRY(lead_get(cache, &place, &lead, reterr));
    bool leads = strcmp(lead.row.job, ask->job) == 0;
    if (!leads) TRY(entry_find(cache, &place, &wish, &entry, reterr));
    if (entry) {
        bool was_there = false;
        TRY(waiter_delete(cache, &lead, ask->job, &was_there, reterr));
        if (was_there) TRY(lead_put(cache, &lead, reterr));
        cache->counts.hits++;
        return tell(cache, &place, &caller, entry, reterr);
    }
    if (lead.is_there && !leads) return wait_for(cache, &lead, ask, reterr);
    cache->counts.misses++;
    lead_begin(cache, &lead, &caller);
    TRY(lead_put(cache, &lead, reterr));
    return tell(cache, &place, &caller, NULL, reterr);
}

status call_cache_ended(struct call_cache *cache, const Pb__CacheEnd *end, struct error *reterr)
{
    if (!is_sound(end->namespace_, end->digest, end->job)) return STATUS_OK;
    const struct cache_place place = {str_from(end->namespace_), str_from(end->digest)};
    bool is_kept = end->has_value && end->value_json.len <= cache->limits.value_bytes_max;
    if (is_kept) TRY(entry_keep(cache, &place, end, reterr));
    if (end->is_too_large) cache->counts.refused++;
    struct leading lead;
    TRY(lead_get(cache, &place, &lead, reterr));
    if (!lead.is_there) return STATUS_OK;
    if (strcmp(lead.row.job, end->job) == 0) {
        lead.row.job     = "";
        lead.row.is_open = end->is_too_large;
    } else {
        bool was_there = false;
        TRY(waiter_delete(cache, &lead, end->job, &was_there, reterr));
    }
    return advance(cache, &lead, reterr);
}

status call_cache_alive(struct call_cache *cache, const Pb__CacheAlive *alive, struct error *reterr)
{
    if (!is_sound(alive->namespace_, alive->digest, alive->job)) return STATUS_OK;
    const struct cache_place place = {str_from(alive->namespace_), str_from(alive->digest)};
    struct leading lead;
    TRY(lead_get(cache, &place, &lead, reterr));
    if (!lead.is_there || strcmp(lead.row.job, alive->job) != 0) return STATUS_OK;
    lead.row.is_asked = false;
    lead.row.due_us   = cache->now_us + CALL_CACHE_PROBE_US;
    return lead_put(cache, &lead, reterr);
}

/* --- time --------------------------------------------------------------------------------------
 */

static status probe(struct call_cache *cache, struct leading *lead, struct error *reterr)
{
    Pb__CacheProbe asked = PB__CACHE_PROBE__INIT;
    Pb__Message message  = PB__MESSAGE__INIT;
    message.content_case = PB__MESSAGE__CONTENT_CACHE_PROBE;
    message.cache_probe  = &asked;
    asked.namespace_     = text_in(cache->arena, lead->place.namespace);
    asked.digest         = text_in(cache->arena, lead->place.digest);
    asked.run            = lead->row.run;
    asked.activation     = lead->row.activation;
    asked.job            = lead->row.job;
    cache->told++;
    lead->row.is_asked = true;
    lead->row.due_us   = cache->now_us + CALL_CACHE_PROBE_US;
    TRY(cache->send(lead->row.run, &message, reterr, cache->context));
    return lead_put(cache, lead, reterr);
}

static status look_at(struct call_cache *cache, const struct cache_place *place, int64_t due_us,
                      struct error *reterr)
{
    struct leading lead;
    TRY(lead_get(cache, place, &lead, reterr));
    if (!lead.is_there || lead.row.due_us != due_us) {
        return order_delete(cache->txn, ORDER_LEAD, due_us, place, reterr);
    }
    if (*lead.row.job && !lead.row.is_asked) return probe(cache, &lead, reterr);
    lead.row.job = ""; /* it has not answered, or there is none */
    return advance(cache, &lead, reterr);
}

status call_cache_due(struct call_cache *cache, struct error *reterr)
{
    while (!has_told_enough(cache)) {
        struct cache_place place = {};
        int64_t due_us           = 0;
        status first = order_first(cache->txn, ORDER_LEAD, cache->arena, &due_us, &place, reterr);
        if (first == STATUS_NOT_FOUND) break;
        TRY(first);
        if (due_us > cache->now_us) break;
        TRY(look_at(cache, &place, due_us, reterr));
    }
    return entries_expire(cache, reterr);
}

status call_cache_next_due(struct txn *txn, int64_t *ret_due_us, struct error *reterr)
{
    static const enum cache_order orders[] = {ORDER_LEAD, ORDER_EXPIRY};
    enum { ARENA_BYTES = 4 << 10 };
    *ret_due_us = INT64_MAX;
    for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
        CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_BYTES);
        struct cache_place place                 = {};
        int64_t due_us                           = 0;
        status first = order_first(txn, orders[i], arena, &due_us, &place, reterr);
        if (first == STATUS_NOT_FOUND) continue;
        TRY(first);
        if (due_us < *ret_due_us) *ret_due_us = due_us;
    }
    return STATUS_OK;
}
