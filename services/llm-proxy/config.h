/* The llm-proxy's options. */
#ifndef LLM_PROXY_CONFIG_H
#define LLM_PROXY_CONFIG_H

#include "config/config.h"
#include "config/rpc_options.h"
#include "llm-proxy/catalog/catalog.h"

enum log_content { LOG_CONTENT_OFF, LOG_CONTENT_MASKED };

struct options {
    const char *listen;      /* url */
    const char *long_listen; /* url; NULL: follows from `listen` */
    const char *admin_host;
    int64_t admin_port;
    const char *scheduler; /* endpoints */
    const char *peers;     /* endpoints; NULL: none */
    int64_t peer_wait_ms;
    const char *name; /* of the worker; NULL: host name and process */
    int64_t slots;
    int64_t lease_ms;
    int64_t drain_ms;
    const char *store_path;        /* NULL: none */
    int log_content;               /* enum log_content */
    bool job_output;               /* jobs are streamed, for those who follow their runs */
    int64_t grace_ms;              /* of durable streams without a reader */
    struct config_secret key_seal; /* of provider_keys.h */
    const char *key_secrets;       /* prefix, likewise */
    json providers, routes, prices, pii;
    struct config_common common;
    struct config_rpc rpc;
};

/** The trees that a catalog is read from. */
struct catalog_trees options_trees(const struct options *options);

extern const struct config_program llm_proxy_program;

#endif
