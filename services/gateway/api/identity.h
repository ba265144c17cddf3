/**
 * identity: who calls, by API key.
 *
 * Keys live in the scheduler's system partition. A gateway keeps what it looked up for 5 s, so that
 * a revoked key stops working within that time, and at once where the change is heard of; unknown
 * keys are remembered as well, so that a stream of guesses costs the scheduler one call each, not
 * one per request.
 *
 * Threads: any; one mutex, held for memory work only.
 */
#ifndef GATEWAY_IDENTITY_H
#define GATEWAY_IDENTITY_H

#include "auth/api_key.h"
#include "auth/key_limits.h"
#include "base/status.h"
#include "httpd/message.h"
#include "system.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    IDENTITY_KEPT_MS    = 5'000,
    IDENTITY_COUNT_MAX  = 10'000,
    IDENTITY_NAME_MAX   = 128, /* bytes */
    IDENTITY_LABELS_MAX = 16,
    IDENTITY_LABEL_MAX  = 320, /* bytes of "key:value" */
};

struct identity {
    char key_id[API_KEY_ID_LEN + 1];
    char name[IDENTITY_NAME_MAX + 1];
    unsigned roles;
    char namespace_[64]; /* "*": all */
    struct key_limits limits;
    char requested[64]; /* by the header Tutti-Namespace, checked; "" if none */
};

struct identity_cache;

struct identity_cache *identity_cache_new(void); /* owned */
void identity_cache_freep(struct identity_cache **cache);

enum identity_answer {
    IDENTITY_KNOWN,   /* *ret_identity is who it is */
    IDENTITY_REFUSED, /* no key, or not a valid one */
    IDENTITY_ASK,     /* look `ret_key_id` up, then identity_learn(), then ask again */
};

/** Checks the key in the request's headers. */
enum identity_answer identity_check(struct identity_cache *cache,
                                    const struct httpd_request *request, int64_t now_ms,
                                    int64_t unix_us, struct identity *ret_identity,
                                    char ret_key_id[static API_KEY_ID_LEN + 1]);

/** Keeps what the system partition said; `key` NULL: there is no such key. It counts from
 * `asked_ms`, when the question was put: the answer is not newer than that. What is kept and was
 * asked for later stays. */
void identity_learn(struct identity_cache *cache, const char *key_id, const Pb__ApiKey *key,
                    int64_t asked_ms);

/** The key has changed: it is looked up again. */
void identity_forget(struct identity_cache *cache, const char *key_id);

/** A key that was used, and when for the last time. */
struct identity_use {
    char key_id[API_KEY_ID_LEN + 1];
    int64_t at_us;
};

/** Takes the uses of keys that were not taken yet, of each key one a minute; how many. */
size_t identity_take_used(struct identity_cache *cache, struct identity_use *uses, size_t capacity);

/** Labels of a known key, copied into `labels`; returns how many. */
size_t identity_labels(struct identity_cache *cache, const char *key_id,
                       char (*labels)[IDENTITY_LABEL_MAX + 1], size_t capacity);

#endif
