/*
 * Memory of nodes: all of it comes from here, so the meter sees it.
 *
 * Values live briefly: an evaluation makes a few small nodes and drops them. So a small node that
 * is freed waits in its thread for the next of its size, some kilobytes of each size at most, and
 * goes when the thread ends. Not under the address sanitizer, which is to see what is freed.
 */
#ifndef JSON_JSON_MEMORY_H
#define JSON_JSON_MEMORY_H

#include "json/json.h"

#if defined(__SANITIZE_ADDRESS__)
#define JSON_NODES_WAIT 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define JSON_NODES_WAIT 0
#endif
#endif
#ifndef JSON_NODES_WAIT
#define JSON_NODES_WAIT 1
#endif

enum {
    JSON_SHELVES    = 32,       /* sizes of nodes that wait: 8, 24, 40 ... bytes */
    JSON_SHELF_STEP = 16,       /* bytes: as malloc() rounds them */
    JSON_SHELF_MAX  = 16 << 10, /* bytes that wait of one size */
};

struct json_waiting {
    struct json_waiting *next;
};

/* The state of a thread. */
struct json_memory {
    struct json_meter *meter; /* in force, or NULL */
    bool is_open;             /* nodes may wait; from the first that is freed */
    struct json_shelf {
        struct json_waiting *first;
        uint32_t room; /* nodes that may still be put there */
    } shelves[JSON_SHELVES];
};

extern _Thread_local struct json_memory json_memory;

/** json_meter_enter(), inline. */
static inline struct json_meter *json_meter_swap(struct json_meter *next)
{
    struct json_meter *before = json_memory.meter;
    json_memory.meter         = next;
    return before;
}

/** json_node_new() and json_node_free() if no node of that size waits, or no more may. */
void *json_node_fetch(size_t size);
void json_node_return(void *node, size_t size);

void *json_node_resize(void *node, size_t old_size, size_t new_size);

/** JSON_SHELVES and more: there is none for that size. */
static inline size_t json_shelf_of(size_t size)
{
    return JSON_NODES_WAIT ? (size + JSON_SHELF_STEP / 2 - 1) / JSON_SHELF_STEP : JSON_SHELVES;
}

static inline void json_meter_count(size_t old_size, size_t new_size)
{
    struct json_meter *meter = json_memory.meter;
    if (!meter) return;
    meter->used += (int64_t)new_size - (int64_t)old_size;
    if (meter->used > meter->limit) meter->is_exceeded = true;
}

static inline void *json_node_new(size_t size)
{
    json_meter_count(0, size);
    size_t at = json_shelf_of(size);
    if (at >= JSON_SHELVES || !json_memory.shelves[at].first) return json_node_fetch(size);
    struct json_shelf *shelf  = &json_memory.shelves[at];
    struct json_waiting *node = shelf->first;
    shelf->first              = node->next;
    shelf->room++;
    return node;
}

/** Lets the node wait on its shelf; false: there is no room, or no shelf for its size. */
static inline bool json_node_put(void *node, size_t at)
{
    if (at >= JSON_SHELVES || json_memory.shelves[at].room == 0) return false;
    struct json_shelf *shelf     = &json_memory.shelves[at];
    struct json_waiting *waiting = node;
    waiting->next                = shelf->first;
    shelf->first                 = waiting;
    shelf->room--;
    return true;
}

static inline void json_node_free(void *node, size_t size)
{
    if (!node) return;
    json_meter_count(size, 0);
    if (!json_node_put(node, json_shelf_of(size))) json_node_return(node, size);
}

/** Bytes left to the meter in force. */
size_t json_meter_room(void);

#endif
