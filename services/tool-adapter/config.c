#include "tool-adapter/config.h"

#include "base/attr.h"

static const struct config_option options_table[] = {
    {.path     = "tools.admin.host",
     .kind     = CONFIG_TEXT,
     .offset   = offsetof(struct options, admin_host),
     .fallback = "127.0.0.1",
     .doc      = "Numeric address of health and metrics."},
    {.path     = "tools.admin.port",
     .kind     = CONFIG_INT,
     .offset   = offsetof(struct options, admin_port),
     .fallback = "8083",
     .min      = 0,
     .max      = 65535,
     .doc      = "Port of health and metrics; 0 takes any free one."},
    {.path     = "tools.scheduler",
     .kind     = CONFIG_TEXT,
     .offset   = offsetof(struct options, scheduler),
     .fallback = "tcp://127.0.0.1:7082",
     .doc      = "Endpoints of the schedulers, in the order of their partitions."},
    {.path   = "tools.name",
     .kind   = CONFIG_TEXT,
     .offset = offsetof(struct options, name),
     .doc    = "Name of this worker, stable over restarts; by default the host's name."},
    {.path     = "tools.slots",
     .kind     = CONFIG_INT,
     .offset   = offsetof(struct options, slots),
     .fallback = "256",
     .min      = 1,
     .max      = 1'000,
     .doc      = "Jobs at once."},
    {.path     = "tools.lease",
     .kind     = CONFIG_DURATION,
     .offset   = offsetof(struct options, lease_ms),
     .fallback = "60s",
     .min      = 1'000,
     .max      = 3'600'000,
     .doc      = "Silence after which its jobs go to another worker; it speaks every third of it."},
    {.path     = "tools.drain",
     .kind     = CONFIG_DURATION,
     .offset   = offsetof(struct options, drain_ms),
     .fallback = "30s",
     .max      = 600'000,
     .doc      = "How long a stopping tool-adapter waits for its jobs."},
    {.path   = "tools.egress.private_networks",
     .kind   = CONFIG_LIST,
     .offset = offsetof(struct options, private_networks),
     .doc    = "Networks that are not public and may be called all the same: 10.20.0.0/16."},
    {.path   = "tools.egress.http_hosts",
     .kind   = CONFIG_LIST,
     .offset = offsetof(struct options, http_hosts),
     .doc    = "Hosts that may be called by plain http."},
};

static const struct config_set sets[] = {
    {options_table, ARRAY_LEN(options_table), 0},
    {config_common_options, CONFIG_COMMON_COUNT, offsetof(struct options, common)},
    {config_rpc_options, CONFIG_RPC_COUNT, offsetof(struct options, rpc)},
};

const struct config_program tool_adapter_program = {
    .name = "tutti-tool-adapter", .sets = sets, .set_count = ARRAY_LEN(sets)};
