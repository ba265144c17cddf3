/*
 * Changing values by paths.
 *
 * A change goes down the path as far as there are members. From there on it goes with an explicit
 * stack: at each step the member is taken out of its container (null stays behind), so that on the
 * way up each container has one owner and is changed in place.
 */
#include "expr/builtins.h"
#include "expr/paths.h"

#include "base/attr.h"

#include <stdlib.h>

/* The containers from the root to the one that is changed. */
struct descent {
    json *levels;
    size_t count;
    size_t capacity;
};

static void descent_done(struct descent *descent)
{
    for (size_t i = 0; i < descent->count; i++) json_drop(descent->levels[i]);
    json_node_free(descent->levels, descent->capacity * sizeof(json));
}

/* Takes `root`. Room for the containers of `keys` steps. */
static struct descent descent_init(json root, size_t keys)
{
    struct descent descent          = {.levels   = json_node_new((keys + 1) * sizeof(json)),
                                       .capacity = keys + 1};
    descent.levels[descent.count++] = root;
    return descent;
}

static json *descent_top(struct descent *descent)
{
    return &descent->levels[descent->count - 1];
}

/* Takes the member out of the top and makes it the top. */
static bool go_down(struct expr_run *vm, struct descent *descent, json key)
{
    json *top   = descent_top(descent);
    json member = paths_index(vm, *top, key);
    if (member.kind == JSON_INVALID) return false;
    bool is_plain = key.kind == JSON_TEXT || json_is_number(key);
    if (member.kind >= JSON_TEXT && is_plain && !paths_put(vm, top, key, json_null())) {
        json_drop(member);
        return false;
    }
    descent->levels[descent->count++] = member;
    return true;
}

static bool go_up(struct expr_run *vm, struct descent *descent, json key)
{
    json member = descent->levels[--descent->count];
    return paths_put(vm, descent_top(descent), key, member);
}

/* Where keys lead that are not there yet, or are slices. Takes `value` and `member`. */
static json set_by_descent(struct expr_run *vm, json value, struct keys keys, json member)
{
    CLEANUP(descent_done) struct descent descent = descent_init(value, keys.count);
    for (size_t i = 0; i < keys.count; i++) {
        bool is_last = i + 1 == keys.count;
        if (!is_last && !go_down(vm, &descent, keys.items[i])) {
            json_drop(member);
            return json_invalid();
        }
        if (is_last && !paths_put(vm, descent_top(&descent), keys.items[i], member)) {
            return json_invalid();
        }
    }
    for (size_t i = keys.count - 1; i-- > 0;) {
        if (!go_up(vm, &descent, keys.items[i])) return json_invalid();
    }
    return descent.levels[--descent.count];
}

/* --- in place ----------------------------------------------------------------------------------
 *
 * Most keys are names of members that are there. Then there is no need to take members out: where
 * somebody else owns a container, it is copied on the way down, and the last member is replaced.
 */

/* The place of a member that is there, in a container that is ours alone; else NULL. */
static json *place_of(json *container, json key)
{
    if (container->kind == JSON_OBJECT && key.kind == JSON_TEXT) {
        int64_t at = json_object_find(container->object, json_text_view(key.text), key.text);
        return at < 0 ? NULL : json_object_slot(container, (size_t)at);
    }
    if (container->kind != JSON_ARRAY || key.kind != JSON_INT) return NULL;
    int64_t count = container->array->count;
    int64_t at    = key.integer < 0 ? key.integer + count : key.integer;
    return at >= 0 && at < count ? json_array_slot(container, (size_t)at) : NULL;
}

/* Goes down as far as members are there; `keys` is then what is left. */
static json *descend(json *value, struct keys *keys)
{
    for (; keys->count > 0; keys->items++, keys->count--) {
        json *next = place_of(value, keys->items[0]);
        if (!next) break;
        value = next;
    }
    return value;
}

json paths_set_at(struct expr_run *vm, json value, struct keys keys, json member)
{
    json *at    = descend(&value, &keys);
    json before = *at;
    *at         = json_null();
    json after  = member;
    if (keys.count > 0) {
        after = set_by_descent(vm, before, keys, member);
    } else {
        json_drop(before);
    }
    if (after.kind == JSON_INVALID) {
        json_drop(value);
        return json_invalid();
    }
    *at = after;
    return value;
}

json paths_set(struct expr_run *vm, json value, json path, json member)
{
    if (paths_check(vm, path)) return paths_set_at(vm, value, keys_of_path(path), member);
    json_drop(value);
    json_drop(member);
    return json_invalid();
}

