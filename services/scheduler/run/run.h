/**
 * run: one run of a workflow as data, a pure function of its journal.
 *
 *     command + state --decide--> events --apply--> state
 *
 * Each command below decides events, applies each at once and appends it to `events`; the caller
 * packs them (event_codec.h), commits, and only then acts on them. entry_replay() folds a journal
 * into the same state. Nothing here reads a clock, draws randomness, waits, or knows LMDB, NNG or
 * threads: time, randomness, ids and limits come in `struct decide_env`.
 *
 * A command that is refused returns a status other than OK, adds no event and changes nothing. A
 * fault of the workflow (an expression that fails, a job that gives up) is no refusal but events.
 *
 * At most `steps_max` tasks are executed per command; run_has_more() then says that the run could
 * go on at once, and the loop calls run_advance() in its next batch. So an endless `then` loop or a
 * `for` over 10,000 items never holds the partition.
 *
 * What it does not do: leases, heartbeats, attempt timeouts (the loop reports them as failures),
 * breakers and rate limits (the loop holds the job; nothing happens here), retention.
 *
 * Threads: none of its own; a run belongs to the engine thread. Memory: everything is freed with
 * run_free(); an ended run keeps input, output and error only.
 */
#ifndef SCHEDULER_RUN_H
#define SCHEDULER_RUN_H

#include "base/arena.h"
#include "base/id.h"
#include "base/random.h"
#include "base/status.h"
#include "base/str.h"
#include "expr/expr.h"
#include "scheduler/run/event.h"
#include "scheduler/run/event_codec.h"
#include "workflow/retry.h"

#include <stdbool.h>
#include <stdint.h>

struct assistant_source;

enum {
    RUN_STEPS_PER_COMMAND = 1'000,
    RUN_ACTIVATIONS_MAX   = 20'000,    /* tasks open at once */
    RUN_DEPTH_MAX         = 64,        /* tasks within tasks */
    RUN_BUFFERED_MAX      = 1'000,     /* events that no `listen` has taken yet (A17) */
    RUN_ITEMS_MAX         = 100'000,   /* of one `for` */
    SIGNAL_DATA_MAX       = 256 << 10, /* bytes; checked by the loop */
};

#define RUN_BUFFERED_AGE_US (INT64_C(7) * 24 * 3600 * 1'000'000) /* A17 */
#define RUN_DRAFT_AGE_US    (INT64_C(30) * 24 * 3600 * 1'000'000)
#define NO_DUE_US           INT64_MAX

enum run_status {
    RUN_PENDING, /* before run_start(); with events: it waits for its turn */
    RUN_RUNNING,
    RUN_WAITING, /* only timers, events and approvals are open */
    RUN_COMPLETED,
    RUN_FAULTED,
    RUN_CANCELLED,
    RUN_TERMINATED,
    RUN_SUSPENDED, /* by run_suspend() */
    RUN_DRAFT,     /* by run_draft(), until run_start() */
};

struct run_limits {
    uint32_t steps_max;                    /* 0: RUN_STEPS_PER_COMMAND */
    uint32_t activations_max;              /* 0: RUN_ACTIVATIONS_MAX */
    uint32_t buffered_max;                 /* 0: RUN_BUFFERED_MAX */
    int64_t attempt_timeout_us;            /* 0: 10 min */
    const struct retry_plan *job_retry;    /* NULL: 3 retries, 1 s, doubling, jitter 0..1 s */
    const struct expr_limits *expressions; /* NULL: the defaults of expr.h */
};

/** Where values of secrets come from. */
struct secret_source {
    /* A text, or a map if the secret's text is one in JSON; owned. JSON_INVALID: there is none. */
    json (*get)(str namespace, str name, void *context);
    void *context;
};

/** What workers have to do with a job: nothing; one has it; none has, but one that fell silent may
 * have done it. */
enum job_holding { JOB_UNTOUCHED, JOB_HELD, JOB_IN_DOUBT };

struct job_holders {
    enum job_holding (*look)(void *context, str job);
    void *context;
};

/** What deciding may use, besides the command and the state. */
struct decide_env {
    int64_t now_us;        /* never below that of the command before */
    struct id_source *ids; /* of the partition */
    struct prng *random;   /* jitter and ids: no secrets */
    struct arena *scratch; /* cleared by commands as they like */
    struct run_limits limits;
    const struct assistant_source *assistants; /* assistant.h; NULL: there are none */
    const struct child_places *children;       /* child.h; NULL: none to ask */
    const struct secret_source *secrets;       /* NULL: there are none */
    const struct job_holders *holders;         /* NULL: none has jobs */
    bool has_call_cache;  /* there is one to ask: `cache` of calls means something */
    bool notes_lifecycle; /* somebody has subscribed: events get what lifecycle.h needs */
};

