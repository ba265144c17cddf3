/**
 * tool_call: one call of an adapter's function, from its arguments to its output, for a job or for
 * somebody who waits.
 *
 * In this order: defaults and checks; derived values; vectors of texts (`embed`); what an earlier
 * attempt may have done (`lookup`, `skip_when`, refusal); what is there before the change, kept
 * with the job; the requests; the output; the calls that undo it. Errors are those of the DSL, with
 * the classes of outcome.h; no value in them holds a secret of the connection.
 *
 * What it does not do: retry (the engine does, by the class), wait for the other side's limits.
 *
 * Threads: belongs to the loop.
 */
#ifndef TOOL_ADAPTER_TOOL_CALL_H
#define TOOL_ADAPTER_TOOL_CALL_H

#include "tool-adapter/call/execution.h"
#include "tool-adapter/call/once.h"
#include "tool-adapter/connections/toolbox.h"

enum {
    TOOL_CALL_ARENA_MAX      = 64 << 20,  /* bytes */
    TOOL_CALL_CHECKPOINT_MAX = 256 << 10, /* bytes */
};

struct tool_call;

/** All borrowed until `done` or cancel. */
struct tool_call_request {
    struct tool tool;
    json params; /* JSON_INVALID: none; `connection` is not one of them */
    str namespace, idempotency_key;
    str traceparent; /* of the run; empty: none */
    struct engine_payer payer;
    int64_t created_us; /* when it was first asked for */
    int64_t until_ms;   /* on clock_mono_ms(); it ends by then */
    enum previous_attempt previous;
    bool is_asked;   /* as of struct once_case */
    bool settles;    /* nothing is to be done but to find out whether an earlier attempt did it */
    json checkpoint; /* of earlier attempts; JSON_INVALID: none */
    const struct onlooker *onlooker;     /* of the change; NULL: nobody looks on */
    const struct respondent *respondent; /* of the change; NULL: nobody can be asked */
};

struct tool_call_result {
    enum outcome_class class; /* OUTCOME_OK: `value` is the output, else the error */
    json value;               /* views for the callback, as the next */
    json undo;                /* the calls that undo what is done; JSON_INVALID: none */
    bool is_undo_whole;       /* of one that failed: they leave nothing behind */
    int http_status;          /* 0: there was no answer */
    bool is_transient;        /* another attempt may succeed, and does no harm */
    bool is_nothing_done;     /* of one that settles: no attempt has done anything */
    bool is_own_limit;        /* the connection's own limits are reached: nothing left us */
    bool is_unknown;          /* the other side may have acted, or has done a part of it */
    bool is_ill;              /* the other side is not well; one that says no is */
    const Pb__Usage *usage;   /* what models cost on the way; NULL: nothing */
    struct writes *writes;    /* what has left to change something */
    int64_t wait_ms;          /* nobody is to ask before; 0: not said */
};

struct tool_call_handlers {
    /* Keeps `checkpoint` in place of the one before, then says so by tool_call_kept(). NULL: there
     * is no later attempt. */
    void (*keep)(json checkpoint, void *context);
    /* Exactly once, unless cancelled; the call is gone when it returns. May come from inside
     * tool_call_start() and tool_call_kept(). */
    void (*done)(const struct tool_call_result *result, void *context);
    void *context;
};

/** Returns NULL if it is over already. */
struct tool_call *tool_call_start(const struct exchange_means *means,
                                  const struct tool_call_request *request,
                                  const struct tool_call_handlers *handlers);

/** OK: the checkpoint is kept, and it goes on; anything else ends it before what would have
 * followed. */
void tool_call_kept(struct tool_call *call, status code);

/** Ends what is under way, and says what had left to change something: valid until the call is
 * cancelled, which is all that may follow. */
struct writes *tool_call_stop(struct tool_call *call);

void tool_call_cancel(struct tool_call *call);

#endif
