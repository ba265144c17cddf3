/**
 * spender: runs that call a model and the budgets that they draw from, over the rig's socket.
 *
 * Workflows that spender_begin() registers; each call of theirs may take SPENDER_CALL_TOKENS:
 *     one      a call
 *     once     the same without another attempt
 *     many     six calls at once
 *     tries    a call, and what is done where no budget is left
 *     family   six runs of `once` at once
 */
#ifndef SUPPORT_SCHEDULER_SPENDER_H
#define SUPPORT_SCHEDULER_SPENDER_H

#include "budget.pb-c.h"
#include "support/scheduler/rig.h"

enum { SPENDER_CALL_TOKENS = 96 };

/** The task of a workflow that calls the model. */
#define SPENDER_CHAT "call: llm.chat\n      with: {model: smart, prompt: hi, max_tokens: 91}\n"

/** Starts a scheduler, of which only `lease_ms` may be set, with the workflows. */
void spender_begin(struct rig *rig, uint16_t partitions, bool is_durable);

/** Sets a budget of the namespace `default`; `expected` is what must come back. */
void spender_put_budget(struct rig *rig, const char *name, const char *spec, status expected);
const Pb__BudgetView *spender_budget(struct rig *rig, const char *name);

/** Waits until a budget says so: questions and settlements of other partitions come a moment later.
 * `spent` and `reserved` are tokens. */
void spender_wait_for(struct rig *rig, const char *name, int64_t spent, int64_t reserved,
                      uint64_t waiting, uint64_t paused);

/** Client ids spread runs over the partitions. */
struct spender_id {
    char text[32];
};
struct spender_id spender_client_id(int number);

/** Starts a run as the key `key1`. `tokens`: what it may spend itself; 0: anything. `label`: that
 * of `team`, or NULL. Returns its id. */
const char *spender_start(struct rig *rig, const char *workflow, int number, int64_t tokens,
                          const char *label);

/** Completes a job that has used so much. `picos`: the price of a token; -1: nobody knows. Returns
 * the status of the report. */
uint32_t spender_done(struct rig *rig, const Pb__LeasedJob *job, int64_t tokens, int64_t nanos,
                      int64_t picos);

#endif
