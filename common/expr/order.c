#include "expr/order.h"

#include "base/attr.h"

/* Scalars, and values of different kinds: nothing to look into. */
static int compare_scalars(json a, json b)
{
    if (a.kind == JSON_INT && b.kind == JSON_INT) {
        return (a.integer > b.integer) - (a.integer < b.integer);
    }
    return json_compare(a, b);
}

static bool needs_look(json a, json b)
{
    return a.kind == b.kind && json_is_container(a);
}

static bool spend_for(struct expr_run *vm, json value)
{
    return vm_spend(vm, value.kind == JSON_TEXT ? 1 + value.text->len / FUEL_BYTES : 1);
}

static bool enter(struct expr_run *vm, struct json_walk *walk, json a, json b, const char *what)
{
    if (walk->depth > ORDER_DEPTH_MAX) {
        (void)vm_raise(vm, "%s too deep", what);
        return false;
    }
    json_walk_push(walk, a)->other = b;
    return true;
}

/* The value of `b` that belongs to member `i` of the container `a`. */
static json partner_of(const struct json_level *level, size_t i)
{
    if (level->container.kind == JSON_ARRAY) return json_container_value(level->other, i);
    struct json_text *key = level->container.object->members[i].key;
    int64_t at            = json_object_find(level->other.object, json_text_view(key), key);
    return at < 0 ? json_invalid() : level->other.object->members[at].value;
}

static struct json_level *next_level(struct json_walk *walk)
{
    struct json_level *top = json_walk_top(walk);
    while (top && top->position == json_container_count(top->container)) {
        json_walk_pop(walk);
        top = json_walk_top(walk);
    }
    return top;
}

static bool equal_deep(struct expr_run *vm, json a, json b, int *ret_order)
{
    CLEANUP(json_walk_done) struct json_walk walk;
    json_walk_init(&walk);
    *ret_order = 1;
    for (;;) {
        if (!needs_look(a, b)) {
            if (compare_scalars(a, b) != 0) return true;
        } else {
            if (json_container_count(a) != json_container_count(b)) return true;
            if (!enter(vm, &walk, a, b, "Equality check")) return false;
        }
        struct json_level *top = next_level(&walk);
        if (!top) break;
        size_t i = top->position++;
        a        = json_container_value(top->container, i);
        b        = partner_of(top, i);
        if (!spend_for(vm, a)) return false;
        if (b.kind == JSON_INVALID) return true;
    }
    *ret_order = 0;
    return true;
}

/* Most values that are compared are scalars, or keys of sort_by: arrays of one scalar. */
static bool unwrap(json *a, json *b)
{
    bool are_ones = a->kind == JSON_ARRAY && b->kind == JSON_ARRAY && a->array->count == 1 &&
                    b->array->count == 1;
    if (!are_ones) return !needs_look(*a, *b);
    if (needs_look(a->array->items[0], b->array->items[0])) return false;
    *a = a->array->items[0];
    *b = b->array->items[0];
    return true;
}

bool order_equal(struct expr_run *vm, json a, json b, int *ret_order)
{
    if (!unwrap(&a, &b)) return equal_deep(vm, a, b, ret_order);
    *ret_order = compare_scalars(a, b);
    return spend_for(vm, a);
}

/* The sorted keys of both objects, as if they were arrays. */
static int compare_keys(struct json_level *level)
{
    const struct json_object *a = level->container.object;
    const struct json_object *b = level->other.object;
    level->order                = json_object_order(a);
    level->other_order          = json_object_order(b);
    for (uint32_t i = 0; i < a->count && i < b->count; i++) {
        int order = json_compare(json_from_text(a->members[level->order[i]].key),
                                 json_from_text(b->members[level->other_order[i]].key));
        if (order != 0) return order;
    }
    return (a->count > b->count) - (a->count < b->count);
}

/* Enters both; `*ret_order` if that decides it. */
static bool compare_entered(struct expr_run *vm, struct json_walk *walk, json a, json b,
                            int *ret_order)
{
    if (!enter(vm, walk, a, b, "Comparison")) return false;
    if (a.kind == JSON_OBJECT) {
        if (!vm_spend(vm, json_container_count(a) + json_container_count(b))) return false;
        *ret_order = compare_keys(json_walk_top(walk));
    }
    return true;
}

static bool compare_deep(struct expr_run *vm, json a, json b, int *ret_order)
{
    CLEANUP(json_walk_done) struct json_walk walk;
    json_walk_init(&walk);
    *ret_order = 0;
    for (bool has_pair = true; *ret_order == 0;) {
        if (has_pair) {
            if (!spend_for(vm, a)) return false;
            if (!needs_look(a, b)) {
                *ret_order = compare_scalars(a, b);
            } else if (!compare_entered(vm, &walk, a, b, ret_order)) {
                return false;
            }
        }
        struct json_level *top = json_walk_top(&walk);
        if (*ret_order != 0 || !top) break;
        size_t i       = top->position++;
        size_t count_a = json_container_count(top->container);
        size_t count_b = json_container_count(top->other);
        has_pair       = i < count_a && i < count_b;
        if (has_pair) {
            a = json_container_value(top->container, top->order ? top->order[i] : i);
            b = json_container_value(top->other, top->order ? top->other_order[i] : i);
        } else {
            *ret_order = (count_a > count_b) - (count_a < count_b);
            json_walk_pop(&walk);
        }
    }
    return true;
}

bool order_compare(struct expr_run *vm, json a, json b, int *ret_order)
{
    if (!unwrap(&a, &b)) return compare_deep(vm, a, b, ret_order);
    *ret_order = compare_scalars(a, b);
    return spend_for(vm, a);
}
