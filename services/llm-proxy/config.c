#include "llm-proxy/config.h"

#include "base/attr.h"
#include "llm-proxy/keys/key_seal.h"

static const char *const log_contents[] = {
    [LOG_CONTENT_OFF] = "off", [LOG_CONTENT_MASKED] = "masked", NULL};

static const struct config_option options_table[] = {
    {.path     = "llm.listen",
     .kind     = CONFIG_URL,
     .offset   = offsetof(struct options, listen),
     .fallback = "tcp://127.0.0.1:7084",
     .names    = config_rpc_listen_schemes,
     .doc      = "Where gateways call."},
    {.path   = "llm.long_listen",
     .kind   = CONFIG_URL,
     .offset = offsetof(struct options, long_listen),
     .names  = config_rpc_listen_schemes,
     .doc    = "Where their long calls arrive; by default the port of llm.listen + 100."},
    {.path     = "llm.admin.host",
     .kind     = CONFIG_TEXT,
     .offset   = offsetof(struct options, admin_host),
     .fallback = "127.0.0.1",
     .doc      = "Numeric address of health and metrics."},
    {.path     = "llm.admin.port",
     .kind     = CONFIG_INT,
     .offset   = offsetof(struct options, admin_port),
     .fallback = "8084",
     .min      = 0,
     .max      = 65535,
     .doc      = "Port of health and metrics; 0 takes any free one."},
    {.path     = "llm.scheduler",
     .kind     = CONFIG_URLS,
     .offset   = offsetof(struct options, scheduler),
     .fallback = "tcp://127.0.0.1:7082",
     .names    = config_rpc_call_schemes,
     .doc      = "Endpoints of the schedulers, in the order of their partitions."},
    {.path   = "llm.peers",
     .kind   = CONFIG_URLS,
     .offset = offsetof(struct options, peers),
     .names  = config_rpc_call_schemes,
     .doc = "Endpoints of all llm-proxies, one for each; its own may be among them. They ask each "
            "other for answers under idempotency keys and for what models want back."},
    {.path     = "llm.peer_wait",
     .kind     = CONFIG_DURATION,
     .offset   = offsetof(struct options, peer_wait_ms),
     .fallback = "10s",
     .max      = 60'000,
     .doc = "How long one of llm.peers that is away is waited for before an answer is bought that "
            "it may have."},
    {.path   = "llm.name",
     .kind   = CONFIG_TEXT,
     .offset = offsetof(struct options, name),
     .doc    = "Name of this worker, stable over restarts; by default the host's name."},
    {.path     = "llm.slots",
     .kind     = CONFIG_INT,
     .offset   = offsetof(struct options, slots),
     .fallback = "64",
     .min      = 1,
     .max      = 1'000,
     .doc      = "Jobs at once."},
    {.path     = "llm.lease",
     .kind     = CONFIG_DURATION,
     .offset   = offsetof(struct options, lease_ms),
     .fallback = "60s",
     .min      = 1'000,
     .max      = 3'600'000,
     .doc      = "Silence after which its jobs go to another worker; it speaks every third of it."},
    {.path     = "llm.drain",
     .kind     = CONFIG_DURATION,
     .offset   = offsetof(struct options, drain_ms),
     .fallback = "30s",
     .max      = 600'000,
     .doc = "How long a stopping llm-proxy waits for its calls; then they are cut, and charged for "
            "what came."},
    {.path   = "llm.store.path",
     .kind   = CONFIG_TEXT,
     .offset = offsetof(struct options, store_path),
     .doc = "Folder of what must outlive the process, on a local disk, one per process; made if it "
            "is missing. Without it what calls have used since the last second is lost if the "
            "process is killed, and answers, streams and what models want back are kept in memory "
            "only."},
    {.path     = "llm.log_content",
     .kind     = CONFIG_ENUM,
     .flags    = CONFIG_RELOADABLE,
     .offset   = offsetof(struct options, log_content),
     .fallback = "off",
     .names    = log_contents,
     .doc = "Whether the log shows what models are asked and answer (`llm.request`, `llm.answer`): "
            "`masked` does, without personal data, 2,000 bytes of each."},
    {.path     = "llm.job_output",
     .kind     = CONFIG_BOOL,
     .offset   = offsetof(struct options, job_output),
     .fallback = "false",
     .doc = "Whether jobs stream from their models, so that events of runs show what is said."},
    {.path     = "llm.resume_grace",
     .kind     = CONFIG_DURATION,
     .offset   = offsetof(struct options, grace_ms),
     .fallback = "60s",
     .min      = 0,
     .max      = 3'600'000,
     .doc      = "How long a durable stream goes on when nobody reads it."},
    {.path   = "llm.key_seal",
     .kind   = CONFIG_SECRET,
     .offset = offsetof(struct options, key_seal),
     .doc    = "What keys of providers that are set by the API are sealed with: at least 32 bytes, "
               "the same for all llm-proxies. Without it only names of secrets can be set."},
    {.path     = "llm.key_secrets",
     .kind     = CONFIG_TEXT,
     .offset   = offsetof(struct options, key_secrets),
     .fallback = "upstream-",
     .doc = "How the names of secrets begin that the API may set as keys of providers. No others: "
            "what is a key there is sent to an upstream."},
    {.path   = "llm.providers",
     .kind   = CONFIG_TREE,
     .flags  = CONFIG_RELOADABLE,
     .offset = offsetof(struct options, providers),
     .doc    = "Upstreams by name: type, base_url, keys."},
    {.path   = "llm.routes",
     .kind   = CONFIG_TREE,
     .flags  = CONFIG_RELOADABLE,
     .offset = offsetof(struct options, routes),
     .doc    = "Names of models that stand for targets with weights and fallbacks."},
    {.path   = "llm.prices",
     .kind   = CONFIG_TREE,
     .flags  = CONFIG_RELOADABLE,
     .offset = offsetof(struct options, prices),
     .doc    = "Dollars per million tokens by provider/model, over the public prices."},
    {.path   = "llm.pii",
     .kind   = CONFIG_TREE,
     .flags  = CONFIG_RELOADABLE,
     .offset = offsetof(struct options, pii),
     .doc    = "What becomes of personal data in prompts: mode and kinds, by route and namespace."},
};

static const struct config_set sets[] = {
    {options_table, ARRAY_LEN(options_table), 0},
    {config_common_options, CONFIG_COMMON_COUNT, offsetof(struct options, common)},
    {config_rpc_options, CONFIG_RPC_COUNT, offsetof(struct options, rpc)},
};

struct catalog_trees options_trees(const struct options *options)
{
    return (struct catalog_trees){.providers    = options->providers,
                                  .routes       = options->routes,
                                  .prices       = options->prices,
                                  .pii          = options->pii,
                                  .logs_content = options->log_content == LOG_CONTENT_MASKED};
}

static status check(const struct config *config, const void *options, struct diagnostics *list,
                    struct error *reterr)
{
    const struct catalog_trees trees            = options_trees(options);
    CLEANUP(catalog_freep) struct catalog *read = NULL;
    TRY(key_seal_check(((const struct options *)options)->key_seal.value, reterr));
    return catalog_read(config, &trees, list, &read, reterr);
}

const struct config_program llm_proxy_program = {
    .name = "tutti-llm-proxy", .sets = sets, .set_count = ARRAY_LEN(sets), .check = check};
