#include "expr/numbers.h"

#include "expr/builtins.h"
#include "expr/order.h"

#include <math.h>

static bool are_ints(json a, json b)
{
    return a.kind == JSON_INT && b.kind == JSON_INT;
}

static bool are_numbers(json a, json b)
{
    return json_is_number(a) && json_is_number(b);
}

json number_add(json a, json b)
{
    int64_t sum = 0;
    if (are_ints(a, b) && !__builtin_add_overflow(a.integer, b.integer, &sum)) return json_int(sum);
    return json_real(json_number(a) + json_number(b));
}

json number_negate(struct expr_run *vm, json a)
{
    if (a.kind == JSON_INT && a.integer != INT64_MIN && a.integer != 0) return json_int(-a.integer);
    if (json_is_number(a)) return json_real(-json_number(a));
    return vm_raise_type(vm, a, "cannot be negated");
}

json number_abs(json number)
{
    if (number.kind == JSON_INT && number.integer != INT64_MIN) {
        return json_int(number.integer < 0 ? -number.integer : number.integer);
    }
    return json_real(fabs(json_number(number)));
}

/* --- addition ----------------------------------------------------------------------------------
 */

static json add_texts(struct expr_run *vm, json a, json b)
{
    if (text_put(vm, &a, json_str(b))) return a;
    json_unref(a);
    return json_invalid();
}

static json add_arrays(struct expr_run *vm, json a, json b)
{
    size_t count = json_count(b);
    if (!vm_spend(vm, count) || !vm_spend_bytes(vm, count * sizeof(json))) {
        json_unref(a);
        return json_invalid();
    }
    for (size_t i = 0; i < count; i++) json_array_push(&a, json_share(json_at(b, i)));
    return a;
}

static json add_objects(struct expr_run *vm, json a, json b)
{
    size_t count = json_count(b);
    if (!vm_spend(vm, count) || !vm_spend_bytes(vm, count * sizeof(struct json_member))) {
        json_unref(a);
        return json_invalid();
    }
    for (size_t i = 0; i < count; i++) {
        json_object_put_key(&a, json_key_value_at(b, i), json_share(json_value_at(b, i)));
    }
    return a;
}

json value_add(struct expr_run *vm, json a, json b)
{
    if (a.kind == JSON_NULL) return json_share(b);
    if (b.kind == JSON_NULL) return a;
    if (are_numbers(a, b)) return number_add(a, b);
    if (a.kind == b.kind) {
        /* `. + .` with one owner: b would change under our hands. */
        json other  = json_share(b);
        json result = json_invalid();
        switch (a.kind) {
        case JSON_TEXT: result = add_texts(vm, a, other); break;
        case JSON_ARRAY: result = add_arrays(vm, a, other); break;
        case JSON_OBJECT: result = add_objects(vm, a, other); break;
        default: result = vm_raise_types(vm, a, b, "cannot be added"); break;
        }
        json_drop(other);
        return result;
    }
    (void)vm_raise_types(vm, a, b, "cannot be added");
    json_drop(a);
    return json_invalid();
}

/* --- the other operators -----------------------------------------------------------------------
 */

static json subtract_arrays(struct expr_run *vm, json a, json b)
{
    json rest = json_array_new(0);
    for (size_t i = 0; i < json_count(a); i++) {
        bool is_found = false;
        for (size_t j = 0; j < json_count(b) && !is_found; j++) {
            int order = 0;
            if (!vm_spend(vm, 1) || !order_equal(vm, json_at(a, i), json_at(b, j), &order)) {
                json_unref(rest);
                return json_invalid();
            }
            is_found = order == 0;
        }
        if (!is_found) json_array_push(&rest, json_share(json_at(a, i)));
    }
    return rest;
}

json value_subtract(struct expr_run *vm, json a, json b)
{
    int64_t difference = 0;
    if (are_ints(a, b) && !__builtin_sub_overflow(a.integer, b.integer, &difference)) {
        return json_int(difference);
    }
    if (are_numbers(a, b)) return json_real(json_number(a) - json_number(b));
    if (a.kind == JSON_ARRAY && b.kind == JSON_ARRAY) return subtract_arrays(vm, a, b);
    return vm_raise_types(vm, a, b, "cannot be subtracted");
}

json value_multiply(struct expr_run *vm, json a, json b)
{
    int64_t product = 0;
    if (are_ints(a, b) && !__builtin_mul_overflow(a.integer, b.integer, &product)) {
        return json_int(product);
    }
    if (are_numbers(a, b)) return json_real(json_number(a) * json_number(b));
    if (a.kind == JSON_TEXT && json_is_number(b)) return text_repeat(vm, a, json_number(b));
    if (json_is_number(a) && b.kind == JSON_TEXT) return text_repeat(vm, b, json_number(a));
    if (a.kind == JSON_OBJECT && b.kind == JSON_OBJECT) return object_merge(vm, a, b);
    return vm_raise_types(vm, a, b, "cannot be multiplied");
}

json value_divide(struct expr_run *vm, json a, json b)
{
    if (are_numbers(a, b)) {
        if (json_number(b) == 0) {
            return vm_raise_types(vm, a, b, "cannot be divided because the divisor is zero");
        }
        bool is_exact = are_ints(a, b) && !(a.integer == INT64_MIN && b.integer == -1) &&
                        a.integer % b.integer == 0;
        if (is_exact) return json_int(a.integer / b.integer);
        return json_real(json_number(a) / json_number(b));
    }
    if (a.kind == JSON_TEXT && b.kind == JSON_TEXT) return text_split(vm, a, b);
    return vm_raise_types(vm, a, b, "cannot be divided");
}

/* Towards zero, and to the ends of int64 what is beyond them. */
static int64_t to_whole(json number)
{
    if (number.kind == JSON_INT) return number.integer;
    if (number.real >= 0x1p63) return INT64_MAX;
    if (number.real <= -0x1p63) return INT64_MIN;
    return (int64_t)number.real;
}

json value_modulo(struct expr_run *vm, json a, json b)
{
    if (!are_numbers(a, b)) return vm_raise_types(vm, a, b, "cannot be divided (remainder)");
    if (isnan(json_number(a)) || isnan(json_number(b))) return json_real((double)NAN);
    int64_t dividend = to_whole(a);
    int64_t divisor  = to_whole(b);
    if (divisor == 0) {
        return vm_raise_types(vm, a, b,
                              "cannot be divided (remainder) because the divisor is zero");
    }
    return json_int(divisor == -1 ? 0 : dividend % divisor);
}
