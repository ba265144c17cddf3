/* The machine's loop, its errors, and the evaluation that users see. */
#include "expr/vm.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "expr/plain.h"
#include "json/json_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* clang-format off */
static const vm_handler handlers[OP_COUNT] = {
    [OP_RETURN]          = do_return,
    [OP_BACKTRACK]       = do_backtrack,
    [OP_JUMP]            = do_jump,
    [OP_JUMP_IF_NOT]     = do_jump_if_not,
    [OP_JUMP_IF]         = do_jump_if,
    [OP_MOVE]            = do_move,
    [OP_UP]              = do_up,
    [OP_STORE]           = do_store,
    [OP_TAKE]            = do_take,
    [OP_FORK]            = do_fork,
    [OP_INDEX]           = do_index,
    [OP_SLICE]           = do_slice,
    [OP_EACH]            = do_each,
    [OP_RANGE]           = do_range,
    [OP_GETPATH]         = do_getpath,
    [OP_EXTRACT]         = do_extract,
    [OP_EXTRACT_AT]      = do_extract_at,
    [OP_PUT]             = do_put,
    [OP_PUT_AT]          = do_put_at,
    [OP_NEGATE]          = do_negate,
    [OP_ADD]             = do_add,
    [OP_SUBTRACT]        = do_arithmetic,
    [OP_MULTIPLY]        = do_arithmetic,
    [OP_DIVIDE]          = do_arithmetic,
    [OP_MODULO]          = do_arithmetic,
    [OP_EQUAL]           = do_compare,
    [OP_NOT_EQUAL]       = do_compare,
    [OP_LESS]            = do_compare,
    [OP_LESS_EQUAL]      = do_compare,
    [OP_GREATER]         = do_compare,
    [OP_GREATER_EQUAL]   = do_compare,
    [OP_NOT]             = do_not,
    [OP_COLLECT]         = do_collect,
    [OP_APPEND]          = do_append,
    [OP_PUSH]            = do_push,
    [OP_ARRAY]           = do_array,
    [OP_OBJECT]          = do_object,
    [OP_CONCAT]          = do_concat,
    [OP_BUILTIN]         = do_builtin,
    [OP_CALL]            = do_call,
    [OP_TAIL_CALL]       = do_call,
    [OP_CALL_PARAM]      = do_call_param,
    [OP_TAIL_CALL_PARAM] = do_call_param,
    [OP_CALL_PATH]       = do_call,
    [OP_PATH]            = do_path,
    [OP_TRY]             = do_try,
    [OP_TRY_END]         = do_try_end,
    [OP_MARK]            = do_mark,
    [OP_CUT]             = do_cut,
    [OP_SETTLE]          = do_settle,
    [OP_BREAK]           = do_break,
    [OP_ERROR]           = do_error,
};
/* clang-format on */

/* --- errors ------------------------------------------------------------------------------------
 */

json vm_raise_value(struct expr_run *vm, json value)
{
    json_drop(vm->error);
    vm->error = value;
    return json_invalid();
}

/* Whether the error that is raised now ends at a `?`, so that nobody will read it. */
static bool is_unread(const struct expr_run *vm)
{
    for (uint32_t i = vm->fork_count; i-- > 0;) {
        const struct fork *fork = &vm->forks[i];
        if (fork->insn->op == OP_TRY) return fork->insn->d == 0;
        if (fork->insn->op == OP_TRY_END) i = (uint32_t)fork->index; /* as vm_unwind() */
    }
    return false;
}

