/**
 * secrets: the values behind `use.secrets`, by namespace and name.
 *
 * They stand outside of the store, in files and environment variables that the operator names:
 *
 *     scheduler:
 *       secrets:
 *         acme:                                   # a namespace; "*" is for all
 *           github: { file: /run/secrets/github }
 *           slack:  { env: SLACK_TOKEN }
 *       secrets_dir: /etc/tutti/workflow-secrets  # and a file <namespace>/<name> for each other
 *
 * What is configured for the namespace itself comes first, then its folder, then `*`. Nothing else
 * of the configuration is reachable: the suite's own secrets stay its own. A text that is a map in
 * JSON is that map. A file that changes is read again within a second.
 *
 * Threads: a store belongs to one thread (each engine has its own); secrets_list() is for any.
 * Limits: see the enum; a secret beyond them is as one that is missing, with a line in the log.
 */
#ifndef SCHEDULER_SECRETS_H
#define SCHEDULER_SECRETS_H

#include "base/arena.h"
#include "config/config.h"
#include "scheduler/run/run.h"

enum {
    SECRET_SIZE_MAX    = 64 << 10, /* bytes */
    SECRETS_LISTED_MAX = 10'000,
    SECRETS_KEPT_MAX   = 10'000, /* in memory */
    SECRETS_LOOK_MS    = 1'000,  /* between two looks at a file */
};

/** Where they are. Borrowed members outlive what is made of it. */
struct secrets_place {
    json configured;          /* scheduler.secrets */
    const char *folder;       /* scheduler.secrets_dir; NULL: none */
    char *const *environment; /* NAME=VALUE, NULL-terminated; NULL: none */
};

/** Findings of `scheduler.secrets`: what is no map of maps of `{file: PATH}` or `{env: NAME}`. */
void secrets_check(const struct config *config, json configured, struct diagnostics *list);

struct secrets;

struct secrets *secrets_new(const struct secrets_place *place); /* owned */
void secrets_free(struct secrets *secrets);
void secrets_freep(struct secrets **secrets);

/** A text or a map; owned. JSON_INVALID: there is none. */
json secrets_get(struct secrets *secrets, str namespace, str name, int64_t now_ms);

/** The same as the engine asks for it, by the monotonic clock. */
struct secret_source secrets_source(struct secrets *secrets);

/** A name and the namespace that it was given for ("*": all). */
struct secret_name {
    const char *namespace;
    const char *name;
};

/** What a namespace can name ("*": of all namespaces), by namespace and name, never a value. Lives
 * as long as the arena. RESOURCE_EXHAUSTED: more than SECRETS_LISTED_MAX. */
status secrets_list(const struct secrets_place *place, str namespace, struct arena *arena,
                    struct secret_name **ret_names, size_t *ret_count, struct error *reterr);

#endif