json paths_extract(struct expr_run *vm, json *value, struct keys keys)
{
    struct keys rest = keys;
    json *at         = descend(value, &rest);
    if (rest.count > 0 || keys.count == 0) return paths_get_at(vm, *value, keys);
    json member = *at;
    if (member.kind >= JSON_TEXT) *at = json_null();
    return member;
}

/* --- deleting ----------------------------------------------------------------------------------
 *
 * Indices of several paths mean the array as it was, so nothing may move before all are done:
 * elements first become JSON_INVALID, and are swept out at the end, deepest arrays first.
 */

/* Where a path leads after its slices became windows of the array they cut. */
struct window {
    size_t from;
    size_t to;
    bool is_open; /* no slice yet: the whole array */
};

static bool narrow(struct expr_run *vm, struct window *window, json array, json slice)
{
    size_t len = window->is_open ? json_count(array) : window->to - window->from;
    size_t at  = window->is_open ? 0 : window->from;
    json from  = json_get_text(slice, "start");
    json to    = json_get_text(slice, "end");
    size_t start;
    size_t end;
    if (!paths_window(vm, from.kind ? from : json_null(), to.kind ? to : json_null(), len, &start,
                      &end)) {
        return false;
    }
    *window = (struct window){.from = at + start, .to = at + end};
    return true;
}

static void bury(json *array, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (json_at(*array, i).kind == JSON_INVALID) continue;
        json_array_set(array, i, json_null()); /* makes us the only owner */
        array->array->items[i] = json_invalid();
    }
}

static bool bury_in_array(struct expr_run *vm, json *array, struct window window, json key)
{
    if (key.kind == JSON_OBJECT) {
        if (!narrow(vm, &window, *array, key)) return false;
        bury(array, window.from, window.to);
        return vm_spend(vm, window.to - window.from);
    }
    if (!json_is_number(key)) {
        (void)vm_raise(vm, "Cannot delete %s element of array", json_kind_name(key));
        return false;
    }
    size_t base = window.is_open ? 0 : window.from;
    size_t len  = window.is_open ? json_count(*array) : window.to - window.from;
    int64_t at  = paths_position(key, len);
    if (at >= 0) bury(array, base + (size_t)at, base + (size_t)at + 1);
    return true;
}

/* Those behind it move up, and all are indexed again. */
static bool remove_from_object(struct expr_run *vm, json *object, json key)
{
    enum { MEMBERS_PER_STEP = 8 };
    if (!json_object_remove(object, json_str(key))) return true;
    return vm_spend(vm, json_count(*object) / MEMBERS_PER_STEP);
}

static bool delete_member(struct expr_run *vm, json *container, struct window window, json key)
{
    switch (container->kind) {
    case JSON_NULL: return true;
    case JSON_ARRAY: return bury_in_array(vm, container, window, key);
    case JSON_OBJECT:
        if (key.kind == JSON_TEXT) return remove_from_object(vm, container, key);
        (void)vm_raise(vm, "Cannot delete %s field of object", json_kind_name(key));
        return false;
    default:
        (void)vm_raise(vm, "Cannot delete fields from %s", json_kind_name(*container));
        return false;
    }
}

/* The step of a path as it stands in the array without its slices. */
static json absolute_key(struct window window, json key)
{
    if (window.is_open || !json_is_number(key)) return key;
    int64_t at = paths_position(key, window.to - window.from);
    return at < 0 ? json_int(INT32_MAX) : json_int((int64_t)window.from + at);
}

enum visit { VISIT_BURY, VISIT_SWEEP };

static void sweep(json *container)
{
    if (container->kind != JSON_ARRAY) return;
    size_t kept = 0;
    size_t len  = json_count(*container);
    for (size_t i = 0; i < len; i++) kept += json_at(*container, i).kind != JSON_INVALID;
    if (kept == len) return;
    json swept = json_array_new(kept);
    for (size_t i = 0; i < len; i++) {
        json item = json_at(*container, i);
        if (item.kind != JSON_INVALID) json_array_push(&swept, json_share(item));
    }
    json_unref(*container);
    *container = swept;
}

