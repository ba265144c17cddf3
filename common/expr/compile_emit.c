/* Instructions, constants and registers of the program that is being made. */
#include "base/mem.h"
#include "expr/compile.h"

/* Doubles an array of the program when it is full. */
static void *grown(void *array, uint32_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity) return array;
    *capacity = *capacity ? *capacity * 2 : 16;
    return mem_resize(array, *capacity, size);
}

static operand too_large(struct compiler *c, const char *what)
{
    return compile_fail(c, NULL, EXPR_FAULT_LIMIT, (str){},
                        arena_printf(c->arena, "expression has too many %s", what),
                        "split it into several");
}

uint32_t emit(struct compiler *c, struct insn insn)
{
    struct expr *expr = c->expr;
    if (expr->code_count == PROGRAM_CODE_MAX) {
        (void)too_large(c, "instructions");
        return 0;
    }
    expr->code = grown(expr->code, expr->code_count, &c->code_capacity, sizeof *expr->code);
    expr->code[expr->code_count] = insn;
    return expr->code_count++;
}

void patch(struct compiler *c, uint32_t at)
{
    c->expr->code[at].d = c->expr->code_count;
}

operand register_new(struct compiler *c)
{
    if (c->unit->registers == PROGRAM_REGISTERS_MAX) return too_large(c, "values");
    return (operand)c->unit->registers++;
}

/* Short programs have few constants, so a walk finds the same ones. */
static bool is_same_constant(json a, json b)
{
    if (a.kind != b.kind) return false;
    if (a.kind == JSON_TEXT) return str_equal(json_str(a), json_str(b));
    return a.kind < JSON_TEXT && (a.kind < JSON_INT || a.integer == b.integer);
}

operand constant(struct compiler *c, json value)
{
    enum { WALK_MAX = 64 };
    struct expr *expr = c->expr;
    for (uint32_t i = 0; i < expr->constant_count && i < WALK_MAX; i++) {
        if (!is_same_constant(expr->constants[i], value)) continue;
        json_unref(value);
        return (operand)(OPERAND_CONSTANT | i);
    }
    if (expr->constant_count == PROGRAM_CONSTANTS_MAX) {
        json_unref(value);
        return too_large(c, "constants");
    }
    expr->constants =
        grown(expr->constants, expr->constant_count, &c->constant_capacity, sizeof value);
    expr->constants[expr->constant_count] = json_freeze(value);
    return (operand)(OPERAND_CONSTANT | expr->constant_count++);
}

operand constant_text(struct compiler *c, str text)
{
    return constant(c, json_text_new(text));
}

uint32_t operands_add(struct compiler *c, const operand *operands, size_t count)
{
    struct expr *expr = c->expr;
    uint32_t first    = expr->operand_count;
    for (size_t i = 0; i < count; i++) {
        expr->operands =
            grown(expr->operands, expr->operand_count, &c->operand_capacity, sizeof(operand));
        expr->operands[expr->operand_count++] = operands[i];
    }
    return first;
}

uint32_t closures_add(struct compiler *c, struct closure_ref ref)
{
    struct expr *expr = c->expr;
    expr->closures = grown(expr->closures, expr->closure_count, &c->closure_capacity, sizeof ref);
    expr->closures[expr->closure_count] = ref;
    return expr->closure_count++;
}

void member_use_add(struct compiler *c, struct member_use use)
{
    struct expr *expr = c->expr;
    for (uint32_t i = 0; i < expr->member_use_count; i++) {
        const struct member_use *known = &expr->member_uses[i];
        if (known->variable == use.variable && known->member == use.member) return;
    }
    expr->member_uses =
        grown(expr->member_uses, expr->member_use_count, &c->use_capacity, sizeof use);
    expr->member_uses[expr->member_use_count++] = use;
}

/* --- results -----------------------------------------------------------------------------------
 */

operand result(struct compiler *c, struct place p, operand want, struct insn insn)
{
    insn.a = want == OPERAND_NONE ? register_new(c) : want;
    if (p.in_path) insn.flags |= INSN_IN_PATH;
    (void)emit(c, insn);
    if (!p.is_tail) return want == OPERAND_NONE ? taken(insn.a) : want;
    (void)emit(c, (struct insn){.op = OP_RETURN, .b = taken(insn.a)});
    return OPERAND_NONE;
}

operand result_is(struct compiler *c, struct place p, operand want, operand value)
{
    if (p.is_tail) {
        (void)emit(c, (struct insn){.op = OP_RETURN, .b = value});
        return OPERAND_NONE;
    }
    if (want == OPERAND_NONE || want == value) return value;
    (void)emit(c, (struct insn){.op    = OP_MOVE,
                                .flags = p.in_path ? INSN_IN_PATH : 0,
                                .a     = want,
                                .b     = value,
                                .c     = untaken(p.input)});
    return want;
}

operand branch_register(struct compiler *c, struct place p, operand want)
{
    return p.is_tail || want != OPERAND_NONE ? want : register_new(c);
}

struct unit *unit_new(struct compiler *c, struct unit *outer, const struct def *def,
                      const struct node *body, struct binding *scope)
{
    struct unit *unit = arena_alloc(c->arena, sizeof *unit);
    if (!unit) {
        (void)too_large(c, "functions");
        return NULL;
    }
    struct expr *expr = c->expr;
    expr->functions   = grown(expr->functions, expr->function_count, &c->function_capacity,
                              sizeof(struct function));
    expr->functions[expr->function_count] =
        (struct function){.params = (uint16_t)(def ? def->arity : 0)};

    *unit         = (struct unit){.index     = expr->function_count++,
                                  .outer     = outer,
                                  .level     = outer ? outer->level + 1 : 0,
                                  .registers = 1,
                                  .may_track = true,
                                  .def       = def,
                                  .body      = body,
                                  .scope     = scope};
    *c->units_end = unit;
    c->units_end  = &unit->next;
    return unit;
}
