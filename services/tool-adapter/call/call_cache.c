#include "tool-adapter/call/call_cache.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"
#include "json/json_text.h"

#include <stdlib.h>

/* An output, in a list by last use. */
struct entry {
    struct call_key key;
    json output;     /* owned */
    json validators; /* owned; JSON_INVALID: none */
    size_t size;     /* bytes of both as texts */
    int64_t until_ms;
    struct entry *newer, *older;
};

struct flight {
    struct call_key key;
    struct passenger *first, *last; /* who waits; the leader is not among them */
    bool is_abandoned;              /* its leader has left a closed cache */
};

struct call_cache {
    struct map *entries, *flights;
    struct entry *newest, *oldest;
    size_t size;
    bool is_closed; /* no place passes on */
    struct call_cache_stats stats;
};

static str key_str(const struct call_key *key)
{
    return (str){.ptr = (const char *)key->digest, .len = sizeof key->digest};
}

/* --- entries ---------------------------------------------------------------------------------- */

struct call_cache *call_cache_new(size_t size_max)
{
    struct call_cache *cache = mem_new(1, sizeof *cache);
    cache->entries           = map_new(CALL_CACHE_COUNT_MAX);
    cache->flights           = map_new(CALL_CACHE_COUNT_MAX);
    cache->stats.bytes_max   = size_max;
    return cache;
}

static void unlink_entry(struct call_cache *cache, struct entry *entry)
{
    *(entry->newer ? &entry->newer->older : &cache->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &cache->oldest) = entry->newer;
    entry->newer = entry->older = NULL;
}

static void link_newest(struct call_cache *cache, struct entry *entry)
{
    entry->older                                            = cache->newest;
    *(entry->older ? &entry->older->newer : &cache->oldest) = entry;
    cache->newest                                           = entry;
}

static void entry_remove(struct call_cache *cache, struct entry *entry)
{
    (void)map_remove(cache->entries, key_str(&entry->key));
    unlink_entry(cache, entry);
    cache->size -= entry->size;
    json_unref(entry->output);
    json_unref(entry->validators);
    free(entry);
}

void call_cache_freep(struct call_cache **ref)
{
    struct call_cache *cache = *ref;
    if (!cache) return;
    ASSERT(map_count(cache->flights) == 0);
    while (cache->oldest) entry_remove(cache, cache->oldest);
    map_free(cache->entries);
    map_free(cache->flights);
    free(cache);
    *ref = NULL;
}

json call_cache_find(struct call_cache *cache, const struct call_key *key, int64_t now_ms)
{
    struct entry *entry = map_get(cache->entries, key_str(key));
    if (entry && entry->until_ms <= now_ms) {
        if (json_is(entry->validators, JSON_INVALID)) entry_remove(cache, entry);
        entry = NULL;
    }
    if (!entry) return json_invalid();
    cache->stats.hits++;
    unlink_entry(cache, entry);
    link_newest(cache, entry);
    return json_ref(entry->output);
}

json call_cache_old(struct call_cache *cache, const struct call_key *key, json *ret_validators)
{
    struct entry *entry = map_get(cache->entries, key_str(key));
    if (!entry || json_is(entry->validators, JSON_INVALID)) return json_invalid();
    *ret_validators = json_ref(entry->validators);
    return json_ref(entry->output);
}

void call_cache_renew(struct call_cache *cache, const struct call_key *key, json output,
                      json validators, int64_t until_ms)
{
    cache->stats.renewed++;
    call_cache_put(cache, key, output, validators, until_ms);
}

