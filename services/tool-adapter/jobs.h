/** jobs: jobs of the queue `tools`, from the lease to the report. On the worker's loop. */
#ifndef TOOL_ADAPTER_JOBS_H
#define TOOL_ADAPTER_JOBS_H

#include "http/http.h"
#include "tool-adapter/measures.h"
#include "worker/worker.h"

struct jobs;

/** Owned: jobs_freep(); borrows the others. */
struct jobs *jobs_new(struct http_client *http, struct loop *loop, struct measures *measures);
void jobs_freep(struct jobs **jobs);

/** The callbacks of the worker. `context` is a struct jobs. */
void jobs_run(struct worker_job *job, void *context);
void jobs_cancel(struct worker_job *job, void *context);

#endif
