/**
 * key_limits: how much may be asked with an API key in a minute, and at once.
 *
 * Each is a limit of its own, named by what it counts and by the key. Rates are buckets: full, they
 * hold a minute's worth, and they fill evenly. Tokens are counted in units, since a bucket does not
 * hold more than a million.
 *
 * Pure. Threads: any.
 */
#ifndef AUTH_KEY_LIMITS_H
#define AUTH_KEY_LIMITS_H

#include "auth/api_key.h"

enum {
    KEY_LIMIT_RATE_MAX     = 1'000'000,     /* requests, starts a minute */
    KEY_LIMIT_TOKENS_MAX   = 1'000'000'000, /* a minute */
    KEY_LIMIT_PARALLEL_MAX = 1'000,
    KEY_LIMIT_NAME_SIZE    = sizeof "apikey::requests" + API_KEY_ID_LEN,
};

enum key_limit { KEY_REQUESTS, KEY_STARTS, KEY_TOKENS, KEY_PARALLEL, KEY_LIMIT_COUNT };

/** In which a bucket fills. */
#define KEY_LIMIT_PERIOD_US INT64_C(60'000'000)

/** Each 0: no limit. */
struct key_limits {
    uint32_t most[KEY_LIMIT_COUNT]; /* a minute; of KEY_PARALLEL at a time */
};

/** "requests", "starts", "tokens", "parallel"; static. */
const char *key_limit_word(enum key_limit limit);

/** "apikey:ID:requests". False: that is no id of a key. */
bool key_limit_name(enum key_limit limit, const char *key_id,
                    char name[static KEY_LIMIT_NAME_SIZE]);

/** How many tokens a permit of KEY_TOKENS stands for; of others it is 1. */
uint32_t key_limit_unit(enum key_limit limit, uint32_t most);

/** How many permits its bucket holds. */
uint32_t key_limit_bucket(enum key_limit limit, uint32_t most);

/** How many permits so many are, rounded up; UINT32_MAX at most. */
uint32_t key_limit_permits(enum key_limit limit, uint32_t most, int64_t count);

#endif