json vm_raise(struct expr_run *vm, const char *format, ...)
{
    enum { MESSAGE_MAX = 512 };
    if (is_unread(vm)) return vm_raise_value(vm, json_null());
    char text[MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return vm_raise_value(vm, json_text_lossy(str_from(text)));
}

json vm_exhaust(struct expr_run *vm, const char *budget)
{
    if (!vm->exhausted) vm->exhausted = budget;
    return json_invalid();
}

const char *vm_snippet(const struct expr_run *vm, json value, char text[static SNIPPET_SIZE])
{
    if (is_unread(vm)) return "";
    /* jq's buffer has 30 bytes, one of them for the NUL. */
    enum { LEN_MAX = 29, DUMP_MAX = 256 };
    CLEANUP(buf_done) struct buf dump   = buf_init(DUMP_MAX);
    CLEANUP(json_unrefp) json shortened = json_invalid();
    if (value.kind == JSON_TEXT && json_str(value).len > LEN_MAX + 1) {
        str cut   = str_slice(json_str(value), 0, LEN_MAX + 1);
        shortened = json_text_new(str_slice(cut, 0, utf8_valid_prefix(cut)));
        value     = shortened;
    }
    bool is_whole = json_print(value, JSON_COMPACT, &dump);
    str all       = buf_str(&dump);
    if (is_whole && all.len <= LEN_MAX) {
        memcpy(text, all.ptr, all.len);
        text[all.len] = 0;
        return text;
    }
    char end = value.kind == JSON_TEXT     ? '"'
               : value.kind == JSON_ARRAY  ? ']'
               : value.kind == JSON_OBJECT ? '}'
                                           : 0;
    str cut  = str_slice(all, 0, LEN_MAX - 3 - (end != 0));
    cut.len  = utf8_valid_prefix(cut);
    char *to = text;
    memcpy(to, cut.ptr, cut.len);
    to += cut.len;
    memcpy(to, "...", 3);
    to += 3;
    if (end) *to++ = end;
    *to = 0;
    return text;
}

json vm_raise_type(struct expr_run *vm, json value, const char *reason)
{
    char text[SNIPPET_SIZE];
    return vm_raise(vm, "%s (%s) %s", json_kind_name(value), vm_snippet(vm, value, text), reason);
}

json vm_raise_types(struct expr_run *vm, json a, json b, const char *reason)
{
    char text_a[SNIPPET_SIZE];
    char text_b[SNIPPET_SIZE];
    return vm_raise(vm, "%s (%s) and %s (%s) %s", json_kind_name(a), vm_snippet(vm, a, text_a),
                    json_kind_name(b), vm_snippet(vm, b, text_b), reason);
}

/* --- the loop ----------------------------------------------------------------------------------
 */

/* Runs to the next output. False: the end, or an error. */
static bool run(struct expr_run *vm)
{
    for (;;) {
        if (vm->fuel == 0 || vm->meter.is_exceeded) {
            (void)vm_exhaust(vm, vm->fuel == 0 ? "fuel" : "memory");
            return false;
        }
        vm->fuel--;
        const struct insn *insn = vm->pc++;
        switch (handlers[insn->op](vm, insn)) {
        case STEP_NEXT: break;
        case STEP_BACKTRACK:
            if (!vm_backtrack(vm)) return false;
            break;
        case STEP_RAISE:
            if (vm->exhausted || !vm_unwind(vm)) return false;
            break;
        case STEP_OUTPUT: return true;
        }
    }
}

/* The first frame, for the machine. */
static void start(struct expr_run *vm, json input)
{
    vm_stacks_init(vm);
    json value = input.kind ? json_share(input) : json_null();
    vm->frame  = vm_frame_push(vm, &vm->expr->functions[0], NULL);
    /* Older than every fork: one that goes back must find it, so it is not moved out behind one. */
    vm->frame->slots[0] = (struct slot){.value = value, .serial = vm->newest};
    vm->pc              = vm->expr->code + vm->expr->functions[0].entry;
}

/* --- evaluation --------------------------------------------------------------------------------
 */

static const struct expr_limits default_limits = {
    .fuel = EXPR_FUEL, .memory = EXPR_MEMORY, .depth = EXPR_DEPTH};

struct expr_limits expr_limits_default(void)
{
    return default_limits;
}

/* By field: a struct of this size is set to zero more slowly than most expressions run. What is
 * missing here is written before it is read. */
static inline void run_init(struct expr_run *vm, const struct expr *expr,
                            const struct expr_input *input)
{
    vm->expr        = expr;
    vm->limits      = input->limits ? input->limits : &default_limits;
    vm->fuel        = vm->limits->fuel;
    vm->meter       = (struct json_meter){.limit = vm->limits->memory};
    vm->variables   = input->variables;
    vm->now_us      = input->now_us;
    vm->block       = NULL;
    vm->constants   = NULL;
    vm->output      = json_invalid();
    vm->error       = json_invalid();
    vm->exhausted   = NULL;
    vm->is_started  = false;
    vm->is_over     = false;
    vm->regex_count = 0;
    vm->fork_count  = 0;
}

static void regexes_free(struct expr_run *vm)
{
    for (uint32_t i = 0; i < vm->regex_count; i++) {
        json_unref(vm->regexes[i].pattern);
        regex_free(vm->regexes[i].regex);
    }
}

/* Under the run's meter. */
static inline void run_done(struct expr_run *vm)
{
    json_drop(vm->output);
    json_drop(vm->error);
    if (vm->block || vm->constants) vm_constants_free(vm);
    if (vm->regex_count > 0) regexes_free(vm);
}

struct expr_run *expr_run_new(const struct expr *expr, const struct expr_input *input)
{
    ASSERT(expr);
    struct expr_run *vm      = mem_new(1, sizeof *vm);
    struct json_meter *outer = json_meter_enter(&vm->meter);
    run_init(vm, expr, input);
    start(vm, input->value);
    (void)json_meter_enter(outer);
    return vm;
}

void expr_run_free(struct expr_run *run)
{
    if (!run) return;
    struct json_meter *outer = json_meter_enter(&run->meter);
    vm_stacks_free(run);
    run_done(run);
    (void)json_meter_enter(outer);
    free(run);
}

void expr_run_freep(struct expr_run **run)
{
    expr_run_free(*run);
}

uint64_t expr_run_fuel_used(const struct expr_run *run)
{
    return run->limits->fuel - run->fuel;
}

static status report(struct expr_run *vm, json *ret_error_value, struct error *reterr)
{
    if (vm->exhausted) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "expression ran out of %s", vm->exhausted);
    }
    status result = STATUS_INVALID_ARGUMENT;
    if (vm->error.kind == JSON_TEXT) {
        (void)fail(reterr, result, STR_FMT, STR_ARG(json_str(vm->error)));
    } else {
        CLEANUP(buf_done) struct buf text = buf_init(ERROR_TEXT_MAX);
        (void)json_print(vm->error, JSON_COMPACT, &text);
        (void)fail(reterr, result, "(not a string): " STR_FMT, STR_ARG(buf_str(&text)));
    }
    if (ret_error_value) *ret_error_value = json_take(&vm->error);
    return result;
}

