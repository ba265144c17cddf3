/* Instructions that say where to go on: calls, jumps, forks, errors. */
#include "base/assert.h"
#include "expr/vm.h"

enum step do_backtrack(struct expr_run *vm, const struct insn *insn)
{
    (void)vm;
    (void)insn;
    return STEP_BACKTRACK;
}

enum step do_jump(struct expr_run *vm, const struct insn *insn)
{
    vm->pc = vm->expr->code + insn->d;
    return STEP_NEXT;
}

enum step do_jump_if_not(struct expr_run *vm, const struct insn *insn)
{
    if (!json_is_truthy(vm_view(vm, insn->b))) vm->pc = vm->expr->code + insn->d;
    return STEP_NEXT;
}

enum step do_jump_if(struct expr_run *vm, const struct insn *insn)
{
    if (json_is_truthy(vm_view(vm, insn->b))) vm->pc = vm->expr->code + insn->d;
    return STEP_NEXT;
}

enum step do_fork(struct expr_run *vm, const struct insn *insn)
{
    (void)vm_fork_push(vm, insn);
    return STEP_NEXT;
}

/* --- calls -------------------------------------------------------------------------------------
 */

/* Out of the program itself. Its frame stays until the run ends. */
static enum step output(struct expr_run *vm, const struct insn *insn)
{
    vm->pc     = vm->frame->ret;
    vm->output = vm_own(vm, insn->b);
    return STEP_OUTPUT;
}

enum step do_return(struct expr_run *vm, const struct insn *insn)
{
    struct frame *frame  = vm->frame;
    struct frame *caller = frame->caller;
    if (!caller) return output(vm, insn);
    struct trail *trail = frame->is_tracked ? trail_ref(vm_trail(vm, insn->b)) : NULL;
    json value          = vm_own(vm, insn->b);
    operand result      = frame->ret_register;
    vm->pc              = frame->ret;
    if (vm->newest <= frame->serial) vm_frames_drop(vm, frame->below);
    vm->frame         = caller;
    struct slot *slot = vm_slot(vm, result);
    slot_set(vm, slot, value);
    slot->trail = trail;
    return STEP_NEXT;
}

/* What a call needs to know before the frame of its caller may go. */
struct call {
    const struct function *function;
    struct frame *env;
    json input;          /* owned */
    struct trail *trail; /* owned */
    bool is_tracked;
    struct closure closures[VM_PARAMS_MAX];
};

static enum step enter(struct expr_run *vm, const struct insn *insn, const struct call *call)
{
    struct frame *caller = vm->frame;
    bool is_tail         = insn->op == OP_TAIL_CALL || insn->op == OP_TAIL_CALL_PARAM;
    struct frame next    = {.caller       = is_tail ? caller->caller : caller,
                            .ret          = is_tail ? caller->ret : vm->pc,
                            .ret_register = is_tail ? caller->ret_register : insn->a,
                            .depth        = is_tail ? caller->depth : caller->depth + 1};
    if (is_tail && vm->newest <= caller->serial && !(insn->flags & INSN_KEEPS_FRAME)) {
        vm_frames_drop(vm, caller->below);
    }
    struct frame *frame = vm_frame_push(vm, call->function, call->env);
    frame->caller       = next.caller;
    frame->ret          = next.ret;
    frame->ret_register = next.ret_register;
    frame->depth        = next.depth;
    frame->is_tracked   = call->is_tracked;
    for (uint16_t i = 0; i < call->function->params; i++) frame->closures[i] = call->closures[i];
    frame->slots[0] =
        (struct slot){.value = call->input, .trail = call->trail, .serial = vm->newest};
    vm->frame = frame;
    vm->pc    = vm->expr->code + call->function->entry;
    if (frame->depth > vm->limits->depth) {
        (void)vm_exhaust(vm, "call depth");
        return STEP_RAISE;
    }
    return STEP_NEXT;
}

static void call_input(struct expr_run *vm, const struct insn *insn, struct call *call)
{
    call->is_tracked = vm_makes_place(vm, insn);
    if (call->is_tracked) call->trail = trail_ref(vm_trail(vm, insn->b));
    call->input = vm_own(vm, insn->b);
    if (insn->op == OP_CALL_PATH) {
        trail_unref(call->trail);
        call->is_tracked = true;
        call->trail      = trail_new(NULL, json_invalid());
    }
}

enum step do_call(struct expr_run *vm, const struct insn *insn)
{
    struct call call;
    call.function = &vm->expr->functions[insn->d];
    call.env      = vm_frame_out(vm, insn->c);
    call.trail    = NULL;
    for (uint32_t i = 0; i < call.function->params; i++) {
        const struct closure_ref *ref = &vm->expr->closures[insn->e + i];
        struct frame *frame           = vm_frame_out(vm, ref->level);
        call.closures[i] =
            ref->is_param
                ? frame->closures[ref->function]
                : (struct closure){.function = &vm->expr->functions[ref->function], .env = frame};
    }
    call_input(vm, insn, &call);
    return enter(vm, insn, &call);
}

enum step do_call_param(struct expr_run *vm, const struct insn *insn)
{
    const struct closure *closure = &vm_frame_out(vm, insn->c)->closures[insn->d];
    struct call call;
    call.function = closure->function;
    call.env      = closure->env;
    call.trail    = NULL;
    call_input(vm, insn, &call);
    return enter(vm, insn, &call);
}

/* --- errors, first outputs, labels -------------------------------------------------------------
 */

enum step do_try(struct expr_run *vm, const struct insn *insn)
{
    (void)vm_set(vm, insn->a, json_int(vm->fork_count));
    (void)vm_fork_push(vm, insn);
    return STEP_NEXT;
}

/* The body has yielded. If it can yield no more, its fork has done its duty; else a fork of our own
 * tells vm_unwind() that errors from now on are not the body's. */
enum step do_try_end(struct expr_run *vm, const struct insn *insn)
{
    json index = vm_view(vm, insn->b);
    if (index.kind != JSON_INT) return STEP_NEXT; /* the last of several patterns has no fork */
    if (index.integer == (int64_t)vm->fork_count - 1) {
        vm_forks_cut(vm, vm->fork_count - 1);
    } else {
        vm_fork_push(vm, insn)->index = index.integer;
    }
    return STEP_NEXT;
}

enum step do_mark(struct expr_run *vm, const struct insn *insn)
{
    (void)vm_set(vm, insn->a, json_int(vm->fork_count));
    (void)vm_fork_push(vm, insn);
    return STEP_NEXT;
}

enum step do_cut(struct expr_run *vm, const struct insn *insn)
{
    vm_forks_cut(vm, (uint32_t)vm_view(vm, insn->b).integer);
    return STEP_NEXT;
}

/* Without it a fork that has nothing to come back for would keep values from being moved. */
enum step do_settle(struct expr_run *vm, const struct insn *insn)
{
    int64_t index = vm_view(vm, insn->b).integer;
    if (index == (int64_t)vm->fork_count - 1) vm_forks_cut(vm, (uint32_t)index);
    return STEP_NEXT;
}

enum step do_break(struct expr_run *vm, const struct insn *insn)
{
    vm_forks_cut(vm, (uint32_t)vm_view(vm, insn->b).integer);
    return STEP_BACKTRACK;
}

enum step do_error(struct expr_run *vm, const struct insn *insn)
{
    (void)vm_raise_value(vm, vm_own(vm, insn->b));
    return STEP_RAISE;
}
