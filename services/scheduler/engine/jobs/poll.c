#include "scheduler/engine/jobs/poll.h"

#include "base/assert.h"

#include <stdint.h>
#include <stdlib.h>

static struct poll *poll_of(const struct heap_link *link)
{
    uintptr_t place = (uintptr_t)link - offsetof(struct poll, by_end);
    return (struct poll *)place;
}

static bool ends_before(const struct heap_link *a, const struct heap_link *b)
{
    return poll_of(a)->ends_us < poll_of(b)->ends_us;
}

void polls_init(struct polls *polls)
{
    polls->by_end = heap_init(ends_before);
}

static void link_at(struct queue *queue, struct poll_link *link)
{
    link->previous = queue->last_poll;
    link->next     = NULL;
    if (queue->last_poll) {
        queue->last_poll->next = link;
    } else {
        queue->first_poll = link;
    }
    queue->last_poll = link;
}

static void unlink_at(struct queue *queue, struct poll_link *link)
{
    if (link->previous) {
        link->previous->next = link->next;
    } else {
        queue->first_poll = link->next;
    }
    if (link->next) {
        link->next->previous = link->previous;
    } else {
        queue->last_poll = link->previous;
    }
}

status poll_park(struct polls *polls, struct poll *poll, struct error *reterr)
{
    ASSERT(poll->queue_count > 0 && poll->queue_count <= POLL_QUEUES_MAX);
    if (polls->by_end.count == POLLS_MAX) {
        return fail_code(reterr, STATUS_RESOURCE_EXHAUSTED, "quota_exceeded",
                         "%d polls are parked already", POLLS_MAX);
    }
    heap_add(&polls->by_end, &poll->by_end);
    for (size_t i = 0; i < poll->queue_count; i++) {
        poll->links[i].poll = poll;
        link_at(poll->queues[i], &poll->links[i]);
    }
    poll->worker->polls++;
    return STATUS_OK;
}

void poll_unpark(struct polls *polls, struct poll *poll)
{
    heap_remove(&polls->by_end, &poll->by_end);
    for (size_t i = 0; i < poll->queue_count; i++) unlink_at(poll->queues[i], &poll->links[i]);
    poll->worker->polls--;
}

void polls_done(struct polls *polls)
{
    struct poll *poll = NULL;
    while ((poll = poll_any(polls))) {
        poll_unpark(polls, poll);
        free(poll);
    }
    heap_done(&polls->by_end);
}

struct poll *poll_any(const struct polls *polls)
{
    const struct heap_link *first = heap_first(&polls->by_end);
    return first ? poll_of(first) : NULL;
}

struct poll *poll_over(const struct polls *polls, int64_t now_us)
{
    struct poll *first = poll_any(polls);
    return first && first->ends_us <= now_us ? first : NULL;
}

int64_t polls_due_us(const struct polls *polls)
{
    const struct poll *first = poll_any(polls);
    return first ? first->ends_us : INT64_MAX;
}

struct poll *poll_called_off(const struct polls *polls)
{
    for (size_t i = 1; i <= polls->by_end.count; i++) {
        struct poll *poll = poll_of(polls->by_end.links[i]);
        if (poll->hears && poll->worker->is_called_off) return poll;
    }
    return NULL;
}

struct poll *poll_find(const struct polls *polls, uint64_t id)
{
    for (size_t i = 1; i <= polls->by_end.count; i++) {
        struct poll *poll = poll_of(polls->by_end.links[i]);
        if (poll->id == id) return poll;
    }
    return NULL;
}
