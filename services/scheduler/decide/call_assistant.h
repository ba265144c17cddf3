/** call_assistant: assistants in calls. What the store says is read once, when a task needs it, and
 * journalled with the job's arguments or the task's output: so a run is pinned to what it got. */
#ifndef SCHEDULER_CALL_ASSISTANT_H
#define SCHEDULER_CALL_ASSISTANT_H

#include "scheduler/decide/scene.h"

/** If the arguments of `llm.chat` name an assistant, they become such that need none
 * (assistant_apply()). Fails as scene_eval() does. */
status call_assistant(struct scene *scene, json *arguments, json *ret_error);

/** "name:version", owned. */
json assistant_reference_new(str name, uint32_t version);

/** The definition that the text `reference` ("name", "name:3") names; `*ret_pinned` is
 * "name:version". Both are owned. */
status assistant_find(struct scene *scene, json reference, json *ret_definition, json *ret_pinned,
                      json *ret_error);

/** `assistant.list` with {label?}: {assistants: [...]}. Owned. */
status assistant_list(struct scene *scene, json with, json *ret_output, json *ret_error);

#endif
