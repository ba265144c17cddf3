#include "loop/loop_internal.h"

enum { CACHE_LINE = 64 /* bytes */, STEP = 2 /* descriptors */ };

void loop_ahead_add(struct loop_ahead *ahead, const void *memory, size_t size)
{
    if (!memory || ahead->count == LOOP_AHEAD_MAX) return;
    ahead->pieces[ahead->count].from   = memory;
    ahead->pieces[ahead->count++].size = size;
}

void loop_watch_ahead(struct loop_watch *watch, const struct loop_ahead *ahead)
{
    watch->ahead = ahead;
}

static void fetch(const void *memory, size_t size)
{
    const char *at   = memory;
    size_t into_line = (uintptr_t)memory % CACHE_LINE;
    for (size_t done = 0; done < size + into_line; done += CACHE_LINE) {
        __builtin_prefetch(at - into_line + done);
    }
}

static void fetch_all(const struct loop_ahead *ahead)
{
    for (unsigned i = 0; i < ahead->count; i++) {
        fetch(ahead->pieces[i].from, ahead->pieces[i].size);
    }
}

/* Three steps, each of which needs what the one before has fetched. */
void loop_look_ahead(const struct epoll_event *events, int count)
{
    const struct loop_watch *near = count > STEP ? events[STEP].data.ptr : NULL;
    const struct loop_watch *mid  = count > 2 * STEP ? events[2 * STEP].data.ptr : NULL;
    if (count > 3 * STEP) __builtin_prefetch(events[3 * STEP].data.ptr);
    if (mid && mid->ahead) fetch(mid->ahead, sizeof *mid->ahead);
    if (near && near->ahead) fetch_all(near->ahead);
}
