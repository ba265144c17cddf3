/**
 * scope: what `.` is in the expressions of a manifest, member by member as a call goes on.
 *
 *   params, config, idempotency_key, now   from the beginning (a default sees what stands before
 * it) derived                                once the parameters are checked before, current
 * results of the action's `before` steps, response                        while requests are made
 *   output, item                           for undo and look-ups
 *
 * `now` is the time when the job was made, in seconds, so every attempt sees the same.
 */
#ifndef ADAPTER_SCOPE_H
#define ADAPTER_SCOPE_H

#include "adapter/manifest.h"

/** Where secrets come from; they are never part of a scope. */
struct secret_source {
    /* The value of a slot, a view as long as the call. NOT_FOUND: it is not set. */
    status (*find)(const char *slot, str *ret_value, struct error *reterr, void *context);
    void *context;
    bool is_hidden; /* a dry run: values are `***`, and so is what would be made of them */
};

struct scope_options {
    json config; /* settings of the connection; JSON_INVALID: none */
    json params; /* as the caller gave them; JSON_INVALID: none */
    str idempotency_key;
    int64_t created_us;
    const struct secret_source *secrets; /* NULL: hashes with a secret are refused */
    struct arena *arena;                 /* for messages */
};

/**
 * Fills defaults in their order, checks settings and parameters, derives. `*ret_scope` is owned, a
 * map. INVALID_ARGUMENT: a parameter or setting is missing, unknown or wrong (the text names it).
 */
status scope_new(const struct manifest_action *action, const struct scope_options *options,
                 json *ret_scope, struct error *reterr);

/** Settings with their defaults, checked. Owned. Statuses as above. */
status scope_config(const struct manifest *manifest, json given, struct arena *arena,
                    json *ret_config, struct error *reterr);

/** Checks an output against what the action promises. INVALID_ARGUMENT: it is another one. */
status scope_check_output(const struct manifest_action *action, json output, struct arena *arena,
                          struct error *reterr);

/** Sets a member; takes `value`. */
void scope_put(json *scope, const char *name, json value);

/** The time of `now` in microseconds. */
int64_t scope_now_us(json scope);

#endif
