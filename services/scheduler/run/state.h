/**
 * state: what a run is made of. For the files of the core only; others use run.h.
 *
 * A run is a tree: a scope is a list of tasks that is being walked (with a program counter and the
 * data of the moment), an activation is one execution of a task, which may own scopes of its own.
 *
 *     root scope -> activation of a `for` -> scope of iteration 2 -> activation of a `call`
 *
 * Both live in tables and name each other by slot, so that the tree is plain data: it packs into a
 * snapshot and no pointer dangles. A new entry takes the lowest free slot, so the slots follow from
 * the journal alone. run_apply() changes the state and nothing else does; what is marked *cached*
 * can be computed anew and is in no snapshot.
 */
#ifndef SCHEDULER_STATE_H
#define SCHEDULER_STATE_H

#include "scheduler/run/event.h"
#include "scheduler/run/payload.h"
#include "scheduler/run/run.h"
#include "scheduler/run/task_state.h"

enum { SLOT_NONE = UINT32_MAX, ROOT_SLOT = 0 /* of the root scope: the first to open */ };

/** Shares of the whole run's progress are fractions of this. */
#define SHARE_WHOLE (UINT64_C(1) << 48)

enum scope_state {
    SCOPE_OPEN,   /* walks: runs a task, or could start the next one */
    SCOPE_OVER,   /* past its end; `data` is the output */
    SCOPE_FAILED, /* its task faulted or was cancelled; nothing more starts here */
};

struct scope {
    uint32_t slot;
    uint32_t owner; /* activation; SLOT_NONE: the run */
    enum scope_kind kind;
    enum scope_state state;
    uint32_t index;          /* of the branch or iteration */
    uint32_t position;       /* of the active or next task */
    uint32_t active;         /* activation; SLOT_NONE */
    uint32_t pass;           /* from 1; grows when the list jumps back */
    json data;               /* raw input of the next task */
    json steps;              /* object: outputs that expressions can name; invalid: none yet */
    json context;            /* own one of a parallel iteration; invalid: that of the enclosing */
    uint64_t share, counted; /* of the run's progress: all of it, and what is done */
    uint32_t next, previous; /* cached: the owner's scopes in the order of their index */

    /* Cached, so that a list of thousands is not added up at each of its tasks: the weight of all
     * tasks, and of the first `weighed`. */
    bool is_weighed;
    uint32_t weighed;
    double weight, weight_before;
};

/**
 * A retry may enter tasks again whose job has completed; this is what E7 must know of them. With an
 * output: that of the job with this key. Without: how often the output of the task was refused
 * whose default key, first pass, is this; its pass grows by that.
 */
struct remembered {
    json key; /* text */
    json output;
    uint32_t rejections;
};

struct activation {
    uint32_t slot;
    task_index task;
    uint32_t scope; /* it runs in */
    enum task_state state;
    uint32_t depth;            /* tasks around it */
    uint64_t started_sequence; /* of its task.started; unique, unlike the slot */
    int64_t started_us;
    json raw_input, input;
    json result; /* raw output of a job; events of a `listen`, or what its `foreach` made of them;
                    outputs of a parallel `for` */
    json error;  /* what the `catch` caught, what the last attempt died of */

    int64_t due_us;              /* wait, retry; 0: none */
    int64_t deadline_us;         /* timeout; 0: none */
    int64_t attempt_deadline_us; /* retry's limit.attempt.duration; 0: none */
    int64_t retry_until_us;      /* retry's limit.duration; 0: none */
    uint32_t attempt;            /* of its job or of itself, from 1 */

    uint32_t first_scope, last_scope; /* cached */
    uint32_t scopes_open;             /* cached: SCOPE_OPEN among them */
    uint32_t next_index;              /* branches or iterations begun */
    json items;        /* of a `for`; expectations of a `listen`; input of a function; boolean: an
                        * extension applies */
    struct flow flow;  /* of an extension: how the task in it says to go on */
    json contexts;     /* of a parallel `for`: object "index" -> context of a finished iteration */
    json context_base; /* what they started from */

