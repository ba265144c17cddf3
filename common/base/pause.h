/**
 * pause: how a thread waits between two rounds, and does not when it is told to end.
 *
 * Threads: one pauses, any other ends it. On the monotonic clock: steps of the wall clock change
 * nothing.
 */
#ifndef BASE_PAUSE_H
#define BASE_PAUSE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct pause {
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    bool is_ended;
};

void pause_init(struct pause *pause);

/** After the thread that paused has been joined. */
void pause_destroy(struct pause *pause);

/** Waits `ms` milliseconds. False, at once: it was ended. */
bool pause_for(struct pause *pause, int64_t ms);

/** For good: whoever waits goes on, and nobody waits any more. */
void pause_end(struct pause *pause);

#endif
