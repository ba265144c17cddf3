/*
 * Batches that wait for a handler. A thread ends what is past its deadline; clients, lost
 * connections and the drain cancel what is parked.
 */
#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "rpc/server_internal.h"

#include <stdlib.h>

enum { FOUND_MAX = 64, IDLE_MS = 3'600'000, STOP_POLL_MS = 1, PIPES_FIRST = 16 };

/* What a pass over the list looks for. */
struct wanted {
    enum { WANT_EXPIRED, WANT_PIPE, WANT_LONG } kind;
    int64_t now_ms;
    uint32_t pipe;
};

static size_t bucket_of(uint64_t sender, uint64_t call_id)
{
    uint64_t mixed = (sender ^ call_id) * UINT64_C(0x9e3779b97f4a7c15); /* Knuth's multiplier */
    return (size_t)(mixed >> 32) & (OPEN_BUCKETS - 1);
}

static bool is_single(const struct batch *batch)
{
    return batch->header.class == RPC_LONG || batch->header.class == RPC_BULK;
}

/* Under the mutex. A service has few peers, so the list is short. */
static unsigned pipe_index(const struct open_calls *open, uint32_t pipe)
{
    unsigned i = 0;
    while (i < open->pipe_count && open->pipes[i] != pipe) i++;
    return i;
}

static struct early_cancel *early_cancel_of(struct open_calls *open, uint64_t sender,
                                            uint64_t call_id)
{
    return &open->early[bucket_of(sender, call_id) & (EARLY_CANCELS - 1)];
}

/* Under the mutex. */
static bool was_cancelled_early(struct open_calls *open, const struct batch *batch)
{
    uint64_t sender            = batch->header.sender;
    uint64_t call_id           = batch->slots[0].wire_id;
    struct early_cancel *early = early_cancel_of(open, sender, call_id);
    if (!is_single(batch) || early->sender != sender || early->call_id != call_id) return false;
    *early = (struct early_cancel){};
    return true;
}

bool open_calls_add(struct batch *batch)
{
    struct open_calls *open = &batch->server->open_calls;
    (void)pthread_mutex_lock(&open->mutex);
    ASSERT(!batch->is_listed);
    batch->is_listed = true;
    batch->next      = open->first;
    if (open->first) open->first->previous = batch;
    open->first = batch;
    if (is_single(batch)) {
        size_t bucket         = bucket_of(batch->header.sender, batch->slots[0].wire_id);
        batch->bucket_next    = open->buckets[bucket];
        open->buckets[bucket] = batch;
    }
    if (batch->deadline_ms < open->earliest_ms) {
        open->earliest_ms = batch->deadline_ms;
        (void)pthread_cond_broadcast(&open->changed);
    }
    bool is_awaited =
        pipe_index(open, batch->pipe) < open->pipe_count && !was_cancelled_early(open, batch);
    (void)pthread_mutex_unlock(&open->mutex);
    return is_awaited;
}

static void remove_from_bucket(struct open_calls *open, struct batch *batch)
{
    size_t bucket       = bucket_of(batch->header.sender, batch->slots[0].wire_id);
    struct batch **link = &open->buckets[bucket];
    while (*link && *link != batch) link = &(*link)->bucket_next;
    if (*link) *link = batch->bucket_next;
}

void open_calls_remove(struct batch *batch)
{
    struct open_calls *open = &batch->server->open_calls;
    (void)pthread_mutex_lock(&open->mutex);
    if (batch->is_listed) {
        batch->is_listed = false;
        if (batch->previous) batch->previous->next = batch->next;
        if (batch->next) batch->next->previous = batch->previous;
        if (open->first == batch) open->first = batch->next;
        batch->previous = NULL;
        batch->next     = NULL;
        if (is_single(batch)) remove_from_bucket(open, batch);
        /* The thread of deadlines looks again when it would have: waking it costs more than that.
         */
        if (!open->first && open->is_drained) (void)pthread_cond_broadcast(&open->changed);
    }
    (void)pthread_mutex_unlock(&open->mutex);
}

