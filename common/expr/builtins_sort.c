/* Sorting, and what is a matter of order: groups, uniques, extremes, search. */
#include "base/attr.h"
#include "base/mem.h"
#include "expr/builtins.h"
#include "expr/order.h"

#include <stdlib.h>

/* A merge sort, because it is stable and may stop in the middle when the budget ends. */
struct sorter {
    struct expr_run *vm;
    json keys;
    uint32_t *order; /* positions, being sorted */
    uint32_t *spare;
    size_t count;
};

static void sorter_done(struct sorter *sorter)
{
    json_node_free(sorter->order, sorter->count * sizeof(uint32_t));
    json_node_free(sorter->spare, sorter->count * sizeof(uint32_t));
}

/* Merges [from, middle) and [middle, to) of `order` into `spare`. */
static bool merge(struct sorter *sorter, size_t from, size_t middle, size_t to)
{
    const json *keys = sorter->keys.array->items;
    size_t a         = from;
    size_t b         = middle;
    for (size_t i = from; i < to; i++) {
        int order = a == middle ? 1 : b == to ? -1 : 0;
        if (order == 0 &&
            !order_compare(sorter->vm, keys[sorter->order[a]], keys[sorter->order[b]], &order)) {
            return false;
        }
        sorter->spare[i] = order <= 0 ? sorter->order[a++] : sorter->order[b++];
    }
    return true;
}

static bool sort(struct sorter *sorter)
{
    for (size_t width = 1; width < sorter->count; width *= 2) {
        for (size_t from = 0; from < sorter->count; from += 2 * width) {
            size_t middle = from + width < sorter->count ? from + width : sorter->count;
            size_t to     = middle + width < sorter->count ? middle + width : sorter->count;
            if (!merge(sorter, from, middle, to)) return false;
        }
        uint32_t *sorted = sorter->spare;
        sorter->spare    = sorter->order;
        sorter->order    = sorted;
    }
    return true;
}

/* The positions of `keys` in their order, in sorter->order. */
static bool sorter_run(struct sorter *sorter, struct expr_run *vm, json keys)
{
    size_t count = json_count(keys);
    if (!vm_spend_bytes(vm, 2 * count * sizeof(uint32_t)) || !vm_spend(vm, count)) return false;
    *sorter = (struct sorter){.vm    = vm,
                              .keys  = keys,
                              .order = json_node_new(count * sizeof(uint32_t)),
                              .spare = json_node_new(count * sizeof(uint32_t)),
                              .count = count};
    for (size_t i = 0; i < count; i++) sorter->order[i] = (uint32_t)i;
    return sort(sorter);
}

json array_sort(struct expr_run *vm, json array, json keys)
{
    CLEANUP(sorter_done) struct sorter sorter = {};
    if (!sorter_run(&sorter, vm, keys)) return json_invalid();
    struct json_array *sorted = json_array_node_new(sorter.count);
    for (size_t i = 0; i < sorter.count; i++) {
        sorted->items[i] = json_share(array.array->items[sorter.order[i]]);
    }
    sorted->count = (uint32_t)sorter.count;
    return (json){.kind = JSON_ARRAY, .array = sorted};
}

/* Sorted, and those with equal keys together: all of them, or the first only. */
static json group(struct expr_run *vm, json array, json keys, bool is_unique)
{
    CLEANUP(sorter_done) struct sorter sorter = {};
    if (!sorter_run(&sorter, vm, keys)) return json_invalid();
    CLEANUP(json_unrefp) json groups  = json_array_new(0);
    CLEANUP(json_unrefp) json current = json_invalid();
    for (size_t i = 0; i < sorter.count; i++) {
        int order = 1;
        if (i > 0 && !order_equal(vm, json_at(keys, sorter.order[i - 1]),
                                  json_at(keys, sorter.order[i]), &order)) {
            return json_invalid();
        }
        json item = json_share(json_at(array, sorter.order[i]));
        if (is_unique) {
            if (order != 0) json_array_push(&groups, item);
            if (order == 0) json_drop(item);
            continue;
        }
        if (order != 0) {
            if (current.kind != JSON_INVALID) json_array_push(&groups, json_take(&current));
            current = json_array_new(1);
        }
        json_array_push(&current, item);
    }
    if (current.kind != JSON_INVALID) json_array_push(&groups, json_take(&current));
    return json_take(&groups);
}

static bool are_arrays(struct expr_run *vm, json a, json b)
{
    if (a.kind == JSON_ARRAY && b.kind == JSON_ARRAY && json_count(a) == json_count(b)) return true;
    (void)vm_raise_types(vm, a, b, "cannot be sorted, as they are not both arrays");
    return false;
}

static bool is_array(struct expr_run *vm, json a)
{
    if (a.kind == JSON_ARRAY) return true;
    (void)vm_raise_type(vm, a, "cannot be sorted, as it is not an array");
    return false;
}

json native_sort(struct expr_run *vm, json *args)
{
    return is_array(vm, args[0]) ? array_sort(vm, args[0], args[0]) : json_invalid();
}

json native_sort_by(struct expr_run *vm, json *args)
{
    return are_arrays(vm, args[0], args[1]) ? array_sort(vm, args[0], args[1]) : json_invalid();
}

json native_group_by(struct expr_run *vm, json *args)
{
    return are_arrays(vm, args[0], args[1]) ? group(vm, args[0], args[1], false) : json_invalid();
}

json native_unique(struct expr_run *vm, json *args)
{
    return is_array(vm, args[0]) ? group(vm, args[0], args[0], true) : json_invalid();
}

json native_unique_by(struct expr_run *vm, json *args)
{
    return are_arrays(vm, args[0], args[1]) ? group(vm, args[0], args[1], true) : json_invalid();
}

/* --- extremes ----------------------------------------------------------------------------------
 */

/* The first of the least, the last of the greatest, as in jq. */
static json extreme(struct expr_run *vm, json values, json keys, bool is_least)
{
    if (values.kind != JSON_ARRAY || keys.kind != JSON_ARRAY) {
        return vm_raise_types(vm, values, keys, "cannot be iterated over");
    }
    if (json_count(values) != json_count(keys)) {
        return vm_raise_types(vm, values, keys, "have wrong length");
    }
    if (json_count(values) == 0) return json_null();
    size_t best = 0;
    for (size_t i = 1; i < json_count(values); i++) {
        int order = 0;
        if (!order_compare(vm, json_at(keys, i), json_at(keys, best), &order)) {
            return json_invalid();
        }
        if ((order < 0) == is_least) best = i;
    }
    return json_share(json_at(values, best));
}

json native_min(struct expr_run *vm, json *args)
{
    return extreme(vm, args[0], args[0], true);
}

json native_max(struct expr_run *vm, json *args)
{
    return extreme(vm, args[0], args[0], false);
}

json native_min_by(struct expr_run *vm, json *args)
{
    return extreme(vm, args[0], args[1], true);
}

json native_max_by(struct expr_run *vm, json *args)
{
    return extreme(vm, args[0], args[1], false);
}

json native_bsearch(struct expr_run *vm, json *args)
{
    if (args[0].kind != JSON_ARRAY) return vm_raise_type(vm, args[0], "cannot be searched from");
    size_t from = 0;
    size_t to   = json_count(args[0]);
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int order     = 0;
        if (!order_compare(vm, args[1], json_at(args[0], middle), &order)) return json_invalid();
        if (order == 0) return json_int((int64_t)middle);
        if (order < 0) {
            to = middle;
        } else {
            from = middle + 1;
        }
    }
    return json_int(-1 - (int64_t)from);
}
