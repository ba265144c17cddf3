/**
 * check: what must hold after every commit, and what must have come of it at the end.
 *
 *   I1  every acknowledged start, signal, decision is in the journal, exactly once
 *   I2  the entries of a partition and the events of a run are numbered without gaps
 *   I3  folding the journal gives the stored state, bit for bit: from its first entry, from the
 *       snapshot, and in the engine's memory; and the rows that say the same in other words
 *   I4  a final state is reached once, and nothing follows it
 *   I5  every started task ends
 *   I6  compensations run in reverse order of completion, each with one accepted completion
 *   I7  no timer fires early, and none is late while the engine turns
 *   I8  one valid lease per job; an old token changes nothing (worker.c looks at each step)
 *   I11 what queues count is what is there
 *   I12 every acknowledged start is recorded in the audit log, once (sim_audit.c)
 */
#ifndef SIMULATOR_CHECK_H
#define SIMULATOR_CHECK_H

#include "scheduler/run/run.h"
#include "sim.h"

enum { REDRIVES_MAX = 256 };

/** All runs together, counted anew by each check. */
struct census {
    struct tally tallies[SITES_MAX];
    struct map *signals; /* id of a signal's event -> anything */
    size_t runs, timers, jobs;
    size_t scheduled;                  /* runs, of them */
    int64_t redrives_us[REDRIVES_MAX]; /* by the rule, of the partition that is looked at */
    size_t redrive_count;
};

/** What the journal of one run says. */
struct story {
    struct sim *sim;
    struct census *census;
    const struct plan *plan; /* NULL: a child run */
    bool is_told;            /* every event goes to the trace */
    uint64_t sequence;
    int64_t time_us;
    bool has_ended;
    struct map *jobs; /* open ones: id -> struct story_job */
    int64_t tasks_open, jobs_open;
    bool is_given_up;                /* the last that happened to it: it faulted on a late call */
    char given_up[ID_LEN + 1];       /* its job */
    int64_t given_up_us, tasks_left; /* when, and the tasks that were open then */
    size_t doubts;                   /* calls that are not undone, since nobody knows of them */
    uint32_t undone[UNDOS_MAX];
    size_t undone_count;
    bool is_final;
    uint64_t heard[RECEIVERS_MAX]; /* when the last of its events came to each of them */
};

struct story story_begin(struct sim *sim, struct census *census, const struct plan *plan);
void story_done(struct story *story);

/** The visitor of a run's events; `context` is a struct story. */
void story_event(const struct run *run, const struct event *event, void *context);

#endif
