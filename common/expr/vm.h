/*
 * vm: the machine that runs a program.
 *
 * A frame per activation of a function holds its registers and the closures it was given. Frames
 * stand on a stack of their own, on the heap. A fork remembers where to go on when something
 * downstream has no more to give: an instruction, a frame, and the top of the stack of frames. A
 * function that returns is only removed if no fork was made since it was called, because a fork may
 * go back into it.
 *
 * Every fork has a serial number that only grows. A register remembers the newest fork at the time
 * it was written; if no newer one is alive, nothing can go back to between the write and now, and
 * the value may be moved out instead of shared. That is what makes `reduce` change its accumulator
 * in place.
 *
 * In a function that yields places (the argument of path()) a register also has a trail: the keys
 * that lead from the input of path() to its value.
 */
#ifndef EXPR_VM_H
#define EXPR_VM_H

#include "base/arena.h"
#include "expr/program.h"
#include "expr/regex_internal.h"
#include "json/json_internal.h"

enum {
    VM_PARAMS_MAX    = 32,       /* closures of a function */
    VM_ARGUMENTS_MAX = 8,        /* of a builtin, with its input */
    VM_REGEXES_MAX   = 16,       /* patterns computed in a run that stay compiled */
    VM_CHUNK_BYTES   = 16 << 10, /* of frames */
    VM_FIRST_BYTES   = 1 << 10,  /* of frames, without memory of their own */
    VM_FORKS_MIN     = 16,
    FUEL_BYTES       = 64, /* handled for one step */
};

/* The way from the root to a value, shared by all that begin alike. */
struct trail {
    uint32_t refs;
    uint32_t depth;
    struct trail *parent; /* NULL: the root itself */
    json key;
};

struct slot {
    json value; /* JSON_INVALID before it is first written */
    struct trail *trail;
    uint32_t serial; /* of the newest fork when it was written */
};

struct closure {
    const struct function *function;
    struct frame *env;
};

struct frame {
    struct frame *env;    /* of the function around this one */
    struct frame *caller; /* NULL: returning is an output */
    struct frame *below;  /* on the stack of frames */
    const struct insn *ret;
    struct closure *closures;
    struct slot *slots;
    uint32_t size; /* bytes of this frame */
    uint32_t serial;
    uint32_t depth;
    uint16_t slot_count;
    operand ret_register;
    bool is_tracked; /* yields places */
};

struct fork {
    const struct insn *insn; /* that made it; its code says what going on means */
    struct frame *frame;
    struct frame *top;
    uint32_t serial;
    bool is_real;
    union {
        int64_t index;
        double real;
    };
};

struct chunk {
    struct chunk *below;
    uint32_t used;
    uint32_t size;
    max_align_t bytes[];
};

enum step { STEP_NEXT, STEP_BACKTRACK, STEP_RAISE, STEP_OUTPUT };

struct expr_run {
    const struct expr *expr;
    const struct insn *pc;
    struct frame *frame; /* running */
    struct frame *top;   /* of the stack */
    struct chunk *chunk;
    struct chunk *spare;

    struct fork *forks;
    uint32_t fork_count;
    uint32_t fork_capacity;
    uint32_t newest; /* serial of the last fork; 0: none */
    uint32_t serial; /* given out last */

    uint64_t fuel; /* left */
    struct json_meter meter;
    const struct expr_limits *limits;
    struct json_block *block; /* the program's constants, as values of this run: short texts, */
    json *constants;          /* and others. Made when first needed. */
    const json *variables;
    int64_t now_us;

    const struct builtin *builtin; /* running */
    json output;
    json error;            /* raised */
    const char *exhausted; /* the budget that ran out; nothing catches that */
    bool is_started;
    bool is_over;

    struct program_regex regexes[VM_REGEXES_MAX];
    uint32_t regex_count;

    /* Most evaluations are short: their frames and forks find room here, so that none of them costs
     * an allocation. */
    struct fork first_forks[VM_FORKS_MIN];
    max_align_t first_chunk[VM_FIRST_BYTES / sizeof(max_align_t)]; /* a struct chunk */
};

typedef enum step (*vm_handler)(struct expr_run *vm, const struct insn *insn);

/* --- frames and forks (vm_frame.c) -------------------------------------------------------------
 */

struct frame *vm_frame_push(struct expr_run *vm, const struct function *function,
                            struct frame *env);

/* Computes how a frame of `function` lies in memory: itself, its closures, its registers. */
void vm_frame_layout(struct function *function);

/* Removes all frames above `top`. */
void vm_frames_drop(struct expr_run *vm, struct frame *top);

/* Before the first frame, and at the end. */
static inline void vm_stacks_init(struct expr_run *vm)
{
    struct chunk *first = (struct chunk *)(void *)vm->first_chunk;
    first->below        = NULL;
    first->used         = 0;
    first->size         = sizeof vm->first_chunk - sizeof(struct chunk);
    vm->top             = NULL;
    vm->chunk           = first;
    vm->spare           = NULL;
    vm->forks           = vm->first_forks;
    vm->fork_count      = 0;
    vm->fork_capacity   = VM_FORKS_MIN;
    vm->newest          = 0;
    vm->serial          = 0;
}
void vm_stacks_free(struct expr_run *vm);

