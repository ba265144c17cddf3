/* The short texts of a program that may become part of values: found when its code is whole. */
#include "expr/compile.h"

#include "base/mem.h"

struct kept {
    const struct expr *expr;
    json texts[PROGRAM_BLOCK_TEXTS_MAX];
    uint32_t constants[PROGRAM_BLOCK_TEXTS_MAX];
    uint32_t count;
};

static void keep(struct kept *kept, operand o)
{
    if (!operand_is_constant(o) || kept->count == PROGRAM_BLOCK_TEXTS_MAX) return;
    uint32_t index = o & OPERAND_INDEX;
    json constant  = kept->expr->constants[index];
    if (constant.kind != JSON_TEXT || json_str(constant).len > PROGRAM_BLOCK_LEN_MAX) return;
    for (uint32_t i = 0; i < kept->count; i++) {
        if (kept->constants[i] == index) return;
    }
    kept->texts[kept->count]       = constant;
    kept->constants[kept->count++] = index;
}

static void keep_list(struct kept *kept, const struct insn *insn, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) keep(kept, kept->expr->operands[insn->e + i]);
}

/* What vm_share() and vm_own() are asked for. One that is missing here is copied alone. */
static void keep_operands(struct kept *kept, const struct insn *insn)
{
    switch (insn->op) {
    case OP_OBJECT: keep_list(kept, insn, 2 * (uint32_t)insn->c); return;
    case OP_ARRAY: keep_list(kept, insn, insn->c); return;
    case OP_PUT_AT:
        keep(kept, insn->b);
        keep_list(kept, insn, insn->c);
        return;
    case OP_PUT: keep(kept, insn->b); return;
    case OP_BUILTIN:
        keep(kept, insn->b);
        if (builtin_at(insn->d)->keeps) keep_list(kept, insn, insn->c);
        return;
    case OP_RETURN:
    case OP_MOVE:
    case OP_STORE:
    case OP_APPEND: keep(kept, insn->b); return;
    case OP_PUSH: keep(kept, insn->c); return;
    case OP_ADD:
        keep(kept, insn->b);
        keep(kept, insn->c);
        return;
    default: return;
    }
}

/* The same for steps that need no machine. */
static void keep_step(struct kept *kept, const struct plain_step *step)
{
    if (step->op == PLAIN_KEEP) keep(kept, step->at);
    if (step->op != PLAIN_OBJECT && step->op != PLAIN_EXTEND) return;
    for (uint32_t i = 0; i < step->count; i++) keep(kept, kept->expr->operands[step->from + i]);
}

void find_block(struct compiler *c)
{
    struct expr *expr = c->expr;
    struct kept kept  = {.expr = expr};
    uint32_t offsets[PROGRAM_BLOCK_TEXTS_MAX];
    for (uint32_t i = 0; i < expr->code_count; i++) keep_operands(&kept, &expr->code[i]);
    for (uint32_t i = 0; i < expr->plain_count; i++) keep_step(&kept, &expr->plain[i]);
    if (kept.count == 0) return;
    expr->block         = json_block_image(kept.texts, kept.count, offsets);
    expr->block_offsets = mem_new(expr->constant_count, sizeof *expr->block_offsets);
    for (uint32_t i = 0; i < kept.count; i++) expr->block_offsets[kept.constants[i]] = offsets[i];
}
