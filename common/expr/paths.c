/* One step: an index, a slice, a member; and paths as sequences of them. */
#include "expr/paths.h"

#include "base/attr.h"
#include "base/utf8.h"
#include "expr/builtins.h"

#include <math.h>
#include <stdlib.h>

enum { ARRAY_INDEX_MAX = 536'870'911 /* 2^29 - 1, jq's limit */ };

/* --- reading -----------------------------------------------------------------------------------
 */

bool paths_window(struct expr_run *vm, json from, json to, size_t len, size_t *ret_from,
                  size_t *ret_to)
{
    bool is_valid = (json_is_number(from) || from.kind == JSON_NULL) &&
                    (json_is_number(to) || to.kind == JSON_NULL);
    if (!is_valid) {
        (void)vm_raise(vm, "Array/string slice indices must be integers");
        return false;
    }
    double size  = (double)len;
    double start = from.kind == JSON_NULL ? 0 : json_number(from);
    double end   = to.kind == JSON_NULL ? size : json_number(to);
    if (isnan(start)) start = 0;
    if (isnan(end)) end = size;
    if (start < 0) start += size;
    if (end < 0) end += size;
    start = fmin(fmax(floor(start), 0), size);
    end   = fmin(fmax(ceil(end), start), size);

    *ret_from = (size_t)start;
    *ret_to   = (size_t)end;
    return true;
}

static json slice_text(json text, size_t from, size_t to)
{
    str raw    = json_str(text);
    size_t at  = 0;
    size_t end = 0;
    for (size_t i = 0; i < from; i++) (void)utf8_next(raw, &at);
    end = at;
    for (size_t i = from; i < to; i++) (void)utf8_next(raw, &end);
    return json_text_new(str_slice(raw, at, end));
}

static json slice_array(json array, size_t from, size_t to)
{
    json slice = json_array_new(to - from);
    for (size_t i = from; i < to; i++) json_array_push(&slice, json_share(json_at(array, i)));
    return slice;
}

static json cannot_index(struct expr_run *vm, json container, json key)
{
    char text[SNIPPET_SIZE];
    return vm_raise(vm, "Cannot index %s with %s (%s)", json_kind_name(container),
                    json_kind_name(key), vm_snippet(vm, key, text));
}

json paths_slice(struct expr_run *vm, json container, json from, json to)
{
    if (container.kind == JSON_NULL) return json_null();
    if (container.kind != JSON_ARRAY && container.kind != JSON_TEXT) {
        CLEANUP(json_unrefp) json key = paths_slice_key_new(from, to);
        return cannot_index(vm, container, key);
    }
    bool is_text = container.kind == JSON_TEXT;
    size_t len   = is_text ? utf8_length(json_str(container)) : json_count(container);
    size_t start = 0;
    size_t end   = 0;
    if (!paths_window(vm, from, to, len, &start, &end)) return json_invalid();
    size_t raw = is_text ? json_str(container).len : (end - start) * sizeof(json);
    if (!vm_spend_bytes(vm, raw)) return json_invalid();
    return is_text ? slice_text(container, start, end) : slice_array(container, start, end);
}

json paths_slice_key_new(json from, json to)
{
    json key = json_object_new(2);
    json_object_put_text(&key, "start", json_share(from));
    json_object_put_text(&key, "end", json_share(to));
    return key;
}

static json slice_by_object(struct expr_run *vm, json container, json key)
{
    json from = json_get_text(key, "start");
    json to   = json_get_text(key, "end");
    return paths_slice(vm, container, from.kind ? from : json_null(), to.kind ? to : json_null());
}

int64_t paths_position(json number, size_t len)
{
    double position = json_number(number);
    if (isnan(position)) return -1;
    position      = fmin(fmax(position, (double)INT32_MIN), (double)INT32_MAX);
    int64_t index = (int64_t)position;
    if (index < 0) index += (int64_t)len;
    return index >= 0 && index < (int64_t)len ? index : -1;
}

json paths_index(struct expr_run *vm, json container, json key)
{
    if (container.kind == JSON_OBJECT && key.kind == JSON_TEXT) {
        int64_t at = json_object_find(container.object, json_str(key), key.text);
        return at < 0 ? json_null() : json_share(container.object->members[at].value);
    }
    if (container.kind == JSON_ARRAY && json_is_number(key)) {
        int64_t at = paths_position(key, json_count(container));
        return at < 0 ? json_null() : json_share(json_at(container, (size_t)at));
    }
    if (container.kind == JSON_ARRAY && key.kind == JSON_ARRAY) {
        return array_indices(vm, container, key);
    }
    bool is_sliced = container.kind == JSON_ARRAY || container.kind == JSON_TEXT;
    if (key.kind == JSON_OBJECT && is_sliced) return slice_by_object(vm, container, key);
    if (container.kind == JSON_NULL &&
        (key.kind == JSON_TEXT || key.kind == JSON_OBJECT || json_is_number(key))) {
        return json_null();
    }
    return cannot_index(vm, container, key);
}

