/**
 * late_job: the answer to a job whose task ended without it, and that has to be undone (undo.h): a
 * worker has it, or it goes out again only to find out whether an earlier attempt has done it. The
 * commands of run.h by which jobs answer come here for such a job.
 */
#ifndef SCHEDULER_LATE_JOB_H
#define SCHEDULER_LATE_JOB_H

#include "scheduler/decide/decide.h"

/** NOT_FOUND: nothing awaits that job. */
status late_job_completed(struct run *run, const struct decide_env *env,
                          const struct job_completion *command, struct event_list *events,
                          struct error *reterr);

/** The same. An attempt of which nobody knows what it has done undoes nothing: that becomes a dead
 * letter, and the rest is undone. */
status late_job_failed(struct run *run, const struct decide_env *env,
                       const struct job_failure *command, struct event_list *events,
                       struct error *reterr);

/** The calls that undo what a job of `activation` did that fails so: the part of it that is done,
 * by this attempt or one before, and, unless `settles`, that nobody knows of the rest. Owned;
 * JSON_INVALID: nothing is known to be done, or it is not to be undone. */
json late_job_part_new(const struct run *run, const struct activation *activation,
                       const struct job_failure *failure, json error, bool settles);

/** Says whether a job that fails so, and is not tried again, goes out to find out what it has done:
 * its task has to be undone if it has. */
bool late_job_settles(const struct run *run, const struct activation *activation,
                      const struct job_failure *failure);

/** Its job was cancelled, and nobody has it, but an attempt that was never answered for may have
 * done it. */
void late_job_doubt(struct decision *decision, const struct task *task, const struct id *job);

/** What a task puts out for what undoes it if nobody takes its `answer`: what `output.as` makes of
 * that, or the answer itself where that fails. Owned. */
json late_output_new(struct scene *scene, json answer);

/** Says whether its worker can find out what has become of a late job. */
bool late_job_can_settle(const struct run *run, str job);

/** The run ends: whatever is still awaited will not be undone, and whoever has it is to stop. */
void late_jobs_drop(struct decision *decision);

#endif
