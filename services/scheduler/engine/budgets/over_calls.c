#include "scheduler/engine/budgets/over_calls.h"

#include "base/assert.h"
#include "base/id.h"
#include "base/map.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct over_call {
    struct id call;
    int64_t until_us;
    struct over_call *next;
};

struct over_calls {
    struct map *by_call;            /* struct over_call, owned */
    struct over_call *first, *last; /* the oldest first */
};

struct over_calls *over_calls_new(void)
{
    struct over_calls *calls = mem_new(1, sizeof *calls);
    calls->by_call           = map_new(OVER_CALLS_MAX);
    return calls;
}

static void forget_first(struct over_calls *calls)
{
    struct over_call *first = calls->first;
    void *removed           = map_remove(calls->by_call, str_from(first->call.text));
    ASSERT(removed == first);
    calls->first = first->next;
    if (!calls->first) calls->last = NULL;
    free(first);
}

void over_calls_free(struct over_calls *calls)
{
    if (!calls) return;
    while (calls->first) forget_first(calls);
    map_free(calls->by_call);
    free(calls);
}

static void forget_old(struct over_calls *calls, int64_t now_us)
{
    while (calls->first && calls->first->until_us <= now_us) forget_first(calls);
}

void over_calls_add(struct over_calls *calls, str call, int64_t now_us)
{
    forget_old(calls, now_us);
    if (!id_is_valid(call) || map_get(calls->by_call, call)) return;
    if (map_count(calls->by_call) == OVER_CALLS_MAX) forget_first(calls);
    struct over_call *over = mem_new(1, sizeof *over);
    memcpy(over->call.text, call.ptr, ID_LEN);
    over->until_us = now_us + OVER_CALLS_US;
    if (!map_put(calls->by_call, call, over)) {
        free(over);
        return;
    }
    if (calls->last) {
        calls->last->next = over;
    } else {
        calls->first = over;
    }
    calls->last = over;
}

bool over_calls_have(struct over_calls *calls, str call, int64_t now_us)
{
    forget_old(calls, now_us);
    return map_get(calls->by_call, call) != NULL;
}

size_t over_calls_count(const struct over_calls *calls)
{
    return map_count(calls->by_call);
}
