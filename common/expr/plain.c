#include "expr/plain.h"

#include "base/assert.h"
#include "expr/builtins.h"
#include "expr/numbers.h"

#include <stdatomic.h>

struct plain {
    const struct expr *expr;
    const struct expr_input *input;
    struct expr_run *vm;
    json *end; /* one after the last value, if a step failed */
    json values[PLAIN_STACK_MAX];
};

/*
 * A step is a function that gets and returns the end of the values: one after the last. NULL: it
 * failed.
 */

static json *failed(struct plain *p, json *end)
{
    p->end = end;
    return NULL;
}

/* After the last value was made. */
static inline json *made(struct plain *p, json *end)
{
    bool is_made = end[-1].kind != JSON_INVALID && !p->vm->meter.is_exceeded;
    return is_made ? end : failed(p, end);
}

/* --- paths -------------------------------------------------------------------------------------
 */

/* The member that a constant names, as a view; null if there is none. Objects of one kind have
 * their members in one order, most often: so it is looked for where it was found last. Any thread
 * may change that guess at any time, and what is found does not depend on it. */
static inline json member_named(const struct expr *expr, const struct json_object *object,
                                uint32_t constant)
{
    struct json_text *node = expr->constants[constant].text;
    str key                = json_text_view(node);
    uint32_t guess         = atomic_load_explicit(&expr->guesses[constant], memory_order_relaxed);
    if (guess < object->count && json_is_key(object->members[guess].key, key)) {
        return object->members[guess].value;
    }
    int64_t found = json_object_find(object, key, node);
    if (found < 0) return json_null();
    atomic_store_explicit(&expr->guesses[constant], (uint32_t)found, memory_order_relaxed);
    return object->members[found].value;
}

/* What `.a.b[0]` finds, as a view; JSON_INVALID where a step needs the machine, to fail. */
static inline json walk_path(const struct expr *expr, const struct expr_path *path, json at)
{
    for (uint32_t i = 0; i < path->count; i++) {
        uint32_t constant = expr->operands[path->from + i] & OPERAND_INDEX;
        json key          = expr->constants[constant];
        if (at.kind == JSON_NULL) return at; /* null.a is null, and so on */
        if (at.kind == JSON_OBJECT && key.kind == JSON_TEXT) {
            at = member_named(expr, at.object, constant);
        } else if (at.kind == JSON_ARRAY && key.kind == JSON_INT) {
            int64_t count = at.array->count;
            int64_t index = key.integer < 0 ? key.integer + count : key.integer;
            at            = index >= 0 && index < count ? at.array->items[index] : json_null();
        } else {
            return json_invalid();
        }
    }
    return at;
}

static json *step_path(struct plain *p, const struct plain_step *step, json *end)
{
    json root = (step->at & OPERAND_CLASS) == OPERAND_VARIABLE
                    ? p->input->variables[step->at & OPERAND_INDEX]
                    : p->values[step->at];
    if (root.kind == JSON_INVALID) root = json_null(); /* a variable that was not given */
    json found = walk_path(p->expr, &step->path, root);
    if (found.kind == JSON_INVALID) return failed(p, end);
    *end = json_share(found);
    return end + 1;
}

static json *step_walk(struct plain *p, const struct plain_step *step, json *end)
{
    json container = end[-1];
    json found     = json_share(walk_path(p->expr, &step->path, container));
    end[-1]        = found;
    json_drop(container);
    return found.kind != JSON_INVALID ? end : failed(p, end);
}

/* --- operators ---------------------------------------------------------------------------------
 */

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

static json *step_compare(struct plain *p, const struct plain_step *step, json *end)
{
    json b = end[-1];
    json a = end[-2];
    if (json_is_container(a) || json_is_container(b)) return failed(p, end);
    bool are_ints = a.kind == JSON_INT && b.kind == JSON_INT;
    int order = are_ints ? (a.integer > b.integer) - (a.integer < b.integer) : json_compare(a, b);
    end[-2]   = json_bool(holds(step->detail, order));
    json_drop(a);
    json_drop(b);
    return end - 1;
}

static json calculate(struct expr_run *vm, uint8_t op, json a, json b)
{
    switch (op) {
    case OP_SUBTRACT: return value_subtract(vm, a, b);
    case OP_MULTIPLY: return value_multiply(vm, a, b);
    case OP_DIVIDE: return value_divide(vm, a, b);
    default: return value_modulo(vm, a, b);
    }
}

