#include "scheduler/engine/mailbox.h"

#include "base/assert.h"
#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct mailbox {
    size_t count_max;
    size_t size_max; /* bytes */

    pthread_mutex_t mutex; /* guards all that follows */
    pthread_cond_t posted;
    struct mail *first;
    struct mail *last;
    size_t count;
    size_t size_bytes;
    bool is_closed;
    bool is_woken;
    bool taker_waits; /* unsignalled: only then is a signal worth its system call */
};

struct mailbox *mailbox_new(size_t count_max, size_t size_max)
{
    struct mailbox *mailbox = mem_new(1, sizeof *mailbox);
    mailbox->count_max      = count_max ? count_max : MAILBOX_COUNT_MAX;
    mailbox->size_max       = size_max ? size_max : MAILBOX_SIZE_MAX;

    pthread_condattr_t attributes;
    int failed = pthread_condattr_init(&attributes);
    failed |= pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    failed |= pthread_cond_init(&mailbox->posted, &attributes);
    failed |= pthread_mutex_init(&mailbox->mutex, NULL);
    ASSERT(!failed);
    (void)pthread_condattr_destroy(&attributes);
    return mailbox;
}

void mailbox_free(struct mailbox *mailbox)
{
    if (!mailbox) return;
    ASSERT(!mailbox->taker_waits);
    (void)pthread_cond_destroy(&mailbox->posted);
    (void)pthread_mutex_destroy(&mailbox->mutex);
    free(mailbox);
}

static void lock(struct mailbox *mailbox)
{
    int failed = pthread_mutex_lock(&mailbox->mutex);
    ASSERT(!failed);
}

static void unlock(struct mailbox *mailbox)
{
    int failed = pthread_mutex_unlock(&mailbox->mutex);
    ASSERT(!failed);
}

/* The signal comes after the lock is free: a taker on another CPU would wake only to wait for it.
 */
static void unlock_and_signal(struct mailbox *mailbox)
{
    bool taker_waits     = mailbox->taker_waits;
    mailbox->taker_waits = false;
    unlock(mailbox);
    if (taker_waits) (void)pthread_cond_signal(&mailbox->posted);
}

/* Appends under the lock; `last` is the end of the chain. */
static status append(struct mailbox *mailbox, struct mail *first, struct mail *last, size_t count,
                     size_t size_bytes, struct error *reterr)
{
    if (mailbox->is_closed) {
        return fail_code(reterr, STATUS_UNAVAILABLE, "draining", "the partition stops");
    }
    if (count > mailbox->count_max - mailbox->count ||
        size_bytes > mailbox->size_max - mailbox->size_bytes) {
        return fail_code(reterr, STATUS_RESOURCE_EXHAUSTED, "overloaded",
                         "%zu commands wait for this partition; try again", mailbox->count);
    }
    if (mailbox->last) {
        mailbox->last->next = first;
    } else {
        mailbox->first = first;
    }
    mailbox->last = last;
    mailbox->count += count;
    mailbox->size_bytes += size_bytes;
    return STATUS_OK;
}

status mailbox_post(struct mailbox *mailbox, struct mail *first, struct error *reterr)
{
    ASSERT(first);
    struct mail *last = first;
    size_t count      = 1;
    size_t size_bytes = first->size_bytes;
    while (last->next) {
        last = last->next;
        count++;
        size_bytes += last->size_bytes;
    }

    lock(mailbox);
    status appended = append(mailbox, first, last, count, size_bytes, reterr);
    unlock_and_signal(mailbox);
    return appended;
}

static bool is_waiting_over(const struct mailbox *mailbox)
{
    return mailbox->first || mailbox->is_closed || mailbox->is_woken;
}

static void wait_until(struct mailbox *mailbox, int64_t until_us)
{
    const struct timespec until = {
        .tv_sec  = until_us / 1'000'000,
        .tv_nsec = until_us % 1'000'000 * 1'000,
    };
    int timed_out = 0;
    while (!is_waiting_over(mailbox) && timed_out != ETIMEDOUT) {
        mailbox->taker_waits = true;
        if (until_us == INT64_MAX) {
            (void)pthread_cond_wait(&mailbox->posted, &mailbox->mutex);
        } else {
            timed_out = pthread_cond_timedwait(&mailbox->posted, &mailbox->mutex, &until);
        }
    }
    mailbox->taker_waits = false;
}

struct mail *mailbox_take(struct mailbox *mailbox, int64_t until_us)
{
    lock(mailbox);
    if (until_us > 0 && !is_waiting_over(mailbox)) wait_until(mailbox, until_us);

    struct mail *chain  = mailbox->first;
    mailbox->first      = NULL;
    mailbox->last       = NULL;
    mailbox->count      = 0;
    mailbox->size_bytes = 0;
    mailbox->is_woken   = false;
    unlock(mailbox);
    return chain;
}

void mailbox_wake(struct mailbox *mailbox)
{
    lock(mailbox);
    mailbox->is_woken = true;
    unlock_and_signal(mailbox);
}

void mailbox_close(struct mailbox *mailbox)
{
    lock(mailbox);
    mailbox->is_closed = true;
    unlock_and_signal(mailbox);
}

size_t mailbox_depth(struct mailbox *mailbox)
{
    lock(mailbox);
    size_t count = mailbox->count;
    unlock(mailbox);
    return count;
}

size_t mailbox_room(struct mailbox *mailbox)
{
    lock(mailbox);
    size_t room = mailbox->is_closed || mailbox->size_bytes >= mailbox->size_max
                      ? 0
                      : mailbox->count_max - mailbox->count;
    unlock(mailbox);
    return room;
}
