/**
 * execution: one action carried out: its requests one after the other, the pages of its answer, its
 * output. It neither looks whether it was done before nor undoes anything: tool_call.h does.
 *
 * A read that fails for a passing reason is asked up to twice more if that does not mean waiting
 * longer than EXECUTION_WAIT_MAX_MS; a write never is. Limits of the connection have been waited
 * for.
 *
 * Threads: belongs to the loop.
 */
#ifndef TOOL_ADAPTER_EXECUTION_H
#define TOOL_ADAPTER_EXECUTION_H

#include "tool-adapter/call/outcome.h"
#include "tool-adapter/call/writes.h"
#include "tool-adapter/http/exchange.h"

enum { EXECUTION_RETRIES_MAX = 2, EXECUTION_WAIT_MAX_MS = 5'000 };

struct execution;

/** All borrowed until `done` or cancel, but for the values. */
struct execution_request {
    const struct manifest_action *action;
    const struct connection *connection;
    json scope; /* taken */
    json steps; /* outputs of steps that were finished before, by id; taken; JSON_INVALID: none */
    str namespace, idempotency_key, traceparent;
    struct engine_payer payer;
    const struct file_set *files;        /* that its arguments name; NULL: none */
    const struct file_keep *keep;        /* how a file in its answer is kept; NULL: it is not */
    json progress;                       /* of its only request, as of engine.h; a view */
    const struct onlooker *onlooker;     /* as of engine.h */
    const struct respondent *respondent; /* likewise */
    json validators;                     /* of its only request; JSON_INVALID: none; a view */
    int64_t until_ms;                    /* on clock_mono_ms() */
    struct arena *arena;
    struct writes *writes; /* where its requests are noted that change something; NULL: nowhere */
};

struct execution_result {
    struct outcome outcome; /* OUTCOME_OK: `output` holds */
    json output;            /* a view for the callback, as the next */
    bool is_unchanged;      /* what was kept with `validators` still holds: there is no output */
    json scope;             /* of the call, with the last `response` and all `steps` */
    const Pb__Usage *usage; /* of all its requests together; NULL: models had no part in it */
};

struct execution_handlers {
    /* A request of `step` (NULL: the only one) is about to leave; `steps` are those that are
     * finished. True: it waits for execution_go_on(). NULL: nobody asks. */
    bool (*sending)(const char *step, json steps, void *context);
    void (*progress)(json progress, void *context); /* as of engine.h */
    /* Exactly once, last, unless cancelled; the execution is gone when it returns. May come from
     * inside execution_start() and execution_go_on(). */
    void (*done)(const struct execution_result *result, void *context);
    void *context;
};

/** Returns NULL if it is over already. */
struct execution *execution_start(const struct exchange_means *means,
                                  const struct execution_request *request,
                                  const struct execution_handlers *handlers);

/** Sends what waited. */
void execution_go_on(struct execution *execution);

/** A request whose answer is not awaited any more is noted among the writes, if it has left. */
void execution_cancel(struct execution *execution);

#endif
