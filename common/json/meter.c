/* Memory of nodes, and the meter that counts it. */
#include "base/mem.h"
#include "json/json_internal.h"

#include <stdlib.h>

/*
 * The one piece of thread state of the suite. Values are made and freed deep inside code that knows
 * nothing of budgets; handing a meter through every call of this layer and of its users would put a
 * parameter into each line for the sake of one caller in ten. A node belongs to one thread, so the
 * meter in force there is the right one.
 */
static _Thread_local struct json_meter *meter;

struct json_meter *json_meter_enter(struct json_meter *next)
{
    struct json_meter *before = meter;
    meter                     = next;
    return before;
}

size_t json_meter_room(void)
{
    if (!meter) return SIZE_MAX;
    return meter->used < meter->limit ? (size_t)(meter->limit - meter->used) : 0;
}

bool json_meter_allows(size_t size)
{
    if (!meter) return true;
    if (size > json_meter_room()) meter->is_exceeded = true;
    return !meter->is_exceeded;
}

static void count(size_t old_size, size_t new_size)
{
    if (!meter) return;
    meter->used += (int64_t)new_size - (int64_t)old_size;
    if (meter->used > meter->limit) meter->is_exceeded = true;
}

void *json_node_new(size_t size)
{
    count(0, size);
    return mem_alloc(size);
}

void *json_node_resize(void *node, size_t old_size, size_t new_size)
{
    count(old_size, new_size);
    return mem_resize(node, 1, new_size);
}

void json_node_free(void *node, size_t size)
{
    count(size, 0);
    free(node);
}
