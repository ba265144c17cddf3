/** agent_tools: the tools of `agent.run`. Internal to this layer. */
#ifndef WORKFLOW_AGENT_TOOLS_H
#define WORKFLOW_AGENT_TOOLS_H

#include "workflow/catalog.h"

/** `tools`: a list in the definition; fills in `agent->tools`. */
void agent_tools_read(struct reader *reader, json value, struct agent_body *agent);

/** The tools of its assistant, behind those of the agent itself, which win over one of the same
 * name. An entry may be the name of a function alone. */
void agent_lent_tools_read(struct reader *reader, json value, struct agent_body *agent);

/** The assistant that the arguments `value` of the agent at hand name: it is pinned, with its tools
 * (agent_assistant.c). */
void agent_assistant_read(struct reader *reader, json value, struct agent_body *agent);

/** A task of the agent at hand, in no list of the document. Its reference is the agent's with
 * `before`, `name` and `after`; what it is called in a run, the engine knows. NULL after a finding.
 * (call_agent.c) */
struct task *agent_child_new(struct reader *reader, enum task_kind kind, const char *name,
                             const char *before, const char *after);

#endif
