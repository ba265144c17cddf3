/**
 * subscriptions: who is told of what happens to runs.
 *
 * The truth is a table of partition 0. All engines of the process look at one set in memory, which
 * is replaced as a whole when it changes; without subscriptions looking costs one load.
 *
 * Threads: any. A set lives until subscription_set_unref().
 */
#ifndef SCHEDULER_SUBSCRIPTIONS_H
#define SCHEDULER_SUBSCRIPTIONS_H

#include "base/status.h"
#include "store/store.h"
#include "subscription.pb-c.h"

enum {
    SUBSCRIPTIONS_MAX       = 1'000,
    SUBSCRIPTION_TYPES_MAX  = 64,
    SUBSCRIPTION_URL_MAX    = 2'048, /* bytes */
    SUBSCRIPTION_SECRET_MIN = 16,    /* bytes */
    SUBSCRIPTION_SECRET_MAX = 256,
};

struct subscription_set {
    size_t count;
    Pb__Subscription **items; /* those that are not off */
};

struct subscriptions;

struct subscriptions *subscriptions_new(void); /* owned */
void subscriptions_free(struct subscriptions *subscriptions);

/** Reads the table of the system partition; called at start and after each change of it. */
status subscriptions_load(struct subscriptions *subscriptions, struct store *system,
                          struct error *reterr);

/** The set of now; never NULL. */
const struct subscription_set *subscriptions_take(struct subscriptions *subscriptions);
void subscription_set_unref(const struct subscription_set *set);
void subscription_set_unrefp(const struct subscription_set **set);

/** Says whether there is any: cheap. */
bool subscriptions_exist(const struct subscriptions *subscriptions);

/** Says whether a subscription wants events of this type. */
bool subscription_wants(const Pb__Subscription *subscription, str type);

#endif
