#include "scheduler/services/answer_cache.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>

struct kept {
    struct kept *next; /* a younger one */
    int64_t since_ms;
    char *id;
    uint32_t code;
    size_t metadata_len, body_len;
    char data[]; /* metadata, then body */
};

struct answer_cache {
    pthread_mutex_t mutex; /* guards what follows */
    struct map *by_id;
    struct kept *oldest, *youngest;
    size_t size_bytes;
};

struct answer_cache *answer_cache_new(void)
{
    struct answer_cache *cache = mem_new(1, sizeof *cache);
    int failed                 = pthread_mutex_init(&cache->mutex, NULL);
    ASSERT(!failed);
    cache->by_id = map_new(ANSWERS_MAX);
    return cache;
}

static void drop_oldest(struct answer_cache *cache)
{
    struct kept *oldest = cache->oldest;
    cache->oldest       = oldest->next;
    if (!cache->oldest) cache->youngest = NULL;
    cache->size_bytes -= oldest->metadata_len + oldest->body_len;
    void *removed = map_remove(cache->by_id, str_from(oldest->id));
    ASSERT(removed == oldest);
    free(oldest->id);
    free(oldest);
}

void answer_cache_free(struct answer_cache *cache)
{
    if (!cache) return;
    while (cache->oldest) drop_oldest(cache);
    map_free(cache->by_id);
    (void)pthread_mutex_destroy(&cache->mutex);
    free(cache);
}

void answer_cache_freep(struct answer_cache **cache)
{
    answer_cache_free(*cache);
    *cache = NULL;
}

static void lock(struct answer_cache *cache)
{
    int failed = pthread_mutex_lock(&cache->mutex);
    ASSERT(!failed);
}

static void unlock(struct answer_cache *cache)
{
    int failed = pthread_mutex_unlock(&cache->mutex);
    ASSERT(!failed);
}

bool answer_recall(struct answer_cache *cache, struct rpc_call *call,
                   struct rpc_kept_answer *ret_answer)
{
    bool is_found = false;
    lock(cache);
    const struct kept *kept = map_get(cache->by_id, call->request_id);
    char *copy = kept ? arena_alloc(call->arena, kept->metadata_len + kept->body_len + 1) : NULL;
    if (copy) {
        memcpy(copy, kept->data, kept->metadata_len + kept->body_len);
        *ret_answer = (struct rpc_kept_answer){
            .code     = kept->code,
            .metadata = {copy, kept->metadata_len},
            .body     = {copy + kept->metadata_len, kept->body_len},
        };
        is_found = true;
    }
    unlock(cache);
    return is_found;
}

/* A refusal that a repetition may cure is no answer to be kept. */
static bool is_worth_keeping(const struct rpc_kept_answer *answer)
{
    if (answer->code >= STATUS_COUNT) return false;
    if (status_is_transient((status)answer->code)) return false;
    return answer->metadata.len + answer->body.len <= ANSWER_SIZE_MAX;
}

static struct kept *kept_new(const struct rpc_call *call, const struct rpc_kept_answer *answer)
{
    struct kept *kept  = mem_new(1, sizeof *kept + answer->metadata.len + answer->body.len);
    kept->since_ms     = clock_mono_ms();
    kept->id           = mem_dup(call->request_id.ptr, call->request_id.len);
    kept->code         = answer->code;
    kept->metadata_len = answer->metadata.len;
    kept->body_len     = answer->body.len;
    if (kept->metadata_len > 0) memcpy(kept->data, answer->metadata.ptr, kept->metadata_len);
    if (kept->body_len > 0) {
        memcpy(kept->data + kept->metadata_len, answer->body.ptr, kept->body_len);
    }
    return kept;
}

void answer_remember(struct answer_cache *cache, const struct rpc_call *call,
                     const struct rpc_kept_answer *answer)
{
    if (!is_worth_keeping(answer)) return;
    struct kept *kept = kept_new(call, answer);

    lock(cache);
    bool is_known = map_get(cache->by_id, call->request_id) != NULL;
    if (!is_known) {
        size_t added_bytes = kept->metadata_len + kept->body_len;
        while (cache->oldest && (map_count(cache->by_id) == ANSWERS_MAX ||
                                 cache->size_bytes + added_bytes > ANSWERS_SIZE_MAX ||
                                 kept->since_ms - cache->oldest->since_ms > ANSWER_AGE_MS)) {
            drop_oldest(cache);
        }
        bool is_put = map_put(cache->by_id, call->request_id, kept);
        ASSERT(is_put);
        if (cache->youngest) {
            cache->youngest->next = kept;
        } else {
            cache->oldest = kept;
        }
        cache->youngest = kept;
        cache->size_bytes += added_bytes;
    }
    unlock(cache);
    if (is_known) {
        free(kept->id);
        free(kept);
    }
}
