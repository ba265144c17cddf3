/* From source to program: the order of the steps, and what is known about a program afterwards. */
#include "expr/compile.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "expr/regex_internal.h"
#include "expr/yield.h"

#include <stdlib.h>

enum {
    ARENA_FACTOR = 2'000,    /* bytes of tree and scopes for a byte of source, at the very most */
    ARENA_BASE   = 64 << 10, /* bytes: for the prelude */
};

/* --- functions ---------------------------------------------------------------------------------
 */

/* Binds the parameters; those that are values are computed first thing. */
static struct place enter_unit(struct compiler *c, const struct unit *unit)
{
    struct place p = {.scope    = unit->scope,
                      .input    = 0,
                      .is_owned = true,
                      .in_path  = unit->may_track,
                      .is_tail  = true};
    if (!unit->def) return p;
    operand index = 0;
    for (const struct param *param = unit->def->params; param; param = param->next) {
        struct binding *closure = binding_new(c, BINDING_PARAM, param->name, p.scope);
        if (!closure) return p;
        closure->at = index;
        p.scope     = closure;
        if (param->is_value) {
            operand value = register_new(c);
            (void)emit(c, (struct insn){.op = OP_CALL_PARAM, .a = value, .b = 0, .d = index});
            struct binding *variable = binding_new(c, BINDING_VARIABLE, param->name, p.scope);
            if (!variable) return p;
            variable->at = value;
            p.scope      = variable;
        }
        index++;
    }
    return p;
}

static void compile_unit(struct compiler *c, struct unit *unit)
{
    c->unit        = unit;
    uint32_t entry = c->expr->code_count;
    struct place p = enter_unit(c, unit);
    (void)gen(c, unit->body, p, OPERAND_NONE);
    struct function *function = &c->expr->functions[unit->index];
    function->entry           = entry;
    function->registers       = (uint16_t)unit->registers;
    vm_frame_layout(function);
}

static void compile_units(struct compiler *c, const struct node *program)
{
    struct unit *main = unit_new(c, NULL, NULL, program, NULL);
    if (main) main->may_track = false;
    for (struct unit *unit = main; unit && !has_failed(c); unit = unit->next) {
        compile_unit(c, unit);
    }
}

/* --- patterns ----------------------------------------------------------------------------------
 */

/* Compiles a literal pattern. One that is wrong fails when it is used, as in jq. */
static void add_regex(struct compiler *c, json pattern, json letters)
{
    struct expr *expr = c->expr;
    unsigned flags    = 0;
    if (pattern.kind != JSON_TEXT || !regex_flags_of(letters, &flags, NULL)) return;
    struct regex *regex = NULL;
    if (regex_compile(json_str(pattern), flags | REGEX_SEARCH_ONLY, &regex, NULL) != STATUS_OK) {
        return;
    }
    expr->regexes = mem_resize(expr->regexes, expr->regex_count + 1, sizeof *expr->regexes);
    expr->regexes[expr->regex_count++] =
        (struct program_regex){.pattern = pattern, .flags = flags, .regex = regex};
}

static void find_regexes(struct compiler *c)
{
    const struct expr *expr = c->expr;
    for (uint32_t i = 0; i < expr->code_count; i++) {
        const struct insn *insn = &expr->code[i];
        if (insn->op != OP_BUILTIN || !builtin_at(insn->d)->has_pattern) continue;
        operand pattern = expr->operands[insn->e];
        operand letters = expr->operands[insn->e + 1];
        if (!operand_is_constant(pattern)) continue;
        /* Flags that are computed come to none but "g" nearly always, which is the search's. */
        bool has_letters = operand_is_constant(letters);
        add_regex(c, expr->constants[pattern & OPERAND_INDEX],
                  has_letters ? expr->constants[letters & OPERAND_INDEX] : json_null());
    }
}

/* --- the whole ---------------------------------------------------------------------------------
 */

