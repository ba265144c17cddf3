/* Order and equality of trees, without recursion. */
#include "json/json_internal.h"

#include <math.h>

static int sign(int64_t difference)
{
    return (difference > 0) - (difference < 0);
}

static int compare_reals(double a, double b)
{
    /* jq: NaN stands below all numbers, itself included. */
    if (isnan(a)) return -1;
    if (isnan(b)) return 1;
    return (a > b) - (a < b);
}

/* Exact: converting the integer would merge neighbours beyond 2^53. */
static int compare_int_real(int64_t a, double b)
{
    if (isnan(b) || b < -0x1p63) return 1;
    if (b >= 0x1p63) return -1;
    int64_t whole = (int64_t)b; /* towards zero */
    if (a != whole) return a < whole ? -1 : 1;
    return -compare_reals(b - (double)whole, 0);
}

static int compare_numbers(json a, json b)
{
    if (a.kind == JSON_INT && b.kind == JSON_INT) {
        return (a.integer > b.integer) - (a.integer < b.integer);
    }
    if (a.kind == JSON_INT) return compare_int_real(a.integer, b.real);
    if (b.kind == JSON_INT) return isnan(a.real) ? -1 : -compare_int_real(b.integer, a.real);
    return compare_reals(a.real, b.real);
}

/* Byte order of UTF-8 is the order of its code points. */
static int compare_texts(str a, str b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order      = memcmp(a.ptr, b.ptr, shorter);
    return order != 0 ? sign(order) : (a.len > b.len) - (a.len < b.len);
}

static int rank(json value)
{
    return value.kind == JSON_REAL ? JSON_INT : (int)value.kind;
}

/* What can be said without looking into containers of one kind. */
static int compare_shallow(json a, json b)
{
    if (rank(a) != rank(b)) return rank(a) < rank(b) ? -1 : 1;
    if (json_is_number(a)) return compare_numbers(a, b);
    if (a.kind == JSON_TEXT) return compare_texts(json_str(a), json_str(b));
    return 0;
}

static bool is_same_node(json a, json b)
{
    return a.kind == b.kind && json_is_container(a) && a.array == b.array;
}

/* The sorted keys of both as if they were arrays. */
static int compare_keys(const struct json_level *level)
{
    const struct json_object *a = level->container.object;
    const struct json_object *b = level->other.object;
    for (uint32_t i = 0; i < a->count && i < b->count; i++) {
        int order = compare_texts(json_text_view(a->members[level->order[i]].key),
                                  json_text_view(b->members[level->other_order[i]].key));
        if (order != 0) return order;
    }
    return (a->count > b->count) - (a->count < b->count);
}

/* Enters two containers of one kind. Objects with different keys are decided here. */
static int enter(struct json_walk *walk, json a, json b)
{
    struct json_level *level = json_walk_push(walk, a);
    level->other             = b;
    if (a.kind == JSON_ARRAY) return 0;
    level->order       = json_object_order(a.object);
    level->other_order = json_object_order(b.object);
    return compare_keys(level);
}

/* Takes the next pair of `level`, or says what follows from its end. */
static bool next_pair(struct json_level *level, json *ret_a, json *ret_b, int *ret_order)
{
    size_t i       = level->position++;
    size_t count_a = json_container_count(level->container);
    size_t count_b = json_container_count(level->other);
    *ret_order     = 0;
    if (i >= count_a || i >= count_b) {
        *ret_order = (count_a > count_b) - (count_a < count_b);
        return false;
    }
    *ret_a = json_container_value(level->container, level->order ? level->order[i] : i);
    *ret_b = json_container_value(level->other, level->order ? level->other_order[i] : i);
    return true;
}

bool json_compare_within(json a, json b, uint64_t *steps, int *ret_order)
{
    CLEANUP(json_walk_done) struct json_walk walk;
    json_walk_init(&walk);
    int order = 0;
    for (bool has_pair = true;;) {
        if (has_pair) {
            if (*steps == 0) return false;
            --*steps;
            order = compare_shallow(a, b);
            if (order == 0 && json_is_container(a) && !is_same_node(a, b)) {
                order = enter(&walk, a, b);
            }
        }
        struct json_level *top = json_walk_top(&walk);
        if (order != 0 || !top) break;
        has_pair = next_pair(top, &a, &b, &order);
        if (!has_pair) json_walk_pop(&walk);
    }
    *ret_order = order;
    return true;
}

int json_compare(json a, json b)
{
    if (!json_is_container(a)) return compare_shallow(a, b); /* no walk to make ready */
    uint64_t steps = UINT64_MAX;
    int order      = 0;
    bool is_done   = json_compare_within(a, b, &steps, &order);
    ASSERT(is_done);
    return order;
}

/* The partner of member `i` of a container: by position or by key. */
static json partner_of(const struct json_level *level, size_t i)
{
    if (level->container.kind == JSON_ARRAY) return level->other.array->items[i];
    struct json_text *key = level->container.object->members[i].key;
    int64_t position      = json_object_find(level->other.object, json_text_view(key), key);
    return position < 0 ? json_invalid() : level->other.object->members[position].value;
}

bool json_equal(json a, json b)
{
    CLEANUP(json_walk_done) struct json_walk walk;
    json_walk_init(&walk);
    for (;;) {
        if (compare_shallow(a, b) != 0) return false;
        if (json_is_container(a) && !is_same_node(a, b)) {
            if (json_container_count(a) != json_container_count(b)) return false;
            json_walk_push(&walk, a)->other = b;
        }
        struct json_level *top = json_walk_top(&walk);
        while (top && top->position == json_container_count(top->container)) {
            json_walk_pop(&walk);
            top = json_walk_top(&walk);
        }
        if (!top) return true;
        size_t i = top->position++;
        a        = json_container_value(top->container, i);
        b        = partner_of(top, i);
    }
}
