/**
 * job_book: jobs of models, each answered once per idempotency key.
 *
 * It stands between the worker and what runs jobs (jobs.h). A job whose key has an answer already
 * is completed with that and never run; one whose key is being answered joins, and ends as that
 * does, but that it goes back to the queue if that fails. What a job is completed with is on the
 * disk before the scheduler hears of it (answers.h): if the process dies in between, the next
 * attempt of the same job finds it. A failure is not kept; a key that comes with another request is
 * refused. Who may have been with another llm-proxy before is looked for there first (peers.h).
 *
 * Money: the answer is charged to the job that has bought it, in whichever attempt, also if it is
 * cancelled while the answer is being written: it is completed all the same, which the scheduler
 * takes as long as the job is open. With the answer goes the lease under which it was bought, so
 * that it is charged once if that lease is lost and both holders report. A call that is cancelled
 * with its last job, or handed back, says with that what it has cost until then. Other jobs under
 * the same key are charged nothing.
 *
 * Threads: the loop's.
 */
#ifndef LLM_PROXY_JOB_BOOK_H
#define LLM_PROXY_JOB_BOOK_H

#include "llm-proxy/answers/answers.h"
#include "llm-proxy/peers/peers.h"
#include "worker/worker.h"

struct job_book;

/** Who runs them: as the functions of struct worker_options; a job ends by a function of below. All
 * is borrowed. */
struct job_book_options {
    struct answers *answers;
    struct peers *peers; /* NULL: nobody else is asked */
    void (*run)(struct worker_job *job, void *context);
    void (*cancel)(struct worker_job *job, void *context); /* ends it at once */
    void *context;
};

struct job_book *job_book_new(const struct job_book_options *options); /* owned */

/** After answers_stop() and the worker's stop. Jobs under way are forgotten. */
void job_book_freep(struct job_book **book);

/** For the worker. */
void job_book_run(struct job_book *book, struct worker_job *job);
void job_book_cancel(struct worker_job *job);

/** The process does not wait for its calls any more: they are cancelled, and all jobs handed back
 * with what has been used, but for those whose answers are being written. */
void job_book_cut(struct job_book *book);

/** As worker_draw(), of a job that was given to `run`: for whoever pays. */
void job_draw(struct worker_job *job, int64_t output_tokens, const Pb__ModelPrice *price,
              worker_drawn_fn *drawn, void *context);

/* Each takes a job that was given to `run`, and means what that of the worker does. */
void job_complete(struct worker_job *job, const Pb__JobCompleted *completed);
void job_fail(struct worker_job *job, const Pb__JobFailed *failed);
void job_release(struct worker_job *job, int64_t not_before_us, const char *reason);
void job_hand_back(struct worker_job *job, const Pb__JobReleased *released);

#endif
