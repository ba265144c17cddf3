#include "llm-proxy/call/generations.h"

#include "base/mem.h"
#include "base/random.h"
#include "http/http.h"

#include <stdlib.h>

enum {
    SWEEP_MS = 1'000,
    /* Of clients (CALLS_MAX of llm_service.c) and jobs at a time, all at one provider if it must
     * be: who waits for a connection does not get it in time while streams go on. */
    UPSTREAM_CALLS_MAX = 12'000,
};

struct generation {
    struct catalog *catalog;
    struct egress_rules *egress;
    struct http_client *http;
    struct pipeline *pipeline;
    struct generation *older;
};

struct generations {
    struct generations_options options;
    struct generation *newest;
    struct loop_timer sweep; /* while there are older ones */
};

static void generation_freep(struct generation **ref)
{
    struct generation *generation = *ref;
    if (!generation) return;
    pipeline_freep(&generation->pipeline);
    http_client_freep(&generation->http);
    egress_rules_free(generation->egress);
    catalog_freep(&generation->catalog);
    free(generation);
    *ref = NULL;
}

static void on_sweep(void *context)
{
    struct generations *list = context;
    struct generation **link = &list->newest->older;
    while (*link) {
        struct generation *generation = *link;
        if (!pipeline_is_idle(generation->pipeline)) {
            link = &generation->older;
            continue;
        }
        *link = generation->older;
        generation_freep(&generation);
    }
    if (!list->newest->older) return;
    loop_timer_set(list->options.loop, &list->sweep, loop_now_ms(list->options.loop) + SWEEP_MS);
}

struct generations *generations_new(const struct generations_options *options)
{
    struct generations *list = mem_new(1, sizeof *list);
    list->options            = *options;
    list->sweep              = (struct loop_timer){.fire = on_sweep, .context = list};
    return list;
}

void generations_freep(struct generations **ref)
{
    struct generations *list = *ref;
    if (!list) return;
    loop_timer_clear(list->options.loop, &list->sweep);
    while (list->newest) {
        struct generation *generation = list->newest;
        list->newest                  = generation->older;
        generation_freep(&generation);
    }
    free(list);
    *ref = NULL;
}

/* Upstreams come from the configuration alone, never from a request or an answer, so what the
 * operator has named is allowed: private addresses, and plain http to the hosts of a base_url. */
static status make_egress(struct generation *generation, struct error *reterr)
{
    static const char *const networks[]          = {"127.0.0.0/8",    "::1/128",  "10.0.0.0/8",
                                                    "172.16.0.0/12",  "fc00::/7", "100.64.0.0/10",
                                                    "192.168.0.0/16", NULL};
    const struct catalog *catalog                = generation->catalog;
    const char *hosts[CATALOG_PROVIDERS_MAX + 1] = {};
    size_t count                                 = 0;
    for (uint32_t i = 0; i < catalog->provider_count; i++) {
        if (catalog->providers[i].plain_host) hosts[count++] = catalog->providers[i].plain_host;
    }
    const struct egress_options options = {.private_allow = networks, .http_allow = hosts};
    return egress_rules_new(&options, &generation->egress, reterr);
}

status generations_add(struct generations *list, struct catalog *catalog, struct error *reterr)
{
    CLEANUP(generation_freep) struct generation *generation = mem_new(1, sizeof *generation);
    generation->catalog                                     = catalog;
    TRY(make_egress(generation, reterr));
    const struct http_client_options http = {.loop                 = list->options.loop,
                                             .egress               = generation->egress,
                                             .calls_max            = UPSTREAM_CALLS_MAX,
                                             .host_connections_max = UPSTREAM_CALLS_MAX};
    TRY(http_client_new(&http, &generation->http, reterr));
    const struct pipeline_options pipeline = {.loop     = list->options.loop,
                                              .catalog  = catalog,
                                              .http     = generation->http,
                                              .measures = list->options.measures,
                                              .pulse    = list->options.pulse,
                                              .guard    = list->options.guard,
                                              .vault    = list->options.vault,
                                              .peers    = list->options.peers,
                                              .keeper   = list->options.keeper,
                                              .seed     = random_u64()};
    if (list->options.guard && !guard_learn(list->options.guard, catalog)) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED,
                    "over %d providers since the start: a restart is needed", GUARD_TARGETS_MAX);
    }
    generation->pipeline = pipeline_new(&pipeline);
    generation->older    = list->newest;
    if (generation->older) {
        pipeline_take_over(generation->pipeline, generation->older->pipeline);
        loop_timer_set(list->options.loop, &list->sweep,
                       loop_now_ms(list->options.loop) + SWEEP_MS);
    }
    list->newest = TAKE(generation);
    return STATUS_OK;
}

struct pipeline *generations_pipeline(const struct generations *list)
{
    return list->newest->pipeline;
}
