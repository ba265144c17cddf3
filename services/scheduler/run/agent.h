/**
 * agent: the state of `agent.run` and what follows from it; decide/agent_plan.h is how it starts.
 *
 * The conversation is part of the run. A turn is one task that asks the model and, for each call it
 * asks for, one task that makes it (and one before that asks a person, where the tool wants it).
 * They stand in lists of one, of kind SCOPE_AGENT, whose index says what they are:
 *
 *     index = turn * AGENT_STRIDE            the model      <reference>/turns/<turn>/model
 *           + 1 + 2 * k                      an approval    .../turns/<turn>/tools/<k>/approval
 *           + 2 + 2 * k                      a call         .../turns/<turn>/tools/<k>
 *     behind those of all turns, + k           a listing      <reference>/listings/<k>
 *
 * Before the first turn each MCP server among the tools is asked which ones it has; what is made of
 * it (decide/agent_servers.h) comes with the event that begins the turn, and is part of the plan.
 *
 * Two events move it besides those of its tasks: "agent.calls", what a turn asks for, and
 * "agent.turn", which takes the results into the conversation. What a model is asked is made from
 * the state when its job is leased (agent_turn_arguments()), so that the journal grows with new
 * messages and not with the square of the turns.
 *
 * For the files of the core only.
 */
#ifndef SCHEDULER_AGENT_H
#define SCHEDULER_AGENT_H

#include "base/buf.h"
#include "scheduler/run/agent_said.h"
#include "scheduler/run/state.h"

#include <assert.h>

enum {
    AGENT_STRIDE   = 512,                            /* indexes of a turn */
    AGENT_LISTINGS = AGENT_TURNS_MAX * AGENT_STRIDE, /* the first of them */
    AGENT_NO_TURN  = UINT32_MAX,                     /* before the first */
};
static_assert(AGENT_STRIDE > 2 * AGENT_CALLS_MAX + 2);

struct agent {
    uint32_t turn;           /* under way, from 0; AGENT_NO_TURN */
    uint32_t repairs;        /* turns that asked for a better shape of the answer */
    struct agent_said *said; /* the conversation, but for the answer of this turn; owned */
    uint32_t said_count, said_capacity;
    json calls; /* array: what this turn asks for; invalid: the model has not answered */
    json log;   /* array {name, arguments, error?}: what turns before asked for */
    struct usage usage;
};

struct agent *agent_new(void);
void agent_free(struct agent *agent);

/** The conversation goes on. Takes the values of `said`. */
void agent_say(struct agent *agent, const struct agent_said *said);

/* --- its lists ---------------------------------------------------------------------------------
 */

enum agent_role { AGENT_MODEL, AGENT_APPROVAL, AGENT_CALL, AGENT_LISTING };

/** What the index of a list means. */
struct agent_step {
    uint32_t turn; /* AGENT_NO_TURN for a listing */
    enum agent_role role;
    uint32_t call; /* in the turn; 0 for the model; of a listing: the tool in the definition */
};
uint32_t agent_index(const struct agent_step *step);
struct agent_step agent_step_of(uint32_t index);

/** The list of that index; NULL: not there. */
struct scope *agent_scope(const struct run *run, const struct activation *activation,
                          uint32_t index);

/** The step that can start now; false: none can, all wait or are done. */
bool agent_next(const struct run *run, const struct activation *activation,
                struct agent_step *ret_step);

/** Whether the journal may say that this step starts with this task. Which tool a call means and
 * what an approver said is not asked: in an erased run it is gone. */
bool agent_may_open(const struct run *run, const struct activation *activation, uint32_t index,
                    task_index task);

/** The task that a step of this turn starts. */
task_index agent_task(const struct run *run, const struct activation *activation,
                      const struct agent_step *step);

/** Its input. Owned. */
json agent_input_new(const struct run *run, const struct activation *activation,
                     const struct agent_step *step);

/** Appends what comes behind the agent's own reference: "/turns/0/tools/1". */
void agent_step_put(uint32_t index, struct buf *out);

/* --- the conversation --------------------------------------------------------------------------
 */

/** The arguments of `llm.chat` for the turn under way. Owned. */
json agent_turn_arguments(const struct activation *activation);

/** What the model is sent: an array. Owned. */
json agent_messages_new(const struct agent *agent);

/** Tokens that a turn costs at least which is sent these messages. */
int64_t agent_turn_tokens(json messages);

/** The arguments that a call is made with, as the model or an approver gave them, and those that
 * the definition fixes. Owned. */
json agent_arguments_new(const struct run *run, const struct activation *activation, uint32_t call);

/** An array with what the model's answer asks for: {id, name, tool, arguments, error?, offer?};
 * `tool`: in the definition, -1: there is none of that name; `offer`: of a server's tool, its place
 * in the plan. What is no valid call has an `error` instead of a job. Owned. */
json agent_calls_new(const struct activation *activation, json answer, struct arena *scratch);

/** The same as the journal keeps it, and back: without what the answer says, whose calls they are.
 * Owned. Calls that are whole already stay as they are. */
json agent_calls_kept_new(json calls);
json agent_calls_whole_new(const struct run *run, const struct activation *activation, json kept);

/** The model's answer in the turn under way; JSON_INVALID: there is none yet. */
json agent_answer(const struct run *run, const struct activation *activation);

/** Takes what the calls of a turn have come to into the conversation and the log. */
void agent_results_take(const struct run *run, struct activation *activation);

/** The same as it is shown, before it is taken: {messages: [...], log: [...]}. Owned. */
json agent_results_new(const struct run *run, const struct activation *activation);

/* --- the output --------------------------------------------------------------------------------
 */

/** What the last answer says: its text, or the value in it if it must have a shape, which is not
 * looked at here. Owned. INVALID_ARGUMENT: there is no value in it. */
status agent_content(const struct activation *activation, json answer, json *ret_content,
                     struct error *reterr);

/** The agent's output as the journal keeps it, and back: without `content` and `tool_calls`, the
 * log. Owned. */
json agent_output_kept_new(json output);
json agent_output_whole_new(const struct run *run, const struct activation *activation, json kept);

#endif
