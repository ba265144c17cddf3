/* Builtins for values of all kinds. */
#include "base/attr.h"
#include "base/utf8.h"
#include "expr/builtins.h"
#include "expr/numbers.h"
#include "expr/order.h"
#include "expr/paths.h"
#include "json/json_text.h"

#include <math.h>
#include <stdlib.h>

/* --- kinds and sizes ---------------------------------------------------------------------------
 */

json native_type(struct expr_run *vm, json *args)
{
    (void)vm;
    return json_text_from(json_kind_name(args[0]));
}

json native_length(struct expr_run *vm, json *args)
{
    json value = args[0];
    switch (value.kind) {
    case JSON_NULL: return json_int(0);
    case JSON_INT:
    case JSON_REAL: return number_abs(value);
    case JSON_TEXT:
        if (!vm_spend(vm, json_str(value).len / FUEL_BYTES)) return json_invalid();
        return json_int((int64_t)utf8_length(json_str(value)));
    case JSON_ARRAY:
    case JSON_OBJECT: return json_int((int64_t)json_count(value));
    default: return vm_raise_type(vm, value, "has no length");
    }
}

json native_have_decnum(struct expr_run *vm, json *args)
{
    (void)vm;
    (void)args;
    return json_bool(false);
}

json native_have_literal_numbers(struct expr_run *vm, json *args)
{
    (void)vm;
    (void)args;
    return json_bool(false);
}

/* --- keys and paths ----------------------------------------------------------------------------
 */

json native_has(struct expr_run *vm, json *args)
{
    return paths_has(vm, args[0], args[1]);
}

static json list_keys(struct expr_run *vm, json value, bool is_sorted)
{
    if (!json_is_container(value)) return vm_raise_type(vm, value, "has no keys");
    size_t count = json_count(value);
    if (!vm_spend(vm, count) || !vm_spend_bytes(vm, count * sizeof(json))) return json_invalid();
    json keys = json_array_new(count);
    if (value.kind == JSON_ARRAY) {
        for (size_t i = 0; i < count; i++) json_array_push(&keys, json_int((int64_t)i));
        return keys;
    }
    uint32_t *order = is_sorted ? json_object_order(value.object) : NULL;
    for (size_t i = 0; i < count; i++) {
        json_array_push(&keys, json_ref(json_key_value_at(value, order ? order[i] : i)));
    }
    free(order);
    return keys;
}

json native_keys(struct expr_run *vm, json *args)
{
    return list_keys(vm, args[0], true);
}

json native_keys_unsorted(struct expr_run *vm, json *args)
{
    return list_keys(vm, args[0], false);
}

json native_setpath(struct expr_run *vm, json *args)
{
    return paths_set(vm, json_take(&args[0]), args[1], json_take(&args[2]));
}

json native_delpaths(struct expr_run *vm, json *args)
{
    return paths_delete(vm, json_take(&args[0]), args[1]);
}

/* --- containment -------------------------------------------------------------------------------
 *
 * An object contains another if each member of that one is contained in the member of its name; an
 * array if each element is contained in some element. So elements are tried one after the other: a
 * level of the walk remembers which, and where to go on when one fails.
 */

struct containment {
    json whole;
    json part;
    size_t at;    /* member of `part` */
    size_t tried; /* element of `whole`, for arrays */
};

struct containments {
    struct containment *levels;
    size_t count;
    size_t capacity;
};

static void containments_done(struct containments *stack)
{
    json_node_free(stack->levels, stack->capacity * sizeof *stack->levels);
}

static void containments_push(struct containments *stack, json whole, json part)
{
    if (stack->count == stack->capacity) {
        size_t capacity = stack->capacity ? stack->capacity * 2 : 8;
        stack->levels   = json_node_resize(stack->levels, stack->capacity * sizeof *stack->levels,
                                           capacity * sizeof *stack->levels);
        stack->capacity = capacity;
    }
    stack->levels[stack->count++] = (struct containment){.whole = whole, .part = part};
}

static bool text_contains(str whole, str part)
{
    if (part.len == 0) return true;
    return memmem(whole.ptr, whole.len, part.ptr, part.len) != NULL;
}

enum answer { ANSWER_NO, ANSWER_YES, ANSWER_LOOK, ANSWER_FAILED };

static enum answer contains_shallow(struct expr_run *vm, json whole, json part)
{
    if (json_is_container(whole) && whole.kind == part.kind) return ANSWER_LOOK;
    if (whole.kind == JSON_TEXT && part.kind == JSON_TEXT) {
        if (!vm_spend(vm, json_str(whole).len / FUEL_BYTES)) return ANSWER_FAILED;
        return text_contains(json_str(whole), json_str(part)) ? ANSWER_YES : ANSWER_NO;
    }
    return json_equal(whole, part) ? ANSWER_YES : ANSWER_NO;
}

