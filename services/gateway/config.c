#include "gateway/config.h"

#include "base/attr.h"

/* clang-format off */
static const struct config_option options_table[] = {
    {.path = "gateway.host", .kind = CONFIG_TEXT, .offset = offsetof(struct options, host), .fallback = "127.0.0.1",
     .doc = "Numeric address of the HTTP API."},
    {.path = "gateway.port", .kind = CONFIG_INT, .offset = offsetof(struct options, port), .fallback = "8080",
     .min = 0, .max = 65535, .doc = "Port of the HTTP API; 0 takes any free one."},
    {.path = "gateway.admin.host", .kind = CONFIG_TEXT, .offset = offsetof(struct options, admin_host),
     .fallback = "127.0.0.1", .doc = "Numeric address of health and metrics."},
    {.path = "gateway.admin.port", .kind = CONFIG_INT, .offset = offsetof(struct options, admin_port), .fallback = "8081",
     .min = 0, .max = 65535, .doc = "Port of health and metrics; 0 takes any free one."},
    {.path = "gateway.loops", .kind = CONFIG_INT, .offset = offsetof(struct options, loops), .fallback = "1",
     .min = 0, .max = 16, .doc = "Event loops that serve the API; 0 takes one per CPU."},
    {.path = "gateway.connections_max", .kind = CONFIG_INT, .offset = offsetof(struct options, connections_max),
     .fallback = "10000", .min = 1, .max = 1'000'000, .doc = "Connections at once; more are answered 503."},
    {.path = "gateway.scheduler", .kind = CONFIG_TEXT, .offset = offsetof(struct options, scheduler),
     .fallback = "tcp://127.0.0.1:7082", .doc = "Endpoints of the schedulers, in the order of their partitions."},
    {.path = "gateway.scheduler_hints", .kind = CONFIG_TEXT, .offset = offsetof(struct options, scheduler_hints),
     .fallback = "tcp://127.0.0.1:7282", .doc = "Where the schedulers publish what has changed."},
    {.path = "gateway.llm", .kind = CONFIG_TEXT, .offset = offsetof(struct options, llm),
     .fallback = "tcp://127.0.0.1:7084", .doc = "Endpoints of the llm-proxies; empty: no LLM paths."},
    {.path = "gateway.drain", .kind = CONFIG_DURATION, .offset = offsetof(struct options, drain_ms), .fallback = "30s",
     .min = 0, .max = 600'000, .doc = "How long a stopping gateway waits for open requests."},
};
/* clang-format on */

static const struct config_set sets[] = {
    {options_table, ARRAY_LEN(options_table), 0},
    {config_common_options, CONFIG_COMMON_COUNT, offsetof(struct options, common)},
    {config_rpc_options, CONFIG_RPC_COUNT, offsetof(struct options, rpc)},
};

const struct config_program gateway_program = {
    .name = "tutti-gateway", .sets = sets, .set_count = ARRAY_LEN(sets)};
