/* Code for operators, strings, objects and try. */
#include "expr/compile.h"

#include "base/assert.h"

/* --- constants ---------------------------------------------------------------------------------
 */

static bool fold_list(struct compiler *c, const struct node *node, struct binding *scope,
                      json *ret_array)
{
    json array            = json_array_new(0);
    const struct node *at = node && node->kind == NODE_COMMA ? node->list : node;
    bool is_list          = at != node;
    bool is_constant      = true;
    for (; at && is_constant; at = is_list ? at->next : NULL) {
        json item   = json_invalid();
        is_constant = fold(c, at, scope, &item);
        if (is_constant) json_array_push(&array, item);
    }
    if (is_constant) {
        *ret_array = array;
    } else {
        json_unref(array);
    }
    return is_constant;
}

static bool fold_object(struct compiler *c, const struct node *node, struct binding *scope,
                        json *ret_object)
{
    json object = json_object_new(node->count);
    for (const struct node *member = node->list; member; member = member->next) {
        json value = json_invalid();
        if (member->a->kind != NODE_TEXT || !member->b || !fold(c, member->b, scope, &value)) {
            json_unref(object);
            return false;
        }
        json_object_put(&object, member->a->name, value);
    }
    *ret_object = object;
    return true;
}

static bool fold_name(const struct node *node, struct binding *scope, json *ret_value)
{
    if (node->count > 0 || find_function(scope, node->name, 0)) return false;
    *ret_value = str_is(node->name, "null")    ? json_null()
                 : str_is(node->name, "true")  ? json_bool(true)
                 : str_is(node->name, "false") ? json_bool(false)
                                               : json_invalid();
    return ret_value->kind != JSON_INVALID;
}

bool fold(struct compiler *c, const struct node *node, struct binding *scope, json *ret_value)
{
    switch (node->kind) {
    case NODE_NUMBER: *ret_value = node->number; return true;
    case NODE_TEXT: *ret_value = json_text_new(node->name); return true;
    case NODE_CALL: return fold_name(node, scope, ret_value);
    case NODE_ARRAY: return fold_list(c, node->a, scope, ret_value);
    case NODE_OBJECT: return fold_object(c, node, scope, ret_value);
    default: return false;
    }
}

/* --- operators ---------------------------------------------------------------------------------
 */

operand gen_binary(struct compiler *c, const struct node *node, struct place p, operand want)
{
    static_assert(OP_ADD + BINARY_GREATER_EQUAL == OP_GREATER_EQUAL);
    static_assert(OP_ADD + BINARY_EQUAL == OP_EQUAL);
    /* The right side first: with several values on both, it is the outer loop. */
    operand b = gen_value(c, node->b, p, false);
    operand a = gen_value(c, node->a, keeping(p, b), true);
    return result(c, p, want, (struct insn){.op = (uint8_t)(OP_ADD + node->op), .b = a, .c = b});
}

/* --- strings -----------------------------------------------------------------------------------
 */

static operand gen_formatted(struct compiler *c, operand value, str format, struct place p,
                             operand want)
{
    operand name = constant_text(c, format);
    return gen_builtin(c, "format", value, &name, 1, p, want);
}

/* An interpolated part of a string, as the text it contributes. A text that stands in \( ) is
 * formatted like any other value: only what stands outside is taken as it is. */
static operand gen_part(struct compiler *c, const struct node *part, str format, struct place p)
{
    operand value = gen_value(c, part, p, false);
    if (format.len == 0 || str_is(format, "text")) return value;
    p.in_path = false;
    p.is_tail = false;
    return gen_formatted(c, value, format, p, OPERAND_NONE);
}

