/*
 * played_scheduler: jobs and the topology as a scheduler tells them, for tests of workers. What it
 * says is decided by the test, and what it was told is counted.
 *
 * Every answer is made on the library's threads; the test looks and changes under the mutex, or
 * while nobody asks.
 */
#ifndef SUPPORT_WORKER_PLAYED_SCHEDULER_H
#define SUPPORT_WORKER_PLAYED_SCHEDULER_H

#include "rpc/rpc.h"

#include <pthread.h>

enum { PLAYED_TEXT_MAX = 256 };

struct played_scheduler {
    char url[64];
    struct rpc_server *server;

    pthread_mutex_t mutex;       /* guards what follows */
    unsigned topologies_refused; /* so many still: it has just begun */

    /* Polls. */
    struct rpc_call *parked;
    unsigned to_lease; /* jobs that the next Lease takes */
    const char *job_id;
    const char *next_token; /* NULL: "token" */
    unsigned leased;
    unsigned polls, last_count_max;

    /* Heartbeats. */
    status (*heartbeat)(struct rpc_call *call, struct error *reterr,
                        void *context); /* NULL: as follows */
    void *context;
    unsigned beats, beaten_jobs;
    char progress[PLAYED_TEXT_MAX]; /* what the last beat with one said */
    bool says_cancel, says_lost;
    bool beats_wait;        /* their answers stay away */
    struct rpc_call *beat;  /* the one that waits */
    const char *lost_token; /* whatever comes with it is lost */
    unsigned tellings;      /* beats that say all */
    unsigned beats_refused; /* so many still */
    uint64_t dead;          /* what the last beat said, as the next one */
    size_t dead_before;
    uint64_t oldest;       /* of the last that named some */
    unsigned polls_before; /* of the last that named one */

    /* Reports. */
    unsigned reports, report_calls;
    unsigned to_follow; /* jobs that the next Report brings */
    unsigned last_next_max;
    bool refuses_together;
    status report_answer;
    uint32_t item_status;
    char result[PLAYED_TEXT_MAX];
    char token[PLAYED_TEXT_MAX];
};

/** Starts on a url of its own, inside this process. `it` is zeroed, or says what it is to say. */
void played_scheduler_init(struct played_scheduler *it);
void played_scheduler_done(struct played_scheduler *it);

/** The same url is left, and served again: answers under way are lost. */
void played_scheduler_stop(struct played_scheduler *it);
void played_scheduler_start(struct played_scheduler *it);

/** Hands `count` jobs to the poll that is parked, or to the next one; they are named `id`-`count`
 * down to `id`-1. */
void played_scheduler_offer(struct played_scheduler *it, unsigned count, const char *id);

/** What a counter of it says now. */
unsigned played_scheduler_count(struct played_scheduler *it, const unsigned *counter);

#endif