static bool matches(const struct batch *batch, const struct wanted *wanted)
{
    switch (wanted->kind) {
    case WANT_EXPIRED: return batch->deadline_ms <= wanted->now_ms;
    case WANT_PIPE: return batch->pipe == wanted->pipe && !batch->is_cancel_asked;
    case WANT_LONG: return batch->header.class == RPC_LONG && !batch->is_cancel_asked;
    }
    return false;
}

/* Under the mutex. What is found has a reference more. */
static unsigned find(struct open_calls *open, const struct wanted *wanted,
                     struct batch *ret_found[static FOUND_MAX])
{
    unsigned count      = 0;
    int64_t earliest_ms = INT64_MAX;
    struct batch *batch = open->first;
    for (; batch && count < FOUND_MAX; batch = batch->next) {
        if (matches(batch, wanted)) {
            batch_ref(batch);
            if (wanted->kind != WANT_EXPIRED) batch->is_cancel_asked = true;
            ret_found[count++] = batch;
        } else if (batch->deadline_ms < earliest_ms) {
            earliest_ms = batch->deadline_ms;
        }
    }
    if (wanted->kind == WANT_EXPIRED && !batch) open->earliest_ms = earliest_ms;
    return count;
}

static void cancel_all(struct rpc_server *server, const struct wanted *wanted)
{
    struct open_calls *open = &server->open_calls;
    struct batch *found[FOUND_MAX];
    unsigned count = 0;
    do {
        (void)pthread_mutex_lock(&open->mutex);
        count = find(open, wanted, found);
        (void)pthread_mutex_unlock(&open->mutex);
        for (unsigned i = 0; i < count; i++) {
            batch_cancel(found[i]);
            batch_unref(found[i]);
        }
    } while (count == FOUND_MAX);
}

void open_calls_add_pipe(struct rpc_server *server, uint32_t pipe)
{
    struct open_calls *open = &server->open_calls;
    (void)pthread_mutex_lock(&open->mutex);
    if (open->pipe_count == open->pipe_capacity) {
        open->pipe_capacity = open->pipe_capacity ? 2 * open->pipe_capacity : PIPES_FIRST;
        open->pipes         = mem_resize(open->pipes, open->pipe_capacity, sizeof *open->pipes);
    }
    open->pipes[open->pipe_count++] = pipe;
    (void)pthread_mutex_unlock(&open->mutex);
}

void open_calls_remove_pipe(struct rpc_server *server, uint32_t pipe)
{
    struct open_calls *open = &server->open_calls;
    (void)pthread_mutex_lock(&open->mutex);
    unsigned index = pipe_index(open, pipe);
    if (index < open->pipe_count) open->pipes[index] = open->pipes[--open->pipe_count];
    (void)pthread_mutex_unlock(&open->mutex);
    cancel_all(server, &(struct wanted){.kind = WANT_PIPE, .pipe = pipe});
}

void open_calls_cancel_long(struct rpc_server *server)
{
    cancel_all(server, &(struct wanted){.kind = WANT_LONG});
}

bool open_calls_cancel(struct rpc_server *server, uint64_t sender, uint64_t call_id)
{
    struct open_calls *open = &server->open_calls;
    (void)pthread_mutex_lock(&open->mutex);
    struct batch *batch = open->buckets[bucket_of(sender, call_id)];
    while (batch && (batch->header.sender != sender || batch->slots[0].wire_id != call_id)) {
        batch = batch->bucket_next;
    }
    if (batch) {
        batch_ref(batch);
    } else {
        *early_cancel_of(open, sender, call_id) = (struct early_cancel){sender, call_id};
    }
    (void)pthread_mutex_unlock(&open->mutex);
    if (!batch) return false;
    batch_cancel(batch);
    batch_unref(batch);
    return true;
}

