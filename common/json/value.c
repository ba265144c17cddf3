/* What all kinds of values have: owners, a name, a count. */
#include "json/json_internal.h"

#include <math.h>

const char *json_kind_name(json value)
{
    switch (value.kind) {
    case JSON_INVALID: return "invalid";
    case JSON_NULL: return "null";
    case JSON_FALSE:
    case JSON_TRUE: return "boolean";
    case JSON_INT:
    case JSON_REAL: return "number";
    case JSON_TEXT: return "string";
    case JSON_ARRAY: return "array";
    case JSON_OBJECT: return "object";
    }
    return "invalid";
}

double json_number(json number)
{
    ASSERT(json_is_number(number));
    return number.kind == JSON_INT ? (double)number.integer : number.real;
}

bool json_to_int(json number, int64_t *ret_value)
{
    if (number.kind == JSON_INT) {
        *ret_value = number.integer;
        return true;
    }
    if (number.kind != JSON_REAL) return false;
    /* -2^63 is a double and in range, 2^63 is the first that is not. NaN fails both. */
    if (!(number.real >= -0x1p63 && number.real < 0x1p63)) return false;
    if (number.real != trunc(number.real)) return false;
    *ret_value = (int64_t)number.real;
    return true;
}

size_t json_count(json container)
{
    if (container.kind == JSON_ARRAY) return container.array->count;
    if (container.kind == JSON_OBJECT) return container.object->count;
    return 0;
}

/* --- owners ------------------------------------------------------------------------------------
 */

static_assert(offsetof(struct json_array, refs) == 0); /* json_refs_of() */
static_assert(offsetof(struct json_object, refs) == 0);

json json_ref(json value)
{
    return json_share(value);
}

/* Containers whose last owner went away, linked through the counter nobody needs any more: freeing
 * takes no stack and no memory. */
struct dead {
    struct json_array *arrays;
    struct json_object *objects;
};

static bool had_last_owner(json value)
{
    if (value.kind < JSON_TEXT) return false;
    uint32_t *refs = json_refs_of(value);
    return *refs != JSON_REFS_IMMORTAL && --*refs == 0;
}

static void bury(json value, struct dead *dead)
{
    if (value.kind == JSON_TEXT) {
        json_text_node_bury(value.text);
    } else if (value.kind == JSON_ARRAY) {
        value.array->next_dead = dead->arrays;
        dead->arrays           = value.array;
    } else {
        value.object->next_dead = dead->objects;
        dead->objects           = value.object;
    }
}

static void drop(json value, struct dead *dead)
{
    if (had_last_owner(value)) bury(value, dead);
}

static void bury_array(struct dead *dead)
{
    struct json_array *array = dead->arrays;
    dead->arrays             = array->next_dead;
    const json *end          = array->items + array->count;
    for (const json *item = array->items; item < end; item++) drop(*item, dead);
    json_node_free(array, json_array_size(array));
}

static void bury_object(struct dead *dead)
{
    struct json_object *object    = dead->objects;
    dead->objects                 = object->next_dead;
    const struct json_member *end = object->members + object->count;
    for (const struct json_member *member = object->members; member < end; member++) {
        json_text_node_unref(member->key);
        drop(member->value, dead);
    }
    json_node_free(object, json_object_size(object));
}

void json_bury(json value)
{
    if (value.kind == JSON_TEXT) {
        json_text_node_bury(value.text);
        return;
    }
    struct dead dead = {};
    bury(value, &dead);
    while (dead.arrays || dead.objects) {
        if (dead.arrays) bury_array(&dead);
        if (dead.objects) bury_object(&dead);
    }
}

void json_unref(json value)
{
    json_drop(value);
}

void json_unrefp(json *value)
{
    json_unref(*value);
    *value = json_invalid();
}

json json_take(json *value)
{
    json taken = *value;
    *value     = json_invalid();
    return taken;
}

/* --- constants ---------------------------------------------------------------------------------
 */

/* Freezing counts the hash of every text, so that no thread ever writes one. */
static void freeze_text(struct json_text *text)
{
    (void)json_text_hash(text);
    text->refs = JSON_REFS_IMMORTAL;
}

/* Freezes one node and enters it if it is a container seen for the first time. */
static void freeze_node(json value, struct json_walk *walk)
{
    if (value.kind == JSON_TEXT) freeze_text(value.text);
    if (!json_is_container(value)) return;
    uint32_t *refs = json_refs_of(value);
    if (*refs == JSON_REFS_IMMORTAL) return;
    *refs = JSON_REFS_IMMORTAL;
    (void)json_walk_push(walk, value);
}

json json_freeze(json value)
{
    CLEANUP(json_walk_done) struct json_walk walk;
    json_walk_init(&walk);
    freeze_node(value, &walk);
    while (json_walk_top(&walk)) {
        struct json_level *top = json_walk_top(&walk);
        if (top->position == json_container_count(top->container)) {
            json_walk_pop(&walk);
            continue;
        }
        size_t i = top->position++;
        if (top->container.kind == JSON_OBJECT) {
            freeze_text(top->container.object->members[i].key);
        }
        freeze_node(json_container_value(top->container, i), &walk);
    }
    return value;
}

/* One owner more for a node that was immortal until its first visit. */
static void thaw_text(struct json_text *text)
{
    text->refs = text->refs == JSON_REFS_IMMORTAL ? 1 : text->refs + 1;
}

static void thaw_node(json value, struct json_walk *walk)
{
    if (value.kind == JSON_TEXT) thaw_text(value.text);
    if (!json_is_container(value)) return;
    uint32_t *refs = json_refs_of(value);
    bool is_first  = *refs == JSON_REFS_IMMORTAL;
    *refs          = is_first ? 1 : *refs + 1;
    if (is_first) (void)json_walk_push(walk, value);
}

void json_thaw_and_free(json value)
{
    /* The owners within the tree are counted anew; then it is freed like any other. */
    CLEANUP(json_walk_done) struct json_walk walk;
    json_walk_init(&walk);
    thaw_node(value, &walk);
    while (json_walk_top(&walk)) {
        struct json_level *top = json_walk_top(&walk);
        if (top->position == json_container_count(top->container)) {
            json_walk_pop(&walk);
            continue;
        }
        size_t i = top->position++;
        if (top->container.kind == JSON_OBJECT) {
            thaw_text(top->container.object->members[i].key);
        }
        thaw_node(json_container_value(top->container, i), &walk);
    }
    json_unref(value);
}
