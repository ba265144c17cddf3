/* Arrays: counted, copied by one level before a change if anybody else owns them. */
#include "json/json_internal.h"

static size_t size_of(size_t capacity)
{
    return sizeof(struct json_array) + capacity * sizeof(json);
}

size_t json_array_size(const struct json_array *array)
{
    return size_of(array->capacity);
}

struct json_array *json_array_node_new(size_t capacity)
{
    ASSERT(capacity <= JSON_MEMBERS_MAX);
    struct json_array *array = json_node_new(size_of(capacity));
    array->next_dead         = NULL;
    array->refs              = 1;
    array->count             = 0;
    array->capacity          = (uint32_t)capacity;
    return array;
}

json json_array_new(size_t capacity)
{
    return (json){.kind = JSON_ARRAY, .array = json_array_node_new(capacity)};
}

json json_at(json array, size_t index)
{
    if (array.kind != JSON_ARRAY || index >= array.array->count) return json_invalid();
    return array.array->items[index];
}

/* Doubles while it is small; a large one that is half air would eat up budgets. */
static size_t grown(size_t capacity)
{
    enum { SMALL = 256 }; /* members */
    if (capacity < JSON_CAPACITY_MIN) return JSON_CAPACITY_MIN;
    return capacity < SMALL ? capacity * 2 : capacity + capacity / 2;
}

/* Makes the caller the only owner of an array with room for `needed` members. */
static struct json_array *own(json *array, size_t needed)
{
    ASSERT(array->kind == JSON_ARRAY);
    struct json_array *node = array->array;
    size_t capacity         = node->capacity;
    if (needed > capacity) {
        capacity = grown(capacity);
        if (capacity < needed) capacity = needed;
        ASSERT(capacity <= JSON_MEMBERS_MAX);
    }
    if (node->refs == 1) {
        if (capacity > node->capacity) {
            node           = json_node_resize(node, size_of(node->capacity), size_of(capacity));
            node->capacity = (uint32_t)capacity;
            array->array   = node;
        }
        return node;
    }

    struct json_array *copy = json_array_node_new(capacity);
    for (uint32_t i = 0; i < node->count; i++) (void)json_share(node->items[i]);
    memcpy(copy->items, node->items, node->count * sizeof(json));
    copy->count = node->count;
    json_unref(*array);
    array->array = copy;
    return copy;
}

void json_array_push(json *array, json value)
{
    ASSERT(value.kind != JSON_INVALID);
    ASSERT(array->kind == JSON_ARRAY);
    struct json_array *node    = own(array, (size_t)array->array->count + 1);
    node->items[node->count++] = value;
}

json *json_array_slot(json *array, size_t index)
{
    ASSERT(index < json_count(*array));
    return &own(array, 0)->items[index];
}

void json_array_set(json *array, size_t index, json value)
{
    ASSERT(value.kind != JSON_INVALID);
    json *slot  = json_array_slot(array, index);
    json before = *slot;
    *slot       = value;
    json_unref(before);
}

void json_array_truncate(json *array, size_t count)
{
    size_t before = json_count(*array);
    if (count < before) json_array_remove(array, count, before);
}

void json_array_remove(json *array, size_t from, size_t to)
{
    ASSERT(from <= to);
    ASSERT(to <= json_count(*array));
    if (from == to) return;

    struct json_array *node = own(array, 0);
    for (size_t i = from; i < to; i++) json_unref(node->items[i]);
    memmove(node->items + from, node->items + to, (node->count - to) * sizeof(json));
    node->count -= (uint32_t)(to - from);
}
