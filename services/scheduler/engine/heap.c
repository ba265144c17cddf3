#include "scheduler/engine/heap.h"

#include "base/assert.h"
#include "base/mem.h"

#include <stdlib.h>

enum { CAPACITY_MIN = 16 };

void heap_done(struct heap *heap)
{
    free(heap->links);
    heap->links    = NULL;
    heap->count    = 0;
    heap->capacity = 0;
}

struct heap_link *heap_first(const struct heap *heap)
{
    return heap->count > 0 ? heap->links[1] : NULL;
}

static void set(struct heap *heap, size_t place, struct heap_link *link)
{
    heap->links[place] = link;
    link->place        = place;
}

static void rise(struct heap *heap, struct heap_link *link)
{
    size_t place = link->place;
    while (place > 1 && heap->is_before(link, heap->links[place / 2])) {
        set(heap, place, heap->links[place / 2]);
        place /= 2;
    }
    set(heap, place, link);
}

static void sink(struct heap *heap, struct heap_link *link)
{
    size_t place = link->place;
    while (2 * place <= heap->count) {
        size_t child = 2 * place;
        if (child < heap->count && heap->is_before(heap->links[child + 1], heap->links[child])) {
            child++;
        }
        if (!heap->is_before(heap->links[child], link)) break;
        set(heap, place, heap->links[child]);
        place = child;
    }
    set(heap, place, link);
}

void heap_add(struct heap *heap, struct heap_link *link)
{
    ASSERT(link->place == 0);
    if (heap->count + 1 >= heap->capacity) {
        size_t capacity = heap->capacity ? 2 * heap->capacity : CAPACITY_MIN;
        heap->links     = mem_resize(heap->links, capacity, sizeof *heap->links);
        heap->capacity  = capacity;
    }
    heap->count++;
    set(heap, heap->count, link);
    rise(heap, link);
}

void heap_move(struct heap *heap, struct heap_link *link)
{
    ASSERT(link->place > 0 && link->place <= heap->count);
    ASSERT(heap->links[link->place] == link);
    rise(heap, link);
    sink(heap, link);
}

void heap_remove(struct heap *heap, struct heap_link *link)
{
    ASSERT(link->place > 0 && link->place <= heap->count);
    ASSERT(heap->links[link->place] == link);
    struct heap_link *last = heap->links[heap->count];
    size_t place           = link->place;
    heap->count--;
    link->place = 0;
    if (last == link) return;
    set(heap, place, last);
    heap_move(heap, last);
}
