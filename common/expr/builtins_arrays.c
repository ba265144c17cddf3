/* Builtins for arrays and streams. */
#include "base/attr.h"
#include "base/utf8.h"
#include "expr/builtins.h"
#include "expr/numbers.h"
#include "expr/order.h"

#include <math.h>

static json not_iterable(struct expr_run *vm, json value)
{
    char text[SNIPPET_SIZE];
    return vm_raise(vm, "Cannot iterate over %s (%s)", json_kind_name(value),
                    vm_snippet(vm, value, text));
}

json native_add(struct expr_run *vm, json *args)
{
    if (!json_is_container(args[0])) return not_iterable(vm, args[0]);
    json sum     = json_null();
    size_t count = json_container_count(args[0]);
    for (size_t i = 0; i < count && sum.kind != JSON_INVALID; i++) {
        if (!vm_spend(vm, 1)) {
            json_drop(sum);
            return json_invalid();
        }
        sum = value_add(vm, sum, json_container_value(args[0], i));
    }
    return sum;
}

static json reverse_text(str text)
{
    json reversed = json_text_from("");
    for (size_t end = text.len; end > 0;) {
        size_t at = end - 1;
        while (at > 0 && ((unsigned char)text.ptr[at] & 0xC0) == 0x80) at--;
        json_text_append(&reversed, str_slice(text, at, end));
        end = at;
    }
    return reversed;
}

json native_reverse(struct expr_run *vm, json *args)
{
    json value = args[0];
    if (value.kind == JSON_NULL) return json_array_new(0);
    if (value.kind == JSON_TEXT) {
        if (!vm_spend_bytes(vm, json_str(value).len)) return json_invalid();
        return reverse_text(json_str(value));
    }
    size_t count = json_count(value);
    if (value.kind != JSON_ARRAY) {
        bool is_empty = json_is_number(value) ? json_number(value) == 0
                                              : value.kind == JSON_OBJECT && count == 0;
        if (is_empty) return json_array_new(0);
        return vm_raise(vm, "Cannot index %s with number", json_kind_name(value));
    }
    if (!vm_spend(vm, count) || !vm_spend_bytes(vm, count * sizeof(json))) return json_invalid();
    json reversed = json_array_new(count);
    for (size_t i = count; i-- > 0;) json_array_push(&reversed, json_share(json_at(value, i)));
    return reversed;
}

json native_toarray(struct expr_run *vm, json *args)
{
    (void)vm;
    if (args[0].kind == JSON_ARRAY) return json_take(&args[0]);
    json array = json_array_new(1);
    json_array_push(&array, json_take(&args[0]));
    return array;
}

json native_to_entries(struct expr_run *vm, json *args)
{
    if (!json_is_container(args[0])) return vm_raise_type(vm, args[0], "has no keys");
    size_t count = json_container_count(args[0]);
    if (!vm_spend(vm, 2 * count)) return json_invalid();
    json entries = json_array_new(count);
    for (size_t i = 0; i < count; i++) {
        json key   = args[0].kind == JSON_ARRAY ? json_int((int64_t)i)
                                                : json_ref(json_key_value_at(args[0], i));
        json entry = json_object_new(2);
        json_object_put_text(&entry, "key", key);
        json_object_put_text(&entry, "value", json_share(json_container_value(args[0], i)));
        json_array_push(&entries, entry);
    }
    return entries;
}

/* --- flatten -----------------------------------------------------------------------------------
 */

static json flatten(struct expr_run *vm, json value, double depth_max)
{
    if (!json_is_container(value)) return not_iterable(vm, value);
    CLEANUP(json_walk_done) struct json_walk walk;
    json_walk_init(&walk);
    CLEANUP(json_unrefp) json flat = json_array_new(0);
    (void)json_walk_push(&walk, value);
    for (struct json_level *top; (top = json_walk_top(&walk)) != NULL;) {
        if (top->position == json_container_count(top->container)) {
            json_walk_pop(&walk);
            continue;
        }
        if (!vm_spend(vm, 1)) return json_invalid();
        json item = json_container_value(top->container, top->position++);
        if (item.kind == JSON_ARRAY && (double)walk.depth <= depth_max) {
            (void)json_walk_push(&walk, item);
        } else {
            json_array_push(&flat, json_share(item));
        }
    }
    return json_take(&flat);
}

json native_flatten(struct expr_run *vm, json *args)
{
    return flatten(vm, args[0], HUGE_VAL);
}

