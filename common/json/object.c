/*
 * Objects: members in the order in which they were set.
 *
 * Up to JSON_LINEAR_MAX members are found by comparing keys one by one, which is faster than a hash
 * there. Larger objects carry an open-addressing table behind their members, at most half full.
 */
#include "base/mem.h"
#include "json/json_internal.h"

#include <stdlib.h>

static size_t slot_count(size_t capacity)
{
    if (capacity <= JSON_LINEAR_MAX) return 0;
    return (size_t)1 << (64 - __builtin_clzll(2 * capacity - 1));
}

static size_t size_of(size_t capacity)
{
    return sizeof(struct json_object) + capacity * sizeof(struct json_member) +
           slot_count(capacity) * sizeof(uint32_t);
}

size_t json_object_size(const struct json_object *object)
{
    return size_of(object->capacity);
}

static uint32_t *slots_of(struct json_object *object)
{
    return (uint32_t *)(object->members + object->capacity);
}

static const uint32_t *slots_seen(const struct json_object *object)
{
    return (const uint32_t *)(object->members + object->capacity);
}

/* Enters the member at `position`, whose key is not in the table. */
static void slot_put(struct json_object *object, uint32_t position)
{
    size_t mask     = slot_count(object->capacity) - 1;
    uint32_t *slots = slots_of(object);
    size_t slot     = json_text_hash(object->members[position].key) & mask;
    while (slots[slot] != 0) slot = (slot + 1) & mask;
    slots[slot] = position + 1;
}

static void index_build(struct json_object *object)
{
    size_t slots = slot_count(object->capacity);
    if (slots == 0) return;
    memset(slots_of(object), 0, slots * sizeof(uint32_t));
    for (uint32_t i = 0; i < object->count; i++) slot_put(object, i);
}

struct json_object *json_object_node_new(size_t capacity)
{
    ASSERT(capacity <= JSON_MEMBERS_MAX);
    struct json_object *object = json_node_new(size_of(capacity));
    object->next_dead          = NULL;
    object->refs               = 1;
    object->count              = 0;
    object->capacity           = (uint32_t)capacity;
    index_build(object);
    return object;
}

json json_object_new(size_t capacity)
{
    return (json){.kind = JSON_OBJECT, .object = json_object_node_new(capacity)};
}

int64_t json_object_find_hashed(const struct json_object *object, str key, uint32_t hash)
{
    size_t mask           = slot_count(object->capacity) - 1;
    const uint32_t *slots = slots_seen(object);
    for (size_t slot = hash & mask; slots[slot] != 0; slot = (slot + 1) & mask) {
        uint32_t position            = slots[slot] - 1;
        const struct json_text *text = object->members[position].key;
        if (text->hash == hash && json_is_key(text, key)) return position;
    }
    return JSON_NO_MEMBER;
}

json json_get(json object, str key)
{
    if (object.kind != JSON_OBJECT) return json_invalid();
    int64_t position = json_object_find(object.object, key, NULL);
    return position < 0 ? json_invalid() : object.object->members[position].value;
}

json json_get_text(json object, const char *key)
{
    return json_get(object, str_from(key));
}

json json_get_key(json object, json key)
{
    ASSERT(key.kind == JSON_TEXT);
    if (object.kind != JSON_OBJECT) return json_invalid();
    int64_t position = json_object_find(object.object, json_text_view(key.text), key.text);
    return position < 0 ? json_invalid() : object.object->members[position].value;
}

bool json_find(json object, str key, size_t *ret_index)
{
    if (object.kind != JSON_OBJECT) return false;
    int64_t position = json_object_find(object.object, key, NULL);
    if (position < 0) return false;
    *ret_index = (size_t)position;
    return true;
}

static const struct json_member *member_at(json object, size_t index)
{
    ASSERT(object.kind == JSON_OBJECT);
    ASSERT(index < object.object->count);
    return &object.object->members[index];
}

str json_key_at(json object, size_t index)
{
    return json_text_view(member_at(object, index)->key);
}

json json_key_value_at(json object, size_t index)
{
    return json_from_text(member_at(object, index)->key);
}

json json_value_at(json object, size_t index)
{
    return member_at(object, index)->value;
}

/* --- changing ----------------------------------------------------------------------------------
 */

