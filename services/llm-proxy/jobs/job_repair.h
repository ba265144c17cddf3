/**
 * job_repair: answers that do not have the shape that a job asks for are asked for again.
 *
 * The same conversation goes on with the answer and with what is wrong about it. In between the job
 * goes back to its queue and comes again at once: so each ask is paid before the next one, waits
 * for budgets, limits and breakers as any call does, ends with the task's deadline, and outlives
 * this process: what was said stands in the job's checkpoint. No attempt is burnt. After as many
 * more asks as the job says, or its route, the job fails. An attempt that follows a failed one
 * begins anew; one whose worker has died goes on.
 *
 * An answer that is too long for a checkpoint is not repaired.
 *
 * Threads: the loop's.
 */
#ifndef LLM_PROXY_JOB_REPAIR_H
#define LLM_PROXY_JOB_REPAIR_H

#include "llm-proxy/call/call.h"
#include "llm-proxy/chat/repair.h"
#include "worker/worker.h"

struct chat_job;

/** What asks before this one have left. Zeroed: nothing. */
struct job_repair {
    json said;       /* an array of {answer, problems}; owned, or JSON_INVALID */
    Pb__Usage usage; /* of all of them; it is charged already */
};

/** Reads it from the job's checkpoint, and has the conversation of its request go on with it. What
 * is none, or is of another attempt, counts as nothing. RESOURCE_EXHAUSTED: no memory. */
status job_repair_resume(struct chat_job *chat, struct error *reterr);
void job_repair_done(struct job_repair *repair);

/** How often it was asked for again. */
uint32_t job_repair_count(const struct job_repair *repair);

/** Hands the job back with an answer of the wrong shape, so that it is asked for again. False: it
 * was asked for often enough, or the answer is too long; the job goes on. */
bool job_repair_again(struct chat_job *chat, const struct llm_outcome *outcome, str answer);

/** Adds what was used before to what is shown of an answer. */
void job_repair_add(const struct job_repair *repair, Pb__Usage *usage);

#endif