void call_cache_put(struct call_cache *cache, const struct call_key *key, json output,
                    json validators, int64_t until_ms)
{
    CLEANUP(buf_done) struct buf text = buf_init(CALL_CACHE_OUTPUT_MAX);
    struct entry *old                 = map_get(cache->entries, key_str(key));
    if (old) entry_remove(cache, old);
    (void)json_print(output, JSON_COMPACT, &text);
    if (!json_is(validators, JSON_INVALID)) (void)json_print(validators, JSON_COMPACT, &text);
    if (text.is_full || text.len > cache->stats.bytes_max) return;
    CLEANUP(json_unrefp) json kept = json_copy_new(output);
    if (json_is(kept, JSON_INVALID)) return;
    while (cache->oldest && (cache->size + text.len > cache->stats.bytes_max ||
                             map_count(cache->entries) == CALL_CACHE_COUNT_MAX)) {
        entry_remove(cache, cache->oldest);
        cache->stats.evicted++;
    }
    struct entry *entry = mem_new(1, sizeof *entry);
    entry->key          = *key;
    entry->output       = json_take(&kept);
    entry->validators   = json_copy_new(validators);
    entry->size         = text.len;
    entry->until_ms     = until_ms;
    bool is_put         = map_put(cache->entries, key_str(&entry->key), entry);
    ASSERT(is_put);
    cache->size += entry->size;
    link_newest(cache, entry);
}

struct call_cache_stats call_cache_stats(const struct call_cache *cache)
{
    struct call_cache_stats stats = cache->stats;
    stats.entries                 = map_count(cache->entries);
    stats.bytes                   = cache->size;
    return stats;
}

/* --- flights ---------------------------------------------------------------------------------- */

bool call_cache_board(struct call_cache *cache, const struct call_key *key,
                      struct passenger *passenger)
{
    ASSERT(!passenger->flight);
    struct flight *flight = map_get(cache->flights, key_str(key));
    if (flight) {
        passenger->flight                                      = flight;
        passenger->next                                        = NULL;
        *(flight->last ? &flight->last->next : &flight->first) = passenger;
        flight->last                                           = passenger;
        return false;
    }
    cache->stats.misses++;
    flight      = mem_new(1, sizeof *flight);
    flight->key = *key;
    if (!map_put(cache->flights, key_str(&flight->key), flight)) {
        free(flight); /* more than there may be: it goes alone */
        return true;
    }
    passenger->flight    = flight;
    passenger->is_leader = true;
    return true;
}

static void flight_free(struct call_cache *cache, struct flight *flight)
{
    (void)map_remove(cache->flights, key_str(&flight->key));
    free(flight);
}

/* Off the flight: it may board another one from now on. */
static void step_off(struct passenger *passenger)
{
    passenger->flight    = NULL;
    passenger->is_leader = false;
    passenger->next      = NULL;
}

/* The one that waits longest leads now. */
static void pass_on(struct call_cache *cache, struct flight *flight)
{
    struct passenger *next = flight->first;
    if (!next) {
        flight_free(cache, flight);
        return;
    }
    if (cache->is_closed) {
        flight->is_abandoned = true;
        return;
    }
    flight->first = next->next;
    if (!flight->first) flight->last = NULL;
    next->next      = NULL;
    next->is_leader = true;
    cache->stats.misses++;
    next->landed(json_invalid(), next->context);
}

void call_cache_land(struct call_cache *cache, struct passenger *leader, json output)
{
    struct flight *flight = leader->flight;
    if (!flight) return;
    ASSERT(leader->is_leader);
    step_off(leader);
    if (json_is(output, JSON_INVALID)) {
        pass_on(cache, flight);
        return;
    }
    struct passenger *one          = flight->first;
    CLEANUP(json_unrefp) json held = json_invalid();
    if (one) held = json_copy_new(output); /* they may outlive its toolbox */
    flight_free(cache, flight);
    while (one) {
        struct passenger *next = one->next;
        step_off(one);
        cache->stats.shared++;
        one->landed(held, one->context);
        one = next;
    }
}

void call_cache_close(struct call_cache *cache)
{
    cache->is_closed = true;
}

void call_cache_leave(struct call_cache *cache, struct passenger *passenger)
{
    struct flight *flight = passenger->flight;
    if (!flight) return;
    if (passenger->is_leader) {
        call_cache_land(cache, passenger, json_invalid());
        return;
    }
    struct passenger **at   = &flight->first;
    struct passenger *prior = NULL;
    while (*at != passenger) {
        prior = *at;
        at    = &(*at)->next;
    }
    *at = passenger->next;
    if (flight->last == passenger) flight->last = prior;
    step_off(passenger);
    if (flight->is_abandoned && !flight->first) flight_free(cache, flight);
}
