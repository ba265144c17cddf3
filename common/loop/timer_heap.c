#include "base/assert.h"
#include "base/mem.h"
#include "loop/loop_internal.h"

#include <stdlib.h>

enum { CAPACITY_MIN = 64 };

void timer_heap_done(struct timer_heap *heap)
{
    for (size_t i = 0; i < heap->count; i++) heap->items[i]->position = 0;
    free(heap->items);
    *heap = (struct timer_heap){};
}

static void place(struct timer_heap *heap, struct loop_timer *timer, size_t at)
{
    heap->items[at] = timer;
    timer->position = at + 1;
}

/* Moves the timer at `at` up until its parent is not due later. */
static void sift_up(struct timer_heap *heap, size_t at)
{
    struct loop_timer *timer = heap->items[at];
    while (at > 0) {
        size_t parent = (at - 1) / 2;
        if (heap->items[parent]->due_ms <= timer->due_ms) break;
        place(heap, heap->items[parent], at);
        at = parent;
    }
    place(heap, timer, at);
}

/* Moves the timer at `at` down until no child is due earlier. */
static void sift_down(struct timer_heap *heap, size_t at)
{
    struct loop_timer *timer = heap->items[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= heap->count) break;
        if (child + 1 < heap->count &&
            heap->items[child + 1]->due_ms < heap->items[child]->due_ms) {
            child++;
        }
        if (heap->items[child]->due_ms >= timer->due_ms) break;
        place(heap, heap->items[child], at);
        at = child;
    }
    place(heap, timer, at);
}

void timer_heap_put(struct timer_heap *heap, struct loop_timer *timer, int64_t due_ms)
{
    if (timer->position == 0) {
        ASSERT(heap->count < LOOP_TIMERS_MAX);
        if (heap->count == heap->capacity) {
            heap->capacity = heap->capacity ? heap->capacity * 2 : CAPACITY_MIN;
            heap->items    = mem_resize(heap->items, heap->capacity, sizeof(struct loop_timer *));
        }
        place(heap, timer, heap->count++);
    }
    ASSERT(timer->position <= heap->count);
    ASSERT(heap->items[timer->position - 1] == timer);
    timer->due_ms = due_ms;
    sift_up(heap, timer->position - 1);
    sift_down(heap, timer->position - 1);
}

void timer_heap_remove(struct timer_heap *heap, struct loop_timer *timer)
{
    if (timer->position == 0) return;
    size_t at = timer->position - 1;
    ASSERT(at < heap->count);
    ASSERT(heap->items[at] == timer);
    timer->position         = 0;
    struct loop_timer *last = heap->items[--heap->count];
    if (last == timer) return;
    place(heap, last, at);
    sift_up(heap, at);
    sift_down(heap, last->position - 1);
}

struct loop_timer *timer_heap_first(const struct timer_heap *heap)
{
    return heap->count > 0 ? heap->items[0] : NULL;
}