struct run;
struct child_places;

/* --- life ------------------------------------------------------------------------------------- */

/** A pending run. `id` is a valid id. Shares `workflow`. Owned: run_free(). */
struct run *run_new(str id, const struct workflow *workflow);
void run_free(struct run *run);
void run_freep(struct run **run);

/** Folds one event. Resolves fields of `event` (event.h). DATA_LOSS: it makes no sense here; the
 * run must be thrown away. Commands and entry_replay() call it; nobody else needs to. */
status run_apply(struct run *run, struct event *event, struct error *reterr);

/* --- commands --------------------------------------------------------------------------------- */

struct run_start {
    json input;                              /* shared; invalid: {} */
    int64_t deadline_us;                     /* 0: none; the definition's timeout may be earlier */
    uint8_t priority;                        /* PRIORITY_INHERIT: the definition's */
    int64_t budget_usd_nanos, budget_tokens; /* 0: the definition's; may only lower it */
    struct id parent;                        /* empty text: none */
    uint32_t depth;                          /* runs around it */
    str approved_by, comment;                /* of a draft; approved_by empty: it was none */
};

/** INVALID_ARGUMENT (code "input_invalid"): the input does not fit the definition's schema. */
status run_start(struct run *run, const struct decide_env *env, const struct run_start *command,
                 struct event_list *events, struct error *reterr);

/** Accepts a run that does not start yet: a draft, which expires after RUN_DRAFT_AGE_US, or one
 * that waits for its turn. Its input is not checked. run_start() starts it later. */
status run_draft(struct run *run, const struct decide_env *env, const struct run_start *command,
                 bool is_queued, struct event_list *events, struct error *reterr);

/** Changes the input of a draft by a merge patch. FAILED_PRECONDITION ("run_not_draft"). */
status run_edit(struct run *run, const struct decide_env *env, json patch, str by,
                struct event_list *events, struct error *reterr);

/** What a drafted run is to be started with; views. */
struct run_start run_drafted(const struct run *run);

/** Goes on after the step budget. No event if there is nothing to do. */
status run_advance(struct run *run, const struct decide_env *env, struct event_list *events,
                   struct error *reterr);

/** Does everything whose time has come: waits, retries, timeouts, expiries. */
status run_due(struct run *run, const struct decide_env *env, struct event_list *events,
               struct error *reterr);

struct job_completion {
    str job;     /* id */
    json output; /* shared; invalid: null */
    json undo;   /* shared; the calls that undo it: array of {function, with}; invalid: none */
    struct usage usage;
};

/** NOT_FOUND: the run has no such open job (it was cancelled, or has ended). */
status run_job_completed(struct run *run, const struct decide_env *env,
                         const struct job_completion *command, struct event_list *events,
                         struct error *reterr);

/** The task of that job has ended, but what the job does is still to be known, and undone: its
 * worker may end it, and nobody else begins it. */
bool run_job_is_late(const struct run *run, str job);

/** Says whether a job of the task, of which nobody knows what it has done, may go out again to find
 * that out: its function has a look-up. What is sent with secrets is not at hand any more. */
bool run_task_can_settle(const struct task *task);

struct job_failure {
    str job;
    json error;         /* shared; a DSL error without instance; invalid: `runtime` */
    json undo;          /* shared; the calls that undo the part that is done; invalid: none */
    bool is_undo_whole; /* and they leave nothing behind, whatever else may have been done */
    bool is_transient;  /* a later attempt may succeed */
    bool is_unknown;    /* the outside may have acted: only a policy of the task itself repeats it,
                           unless is_transient says that repeating is safe */
    bool is_lapsed;     /* nobody said a word: its lease ended */
    bool is_final;      /* no attempt follows, whatever the policies say */
    bool was_in_doubt;  /* an attempt before may have acted */
    enum look_up {
        LOOK_UP_NONE,    /* it was to be done */
        LOOK_UP_VAIN,    /* it was to be found out whether it was done, and nobody knows */
        LOOK_UP_NOTHING, /* it was not done */
    } look_up;
    int64_t retry_after_us; /* lower bound of the wait; 0: none */
    struct usage usage;
};

