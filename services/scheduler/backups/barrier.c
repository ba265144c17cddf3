#include "scheduler/backups/barrier.h"

#include "base/assert.h"
#include "base/mem.h"
#include "scheduler/engine/engine.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct barrier {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    size_t posted, standing;
    bool is_open, is_broken;
    struct timespec until; /* CLOCK_MONOTONIC */
    struct command commands[];
};

static struct timespec until_of(int ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1'000'000L;
    if (until.tv_nsec >= 1'000'000'000L) {
        until.tv_sec++;
        until.tv_nsec -= 1'000'000'000L;
    }
    return until;
}

static struct barrier *barrier_new(size_t count)
{
    struct barrier *barrier = mem_new(1, sizeof *barrier + count * sizeof barrier->commands[0]);
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&barrier->mutex, NULL);
    (void)pthread_cond_init(&barrier->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    barrier->until = until_of(BARRIER_STAND_MS_MAX);
    return barrier;
}

/* On an engine thread, after its commit: here it stands. The last one to leave frees nothing;
 * barrier_open() waits for all. */
static void stand(struct command *command)
{
    struct barrier *barrier = command->context;
    (void)pthread_mutex_lock(&barrier->mutex);
    barrier->standing++;
    (void)pthread_cond_broadcast(&barrier->changed);
    while (!barrier->is_open) {
        int waited = pthread_cond_timedwait(&barrier->changed, &barrier->mutex, &barrier->until);
        if (waited != 0 && !barrier->is_open) {
            barrier->is_broken = true;
            break;
        }
    }
    barrier->posted--;
    (void)pthread_cond_broadcast(&barrier->changed);
    (void)pthread_mutex_unlock(&barrier->mutex);
}

status barrier_open(struct barrier *barrier, struct error *reterr)
{
    (void)pthread_mutex_lock(&barrier->mutex);
    bool is_broken   = barrier->is_broken;
    barrier->is_open = true;
    (void)pthread_cond_broadcast(&barrier->changed);
    while (barrier->posted > 0) (void)pthread_cond_wait(&barrier->changed, &barrier->mutex);
    (void)pthread_mutex_unlock(&barrier->mutex);
    (void)pthread_cond_destroy(&barrier->changed);
    (void)pthread_mutex_destroy(&barrier->mutex);
    free(barrier);
    if (!is_broken) return STATUS_OK;
    return fail(reterr, STATUS_DEADLINE_EXCEEDED, "the partitions could not be held still for %d s",
                BARRIER_STAND_MS_MAX / 1000);
}

static status post_all(struct barrier *barrier, struct engine *const *engines, size_t count,
                       struct error *reterr)
{
    for (size_t i = 0; i < count; i++) {
        barrier->commands[i] =
            (struct command){.kind = COMMAND_STAND, .done = stand, .context = barrier};
        (void)pthread_mutex_lock(&barrier->mutex);
        barrier->posted++;
        (void)pthread_mutex_unlock(&barrier->mutex);
        status posted = engine_post(engines[i], &barrier->commands[i], reterr);
        if (posted == STATUS_OK) continue;
        (void)pthread_mutex_lock(&barrier->mutex);
        barrier->posted--;
        (void)pthread_mutex_unlock(&barrier->mutex);
        return posted;
    }
    return STATUS_OK;
}

status barrier_close(struct engine *const *engines, size_t count, struct barrier **ret_barrier,
                     struct error *reterr)
{
    ASSERT(count > 0);
    struct barrier *barrier = barrier_new(count);
    status posted           = post_all(barrier, engines, count, reterr);
    (void)pthread_mutex_lock(&barrier->mutex);
    while (posted == STATUS_OK && barrier->standing < count && !barrier->is_broken) {
        if (pthread_cond_timedwait(&barrier->changed, &barrier->mutex, &barrier->until) != 0) {
            barrier->is_broken = true;
        }
    }
    bool is_standing = posted == STATUS_OK && !barrier->is_broken;
    (void)pthread_mutex_unlock(&barrier->mutex);
    if (is_standing) {
        *ret_barrier = barrier;
        return STATUS_OK;
    }
    status opened = barrier_open(barrier, posted == STATUS_OK ? reterr : NULL);
    return posted != STATUS_OK ? posted : opened;
}
