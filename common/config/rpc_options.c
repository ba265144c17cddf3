#include "config/rpc_options.h"

const char *const config_rpc_listen_schemes[] = {"tcp",      "tls+tcp", "ipc",
                                                 "abstract", "inproc",  NULL};
const char *const config_rpc_call_schemes[]   = {"tcp", "tls+tcp",  "dns+tcp", "dns+tls+tcp",
                                                 "ipc", "abstract", "inproc",  NULL};

const struct config_option config_rpc_options[CONFIG_RPC_COUNT] = {
    {.path   = "rpc.token",
     .kind   = CONFIG_SECRET,
     .offset = offsetof(struct config_rpc, token),
     .doc    = "Secret that services sign their calls with, at least 32 bytes; required over TCP."},
    {.path   = "rpc.token_previous",
     .kind   = CONFIG_SECRET,
     .offset = offsetof(struct config_rpc, token_previous),
     .doc    = "The secret before, still taken while all services change to the new one."},
    {.path   = "rpc.tls.ca",
     .kind   = CONFIG_PATH,
     .offset = offsetof(struct config_rpc, ca_file),
     .doc    = "PEM file of the authority that signs the services' certificates (tls+tcp)."},
    {.path   = "rpc.tls.cert",
     .kind   = CONFIG_PATH,
     .offset = offsetof(struct config_rpc, cert_key_file),
     .doc    = "PEM file with this service's certificate and its key, in this order (tls+tcp)."},
};
