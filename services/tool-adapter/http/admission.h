/**
 * admission: whether a request of a connection may leave now.
 *
 * It passes the turnstile of this process (turnstile.h), and then the limits that hold over all
 * tool-adapters together (worker/tollgate.h): the `budgets` that name its action, the gap between
 * reads or writes, and the connection's own. It waits up to ADMISSION_PATIENCE_MS for them: its
 * slot is worth more to others than a long wait. A call that has come some way waits as long as it
 * may, since it would have to begin anew. One who gives up has not been counted where he had
 * entered.
 *
 * Threads: belongs to the loop.
 */
#ifndef TOOL_ADAPTER_ADMISSION_H
#define TOOL_ADAPTER_ADMISSION_H

#include "tool-adapter/connections/connection.h"
#include "worker/tollgate.h"

enum {
    ADMISSION_PATIENCE_MS   = 1'000,
    ADMISSION_WAIT_MAX_MS   = 60'000, /* what a refusal asks for at most */
    ADMISSION_TOLLGATES_MAX = RATE_BUDGETS_MAX + 2,
};

/** Lies in its owner's memory. Zeroed: nothing was asked for. */
struct admission {
    /* Set before it asks: */
    const struct connection *connection;
    const struct manifest_action *action;
    json scope; /* a view until it is decided */
    struct loop *loop;
    struct tollgates *tollgates; /* NULL: the limits of this process hold alone */
    int64_t patience_ms;         /* 0: ADMISSION_PATIENCE_MS */
    /* From the loop, not from inside admission_ask(). `wait_ms` of a refusal: when to ask again. */
    void (*decided)(bool may_go, int64_t wait_ms, void *context);
    void *context;

    /* The rest is of admission.c. */
    struct turnstile_pass turn;
    struct tollgate_pass passes[ADMISSION_TOLLGATES_MAX];
    size_t stage, passed;
    int64_t until_ms; /* it waits no longer */
    struct loop_timer patience;
};

/** True: it may leave at once. False: `decided` will be called, unless it leaves before. */
bool admission_ask(struct admission *admission);

/** Its answer is there, or it does not want to go any more. Does nothing for one that never asked.
 */
void admission_leave(struct admission *admission);

#endif
