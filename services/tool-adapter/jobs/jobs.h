/** jobs: jobs of the queue `tools`, from the lease to the report. On the worker's loop. */
#ifndef TOOL_ADAPTER_JOBS_H
#define TOOL_ADAPTER_JOBS_H

#include "http/http.h"
#include "tool-adapter/call/measures.h"
#include "tool-adapter/call/tool_job.h"
#include "tool-adapter/files/file_desk.h"
#include "tool-adapter/peers/mcp_client.h"
#include "tool-adapter/peers/mcp_stdio.h"
#include "worker/worker.h"

struct jobs;

/** All borrowed. */
struct jobs_options {
    const uint8_t *audit_key; /* as of struct writes_of; borrowed */
    struct http_client *http;
    struct loop *loop;
    struct measures *measures;
    struct tool_jobs *tools;
    struct file_desk *files; /* whose files are parts of forms */
    struct tokens *tokens;
    struct mcp_client *mcp;
    struct mcp_stdio *stdio;
};

struct jobs *jobs_new(const struct jobs_options *options); /* owned */
void jobs_freep(struct jobs **jobs);

/** The callbacks of the worker. `context` is a struct jobs. */
void jobs_run(struct worker_job *job, void *context);
void jobs_cancel(struct worker_job *job, void *context);

#endif