    struct id id;       /* of its job or approval; empty text: none */
    struct id approval; /* that its job waits for (question.h); empty text: none */
    json key;           /* text: its own idempotency key; invalid: the default one */
    json payload;       /* of an approval, as it is now */
    json payload_asked; /* before the first edit; invalid: it was not edited */
    json matched;       /* array of the filters a `listen` has had events for */
    json events;        /* array of the events a `listen` with `foreach` has taken */

    struct agent *agent;           /* agent.h; NULL: the task is none */
    struct remembered *remembered; /* of a try with retry */
    uint32_t remembered_count, remembered_capacity;

    json calls;         /* of its job: how its worker says that is undone, or the part so far */
    uint32_t undo;      /* number of the entry that it undoes; 0: it is a plain task */
    uint32_t undo_then; /* while it is TASK_UNDOING */
    json undo_value;
    uint32_t undo_held; /* cached: entries of which it is the holder */

    uint64_t share, counted;
    uint64_t earned; /* by this attempt; `counted` is the most that one has earned */
};

/** How to undo what a task did, with what it saw: noted when it completed, or when it ended while a
 * worker had its job (undo.h). */
struct undo {
    uint32_t number; /* from 1, in the order of completion */
    task_index task;
    uint32_t holder;    /* activation it completed in; SLOT_NONE: the run */
    bool is_due;        /* what it belongs to was left: it is going to be undone */
    json input, output; /* transformed; no output: only a part of it was done, which `calls` undo */
    json context, steps; /* of that moment */
    json calls;          /* as its worker declared: array of {function, with}, or {error} of what no
                            call undoes; or invalid */
    json identity, key;  /* texts: its default key; the one its calls went out with */
    json iteration;      /* text "2/0"; invalid outside of loops */
    struct id job;       /* whose answer is awaited; empty text: none any more */
    json error;          /* why nobody knows what was done; invalid: it is known */
};

struct buffered {
    uint32_t number; /* from 1 */
    int64_t received_us;
    json event;
};

/** Open jobs by id, so that an answer finds its task. Cached. */
struct job_entry {
    uint8_t id[ID_BYTES];
    uint32_t activation;
};

struct slots {
    void **items;      /* NULL: free */
    uint64_t *used;    /* a bit per slot */
    uint32_t count;    /* slots in use lie below */
    uint32_t capacity; /* a multiple of 64 */
    uint32_t open;     /* in use */
};

struct run {
    struct id id;
    const struct workflow *workflow; /* shared */
    enum run_status status;          /* RUN_WAITING is never stored */
    uint64_t sequence;
    struct id parent;   /* the run whose child it is; empty text: none */
    uint32_t depth;     /* runs around it */
    bool is_suspended;  /* no task starts and no timer fires */
    int64_t expires_us; /* of a draft; 0: never */
    int64_t now_us;     /* of the last event */
    int64_t started_us, ended_us, deadline_us;
    uint8_t priority;
    int64_t budget_usd_nanos, budget_tokens;
    struct usage usage;
    json input, context, output, error;
    struct slots scopes, activations;
    task_index task_last; /* the one that started last, for the phase */
    uint64_t counted;     /* of SHARE_WHOLE */
    struct buffered *buffer;
    uint32_t buffer_count, buffer_capacity;
    uint32_t event_number; /* of the last event received */
    struct payload_index payloads;

    struct undo *undos; /* by number; owned */
    uint32_t undo_count, undo_capacity;
    uint32_t undo_number;                        /* of the last one noted */
    uint32_t undo_total, undo_done, undo_failed; /* that were or are to be undone */
    bool is_ending;                              /* the run itself undoes, then ends */
    uint32_t ending_then;
    json ending_error, ending_value;

    /* Of a faulted run: how it is entered again (run_retry.h). */
    uint64_t retry_from;    /* the event before which the state is kept; 0: never */
    task_index failed_task; /* TASK_NONE: none in particular */
    uint32_t failed_scope;  /* of its list, plus one; 0: it had none yet */
    bool is_failed_open;    /* it had begun by then */
    bool needs_new_pass;    /* its answer was refused: the next attempt asks anew */

    /* Cached. */
    struct buf before; /* packed: the state at retry_from, once it was passed while replaying */
    struct job_entry *jobs;
    uint32_t job_count, job_capacity;
    int64_t due_us; /* if is_due_known */
    bool is_due_known;
    enum { MORE_UNKNOWN, MORE_NO, MORE_YES } more;
};

