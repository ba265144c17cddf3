/**
 * job_output: what models say in jobs, while they say it, for those who follow the runs.
 *
 * A job that streams has an output, which keeps what was said until the job is over, so that who
 * begins to listen in the middle hears it from the beginning. A listener is a gateway that follows
 * a run: it gets a line per piece of text,
 *
 *     <job>:<bytes so far> {"job": ..., "task": ..., "attempt": 1, "offset": 0, "text": "..."}
 *
 * and, if it has not taken what came before in time, one that says so: `!` in front, and no text.
 * Nothing of this is durable; the whole text is in the job's result. Above JOB_OUTPUT_MAX bytes an
 * output falls silent, with such a line.
 *
 * Threads: the loop's.
 */
#ifndef LLM_PROXY_JOB_OUTPUT_H
#define LLM_PROXY_JOB_OUTPUT_H

#include "llm-proxy/answers/recording.h"
#include "worker/worker.h"

enum { JOB_OUTPUT_MAX = 8 << 20, JOB_LISTENERS_MAX = 10'000 };

struct job_outputs;
struct job_output;

struct job_outputs *job_outputs_new(void); /* owned; when its listeners are gone: */
void job_outputs_freep(struct job_outputs **outputs);

/** The output of a job that begins, which is borrowed. Owned: job_output_free(), before it ends. */
struct job_output *job_output_new(struct job_outputs *outputs, const struct worker_job *job);
void job_output_free(struct job_output *output); /* NULL is fine */

void job_output_say(struct job_output *output, str text);

/** A listener to all jobs of a run, under a number of the subscriber's, until it leaves. False: no
 * room. */
bool job_outputs_listen(struct job_outputs *outputs, struct recordings *recordings,
                        struct subscriber *subscriber, uint64_t number, const char *run);

#endif
