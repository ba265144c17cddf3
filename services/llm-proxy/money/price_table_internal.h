/* What the files of price_table.h share. */
#ifndef LLM_PROXY_PRICE_TABLE_INTERNAL_H
#define LLM_PROXY_PRICE_TABLE_INTERNAL_H

#include "base/map.h"
#include "base/str.h"
#include "llm-proxy/money/price_table.h"

enum {
    PRICE_ARENA_MAX    = 16 << 20, /* bytes */
    PRICE_PATTERNS_MAX = 2'000,
    PRICE_HOSTS_MAX    = 128,
    PRICE_KEY_MAX      = 2 * PRICE_NAME_MAX + 1,
};

/* A name in lower case; `*` and `#` are what they stand for. */
struct price_pattern {
    str text;
    size_t literals; /* characters that stand for themselves: the longest one wins */
    const struct model_price *model;
};

struct price_host {
    str pattern;
    const char *vendor;
};

struct price_table {
    struct arena *arena; /* owned */
    struct map *by_name; /* owned; vendor 0x1f name -> struct model_price */
    struct model_price *models[PRICE_MODELS_MAX];
    uint32_t model_count;
    struct price_pattern patterns[PRICE_PATTERNS_MAX];
    uint32_t pattern_count;
    struct price_host hosts[PRICE_HOSTS_MAX];
    uint32_t host_count;
    const char *as_of;
};

struct price_key {
    char text[PRICE_KEY_MAX];
    size_t len;
};

/* How a name of a vendor is looked up; false: it is too long. */
bool price_key(str vendor, str model, struct price_key *ret_key);

bool price_fits(str pattern, str text);

static inline char price_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

#endif