/** What an attempt of that job has used which ended without an answer: handed back, or cancelled.
 * Also of a run that has ended. */
void run_charge(struct run *run, const struct decide_env *env, const struct id *job,
                const struct usage *usage, struct event_list *events);

/** Decides whether another attempt follows. NOT_FOUND as above. */
status run_job_failed(struct run *run, const struct decide_env *env,
                      const struct job_failure *command, struct event_list *events,
                      struct error *reterr);

struct job_question {
    str job;    /* that a worker hands back: a person has to say something first */
    json value; /* shared; {title, payload, form?}; what is foreign in it is clean */
};

/** NOT_FOUND as above; INVALID_ARGUMENT: the value; FAILED_PRECONDITION: it undoes something. */
status run_job_asked(struct run *run, const struct decide_env *env,
                     const struct job_question *command, struct event_list *events,
                     struct error *reterr);

struct child_answer {
    uint32_t activation; /* of the task */
    str child;           /* the id it was given */
    str run;             /* the id it has: another one, if its key found a run */
    enum child_outcome {
        CHILD_STARTED,
        CHILD_COMPLETED,
        CHILD_FAULTED,
        CHILD_CANCELLED,
        CHILD_TERMINATED,
        CHILD_REFUSED, /* it could not be started */
    } outcome;
    json value;         /* shared: output, or error */
    struct usage usage; /* what it and those below it have cost */
};

/** NOT_FOUND: no task waits for this child (any more). */
status run_child_answered(struct run *run, const struct decide_env *env,
                          const struct child_answer *answer, struct event_list *events,
                          struct error *reterr);

/** What the cache says to a call that asked it (metadata.tutti.cache). */
struct call_answer {
    uint32_t activation; /* of the call */
    str job;             /* the id under which it asked */
    json output;         /* shared; invalid: there is none, it is to make the call */
    int64_t stored_us;   /* of the output */
};

/** NOT_FOUND: no such call waits (any more), or it cannot be made now since the run is suspended:
 * whoever else waits is not to wait for it. OK without an event: it calls already. */
status run_call_answered(struct run *run, const struct decide_env *env,
                         const struct call_answer *answer, struct event_list *events,
                         struct error *reterr);

struct run_signal {
    str name;  /* the CloudEvent's type */
    json data; /* shared; invalid: none */
};

/** FAILED_PRECONDITION ("run_finished"; "conflict": it has not started); RESOURCE_EXHAUSTED
 * ("rate_limited"): the buffer is full. */
status run_signal(struct run *run, const struct decide_env *env, const struct run_signal *command,
                  struct id *ret_event_id, struct event_list *events, struct error *reterr);

/** Gives an event of the namespace to the tasks that listen to it now. False: none does, and
 * nothing has happened. */
bool run_offer(struct run *run, const struct decide_env *env, json event,
               struct event_list *events);

struct approval_decision {
    str approval; /* id */
    bool is_approved;
    str comment, by;
    json data; /* shared; checked by the loop; invalid: null */
};

/** A change of what is asked. What is invalid stays as it is; everything is checked by the loop. */
struct approval_edit {
    str approval, by;
    json payload;                     /* shared; as a whole */
    json approvers, approvers_before; /* shared; arrays of texts */
    bool has_due;
    int64_t due_us; /* 0: never */
};
/** FAILED_PRECONDITION ("approval_closed"): decided, expired or cancelled before. */
status run_approval_edit(struct run *run, const struct decide_env *env,
                         const struct approval_edit *command, struct event_list *events,
                         struct error *reterr);

/** FAILED_PRECONDITION ("approval_closed"): decided, expired or cancelled before. */
status run_approval_decide(struct run *run, const struct decide_env *env,
                           const struct approval_decision *command, struct event_list *events,
                           struct error *reterr);

struct run_retry {
    str task;   /* reference of the task that failed; empty: whichever it was */
    str job;    /* of a paused task: its dead letter; empty: any */
    json patch; /* merge patch of its input (of a call: of its arguments); invalid: none */
    str by;
};

/** Opens a faulted run again where it failed (run_retry.h), or has the paused tasks of one that
 * runs tried again (paused_task.h). A faulted one must have been read from its journal.
 * FAILED_PRECONDITION ("nothing_to_retry"); INVALID_ARGUMENT: there is no input of its own to
 * patch. */
