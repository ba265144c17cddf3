/* The gateway's options. */
#ifndef GATEWAY_CONFIG_H
#define GATEWAY_CONFIG_H

#include "config/config.h"
#include "config/file_options.h"
#include "config/rpc_options.h"

struct options {
    const char *host;
    int64_t port;
    const char *admin_host;
    int64_t admin_port;
    int64_t loops; /* 0: one per CPU */
    int64_t connections_max;
    const char *scheduler;       /* endpoints */
    const char *scheduler_hints; /* urls */
    const char *llm;             /* endpoints; NULL: none */
    const char *tools;           /* endpoints of who reads documents; NULL: none */
    int64_t drain_ms;
    const char *mcp_prefix;
    bool audit;
    struct config_common common;
    struct config_rpc rpc;
    struct config_files files;
};

extern const struct config_program gateway_program;

#endif
