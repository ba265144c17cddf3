/* loop_internal: the timers of a loop, a binary heap of borrowed pointers by due time. */
#ifndef LOOP_LOOP_INTERNAL_H
#define LOOP_LOOP_INTERNAL_H

#include "loop/loop.h"

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

#endif
