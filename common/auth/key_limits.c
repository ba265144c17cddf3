#include "auth/key_limits.h"

#include <stdio.h>
#include <string.h>

enum { BUCKET_MAX = 1'000'000 };

const char *key_limit_word(enum key_limit limit)
{
    static const char *const words[KEY_LIMIT_COUNT] = {[KEY_REQUESTS] = "requests",
                                                       [KEY_STARTS]   = "starts",
                                                       [KEY_TOKENS]   = "tokens",
                                                       [KEY_PARALLEL] = "parallel"};
    return words[limit];
}

bool key_limit_name(enum key_limit limit, const char *key_id, char name[static KEY_LIMIT_NAME_SIZE])
{
    if (strlen(key_id) != API_KEY_ID_LEN) return false;
    (void)snprintf(name, KEY_LIMIT_NAME_SIZE, "apikey:%s:%s", key_id, key_limit_word(limit));
    return true;
}

uint32_t key_limit_unit(enum key_limit limit, uint32_t most)
{
    if (limit != KEY_TOKENS || most <= BUCKET_MAX) return 1;
    return (most + BUCKET_MAX - 1) / BUCKET_MAX;
}

uint32_t key_limit_bucket(enum key_limit limit, uint32_t most)
{
    return most / key_limit_unit(limit, most);
}

uint32_t key_limit_permits(enum key_limit limit, uint32_t most, int64_t count)
{
    int64_t unit = key_limit_unit(limit, most);
    if (count <= 0) return 0;
    int64_t permits = count / unit + (count % unit > 0 ? 1 : 0);
    return permits < UINT32_MAX ? (uint32_t)permits : UINT32_MAX;
}
