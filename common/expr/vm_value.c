/* Instructions that compute: arithmetic, comparison, and the building of values. */
#include "base/assert.h"
#include "expr/builtins.h"
#include "expr/numbers.h"
#include "expr/order.h"
#include "expr/vm.h"

#include <stdlib.h>

enum step do_negate(struct expr_run *vm, const struct insn *insn)
{
    return vm_set_or_raise(vm, insn->a, number_negate(vm, vm_view(vm, insn->b)));
}

static enum step add_slowly(struct expr_run *vm, const struct insn *insn)
{
    json b     = vm_share(vm, insn->c);
    json owned = vm_own(vm, insn->b); /* so that it may grow in place */
    return vm_set_or_raise(vm, insn->a, value_add(vm, owned, b));
}

enum step do_add(struct expr_run *vm, const struct insn *insn)
{
    json a      = vm_view(vm, insn->b);
    json b      = vm_view(vm, insn->c);
    int64_t sum = 0;
    if (a.kind != JSON_INT || b.kind != JSON_INT ||
        __builtin_add_overflow(a.integer, b.integer, &sum)) {
        return add_slowly(vm, insn);
    }
    return vm_set(vm, insn->a, json_int(sum));
}

static enum step arithmetic_slowly(struct expr_run *vm, const struct insn *insn)
{
    json a = vm_share(vm, insn->b);
    json b = vm_share(vm, insn->c);
    switch (insn->op) {
    case OP_SUBTRACT: return vm_set_or_raise(vm, insn->a, value_subtract(vm, a, b));
    case OP_MULTIPLY: return vm_set_or_raise(vm, insn->a, value_multiply(vm, a, b));
    case OP_DIVIDE: return vm_set_or_raise(vm, insn->a, value_divide(vm, a, b));
    default: return vm_set_or_raise(vm, insn->a, value_modulo(vm, a, b));
    }
}

enum step do_arithmetic(struct expr_run *vm, const struct insn *insn)
{
    json a         = vm_view(vm, insn->b);
    json b         = vm_view(vm, insn->c);
    int64_t number = 0;
    bool is_exact  = a.kind == JSON_INT && b.kind == JSON_INT;
    switch (insn->op) {
    case OP_SUBTRACT:
        is_exact = is_exact && !__builtin_sub_overflow(a.integer, b.integer, &number);
        break;
    case OP_MULTIPLY:
        is_exact = is_exact && !__builtin_mul_overflow(a.integer, b.integer, &number);
        break;
    default: is_exact = false; break;
    }
    return is_exact ? vm_set(vm, insn->a, json_int(number)) : arithmetic_slowly(vm, insn);
}

static bool holds(uint8_t op, int order)
{
    switch (op) {
    case OP_EQUAL: return order == 0;
    case OP_NOT_EQUAL: return order != 0;
    case OP_LESS: return order < 0;
    case OP_LESS_EQUAL: return order <= 0;
    case OP_GREATER: return order > 0;
    default: return order >= 0;
    }
}

static enum step compare_slowly(struct expr_run *vm, const struct insn *insn)
{
    json a           = vm_view(vm, insn->b);
    json b           = vm_view(vm, insn->c);
    bool is_equality = insn->op == OP_EQUAL || insn->op == OP_NOT_EQUAL;
    int order        = 0;
    if (is_equality && !json_is_container(a)) {
        order = json_compare(a, b);
    } else if (is_equality) {
        if (!order_equal(vm, a, b, &order)) return STEP_RAISE;
    } else if (!order_compare(vm, a, b, &order)) {
        return STEP_RAISE;
    }
    return vm_set(vm, insn->a, json_bool(holds(insn->op, order)));
}

enum step do_compare(struct expr_run *vm, const struct insn *insn)
{
    json a = vm_view(vm, insn->b);
    json b = vm_view(vm, insn->c);
    if (a.kind != JSON_INT || b.kind != JSON_INT) return compare_slowly(vm, insn);
    int order = (a.integer > b.integer) - (a.integer < b.integer);
    return vm_set(vm, insn->a, json_bool(holds(insn->op, order)));
}

enum step do_not(struct expr_run *vm, const struct insn *insn)
{
    return vm_set(vm, insn->a, json_bool(!json_is_truthy(vm_view(vm, insn->b))));
}

/* --- arrays and objects ------------------------------------------------------------------------
 */

enum { COLLECT_CAPACITY = 8 /* elements, at first */ };

enum step do_collect(struct expr_run *vm, const struct insn *insn)
{
    (void)vm_set(vm, insn->a, json_array_new(COLLECT_CAPACITY));
    (void)vm_fork_push(vm, insn);
    return STEP_NEXT;
}

enum step do_append(struct expr_run *vm, const struct insn *insn)
{
    json_array_append(&vm_slot(vm, insn->a)->value, vm_own(vm, insn->b));
    return STEP_BACKTRACK;
}

