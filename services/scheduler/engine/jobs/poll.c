#include "scheduler/engine/jobs/poll.h"

#include "base/assert.h"
#include "scheduler/engine/queues/lane.h"

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

/* --- places ------------------------------------------------------------------------------------
 */

static struct poll_list *list_of(const struct poll_place *place)
{
    return place->lane ? &place->lane->polls : &place->queue->polls;
}

static void step_in(struct poll_place *place)
{
    struct poll_list *list = list_of(place);
    place->previous        = list->last;
    place->next            = NULL;
    if (list->last) {
        list->last->next = place;
    } else {
        list->first = place;
    }
    list->last = place;
    if (place->lane) lane_settle(place->lane);
}

static void step_out(struct poll_place *place)
{
    struct poll_list *list = list_of(place);
    if (place->previous) {
        place->previous->next = place->next;
    } else {
        list->first = place->next;
    }
    if (place->next) {
        place->next->previous = place->previous;
    } else {
        list->last = place->previous;
    }
    if (place->lane) lane_settle(place->lane);
}

void poll_add_place(struct poll *poll, struct queue *queue, struct lane *lane)
{
    ASSERT(poll->place_count < POLL_PLACES_MAX);
    poll->places[poll->place_count++] =
        (struct poll_place){.poll = poll, .queue = queue, .lane = lane};
}

static void leave_lanes(const struct poll *poll)
{
    for (size_t i = 0; i < poll->place_count; i++) {
        if (poll->places[i].lane) lane_leave(poll->places[i].lane);
    }
}

void poll_free(struct poll *poll)
{
    leave_lanes(poll);
    free(poll);
}

static const struct poll *earlier(const struct poll *one, const struct poll_list *list)
{
    const struct poll *other = list->first ? list->first->poll : NULL;
    return one && (!other || one->order < other->order) ? one : other;
}

struct poll *poll_next(const struct queue *queue)
{
    if (!queue_peek(queue)) return NULL;
    const struct poll *next = earlier(NULL, &queue->polls);
    for (const struct lane *lane = queue->first_lane; lane; lane = lane->next) {
        next = earlier(next, &lane->polls);
    }
    return (struct poll *)(uintptr_t)next;
}

/* --- parked ------------------------------------------------------------------------------------
 */

status poll_park(struct polls *polls, struct poll *poll, struct error *reterr)
{
    ASSERT(poll->place_count <= POLL_PLACES_MAX);
    if (polls->by_end.count == POLLS_MAX) {
        return fail_code(reterr, STATUS_RESOURCE_EXHAUSTED, "quota_exceeded",
                         "%d polls are parked already", POLLS_MAX);
    }
    poll->order = ++polls->count;
    heap_add(&polls->by_end, &poll->by_end);
    for (size_t i = 0; i < poll->place_count; i++) step_in(&poll->places[i]);
    poll->worker->polls++;
    return STATUS_OK;
}

void poll_unpark(struct polls *polls, struct poll *poll)
{
    heap_remove(&polls->by_end, &poll->by_end);
    for (size_t i = 0; i < poll->place_count; i++) step_out(&poll->places[i]);
    poll->worker->polls--;
}

void polls_done(struct polls *polls)
{
    struct poll *poll = NULL;
    while ((poll = poll_any(polls))) {
        poll_unpark(polls, poll);
        poll_free(poll);
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

void polls_leave_places(struct polls *polls, const struct worker *worker)
{
    for (size_t i = 1; i <= polls->by_end.count; i++) {
        struct poll *poll = poll_of(polls->by_end.links[i]);
        if (poll->worker != worker) continue;
        for (size_t p = 0; p < poll->place_count; p++) step_out(&poll->places[p]);
        leave_lanes(poll);
        poll->place_count = 0;
    }
}

struct poll *poll_without_places(const struct polls *polls, const struct worker *worker)
{
    for (size_t i = 1; i <= polls->by_end.count; i++) {
        struct poll *poll = poll_of(polls->by_end.links[i]);
        if (poll->worker == worker && poll->place_count == 0) return poll;
    }
    return NULL;
}

struct poll *poll_called_off(const struct polls *polls)
{
    for (size_t i = 1; i <= polls->by_end.count; i++) {
        struct poll *poll = poll_of(polls->by_end.links[i]);
        if (poll->hears && poll->worker->is_called_off) return poll;
    }
    return NULL;
}

struct poll *poll_of_process(const struct polls *polls, uint64_t instance)
{
    for (size_t i = 1; i <= polls->by_end.count; i++) {
        struct poll *poll = poll_of(polls->by_end.links[i]);
        if (poll->instance == instance) return poll;
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
