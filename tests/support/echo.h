/**
 * echo: a service with a method of each class, and what tests need to watch it.
 *
 * Say answers at once. Write is collected per batch and answered when the batch is complete, or
 * held until echo_release(). Park is held until echo_release() or cancelled. Texts have a meaning:
 * "fail" fails with a code and details, "moved" sends to partition 7 of the url in `moved_to`,
 * "big" answers `number` bytes, "hold" holds a Say until echo_release(), "die" kills this process
 * at once if `dies`.
 */
#ifndef SUPPORT_ECHO_H
#define SUPPORT_ECHO_H

#include "echo.pb-c.h"
#include "rpc/rpc.h"
#include "rpc/rpc_client.h"

#include <pthread.h>

enum { ECHO_HELD_MAX = 10'000, ECHO_WAIT_MS = 20'000 };

extern const struct rpc_contract_service echo_contract[];
extern const struct rpc_method echo_methods[];

struct echo {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct rpc_call *held[ECHO_HELD_MAX]; /* Park, and Write while `holds_writes` */
    unsigned held_count;
    bool holds_writes;
    bool dies;
    unsigned said;      /* calls of Say, Once and Write */
    unsigned batches;   /* complete ones of Write */
    unsigned cancelled; /* hooks */
    char moved_to[128];
    uint16_t moved_partition;
    char last_caller[64];
    char last_key[64];
    char last_request_id[64];
    char last_moved_key[64];
};

void echo_init(struct echo *echo);
void echo_done(struct echo *echo);

/** Two entries: the service and its end. */
void echo_services(struct echo *echo, struct rpc_service services[static 2]);
/** The hook that answers writes batch by batch; its context is the echo. */
void echo_batch_end(uint16_t partition, void *staged, void *context);

/** Waits until that many calls are held; false after ECHO_WAIT_MS. */
bool echo_wait_held(struct echo *echo, unsigned count);
bool echo_wait_cancelled(struct echo *echo, unsigned count);
/** Answers all that is held, and holds writes no more. */
void echo_release(struct echo *echo);

/** Answers of asynchronous calls. */
struct inbox {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned count;
    unsigned by_status[STATUS_COUNT];
};

void inbox_init(struct inbox *inbox);
void inbox_done(struct inbox *inbox);
void inbox_put(const struct rpc_answer *answer, void *context); /* the `done` of a call */
bool inbox_wait(struct inbox *inbox, unsigned count);

/** Options of a client that calls the echo (and Health). */
struct rpc_client_options echo_client_options(const char *endpoints);

#endif
