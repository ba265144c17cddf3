/** agent_child: workflows as tools of an agent. What such a tool takes, and which version `latest`
 * is, is asked once, when the agent starts, and stands in its plan; a call of it is a child run. */
#ifndef SCHEDULER_AGENT_CHILD_H
#define SCHEDULER_AGENT_CHILD_H

#include "scheduler/decide/child.h"
#include "scheduler/decide/scene.h"

/** Asks about the workflow of a tool of the scene's agent; for others `*ret_description` is empty.
 * Fails as scene_eval() does: `configuration` if there is none. */
status agent_child_describe(struct scene *scene, const struct agent_tool *tool,
                            struct child_description *ret_description, json *ret_error);
void child_description_done(struct child_description *description);

/** The version that the agent of the scene's task, a call of such a tool, goes by: a text, owned;
 * JSON_INVALID: the task is no tool of its agent. */
json agent_pinned_version_new(const struct scene *scene);

#endif
