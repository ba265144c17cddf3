/** job_secrets: jobs that send secrets: what their worker gets, and what is shown of it. */
#ifndef SCHEDULER_JOB_SECRETS_H
#define SCHEDULER_JOB_SECRETS_H

#include "scheduler/engine/engine_internal.h"

/** Replaces the job's input by the one that is sent, with its secrets. `*ret_filled` false: that
 * cannot be made, and the job has failed. */
status engine_fill_secrets(struct engine *engine, struct open_job *job, Pb__JobRecord *record,
                           struct arena *arena, bool *ret_filled, struct error *reterr);

/** What the worker says of a job, which is JSON, without the secrets that it is sent; in the arena
 * of the turn. Empty: it cannot be made out. */
status engine_hide_secrets(struct engine *engine, const struct open_job *job, str said,
                           str *ret_hidden, struct error *reterr);

#endif
