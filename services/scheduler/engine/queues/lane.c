#include "scheduler/engine/queues/lane.h"

#include "base/assert.h"
#include "base/map.h"
#include "base/mem.h"
#include "scheduler/engine/jobs/job_queue.h"

#include <stdlib.h>

enum { FUNCTION_KEY_MAX = 256 };

struct lanes {
    struct map *by_name; /* queue and function -> struct lane, owned */
};

struct lanes *lanes_new(void)
{
    struct lanes *lanes = mem_new(1, sizeof *lanes);
    lanes->by_name      = map_new(LANES_MAX);
    return lanes;
}

static void lane_free(struct lane *lane)
{
    heap_done(&lane->lines);
    free((char *)(uintptr_t)lane->function.ptr);
    free(lane);
}

void lanes_free(struct lanes *lanes)
{
    if (!lanes) return;
    size_t cursor = 0;
    void *lane    = NULL;
    while (map_next(lanes->by_name, &cursor, NULL, &lane)) lane_free(lane);
    map_free(lanes->by_name);
    free(lanes);
}

size_t lanes_count(const struct lanes *lanes)
{
    return map_count(lanes->by_name);
}

struct lane_key {
    char data[sizeof(void *) + FUNCTION_KEY_MAX];
};

static str key_of(const struct queue *queue, str function, struct lane_key *key)
{
    ASSERT(function.len <= FUNCTION_KEY_MAX);
    memcpy(key->data, (const void *)&queue, sizeof(void *));
    if (function.len > 0) memcpy(key->data + sizeof(void *), function.ptr, function.len);
    return (str){key->data, sizeof(void *) + function.len};
}

static void stand(struct lane *lane)
{
    struct queue *queue = lane->queue;
    lane->previous      = NULL;
    lane->next          = queue->first_lane;
    if (queue->first_lane) queue->first_lane->previous = lane;
    queue->first_lane = lane;
}

static void step_out(struct lane *lane)
{
    if (lane->previous) {
        lane->previous->next = lane->next;
    } else {
        lane->queue->first_lane = lane->next;
    }
    if (lane->next) lane->next->previous = lane->previous;
}

struct lane *lane_join(struct lanes *lanes, struct queue *queue, str function)
{
    struct lane_key key;
    if (function.len > FUNCTION_KEY_MAX) return NULL;
    str full          = key_of(queue, function, &key);
    struct lane *lane = map_get(lanes->by_name, full);
    if (!lane) {
        lane = mem_new(1, sizeof *lane);
        if (!map_put(lanes->by_name, full, lane)) {
            free(lane);
            return NULL;
        }
        lane->function = (str){mem_dup(function.ptr, function.len), function.len};
        lane->queue    = queue;
        lane->lanes    = lanes;
        lane->lines    = lines_heap();
    }
    lane_use(lane);
    return lane;
}

void lane_settle(struct lane *lane)
{
    bool is_met = lane->polls.first && lane->lines.count > 0;
    if (is_met == lane->is_met) return;
    lane->is_met = is_met;
    if (is_met) {
        stand(lane);
    } else {
        step_out(lane);
    }
}

void lane_use(struct lane *lane)
{
    lane->user_count++;
}

void lane_leave(struct lane *lane)
{
    ASSERT(lane->user_count > 0);
    if (--lane->user_count > 0) return;
    struct lane_key key;
    void *removed = map_remove(lane->lanes->by_name, key_of(lane->queue, lane->function, &key));
    ASSERT(removed == lane);
    ASSERT(!lane->is_met);
    lane_free(lane);
}
