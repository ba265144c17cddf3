/**
 * tool_job: jobs that call functions of adapters, from the lease to the report.
 *
 * A function or version that this replica lacks is handed back: another one may have it. An answer
 * that says when it wants to be asked again holds the target until then, and the job goes back
 * without having burnt an attempt. Cancelling ends the request under way; what a cancelled write
 * has done by then stays.
 *
 * Threads: belongs to the loop.
 */
#ifndef TOOL_ADAPTER_TOOL_JOB_H
#define TOOL_ADAPTER_TOOL_JOB_H

#include "tool-adapter/call/measures.h"
#include "tool-adapter/call/tool_call.h"
#include "worker/worker.h"

struct tool_jobs;

struct tool_jobs_options {
    struct exchange_means means; /* what it points to is borrowed */
    struct toolbox *toolbox;     /* borrowed; a reference is kept */
    struct measures *measures;   /* borrowed */
};

struct tool_jobs *tool_jobs_new(const struct tool_jobs_options *options); /* owned */
void tool_jobs_freep(struct tool_jobs **jobs);

/** From now on calls use this one; those under way keep theirs. On the loop; borrows, and keeps a
 * reference. */
void tool_jobs_use(struct tool_jobs *jobs, struct toolbox *toolbox);

/** Says whether a job is one of these: its function has a point in its name. */
bool tool_job_is(const Pb__LeasedJob *leased);

/** Callbacks of the worker. */
void tool_jobs_run(struct tool_jobs *jobs, struct worker_job *job);
void tool_jobs_cancel(struct tool_jobs *jobs, struct worker_job *job);

#endif
