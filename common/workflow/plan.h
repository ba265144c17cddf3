/**
 * plan: what a workflow amounts to before it runs: its jobs, where they are queued, how often and
 * how long they are tried, and the time limits. For `validate`: people see what a default means.
 *
 *     {tasks, timeout?, defaults: {retry, timeout, heartbeat_timeout},
 *      jobs: [{task, function, queue, timeout, retry: {by, attempts?, delay?, backoff?, ...}}],
 *      timeouts: [{task, after}]}
 *
 * Times are ISO 8601 texts; one that a run computes is the expression itself. `retry.by`: "task"
 * (metadata.tutti.retry), "default" (E8), "try" (the `try` around it repeats), "nobody".
 *
 * Pure.
 */
#ifndef WORKFLOW_PLAN_H
#define WORKFLOW_PLAN_H

#include "workflow/retry.h"
#include "workflow/workflow.h"

/** What a service is configured to, and the tasks do not say. */
struct plan_defaults {
    const struct retry_plan *retry; /* of jobs (E8); NULL: retry_job_default */
    int64_t timeout_us;             /* of an attempt; 0: PLAN_TIMEOUT_US */
    int64_t heartbeat_us;           /* 0: PLAN_HEARTBEAT_US */
};

#define PLAN_TIMEOUT_US   INT64_C(600'000'000) /* defaults.job.timeout */
#define PLAN_HEARTBEAT_US INT64_C(180'000'000) /* defaults.job.heartbeat_timeout */

/** Owned. */
json plan_new(const struct workflow *workflow, const struct plan_defaults *defaults);

#endif
