/**
 * job_arguments: what a job's worker gets as its input.
 *
 * A task that names secrets has two forms of it: the one that is stored, with `***` in their place,
 * and the one that is sent, which is made anew for each lease and exists nowhere else.
 */
#ifndef SCHEDULER_JOB_ARGUMENTS_H
#define SCHEDULER_JOB_ARGUMENTS_H

#include "scheduler/decide/scene.h"

/** The form that is stored. Of a task that sends secrets the other form is made too, and thrown
 * away, so that what is wrong with it shows when the job is scheduled. Owned. */
status job_arguments_stored(struct scene *scene, json *ret_value, json *ret_error);

/** The form that is sent. `placeholder`: stands for the parameter of `$authorization` where only
 * the worker learns it (OAuth2); a text that nobody can guess. `stored`: the other form, which pins
 * what both must agree on (the version of an assistant); JSON_INVALID: none. Owned. */
status job_arguments_sent(struct scene *scene, str placeholder, json stored, json *ret_value,
                          json *ret_error);

/** An output or error of the task's job with the secrets of its workflow hidden; itself if the task
 * sends none. Owned. */
json job_value_masked(const struct run *run, const struct decide_env *env, const struct task *task,
                      json value);

#endif
