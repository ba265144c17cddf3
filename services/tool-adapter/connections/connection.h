/**
 * connection: an adapter with settings and secrets, under a name: `tools.connections`.
 *
 *     acme-github: { adapter: github, config: { owner: acme }, secrets: { token: { secret: GH } } }
 *
 * An adapter that needs neither secrets nor settings has a connection of its own name without an
 * entry. Secrets are read when the configuration is, and known to the log from then on.
 *
 * Immutable once made: any thread may read it.
 */
#ifndef TOOL_ADAPTER_CONNECTION_H
#define TOOL_ADAPTER_CONNECTION_H

#include "adapter/manifest.h"
#include "adapter/outgoing.h"
#include "adapter/scope.h"
#include "config/config.h"
#include "pii/scrub.h"
#include "tool-adapter/connections/turnstile.h"
#include "json/json_mask.h"

enum {
    CONNECTIONS_MAX        = 1'000,
    CONNECTION_NAME_MAX    = 63, /* bytes */
    CONNECTION_SECRETS_MAX = 16,
    CONNECTION_LIST_MAX    = 64, /* hosts, namespaces */
};

struct connection_secret {
    const char *slot;
    str value;
};

struct connection {
    const char *name;
    const struct manifest *manifest;
    json config; /* as it was given; frozen; JSON_INVALID: nothing */
    struct connection_secret secrets[CONNECTION_SECRETS_MAX];
    size_t secret_count;
    const char *const *namespaces; /* NULL-terminated; NULL: all */
    const char *const *hosts;      /* beside that of `base_url`; NULL-terminated; NULL: none */
    bool allow_private;
    str proxy;                     /* as of http.h: its requests leave by it; empty: none */
    struct scrub_options personal; /* of parameters that may hold personal data: masked */
    bool is_entry;                 /* stands in the configuration */
    const char *lacks;             /* a secret that must be set and is not; NULL: none */
    struct json_mask *mask;        /* hides its secrets in values */
    struct kept_token *kept;       /* of `jwt`; changed by the loop alone, as the next */
    struct turnstile *turnstile;
    const struct rate_budget *budgets; /* of the manifest, or of its entry */
    size_t budget_count;
    json own_budgets;      /* as they were given; frozen; JSON_INVALID: those of the manifest */
    struct formula **keys; /* of own budgets; owned: budget_count of them */
};

/** Reads one entry. `manifest` is the one that its `adapter` names. What is wrong goes to `list`,
 * at "/tools/connections/NAME/...". All but `mask` lives as long as the arena. */
void connection_read(const struct config *config, str name, json entry,
                     const struct manifest *manifest, struct arena *arena, struct diagnostics *list,
                     struct connection *ret_connection);

/** The one of an adapter without an entry. */
void connection_default(const struct manifest *manifest, struct connection *ret_connection);

/** Frees what is not the arena's. */
void connection_done(struct connection *connection);

/** Its secrets, for requests. `ret_source` borrows the connection. */
struct secret_source connection_secrets(const struct connection *connection);

/** Says whether runs of this namespace may use it. */
bool connection_serves(const struct connection *connection, str namespace);

#endif
