/*
 * program: a compiled expression.
 *
 * The machine (vm.h) has registers. A function has a frame of them; an instruction reads operands
 * and writes one register. Within one activation of a function control only runs forward, and each
 * register is written at one place, so backtracking needs to restore nothing: what was written
 * before a fork is still there, and what was written after it is written again. Accumulators
 * (OP_STORE, OP_TAKE) are the exception, and meant to keep what they hold across backtracking.
 *
 * A program is immutable; its constants are frozen, so threads share it.
 */
#ifndef EXPR_PROGRAM_H
#define EXPR_PROGRAM_H

#include "expr/expr.h"
#include "expr/regex.h"

enum {
    PROGRAM_REGISTERS_MAX      = 0x3FFE, /* of a function: what an operand can name */
    PROGRAM_CONSTANTS_MAX      = 0x3FFF,
    PROGRAM_KEYS_MAX           = 16,  /* of OP_EXTRACT_AT, OP_PUT_AT */
    PROGRAM_CONSTANT_DEPTH_MAX = 512, /* more than the parser lets a tree be high */
    PROGRAM_BLOCK_TEXTS_MAX    = 64,
    PROGRAM_BLOCK_LEN_MAX      = 64, /* bytes of a text: a long one is not copied for a short one */
    PROGRAM_CODE_MAX = 1 << 19,      /* instructions; 64 KiB of source make at most a few each */
};

/* An operand: two bits of class, 14 of index. */
typedef uint16_t operand;

enum operand_class {
    OPERAND_REGISTER = 0x0000, /* of the frame; read */
    OPERAND_CONSTANT = 0x4000,
    OPERAND_VARIABLE = 0x8000, /* given from outside */
    OPERAND_TAKE     = 0xC000, /* of the frame, not needed after this: moved if no fork may return
                                  to a place before */
    OPERAND_CLASS = 0xC000,
    OPERAND_INDEX = 0x3FFF,
    OPERAND_NONE  = 0xFFFF,
};

/* clang-format off */
enum op {
    OP_RETURN,        /* b: result */
    OP_BACKTRACK,
    OP_JUMP,          /* d: target */
    OP_JUMP_IF_NOT,   /* b, d: target */
    OP_JUMP_IF,       /* b, d: target */
    OP_MOVE,          /* a = b; c: the input it stands for, in paths */
    OP_UP,            /* a = register e of the frame c levels out; b: the input, in paths */
    OP_STORE,         /* a = b; a is an accumulator */
    OP_TAKE,          /* a = b, which becomes null; b is an accumulator */
    OP_FORK,          /* d: where to go on after backtracking */

    OP_INDEX,         /* a = b[c] */
    OP_SLICE,         /* a = b[c:e] */
    OP_EACH,          /* a = each of b */
    OP_RANGE,         /* a = each number from b up to below c */
    OP_GETPATH,       /* a = value of b at path c */
    OP_EXTRACT,       /* a = value of the accumulator b at path c, null is left there */
    OP_EXTRACT_AT,    /* the same at the c keys from e */
    OP_PUT,           /* the accumulator a has b at path c */
    OP_PUT_AT,        /* the same at the c keys from e */

    OP_NEGATE,        /* a = -b */
    OP_ADD,           /* a = b op c, in the order of binary_op */
    OP_SUBTRACT,
    OP_MULTIPLY,
    OP_DIVIDE,
    OP_MODULO,
    OP_EQUAL,
    OP_NOT_EQUAL,
    OP_LESS,
    OP_LESS_EQUAL,
    OP_GREATER,
    OP_GREATER_EQUAL,
    OP_NOT,           /* a = not b */

    OP_COLLECT,       /* a = []; d: where to go on when the elements have all come */
    OP_APPEND,        /* a += [b]; backtracks */
    OP_PUSH,          /* a = b + [c] */
    OP_ARRAY,         /* a = [...]: c operands from e */
    OP_OBJECT,        /* a = {...}: c pairs of key and value from e */
    OP_CONCAT,        /* a = c operands from e, as text */

    OP_BUILTIN,       /* a = builtin d of input b and c operands from e */
    OP_CALL,          /* a = function d of input b; closures from e; c: levels to its frame */
    OP_TAIL_CALL,
    OP_CALL_PARAM,    /* a = closure d of the frame c levels out, of input b */
    OP_TAIL_CALL_PARAM,
    OP_CALL_PATH,     /* as OP_CALL, and what it yields is a place in b */
    OP_PATH,          /* a = the path of the place b */

    OP_TRY,           /* a: index of its fork; e: register of the error; d: handler, or 0 */
    OP_TRY_END,       /* b: index of the fork */
    OP_MARK,          /* a: index of its fork; d: where to go on after backtracking, or 0 */
    OP_CUT,           /* b: index of the fork: it and all later ones are forgotten */
    OP_SETTLE,        /* b: index of the fork: it is forgotten if there is no later one */
    OP_BREAK,         /* b: index of the fork: the same, and backtracks */
    OP_ERROR,         /* b: what is raised */
    OP_COUNT,
};
/* clang-format on */

