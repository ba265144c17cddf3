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
    size_t parts;
    size_t size_bytes;
    bool is_closed;
    bool is_woken;
    bool taker_waits; /* unsignalled: only then is a signal worth its system call */
    size_t enough;    /* for the taker that waits: so many parts */
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

static size_t parts_of(const struct mail *mail)
{
    return mail->parts > 0 ? mail->parts : 1;
}

size_t mail_parts(const struct mail *first)
{
    size_t parts = 0;
    for (const struct mail *mail = first; mail; mail = mail->next) parts += parts_of(mail);
    return parts;
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

static bool is_waiting_over(const struct mailbox *mailbox)
{
    return mailbox->parts >= mailbox->enough || mailbox->is_closed || mailbox->is_woken;
}

/* The signal comes after the lock is free: a taker on another CPU would wake only to wait for it.
 */
static void unlock_and_signal(struct mailbox *mailbox)
{
    bool is_signalled = mailbox->taker_waits && is_waiting_over(mailbox);
    if (is_signalled) mailbox->taker_waits = false;
    unlock(mailbox);
    if (is_signalled) (void)pthread_cond_signal(&mailbox->posted);
}

/* Mail that is posted together. */
struct chain {
    struct mail *first, *last;
    size_t count, parts, size_bytes;
};

static struct chain chain_of(struct mail *first)
{
    struct chain chain = {.first = first};
    for (struct mail *mail = first; mail; mail = mail->next) {
        chain.last = mail;
        chain.count++;
        chain.parts += parts_of(mail);
        chain.size_bytes += mail->size_bytes;
    }
    return chain;
}

/* Appends under the lock. */
static status append(struct mailbox *mailbox, const struct chain *chain, struct error *reterr)
{
    if (mailbox->is_closed) {
        return fail_code(reterr, STATUS_UNAVAILABLE, "draining", "the partition stops");
    }
    if (chain->count > mailbox->count_max - mailbox->count ||
        chain->size_bytes > mailbox->size_max - mailbox->size_bytes) {
        return fail_code(reterr, STATUS_RESOURCE_EXHAUSTED, "overloaded",
                         "%zu commands wait for this partition; try again", mailbox->count);
    }
    if (mailbox->last) {
        mailbox->last->next = chain->first;
    } else {
        mailbox->first = chain->first;
    }
    mailbox->last = chain->last;
    mailbox->count += chain->count;
    mailbox->parts += chain->parts;
    mailbox->size_bytes += chain->size_bytes;
    return STATUS_OK;
}

status mailbox_post(struct mailbox *mailbox, struct mail *first, struct error *reterr)
{
    ASSERT(first);
    const struct chain chain = chain_of(first);
    lock(mailbox);
    status appended = append(mailbox, &chain, reterr);
    unlock_and_signal(mailbox);
    return appended;
}

/* Under the lock. */
static void wait_until(struct mailbox *mailbox, size_t enough, int64_t until_us)
{
    const struct timespec until = {
        .tv_sec  = until_us / 1'000'000,
        .tv_nsec = until_us % 1'000'000 * 1'000,
    };
    int timed_out   = 0;
    mailbox->enough = enough;
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

size_t mailbox_gather(struct mailbox *mailbox, size_t enough, int64_t until_us)
{
    lock(mailbox);
    if (until_us > 0) wait_until(mailbox, enough, until_us);
    size_t waiting = mailbox->parts;
    unlock(mailbox);
    return waiting;
}

struct mail *mailbox_take(struct mailbox *mailbox, int64_t until_us)
{
    lock(mailbox);
    if (until_us > 0) wait_until(mailbox, 1, until_us);

    struct mail *chain  = mailbox->first;
    mailbox->first      = NULL;
    mailbox->last       = NULL;
    mailbox->count      = 0;
    mailbox->parts      = 0;
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

size_t mailbox_parts(struct mailbox *mailbox)
{
    lock(mailbox);
    size_t parts = mailbox->parts;
    unlock(mailbox);
    return parts;
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