static json *step_arithmetic(struct plain *p, const struct plain_step *step, json *end)
{
    json b = end[-1];
    json a = end[-2];
    if (step->detail == OP_ADD) {
        end[-2] = value_add(p->vm, a, b); /* takes a */
    } else {
        end[-2] = calculate(p->vm, step->detail, a, b);
        json_drop(a);
    }
    json_drop(b);
    return made(p, end - 1);
}

static json *step_negate(struct plain *p, json *end)
{
    json before = end[-1];
    end[-1]     = number_negate(p->vm, before);
    json_drop(before);
    return made(p, end);
}

static json *step_truth(json *end, bool is_truthy)
{
    json_drop(end[-1]);
    end[-1] = json_bool(is_truthy);
    return end;
}

/* --- new values --------------------------------------------------------------------------------
 */

static json *step_array(struct plain *p, uint16_t count, json *end)
{
    struct json_array *array = json_array_node_new(count);
    json *items              = end - count;
    if (count > 0) memcpy(array->items, items, count * sizeof(json));
    array->count = count;
    *items       = (json){.kind = JSON_ARRAY, .array = array};
    return made(p, items + 1);
}

static json *step_items(struct plain *p, json *end)
{
    json all = end[-1];
    if (all.kind == JSON_ARRAY) return end;
    if (all.kind != JSON_OBJECT) return failed(p, end);
    size_t count = all.object->count;
    if (!vm_spend_bytes(p->vm, count * sizeof(json))) return failed(p, end);
    json items = json_array_new(count);
    for (size_t i = 0; i < count; i++) {
        json_array_append(&items, json_share(all.object->members[i].value));
    }
    end[-1] = items;
    json_drop(all);
    return made(p, end);
}

static struct json_text *key_at(struct plain *p, uint32_t at)
{
    return vm_constant(p->vm, p->expr->operands[at] & OPERAND_INDEX).text;
}

static json *step_object(struct plain *p, const struct plain_step *step, json *end)
{
    struct json_object *object = json_object_node_new(step->count);
    json *values               = end - step->count;
    for (uint32_t i = 0; i < step->count; i++) {
        struct json_text *key = key_at(p, step->from + i);
        json_text_node_ref(key);
        json_object_node_append(object, key, values[i]);
    }
    *values = (json){.kind = JSON_OBJECT, .object = object};
    return made(p, values + 1);
}

static json *step_extend(struct plain *p, const struct plain_step *step, json *end)
{
    json *values = end - step->count;
    json *base   = values - 1;
    if (base->kind != JSON_OBJECT) return failed(p, end);
    size_t count = base->object->count + step->count;
    if (!vm_spend_bytes(p->vm, count * sizeof(struct json_member))) return failed(p, end);
    json_object_make_room(base, step->count);
    for (uint32_t i = 0; i < step->count; i++) {
        json_object_put_key(base, json_from_text(key_at(p, step->from + i)), values[i]);
    }
    return made(p, values);
}

static json *step_concat(struct plain *p, uint16_t count, json *end)
{
    json *parts = end - count;
    size_t size = 0;
    for (uint16_t i = 0; i < count; i++) size += text_size_of(parts[i]);
    json text = text_with_room(p->vm, size);
    if (text.kind == JSON_INVALID) return failed(p, end);
    bool is_whole = true;
    for (uint16_t i = 0; i < count && is_whole; i++) {
        is_whole = text_put_value(p->vm, &text, parts[i]);
    }
    for (uint16_t i = 0; i < count; i++) json_drop(parts[i]);
    *parts = text;
    return is_whole ? made(p, parts + 1) : failed(p, parts + 1);
}

static json *step_builtin(struct plain *p, const struct plain_step *step, json *end)
{
    json *args     = end - step->count;
    p->vm->builtin = step->builtin;
    json value     = step->builtin->call(p->vm, args);
    for (json *arg = args; arg < end; arg++) json_drop(*arg);
    *args = value;
    return made(p, args + 1);
}

/* --- steps -------------------------------------------------------------------------------------
 */

