#include "scheduler/engine/watches/history_waits.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "scheduler/engine/heap.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

struct wait {
    struct rpc_call *call;
    struct id run;
    int64_t until_ms;
    struct heap_link by_end;
    struct wait *same_run; /* the next one of this run */
    struct wait *next_due;
    bool is_due;  /* it stands in the list of those to be answered */
    bool is_over; /* answered while it stood there: to be freed when its turn comes */
    bool is_cancelled;
};

struct history_waits {
    history_answer_fn answer;
    pthread_t thread;
    _Atomic size_t count;

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    struct map *by_run; /* run id -> first struct wait */
    struct heap by_end;
    struct wait *first_due, *last_due;
    bool is_stopping;
};

static struct wait *wait_of(const struct heap_link *link)
{
    uintptr_t place = (uintptr_t)link - offsetof(struct wait, by_end);
    return (struct wait *)place;
}

static bool ends_before(const struct heap_link *a, const struct heap_link *b)
{
    return wait_of(a)->until_ms < wait_of(b)->until_ms;
}

static void lock(struct history_waits *waits)
{
    int failed = pthread_mutex_lock(&waits->mutex);
    ASSERT(!failed);
}

static void unlock(struct history_waits *waits)
{
    int failed = pthread_mutex_unlock(&waits->mutex);
    ASSERT(!failed);
}

/* --- under the lock ----------------------------------------------------------------------------
 */

static void make_due(struct history_waits *waits, struct wait *wait)
{
    if (wait->is_due) return;
    wait->is_due   = true;
    wait->next_due = NULL;
    if (waits->last_due) {
        waits->last_due->next_due = wait;
    } else {
        waits->first_due = wait;
    }
    waits->last_due = wait;
    (void)pthread_cond_signal(&waits->changed);
}

static struct wait *take_due(struct history_waits *waits)
{
    struct wait *wait = waits->first_due;
    waits->first_due  = wait->next_due;
    if (!waits->first_due) waits->last_due = NULL;
    wait->is_due = false;
    return wait;
}

static void add(struct history_waits *waits, struct wait *wait)
{
    str run        = str_from(wait->run.text);
    wait->same_run = map_get(waits->by_run, run);
    bool is_put    = map_put(waits->by_run, run, wait);
    ASSERT(is_put);
    heap_add(&waits->by_end, &wait->by_end);
    make_due(waits, wait);
}

static void remove_wait(struct history_waits *waits, struct wait *wait)
{
    str run             = str_from(wait->run.text);
    struct wait *first  = map_remove(waits->by_run, run);
    struct wait **place = &first;
    while (*place != wait) place = &(*place)->same_run;
    *place = wait->same_run;
    if (first) {
        bool is_put = map_put(waits->by_run, run, first);
        ASSERT(is_put);
    }
    heap_remove(&waits->by_end, &wait->by_end);
    wait->is_over = true;
    if (!wait->is_due) free(wait);
}

/* The next one to be answered; NULL: none is left and it is time to go. `*ret_is_last`: with
 * whatever there is. */
static struct wait *next_wait(struct history_waits *waits, bool *ret_is_last)
{
    for (;;) {
        if (waits->first_due) {
            struct wait *wait = take_due(waits);
            *ret_is_last      = wait->until_ms <= clock_mono_ms() || waits->is_stopping;
            if (!wait->is_over) return wait;
            free(wait);
            continue;
        }
        const struct heap_link *first = heap_first(&waits->by_end);
        *ret_is_last                  = true;
        if (waits->is_stopping) return first ? wait_of(first) : NULL;
        if (!first) {
            (void)pthread_cond_wait(&waits->changed, &waits->mutex);
            continue;
        }
        int64_t until_ms = wait_of(first)->until_ms;
        if (until_ms <= clock_mono_ms()) return wait_of(first);
        const struct timespec until = {.tv_sec  = until_ms / 1000,
                                       .tv_nsec = until_ms % 1000 * 1'000'000};
        (void)pthread_cond_timedwait(&waits->changed, &waits->mutex, &until);
    }
}

/* --- the thread --------------------------------------------------------------------------------
 */

