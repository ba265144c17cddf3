#include "llm-proxy/guard/token_ratio.h"

#include "base/map.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SHARE = 8 /* of the newest: one of so many */, NAME_BYTES_MAX = 512 };

static const double ratio_at_first = 0.25;
static const double ratio_max      = 1.0;  /* the rest is no text: tools, images */
static const double estimate_max   = 1e12; /* tokens */

struct token_ratios {
    struct map *by_model; /* double, owned; PROVIDER/MODEL */
};

struct token_ratios *token_ratios_new(void)
{
    struct token_ratios *ratios = mem_new(1, sizeof *ratios);
    ratios->by_model            = map_new(TOKEN_RATIOS_MAX);
    return ratios;
}

void token_ratios_freep(struct token_ratios **ref)
{
    struct token_ratios *ratios = *ref;
    size_t cursor               = 0;
    void *ratio                 = NULL;
    if (!ratios) return;
    while (map_next(ratios->by_model, &cursor, NULL, &ratio)) free(ratio);
    map_free(ratios->by_model);
    free(ratios);
    *ref = NULL;
}

/* Empty: it is too long. On the caller's stack: it is asked for several times for each call. */
static str write_name(str provider, str model, char name[static NAME_BYTES_MAX])
{
    size_t len = provider.len + 1 + model.len;
    if (len > NAME_BYTES_MAX) return (str){};
    memcpy(name, provider.ptr, provider.len);
    name[provider.len] = '/';
    if (model.len > 0) memcpy(name + provider.len + 1, model.ptr, model.len);
    return (str){.ptr = name, .len = len};
}

static double *find(const struct token_ratios *ratios, const char *provider, str model)
{
    char text[NAME_BYTES_MAX];
    str name = write_name(str_from(provider), model, text);
    return name.len > 0 ? map_get(ratios->by_model, name) : NULL;
}

/* NULL: there are too many, or its name is too long. */
static double *add(struct token_ratios *ratios, const char *provider, str model)
{
    char text[NAME_BYTES_MAX];
    str name = write_name(str_from(provider), model, text);
    if (name.len == 0) return NULL;
    double *ratio = mem_new(1, sizeof *ratio);
    *ratio        = ratio_at_first;
    if (map_put(ratios->by_model, name, ratio)) return ratio;
    free(ratio);
    return NULL;
}

void token_ratios_note(struct token_ratios *ratios, const char *provider, str model, uint64_t size,
                       int64_t tokens)
{
    if (size < TOKEN_RATIO_FROM || tokens <= 0) return;
    double *ratio = find(ratios, provider, model);
    if (!ratio) ratio = add(ratios, provider, model);
    if (ratio) *ratio += (fmin((double)tokens / (double)size, ratio_max) - *ratio) / SHARE;
}

bool token_ratios_knows(const struct token_ratios *ratios, const char *provider, str model)
{
    return find(ratios, provider, model) != NULL;
}

int64_t token_ratios_estimate(const struct token_ratios *ratios, const char *provider, str model,
                              uint64_t size)
{
    const double *ratio = find(ratios, provider, model);
    double tokens       = ceil((double)size * (ratio ? *ratio : ratio_at_first));
    return (int64_t)(tokens < estimate_max ? tokens : estimate_max);
}