enum step do_push(struct expr_run *vm, const struct insn *insn)
{
    json array = vm_own(vm, insn->b);
    json_array_push(&array, vm_own(vm, insn->c));
    return vm_set(vm, insn->a, array);
}

enum step do_array(struct expr_run *vm, const struct insn *insn)
{
    const operand *operands  = vm_operands(vm, insn);
    struct json_array *array = json_array_node_new(insn->c);
    for (operand i = 0; i < insn->c; i++) array->items[i] = vm_own(vm, operands[i]);
    array->count = insn->c;
    return vm_set(vm, insn->a, (json){.kind = JSON_ARRAY, .array = array});
}

static enum step object_of_known_keys(struct expr_run *vm, const struct insn *insn)
{
    const operand *operands    = vm_operands(vm, insn);
    struct json_object *object = json_object_node_new(insn->c);
    for (size_t i = 0; i < insn->c; i++) {
        struct json_text *key = vm_share(vm, operands[2 * i]).text;
        json_text_node_ref(key);
        json_object_node_append(object, key, vm_own(vm, operands[2 * i + 1]));
    }
    return vm_set(vm, insn->a, (json){.kind = JSON_OBJECT, .object = object});
}

enum step do_object(struct expr_run *vm, const struct insn *insn)
{
    if (insn->flags & INSN_HAS_KEYS) return object_of_known_keys(vm, insn);
    const operand *operands = vm_operands(vm, insn);
    json object             = json_object_new(insn->c);
    for (size_t i = 0; i < insn->c; i++) {
        json key = vm_share(vm, operands[2 * i]);
        if (key.kind != JSON_TEXT) {
            char text[SNIPPET_SIZE];
            (void)vm_raise(vm, "Cannot use %s (%s) as object key", json_kind_name(key),
                           vm_snippet(vm, key, text));
            json_unref(object);
            return STEP_RAISE;
        }
        json_object_put_key(&object, key, vm_own(vm, operands[2 * i + 1]));
    }
    return vm_set(vm, insn->a, object);
}

enum step do_concat(struct expr_run *vm, const struct insn *insn)
{
    const operand *operands = vm_operands(vm, insn);
    size_t size             = 0;
    for (operand i = 0; i < insn->c; i++) size += text_size_of(vm_view(vm, operands[i]));
    json text = text_with_room(vm, size);
    if (text.kind == JSON_INVALID) return STEP_RAISE;
    for (operand i = 0; i < insn->c; i++) {
        if (text_put_value(vm, &text, vm_view(vm, operands[i]))) continue;
        json_unref(text);
        return STEP_RAISE;
    }
    return vm_set(vm, insn->a, text);
}

/* --- builtins ----------------------------------------------------------------------------------
 */

/* A constant that is only looked at is the program's own, which is frozen: dropping it is nothing.
 */
static json argument(struct expr_run *vm, const struct builtin *builtin, operand o)
{
    return operand_is_constant(o) && !builtin->keeps ? vm_view(vm, o) : vm_own(vm, o);
}

static enum step builtin_with_arguments(struct expr_run *vm, const struct insn *insn)
{
    const struct builtin *builtin = builtin_at(insn->d);
    const operand *operands       = vm_operands(vm, insn);
    json args[VM_ARGUMENTS_MAX];
    ASSERT(insn->c < VM_ARGUMENTS_MAX);
    bool is_place       = vm_makes_place(vm, insn);
    json input          = vm_view(vm, insn->b);
    struct trail *trail = is_place ? trail_ref(vm_trail(vm, insn->b)) : NULL;
    /* The input last: it may be moved, and an argument may be the same register. */
    for (operand i = 0; i < insn->c; i++) args[i + 1] = argument(vm, builtin, operands[i]);
    args[0]     = vm_own(vm, insn->b);
    vm->builtin = builtin;
    json result = builtin->call(vm, args);
    for (operand i = 0; i <= insn->c; i++) json_drop(args[i]);
    if (result.kind == JSON_INVALID) {
        trail_unref(trail);
        return STEP_RAISE;
    }
    bool is_same = is_place && json_is_same(result, input);
    (void)vm_set(vm, insn->a, result);
    if (is_same) {
        vm_slot(vm, insn->a)->trail = trail;
    } else {
        trail_unref(trail);
    }
    return STEP_NEXT;
}

enum step do_builtin(struct expr_run *vm, const struct insn *insn)
{
    if (insn->c > 0 || vm_makes_place(vm, insn)) return builtin_with_arguments(vm, insn);
    json input                    = vm_own(vm, insn->b);
    const struct builtin *builtin = builtin_at(insn->d);
    vm->builtin                   = builtin;
    json result                   = builtin->call(vm, &input);
    json_drop(input);
    return vm_set_or_raise(vm, insn->a, result);
}