/* Makes a fork that goes on as `insn` says; its index. */
struct fork *vm_fork_push(struct expr_run *vm, const struct insn *insn);
void vm_forks_cut(struct expr_run *vm, uint32_t count);

/* Goes back to the last fork; false: there is none. */
bool vm_backtrack(struct expr_run *vm);

/* Goes to the handler of the error; false: nobody catches it. */
bool vm_unwind(struct expr_run *vm);

static inline struct frame *vm_frame_out(struct expr_run *vm, uint32_t levels)
{
    struct frame *frame = vm->frame;
    while (levels-- > 0) frame = frame->env;
    return frame;
}

/* --- trails (trail.c) --------------------------------------------------------------------------
 */

struct trail *trail_new(struct trail *parent, json key); /* takes both */
struct trail *trail_ref(struct trail *trail);
void trail_unref(struct trail *trail);
json trail_path_new(const struct trail *trail);

/* --- errors and budgets ------------------------------------------------------------------------
 */

/* Raises a text and returns JSON_INVALID. */
PRINTF_LIKE(2, 3) json vm_raise(struct expr_run *vm, const char *format, ...);

/* Raises any value, which it takes. */
json vm_raise_value(struct expr_run *vm, json value);

/* "kind (value) reason", as jq words it. */
json vm_raise_type(struct expr_run *vm, json value, const char *reason);
json vm_raise_types(struct expr_run *vm, json a, json b, const char *reason);

/* Says that a budget ran out; returns JSON_INVALID. */
json vm_exhaust(struct expr_run *vm, const char *budget);

enum { SNIPPET_SIZE = 32 };

/* The value as text, cut as jq 1.8 cuts it in messages; "" if nobody will read the message. */
const char *vm_snippet(const struct expr_run *vm, json value, char text[static SNIPPET_SIZE]);

/* Spends fuel for work inside of a builtin; false: none is left. */
static inline bool vm_spend(struct expr_run *vm, uint64_t steps)
{
    if (steps < vm->fuel && !vm->meter.is_exceeded) {
        vm->fuel -= steps;
        return true;
    }
    (void)vm_exhaust(vm, vm->meter.is_exceeded ? "memory" : "fuel");
    return false;
}

/* Says whether so much more memory is left; if not, the meter counts as exceeded. */
static inline bool vm_has_room(struct expr_run *vm, size_t size)
{
    int64_t room = vm->meter.limit - vm->meter.used;
    if (room >= 0 && size <= (uint64_t)room) return !vm->meter.is_exceeded;
    vm->meter.is_exceeded = true;
    return false;
}

/* Spends for `size` bytes, and says whether so much more memory is left. */
static inline bool vm_spend_bytes(struct expr_run *vm, size_t size)
{
    if (!vm_has_room(vm, size)) {
        (void)vm_exhaust(vm, "memory");
        return false;
    }
    return vm_spend(vm, size / FUEL_BYTES);
}

static inline bool vm_has_failed(const struct expr_run *vm)
{
    return vm->exhausted || vm->error.kind != JSON_INVALID;
}

/* --- registers ---------------------------------------------------------------------------------
 */

static inline struct slot *vm_slot(struct expr_run *vm, operand o)
{
    return &vm->frame->slots[o & OPERAND_INDEX];
}

/* A constant that may become part of a value. A view. See vm_constant.c. */
json vm_constant(struct expr_run *vm, uint32_t index);
void vm_constants_free(struct expr_run *vm);

/* The operands of an instruction with many; NULL if it has none. */
static inline const operand *vm_operands(const struct expr_run *vm, const struct insn *insn)
{
    return insn->c > 0 ? vm->expr->operands + insn->e : NULL;
}

/* A view of the operand, to look at only: no part of it may be kept. */
static inline json vm_view(struct expr_run *vm, operand o)
{
    if (operand_is_register(o)) return vm->frame->slots[o].value;
    if (operand_is_constant(o)) return vm->expr->constants[o & OPERAND_INDEX];
    if ((o & OPERAND_CLASS) == OPERAND_TAKE) return vm_slot(vm, o)->value;
    json value = vm->variables[o & OPERAND_INDEX];
    return value.kind == JSON_INVALID ? json_null() : value;
}

/* A view of the operand, of which parts may be kept (shared). */
static inline json vm_share(struct expr_run *vm, operand o)
{
    json value            = vm_view(vm, o);
    bool is_constant_node = value.kind >= JSON_TEXT && operand_is_constant(o);
    return is_constant_node ? vm_constant(vm, o & OPERAND_INDEX) : value;
}

/* The operand, owned: moved if it is not needed any more, else shared. */
static inline json vm_own(struct expr_run *vm, operand o)
{
    if ((o & OPERAND_CLASS) == OPERAND_TAKE) {
        struct slot *slot = vm_slot(vm, o);
        if (vm->newest <= slot->serial) {
            json value  = slot->value;
            slot->value = json_null();
            return value;
        }
        return json_share(slot->value);
    }
    return json_share(vm_share(vm, o));
}

