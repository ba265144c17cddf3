/* The heap of what is to come. */
#include "base/assert.h"
#include "base/mem.h"
#include "sim.h"

static bool is_before(const struct happening *a, const struct happening *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void swap(struct happening *a, struct happening *b)
{
    struct happening kept = *a;
    *a                    = *b;
    *b                    = kept;
}

void sim_at(struct sim *sim, int64_t delay_us, void (*fire)(struct sim *sim, void *subject),
            void *subject)
{
    if (sim->heap_count == sim->heap_capacity) {
        sim->heap_capacity = sim->heap_capacity ? 2 * sim->heap_capacity : 64;
        sim->heap          = mem_resize(sim->heap, sim->heap_capacity, sizeof *sim->heap);
    }
    size_t at     = sim->heap_count++;
    sim->heap[at] = (struct happening){sim->now_us + delay_us, ++sim->order, fire, subject};
    for (; at > 0 && is_before(&sim->heap[at], &sim->heap[(at - 1) / 2]); at = (at - 1) / 2) {
        swap(&sim->heap[at], &sim->heap[(at - 1) / 2]);
    }
}

struct happening sim_next(struct sim *sim)
{
    ASSERT(sim->heap_count > 0);
    struct happening first = sim->heap[0];
    sim->heap[0]           = sim->heap[--sim->heap_count];
    for (size_t at = 0;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < sim->heap_count; child++) {
            if (is_before(&sim->heap[child], &sim->heap[least])) least = child;
        }
        if (least == at) return first;
        swap(&sim->heap[at], &sim->heap[least]);
        at = least;
    }
}