/* Makes the caller the only owner of an object with room for `needed` members. */
static struct json_object *own(json *object, size_t needed)
{
    struct json_object *node = object->object;
    size_t capacity          = node->capacity;
    if (needed > capacity) {
        capacity = capacity < JSON_CAPACITY_MIN ? JSON_CAPACITY_MIN : capacity * 2;
        if (needed <= JSON_LINEAR_MAX && capacity > JSON_LINEAR_MAX) capacity = JSON_LINEAR_MAX;
        if (capacity < needed) capacity = needed;
        ASSERT(capacity <= JSON_MEMBERS_MAX);
    }
    if (node->refs == 1) {
        if (capacity > node->capacity) {
            node           = json_node_resize(node, size_of(node->capacity), size_of(capacity));
            node->capacity = (uint32_t)capacity;
            index_build(node);
            object->object = node;
        }
        return node;
    }

    struct json_object *copy      = json_object_node_new(capacity);
    const struct json_member *end = node->members + node->count;
    for (const struct json_member *member = node->members; member < end; member++) {
        json_text_node_ref(member->key);
        (void)json_share(member->value);
    }
    memcpy(copy->members, node->members, node->count * sizeof *copy->members);
    copy->count = node->count;
    index_build(copy);
    json_unref(*object);
    object->object = copy;
    return copy;
}

void json_object_make_room(json *object, size_t more)
{
    ASSERT(object->kind == JSON_OBJECT);
    (void)own(object, object->object->count + more);
}

json *json_object_slot(json *object, size_t index)
{
    ASSERT(object->kind == JSON_OBJECT);
    ASSERT(index < object->object->count);
    return &own(object, 0)->members[index].value;
}

void json_object_node_append(struct json_object *object, struct json_text *key, json value)
{
    ASSERT(object->count < object->capacity);
    uint32_t position         = object->count++;
    object->members[position] = (struct json_member){.key = key, .value = value};
    if (object->capacity > JSON_LINEAR_MAX) slot_put(object, position);
}

bool json_object_node_add(struct json_object *object, struct json_text *key, json value)
{
    if (json_object_find(object, json_text_view(key), key) >= 0) return false;
    json_object_node_append(object, key, value);
    return true;
}

/* Replaces the member if it is there and says so. */
static bool replace(json *object, str key, struct json_text *node, json value)
{
    ASSERT(object->kind == JSON_OBJECT);
    ASSERT(value.kind != JSON_INVALID);
    int64_t position = json_object_find(object->object, key, node);
    if (position < 0) return false;

    struct json_member *member = &own(object, 0)->members[position];
    json before                = member->value;
    member->value              = value;
    json_unref(before);
    return true;
}

void json_object_put(json *object, str key, json value)
{
    if (replace(object, key, NULL, value)) return;
    struct json_text *node = json_text_node_new(key); /* first: `key` may be a view of the object */
    json_object_node_append(own(object, (size_t)object->object->count + 1), node, value);
}

void json_object_put_text(json *object, const char *key, json value)
{
    json_object_put(object, str_from(key), value);
}

void json_object_put_key(json *object, json key, json value)
{
    ASSERT(key.kind == JSON_TEXT);
    if (replace(object, json_text_view(key.text), key.text, value)) return;
    json_text_node_ref(key.text);
    json_object_node_append(own(object, (size_t)object->object->count + 1), key.text, value);
}

bool json_object_remove(json *object, str key)
{
    ASSERT(object->kind == JSON_OBJECT);
    int64_t position = json_object_find(object->object, key, NULL);
    if (position < 0) return false;

    struct json_object *node   = own(object, 0);
    struct json_member *member = &node->members[position];
    struct json_member removed = *member;
    size_t behind              = node->count - (size_t)position - 1;
    memmove(member, member + 1, behind * sizeof *member);
    node->count--;
    index_build(node);
    json_text_node_unref(removed.key);
    json_unref(removed.value);
    return true;
}

/* --- order -------------------------------------------------------------------------------------
 */

struct sortable {
    const struct json_text *key;
    uint32_t position;
};

static int key_compare(const void *a, const void *b)
{
    const struct json_text *left  = ((const struct sortable *)a)->key;
    const struct json_text *right = ((const struct sortable *)b)->key;
    uint32_t shorter              = left->len < right->len ? left->len : right->len;
    int order                     = memcmp(left->bytes, right->bytes, shorter);
    if (order != 0) return order;
    return (left->len > right->len) - (left->len < right->len);
}

uint32_t *json_object_order(const struct json_object *object)
{
    struct sortable *sorted = mem_resize(NULL, (size_t)object->count + 1, sizeof *sorted);
    uint32_t *order         = mem_resize(NULL, (size_t)object->count + 1, sizeof *order);
    for (uint32_t i = 0; i < object->count; i++) {
        sorted[i] = (struct sortable){.key = object->members[i].key, .position = i};
    }
    qsort(sorted, object->count, sizeof *sorted, key_compare);
    for (uint32_t i = 0; i < object->count; i++) order[i] = sorted[i].position;
    free(sorted);
    return order;
}
