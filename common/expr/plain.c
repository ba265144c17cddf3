#include "expr/plain.h"

#include "base/assert.h"
#include "expr/builtins.h"
#include "expr/numbers.h"

struct plain {
    const struct expr *expr;
    const struct expr_input *input;
    struct expr_run *vm;
    json *end; /* one after the last value */
    json values[PLAIN_STACK_MAX];
};

/* --- paths -------------------------------------------------------------------------------------
 */

/* What `.a.b[0]` finds, as a view; JSON_INVALID where a step needs the machine, to fail. */
static json walk_path(const struct expr *expr, const struct expr_path *path, json at)
{
    for (uint32_t i = 0; i < path->count; i++) {
        json key = expr->constants[expr->operands[path->from + i] & OPERAND_INDEX];
        if (at.kind == JSON_NULL) return at; /* null.a is null, and so on */
        if (at.kind == JSON_OBJECT && key.kind == JSON_TEXT) {
            int64_t found = json_object_find(at.object, json_text_view(key.text), key.text);
            at            = found < 0 ? json_null() : at.object->members[found].value;
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

static bool step_path(struct plain *p, const struct plain_step *step)
{
    json root = (step->at & OPERAND_CLASS) == OPERAND_VARIABLE
                    ? p->input->variables[step->at & OPERAND_INDEX]
                    : p->values[step->at];
    if (root.kind == JSON_INVALID) root = json_null(); /* a variable that was not given */
    json found = walk_path(p->expr, &step->path, root);
    *p->end++  = json_share(found);
    return found.kind != JSON_INVALID;
}

static bool step_walk(struct plain *p, const struct plain_step *step)
{
    json container = p->end[-1];
    p->end[-1]     = json_share(walk_path(p->expr, &step->path, container));
    json_drop(container);
    return p->end[-1].kind != JSON_INVALID;
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

static bool step_compare(struct plain *p, const struct plain_step *step)
{
    json b = p->end[-1];
    json a = p->end[-2];
    if (json_is_container(a) || json_is_container(b)) return false;
    bool are_ints = a.kind == JSON_INT && b.kind == JSON_INT;
    int order = are_ints ? (a.integer > b.integer) - (a.integer < b.integer) : json_compare(a, b);
    p->end--;
    p->end[-1] = json_bool(holds(step->detail, order));
    json_drop(a);
    json_drop(b);
    return true;
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

static bool step_arithmetic(struct plain *p, const struct plain_step *step)
{
    json b = *--p->end;
    json a = p->end[-1];
    if (step->detail == OP_ADD) {
        p->end[-1] = value_add(p->vm, a, b); /* takes a */
    } else {
        p->end[-1] = calculate(p->vm, step->detail, a, b);
        json_drop(a);
    }
    json_drop(b);
    return p->end[-1].kind != JSON_INVALID;
}

static bool step_negate(struct plain *p)
{
    json before = p->end[-1];
    p->end[-1]  = number_negate(p->vm, before);
    json_drop(before);
    return p->end[-1].kind != JSON_INVALID;
}

static void set_truth(struct plain *p, bool is_truthy)
{
    json_drop(p->end[-1]);
    p->end[-1] = json_bool(is_truthy);
}

/* --- new values --------------------------------------------------------------------------------
 */

static void step_array(struct plain *p, uint16_t count)
{
    struct json_array *array = json_array_node_new(count);
    p->end -= count;
    if (count > 0) memcpy(array->items, p->end, count * sizeof(json));
    array->count = count;
    *p->end++    = (json){.kind = JSON_ARRAY, .array = array};
}

static struct json_text *key_at(struct plain *p, uint32_t at)
{
    return vm_constant(p->vm, p->expr->operands[at] & OPERAND_INDEX).text;
}

static void step_object(struct plain *p, const struct plain_step *step)
{
    struct json_object *object = json_object_node_new(step->count);
    p->end -= step->count;
    for (uint32_t i = 0; i < step->count; i++) {
        struct json_text *key = key_at(p, step->from + i);
        json_text_node_ref(key);
        json_object_node_append(object, key, p->end[i]);
    }
    *p->end++ = (json){.kind = JSON_OBJECT, .object = object};
}

static bool step_extend(struct plain *p, const struct plain_step *step)
{
    json *values = p->end - step->count;
    json *base   = values - 1;
    if (base->kind != JSON_OBJECT) return false;
    size_t count = base->object->count + step->count;
    if (!vm_spend_bytes(p->vm, count * sizeof(struct json_member))) return false;
    json_object_make_room(base, step->count);
    for (uint32_t i = 0; i < step->count; i++) {
        json_object_put_key(base, json_from_text(key_at(p, step->from + i)), values[i]);
    }
    p->end = values;
    return true;
}

static bool step_concat(struct plain *p, uint16_t count)
{
    json *parts = p->end - count;
    size_t size = 0;
    for (uint16_t i = 0; i < count; i++) size += text_size_of(parts[i]);
    json text = text_with_room(p->vm, size);
    if (text.kind == JSON_INVALID) return false;
    bool is_whole = true;
    for (uint16_t i = 0; i < count && is_whole; i++) {
        is_whole = text_put_value(p->vm, &text, parts[i]);
    }
    for (uint16_t i = 0; i < count; i++) json_drop(parts[i]);
    p->end    = parts;
    *p->end++ = text;
    return is_whole;
}

static bool step_builtin(struct plain *p, const struct plain_step *step)
{
    json *args                    = p->end - step->count;
    const struct builtin *builtin = builtin_at(step->from);
    p->vm->builtin                = builtin;
    json value                    = builtin->call(p->vm, args);
    for (uint16_t i = 0; i < step->count; i++) json_drop(args[i]);
    args[0] = value;
    p->end  = args + 1;
    return value.kind != JSON_INVALID;
}

/* --- steps -------------------------------------------------------------------------------------
 */

/* Steps that may lead elsewhere: returns the one to go on after. */
static uint32_t go_on(struct plain *p, const struct plain_step *step, uint32_t at)
{
    json last      = p->end[-1];
    bool is_truthy = json_is_truthy(last);
    switch (step->op) {
    case PLAIN_AND:
    case PLAIN_OR:
        if (is_truthy != (step->op == PLAIN_OR)) break;
        set_truth(p, is_truthy);
        return step->to;
    case PLAIN_ALTERNATIVE:
        if (!is_truthy) break;
        return step->to;
    default: /* PLAIN_JUMP_IF_NOT */
        if (!is_truthy) at = step->to;
        break;
    }
    p->end--;
    json_drop(last);
    return at;
}

/* Steps that make values. False: they failed. */
static bool make(struct plain *p, const struct plain_step *step)
{
    bool is_done = true;
    switch (step->op) {
    case PLAIN_KEEP: *p->end++ = json_share(vm_constant(p->vm, step->at & OPERAND_INDEX)); break;
    case PLAIN_ARITHMETIC: is_done = step_arithmetic(p, step); break;
    case PLAIN_NEGATE: is_done = step_negate(p); break;
    case PLAIN_ARRAY: step_array(p, step->count); break;
    case PLAIN_OBJECT: step_object(p, step); break;
    case PLAIN_EXTEND: is_done = step_extend(p, step); break;
    case PLAIN_CONCAT: is_done = step_concat(p, step->count); break;
    default: is_done = step_builtin(p, step); break;
    }
    return is_done && !p->vm->meter.is_exceeded;
}

static bool run(struct plain *p)
{
    const struct expr *expr = p->expr;
    for (uint32_t i = 0; i < expr->plain_count; i++) {
        const struct plain_step *step = &expr->plain[i];
        bool is_done                  = true;
        switch (step->op) {
        case PLAIN_PATH: is_done = step_path(p, step); break;
        case PLAIN_WALK: is_done = step_walk(p, step); break;
        case PLAIN_CONSTANT: *p->end++ = expr->constants[step->at & OPERAND_INDEX]; break;
        case PLAIN_SINK:
            p->end--;
            json_drop(p->end[-1]);
            p->end[-1] = *p->end;
            break;
        case PLAIN_COMPARE: is_done = step_compare(p, step); break;
        case PLAIN_TRUTH: set_truth(p, json_is_truthy(p->end[-1])); break;
        case PLAIN_NOT: set_truth(p, !json_is_truthy(p->end[-1])); break;
        case PLAIN_JUMP: i = step->to; break;
        case PLAIN_JUMP_IF_NOT:
        case PLAIN_AND:
        case PLAIN_OR:
        case PLAIN_ALTERNATIVE: i = go_on(p, step, i); break;
        default: is_done = make(p, step); break;
        }
        if (!is_done) return false;
    }
    return true;
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
    p.expr       = expr;
    p.input      = input;
    p.vm         = vm;
    p.values[0]  = input->value.kind ? input->value : json_null(); /* borrowed */
    p.end        = p.values + 1;
    bool is_done = run(&p);
    if (is_done) {
        ASSERT(p.end == p.values + 2);
        *ret_value = result(p.values[1]);
        return true;
    }
    while (p.end > p.values + 1) json_drop(*--p.end);
    return false;
}
