/*
 * Programs that need no machine (plain.h): recognised after the code was made, so that names were
 * checked. The steps are made in one pass, which ends at the first node that is not plain.
 *
 * Functions of the prelude are expanded where they are called. Recursive over a tree whose height
 * parse.h bounds, and over few nodes.
 */
#include "base/mem.h"
#include "expr/compile.h"

enum { VISITS_MAX = 1'000 /* of nodes, those of expanded functions among them */ };

/* The parameters of a prelude function that is expanded, and what they stand for. */
struct plain_scope {
    const struct param *params;
    const struct node *arguments;
    const struct plain_scope *outer; /* of the arguments; NULL: the program */
};

/* Where a node stands. */
struct spot {
    operand dot;  /* the place of `.` on the stack */
    bool is_kept; /* what the node yields may become part of a value */
    bool are_all; /* it yields what is in an array or object, and that array is wanted */
    const struct plain_scope *scope;
};

struct planner {
    struct compiler *c;
    uint32_t count;  /* values on the stack */
    uint32_t visits; /* nodes seen so far */
    bool needs_run;
};

/* Steps that put the value of `node` on the stack. */
static bool plan(struct planner *p, const struct node *node, struct spot at);

/* Steps after which the last value on the stack, `.`, has become the value of `node`. */
static bool apply(struct planner *p, const struct node *node, struct spot at);

/* --- steps -------------------------------------------------------------------------------------
 */

/* `taken`: values that the step takes from the stack; it puts one there. */
static bool step_add(struct planner *p, struct plain_step step, uint32_t taken)
{
    struct expr *expr = p->c->expr;
    p->count += 1 - taken;
    if (has_failed(p->c) || p->count > PLAIN_STACK_MAX) return false;
    if (expr->plain_count == PLAIN_STEPS_MAX) return false;
    expr->plain = mem_resize(expr->plain, expr->plain_count + 1, sizeof *expr->plain);
    expr->plain[expr->plain_count++] = step;
    if (step.op >= PLAIN_KEEP) p->needs_run = true;
    return true;
}

/* A jump that takes the last value, or none if it is a PLAIN_JUMP. */
static bool jump_add(struct planner *p, uint8_t op, uint32_t *ret_at)
{
    *ret_at = p->c->expr->plain_count;
    return step_add(p, (struct plain_step){.op = op}, op == PLAIN_JUMP ? 1 : 2);
}

/* The jump leads to what is added next. */
static void land(struct planner *p, uint32_t at)
{
    p->c->expr->plain[at].to = p->c->expr->plain_count - 1;
}

static bool constant_add(struct planner *p, json value, struct spot at)
{
    uint8_t op = value.kind >= JSON_TEXT && at.is_kept ? PLAIN_KEEP : PLAIN_CONSTANT;
    return step_add(p, (struct plain_step){.op = op, .at = constant(p->c, value)}, 0);
}

static struct spot looked_at(struct spot at)
{
    at.is_kept = false;
    return at;
}

static struct spot kept(struct spot at)
{
    at.is_kept = true;
    at.are_all = false;
    return at;
}

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

static struct expr_path path_from(struct planner *p, const struct node *path)
{
    struct compiler *c      = p->c;
    struct expr_path found  = {.from = c->expr->operand_count};
    const struct node *root = root_of(path);
    const operand none      = 0;
    for (const struct node *at = path; at != root; at = at->a) {
        (void)operands_add(c, &none, 1);
        found.count++;
    }
    for (uint32_t i = found.count; i-- > 0; path = path->a) {
        operand key = constant(c, plain_key(path->b));
        if (has_failed(c)) break;
        c->expr->operands[found.from + i] = key;
    }
    return found;
}

/* A variable from outside. */
static bool find_outer(const struct planner *p, str name, operand *ret_variable)
{
    const struct expr_names *names = p->c->names;
    for (uint32_t i = 0; i < names->count; i++) {
        *ret_variable = (operand)(OPERAND_VARIABLE | i);
        if (str_is(name, names->names[i])) return true;
    }
    return false;
}

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

/* What a parameter of the function around it stands for; NULL if it is none. */
static const struct node *argument_named(const struct node *name, const struct plain_scope *scope)
{
    if (!scope || name->count > 0) return NULL;
    const struct node *argument = scope->arguments;
    for (const struct param *param = scope->params; param; param = param->next) {
        if (str_equal(param->name, name->name)) return argument;
        argument = argument->next;
    }
    return NULL;
}

/* The constant that the node is, or that a variable stands for; NULL if it is none. */
static const struct node *constant_node(const struct node *node, const struct plain_scope *scope)
{
    for (; node && node->kind == NODE_VARIABLE && scope; scope = scope->outer) {
        node = argument_named(node, scope);
    }
    json scalar;
    return node && (node->kind == NODE_TEXT || scalar_of(node, &scalar)) ? node : NULL;
}

static bool plan_path(struct planner *p, const struct node *path, struct spot at)
{
    const struct node *root = root_of(path);
    if (root == path && root->kind == NODE_VARIABLE && at.scope) {
        const struct node *constant = constant_node(root, at.scope);
        return constant && plan(p, constant, at);
    }
    struct plain_step step = {.op = PLAIN_PATH, .at = at.dot};
    bool is_outer          = root->kind == NODE_VARIABLE && !at.scope;
    if (is_outer && !find_outer(p, root->name, &step.at)) return false;
    if (root->kind == NODE_IDENTITY || is_outer) {
        step.path = path_from(p, path);
        return step_add(p, step, 0);
    }
    if (root == path || !plan(p, root, kept(at))) return false;
    return step_add(p, (struct plain_step){.op = PLAIN_WALK, .path = path_from(p, path)}, 1);
}

/* --- calls -------------------------------------------------------------------------------------
 */

static bool apply_native(struct planner *p, const struct builtin *builtin,
                         const struct node *arguments, struct spot at)
{
    uint16_t count = 1;
    at.is_kept     = builtin->keeps;
    for (; arguments; arguments = arguments->next, count++) {
        if (!plan(p, arguments, at)) return false;
    }
    return step_add(p, (struct plain_step){.op = PLAIN_BUILTIN, .count = count, .builtin = builtin},
                    count);
}

static bool apply_prelude(struct planner *p, const struct builtin *builtin, const struct node *call,
                          struct spot at)
{
    struct binding *binding = find_prelude(p->c, builtin);
    if (!binding || binding->def->is_recursive) return false;
    const struct node *argument = call->list;
    for (const struct param *param = binding->def->params; param; param = param->next) {
        if (param->is_value && !constant_node(argument, at.scope)) return false;
        argument = argument->next;
    }
    const struct plain_scope inner = {binding->def->params, call->list, at.scope};
    at.scope                       = &inner;
    return apply(p, binding->def->body, at);
}

static bool apply_call(struct planner *p, const struct node *call, struct spot at)
{
    const struct node *argument = argument_named(call, at.scope);
    if (argument) {
        at.scope = at.scope->outer;
        return apply(p, argument, at);
    }
    const struct builtin *builtin = builtin_find(call->name, call->count);
    if (!builtin) return false;
    switch ((enum builtin_kind)builtin->kind) {
    case BUILTIN_NATIVE: return apply_native(p, builtin, call->list, at);
    case BUILTIN_PRELUDE: return apply_prelude(p, builtin, call, at);
    case BUILTIN_SPECIAL:
        return builtin->special == SPECIAL_NOT &&
               step_add(p, (struct plain_step){.op = PLAIN_NOT}, 1);
    case BUILTIN_EXCLUDED: break;
    }
    return false;
}

static bool apply_format(struct planner *p, str name, struct spot at)
{
    if (str_is(name, "json")) return apply_native(p, builtin_find(str_from("tojson"), 0), NULL, at);
    const struct builtin *builtin = builtin_find(str_from("format"), 1);
    struct plain_step step        = {.op = PLAIN_BUILTIN, .count = 2, .builtin = builtin};
    return constant_add(p, json_text_new(name), looked_at(at)) && step_add(p, step, 2);
}

/* --- operators ---------------------------------------------------------------------------------
 */

static bool plan_connective(struct planner *p, const struct node *node, struct spot at)
{
    bool is_alternative = node->kind == NODE_ALTERNATIVE;
    uint8_t op          = node->kind == NODE_AND  ? PLAIN_AND
                          : node->kind == NODE_OR ? PLAIN_OR
                                                  : PLAIN_ALTERNATIVE;
    uint32_t jump       = 0;
    struct spot side    = is_alternative ? at : looked_at(at);
    if (!plan(p, node->a, side) || !jump_add(p, op, &jump) || !plan(p, node->b, side)) return false;
    if (!is_alternative && !step_add(p, (struct plain_step){.op = PLAIN_TRUTH}, 1)) return false;
    land(p, jump);
    return true;
}

static bool plan_if(struct planner *p, const struct node *node, struct spot at)
{
    static const struct node identity = {.kind = NODE_IDENTITY};
    uint32_t skip                     = 0;
    uint32_t done                     = 0;
    if (!plan(p, node->a, looked_at(at)) || !jump_add(p, PLAIN_JUMP_IF_NOT, &skip)) return false;
    if (!plan(p, node->b, at) || !jump_add(p, PLAIN_JUMP, &done)) return false;
    land(p, skip);
    p->count--; /* the other branch puts its value where this one did */
    if (!plan(p, node->c ? node->c : &identity, at)) return false;
    land(p, done);
    return true;
}

/* The keys, as operands; false unless they are texts, each another one if they have to be. */
static bool keys_add(struct planner *p, const struct node *object, bool are_distinct,
                     uint32_t *ret_from)
{
    *ret_from = p->c->expr->operand_count;
    for (const struct node *member = object->list; member; member = member->next) {
        if (member->a->kind != NODE_TEXT) return false;
        for (const struct node *other = object->list; are_distinct && other != member;
             other                    = other->next) {
            if (str_equal(other->a->name, member->a->name)) return false;
        }
        operand key = constant_text(p->c, member->a->name);
        (void)operands_add(p->c, &key, 1);
    }
    return true;
}

/* `{name}` has the member of that name. */
static bool plan_field(struct planner *p, const struct node *name, struct spot at)
{
    operand key            = constant_text(p->c, name->name);
    struct plain_step step = {.op = PLAIN_PATH, .at = at.dot, .path.count = 1};
    step.path.from         = operands_add(p->c, &key, 1);
    return step_add(p, step, 0);
}

static bool plan_members(struct planner *p, const struct node *object, struct spot at)
{
    for (const struct node *member = object->list; member; member = member->next) {
        bool is_done = member->b ? plan(p, member->b, kept(at)) : plan_field(p, member->a, at);
        if (!is_done) return false;
    }
    return true;
}

static bool plan_object(struct planner *p, const struct node *node, struct spot at)
{
    struct plain_step step = {.op = PLAIN_OBJECT, .count = (uint16_t)node->count};
    if (node->count > PLAIN_STACK_MAX || !keys_add(p, node, true, &step.from)) return false;
    return plan_members(p, node, at) && step_add(p, step, node->count);
}

/* `a + {...}` adds the members to a, without the object in between. */
static bool plan_extension(struct planner *p, const struct node *node, struct spot at)
{
    const struct node *object = node->b;
    struct plain_step step    = {.op = PLAIN_EXTEND, .count = (uint16_t)object->count};
    if (object->count > PLAIN_STACK_MAX || !keys_add(p, object, false, &step.from)) return false;
    return plan(p, node->a, kept(at)) && plan_members(p, object, at) &&
           step_add(p, step, 1 + object->count);
}

static bool plan_binary(struct planner *p, const struct node *node, struct spot at)
{
    bool compares   = node->op >= BINARY_EQUAL;
    bool is_product = node->op != BINARY_ADD;
    if (node->op == BINARY_ADD && node->b->kind == NODE_OBJECT) return plan_extension(p, node, at);
    at.is_kept = !compares && !is_product; /* null + a is a */
    if (!plan(p, node->a, at) || !plan(p, node->b, at)) return false;
    return step_add(p,
                    (struct plain_step){.op     = compares ? PLAIN_COMPARE : PLAIN_ARITHMETIC,
                                        .detail = (uint8_t)(OP_ADD + node->op)},
                    2);
}

/* --- texts and arrays --------------------------------------------------------------------------
 */

static bool plan_string(struct planner *p, const struct node *node, struct spot at)
{
    uint16_t count = 0;
    if (node->name.len > 0) return false;
    for (const struct node *part = node->list; part; part = part->next, count++) {
        if (!plan(p, part, looked_at(at))) return false;
    }
    return step_add(p, (struct plain_step){.op = PLAIN_CONCAT, .count = count}, count);
}

/* Whether the node yields what is in an array or object, all of it, and nothing else. `params`: of
 * the function that it is the body of. */
static bool yields_all(struct planner *p, const struct node *node, const struct param *params)
{
    if (node->kind == NODE_PIPE) {
        const struct node *last = node->list;
        while (last->next) last = last->next;
        return yields_all(p, last, params);
    }
    if (node->kind != NODE_CALL) return node->kind == NODE_EACH;
    for (; params; params = params->next) {
        if (str_equal(params->name, node->name)) return false;
    }
    const struct builtin *builtin = builtin_find(node->name, node->count);
    if (!builtin || builtin->kind != BUILTIN_PRELUDE || ++p->visits > VISITS_MAX) return false;
    struct binding *binding = find_prelude(p->c, builtin);
    if (!binding || binding->def->is_recursive) return false;
    return yields_all(p, binding->def->body, binding->def->params);
}

static bool all_add(struct planner *p, struct spot at)
{
    return at.are_all && step_add(p, (struct plain_step){.op = PLAIN_ITEMS}, 1);
}

static bool plan_array(struct planner *p, const struct node *node, struct spot at)
{
    if (node->a && yields_all(p, node->a, NULL)) {
        at         = kept(at);
        at.are_all = true;
        return plan(p, node->a, at);
    }
    bool is_list            = node->a && node->a->kind == NODE_COMMA;
    const struct node *item = is_list ? node->a->list : node->a;
    uint16_t count          = 0;
    for (; item; item = is_list ? item->next : NULL, count++) {
        if (!plan(p, item, kept(at))) return false;
    }
    return step_add(p, (struct plain_step){.op = PLAIN_ARRAY, .count = count}, count);
}

/* --- nodes -------------------------------------------------------------------------------------
 */

static bool apply_stages(struct planner *p, const struct node *stage, struct spot at)
{
    for (; stage; stage = stage->next) {
        if (!apply(p, stage, stage->next ? kept(at) : at)) return false;
    }
    return true;
}

static bool plan_pipe(struct planner *p, const struct node *pipe, struct spot at)
{
    struct spot stage = at;
    stage.dot         = (operand)p->count;
    return plan(p, pipe->list, kept(at)) && apply_stages(p, pipe->list->next, stage);
}

/* A call: its input is a copy of `.`. */
static bool plan_applied(struct planner *p, const struct node *node, struct spot at)
{
    struct plain_step dot = {.op = PLAIN_PATH, .at = at.dot};
    at.dot                = (operand)p->count;
    return step_add(p, dot, 0) && apply(p, node, at);
}

static bool plan(struct planner *p, const struct node *node, struct spot at)
{
    json scalar;
    if (++p->visits > VISITS_MAX) return false;
    if (scalar_of(node, &scalar)) return constant_add(p, scalar, at);
    switch ((enum node_kind)node->kind) {
    case NODE_TEXT: return constant_add(p, json_text_new(node->name), at);
    case NODE_IDENTITY:
    case NODE_VARIABLE:
    case NODE_INDEX: return plan_path(p, node, at);
    case NODE_NEGATE:
        return plan(p, node->a, looked_at(at)) &&
               step_add(p, (struct plain_step){.op = PLAIN_NEGATE}, 1);
    case NODE_BINARY: return plan_binary(p, node, at);
    case NODE_AND:
    case NODE_OR:
    case NODE_ALTERNATIVE: return plan_connective(p, node, at);
    case NODE_IF: return plan_if(p, node, at);
    case NODE_TRY: return plan(p, node->a, at); /* what fails is the machine's anyhow */
    case NODE_STRING: return plan_string(p, node, at);
    case NODE_EACH: return plan(p, node->a, kept(at)) && all_add(p, at);
    case NODE_ARRAY: return plan_array(p, node, at);
    case NODE_OBJECT: return plan_object(p, node, at);
    case NODE_PIPE: return plan_pipe(p, node, at);
    case NODE_FORMAT:
    case NODE_CALL: return plan_applied(p, node, at);
    default: return false;
    }
}

/* What makes its value beside `.`, which goes then. */
static bool apply_beside(struct planner *p, const struct node *node, struct spot at)
{
    return plan(p, node, at) && step_add(p, (struct plain_step){.op = PLAIN_SINK}, 2);
}

static bool apply(struct planner *p, const struct node *node, struct spot at)
{
    json scalar;
    if (++p->visits > VISITS_MAX) return false;
    if (node->kind == NODE_CALL && !scalar_of(node, &scalar)) return apply_call(p, node, at);
    switch ((enum node_kind)node->kind) {
    case NODE_IDENTITY: return true;
    case NODE_TRY: return apply(p, node->a, at);
    case NODE_FORMAT: return apply_format(p, node->name, at);
    case NODE_INDEX:
        if (root_of(node)->kind != NODE_IDENTITY) return apply_beside(p, node, at);
        return step_add(p, (struct plain_step){.op = PLAIN_WALK, .path = path_from(p, node)}, 1);
    case NODE_EACH: return apply(p, node->a, kept(at)) && all_add(p, at);
    case NODE_PIPE: return apply_stages(p, node->list, at);
    default: return apply_beside(p, node, at);
    }
}

void find_plain(struct compiler *c, const struct node *program)
{
    struct planner p     = {.c = c, .count = 1};
    const struct spot at = {};
    bool is_plain        = plan(&p, program, at);
    if (has_failed(c)) return;
    if (!is_plain) c->expr->plain_count = 0;
    c->expr->plain_only_looks = !p.needs_run;
}
