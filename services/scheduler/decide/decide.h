/**
 * decide: how a command moves a run. For the files of the core that decide; the commands are in
 * run.h.
 *
 * A command makes some tasks move (one completed, one failed, one's time has come). From there on
 * two lists are worked off until nothing moves or the step budget is spent:
 *
 *   settle  owners whose list ended or failed, and what follows from that: always at once
 *   ready   lists that can start their next task, and owners that can open a list; first in, first
 *           out, so that an endless loop in one branch does not starve the others
 *
 * Every change goes through decide_emit(), which makes an event and applies it; so the state is at
 * any moment what a rebuild from the journal would give.
 */
#ifndef SCHEDULER_DECIDE_H
#define SCHEDULER_DECIDE_H

#include "scheduler/decide/scene.h"
#include "scheduler/run/state.h"

struct ready {
    enum ready_kind { READY_LIST, READY_OWNER } kind;
    uint32_t slot; /* of the scope; of the activation */
};

struct settlement {
    uint32_t owner;          /* activation; SLOT_NONE: the run */
    uint64_t owner_sequence; /* its started_sequence: the slot may have another use by then */
    json error;              /* of a failed list; JSON_INVALID: a list is over. Owned */
    bool is_end;             /* `then: end` was reached; `error` is the output */
};

struct decision {
    struct run *run;
    const struct decide_env *env;
    struct event_list *events;
    uint32_t steps, steps_max; /* tasks started */
    bool is_terminating;       /* child runs are terminated, not cancelled */
    uint64_t first_sequence;   /* of the first event that may be taken back by a retry */

    /* The task that the latest cascade of faults began with: for a retry of the run. */
    bool is_cascade; /* what faults now does so because of something within */
    uint64_t failed_sequence;
    task_index failed_task; /* TASK_NONE: none */
    uint32_t failed_scope;  /* plus one */
    bool is_failed_answered;

    json refused;     /* what a task made that is done, while it faults because that is refused */
    json refused_key; /* under which that is done, if the state does not tell. Both borrowed */
    struct ready *ready;
    size_t ready_first, ready_count, ready_capacity;
    struct settlement *settle;
    size_t settle_first, settle_count, settle_capacity;
};

/* --- a command's frame -------------------------------------------------------------------------
 */

/** Collects what a command before left over. */
struct decision decision_begin(struct run *run, const struct decide_env *env,
                               struct event_list *events);
/** The same, of a run that was opened again in the meantime. */
void decision_collect(struct decision *decision);
/** Works off `settle`: before a command makes the next of several tasks move. */
void decision_settle(struct decision *decision);
/** FAILED_PRECONDITION: it has not started (`conflict`), or has ended (`run_finished`). */
status run_check_running(const struct run *run, struct error *reterr);
/** Ends a command that was refused before its first event. */
void decision_drop(struct decision *decision);
/** Works off both lists, and leaves what must wait for the next command. */
void decision_end(struct decision *decision);

/* --- events ------------------------------------------------------------------------------------
 */

/** Numbers, applies and appends; takes the values in `event`. Returns where it is now. */
struct event *decide_emit(struct decision *decision, struct event *event);

/** The next id of the partition. */
struct id decide_id(const struct decide_env *env);

/** `now` plus `us`, kept below NO_DUE_US. */
int64_t decide_after(const struct decide_env *env, int64_t us);

/* --- what moves next ---------------------------------------------------------------------------
 */

void decide_ready(struct decision *decision, enum ready_kind kind, uint32_t slot);

/** A list of `owner` moved: it starts its next task, or `owner` hears that it is over. */
void decide_list_moved(struct decision *decision, uint32_t scope, uint32_t owner);
/** `then: end` was reached in a list of `owner`; takes `output`. */
void decide_end(struct decision *decision, uint32_t owner, json output);
/** `owner` (SLOT_NONE: the run) hears of a list that is over, or failed with `error` (taken). */
void decide_settle(struct decision *decision, uint32_t owner, json error);

/* --- a task's steps ----------------------------------------------------------------------------
 */

/** Starts the next task of an open list, or the first one of a list that opens with it. */
void task_start(struct decision *decision, const struct place *place, task_index index,
                json raw_input);

/** `output` is the raw output (borrowed); transforms, checks and exports it, then goes where `flow`
 * says (NULL: the definition's `then`). */
void task_complete(struct decision *decision, struct activation *activation, json output,
                   const struct flow *flow);

/** Closes everything within, then faults or retries. Takes `error`. */
void task_fault(struct decision *decision, struct activation *activation, json error);

/** The same for a parallel `for`, whose iterations have changed the context (JSON_INVALID: not). */
void task_complete_joined(struct decision *decision, struct activation *activation, json output,
                          json context);

/** The same for what is known by `key`: a call that had this answer in an earlier attempt of a try,
 * a child run. */
void task_complete_under(struct decision *decision, struct activation *activation, json output,
                         json key);

/** Its compensations have run: what task_fault() does then. `may_retry`: a retry of its own may
 * still enter it again. Takes `error`. */
void task_fault_undone(struct decision *decision, struct activation *activation, json error,
                       bool may_retry);

/** The same, but it is not entered again whatever its own retry says. */
void task_fault_finally(struct decision *decision, struct activation *activation, json error);

/** task_fault() with `error` having the standard kind and this detail. */
void task_fault_with(struct decision *decision, struct activation *activation, enum error_kind kind,
                     const char *detail);

/** Cancels everything below, deepest first; the task itself stays. */
void task_cancel_below(struct decision *decision, const struct activation *activation);

/** Cancels it and everything below. */
void task_cancel(struct decision *decision, struct activation *activation);

/** Closes its job or approval, if one is open. */
void task_close_outside(struct decision *decision, struct activation *activation, bool is_expired);

/** Cancels all that is open in the run. */
void run_cancel_all(struct decision *decision);

/* --- the kinds of tasks: services/scheduler/tasks -----------------------------------------------
 */

struct task_behaviour {
    /* Evaluates what task.started carries. NULL: nothing. Fails as scene_eval() does. */
    status (*prepare)(struct scene *scene, struct event *started, json *ret_error);
    /* After task.started: does its work, or opens its lists, or waits. */
    void (*begin)(struct decision *decision, struct activation *activation);
    /* Opens its first or next list. NULL: it has none. */
    void (*open)(struct decision *decision, struct activation *activation);
    /* A list of it is over (`error` JSON_INVALID) or failed. NULL: it has none. Borrows `error`. */
    void (*settle)(struct decision *decision, struct activation *activation, json error);
};

const struct task_behaviour *task_behaviour(enum task_kind kind);

#endif
