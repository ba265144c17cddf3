/**
 * job_room: how long the answer to a job may be for what is set aside for it.
 *
 * What a job may cost comes with its lease (BudgetRoom). An answer that outgrows it draws more of
 * its budgets (worker_draw()), a step at a time, and is stopped in the middle where there is none.
 *
 * Pure functions: any thread.
 */
#ifndef LLM_PROXY_JOB_ROOM_H
#define LLM_PROXY_JOB_ROOM_H

#include "job.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

enum { JOB_ROOM_STEP = 4'096 /* tokens; as many as are set aside for an answer of any length */ };

/** Tokens of the answer that fit beside the input; `room` NULL: anything; `price`: of the dearest
 * model that may answer, NULL: nobody knows. -1: any number. */
int64_t job_room_output(const Pb__BudgetRoom *room, int64_t input_tokens,
                        const Pb__ModelPrice *price);

/** Says whether an answer of so many tokens at most (-1: it does not say) could outgrow it. */
bool job_room_is_tight(int64_t room, int64_t output_tokens);

#endif