status run_retry(struct run *run, const struct decide_env *env, const struct run_retry *command,
                 struct event_list *events, struct error *reterr);

/** Who has suspended a run whose task was given up with `onExhausted: pause`. */
#define RUN_PAUSED_BY "tutti"

/** Lets paused tasks fail with the errors they were given up for; the run goes on. `patch` means
 * nothing here. FAILED_PRECONDITION ("nothing_to_fail"; as run_signal()). */
status run_give_up(struct run *run, const struct decide_env *env, const struct run_retry *command,
                   struct event_list *events, struct error *reterr);

/** Sets a member of the context of a run that has not ended, by hand: tasks that start from now on
 * see it, but for iterations at work that have a context of their own. FAILED_PRECONDITION as
 * run_signal(), or ("variables_invalid") the context is no object. */
status run_set_variable(struct run *run, const struct decide_env *env, str name, json value, str by,
                        struct event_list *events, struct error *reterr);

/** Says whether a job that was given up has paused its task. */
bool run_is_paused_by(const struct run *run, str job);

/** Says whether a run that has ended may be opened again, to go on or to be undone. It gets no
 * snapshot, and must be read from its journal before. */
bool run_is_reopenable(const struct run *run);

/** Undoes what a run did that has ended, whether it is a saga or not; then it is cancelled. The run
 * must have been read from its journal. FAILED_PRECONDITION: "run_not_finished";
 * "nothing_to_compensate". */
status run_compensate(struct run *run, const struct decide_env *env, str reason, str by,
                      struct event_list *events, struct error *reterr);

struct run_reset {
    str run;           /* whose first events this one has */
    uint64_t sequence; /* of the last of them */
    str reason, by;
};

/** Lets a copy of another run's first events go on from there: what was open begins anew. Deadlines
 * move on by the time since then. */
status run_reset(struct run *run, const struct decide_env *env, const struct run_reset *command,
                 struct event_list *events, struct error *reterr);

/** FAILED_PRECONDITION ("run_finished"). */
status run_cancel(struct run *run, const struct decide_env *env, str reason, str by,
                  struct event_list *events, struct error *reterr);

/** Ends it at once: nothing is compensated, and child runs are terminated too. As above. */
status run_terminate(struct run *run, const struct decide_env *env, str reason, str by,
                     struct event_list *events, struct error *reterr);

/** From now on no task starts and no timer fires. What is open may answer: its task ends, and if it
 * was the last one, so does the run. Deadlines stay where they are: one that passes meanwhile takes
 * effect when the run is resumed. No event if it is suspended already. As run_signal(). */
status run_suspend(struct run *run, const struct decide_env *env, str reason, str by,
                   struct event_list *events, struct error *reterr);

/** Goes on. As above; FAILED_PRECONDITION ("run_not_paused"): it is not suspended. */
status run_resume(struct run *run, const struct decide_env *env, str reason, str by,
                  struct event_list *events, struct error *reterr);

/* --- looking: views are valid until the next command -------------------------------------------
 */

const char *run_id(const struct run *run);
const struct workflow *run_workflow(const struct run *run);
enum run_status run_status(const struct run *run);
static inline bool run_status_is_final(enum run_status state)
{
    return state >= RUN_COMPLETED && state <= RUN_TERMINATED;
}
/** Accepted by run_draft(), and nothing more. */
bool run_is_waiting_to_start(const struct run *run);
uint64_t run_sequence(const struct run *run); /* of the last event */
uint32_t run_depth(const struct run *run);    /* runs around it */
bool run_is_suspended(const struct run *run);
json run_input(const struct run *run);   /* raw */
json run_context(const struct run *run); /* JSON_INVALID: it has none (any more) */
json run_output(const struct run *run);  /* JSON_INVALID unless completed */
json run_error(const struct run *run);   /* of a faulted or cancelled run */
int64_t run_started_us(const struct run *run);
int64_t run_ended_us(const struct run *run);    /* 0: not yet */
int64_t run_deadline_us(const struct run *run); /* 0: none */
uint8_t run_priority(const struct run *run);
const struct usage *run_usage(const struct run *run);
int64_t run_budget_usd_nanos(const struct run *run);
int64_t run_budget_tokens(const struct run *run);
uint32_t run_jobs_open(const struct run *run);

/** The one time at which run_due() has something to do; NO_DUE_US: never. */
int64_t run_next_due(const struct run *run);

