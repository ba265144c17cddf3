/* The stacks of the machine: frames and forks, and going back. */
#include "base/assert.h"
#include "base/mem.h"
#include "expr/vm.h"

#include <stdlib.h>

/* --- frames ------------------------------------------------------------------------------------
 */

static size_t aligned(size_t size)
{
    return (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
}

static void chunk_free(struct chunk *chunk)
{
    if (chunk) json_node_free(chunk, sizeof *chunk + chunk->size);
}

/* Chunks count as memory of the evaluation, like values. */
static void add_chunk(struct expr_run *vm, size_t size)
{
    struct chunk *chunk = vm->spare;
    vm->spare           = NULL;
    if (!chunk || chunk->size < size) {
        chunk_free(chunk);
        if (size < VM_CHUNK_BYTES) size = VM_CHUNK_BYTES;
        chunk       = json_node_new(sizeof *chunk + size);
        chunk->size = (uint32_t)size;
    }
    chunk->used  = 0;
    chunk->below = vm->chunk;
    vm->chunk    = chunk;
}

void vm_frame_layout(struct function *function)
{
    size_t closures      = aligned(sizeof(struct frame));
    size_t slots         = aligned(closures + function->params * sizeof(struct closure));
    function->slots_at   = (uint32_t)slots;
    function->frame_size = (uint32_t)aligned(slots + function->registers * sizeof(struct slot));
}

struct frame *vm_frame_push(struct expr_run *vm, const struct function *function, struct frame *env)
{
    uint32_t size = function->frame_size;
    if (vm->chunk->size - vm->chunk->used < size) add_chunk(vm, size);

    char *raw = (char *)vm->chunk->bytes + vm->chunk->used;
    vm->chunk->used += size;
    struct frame *frame = (struct frame *)(void *)raw;
    *frame =
        (struct frame){.env      = env,
                       .below    = vm->top,
                       .closures = (struct closure *)(void *)(raw + aligned(sizeof(struct frame))),
                       .slots    = (struct slot *)(void *)(raw + function->slots_at),
                       .size     = size,
                       .serial   = vm->newest,
                       .slot_count = function->registers};
    const struct slot *end = frame->slots + function->registers;
    for (struct slot *slot = frame->slots; slot < end; slot++) {
        slot->value.kind = JSON_INVALID;
        slot->trail      = NULL;
    }
    vm->top = frame;
    return frame;
}

enum step vm_replace(struct expr_run *vm, struct slot *slot, json value)
{
    slot_set(vm, slot, value);
    return STEP_NEXT;
}

/* The chunk on top is empty, and not the first one. */
static void retire_chunk(struct expr_run *vm)
{
    struct chunk *empty = vm->chunk;
    vm->chunk           = empty->below;
    chunk_free(vm->spare);
    vm->spare = empty;
}

static inline void slots_drop(const struct frame *frame)
{
    const struct slot *end = frame->slots + frame->slot_count;
    for (const struct slot *slot = frame->slots; slot < end; slot++) {
        json_drop(slot->value);
        if (slot->trail) trail_unref(slot->trail);
    }
}

static void drop_top(struct expr_run *vm)
{
    const struct frame *frame = vm->top;
    slots_drop(frame);
    vm->top = frame->below;
    vm->chunk->used -= frame->size;
    if (vm->chunk->used == 0 && vm->chunk->below) retire_chunk(vm);
}

void vm_frames_drop(struct expr_run *vm, struct frame *top)
{
    while (vm->top != top) drop_top(vm);
}

void vm_stacks_free(struct expr_run *vm)
{
    for (const struct frame *frame = vm->top; frame; frame = frame->below) slots_drop(frame);
    if (vm->spare) chunk_free(vm->spare);
    while (vm->chunk->below) {
        struct chunk *chunk = vm->chunk;
        vm->chunk           = chunk->below;
        chunk_free(chunk);
    }
    if (vm->forks != vm->first_forks) {
        json_node_free(vm->forks, vm->fork_capacity * sizeof *vm->forks);
    }
}

/* --- forks -------------------------------------------------------------------------------------
 */

static void grow_forks(struct expr_run *vm)
{
    size_t size = vm->fork_capacity * sizeof *vm->forks;
    if (vm->forks == vm->first_forks) {
        vm->forks = json_node_new(2 * size);
        memcpy(vm->forks, vm->first_forks, size);
    } else {
        vm->forks = json_node_resize(vm->forks, size, 2 * size);
    }
    vm->fork_capacity *= 2;
}

struct fork *vm_fork_push(struct expr_run *vm, const struct insn *insn)
{
    if (vm->fork_count == vm->fork_capacity) grow_forks(vm);
    struct fork *fork = &vm->forks[vm->fork_count++];
    fork->insn        = insn;
    fork->frame       = vm->frame;
    fork->top         = vm->top;
    fork->serial      = ++vm->serial;
    fork->index       = 0;
    vm->newest        = fork->serial;
    return fork;
}

void vm_forks_cut(struct expr_run *vm, uint32_t count)
{
    ASSERT(count <= vm->fork_count);
    vm->fork_count = count;
    vm->newest     = count ? vm->forks[count - 1].serial : 0;
}

/* Back to where the fork was made, without the fork. */
static void enter(struct expr_run *vm, const struct fork *fork)
{
    if (vm->top != fork->top) vm_frames_drop(vm, fork->top);
    vm->frame = fork->frame;
}

bool vm_backtrack(struct expr_run *vm)
{
    while (vm->fork_count > 0) {
        struct fork *fork       = &vm->forks[vm->fork_count - 1];
        const struct insn *insn = fork->insn;
        switch (insn->op) {
        case OP_EACH:
            enter(vm, fork);
            vm->pc = insn + 1;
            vm_each_next(vm, fork);
            return true;
        case OP_RANGE:
            enter(vm, fork);
            vm->pc = insn + 1;
            vm_range_next(vm, fork);
            return true;
        case OP_FORK:
        case OP_COLLECT:
        case OP_MARK:
            vm_forks_cut(vm, vm->fork_count - 1);
            if (insn->d == 0) break; /* a mark with nowhere to go on */
            enter(vm, fork);
            vm->pc = vm->expr->code + insn->d;
            return true;
        default: vm_forks_cut(vm, vm->fork_count - 1); break;
        }
    }
    return false;
}

bool vm_unwind(struct expr_run *vm)
{
    static const struct insn backtrack = {.op = OP_BACKTRACK};
    while (vm->fork_count > 0) {
        struct fork *fork       = &vm->forks[vm->fork_count - 1];
        const struct insn *insn = fork->insn;
        if (insn->op == OP_TRY_END) {
            /* The body of that `try` had yielded and what came after it failed: the handler, and
             * all in the body, is out of the game. */
            vm_forks_cut(vm, (uint32_t)fork->index);
            continue;
        }
        vm_forks_cut(vm, vm->fork_count - 1);
        if (insn->op != OP_TRY) continue;
        enter(vm, fork);
        if (insn->d == 0) { /* no handler: the error is the end of the body */
            json_unrefp(&vm->error);
            vm->pc = &backtrack;
            return true;
        }
        (void)vm_set(vm, (operand)insn->e, json_take(&vm->error));
        vm->pc = vm->expr->code + insn->d;
        return true;
    }
    return false;
}