operand gen_string(struct compiler *c, const struct node *node, struct place p, operand want)
{
    if (node->name.len > 0 && !format_exists(node->name)) {
        const char *detail =
            arena_printf(c->arena, STR_FMT " is not a valid format", STR_ARG(node->name));
        return compile_fail(
            c, node, EXPR_FAULT_FUNCTION, node->name, detail,
            "there are @text @json @html @uri @urid @csv @tsv @sh @base64 @base64d @base32 "
            "@base32d");
    }
    if (node->kind == NODE_FORMAT) {
        struct place q = p;
        q.in_path      = false; /* text is no place */
        return gen_formatted(c, gen_input(p), node->name, q, want);
    }
    uint16_t count = 0;
    for (const struct node *part = node->list; part; part = part->next) count++;
    const struct node **parts = arena_alloc(c->arena, count * sizeof(struct node *));
    operand *operands         = arena_alloc(c->arena, count * sizeof *operands);
    if (!parts || !operands) {
        return compile_fail(c, node, EXPR_FAULT_LIMIT, (str){}, "expression is too large", "");
    }
    uint16_t i = 0;
    for (const struct node *part = node->list; part; part = part->next) parts[i++] = part;
    /* The last part first: with several values in several parts, it is the outer loop. */
    for (i = count; i-- > 0;) { /* text and interpolation take turns; text comes first */
        operands[i] =
            i % 2 == 0 ? constant_text(c, parts[i]->name) : gen_part(c, parts[i], node->name, p);
    }
    uint32_t first = operands_add(c, operands, count);
    return result(c, p, want, (struct insn){.op = OP_CONCAT, .c = count, .e = first});
}

/* --- objects -----------------------------------------------------------------------------------
 */

/* A key that stands alone is evaluated once, for the name and for the field. */
static operand gen_field(struct compiler *c, operand key, struct place p)
{
    p.in_path = false;
    p.is_tail = false;
    return result(c, p, OPERAND_NONE,
                  (struct insn){.op = OP_INDEX, .b = p.input, .c = untaken(key)});
}

/* Keys that are written out, no two the same. */
static bool are_distinct(const struct compiler *c, const operand *operands, uint32_t count)
{
    enum { COUNT_MAX = 32 };
    if (count > COUNT_MAX) return false;
    for (uint32_t i = 0; i < count; i++) {
        operand key = operands[2 * i];
        if (!operand_is_constant(key)) return false;
        json text = c->expr->constants[key & OPERAND_INDEX];
        if (text.kind != JSON_TEXT) return false;
        for (uint32_t j = 0; j < i; j++) {
            if (json_equal(c->expr->constants[operands[2 * j] & OPERAND_INDEX], text)) return false;
        }
    }
    return true;
}

operand gen_object(struct compiler *c, const struct node *node, struct place p, operand want)
{
    json folded = json_invalid();
    if (fold(c, node, p.scope, &folded)) return gen_constant(c, folded, p, want);
    operand *operands = arena_alloc(c->arena, 2 * node->count * sizeof *operands);
    if (!operands || node->count > UINT16_MAX) {
        return compile_fail(c, node, EXPR_FAULT_LIMIT, (str){}, "expression is too large", "");
    }
    uint16_t count      = 0;
    struct place inside = p;
    for (const struct node *member = node->list; member; member = member->next, count++) {
        operand key = untaken(gen_value(c, member->a, inside, false));
        inside      = keeping(inside, key);
        operand value =
            member->b ? gen_value(c, member->b, inside, !member->next) : gen_field(c, key, p);
        inside = keeping(inside, value);

        operands[2 * count]     = key;
        operands[2 * count + 1] = value;
    }
    if (has_failed(c)) return OPERAND_NONE;
    uint32_t first = operands_add(c, operands, (size_t)2 * count);
    uint8_t flags  = are_distinct(c, operands, count) ? INSN_HAS_KEYS : 0;
    return result(c, p, want,
                  (struct insn){.op = OP_OBJECT, .flags = flags, .c = count, .e = first});
}

/* --- try ---------------------------------------------------------------------------------------
 */

operand gen_try(struct compiler *c, const struct node *node, struct place p, operand wanted)
{
    operand index  = register_new(c);
    operand error  = register_new(c);
    uint32_t guard = emit(c, (struct insn){.op = OP_TRY, .a = index, .e = error});

    struct place body = p;
    body.is_tail      = false;
    if (!node->b) {
        operand value = gen(c, node->a, body, wanted);
        (void)emit(c, (struct insn){.op = OP_TRY_END, .b = index});
        return result_is(c, p, wanted, value);
    }
    operand want  = branch_register(c, p, wanted);
    operand value = gen(c, node->a, body, want);
    (void)emit(c, (struct insn){.op = OP_TRY_END, .b = index});
    if (p.is_tail) (void)result_is(c, p, want, value);
    uint32_t done = p.is_tail ? 0 : emit(c, (struct insn){.op = OP_JUMP});
    if (has_failed(c)) return OPERAND_NONE;
    patch(c, guard);
    struct place handler = p;
    handler.input        = error;
    handler.is_owned     = true;
    (void)gen(c, node->b, handler, want);
    if (done && !has_failed(c)) patch(c, done);
    return branch_result(wanted, want);
}
