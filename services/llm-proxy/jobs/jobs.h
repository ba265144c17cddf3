/**
 * jobs: jobs of the queue `llm`, from their request to what they are completed with. That each of
 * them is answered once is seen to by job_book.h.
 *
 * `llm.chat` takes model, messages or prompt, system, json or schema, tools and OpenAI's sampling
 * members, and answers {content, message, tool_calls, finish_reason, model, usage}. With json or
 * schema, `content` is the parsed value; a wrong shape is asked for again (job_repair.h), and is a
 * `validation` error in the end.
 *
 * Threads: everything on the loop of the worker.
 */
#ifndef LLM_PROXY_JOBS_H
#define LLM_PROXY_JOBS_H

#include "llm-proxy/call/call.h"
#include "llm-proxy/jobs/job_output.h"
#include "worker/worker.h"

struct jobs;

/** `outputs`: where what chats say goes while they say it; they are streamed then. NULL: nowhere.
 * All is borrowed; owned. */
struct jobs *jobs_new(struct pipeline *pipeline, struct job_outputs *outputs);

/** New jobs go through this one from now on. */
void jobs_use(struct jobs *jobs, struct pipeline *pipeline);
void jobs_freep(struct jobs **jobs);

/** What job_book.h runs; their context is a struct jobs. */
void jobs_run(struct worker_job *job, void *context);
void jobs_cancel(struct worker_job *job, void *context);

#endif
