#include "scheduler/decide/job_policy.h"

#include <stdio.h>

#define SECOND_US INT64_C(1'000'000)

enum { HTTP_PAYMENT_REQUIRED = 402 };

/* docs/guide/sagas.md. Whatever the error is: what was done must not stay because of a bad day. */
static const struct retry_plan retry_of_compensations = {
    .backoff            = BACKOFF_EXPONENTIAL,
    .delay_us           = SECOND_US,
    .multiplier_percent = 200,
    .delay_max_us       = 60 * SECOND_US,
    .jitter_from_us     = 0,
    .jitter_to_us       = SECOND_US,
    .retries_max        = 10,
};

static const int64_t attempt_timeout_default_us = 600 * SECOND_US;

struct job_policy job_policy_of(const struct decide_env *env, const struct task *task, bool is_undo)
{
    bool is_own = task->has_own_retry && is_undo == task->is_compensation;
    if (is_own) return (struct job_policy){.rule = task->retry};
    if (is_undo) return (struct job_policy){.plan = &retry_of_compensations, .is_for_all = true};
    if (!task->call.has_default_retry) return (struct job_policy){};
    const struct retry_plan *plan = env->limits.job_retry;
    return (struct job_policy){.plan = plan ? plan : &retry_job_default};
}

uint32_t job_attempts_max(const struct job_policy *policy)
{
    uint32_t retries_max = 0;
    if (policy->rule) retries_max = policy->rule->retries_max;
    if (policy->plan) retries_max = policy->plan->retries_max;
    return retries_max + 1; /* UINT32_MAX, no limit, becomes 0 */
}

int64_t job_attempt_timeout_default(const struct decide_env *env)
{
    int64_t timeout_us = env->limits.attempt_timeout_us;
    return timeout_us > 0 ? timeout_us : attempt_timeout_default_us;
}

status job_attempt_timeout(struct scene *scene, const struct job_policy *policy, int64_t *ret_us,
                           json *ret_error)
{
    int64_t timeout_us = job_attempt_timeout_default(scene->env);
    if (policy->rule) {
        int64_t own_us = 0;
        TRY(scene_duration(scene, &policy->rule->attempt_duration, &own_us, ret_error));
        if (own_us > 0 && own_us < timeout_us) timeout_us = own_us;
    }
    *ret_us = timeout_us;
    return STATUS_OK;
}

status job_check_budget(const struct run *run, const struct task *task, json *ret_error)
{
    bool is_costly =
        run->budget_usd_nanos > 0 && run->usage.cost_usd_nanos >= run->budget_usd_nanos;
    bool is_wordy = run->budget_tokens > 0 && usage_tokens(&run->usage) >= run->budget_tokens;
    if (!is_costly && !is_wordy) return STATUS_OK;

    *ret_error = error_own_new("budget", HTTP_PAYMENT_REQUIRED, "Budget exceeded",
                               str_from(is_costly ? "the run has spent its budget of money"
                                                  : "the run has spent its budget of tokens"),
                               str_from(task->reference));
    return STATUS_RESOURCE_EXHAUSTED;
}

void job_budget_left(const struct run *run, int64_t *ret_usd_nanos, int64_t *ret_tokens)
{
    *ret_usd_nanos = 0;
    *ret_tokens    = 0;
    if (run->budget_usd_nanos > 0) {
        *ret_usd_nanos = run->budget_usd_nanos - run->usage.cost_usd_nanos;
    }
    if (run->budget_tokens > 0) *ret_tokens = run->budget_tokens - usage_tokens(&run->usage);
}
