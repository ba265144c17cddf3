/**
 * run_output: `job.output` in the stream of a run's events: what models say, while they say it.
 *
 * Its frames go between those of the journal, whose place their ids carry. A client that does not
 * take them in time misses some, and is told by an event `gap`; the whole text is in the result of
 * the job. Nothing waits for this.
 *
 * Threads: the home loop.
 */
#ifndef GATEWAY_RUN_OUTPUT_H
#define GATEWAY_RUN_OUTPUT_H

#include "gateway/api/api.h"

enum { RUN_OUTPUT_UNSENT_MAX = 64 << 10 /* bytes */ };

struct run_output;

/** For a call whose stream has begun; `position` is that of the last event it was sent. Both are
 * borrowed. Owned: run_output_free(). */
struct run_output *run_output_new(struct api_call *call, const char *run, const uint64_t *position);
void run_output_free(struct run_output *output); /* NULL is fine, as below */

/** The run has moved: llm-proxies that were not reached are asked again. */
void run_output_ask(struct run_output *output);

/** The client has taken what there was. */
void run_output_resume(struct run_output *output);

#endif
