/** job_policy: how often a job is tried, how long an attempt may take, and what a failure means. */
#ifndef SCHEDULER_JOB_POLICY_H
#define SCHEDULER_JOB_POLICY_H

#include "scheduler/decide/retry_rule.h"

/** What a task's job goes by: a rule of the workflow (E8), the job default, or neither. */
struct job_policy {
    const struct retry_rule *rule;
    const struct retry_plan *plan; /* transient errors only, unless is_for_all */
    bool is_for_all;
};

/** `is_undo`: its job is part of a compensation. */
struct job_policy job_policy_of(const struct decide_env *env, const struct task *task,
                                bool is_undo);

/** Attempts in all; 0: no limit. */
uint32_t job_attempts_max(const struct job_policy *policy);

/** How long an attempt may take unless a rule says otherwise. */
int64_t job_attempt_timeout_default(const struct decide_env *env);

/** How long an attempt may take, from lease to answer. Fails as scene_eval() does. */
status job_attempt_timeout(struct scene *scene, const struct job_policy *policy, int64_t *ret_us,
                           json *ret_error);

/** What the run may still spend: OK, or the error to raise in `*ret_error`. */
status job_check_budget(const struct run *run, const struct task *task, json *ret_error);

/** What is left of it, for a child run; 0: no limit. Only of a run that may spend something. */
void job_budget_left(const struct run *run, int64_t *ret_usd_nanos, int64_t *ret_tokens);

#endif
