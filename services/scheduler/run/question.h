/**
 * question: a call whose worker cannot go on until a person has said something: a server asked for
 * it. Its job stays open, and nobody has it; the task waits, with an approval beside the job.
 *
 * However the approval ends, the job is queued again: answered, it goes on with what was said; else
 * whatever has ended the approval ends the job next.
 */
#ifndef SCHEDULER_RUN_QUESTION_H
#define SCHEDULER_RUN_QUESTION_H

#include "scheduler/run/state.h"

/** Says whether the task's job waits for a person. */
bool task_is_asking(const struct run *run, const struct activation *activation);

/** The task whose job waits so; NULL: no such job does. Looks at all tasks: for rare commands. */
struct activation *asking_activation(const struct run *run, str job);

/** For run_apply(): events of the approvals of calls. */
status apply_question(struct run *run, struct activation *activation, struct event *event,
                      struct error *reterr);

#endif
