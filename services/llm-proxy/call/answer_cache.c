#include "llm-proxy/call/answer_cache.h"

#include "base/assert.h"
#include "base/map.h"
#include "base/mem.h"
#include "llm-proxy/vault/vault.h"

#include <stdlib.h>
#include <string.h>

static const int64_t VAULT_AGE_MS = INT64_C(3'600'000) * VAULT_HOURS;

struct flight {
    struct answer_key key;
    struct passenger *leaders; /* one; more if readers hold the others up */
    uint32_t leader_count;
    uint32_t misses;                /* leaders that have landed without an answer */
    struct passenger *first, *last; /* who waits */
};

struct answer_cache {
    size_t size, size_max;
    struct map *answers; /* key -> struct saved_answer */
    struct map *flights; /* key -> struct flight */
    struct saved_answer *newest, *oldest;
    struct answer_keeper keeper; /* zeroed: none */
};

static str text_of(const struct answer_key *key)
{
    return (str){.ptr = (const char *)key->digest, .len = sizeof key->digest};
}

struct answer_key answer_key_within(const struct answer_key *key, enum llm_protocol protocol)
{
    struct answer_key within;
    uint8_t text[SHA256_SIZE + 1];
    memcpy(text, key->digest, SHA256_SIZE);
    text[SHA256_SIZE] = (uint8_t)protocol;
    sha256((bytes){text, sizeof text}, within.digest);
    return within;
}

static void look(const struct llm_event *event, void *context)
{
    bool *is_for_all = context;
    bool is_bound    = event->kind == LLM_THINKING || event->kind == LLM_OPAQUE ||
                    event->kind == LLM_REFUSAL ||
                    (event->kind == LLM_TOOL_START && vault_is_id(event->id));
    if (is_bound) *is_for_all = false;
}

bool answer_is_for_all(const struct event_log *log)
{
    bool is_for_all = true;
    event_log_play(log, look, &is_for_all);
    return is_for_all;
}

/* --- one answer --------------------------------------------------------------------------------
 */

struct saved_answer *saved_answer_new(void)
{
    struct saved_answer *saved = mem_new(1, sizeof *saved);
    saved->refs                = 1;
    saved->log                 = event_log_init(SAVED_ANSWER_SIZE_MAX);
    return saved;
}

struct saved_answer *saved_answer_ref(struct saved_answer *saved)
{
    saved->refs++;
    return saved;
}

void saved_answer_unref(struct saved_answer *saved)
{
    if (!saved || --saved->refs > 0) return;
    event_log_done(&saved->log);
    free(saved);
}

/* --- the list ----------------------------------------------------------------------------------
 */

static void unlist(struct answer_cache *cache, struct saved_answer *saved)
{
    if (saved->newer) {
        saved->newer->older = saved->older;
    } else {
        cache->newest = saved->older;
    }
    if (saved->older) {
        saved->older->newer = saved->newer;
    } else {
        cache->oldest = saved->newer;
    }
    saved->newer     = NULL;
    saved->older     = NULL;
    saved->is_listed = false;
}

static void list(struct answer_cache *cache, struct saved_answer *saved)
{
    saved->older = cache->newest;
    if (cache->newest) cache->newest->newer = saved;
    if (!cache->oldest) cache->oldest = saved;
    cache->newest    = saved;
    saved->is_listed = true;
}

static void drop(struct answer_cache *cache, struct saved_answer *saved)
{
    unlist(cache, saved);
    cache->size -= saved->size;
    (void)map_remove(cache->answers, text_of(&saved->key));
    saved_answer_unref(saved);
}

struct answer_cache *answer_cache_new(size_t size_max)
{
    struct answer_cache *cache = mem_new(1, sizeof *cache);
    cache->size_max            = size_max;
    cache->answers             = map_new(ANSWER_CACHE_COUNT_MAX);
    cache->flights             = map_new(ANSWER_CACHE_COUNT_MAX);
    return cache;
}

void answer_cache_freep(struct answer_cache **ref)
{
    struct answer_cache *cache = *ref;
    if (!cache) return;
    ASSERT(map_count(cache->flights) == 0);
    while (cache->oldest) drop(cache, cache->oldest);
    map_free(cache->answers);
    map_free(cache->flights);
    free(cache);
    *ref = NULL;
}

void answer_cache_keep_with(struct answer_cache *cache, const struct answer_keeper *keeper)
{
    cache->keeper = *keeper;
}

static void note_id(const struct llm_event *event, void *context)
{
    bool *is_of_vault = context;
    if (event->kind == LLM_TOOL_START && vault_is_id(event->id)) *is_of_vault = true;
}

static void insert(struct answer_cache *cache, struct saved_answer *saved)
{
    struct saved_answer *before = map_get(cache->answers, text_of(&saved->key));
    ASSERT(!saved->is_listed);
    if (before) drop(cache, before);
    saved->size = sizeof *saved + saved->log.data.capacity;
    event_log_play(&saved->log, note_id, &saved->is_of_vault);
    if (saved->size > cache->size_max) return;
    while (cache->oldest && (cache->size + saved->size > cache->size_max ||
                             map_count(cache->answers) >= ANSWER_CACHE_COUNT_MAX)) {
        drop(cache, cache->oldest);
    }
    if (!map_put(cache->answers, text_of(&saved->key), saved)) return;
    cache->size += saved->size;
    list(cache, saved_answer_ref(saved));
}

/* What is not in memory any more, or not yet. NULL: it is nowhere. */
static struct saved_answer *bring(struct answer_cache *cache, const struct answer_key *key)
{
    const struct answer_keeper *keeper = &cache->keeper;
    struct saved_answer *kept          = keeper->find ? keeper->find(key, keeper->context) : NULL;
    if (!kept) return NULL;
    kept->key = *key;
    insert(cache, kept);
    saved_answer_unref(kept);
    return map_get(cache->answers, text_of(key));
}

