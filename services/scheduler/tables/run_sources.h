/**
 * run_sources: the runs that a list must look at, in the order of their ids.
 *
 * A plan chooses the ranges that hold all the runs a filter can mean and as few others as may be:
 * children of a run, a label, a workflow and its ends, ends; the runs that have not ended; or all
 * runs. Their ids are merged. A run may be in two of them; it comes once. The caller applies the
 * whole filter to what comes.
 *
 * Threads: whoever owns the transaction. Valid until it ends; changes of the tables by the same
 * transaction are seen or not.
 */
#ifndef SCHEDULER_RUN_SOURCES_H
#define SCHEDULER_RUN_SOURCES_H

#include "run.pb-c.h"
#include "scheduler/tables/record.h"

enum {
    RUN_SOURCES_MAX = 64 /* ranges that are merged; more namespaces than fit: all runs are read */
};

struct run_source {
    enum table table;
    struct key prefix; /* len 0: the whole table */
    struct cursor *cursor;
    struct id next;
    bool has_next;
};

struct run_sources {
    struct run_source items[RUN_SOURCES_MAX];
    size_t count;
    bool is_oldest_first;
    struct id last; /* returned */
};

/** What is asked. `namespace` "*": any. */
struct run_question {
    str namespace;
    const Pb__ListRuns *filter; /* its page is not looked at */
    str after;                  /* id: goes on behind it; empty: from the start */
};

/** Says whether a run is one of those that are asked for. Its row must know its status
 * (run_wire_add_head()). */
bool run_question_means(const struct run_question *question, const Pb__RunView *row);

/** Chooses and opens. Release: run_sources_done(), also after a failure. */
status run_sources_open(struct txn *txn, const struct run_question *question,
                        struct run_sources *ret_sources, struct error *reterr);
void run_sources_done(struct run_sources **sources); /* its own CLEANUP form */

/** `*ret_found` false: that was all. */
status run_sources_next(struct run_sources *sources, struct id *ret_run, bool *ret_found,
                        struct error *reterr);

#endif
