/* Paths and conditions that need no machine (plain.h): recognised after the code was made, so that
 * names were checked. */
#include "expr/compile.h"

#include "base/mem.h"

/* --- paths -------------------------------------------------------------------------------------
 */

static bool is_plain_key(const struct node *key)
{
    return key->kind == NODE_TEXT || (key->kind == NODE_NUMBER && key->number.kind == JSON_INT) ||
           (key->kind == NODE_NEGATE && key->a->kind == NODE_NUMBER &&
            key->a->number.kind == JSON_INT);
}

static json plain_key(const struct node *key)
{
    if (key->kind == NODE_TEXT) return json_text_new(key->name);
    return key->kind == NODE_NUMBER ? key->number : json_int(-key->a->number.integer);
}

static const struct node *root_of(const struct node *path)
{
    while (path->kind == NODE_INDEX && is_plain_key(path->b)) path = path->a;
    return path;
}

static bool root_operand(const struct compiler *c, const struct node *root, operand *ret_root)
{
    *ret_root = OPERAND_TAKE;
    if (root->kind == NODE_IDENTITY) return true;
    if (root->kind != NODE_VARIABLE) return false;
    for (uint32_t i = 0; i < c->names->count; i++) {
        *ret_root = (operand)(OPERAND_VARIABLE | i);
        if (str_is(root->name, c->names->names[i])) return true;
    }
    return false;
}

static struct plain_step path_step(struct compiler *c, const struct node *path)
{
    struct plain_step step  = {.op = PLAIN_PATH, .path.from = c->expr->operand_count};
    const struct node *root = root_of(path);
    const operand none      = 0;
    (void)root_operand(c, root, &step.path.root);
    for (const struct node *at = path; at != root; at = at->a) {
        (void)operands_add(c, &none, 1);
        step.path.count++;
    }
    for (uint32_t i = step.path.count; i-- > 0; path = path->a) {
        operand key = constant(c, plain_key(path->b));
        if (has_failed(c)) break;
        c->expr->operands[step.path.from + i] = key;
    }
    return step;
}

/* --- what is plain -----------------------------------------------------------------------------
 */

static bool scalar_of(const struct node *node, json *ret_scalar)
{
    static const struct {
        const char *name;
        json value;
    } names[]   = {{"null", {.kind = JSON_NULL}},
                   {"true", {.kind = JSON_TRUE}},
                   {"false", {.kind = JSON_FALSE}}};
    *ret_scalar = node->number;
    if (node->kind == NODE_NUMBER) return true;
    for (size_t i = 0; node->kind == NODE_CALL && node->count == 0 && i < ARRAY_LEN(names); i++) {
        *ret_scalar = names[i].value;
        if (str_is(node->name, names[i].name)) return true;
    }
    return false;
}

static bool is_comparison(const struct node *node)
{
    return node->kind == NODE_BINARY && node->op >= BINARY_EQUAL;
}

static bool is_connective(const struct node *node)
{
    return node->kind == NODE_AND || node->kind == NODE_OR || node->kind == NODE_ALTERNATIVE;
}

/* `room`: values that may still lie on the stack. A node has at most two below it, so what is asked
 * is bounded by the room. */
static bool is_plain(const struct compiler *c, const struct node *node, uint32_t room)
{
    operand root;
    json scalar;
    if (room == 0) return false;
    if (node->kind == NODE_TEXT || scalar_of(node, &scalar)) return true;
    if (is_comparison(node)) return is_plain(c, node->a, room) && is_plain(c, node->b, room - 1);
    if (is_connective(node)) return is_plain(c, node->a, room) && is_plain(c, node->b, room);
    return root_operand(c, root_of(node), &root);
}

/* --- steps -------------------------------------------------------------------------------------
 */

static uint32_t step_add(struct compiler *c, struct plain_step step)
{
    struct expr *expr = c->expr;
    expr->plain       = mem_resize(expr->plain, expr->plain_count + 1, sizeof *expr->plain);
    expr->plain[expr->plain_count] = step;
    return expr->plain_count++;
}

static void gen_plain(struct compiler *c, const struct node *node);

static void gen_connective(struct compiler *c, const struct node *node)
{
    uint8_t op = node->kind == NODE_AND  ? PLAIN_AND
                 : node->kind == NODE_OR ? PLAIN_OR
                                         : PLAIN_ALTERNATIVE;
    gen_plain(c, node->a);
    uint32_t at = step_add(c, (struct plain_step){.op = op});
    gen_plain(c, node->b);
    if (op != PLAIN_ALTERNATIVE) (void)step_add(c, (struct plain_step){.op = PLAIN_TRUTH});
    c->expr->plain[at].to = c->expr->plain_count - 1;
}

static void gen_plain(struct compiler *c, const struct node *node)
{
    json scalar;
    if (node->kind == NODE_TEXT || scalar_of(node, &scalar)) {
        operand at = constant(c, node->kind == NODE_TEXT ? json_text_new(node->name) : scalar);
        if (has_failed(c)) return;
        (void)step_add(c, (struct plain_step){.op = PLAIN_CONSTANT, .constant = at});
    } else if (is_comparison(node)) {
        gen_plain(c, node->a);
        gen_plain(c, node->b);
        (void)step_add(
            c, (struct plain_step){.op = PLAIN_COMPARE, .compare = (uint8_t)(OP_ADD + node->op)});
    } else if (is_connective(node)) {
        gen_connective(c, node);
    } else {
        (void)step_add(c, path_step(c, node));
    }
}

void find_plain(struct compiler *c, const struct node *program)
{
    if (is_plain(c, program, PLAIN_STACK_MAX)) gen_plain(c, program);
}
