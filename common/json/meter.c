/* Memory of nodes, and the meter that counts it. */
#include "base/mem.h"
#include "json/json_internal.h"

#include <pthread.h>
#include <stdlib.h>

/*
 * The one piece of thread state of the suite. Values are made and freed deep inside code that knows
 * nothing of budgets; handing a meter through every call of this layer and of its users would put a
 * parameter into each line for the sake of one caller in ten. A node belongs to one thread, so the
 * meter in force there is the right one, and so are the nodes that wait there.
 */
_Thread_local struct json_memory json_memory;

/* --- the meter ---------------------------------------------------------------------------------
 */

struct json_meter *json_meter_enter(struct json_meter *next)
{
    return json_meter_swap(next);
}

size_t json_meter_room(void)
{
    const struct json_meter *meter = json_memory.meter;
    if (!meter) return SIZE_MAX;
    return meter->used < meter->limit ? (size_t)(meter->limit - meter->used) : 0;
}

bool json_meter_allows(size_t size)
{
    struct json_meter *meter = json_memory.meter;
    if (!meter) return true;
    if (size > json_meter_room()) meter->is_exceeded = true;
    return !meter->is_exceeded;
}

/* --- nodes that wait ---------------------------------------------------------------------------
 */

static pthread_key_t thread_end;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The bytes of every node of a shelf, so that one fits where another was. */
static size_t shelf_size(size_t at)
{
    return at * JSON_SHELF_STEP + JSON_SHELF_STEP / 2;
}

/* At the end of a thread; what is freed after it does not wait. */
static void free_waiting(void *context)
{
    struct json_memory *memory = context;
    for (size_t at = 0; at < JSON_SHELVES; at++) {
        struct json_shelf *shelf = &memory->shelves[at];
        while (shelf->first) {
            struct json_waiting *node = shelf->first;
            shelf->first              = node->next;
            free(node);
        }
        shelf->room = 0;
    }
}

static void make_key(void)
{
    int rc = pthread_key_create(&thread_end, free_waiting);
    ASSERT(rc == 0);
}

/* The first node that a thread frees opens its shelves. */
static void open_shelves(struct json_memory *memory)
{
    int rc = pthread_once(&once, make_key);
    ASSERT(rc == 0);
    memory->is_open = true;
    if (pthread_setspecific(thread_end, memory) != 0) return; /* then none ever waits */
    for (size_t at = 0; at < JSON_SHELVES; at++) {
        memory->shelves[at].room = (uint32_t)(JSON_SHELF_MAX / shelf_size(at));
    }
}

void *json_node_fetch(size_t size)
{
    size_t at = json_shelf_of(size);
    return mem_alloc(at < JSON_SHELVES ? shelf_size(at) : size);
}

void json_node_return(void *node, size_t size)
{
    size_t at = json_shelf_of(size);
    if (!json_memory.is_open) open_shelves(&json_memory);
    if (!json_node_put(node, at)) free(node);
}

void *json_node_resize(void *node, size_t old_size, size_t new_size)
{
    if (json_shelf_of(old_size) >= JSON_SHELVES && json_shelf_of(new_size) >= JSON_SHELVES) {
        json_meter_count(old_size, new_size);
        return mem_resize(node, 1, new_size);
    }
    void *resized = json_node_new(new_size);
    if (node) memcpy(resized, node, old_size < new_size ? old_size : new_size);
    json_node_free(node, old_size);
    return resized;
}
