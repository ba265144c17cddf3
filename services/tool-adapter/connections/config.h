/* The tool-adapter's options. */
#ifndef TOOL_ADAPTER_CONFIG_H
#define TOOL_ADAPTER_CONFIG_H

#include "config/config.h"
#include "config/file_options.h"
#include "config/rpc_options.h"

struct options {
    const char *admin_host;
    int64_t admin_port;
    const char *listen;      /* NULL: no documents for gateways */
    const char *long_listen; /* NULL: follows from `listen` */
    const char *scheduler;   /* endpoints */
    const char *name;        /* of the worker; NULL: follows from the host's */
    int64_t slots;
    int64_t lease_ms;
    int64_t drain_ms;
    struct config_list private_networks;
    struct config_list http_hosts;
    struct config_list rewrite;
    json connections;
    json stdio_servers;       /* programs that may be started */
    const char *adapters_dir; /* NULL: built-in adapters only */
    const char *ca_file;      /* NULL: the system's authorities */
    const char *llm;          /* endpoints that embed what is remembered; NULL: none */
    const char *memory_path;  /* NULL: the memory is not here */
    uint64_t memory_size;     /* bytes */
    const char *browser_path, *browser_folder;
    bool browser_sandbox;
    int64_t browser_pages;   /* 0: as many as cores */
    uint64_t browser_memory; /* bytes */
    struct config_common common;
    struct config_rpc rpc;
    struct config_files files;
};

extern const struct config_program tool_adapter_program;

#endif
