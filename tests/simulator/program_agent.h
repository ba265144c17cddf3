/**
 * program_agent: agents in programs: what their models ask for is known in advance.
 *
 * An agent works on a number. In each turn the model asks for some calls, whose arguments follow
 * from the number; what they say makes the next one. The stand-in for the model (sim_agents.c) and
 * the interpreter go by the same few lines, which know nothing of the engine.
 */
#ifndef SIMULATOR_PROGRAM_AGENT_H
#define SIMULATOR_PROGRAM_AGENT_H

#include "program_internal.h"

enum { AGENT_TOOLS_MAX_SIM = 3, AGENT_CALLS_MAX_SIM = 4 /* of a turn */ };

/** What the model of a place is like. */
struct agent_plan {
    uint32_t turns;     /* with calls; then it answers */
    uint32_t calls;     /* of each */
    uint32_t turns_max; /* that it may have; 0: does not say */
    uint32_t paid_for;  /* turns that its budget is for; 0: it has none */
    bool pays_tokens;   /* it is one of tokens, else of money */
    uint32_t tool_count;
    uint32_t tools[AGENT_TOOLS_MAX_SIM];     /* places: SITE_OK, SITE_PERMANENT; 0: a child run */
    uint32_t children[AGENT_TOOLS_MAX_SIM];  /* of that program */
    uint32_t approvals[AGENT_TOOLS_MAX_SIM]; /* places; 0: nobody is asked */
};

/** A call that the model asks for. */
struct agent_call {
    uint32_t tool; /* of the plan; its `tool_count`: there is none of that name */
    int64_t n;
};
struct agent_call agent_call_of(const struct agent_plan *plan, uint32_t turn, uint32_t number,
                                int64_t n);

/** What comes of it, in words and as a number. */
enum agent_outcome { AGENT_UNKNOWN, AGENT_REFUSED, AGENT_FAILED, AGENT_ANSWERED };
enum agent_outcome agent_outcome_of(const struct programs *programs, const struct agent_plan *plan,
                                    const struct agent_call *call, int64_t *ret_value);

/** The number after a turn. */
int64_t agent_turn_of(const struct programs *programs, const struct agent_plan *plan, uint32_t turn,
                      int64_t n);

/** Prints the task, a `try` around it included; without braces and name. */
void agent_print(const struct programs *programs, const struct node *node, struct buf *out);

/** Interprets it, adds to the tallies, and to the children of `result`. */
void agent_run(const struct programs *programs, const struct node *node, struct tally *tallies,
               enum extent extent, struct result *result, int64_t *n);

#endif