/* Under the run's meter. */
static bool resume(struct expr_run *vm)
{
    bool goes_on   = !vm->is_started || vm_backtrack(vm);
    vm->is_started = true;
    return goes_on && run(vm);
}

status expr_run_next(struct expr_run *run, json *ret_value, json *ret_error_value,
                     struct error *reterr)
{
    if (run->is_over) {
        *ret_value = json_invalid();
        return STATUS_OK;
    }
    struct json_meter *outer = json_meter_enter(&run->meter);
    bool has_output          = resume(run);
    (void)json_meter_enter(outer);
    if (has_output) {
        *ret_value = json_take(&run->output);
        return STATUS_OK;
    }
    run->is_over = true;
    if (vm_has_failed(run)) return report(run, ret_error_value, reterr);
    *ret_value = json_invalid();
    return STATUS_OK;
}

/* Without the machine, if the program can do without. */
static bool eval_plain(const struct expr *expr, const struct expr_input *input, json *ret_value)
{
    if (expr->plain_only_looks) return plain_eval(expr, input, NULL, ret_value);
    struct expr_run vm;
    struct json_meter *outer = json_meter_swap(&vm.meter);
    run_init(&vm, expr, input);
    bool is_done = vm.fuel > expr->plain_count && plain_eval(expr, input, &vm, ret_value);
    run_done(&vm);
    (void)json_meter_swap(outer);
    return is_done;
}

status expr_eval(const struct expr *expr, const struct expr_input *input, json *ret_value,
                 json *ret_error_value, struct error *reterr)
{
    ASSERT(expr);
    if (expr->plain_count > 0 && eval_plain(expr, input, ret_value)) return STATUS_OK;
    struct expr_run vm;
    struct json_meter *outer = json_meter_swap(&vm.meter);
    status result            = STATUS_OK;
    run_init(&vm, expr, input);
    start(&vm, input->value);
    if (run(&vm)) {
        *ret_value = json_take(&vm.output);
    } else if (vm_has_failed(&vm)) {
        result = report(&vm, ret_error_value, reterr);
    } else {
        *ret_value = json_null();
    }
    vm_stacks_free(&vm);
    run_done(&vm);
    (void)json_meter_swap(outer);
    return result;
}
