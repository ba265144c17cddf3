#include "expr/plain.h"

#include "base/assert.h"
#include "json/json_internal.h"
#include "json/json_text.h"

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

static json path_root(const struct expr_path *path, const struct expr_input *input)
{
    bool is_dot = (path->root & OPERAND_CLASS) != OPERAND_VARIABLE;
    json value  = is_dot ? input->value : input->variables[path->root & OPERAND_INDEX];
    return value.kind ? value : json_null();
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

/* A view becomes the caller's own. A frozen text may be the program's, which may go first. */
static json own(json view)
{
    bool is_frozen = view.kind == JSON_TEXT && view.text->refs == JSON_REFS_IMMORTAL;
    return is_frozen ? json_text_new(json_str(view)) : json_ref(view);
}

static json walk(const struct expr *expr, const struct plain_step *step,
                 const struct expr_input *input)
{
    return walk_path(expr, &step->path, path_root(&step->path, input));
}

static bool eval_path(const struct expr *expr, const struct expr_input *input, json *ret_value)
{
    json found = walk(expr, &expr->plain[0], input);
    if (found.kind == JSON_INVALID) return false;
    *ret_value = json_ref(found);
    return true;
}

static bool eval_steps(const struct expr *expr, const struct expr_input *input, json *ret_value)
{
    json stack[PLAIN_STACK_MAX];
    uint32_t top = 0; /* values on it */
    for (uint32_t i = 0; i < expr->plain_count; i++) {
        const struct plain_step *step = &expr->plain[i];
        json last                     = top > 0 ? stack[top - 1] : json_invalid();
        bool is_truthy                = json_is_truthy(last);
        switch (step->op) {
        case PLAIN_PATH: {
            json found = walk(expr, step, input);
            if (found.kind == JSON_INVALID) return false;
            stack[top++] = found;
            break;
        }
        case PLAIN_CONSTANT: stack[top++] = expr->constants[step->constant & OPERAND_INDEX]; break;
        case PLAIN_COMPARE:
            if (json_is_container(last) || json_is_container(stack[top - 2])) return false;
            top--;
            stack[top - 1] = json_bool(holds(step->compare, json_compare(stack[top - 1], last)));
            break;
        case PLAIN_TRUTH: stack[top - 1] = json_bool(is_truthy); break;
        case PLAIN_AND:
        case PLAIN_OR:
            if (is_truthy == (step->op == PLAIN_OR)) {
                stack[top - 1] = json_bool(is_truthy);
                i              = step->to;
            } else {
                top--;
            }
            break;
        case PLAIN_ALTERNATIVE:
            if (is_truthy) {
                i = step->to;
            } else {
                top--;
            }
            break;
        }
    }
    ASSERT(top == 1);
    *ret_value = own(stack[0]);
    return true;
}

bool plain_eval(const struct expr *expr, const struct expr_input *input, json *ret_value)
{
    ASSERT(expr->plain_count > 0);
    bool is_path = expr->plain_count == 1 && expr->plain[0].op == PLAIN_PATH; /* the most usual */
    return is_path ? eval_path(expr, input, ret_value) : eval_steps(expr, input, ret_value);
}
