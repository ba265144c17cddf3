#include "base/pause.h"

#include "base/clock.h"

#include <time.h>

void pause_init(struct pause *pause)
{
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&pause->mutex, NULL);
    (void)pthread_cond_init(&pause->ended, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    pause->is_ended = false;
}

void pause_destroy(struct pause *pause)
{
    (void)pthread_cond_destroy(&pause->ended);
    (void)pthread_mutex_destroy(&pause->mutex);
}

bool pause_for(struct pause *pause, int64_t ms)
{
    int64_t until_ms            = clock_mono_ms() + ms;
    const struct timespec until = {
        .tv_sec  = (time_t)(until_ms / 1000),
        .tv_nsec = (long)(until_ms % 1000) * 1'000'000,
    };
    (void)pthread_mutex_lock(&pause->mutex);
    while (!pause->is_ended && clock_mono_ms() < until_ms) {
        (void)pthread_cond_timedwait(&pause->ended, &pause->mutex, &until);
    }
    bool is_ended = pause->is_ended;
    (void)pthread_mutex_unlock(&pause->mutex);
    return !is_ended;
}

void pause_end(struct pause *pause)
{
    (void)pthread_mutex_lock(&pause->mutex);
    pause->is_ended = true;
    (void)pthread_cond_broadcast(&pause->ended);
    (void)pthread_mutex_unlock(&pause->mutex);
}
