/**
 * jobs: jobs of the queue `llm`, from the lease to the report.
 *
 * `llm.chat` takes model, messages or prompt, system, json or schema, tools and OpenAI's sampling
 * members, and answers {content, message, tool_calls, finish_reason, model, usage}. With json or
 * schema, `content` is the parsed value; a wrong shape is a `validation` error.
 *
 * Threads: everything on the loop of the worker.
 */
#ifndef LLM_PROXY_JOBS_H
#define LLM_PROXY_JOBS_H

#include "llm-proxy/call.h"
#include "worker/worker.h"

struct jobs;

struct jobs *jobs_new(struct pipeline *pipeline, const struct catalog *catalog); /* owned */
void jobs_freep(struct jobs **jobs);

/** The callbacks of the worker; their context is a struct jobs. */
void jobs_run(struct worker_job *job, void *context);
void jobs_cancel(struct worker_job *job, void *context);

#endif
