/** agent_plan: what starts an agent (run/agent.h): the arguments of its whole loop. */
#ifndef SCHEDULER_AGENT_PLAN_H
#define SCHEDULER_AGENT_PLAN_H

#include "scheduler/decide/scene.h"

/** Evaluates `with`: what the whole loop goes by. `*ret_plan` is owned. Fails as scene_eval(). */
status agent_plan(struct scene *scene, json *ret_plan, json *ret_error);

/** A tool as the model is told of it, without the arguments that `fixed` has. Takes `name`. Owned.
 */
json agent_tool_new(json name, json description, json schema, json fixed);

#endif
