/**
 * job_asks: a job whose call needs a word from a person: the job is handed back with the question,
 * and comes again with the answer.
 *
 * Threads: the worker's loop.
 */
#ifndef TOOL_ADAPTER_JOB_ASKS_H
#define TOOL_ADAPTER_JOB_ASKS_H

#include "tool-adapter/connections/engine.h"
#include "worker/worker.h"

enum { JOB_ASKED_MAX = 128 << 10 /* bytes of what is noted with a question */ };

struct job_asks {
    struct respondent respondent; /* for the call; what it points to lives as long as this */
    bool has_somebody;            /* somebody can be asked */
    json asked, answer;           /* of the round before; owned */
    json question, noted;         /* of this one; owned */
};

/** Nobody is asked by what undoes something, or only finds something out. job_asks_done(). */
void job_asks_init(struct job_asks *asks, const Pb__LeasedJob *leased);
void job_asks_done(struct job_asks *asks);

/** Whom the call may ask; NULL: nobody. */
const struct respondent *job_asks_respondent(const struct job_asks *asks);

/** Hands the job back if there is a question, which is `shown` without the secrets of the call,
 * with what models have cost until then (NULL: nothing). False: there is none. */
bool job_asks_report(const struct job_asks *asks, json shown, const Pb__Usage *usage,
                     struct worker_job *job);

#endif