/* The next pair to look at, or an answer about the level. */
static enum answer next_pair(const struct containment *level, json *ret_whole, json *ret_part)
{
    if (level->at == json_container_count(level->part)) return ANSWER_YES;
    *ret_part = json_container_value(level->part, level->at);
    if (level->part.kind == JSON_OBJECT) {
        *ret_whole = json_get(level->whole, json_key_at(level->part, level->at));
        return ret_whole->kind == JSON_INVALID ? ANSWER_NO : ANSWER_LOOK;
    }
    if (level->tried == json_container_count(level->whole)) return ANSWER_NO;
    *ret_whole = json_container_value(level->whole, level->tried);
    return ANSWER_LOOK;
}

/* Notes in the level above what became of its pair; says whether that settles the level. */
static bool settle(struct containment *level, enum answer answer)
{
    if (answer == ANSWER_YES) {
        level->at++;
        level->tried = 0;
        return false;
    }
    if (level->part.kind == JSON_OBJECT) return true;
    level->tried++;
    return false;
}

/* Tells the level on top what became of its pair; a level that this settles is told on. Returns
 * what was told last. */
static enum answer tell(struct containments *stack, enum answer answer)
{
    while (stack->count > 0 && settle(&stack->levels[stack->count - 1], answer)) {
        answer = ANSWER_NO;
        stack->count--;
    }
    return answer;
}

static enum answer contains(struct expr_run *vm, json whole, json part)
{
    CLEANUP(containments_done) struct containments stack = {};
    enum answer answer                                   = contains_shallow(vm, whole, part);
    if (answer != ANSWER_LOOK) return answer;
    containments_push(&stack, whole, part);
    while (stack.count > 0) {
        if (!vm_spend(vm, 1)) return ANSWER_FAILED;
        answer             = next_pair(&stack.levels[stack.count - 1], &whole, &part);
        bool is_about_pair = answer == ANSWER_LOOK;
        if (is_about_pair) answer = contains_shallow(vm, whole, part);
        if (answer == ANSWER_FAILED) return answer;
        if (answer == ANSWER_LOOK) {
            if (stack.count > ORDER_DEPTH_MAX) {
                (void)vm_raise(vm, "Containment check too deep");
                return ANSWER_FAILED;
            }
            containments_push(&stack, whole, part);
            continue;
        }
        if (!is_about_pair) stack.count--;
        answer = tell(&stack, answer);
    }
    return answer;
}

json native_contains(struct expr_run *vm, json *args)
{
    bool are_booleans = json_is_bool(args[0]) && json_is_bool(args[1]);
    bool are_numbers  = json_is_number(args[0]) && json_is_number(args[1]);
    if (args[0].kind != args[1].kind && !are_booleans && !are_numbers) {
        return vm_raise_types(vm, args[0], args[1], "cannot have their containment checked");
    }
    enum answer answer = contains(vm, args[0], args[1]);
    return answer == ANSWER_FAILED ? json_invalid() : json_bool(answer == ANSWER_YES);
}

/* --- merging objects ---------------------------------------------------------------------------
 */

/* Both have a member of that name that is an object: merge these first. */
struct merge {
    json into; /* owned */
    json from;
    size_t at;
};

static void merges_free(struct merge *levels, size_t count, size_t capacity)
{
    for (size_t i = 0; i < count; i++) json_drop(levels[i].into);
    json_node_free(levels, capacity * sizeof *levels);
}

/* Goes on with the top level. True: it pushed the next one. */
static bool merge_step(struct merge *top, struct merge *next)
{
    while (top->at < json_count(top->from)) {
        json key   = json_key_value_at(top->from, top->at);
        json value = json_value_at(top->from, top->at);
        json mine  = json_get(top->into, json_str(key));
        if (value.kind == JSON_OBJECT && mine.kind == JSON_OBJECT) {
            json member = json_ref(mine);
            json_object_put_key(&top->into, key, json_null()); /* makes us its only owner */
            *next = (struct merge){.into = member, .from = value};
            return true;
        }
        json_object_put_key(&top->into, key, json_share(value));
        top->at++;
    }
    return false;
}

json object_merge(struct expr_run *vm, json a, json b)
{
    size_t capacity      = 8;
    size_t count         = 1;
    struct merge *levels = json_node_new(capacity * sizeof *levels);
    levels[0]            = (struct merge){.into = json_ref(a), .from = b};
    for (;;) {
        struct merge *top = &levels[count - 1];
        struct merge next;
        if (!vm_spend(vm, 1 + json_count(top->from))) break;
        if (merge_step(top, &next)) {
            if (count > ORDER_DEPTH_MAX) {
                json_drop(next.into);
                (void)vm_raise(vm, "Object merge too deep");
                break;
            }
            if (count == capacity) {
                levels = json_node_resize(levels, capacity * sizeof *levels,
                                          2 * capacity * sizeof *levels);
                capacity *= 2;
            }
            levels[count++] = next;
            continue;
        }
        json merged = levels[--count].into;
        if (count == 0) {
            merges_free(levels, 0, capacity);
            return merged;
        }
        struct merge *below = &levels[count - 1];
        json_object_put_key(&below->into, json_key_value_at(below->from, below->at), merged);
        below->at++;
    }
    merges_free(levels, count, capacity);
    return json_invalid();
}
