/**
 * heap: a priority queue of pointers that know their place, so any of them can be taken out.
 *
 * Items embed a struct heap_link; the caller says which of two comes first. Grows as needed; the
 * owner bounds what goes in. Not thread-safe.
 */
#ifndef SCHEDULER_HEAP_H
#define SCHEDULER_HEAP_H

#include <stdbool.h>
#include <stddef.h>

/** In every item. Zeroed: in no heap. An item is in one heap per link. */
struct heap_link {
    size_t place; /* from 1 */
};

struct heap {
    struct heap_link **links; /* owned; links[0] is not used */
    size_t count;
    size_t capacity;
    bool (*is_before)(const struct heap_link *a, const struct heap_link *b);
};

static inline struct heap heap_init(bool (*is_before)(const struct heap_link *,
                                                      const struct heap_link *))
{
    return (struct heap){.is_before = is_before};
}

/** Frees the heap's memory, not the items. */
void heap_done(struct heap *heap);

static inline bool heap_has(const struct heap_link *link)
{
    return link->place > 0;
}

/** The first item, or NULL. */
struct heap_link *heap_first(const struct heap *heap);

void heap_add(struct heap *heap, struct heap_link *link);    /* not yet in a heap */
void heap_remove(struct heap *heap, struct heap_link *link); /* in this heap */

/** Puts an item whose order changed where it belongs. */
void heap_move(struct heap *heap, struct heap_link *link);

#endif