static void give_up(struct rpc_server *server, int64_t deadline_ms, status code, const char *name,
                    const char *detail)
{
    struct open_calls *open = &server->open_calls;
    struct wanted wanted    = {.kind = WANT_EXPIRED, .now_ms = deadline_ms};
    struct batch *found[FOUND_MAX];
    unsigned count = 0;
    do {
        (void)pthread_mutex_lock(&open->mutex);
        count = find(open, &wanted, found);
        (void)pthread_mutex_unlock(&open->mutex);
        for (unsigned i = 0; i < count; i++) {
            batch_give_up(found[i], code, name, detail);
            batch_unref(found[i]);
        }
    } while (count == FOUND_MAX);
}

/* Waits for a change, at most until `until_ms`. Under the mutex. */
static void wait_until(struct open_calls *open, int64_t until_ms)
{
    struct timespec until = {
        .tv_sec  = (time_t)(until_ms / 1000),
        .tv_nsec = (long)(until_ms % 1000) * 1'000'000,
    };
    (void)pthread_cond_timedwait(&open->changed, &open->mutex, &until);
}

void open_calls_wait(struct rpc_server *server, int64_t deadline_ms)
{
    struct open_calls *open = &server->open_calls;
    (void)pthread_mutex_lock(&open->mutex);
    open->is_drained = true;
    while (open->first && clock_mono_ms() < deadline_ms) wait_until(open, deadline_ms);
    (void)pthread_mutex_unlock(&open->mutex);
}

void open_calls_give_up_all(struct rpc_server *server)
{
    struct open_calls *open = &server->open_calls;
    /* A batch that is being dispatched is listed only afterwards, and one that was just answered is
     * no longer listed but not yet sent; both take no longer than a handler. */
    while (atomic_load(&server->counters.open) > 0) {
        give_up(server, INT64_MAX, STATUS_UNAVAILABLE, "draining", "the service has stopped");
        (void)pthread_mutex_lock(&open->mutex);
        wait_until(open, clock_mono_ms() + STOP_POLL_MS);
        (void)pthread_mutex_unlock(&open->mutex);
    }
}

static void *watch_deadlines(void *context)
{
    struct rpc_server *server = context;
    struct open_calls *open   = &server->open_calls;
    for (;;) {
        (void)pthread_mutex_lock(&open->mutex);
        int64_t now_ms   = clock_mono_ms();
        int64_t until_ms = open->earliest_ms;
        if (until_ms > now_ms + IDLE_MS) until_ms = now_ms + IDLE_MS;
        if (!open->is_stopping && until_ms > now_ms) wait_until(open, until_ms);
        bool is_stopping = open->is_stopping;
        bool is_due      = open->earliest_ms <= clock_mono_ms();
        (void)pthread_mutex_unlock(&open->mutex);
        if (is_stopping) return NULL;
        if (!is_due) continue; /* a deadline came that is earlier: it waits for that one */
        give_up(server, clock_mono_ms(), STATUS_DEADLINE_EXCEEDED, "",
                "deadline: over before the answer");
    }
}

void open_calls_start(struct rpc_server *server)
{
    struct open_calls *open = &server->open_calls;
    open->earliest_ms       = INT64_MAX;
    (void)pthread_mutex_init(&open->mutex, NULL);
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&open->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    int error = pthread_create(&open->thread, NULL, watch_deadlines, server);
    ASSERT(error == 0); /* out of threads at the start */
    open->has_thread = true;
}

void open_calls_stop(struct rpc_server *server)
{
    struct open_calls *open = &server->open_calls;
    if (!open->has_thread) return;
    (void)pthread_mutex_lock(&open->mutex);
    open->is_stopping = true;
    (void)pthread_cond_broadcast(&open->changed);
    (void)pthread_mutex_unlock(&open->mutex);
    (void)pthread_join(open->thread, NULL);
    open->has_thread = false;
}

void open_calls_done(struct rpc_server *server)
{
    struct open_calls *open = &server->open_calls;
    free(open->pipes);
    (void)pthread_mutex_destroy(&open->mutex);
    (void)pthread_cond_destroy(&open->changed);
}
