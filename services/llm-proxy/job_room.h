/**
 * job_room: how long the answer to a job may be before a budget of it is spent.
 *
 * What a job may cost at most comes with its lease: what is set aside for it, and what was left of
 * its budgets when it was let go. An answer that outgrows it is stopped in the middle. Calls that
 * go on at the same time have what was left all of them.
 *
 * Pure functions: any thread.
 */
#ifndef LLM_PROXY_JOB_ROOM_H
#define LLM_PROXY_JOB_ROOM_H

#include "job.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

/** Tokens of the answer that fit beside the input; `price`: of the dearest model that may answer,
 * NULL: nobody knows. -1: any number. */
int64_t job_room_output(const Pb__LeasedJob *leased, int64_t input_tokens,
                        const Pb__ModelPrice *price);

/** Says whether an answer of so many tokens at most (-1: it does not say) could outgrow it. */
bool job_room_is_tight(int64_t room, int64_t output_tokens);

#endif
