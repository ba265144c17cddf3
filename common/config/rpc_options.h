/**
 * rpc_options: the section `rpc` of the configuration, the same in every service: how the services
 * prove to each other who they are.
 */
#ifndef CONFIG_RPC_OPTIONS_H
#define CONFIG_RPC_OPTIONS_H

#include "config/config.h"

struct config_rpc {
    struct config_secret token;          /* HMAC key of calls; required over TCP */
    struct config_secret token_previous; /* still taken while the token is being changed */
    const char *ca_file;                 /* tls+tcp: */
    const char *cert_key_file;
};

enum { CONFIG_RPC_COUNT = 4 };
extern const struct config_option config_rpc_options[CONFIG_RPC_COUNT];

/** Schemes that a service can listen at, and that it can call (NULL-terminated). */
extern const char *const config_rpc_listen_schemes[];
extern const char *const config_rpc_call_schemes[];

#endif