enum insn_flags {
    INSN_IN_PATH     = 1, /* in a function that yields places, this one makes one */
    INSN_KEEPS_FRAME = 2, /* a tail call that hands out closures of its own frame */
    INSN_HAS_KEYS    = 4, /* an object whose keys are texts, each another one */
};

struct insn {
    uint8_t op;
    uint8_t flags;
    operand a;
    operand b;
    operand c;
    uint32_t d;
    uint32_t e;
};

struct function {
    uint32_t entry;
    uint16_t registers;
    uint16_t params;     /* closures */
    uint32_t slots_at;   /* bytes into its frame */
    uint32_t frame_size; /* bytes */
};

/* What a call gives for a parameter. */
struct closure_ref {
    uint16_t level;    /* frames out, to the frame of the function or of the parameter */
    bool is_param;     /* hands on a parameter */
    uint32_t function; /* or index of the parameter */
};

/* A path whose keys are known. */
struct expr_path {
    uint32_t from; /* in `operands`: constants */
    uint32_t count;
};

enum {
    PLAIN_STACK_MAX = 24,  /* values, the input among them */
    PLAIN_STEPS_MAX = 200, /* of a program; one with more is for the machine */
};

/* Steps on a stack of values (plain.h). */
/* clang-format off */
enum plain_op {
    PLAIN_PATH,        /* puts there what `path` finds from the value at `at`, or in a variable */
    PLAIN_WALK,        /* the last becomes what `path` finds in it */
    PLAIN_CONSTANT,    /* puts the constant `at` there, to look at */
    PLAIN_SINK,        /* drops the last but one: the input of a stage of a pipe that is over */
    PLAIN_COMPARE,     /* the two last become whether `detail` (OP_EQUAL, ...) holds */
    PLAIN_TRUTH,       /* the last becomes true or false */
    PLAIN_NOT,         /* and here false or true */
    /* These go on after `to`. */
    PLAIN_JUMP,
    PLAIN_JUMP_IF_NOT, /* if the last, which is dropped, is not truthy */
    PLAIN_AND,         /* if the last is not truthy: it becomes false; else it is dropped */
    PLAIN_OR,          /* if it is: it becomes true; else it is dropped */
    PLAIN_ALTERNATIVE, /* if it is: it stays as it is; else it is dropped */
    /* These make values, under the meter of a run. */
    PLAIN_KEEP,        /* puts the constant `at` there, to become part of a value */
    PLAIN_ARITHMETIC,  /* the two last become the result of `detail` (OP_ADD, ...) */
    PLAIN_NEGATE,      /* the last becomes its negative */
    PLAIN_ITEMS,       /* the last, an array or object, becomes an array of what is in it */
    PLAIN_ARRAY,       /* the last `count` become an array */
    PLAIN_OBJECT,      /* the last `count` become an object, its keys from `from` in `operands` */
    PLAIN_EXTEND,      /* the same as members of the object before them */
    PLAIN_CONCAT,      /* the last `count` become a text */
    PLAIN_BUILTIN,     /* the last `count` are the input and arguments of `builtin` */
};
/* clang-format on */

/* A step of a program that needs no machine. */
struct plain_step {
    uint8_t op;
    uint8_t detail;
    uint16_t count;
    operand at;
    union {
        uint32_t to; /* the step to go on after */
        uint32_t from;
    };
    union {
        struct expr_path path;
        const struct builtin *builtin;
    };
};

struct program_regex {
    json pattern; /* a view of a constant */
    unsigned flags;
    struct regex *regex;
};

struct expr {
    struct insn *code;
    uint32_t code_count;
    json *constants;
    uint32_t constant_count;
    _Atomic uint32_t *guesses; /* for each constant: where an object last had it as a key */
    struct json_block *block;  /* of short texts that may become part of values; or NULL */
    uint32_t *block_offsets;   /* for each constant; 0: it is not there */
    operand *operands;         /* of instructions with many */
    uint32_t operand_count;
    struct closure_ref *closures;
    uint32_t closure_count;
    struct function *functions; /* 0 is the program itself */
    uint32_t function_count;
    struct program_regex *regexes; /* literal patterns */
    uint32_t regex_count;

    struct plain_step *plain; /* count 0: the machine is needed */
    uint32_t plain_count;
    bool plain_only_looks; /* paths, constants and conditions: it makes no value but a copy */
    enum expr_yield yield;
    uint32_t variables_used; /* bits */
    uint32_t used_as_whole;  /* bits */
    struct member_use *member_uses;
    uint32_t member_use_count;
};

/* `$variable.member` */
struct member_use {
    uint32_t variable;
    operand member; /* a constant */
};

static inline bool operand_is_register(operand o)
{
    return o <= PROGRAM_REGISTERS_MAX;
}

static inline bool operand_is_constant(operand o)
{
    return (o & OPERAND_CLASS) == OPERAND_CONSTANT;
}

#endif
