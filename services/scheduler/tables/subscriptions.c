#include "scheduler/tables/subscriptions.h"

#include "base/arena.h"
#include "base/assert.h"
#include "base/mem.h"
#include "scheduler/tables/record.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { SET_ARENA_MAX = 64 << 20 /* bytes */ };

struct kept_set {
    struct subscription_set set; /* first */
    atomic_uint references;
    struct arena *arena;
};

struct subscriptions {
    pthread_mutex_t mutex; /* of `current` */
    struct kept_set *current;
    atomic_bool exist;
};

static struct kept_set *set_new(void)
{
    struct kept_set *kept = mem_new(1, sizeof *kept);
    kept->arena           = arena_new(SET_ARENA_MAX);
    kept->set.items       = arena_alloc(kept->arena, SUBSCRIPTIONS_MAX * sizeof *kept->set.items);
    ASSERT(kept->set.items);
    atomic_init(&kept->references, 1);
    return kept;
}

void subscription_set_unref(const struct subscription_set *set)
{
    if (!set) return;
    struct kept_set *kept = (struct kept_set *)(uintptr_t)set;
    if (atomic_fetch_sub(&kept->references, 1) > 1) return;
    arena_free(kept->arena);
    free(kept);
}

void subscription_set_unrefp(const struct subscription_set **set)
{
    subscription_set_unref(*set);
}

struct subscriptions *subscriptions_new(void)
{
    struct subscriptions *subscriptions = mem_new(1, sizeof *subscriptions);
    int made                            = pthread_mutex_init(&subscriptions->mutex, NULL);
    ASSERT(made == 0);
    subscriptions->current = set_new();
    return subscriptions;
}

void subscriptions_free(struct subscriptions *subscriptions)
{
    if (!subscriptions) return;
    subscription_set_unref(&subscriptions->current->set);
    (void)pthread_mutex_destroy(&subscriptions->mutex);
    free(subscriptions);
}

static status read_row(bytes, bytes row, struct error *reterr, void *context)
{
    struct kept_set *kept  = context;
    Pb__Subscription *read = NULL;
    TRY(record_read(row, &pb__subscription__descriptor, kept->arena, &read, reterr));
    if (!read->off && kept->set.count < SUBSCRIPTIONS_MAX) {
        kept->set.items[kept->set.count++] = read;
    }
    return STATUS_OK;
}

static status read_all(struct kept_set *kept, struct store *system, struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    struct page page                    = {.has_more = true};
    const struct scan scan              = {};
    TRY(txn_begin_read(system, &txn, reterr));
    while (page.has_more) {
        TRY(txn_page(txn, TABLE_SUBSCRIPTIONS, &scan, SUBSCRIPTIONS_MAX, &page, read_row, kept,
                     reterr));
    }
    return STATUS_OK;
}

status subscriptions_load(struct subscriptions *subscriptions, struct store *system,
                          struct error *reterr)
{
    struct kept_set *kept = set_new();
    status code           = read_all(kept, system, reterr);
    if (code != STATUS_OK) {
        subscription_set_unref(&kept->set);
        return code;
    }
    (void)pthread_mutex_lock(&subscriptions->mutex);
    struct kept_set *old   = subscriptions->current;
    subscriptions->current = kept;
    atomic_store(&subscriptions->exist, kept->set.count > 0);
    (void)pthread_mutex_unlock(&subscriptions->mutex);
    subscription_set_unref(&old->set);
    return STATUS_OK;
}

const struct subscription_set *subscriptions_take(struct subscriptions *subscriptions)
{
    (void)pthread_mutex_lock(&subscriptions->mutex);
    struct kept_set *kept = subscriptions->current;
    (void)atomic_fetch_add(&kept->references, 1);
    (void)pthread_mutex_unlock(&subscriptions->mutex);
    return &kept->set;
}

bool subscriptions_exist(const struct subscriptions *subscriptions)
{
    return subscriptions && atomic_load(&subscriptions->exist);
}

static bool type_fits(const char *wanted, str type)
{
    size_t len = strlen(wanted);
    if (len > 0 && wanted[len - 1] == '*') return str_starts_with(type, (str){wanted, len - 1});
    return str_is(type, wanted);
}

/* The two status-changed types are for those who name them. */
bool subscription_wants(const Pb__Subscription *subscription, str type)
{
    static const char status_changed[] = ".status-changed.v1";
    size_t tail                        = sizeof status_changed - 1;
    bool must_name =
        type.len > tail && str_is(str_slice(type, type.len - tail, type.len), status_changed);
    for (size_t i = 0; i < subscription->n_types; i++) {
        if (must_name ? str_is(type, subscription->types[i])
                      : type_fits(subscription->types[i], type)) {
            return true;
        }
    }
    return subscription->n_types == 0 && !must_name;
}
