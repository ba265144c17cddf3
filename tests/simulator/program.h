/**
 * program: random workflows whose results are known in advance.
 *
 * A program is a tree of tasks that work on one number: it is drawn from a seed, printed as a
 * workflow, and interpreted here, by a few lines that know nothing of the engine. What comes out is
 * what the engine must come to, whatever happens on the way: the output or the error, how often
 * each call is made, which calls are given up, and what is undone in which order.
 */
#ifndef SIMULATOR_PROGRAM_H
#define SIMULATOR_PROGRAM_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/random.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    PROGRAMS_MAX = 4,
    SITES_MAX    = 600, /* places that call, undo, wait for a signal or a person; of all programs */
    UNDOS_MAX    = 256, /* of one run */
    ERROR_MAX    = 96,  /* bytes of an error's type */
    LATE_RETRIES = 1,   /* of a call at SITE_LATE */
    MODULUS      = 1'000'003,
};

/** How many calls of a place there must be, over all runs. */
struct tally {
    uint64_t keys;      /* different idempotency keys that workers see */
    uint64_t completed; /* jobs */
    uint64_t failed;
    uint64_t dead;
};

enum site_kind {
    SITE_NONE,
    SITE_OK,         /* worker.step completes, after a while */
    SITE_PERMANENT,  /* fails for good */
    SITE_EXHAUST,    /* fails until its attempts are spent */
    SITE_UNDO,       /* undoes what another place did */
    SITE_NOT_UNDONE, /* is to, and fails until its attempts are spent */
    SITE_SIGNAL,
    SITE_APPROVAL,
    SITE_MODEL,  /* llm.chat, which a budget may refuse; that changes nothing */
    SITE_LATE,   /* worker.step, given up so many times before it completes: the run faults on it,
                  * and goes on if a rule redrives its dead letter */
    SITE_TURN,   /* llm.chat, a turn of an agent */
    SITE_CUT,    /* worker.step, which may be cut short: once or not at all */
    SITE_UNCUT,  /* undoes that, if it was done */
    SITE_UNSURE, /* sim.write, given up without anybody knowing whether it was done, or with a part
                  * of it done */
};

/** How many calls may be under way at once, and start in a time, that have the same key. */
struct call_limit {
    uint32_t concurrency, rate_count, rate_s; /* 0: no limit */
    uint32_t keys;                            /* the key is n modulo this; 0: there is none */
};

/** A function of the catalog that changes something, and whose change can be looked up. */
#define SIM_WRITE   "sim.write"
#define SIM_UNWRITE "sim.unwrite" /* what undoes a part of it, as its worker says */

/** What a worker or client must know of a place. */
struct site {
    enum site_kind kind;
    uint32_t program;
    uint32_t undo;  /* SITE_UNSURE: the place that undoes it */
    bool is_flaky;  /* SITE_OK, SITE_UNDO: attempts before it may fail */
    bool is_cached; /* SITE_OK: equal calls may share an answer */
    int64_t value;  /* that a signal brings */
    struct call_limit limit;
    uint32_t tokens_max;            /* SITE_MODEL: of its answer; 0: it does not say */
    uint32_t rounds;                /* SITE_LATE: so many jobs of a call are given up */
    const struct agent_plan *agent; /* SITE_TURN */
    bool is_tool;                   /* an agent calls it */
};

/** What there may be in the programs of a seed. */
struct program_wishes {
    bool has_late;
    uint32_t rounds_max; /* of a late call */
    bool has_agents;
    bool has_tokens;                 /* some of them a budget of tokens */
    int64_t turn_nanos, turn_tokens; /* what a turn of an agent costs */
};

struct node;

struct program {
    char name[16];
    struct node *root;
    bool may_fault;          /* else it always completes */
    struct call_limit limit; /* of its calls that have none of their own */
    uint32_t calls;          /* of other programs as child runs */
    bool has_agents;
};

struct programs {
    struct arena *arena;
    struct program items[PROGRAMS_MAX];
    size_t count;
    struct site sites[SITES_MAX]; /* number 0 is none */
    uint32_t site_count;
    uint32_t task_count;
    int64_t turn_nanos, turn_tokens; /* what a turn of an agent costs */
};

/** Draws `count` programs. A later one may be a child of an earlier one. Texts live as long as
 * `arena`. */
void programs_draw(struct programs *programs, struct arena *arena, struct prng *random,
                   size_t count, const struct program_wishes *wishes);

bool call_limit_is_any(const struct call_limit *limit);

/** Appends the definition as JSON: namespace "sim", version 1.0.0. */
void program_print(const struct programs *programs, size_t index, struct buf *out);

/** What a run comes to. */
struct result {
    bool is_error;
    int64_t n;             /* the output's */
    char error[ERROR_MAX]; /* the type; empty: any */
    int64_t status;        /* of the error; 0: any */
    uint32_t undone[UNDOS_MAX];
    size_t undone_count; /* sites, in their order */
    uint32_t children;   /* runs that it starts, and they */
    bool has_undone;     /* something, or tried to */
};

/** What is decided at a place. */
static inline bool site_approves(uint32_t site)
{
    return site % 2 == 0;
}

/** What a place makes of a number. */
int64_t site_step(uint32_t site, int64_t n);

/** Which calls the tallies are of. */
enum extent {
    EXTENT_ALL,     /* as many as there are */
    EXTENT_AT_MOST, /* of a run that somebody may stop: each call and each undoing may happen */
    EXTENT_LEAST,   /* a late call may be the last */
};

/** Interprets a program and adds to the tallies. */
void program_run(const struct programs *programs, size_t index, int64_t n, struct tally *tallies,
                 enum extent extent, struct result *ret_result);

#endif