static void *answer_thread(void *context)
{
    struct history_waits *waits = context;
    bool is_last                = false;
    lock(waits);
    struct wait *wait;
    while ((wait = next_wait(waits, &is_last))) {
        bool is_cancelled = wait->is_cancelled;
        unlock(waits); /* only this thread removes waits, so it stays while it is answered */
        bool is_answered = true;
        if (is_cancelled) {
            rpc_reply(wait->call, STATUS_CANCELLED, NULL);
        } else {
            is_answered = waits->answer(wait->call, is_last);
        }
        ASSERT(is_answered || !is_last);
        lock(waits);
        if (!is_answered) continue;
        atomic_fetch_sub(&waits->count, 1);
        remove_wait(waits, wait);
    }
    unlock(waits);
    return NULL;
}

/* --- start and stop ----------------------------------------------------------------------------
 */

status history_waits_start(history_answer_fn answer, struct history_waits **ret_waits,
                           struct error *reterr)
{
    struct history_waits *waits = mem_new(1, sizeof *waits);
    waits->answer               = answer;
    waits->by_run               = map_new(HISTORY_WAITS_MAX);
    waits->by_end               = heap_init(ends_before);
    pthread_condattr_t attributes;
    int failed = pthread_condattr_init(&attributes);
    failed |= pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    failed |= pthread_cond_init(&waits->changed, &attributes);
    failed |= pthread_mutex_init(&waits->mutex, NULL);
    ASSERT(!failed);
    (void)pthread_condattr_destroy(&attributes);
    if (pthread_create(&waits->thread, NULL, answer_thread, waits)) {
        map_free(waits->by_run);
        free(waits);
        return fail(reterr, STATUS_UNAVAILABLE, "no thread for waiting histories");
    }
    *ret_waits = waits;
    return STATUS_OK;
}

void history_waits_stop(struct history_waits *waits)
{
    if (!waits) return;
    lock(waits);
    waits->is_stopping = true;
    (void)pthread_cond_signal(&waits->changed);
    unlock(waits);
    int joined = pthread_join(waits->thread, NULL);
    ASSERT(joined == 0);
    ASSERT(map_count(waits->by_run) == 0);
    map_free(waits->by_run);
    heap_done(&waits->by_end);
    (void)pthread_cond_destroy(&waits->changed);
    (void)pthread_mutex_destroy(&waits->mutex);
    free(waits);
}

/* --- calls -------------------------------------------------------------------------------------
 */

status history_wait(struct history_waits *waits, struct rpc_call *call, str run, int64_t until_ms,
                    struct error *reterr)
{
    ASSERT(run.len == ID_LEN);
    struct wait *wait = mem_new(1, sizeof *wait);
    wait->call        = call;
    wait->until_ms    = until_ms;
    memcpy(wait->run.text, run.ptr, run.len);

    lock(waits);
    bool is_stopping = waits->is_stopping;
    bool is_full     = waits->by_end.count >= HISTORY_WAITS_MAX;
    if (!is_stopping && !is_full) {
        atomic_fetch_add(&waits->count, 1);
        add(waits, wait);
    }
    unlock(waits);
    if (!is_stopping && !is_full) return STATUS_OK;

    free(wait);
    if (is_stopping) {
        return fail_code(reterr, STATUS_UNAVAILABLE, "draining", "the scheduler stops");
    }
    return fail_code(reterr, STATUS_RESOURCE_EXHAUSTED, "quota_exceeded",
                     "%d histories are waited for already", HISTORY_WAITS_MAX);
}

void history_moved(struct history_waits *waits, str run)
{
    lock(waits);
    for (struct wait *wait = map_get(waits->by_run, run); wait; wait = wait->same_run) {
        make_due(waits, wait);
    }
    unlock(waits);
}

void history_cancel(struct history_waits *waits, const struct rpc_call *call)
{
    lock(waits);
    for (size_t i = 1; i <= waits->by_end.count; i++) {
        struct wait *wait = wait_of(waits->by_end.links[i]);
        if (wait->call != call) continue;
        wait->is_cancelled = true;
        make_due(waits, wait);
    }
    unlock(waits);
}

bool history_is_waited_for(const struct history_waits *waits)
{
    return atomic_load(&waits->count) > 0;
}
