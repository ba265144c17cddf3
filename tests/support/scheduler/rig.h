/**
 * rig: a whole scheduler in this process, and a client that talks to it over a socket.
 *
 * Every failure that a test does not expect ends the process with a line that says what was asked.
 */
#ifndef SUPPORT_SCHEDULER_RIG_H
#define SUPPORT_SCHEDULER_RIG_H

#include "approval.pb-c.h"
#include "breaker.pb-c.h"
#include "function.pb-c.h"
#include "job.pb-c.h"
#include "partition.pb-c.h"
#include "rpc/rpc_client.h"
#include "run.pb-c.h"
#include "scheduler/scheduler.h"
#include "scheduler/services/server.h"
#include "system.pb-c.h"
#include "workflow.pb-c.h"

enum { RIG_ANSWERS_MAX = 256, RIG_WAIT_MS = 20'000 };

struct rig {
    char folder[64]; /* of the data; empty: in memory */
    uint16_t partitions;
    uint32_t lease_ms;
    uint64_t instance;             /* of the worker; 0: it does not say */
    struct secrets_place secrets;  /* set before rig_init() */
    const char *backup_folder;     /* likewise; NULL: none */
    struct breaker_rules breakers; /* likewise */
    struct scheduler *scheduler;
    struct server *server;
    struct rpc_client *client;
    struct rpc_answer *answers[RIG_ANSWERS_MAX]; /* kept until rig_done() */
    size_t answer_count;
    uint64_t calls;
};

/** Starts on a new folder below /tmp, or in memory. */
void rig_init(struct rig *rig, uint16_t partitions, bool is_durable);

/** Stops everything and removes the folder. */
void rig_done(struct rig *rig);

/** Stops the scheduler and starts it again on the same folder; the same in two steps. */
void rig_restart(struct rig *rig);
void rig_stop(struct rig *rig);
void rig_resume(struct rig *rig);

/** A question. Its members are those of rpc_request; `status` is what must come back. */
struct question {
    const ProtobufCServiceDescriptor *service;
    const char *method;
    const void *message;
    uint16_t partition;
    const char *namespace;  /* NULL: "*" */
    const char *request_id; /* NULL: one of its own */
    status expected;
    const char *code; /* of the error; NULL: any */
};

/** Asks, waits and returns the message of the answer, valid until rig_done(); NULL if the expected
 * status is not OK. */
const void *rig_ask(struct rig *rig, const struct question *question);

/** The same of the service of runs; `code`: NULL for any. */
const void *rig_ask_runs(struct rig *rig, const char *method, const void *message, status expected,
                         const char *code);

/** A text as a message has it; a view. NULL: empty. */
ProtobufCBinaryData rig_bytes(const char *text);

/* The questions that most tests ask. */

/** Registers a definition; `tasks` is the YAML of its `do`. Named "test", version 1.0.0. */
void rig_put(struct rig *rig, const char *name, const char *tasks);
void rig_put_text(struct rig *rig, const char *definition);
const Pb__StartedRun *rig_start(struct rig *rig, const char *workflow, const char *input);

/** The same in the partition of its client id, which it must have. Returns the run's id. */
const char *rig_start_as(struct rig *rig, const Pb__StartRun *message);
const Pb__RunView *rig_get(struct rig *rig, const char *run);

void rig_cancel(struct rig *rig, const char *run);

/** Waits until the run has that status, by histories that wait. */
void rig_wait_for(struct rig *rig, const char *run, Pb__RunStatus wanted);

/** Frees the last answer, for questions that are asked again and again; between two of them a
 * moment for the scheduler to go on. */
void rig_forget(struct rig *rig);
void rig_pause(void);

/** Waits until there is a run of that id: one that another run or a schedule has ordered. */
void rig_wait_for_run(struct rig *rig, const char *run);

/** Waits until the history of a run has an event of that type. */
void rig_wait_for_event(struct rig *rig, const char *run, const char *type);

/** Leases one job of a queue as worker "w"; NULL after `wait_ms` without one. */
const Pb__LeasedJob *rig_lease(struct rig *rig, const char *queue, uint32_t wait_ms);

/** The same at once, of one partition, or of any of them. */
const Pb__LeasedJob *rig_lease_of(struct rig *rig, const char *queue, uint16_t partition);
const Pb__LeasedJob *rig_lease_any(struct rig *rig, const char *queue);

/** The same of a job that must come. */
const Pb__LeasedJob *rig_lease_soon(struct rig *rig, const char *queue);

/** Reports on a job as worker "w"; `report` says the result only. Returns the status of the report.
 */
uint32_t rig_report(struct rig *rig, const Pb__LeasedJob *job, Pb__JobReport *report);

/** The same of a job that is done, or has failed. */
uint32_t rig_fail(struct rig *rig, const Pb__LeasedJob *job, Pb__JobFailed *failed);
uint32_t rig_complete(struct rig *rig, const Pb__LeasedJob *job, const char *output);

/** The only queue of that name. */
const Pb__QueueView *rig_queue(struct rig *rig, const char *name);

#endif