/** The step budget ended the last command: run_advance() goes on. */
bool run_has_more(const struct run *run);

/** Never falls (E5). The phase is that of the task that started last; "" if none has one. */
uint32_t run_progress_permille(const struct run *run);
const char *run_phase(const struct run *run);

/** What was or is to be undone, in numbers; total 0: nothing. */
struct run_compensation {
    uint32_t total, done, failed;
};
struct run_compensation run_compensation(const struct run *run);

/** Why the run does not move: open tasks that wait, oldest place first. */
struct run_wait {
    enum {
        WAIT_JOB,
        WAIT_TIMER,
        WAIT_EVENT,
        WAIT_APPROVAL,
        WAIT_CHILD,
        WAIT_CACHE,
        WAIT_OPERATOR
    } kind;
    const struct task *task;
    uint32_t slot; /* for run_wait_put(); SLOT_NONE: the task has ended, its job has not */
    int64_t since_us;
    int64_t due_us; /* of a timer or an expiry; 0: none */
    str id;         /* of the job or approval */
};
/** Fills in up to `capacity` and returns how many. */
size_t run_waits(const struct run *run, struct run_wait *ret_waits, size_t capacity);
/** There are no more than that. */
size_t run_waits_most(const struct run *run);
/** Appends the reference of the task that waits; before the run changes. */
void run_wait_put(const struct run *run, const struct run_wait *wait, struct buf *out);

/** A call that waits for the cache, or makes the call for all who wait. */
struct cached_call {
    const struct task *task;
    str job, digest; /* views */
    int64_t max_age_us;
    bool is_fresh; /* answers from before are not wanted */
    bool calls;    /* its job is open */
};
/** `slot` of a run_wait. False: it is none of these. */
bool run_cached_call(const struct run *run, uint32_t slot, struct cached_call *ret_call);

/** What the worker of an open job of an agent's turn gets as its input: the conversation so far.
 * Owned; JSON_INVALID: the run has no such job. */
json run_turn_input(const struct run *run, str job);

/** Bytes this run holds, roughly: for the decision which runs to drop from memory. Values shared
 * with others count fully. */
size_t run_memory_bytes(const struct run *run);

/* --- history -----------------------------------------------------------------------------------
 */

/** An event as people and programs outside see it. */
struct event_view {
    uint64_t sequence;
    int64_t time_us;
    const char *type;      /* static */
    const char *reference; /* of the task; "" for events of the run */
    struct buf place;      /* where the reference is that of no task of the definition */
    struct buf iteration;  /* "2/0"; empty outside of loops */
    struct id job;         /* empty text: none */
    uint32_t attempt;      /* 0: none */
    struct buf data;       /* a JSON object; empty: none */
};

/** Renders an event within an entry_visitor. Release: event_view_done(). */
void event_view_make(const struct run *run, const struct event *event, struct event_view *ret_view);
void event_view_done(struct event_view *view);

/** A task as it is while its run is being replayed, or at the end of that. */
struct task_look {
    uint64_t began;    /* its event task.started */
    const char *state; /* static: "running", "queued", "waiting", "retrying", "paused", "undoing" */
    json input;        /* transformed; a view */
};
/** The open task in a slot; `slot` counts up to run_task_slots(). False: there is none. */
uint32_t run_task_slots(const struct run *run);
bool run_look_at_task(const struct run *run, uint32_t slot, struct task_look *ret_look);

/* --- snapshots ----------------------------------------------------------------------------------
 */

/** Appends the whole state (RunSnapshot of proto/journal.proto); large values go to the payloads.
 * The same state gives the same bytes. */
status run_snapshot_pack(struct run *run, const struct payload_store *payloads, struct buf *out,
                         struct error *reterr);

/** The same with all values in it: for keeping it in memory. */
status run_snapshot_pack_inline(struct run *run, struct buf *out, struct error *reterr);

/** Calls `visit` with each payload that a snapshot knows of. DATA_LOSS: damaged. */
status run_snapshot_payloads(bytes snapshot, void (*visit)(uint64_t payload, void *context),
                             void *context, struct error *reterr);

/** The state again; go on with entry_replay() of what the journal has after it. Owned. DATA_LOSS:
 * damaged, or of another run. */
status run_snapshot_unpack(str id, const struct workflow *workflow, bytes snapshot,
                           const struct payload_store *payloads, struct run **ret_run,
                           struct error *reterr);

#endif