struct saved_answer *answer_cache_find(struct answer_cache *cache, const struct answer_key *key,
                                       int64_t max_age_ms, int64_t now_ms)
{
    struct saved_answer *saved = map_get(cache->answers, text_of(key));
    if (!saved) saved = bring(cache, key);
    int64_t age_ms = saved ? now_ms - saved->born_ms : 0;
    if (!saved || age_ms > max_age_ms || (saved->is_of_vault && age_ms > VAULT_AGE_MS)) return NULL;
    unlist(cache, saved);
    list(cache, saved);
    return saved_answer_ref(saved);
}

void answer_cache_put(struct answer_cache *cache, struct saved_answer *saved)
{
    insert(cache, saved);
    if (cache->keeper.put) cache->keeper.put(saved, cache->keeper.context);
}

void answer_cache_forget(struct answer_cache *cache, const struct answer_key *key)
{
    struct saved_answer *saved = map_get(cache->answers, text_of(key));
    if (saved) drop(cache, saved);
    if (cache->keeper.forget) cache->keeper.forget(key, cache->keeper.context);
}

size_t answer_cache_size(const struct answer_cache *cache)
{
    return cache->size;
}

/* --- flights -----------------------------------------------------------------------------------
 */

static void lead(struct flight *flight, struct passenger *passenger)
{
    passenger->is_leader = true;
    passenger->is_held   = false;
    passenger->next      = flight->leaders;
    flight->leaders      = passenger;
    flight->leader_count++;
}

bool answer_cache_board(struct answer_cache *cache, const struct answer_key *key,
                        struct passenger *passenger)
{
    struct flight *flight = map_get(cache->flights, text_of(key));
    ASSERT(!passenger->flight);
    if (flight) {
        passenger->flight = flight;
        passenger->next   = NULL;
        if (flight->last) flight->last->next = passenger;
        if (!flight->first) flight->first = passenger;
        flight->last = passenger;
        return false;
    }
    flight      = mem_new(1, sizeof *flight);
    flight->key = *key;
    if (!map_put(cache->flights, text_of(key), flight)) {
        free(flight); /* too many: it goes, and nobody waits for it */
        return true;
    }
    passenger->flight = flight;
    lead(flight, passenger);
    return true;
}

static struct passenger *next_of(struct flight *flight)
{
    struct passenger *passenger = flight->first;
    if (!passenger) return NULL;
    flight->first = passenger->next;
    if (!flight->first) flight->last = NULL;
    passenger->next = NULL;
    return passenger;
}

/* A leader has landed, or has left. */
static void step_down(struct flight *flight, struct passenger *leader)
{
    struct passenger **link = &flight->leaders;
    while (*link != leader) link = &(*link)->next;
    *link             = leader->next;
    leader->next      = NULL;
    leader->flight    = NULL;
    leader->is_leader = false;
    flight->leader_count--;
}

/* All that wait get it, or go themselves. Whoever is told may come again at once: with a flight of
 * its own, if nobody leads this one any more. */
static void tell_all(struct answer_cache *cache, struct flight *flight, struct saved_answer *saved)
{
    struct passenger *passenger = NULL;
    struct passenger *told      = flight->first;
    flight->first               = NULL;
    flight->last                = NULL;
    if (!flight->leaders) {
        (void)map_remove(cache->flights, text_of(&flight->key));
        free(flight);
    }
    while ((passenger = told)) {
        told              = passenger->next;
        passenger->next   = NULL;
        passenger->flight = NULL;
        passenger->landed(saved, passenger->context);
    }
}

static void lead_anew(struct answer_cache *cache, struct flight *flight)
{
    struct passenger *passenger = flight->leaders ? NULL : next_of(flight);
    if (passenger) {
        lead(flight, passenger);
        passenger->landed(NULL, passenger->context);
    } else if (!flight->leaders) {
        tell_all(cache, flight, NULL);
    }
}

void answer_cache_land(struct answer_cache *cache, struct passenger *leader,
                       struct saved_answer *saved)
{
    struct flight *flight = leader->flight;
    if (!flight) return;
    step_down(flight, leader);
    bool is_hopeless = !saved && ++flight->misses >= FLIGHT_MISSES_MAX;
    if (saved || is_hopeless) {
        tell_all(cache, flight, saved);
    } else {
        lead_anew(cache, flight);
    }
}

bool answer_cache_overtake(struct answer_cache *cache, struct passenger *passenger)
{
    struct flight *flight = passenger->flight;
    bool is_held          = true;
    for (const struct passenger *at = flight->leaders; at; at = at->next) {
        is_held = is_held && at->is_held;
    }
    if (!is_held && flight->leader_count < FLIGHT_LEADERS_MAX) return false;
    answer_cache_leave(cache, passenger);
    passenger->flight = flight; /* it has a leader, so it is there */
    lead(flight, passenger);
    return true;
}

void answer_cache_leave(struct answer_cache *cache, struct passenger *passenger)
{
    struct flight *flight = passenger->flight;
    if (!flight) return;
    if (passenger->is_leader) {
        step_down(flight, passenger);
        lead_anew(cache, flight);
        return;
    }
    struct passenger *before = NULL;
    struct passenger *at     = flight->first;
    while (at != passenger) {
        before = at;
        at     = at->next;
    }
    if (before) {
        before->next = passenger->next;
    } else {
        flight->first = passenger->next;
    }
    if (flight->last == passenger) flight->last = before;
    passenger->next   = NULL;
    passenger->flight = NULL;
}
