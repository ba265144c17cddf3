/*
 * fake_scheduler: the scheduler's services as the gateway's tests need them: one run, whose events
 * and end the test decides, and one key per role and namespace.
 *
 * Every answer is made on the library's threads; the test looks and changes under the mutex.
 */
#ifndef SUPPORT_GATEWAY_FAKE_SCHEDULER_H
#define SUPPORT_GATEWAY_FAKE_SCHEDULER_H

#include "auth/api_key.h"
#include "rpc/rpc.h"
#include "rpc/rpc_hint.h"
#include "run.pb-c.h"

#include <pthread.h>

enum { FAKE_PULLS_MAX = 8, FAKE_TEXT_MAX = 512, FAKE_WAIT_MS = 10'000 };

/* Keys, by role. The last two are an admin of every namespace, and a viewer whose key was revoked.
 */
enum fake_key {
    FAKE_VIEWER,
    FAKE_DEVELOPER,
    FAKE_OPERATOR,
    FAKE_APPROVER,
    FAKE_WORKER,
    FAKE_MODEL_CLIENT,
    FAKE_ADMIN,
    FAKE_ROOT,
    FAKE_REVOKED,
    FAKE_KEY_COUNT,
};

extern const char fake_run_id[];

struct fake_scheduler {
    char url[64], hint_url[64];
    struct rpc_server *server;
    struct rpc_publisher *publisher;
    struct api_key keys[FAKE_KEY_COUNT];

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    Pb__RunStatus run_status;
    uint64_t event_count;
    uint32_t event_size;   /* bytes of data of each event */
    bool is_slow_to_start; /* Start is answered when the run has been ended */
    struct rpc_call *start;
    struct rpc_call *pulls[FAKE_PULLS_MAX];
    size_t pull_count;
    bool is_ended_unsaid; /* the end of the run was not pulled yet */
    unsigned pulled, started, looked_up, cancelled, histories, watches, unwatches;
    unsigned topologies, topologies_refused; /* asked, and the first of them that are refused */
    status fails_with;                       /* of Get, with `inside` as its text */
    char namespace[FAKE_TEXT_MAX];           /* of the last request */
    char request_id[FAKE_TEXT_MAX];
    char roles[FAKE_TEXT_MAX];
    char traceparent[FAKE_TEXT_MAX];
    char input[FAKE_TEXT_MAX];
};

void fake_scheduler_start(struct fake_scheduler *fake, const char *name);
void fake_scheduler_stop(struct fake_scheduler *fake);

/** The run ends, and whoever waits is told. */
void fake_end_run(struct fake_scheduler *fake, Pb__RunStatus run_status);

/** Answers the parked pull, empty, so that the gateway sends the next one. */
void fake_nudge(struct fake_scheduler *fake);

/** More events; a hint is sent if asked for. */
void fake_add_events(struct fake_scheduler *fake, uint64_t count, bool with_hint);

/** Waits until `*counter`, which the mutex guards, is at least `count`. */
void fake_await(struct fake_scheduler *fake, const unsigned *counter, unsigned count);

unsigned fake_count(struct fake_scheduler *fake, const unsigned *counter);

#endif
