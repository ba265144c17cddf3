/**
 * tool_trial: tries a connection out: the read that its manifest names (`check`), else its reads
 * that need no arguments, one after the other. Nothing is changed at the other side, and nothing is
 * taken from what was kept.
 *
 * Threads: belongs to the loop.
 */
#ifndef TOOL_ADAPTER_TOOL_TRIAL_H
#define TOOL_ADAPTER_TOOL_TRIAL_H

#include "tool-adapter/call/tool_call.h"

enum {
    TOOL_TRIALS_MAX     = 8,      /* reads of one */
    TOOL_TRIAL_MS       = 15'000, /* of one read */
    TOOL_TRIAL_TOTAL_MS = 60'000,
};

/** One read and what came of it. */
struct tool_trial_row {
    const struct manifest_action *action;
    enum outcome_class class;
    bool is_skipped; /* it needs arguments after all: nothing was sent */
    int http_status; /* 0: there was no answer */
    int64_t duration_ms;
    json error; /* of the DSL; JSON_INVALID: none */
};

struct tool_trial;

struct tool_trial_result {
    const struct connection *connection;
    const struct tool_trial_row *rows;
    size_t count;
    json account; /* whose it is, if the manifest knows how to tell; else JSON_INVALID */
};

struct tool_trial_request {
    struct toolbox *toolbox; /* a reference is kept */
    str connection, namespace;
    /* Exactly once, unless cancelled; views; the trial is gone when it returns. May come from
     * inside tool_trial_start(). */
    void (*done)(const struct tool_trial_result *result, void *context);
    void *context;
};

/** NOT_FOUND: there is no such connection; others of toolbox_find(), as a call would fail.
 * `*ret_trial` is NULL if it is over already. */
status tool_trial_start(const struct exchange_means *means,
                        const struct tool_trial_request *request, struct tool_trial **ret_trial,
                        struct error *reterr);
void tool_trial_cancel(struct tool_trial *trial);

#endif
