#include "gateway/api/identity.h"

#include "auth/role.h"
#include "base/assert.h"
#include "base/map.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define MINUTE_US INT64_C(60'000'000)

/* What is known of one key id. A key that does not exist is known too. */
struct entry {
    int64_t asked_ms;
    bool exists;
    uint8_t secret_sha256[SHA256_SIZE];
    uint8_t previous_sha256[SHA256_SIZE]; /* of the secret before */
    int64_t previous_until_us;            /* it is good until then; 0: there is none */
    int64_t expires_us;                   /* 0: never */
    int64_t used_us, told_us;             /* the last time, and the one that was taken */
    struct identity identity;
    char labels[IDENTITY_LABELS_MAX][IDENTITY_LABEL_MAX + 1];
    size_t label_count;
};

struct identity_cache {
    pthread_mutex_t mutex; /* guards `entries` and what they point to */
    struct map *entries;   /* key id -> struct entry */
};

struct identity_cache *identity_cache_new(void)
{
    struct identity_cache *cache = mem_new(1, sizeof *cache);
    (void)pthread_mutex_init(&cache->mutex, NULL);
    cache->entries = map_new(IDENTITY_COUNT_MAX);
    return cache;
}

static void forget_all(struct identity_cache *cache)
{
    size_t cursor = 0;
    str key       = {};
    void *entry   = NULL;
    while (map_next(cache->entries, &cursor, &key, &entry)) {
        (void)map_remove(cache->entries, key);
        free(entry);
    }
}

void identity_cache_freep(struct identity_cache **cache)
{
    if (!*cache) return;
    forget_all(*cache);
    map_free((*cache)->entries);
    (void)pthread_mutex_destroy(&(*cache)->mutex);
    free(*cache);
    *cache = NULL;
}

static bool is_secret_of(const struct entry *entry, const struct api_key *key, int64_t unix_us)
{
    if (api_key_matches(key, entry->secret_sha256)) return true;
    return unix_us < entry->previous_until_us && api_key_matches(key, entry->previous_sha256);
}

static enum identity_answer check_entry(const struct entry *entry, const struct api_key *key,
                                        int64_t now_ms, int64_t unix_us,
                                        struct identity *ret_identity)
{
    if (!entry || now_ms - entry->asked_ms >= IDENTITY_KEPT_MS) return IDENTITY_ASK;
    if (!entry->exists || !is_secret_of(entry, key, unix_us)) return IDENTITY_REFUSED;
    if (entry->expires_us > 0 && unix_us >= entry->expires_us) return IDENTITY_REFUSED;
    *ret_identity = entry->identity;
    return IDENTITY_KNOWN;
}

enum identity_answer identity_check(struct identity_cache *cache,
                                    const struct httpd_request *request, int64_t now_ms,
                                    int64_t unix_us, struct identity *ret_identity,
                                    char ret_key_id[static API_KEY_ID_LEN + 1])
{
    str text           = {};
    struct api_key key = {};
    if (!api_key_from_headers(httpd_request_field(request, "authorization"),
                              httpd_request_field(request, "x-api-key"),
                              httpd_request_field(request, "x-goog-api-key"), &text) ||
        !api_key_parse(text, &key)) {
        return IDENTITY_REFUSED;
    }
    (void)pthread_mutex_lock(&cache->mutex);
    struct entry *entry         = map_get(cache->entries, str_from(key.id));
    enum identity_answer answer = check_entry(entry, &key, now_ms, unix_us, ret_identity);
    if (answer == IDENTITY_KNOWN) entry->used_us = unix_us;
    (void)pthread_mutex_unlock(&cache->mutex);
    memcpy(ret_key_id, key.id, sizeof key.id);
    explicit_bzero(&key, sizeof key);
    return answer;
}