/* Goes to the container of the last key of `path` and does its part there. Takes `value`. */
static json visit_path(struct expr_run *vm, json value, json path, enum visit visit)
{
    size_t count                                 = json_count(path);
    CLEANUP(descent_done) struct descent descent = descent_init(value, count);
    CLEANUP(json_unrefp) json keys               = json_array_new(count); /* gone down */
    struct window window                         = {.is_open = true};
    bool is_gone                                 = false;
    for (size_t i = 0; i + 1 < count && !is_gone; i++) {
        json *top = descent_top(&descent);
        json key  = json_at(path, i);
        if (top->kind == JSON_ARRAY && key.kind == JSON_OBJECT) {
            if (!narrow(vm, &window, *top, key)) return json_invalid();
            continue;
        }
        key                              = absolute_key(window, key);
        window                           = (struct window){.is_open = true};
        CLEANUP(json_unrefp) json member = json_null();
        if (!(top->kind == JSON_ARRAY && json_is_number(key) &&
              paths_position(key, json_count(*top)) >= 0 &&
              json_at(*top, (size_t)paths_position(key, json_count(*top))).kind == JSON_INVALID)) {
            member = paths_index(vm, *top, key);
            if (member.kind == JSON_INVALID) return json_invalid();
        }
        is_gone = member.kind == JSON_NULL;
        if (is_gone) break;
        if (!go_down(vm, &descent, key)) return json_invalid();
        json_array_push(&keys, json_share(key));
    }
    if (!is_gone && visit == VISIT_SWEEP) sweep(descent_top(&descent));
    if (!is_gone && visit == VISIT_BURY &&
        !delete_member(vm, descent_top(&descent), window, json_at(path, count - 1))) {
        return json_invalid();
    }
    for (size_t i = json_count(keys); i-- > 0;) {
        if (!go_up(vm, &descent, json_at(keys, i))) return json_invalid();
    }
    return descent.levels[--descent.count];
}

static bool check_paths(struct expr_run *vm, json paths)
{
    if (paths.kind != JSON_ARRAY) {
        (void)vm_raise(vm, "Paths must be specified as an array");
        return false;
    }
    for (size_t i = 0; i < json_count(paths); i++) {
        json path = json_at(paths, i);
        if (path.kind != JSON_ARRAY) {
            (void)vm_raise(vm, "Path must be specified as array, not %s", json_kind_name(path));
            return false;
        }
        if (!paths_check(vm, path)) return false;
    }
    return true;
}

static int longer_first(const void *a, const void *b)
{
    size_t length_a = json_count(*(const json *)a);
    size_t length_b = json_count(*(const json *)b);
    return (length_a < length_b) - (length_a > length_b);
}

/* Sweeps the arrays that `paths` lead into, the deepest first. Takes `value`; frees `order`. */
static json sweep_all(struct expr_run *vm, json value, json paths)
{
    size_t count = json_count(paths);
    json *order  = json_node_new(count * sizeof *order);
    for (size_t i = 0; i < count; i++) order[i] = json_at(paths, i);
    qsort(order, count, sizeof *order, longer_first);
    for (size_t i = 0; i < count && value.kind != JSON_INVALID; i++) {
        value = visit_path(vm, value, order[i], VISIT_SWEEP);
    }
    json_node_free(order, count * sizeof *order);
    return value;
}

/* `value` without the member that the only path leads to, if it leads into an object that is there;
 * else `*ret_is_done` is false. Takes `value` when it is done. */
static json delete_in_place(struct expr_run *vm, json value, json path, bool *ret_is_done)
{
    struct keys keys = keys_of_path(path);
    *ret_is_done     = false;
    if (keys.count == 0) return value;
    json last    = keys.items[--keys.count];
    json *at     = descend(&value, &keys);
    *ret_is_done = keys.count == 0 && at->kind == JSON_OBJECT && last.kind == JSON_TEXT;
    if (!*ret_is_done || remove_from_object(vm, at, last)) return value;
    json_drop(value);
    return json_invalid();
}

json paths_delete(struct expr_run *vm, json value, json paths)
{
    CLEANUP(json_unrefp) json sorted = json_invalid();
    if (!check_paths(vm, paths)) {
        json_drop(value);
        return json_invalid();
    }
    size_t count = json_count(paths);
    bool is_done = count == 0;
    if (count == 1) value = delete_in_place(vm, value, json_at(paths, 0), &is_done);
    if (is_done) return value;
    sorted = array_sort(vm, paths, paths);
    if (sorted.kind == JSON_INVALID) {
        json_drop(value);
        return json_invalid();
    }
    if (json_count(json_at(sorted, 0)) == 0) {
        json_drop(value);
        return json_null();
    }
    for (size_t i = 0; i < count && value.kind != JSON_INVALID; i++) {
        value = visit_path(vm, value, json_at(sorted, i), VISIT_BURY);
    }
    return value.kind == JSON_INVALID ? value : sweep_all(vm, value, sorted);
}