json paths_has(struct expr_run *vm, json container, json key)
{
    if (container.kind == JSON_NULL) return json_bool(false);
    if (container.kind == JSON_OBJECT && key.kind == JSON_TEXT) {
        return json_bool(json_get(container, json_str(key)).kind != JSON_INVALID);
    }
    if (container.kind == JSON_ARRAY && json_is_number(key)) {
        double index = trunc(json_number(key));
        return json_bool(index >= 0 && index < (double)json_count(container));
    }
    return vm_raise(vm, "Cannot check whether %s has a %s key", json_kind_name(container),
                    json_kind_name(key));
}

bool paths_check(struct expr_run *vm, json path)
{
    if (path.kind != JSON_ARRAY) {
        (void)vm_raise(vm, "Path must be specified as an array");
        return false;
    }
    if (json_count(path) > PATH_DEPTH_MAX) {
        (void)vm_raise(vm, "Path too deep");
        return false;
    }
    return vm_spend(vm, json_count(path));
}

json paths_get_at(struct expr_run *vm, json value, struct keys keys)
{
    json at = json_share(value);
    for (size_t i = 0; i < keys.count && at.kind != JSON_INVALID; i++) {
        json next = paths_index(vm, at, keys.items[i]);
        json_drop(at);
        at = next;
    }
    return at;
}

json paths_get(struct expr_run *vm, json value, json path)
{
    return paths_check(vm, path) ? paths_get_at(vm, value, keys_of_path(path)) : json_invalid();
}

/* --- changing one step -------------------------------------------------------------------------
 */

static bool put_in_array(struct expr_run *vm, json *array, json key, json member)
{
    if (array->kind == JSON_NULL) *array = json_array_new(0);
    double position = json_number(key);
    size_t len      = json_count(*array);
    const char *why = NULL;
    if (isnan(position)) why = "Cannot set array element at NaN index";
    if (position < 0) position += (double)len;
    if (position < 0) why = "Out of bounds negative array index";
    if (position > ARRAY_INDEX_MAX) why = "Array index too large";
    if (why) {
        json_drop(member);
        (void)vm_raise(vm, "%s", why);
        return false;
    }
    size_t index = (size_t)position;
    if (index >= len && !vm_spend_bytes(vm, (index - len + 1) * sizeof(json))) {
        json_drop(member);
        return false;
    }
    while (json_count(*array) <= index) json_array_push(array, json_null());
    json_array_set(array, index, member);
    return true;
}

/* Takes `members`. */
static bool put_slice(struct expr_run *vm, json *array, json key, json members)
{
    if (array->kind == JSON_NULL) *array = json_array_new(0);
    json from    = json_get_text(key, "start");
    json to      = json_get_text(key, "end");
    size_t len   = json_count(*array);
    size_t start = 0;
    size_t end   = 0;
    bool is_good = paths_window(vm, from.kind ? from : json_null(), to.kind ? to : json_null(), len,
                                &start, &end);
    if (is_good && members.kind != JSON_ARRAY) {
        (void)vm_raise(vm, "A slice of an array can only be assigned another array");
        is_good = false;
    }
    is_good = is_good && vm_spend_bytes(vm, (len + json_count(members)) * sizeof(json));
    if (is_good) {
        json whole = json_array_new(len - (end - start) + json_count(members));
        for (size_t i = 0; i < start; i++) json_array_push(&whole, json_share(json_at(*array, i)));
        for (size_t i = 0; i < json_count(members); i++) {
            json_array_push(&whole, json_share(json_at(members, i)));
        }
        for (size_t i = end; i < len; i++) json_array_push(&whole, json_share(json_at(*array, i)));
        json_unref(*array);
        *array = whole;
    }
    json_unref(members);
    return is_good;
}

bool paths_put(struct expr_run *vm, json *container, json key, json member)
{
    bool is_null = container->kind == JSON_NULL;
    if (key.kind == JSON_TEXT && (container->kind == JSON_OBJECT || is_null)) {
        if (is_null) *container = json_object_new(0);
        json_object_put_key(container, key, member);
        return true;
    }
    if (json_is_number(key) && (container->kind == JSON_ARRAY || is_null)) {
        return put_in_array(vm, container, key, member);
    }
    if (key.kind == JSON_OBJECT && (container->kind == JSON_ARRAY || is_null)) {
        return put_slice(vm, container, key, member);
    }
    json_drop(member);
    if (key.kind == JSON_OBJECT && container->kind == JSON_TEXT) {
        (void)vm_raise(vm, "Cannot update string slices");
        return false;
    }
    json member_now = paths_index(vm, *container, key); /* what cannot be read says so itself */
    if (member_now.kind != JSON_INVALID) {
        json_drop(member_now);
        (void)vm_raise(vm, "Cannot update field at %s index of %s", json_kind_name(key),
                       json_kind_name(*container));
    }
    return false;
}