json native_flatten_to(struct expr_run *vm, json *args)
{
    if (!json_is_number(args[1])) return vm_raise(vm, "flatten depth must not be negative");
    double depth = json_number(args[1]);
    if (depth < 0) return vm_raise(vm, "flatten depth must not be negative");
    return flatten(vm, args[0], depth);
}

/* --- join --------------------------------------------------------------------------------------
 */

/* One step of `add` between joined values. Texts grow in place; the rest is `+`, which also words
 * what is wrong. */
static bool join_put(struct expr_run *vm, json *joined, json more)
{
    if (more.kind == JSON_NULL) return true;
    if (more.kind == JSON_TEXT) return text_put_value(vm, joined, more);
    *joined = value_add(vm, json_take(joined), more);
    return joined->kind != JSON_INVALID;
}

json native_join(struct expr_run *vm, json *args)
{
    if (!json_is_container(args[0])) return not_iterable(vm, args[0]);
    size_t count = json_container_count(args[0]);
    if (count == 0) return json_text_from("");
    if (!vm_spend(vm, 2 * count)) return json_invalid();
    size_t size = (count - 1) * text_size_of(args[1]);
    for (size_t i = 0; i < count; i++) size += text_size_of(json_container_value(args[0], i));

    CLEANUP(json_unrefp) json joined = text_with_room(vm, size);
    if (joined.kind == JSON_INVALID) return joined;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && !join_put(vm, &joined, args[1])) return json_invalid();
        json item      = json_container_value(args[0], i);
        bool is_scalar = json_is_bool(item) || json_is_number(item);
        if (!(is_scalar ? text_put_value(vm, &joined, item) : join_put(vm, &joined, item))) {
            return json_invalid();
        }
    }
    return json_take(&joined);
}

/* --- indices -----------------------------------------------------------------------------------
 */

json array_indices(struct expr_run *vm, json array, json needle)
{
    size_t len                      = json_count(needle);
    CLEANUP(json_unrefp) json found = json_array_new(0);
    if (len == 0) return json_null();
    for (size_t i = 0; i + len <= json_count(array); i++) {
        size_t same = 0;
        int order   = 0;
        while (same < len && order == 0) {
            if (!vm_spend(vm, 1)) return json_invalid();
            if (!order_equal(vm, json_at(array, i + same), json_at(needle, same), &order)) {
                return json_invalid();
            }
            same += order == 0;
        }
        if (same == len) json_array_push(&found, json_int((int64_t)i));
    }
    return json_take(&found);
}

static json text_indices(struct expr_run *vm, str text, str needle)
{
    if (needle.len == 0) return json_null();
    if (!vm_spend(vm, text.len / FUEL_BYTES)) return json_invalid();
    json found    = json_array_new(0);
    int64_t index = 0; /* of the character at `at` */
    for (size_t at = 0; at + needle.len <= text.len; index++) {
        if (memcmp(text.ptr + at, needle.ptr, needle.len) == 0) {
            json_array_push(&found, json_int(index));
        }
        (void)utf8_next(text, &at);
    }
    return found;
}

json native_strindices(struct expr_run *vm, json *args)
{
    if (args[0].kind != JSON_TEXT) {
        return vm_raise_type(vm, args[0], "cannot be searched, as it is not a string");
    }
    if (args[1].kind != JSON_TEXT) return vm_raise_type(vm, args[1], "is not a string");
    return text_indices(vm, json_str(args[0]), json_str(args[1]));
}

json native_indices(struct expr_run *vm, json *args)
{
    json value  = args[0];
    json needle = args[1];
    if (value.kind == JSON_NULL) return json_null();
    if (value.kind == JSON_TEXT && needle.kind == JSON_TEXT) {
        return text_indices(vm, json_str(value), json_str(needle));
    }
    if (value.kind == JSON_ARRAY && needle.kind == JSON_ARRAY) {
        return array_indices(vm, value, needle);
    }
    if (value.kind == JSON_ARRAY) {
        CLEANUP(json_unrefp) json one = json_array_new(1);
        json_array_push(&one, json_share(needle));
        return array_indices(vm, value, one);
    }
    char text[SNIPPET_SIZE];
    return vm_raise(vm, "Cannot index %s with %s (%s)", json_kind_name(value),
                    json_kind_name(needle), vm_snippet(vm, needle, text));
}