/* Steps that make values. */
static inline json *make(struct plain *p, const struct plain_step *step, json *end)
{
    switch (step->op) {
    case PLAIN_KEEP:
        *end = json_share(vm_constant(p->vm, step->at & OPERAND_INDEX));
        return made(p, end + 1);
    case PLAIN_ARITHMETIC: return step_arithmetic(p, step, end);
    case PLAIN_NEGATE: return step_negate(p, end);
    case PLAIN_ITEMS: return step_items(p, end);
    case PLAIN_ARRAY: return step_array(p, step->count, end);
    case PLAIN_OBJECT: return step_object(p, step, end);
    case PLAIN_EXTEND: return step_extend(p, step, end);
    case PLAIN_CONCAT: return step_concat(p, step->count, end);
    default: return step_builtin(p, step, end);
    }
}

/* Whether a step that may lead elsewhere does, as the last value says. */
static inline bool is_jump(const struct plain_step *step, json last)
{
    bool is_wanted = step->op == PLAIN_OR || step->op == PLAIN_ALTERNATIVE;
    return json_is_truthy(last) == is_wanted;
}

/* Whether the last value stays there. */
static inline json *jump(const struct plain_step *step, json *end)
{
    if (step->op == PLAIN_ALTERNATIVE) return end;
    if (step->op != PLAIN_JUMP_IF_NOT) return step_truth(end, step->op == PLAIN_OR);
    json_drop(end[-1]);
    return end - 1;
}

static json *run(struct plain *p)
{
    const struct expr *expr       = p->expr;
    const struct plain_step *last = expr->plain + expr->plain_count;
    json *end                     = p->values + 1;
    for (const struct plain_step *step = expr->plain; step < last && end; step++) {
        switch (step->op) {
        case PLAIN_PATH: end = step_path(p, step, end); break;
        case PLAIN_WALK: end = step_walk(p, step, end); break;
        case PLAIN_CONSTANT: *end++ = expr->constants[step->at & OPERAND_INDEX]; break;
        case PLAIN_SINK:
            end--;
            json_drop(end[-1]);
            end[-1] = *end;
            break;
        case PLAIN_COMPARE: end = step_compare(p, step, end); break;
        case PLAIN_TRUTH: end = step_truth(end, json_is_truthy(end[-1])); break;
        case PLAIN_NOT: end = step_truth(end, !json_is_truthy(end[-1])); break;
        case PLAIN_JUMP: step = expr->plain + step->to; break;
        case PLAIN_JUMP_IF_NOT:
        case PLAIN_AND:
        case PLAIN_OR:
        case PLAIN_ALTERNATIVE:
            if (is_jump(step, end[-1])) {
                end  = jump(step, end);
                step = expr->plain + step->to;
            } else {
                json_drop(*--end);
            }
            break;
        default: end = make(p, step, end); break;
        }
    }
    return end;
}

/* A frozen text may be the program's, which may go before the result does. */
static json result(json value)
{
    bool is_frozen = value.kind == JSON_TEXT && value.text->refs == JSON_REFS_IMMORTAL;
    return is_frozen ? json_text_new(json_str(value)) : value;
}

static bool eval_path(const struct expr *expr, const struct expr_input *input, json *ret_value)
{
    const struct plain_step *step = &expr->plain[0];
    bool is_dot                   = (step->at & OPERAND_CLASS) != OPERAND_VARIABLE;
    json root  = is_dot ? input->value : input->variables[step->at & OPERAND_INDEX];
    json found = walk_path(expr, &step->path, root.kind ? root : json_null());
    if (found.kind == JSON_INVALID) return false;
    *ret_value = json_share(found);
    return true;
}

bool plain_eval(const struct expr *expr, const struct expr_input *input, struct expr_run *vm,
                json *ret_value)
{
    ASSERT(expr->plain_count > 0);
    bool is_path = expr->plain_count == 1 && expr->plain[0].op == PLAIN_PATH; /* the most usual */
    if (is_path) return eval_path(expr, input, ret_value);

    struct plain p;
    p.expr      = expr;
    p.input     = input;
    p.vm        = vm;
    p.values[0] = input->value.kind ? input->value : json_null(); /* borrowed */
    json *end   = run(&p);
    if (end) {
        ASSERT(end == p.values + 2);
        *ret_value = result(p.values[1]);
        return true;
    }
    while (p.end > p.values + 1) json_drop(*--p.end);
    return false;
}
