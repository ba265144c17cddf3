/**
 * job_progress: how far jobs say they have come, for those who look on.
 *
 * A worker says so with a heartbeat; what it says last counts, and is gone with its lease, or with
 * the process. Nothing is decided by it, and nothing of it is in the journal.
 *
 * Threads: any; one mutex, held for copying only. Limits: JOB_PROGRESS_MAX jobs at a time (what
 * further ones say is passed over), JOB_PROGRESS_SIZE_MAX bytes of each.
 */
#ifndef SCHEDULER_JOB_PROGRESS_H
#define SCHEDULER_JOB_PROGRESS_H

#include "base/arena.h"
#include "base/id.h"
#include "job.pb-c.h"
#include "run.pb-c.h"

enum {
    JOB_PROGRESS_MAX       = 20'000,
    JOB_PROGRESS_SIZE_MAX  = 4 << 10, /* bytes of JSON */
    JOB_PROGRESS_SHOWN_MAX = 1'000,   /* of a run at a time */
};

struct job_progress;

/** Owned: job_progress_free(). */
struct job_progress *job_progress_new(void);
void job_progress_free(struct job_progress *progress);

/** A job that has said nothing yet has to be added before it can. */
bool job_progress_knows(struct job_progress *progress, const struct id *job);
void job_progress_add(struct job_progress *progress, const Pb__LeasedJob *job);

/** What it says, in place of what it said before. False: the same as before, too much, or it is not
 * known. */
bool job_progress_say(struct job_progress *progress, const struct id *job, str text,
                      int64_t now_us);

/** Its worker has it no more. Nothing happens if it is not known. */
void job_progress_drop(struct job_progress *progress, const struct id *job);
void job_progress_clear(struct job_progress *progress); /* of all */

/** What it says, in the arena; empty: nothing, or there is no memory. */
str job_progress_of(struct job_progress *progress, str job, struct arena *arena);

/** What jobs of a run have said with a number above `after`, by their numbers, in the arena; of
 * more than JOB_PROGRESS_SHOWN_MAX those that have spoken last are left out: they are asked for
 * with the last number. Returns how many there are. */
size_t job_progress_of_run(struct job_progress *progress, str run, uint64_t after,
                           struct arena *arena, Pb__JobProgress ***ret_jobs);

#endif