/* Takes `value`. */
static inline void slot_set(struct expr_run *vm, struct slot *slot, json value)
{
    json before  = slot->value;
    slot->value  = value;
    slot->serial = vm->newest;
    if (slot->trail) {
        trail_unref(slot->trail);
        slot->trail = NULL;
    }
    json_drop(before);
}

/* The same, not inline: for registers that hold something to be dropped. */
enum step vm_replace(struct expr_run *vm, struct slot *slot, json value);

static inline enum step vm_set(struct expr_run *vm, operand o, json value)
{
    struct slot *slot = vm_slot(vm, o);
    if (slot->value.kind >= JSON_TEXT || slot->trail) return vm_replace(vm, slot, value);
    slot->value  = value;
    slot->serial = vm->newest;
    return STEP_NEXT;
}

/* Sets what a fallible function returned. */
static inline enum step vm_set_or_raise(struct expr_run *vm, operand o, json value)
{
    if (value.kind == JSON_INVALID) return STEP_RAISE;
    return vm_set(vm, o, value);
}

/* The trail of an operand; NULL if it is no place. */
static inline struct trail *vm_trail(struct expr_run *vm, operand o)
{
    operand class = o & OPERAND_CLASS;
    return class == OPERAND_REGISTER || class == OPERAND_TAKE ? vm_slot(vm, o)->trail : NULL;
}

static inline bool vm_makes_place(const struct expr_run *vm, const struct insn *insn)
{
    return (insn->flags & INSN_IN_PATH) && vm->frame->is_tracked;
}

/* Same value, not only an equal one: what jq takes for the same place. */
static inline bool json_is_same(json a, json b)
{
    return a.kind == b.kind && (a.kind < JSON_INT || a.integer == b.integer);
}

/* --- handlers of instructions, by file ---------------------------------------------------------
 */

/* vm_flow.c */
enum step do_return(struct expr_run *vm, const struct insn *insn);
enum step do_backtrack(struct expr_run *vm, const struct insn *insn);
enum step do_jump(struct expr_run *vm, const struct insn *insn);
enum step do_jump_if_not(struct expr_run *vm, const struct insn *insn);
enum step do_jump_if(struct expr_run *vm, const struct insn *insn);
enum step do_fork(struct expr_run *vm, const struct insn *insn);
enum step do_call(struct expr_run *vm, const struct insn *insn);
enum step do_call_param(struct expr_run *vm, const struct insn *insn);
enum step do_try(struct expr_run *vm, const struct insn *insn);
enum step do_try_end(struct expr_run *vm, const struct insn *insn);
enum step do_mark(struct expr_run *vm, const struct insn *insn);
enum step do_cut(struct expr_run *vm, const struct insn *insn);
enum step do_settle(struct expr_run *vm, const struct insn *insn);
enum step do_break(struct expr_run *vm, const struct insn *insn);
enum step do_error(struct expr_run *vm, const struct insn *insn);

/* vm_place.c */
enum step do_move(struct expr_run *vm, const struct insn *insn);
enum step do_up(struct expr_run *vm, const struct insn *insn);
enum step do_store(struct expr_run *vm, const struct insn *insn);
enum step do_take(struct expr_run *vm, const struct insn *insn);
enum step do_index(struct expr_run *vm, const struct insn *insn);
enum step do_slice(struct expr_run *vm, const struct insn *insn);
enum step do_each(struct expr_run *vm, const struct insn *insn);
enum step do_range(struct expr_run *vm, const struct insn *insn);
enum step do_getpath(struct expr_run *vm, const struct insn *insn);
enum step do_extract(struct expr_run *vm, const struct insn *insn);
enum step do_extract_at(struct expr_run *vm, const struct insn *insn);
enum step do_put(struct expr_run *vm, const struct insn *insn);
enum step do_put_at(struct expr_run *vm, const struct insn *insn);
enum step do_path(struct expr_run *vm, const struct insn *insn);
void vm_each_next(struct expr_run *vm, struct fork *fork);
void vm_range_next(struct expr_run *vm, struct fork *fork);

/* vm_value.c */
enum step do_negate(struct expr_run *vm, const struct insn *insn);
enum step do_add(struct expr_run *vm, const struct insn *insn);
enum step do_arithmetic(struct expr_run *vm, const struct insn *insn);
enum step do_compare(struct expr_run *vm, const struct insn *insn);
enum step do_not(struct expr_run *vm, const struct insn *insn);
enum step do_collect(struct expr_run *vm, const struct insn *insn);
enum step do_append(struct expr_run *vm, const struct insn *insn);
enum step do_push(struct expr_run *vm, const struct insn *insn);
enum step do_array(struct expr_run *vm, const struct insn *insn);
enum step do_object(struct expr_run *vm, const struct insn *insn);
enum step do_concat(struct expr_run *vm, const struct insn *insn);
enum step do_builtin(struct expr_run *vm, const struct insn *insn);

#endif