/* --- tables ------------------------------------------------------------------------------------
 */

/** NULL: no such slot in use. */
struct scope *run_scope(const struct run *run, uint32_t slot);
struct activation *run_activation(const struct run *run, uint32_t slot);

/** Takes the lowest free slot, or the slot asked for (unpacking); SLOT_NONE if that is in use or
 * beyond what a run may hold. */
uint32_t slots_add(struct slots *slots, void *item, uint32_t slot_wanted);
void slots_remove(struct slots *slots, uint32_t slot);

/** Opens a scope of `owner` (NULL: the root). Its data are the caller's to set. */
struct scope *scope_open(struct run *run, struct activation *owner, enum scope_kind kind,
                         uint32_t index);
/** Puts it among its owner's scopes: for scope_open() and unpacking. */
void scope_link(struct run *run, struct scope *scope);
void scope_set_state(struct run *run, struct scope *scope, enum scope_state state);
/** Asserts that no task is active in it. */
void scope_close(struct run *run, struct scope *scope);
void scopes_close_of(struct run *run, struct activation *activation);

struct activation *activation_open(struct run *run, struct scope *scope, task_index task);
/** Takes the values of `entry`. */
void activation_remember(struct activation *activation, const struct remembered *entry);
/** Frees one that is in no table (yet). */
void activation_free(struct activation *activation);
void scope_free(struct scope *scope);
/** Takes the value of `buffered`. */
void buffer_add(struct run *run, const struct buffered *buffered);
/** With its scopes. */
void activation_close(struct run *run, struct activation *activation);

/** Frees what an ended run needs no more. */
void run_clear(struct run *run);

/* --- the definition's side ---------------------------------------------------------------------
 */

const struct task *activation_task(const struct run *run, const struct activation *activation);

/** The list that a scope of this kind walks. `owner` NULL: the root. */
const struct task_list *list_of(const struct workflow *workflow, const struct task *owner,
                                enum scope_kind kind);
const struct task_list *scope_list(const struct run *run, const struct scope *scope);

/** The owner of the scope that `activation` runs in; NULL: the run. */
struct activation *activation_parent(const struct run *run, const struct activation *activation);

static inline bool scope_can_start(const struct scope *scope)
{
    return scope->state == SCOPE_OPEN && scope->active == SLOT_NONE;
}

/** Says whether its lists may move: it runs, or it listens and works on events meanwhile. */
bool activation_walks(const struct run *run, const struct activation *activation);

/** Says whether `activation` could open its first or next list at once. */
bool activation_can_open(const struct run *run, const struct activation *activation);

/** Which list of an extension comes next; SCOPE_NONE: it is over, or one is being walked. */
enum scope_kind extension_next(const struct run *run, const struct activation *activation);

/** Says whether what `scope` says of going on is for the list around its owner: the task of an
 * extension goes on as if it stood there itself. */
bool scope_passes_flow(const struct run *run, const struct scope *scope);

/** Says whether the tasks of a list do not see what stands around its owner. */
bool scope_is_closed(const struct run *run, uint32_t owner, enum scope_kind kind);

/** The context that expressions in `scope` see; a view. `export` in a parallel iteration stays in
 * it until the join. */
json scope_context(const struct run *run, const struct scope *scope);
/** Takes `context`. */
void scope_set_context(struct run *run, struct scope *scope, json context);

/** What the task's job, list or listener has made; a view, JSON_INVALID if there is nothing. */
json activation_result(const struct run *run, const struct activation *activation);

/** The same node, or the same scalar: cheap, and never wrong when it says so. */
bool json_same(json a, json b);

/** Replaces `*place`; takes `value`. */
void json_replace(json *place, json value);

/* --- jobs --------------------------------------------------------------------------------------
 */

void job_index_add(struct run *run, const struct id *job, uint32_t activation);
void job_index_remove(struct run *run, const struct id *job);
/** NULL: no such open job. */
struct activation *job_activation(const struct run *run, str job);

/** Says whether the task is a `listen` that takes events now. */
bool listener_is_open(const struct run *run, const struct activation *activation);

#endif
