/* loop_internal: the timers of a loop, a binary heap of borrowed pointers by due time; watches, and
 * the memory that is fetched before they look at it. */
#ifndef LOOP_LOOP_INTERNAL_H
#define LOOP_LOOP_INTERNAL_H

#include "loop/loop.h"

#include <sys/epoll.h>

struct timer_heap {
    struct loop_timer **items; /* items[i]->position == i + 1 */
    size_t count;
    size_t capacity;
};

void timer_heap_done(struct timer_heap *heap);

/** Inserts the timer, or moves it if it is in. */
void timer_heap_put(struct timer_heap *heap, struct loop_timer *timer, int64_t due_ms);

/** Removes the timer if it is in. */
void timer_heap_remove(struct timer_heap *heap, struct loop_timer *timer);

/** The timer that is due first, or NULL. */
struct loop_timer *timer_heap_first(const struct timer_heap *heap);

struct loop_watch {
    struct loop *loop;
    int fd;
    unsigned events;
    loop_watch_fn *ready;
    void *context;
    const struct loop_ahead *ahead; /* NULL: none */
    bool is_removed;
    struct loop_watch *next; /* of those to be freed after the batch */
};

/** The first of these is to be served now; asks for what those behind it look at, and does not wait
 * for it. */
void loop_look_ahead(const struct epoll_event *events, int count);

#endif