static void fill_in(struct entry *entry, const char *key_id, const Pb__ApiKey *key)
{
    /* A namespace that does not fit must not become that of another tenant. */
    bool has_namespace = strlen(key->namespace_) < sizeof entry->identity.namespace_;
    entry->exists      = !key->revoked && key->secret_sha256.len == SHA256_SIZE && has_namespace;
    entry->expires_us  = key->expires_us;
    if (!entry->exists) return;
    memcpy(entry->secret_sha256, key->secret_sha256.data, SHA256_SIZE);
    if (key->previous_sha256.len == SHA256_SIZE) {
        memcpy(entry->previous_sha256, key->previous_sha256.data, SHA256_SIZE);
        entry->previous_until_us = key->previous_until_us;
    }
    struct identity *identity = &entry->identity;
    (void)snprintf(identity->key_id, sizeof identity->key_id, "%s", key_id);
    (void)snprintf(identity->name, sizeof identity->name, "%s", key->name);
    (void)snprintf(identity->namespace_, sizeof identity->namespace_, "%s", key->namespace_);
    for (size_t i = 0; i < key->n_roles; i++) {
        enum role role = 0;
        if (role_parse(str_from(key->roles[i]), &role)) identity->roles |= role;
    }
    if (key->limits) {
        identity->limits.most[KEY_REQUESTS] = key->limits->requests_per_minute;
        identity->limits.most[KEY_STARTS]   = key->limits->starts_per_minute;
        identity->limits.most[KEY_TOKENS]   = key->limits->tokens_per_minute;
        identity->limits.most[KEY_PARALLEL] = key->limits->parallel;
    }
    for (size_t i = 0; i < key->n_labels && i < IDENTITY_LABELS_MAX; i++) {
        (void)snprintf(entry->labels[entry->label_count++], sizeof entry->labels[0], "%s:%s",
                       key->labels[i]->key, key->labels[i]->value);
    }
}

void identity_learn(struct identity_cache *cache, const char *key_id, const Pb__ApiKey *key,
                    int64_t asked_ms)
{
    struct entry *entry = mem_new(1, sizeof *entry);
    entry->asked_ms     = asked_ms;
    if (key) fill_in(entry, key_id, key);

    (void)pthread_mutex_lock(&cache->mutex);
    struct entry *before = map_remove(cache->entries, str_from(key_id));
    if (before && before->asked_ms > asked_ms) { /* answers overtook each other */
        struct entry *older = entry;
        entry               = before;
        before              = older;
    }
    if (before) {
        entry->used_us = before->used_us;
        entry->told_us = before->told_us;
    }
    free(before);
    if (!map_put(cache->entries, str_from(key_id), entry)) {
        forget_all(cache); /* full of guesses: everybody is looked up once more */
        bool is_kept = map_put(cache->entries, str_from(key_id), entry);
        ASSERT(is_kept);
    }
    (void)pthread_mutex_unlock(&cache->mutex);
}

void identity_forget(struct identity_cache *cache, const char *key_id)
{
    (void)pthread_mutex_lock(&cache->mutex);
    free(map_remove(cache->entries, str_from(key_id)));
    (void)pthread_mutex_unlock(&cache->mutex);
}

size_t identity_take_used(struct identity_cache *cache, struct identity_use *uses, size_t capacity)
{
    size_t count  = 0;
    size_t cursor = 0;
    str key       = {};
    void *value   = NULL;
    (void)pthread_mutex_lock(&cache->mutex);
    while (count < capacity && map_next(cache->entries, &cursor, &key, &value)) {
        struct entry *entry = value;
        if (entry->used_us / MINUTE_US <= entry->told_us / MINUTE_US) continue;
        entry->told_us    = entry->used_us;
        uses[count].at_us = entry->used_us;
        (void)snprintf(uses[count++].key_id, sizeof uses->key_id, STR_FMT, STR_ARG(key));
    }
    (void)pthread_mutex_unlock(&cache->mutex);
    return count;
}

size_t identity_labels(struct identity_cache *cache, const char *key_id,
                       char (*labels)[IDENTITY_LABEL_MAX + 1], size_t capacity)
{
    size_t count = 0;
    (void)pthread_mutex_lock(&cache->mutex);
    const struct entry *entry = map_get(cache->entries, str_from(key_id));
    for (size_t i = 0; entry && i < entry->label_count && count < capacity; i++) {
        memcpy(labels[count++], entry->labels[i], sizeof entry->labels[i]);
    }
    (void)pthread_mutex_unlock(&cache->mutex);
    return count;
}
