/* The tree of a program, for the files that draw, print and interpret it. */
#ifndef SIMULATOR_PROGRAM_INTERNAL_H
#define SIMULATOR_PROGRAM_INTERNAL_H

#include "program.h"

/** Begins the names of tasks that are agents; the number of the place follows. */
#define AGENT_TASK "agent"

enum { DEPTH_MAX = 4, CHILDREN_MAX = 5, NODES_MAX = 32 /* of a program */ };

enum node_kind {
    NODE_SEQUENCE,
    NODE_SET,
    NODE_CALL,
    NODE_MODEL,
    NODE_AGENT,
    NODE_RAISE,
    NODE_SWITCH,
    NODE_IF,
    NODE_LOOP,
    NODE_PARALLEL,
    NODE_FORK,
    NODE_RACE,
    NODE_TRY,
    NODE_AGAIN, /* a try with retries whose body always fails in the end */
    NODE_WAIT,
    NODE_TIMEOUT,
    NODE_LISTEN, /* to a signal */
    NODE_ASK,    /* a person */
    NODE_EMIT,   /* and listen to it */
    NODE_CHILD,
    NODE_SAGA,
    NODE_CUT, /* a saga that is left while its call is under way, or before or after that */
};

struct node {
    enum node_kind kind;
    uint32_t id;   /* of its task's name */
    uint32_t site; /* 0: it has none */
    uint32_t undo; /* the site that undoes it; 0: nothing */
    int64_t a, b;
    size_t child_count;
    struct node *children[CHILDREN_MAX];
};

#endif