static void compile_source(struct compiler *c)
{
    struct node *program = parse_program(&c->parser);
    if (!program) return;
    compile_units(c, program);
    if (has_failed(c)) return;
    find_plain(c, program);
    find_regexes(c);
    find_block(c);
    c->expr->guesses = mem_new(c->expr->constant_count, sizeof *c->expr->guesses);
    c->expr->yield   = yield_of(program);
}

static status report(const struct compiler *c, struct arena *arena, struct expr_fault *ret_fault,
                     struct error *reterr)
{
    struct expr_fault fault = c->parser.fault;
    const char *detail      = arena_strdup(arena, str_from(fault.detail));
    const char *hint        = arena_strdup(arena, str_from(fault.hint));
    const char *name        = arena_strdup(arena, str_from(fault.name));
    fault.detail            = detail ? detail : "syntax error";
    fault.hint              = hint ? hint : "";
    fault.name              = name ? name : "";
    if (ret_fault) *ret_fault = fault;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "%s at offset %zu", fault.detail, fault.offset);
}

/* What the lexer takes for granted. */
static status check_source(str source, struct expr_fault *ret_fault, struct error *reterr)
{
    struct expr_fault fault = {.hint = "", .name = ""};
    if (source.len > EXPR_SOURCE_MAX) {
        fault.detail = "expression is longer than 64 KiB";
        fault.kind   = EXPR_FAULT_LIMIT;
    } else if (utf8_valid_prefix(source) < source.len) {
        fault.detail = "expression is not valid UTF-8";
        fault.kind   = EXPR_FAULT_SYNTAX;
        fault.offset = utf8_valid_prefix(source);
    } else {
        return STATUS_OK;
    }
    if (ret_fault) *ret_fault = fault;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "%s", fault.detail);
}

status expr_compile(str source, const struct expr_names *names, struct arena *arena,
                    struct expr **ret_expr, struct expr_fault *ret_fault, struct error *reterr)
{
    static const struct expr_names no_names = {};
    if (!names) names = &no_names;
    ASSERT(names->count <= EXPR_VARIABLES_MAX);
    TRY(check_source(source, ret_fault, reterr));
    CLEANUP(arena_freep) struct arena *own = arena_new(ARENA_BASE + source.len * ARENA_FACTOR);
    const char *text                       = own ? arena_strdup(own, source) : NULL;
    ASSERT(text); /* fits by the arena's size */

    CLEANUP(expr_freep) struct expr *expr = mem_new(1, sizeof *expr);
    struct compiler c                     = {.arena     = own,
                                             .parser    = parser_init((str){text, source.len}, own),
                                             .names     = names,
                                             .expr      = expr,
                                             .units_end = &c.units};
    compile_source(&c);
    if (has_failed(&c)) return report(&c, arena, ret_fault, reterr);
    *ret_expr = TAKE(expr);
    return STATUS_OK;
}

void expr_free(struct expr *expr)
{
    if (!expr) return;
    for (uint32_t i = 0; i < expr->regex_count; i++) regex_free(expr->regexes[i].regex);
    for (uint32_t i = 0; i < expr->constant_count; i++) json_thaw_and_free(expr->constants[i]);
    free(expr->block);
    free(expr->block_offsets);
    free(expr->code);
    free(expr->constants);
    free(expr->guesses);
    free(expr->operands);
    free(expr->closures);
    free(expr->functions);
    free(expr->regexes);
    free(expr->member_uses);
    free(expr->plain);
    free(expr);
}

void expr_freep(struct expr **expr)
{
    expr_free(*expr);
}

/* --- questions about a program -----------------------------------------------------------------
 */

uint32_t expr_variables_used(const struct expr *expr)
{
    return expr->variables_used;
}

bool expr_members_used(const struct expr *expr, uint32_t index,
                       void (*visit)(str member, void *context), void *context)
{
    for (uint32_t i = 0; i < expr->member_use_count; i++) {
        const struct member_use *use = &expr->member_uses[i];
        if (use->variable != index) continue;
        visit(json_str(expr->constants[use->member & OPERAND_INDEX]), context);
    }
    return !(expr->used_as_whole & (uint32_t)1 << index);
}

enum expr_yield expr_yield_of(const struct expr *expr)
{
    return expr->yield;
}
