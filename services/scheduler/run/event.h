/**
 * event: one thing that happened to a run. Events are what a command decides, what the journal
 * keeps, and what run_apply() folds into the state of the run.
 *
 * In memory an event is this plain struct with references to JSON values; event_codec.h packs the
 * events of one command into one journal entry and reads them back. The events of a run are
 * numbered 1..n without a gap; that number is what people see as `sequence`.
 *
 * The loop turns events into writes to its tables (jobs, approvals, run summaries) by looking at
 * their kinds; the comments at `enum event_kind` say which fields a kind carries. Three groups:
 *
 *   kept      fields the journal keeps; equal after a rebuild.
 *   resolved  fields that run_apply() fills in from the state (`task`, and `value` where
 *             `value_from` says that it is something the state already holds), so that a reader
 *             always finds them, live and while replaying.
 *   fresh     fields only a command's own events have (`function`, `queue`, `iteration`, `key`
 *             where it is the default one, `attempt_timeout_us`): for the job and approval tables.
 *             Never kept; empty while replaying.
 *
 * Ownership: a list owns its events and they own their values. Threads: none of its own.
 */
#ifndef SCHEDULER_EVENT_H
#define SCHEDULER_EVENT_H

#include "base/id.h"
#include "scheduler/run/usage.h"
#include "workflow/workflow.h"
#include "json/json.h"

#include <stddef.h>
#include <stdint.h>

/** Numbers are on disk: never renumber. In quotes: the type shown outside. */
enum event_kind {
    EVENT_NONE = 0,

    /* "run.started": value = raw input; context = transformed input (invalid: the same);
     * deadline_us (0: none), priority, budget_usd_nanos, budget_tokens (0: none); id = the parent
     * run (empty: none), depth = runs around it. */
    EVENT_RUN_STARTED = 1,
    /* "run.completed": value = output. */
    EVENT_RUN_COMPLETED = 2,
    /* "run.faulted": error. Everything open was closed by events before it. retry_from = where it
     * may be entered again (0: not); index = task that failed, plus one; scope = of its list, plus
     * one; attempt = 1: it had begun before retry_from; is_kept: it needs a new pass.
     * retry_from of the other ends: where it may be entered to undo what it did (0: nothing is to
     * be undone). */
    EVENT_RUN_FAULTED = 3,
    /* "run.cancelled": value = {reason, by}. As above. */
    EVENT_RUN_CANCELLED = 4,

    /* "task.started": task, activation; where: `opens` (below), scope or owner and index. input =
     * transformed input (invalid: the raw one). due_us of a `wait`; deadline_us (timeout);
     * attempt_deadline_us and retry_until_us of a `try` or a task with a retry of its own. value:
     * items of a `for`, expectations of a `listen` (a row for each filter: event_match.h). */
    EVENT_TASK_STARTED = 10,
    /* "task.skipped": task; where. Its `if` was false: the raw input is the output. */
    EVENT_TASK_SKIPPED = 11,
    /* "task.completed": activation; value = transformed output; context = what `export` made
     * (invalid: no export); flow = where the list goes on. key: of a call that had completed in an
     * earlier attempt of a try, and did not go out again, if the workflow names one; of a child
     * that may have to be undone: its run; of an event that may: one of its own. */
    EVENT_TASK_COMPLETED = 12,
    /* "task.faulted": activation; error. value: of a call, a child run or an event whose answer was
     * refused, and that may have to be undone: what it would have put out. key: of the latter two,
     * as of task.completed. */
    EVENT_TASK_FAULTED = 13,
    /* "task.cancelled": activation. */
    EVENT_TASK_CANCELLED = 14,
    /* "task.retried": activation (not of a job); attempt = number of the next one, from 2; error;
     * due_us = when it starts; attempt_deadline_us. */
    EVENT_TASK_RETRIED = 15,

    /* "job.scheduled": activation, id = job, attempt = 1, attempts_max (0: no limit), value =
     * arguments, key = idempotency key (text), priority; deadline_us of the task (0: none).
     * Fresh: function, queue, attempt_timeout_us, iteration. Ready at once. */
    EVENT_JOB_SCHEDULED = 20,
    /* "task.retried": activation, id = job, attempt = number of the next one, due_us, error = of
     * the attempt that failed, usage. Same key, same arguments. undo: of the part that is done, if
     * it says so. */
    EVENT_JOB_RETRIED = 21,
    /* "job.completed": activation, id = job, attempt, value = raw output, usage. */
    EVENT_JOB_COMPLETED = 22,
    /* "job.failed": activation, id = job, attempt, error, usage: no attempt follows, because the
     * error is none that a later one could cure. The task's fault follows. is_kept: an attempt may
     * have done it, and the job goes out again to find that out (job.settled). undo: of the part
     * that is done. */
    EVENT_JOB_FAILED = 23,
    /* "job.dead": the same, after all attempts were spent: the dead letter. */
    EVENT_JOB_DEAD = 24,
    /* "job.cancelled": activation, id = job. Whoever has it leased is to stop; is_kept: may end it,
     * since what it does has to be undone. undo: of the part that an attempt before has done. */
    EVENT_JOB_CANCELLED = 25,

    /* "approval.requested": activation, id = approval, due_us (0: never), value = {title,
     * approvers, editable, payload?, form?}. Fresh: iteration. Of a call: its job waits for it
     * (question.h). */
    EVENT_APPROVAL_REQUESTED = 30,
    /* "approval.decided": activation, id = approval, value = {approved, comment, data, payload,
     * changed, decided_by, decided_at}: what the `listen` gets as its event's data. Of a call: its
     * job goes on, and so it does after the next two. */
    EVENT_APPROVAL_DECIDED = 31,
    /* "approval.expired": activation, id = approval. */
    EVENT_APPROVAL_EXPIRED = 32,
    /* "approval.cancelled": activation, id = approval. */
    EVENT_APPROVAL_CANCELLED = 33,

    /* "signal.received": value = the CloudEvent (of a signal or an `emit` of this run). It waits in
     * the run's buffer. `index` = its number in this run, from 1. */
    EVENT_SIGNAL_RECEIVED = 40,
    /* "event.taken": activation of the `listen`, index = the number of the event, attempt = which
     * filter matched (from 0), value = expectations after it (invalid: unchanged). is_kept: some
     * other `listen` takes it too, so it stays in the buffer for now. */
    EVENT_TAKEN = 41,
    /* "event.expired": index: nobody took it in time. */
    EVENT_EXPIRED = 42,
    /* "listen.closed": activation. It takes no more events; `foreach` is still at work. */
    EVENT_LISTEN_CLOSED = 43,
    /* "event.processed": activation of a `listen`, index = which of its events, from 0, value =
     * what `foreach` made of it, context = what it exported (invalid: no export). */
    EVENT_ITEM_COMPLETED = 44,
    /* "event.emitted": activation of the `emit`, value = the CloudEvent, for the listeners of the
     * namespace. Fresh: is_kept: its own run listens to it, now or later. */
    EVENT_EMITTED = 45,
    /* "approval.edited": activation, id = approval, due_us after it (0: never), value = {by,
     * payload?, approvers?, due_at?}, each of them {old, new}. */
    EVENT_APPROVAL_EDITED = 46,

    /* "child.scheduled": activation, id = the child run, key = "namespace/name:version" (text),
     * value = its input; is_kept: the task waits for its end, not only for its start;
     * budget_usd_nanos, budget_tokens: what it may spend (0: no limit). */
    EVENT_CHILD_SCHEDULED = 60,
    /* "child.started": activation, id = the child; value = the id of the run (text), if it is
     * another one, which was found by the key of its workflow. */
    EVENT_CHILD_STARTED = 61,
    /* "child.completed": activation, id, value = its output, usage. */
    EVENT_CHILD_COMPLETED = 62,
    /* "child.faulted": activation, id, error = what the task raises, usage: also of a child that
     * could not be started, or was cancelled or terminated by others. */
    EVENT_CHILD_FAULTED = 63,
    /* "child.cancelled", "child.terminated": activation, id. The task ends before it, and takes it
     * along. */
    EVENT_CHILD_CANCELLED  = 64,
    EVENT_CHILD_TERMINATED = 65,

    /* "run.suspended", "run.resumed": value = {reason, by}. */
    EVENT_RUN_SUSPENDED = 90,
    EVENT_RUN_RESUMED   = 91,
    /* "run.terminated": value = {reason, by}. Everything open was closed by events before it. */
    EVENT_RUN_TERMINATED = 92,

    /* "compensation.begun": opens = SCOPE_UNDO; owner: what is left, or asks for it (SLOT_NONE: the
     * run); index = enum undo_then; error or value = how it ends afterwards; is_kept: of the run,
     * all that can be undone, also outside of sagas. */
    EVENT_UNDO_BEGUN = 50,
    /* "compensation.started": scope = the one that undoes, index = number of the entry. */
    EVENT_COMPENSATION_STARTED = 51,
    /* "compensation.completed": activation. */
    EVENT_COMPENSATION_COMPLETED = 52,
    /* "compensation.failed": activation; error; is_kept: its job is a dead letter already, else
     * id = of the one to make. */
    EVENT_COMPENSATION_FAILED = 53,
    /* "run.retried": a faulted run is opened again (run_retry.h). scope = of the failed task, plus
     * one; index = that task, plus one; is_kept: a new pass; input = its patched raw input
     * (invalid: as it was); value = {by}. */
    EVENT_RUN_RETRIED = 54,

    /* "agent.turn": activation, index = the turn that begins, from 0. VALUE_RESULT: what the calls
     * of the turn before have come to, which follows from their lists, goes into the conversation
     * behind the model's answer, and into the log. VALUE_HERE: {messages, log}, said by the event
     * itself: of a repair, and of all turns of earlier releases; of the first turn {tools, origins}
     * as of agent_servers.h (invalid: no server was asked). */
    EVENT_AGENT_TURN = 70,
    /* "agent.calls": activation, value = array of what the model's answer asks for: {id, name,
     * tool, arguments, error?, offer?}. The journal keeps {tool, error?, offer?} of each; the rest
     * is the answer's. */
    EVENT_AGENT_CALLS = 71,

    /* "run.drafted": the run is there and has not started. value = raw input; deadline_us,
     * priority, budget_usd_nanos, budget_tokens as of run.started; due_us = when it expires (0:
     * never); is_kept: it is no draft but waits for its turn. */
    EVENT_RUN_DRAFTED = 100,
    /* "run.edited": input = the draft's raw input from now on; value = {by}. */
    EVENT_RUN_EDITED = 101,
    /* "run.reset": value = {run, sequence, reason, by}; due_us = when the event before it was.
     * Everything before it was copied from that run; what is open begins anew. */
    EVENT_RUN_RESET = 102,
    /* "run.compensated": a run that has ended is opened again to undo what it did. value =
     * {reason, by}. */
    EVENT_RUN_COMPENSATED = 103,

    /* "run.labelled": activation; value = {label: text}: put on the run. */
    EVENT_RUN_LABELLED = 80,

    /* "cache.asked": activation; id = of the job that it becomes if there is no answer; value =
     * its arguments, key = its own idempotency key, input = {key, maxAge, fresh}: what is looked up
     * (call_cache.h). due_us = when it asks again. Once more with the same id, and nothing else,
     * when that time comes. EVENT_JOB_SCHEDULED with the same id: it calls itself. */
    EVENT_CACHE_ASKED = 81,
    /* "cache.hit": activation, id, value = raw output; due_us = when that was stored. */
    EVENT_CACHE_HIT = 82,
    /* "cache.left": activation, id: it waits for the answer no more. */
    EVENT_CACHE_LEFT = 83,

    /* "task.paused": activation of a call whose job, `id`, has just become a dead letter; error.
     * The task waits for an operator (`onExhausted: pause`). */
    EVENT_TASK_PAUSED = 136,
    /* "task.resumed": activation, id as above; is_kept: a new pass; value = {by}. It begins anew.
     */
    EVENT_TASK_RESUMED = 137,

    /* "run.approved": a draft may start, and does so in the next event. value = {by, comment?}. */
    EVENT_RUN_APPROVED = 138,
    /* "run.variable": value = {name, value, by}: a member of the run's context from now on. */
    EVENT_RUN_VARIABLE = 139,

    /* "run.charged": id = job, usage: what an attempt has used that was handed back or cancelled.
     * Also of a run that has ended. */
    EVENT_RUN_CHARGED = 184,

    /* "job.settled": id = a job that was kept, usage; value = transformed output
     * (invalid: it has done nothing, or the part that `undo` takes back), undo; error: nobody knows
     * what it has done; is_kept: the run ends, and whoever has it is to stop. Resolved: index =
     * number of its entry (undo.h). */
    EVENT_JOB_SETTLED = 185,
};

/** What a started or skipped task opens, if it is the first of its list. On disk. */
enum scope_kind {
    SCOPE_NONE         = 0,  /* nothing: it belongs to the open scope `scope` */
    SCOPE_ROOT         = 1,  /* never in an event: run.started opens it */
    SCOPE_BODY         = 2,  /* of `owner`, a `do` or `try` */
    SCOPE_HANDLER      = 3,  /* of `owner`, a `try` */
    SCOPE_BRANCH       = 4,  /* `index` of `owner`, a `fork` */
    SCOPE_ITERATION    = 5,  /* `index` of `owner`, a `for` or `listen` */
    SCOPE_UNDO         = 6,  /* of whatever is left: its compensations, one after the other */
    SCOPE_COMPENSATION = 7,  /* of `owner`, a task that is undone */
    SCOPE_BEFORE       = 85, /* of `owner`, an extension */
    SCOPE_AFTER        = 86, /* likewise; the extended task is its SCOPE_BODY */
    SCOPE_AGENT        = 70, /* `index` (agent.h) of `owner`, an agent: one task, no list to walk */
};

/** What follows when everything is undone. On disk. */
enum undo_then {
    UNDO_THEN_FAULT    = 0, /* `error`; a retry of its own may catch it */
    UNDO_THEN_LEAVE    = 1, /* `error`, finally */
    UNDO_THEN_COMPLETE = 2, /* with `value` */
    UNDO_THEN_CANCEL   = 3, /* of the run: `value` = {reason, by} */
    UNDO_THEN_ANSWER = 4, /* `tutti.compensate` completes with what it did; `error`: what it saw */
};

/** Where the value of an event is to be found in the state before it. On disk. */
enum value_from {
    VALUE_HERE      = 0, /* in `value`; invalid: there is none */
    VALUE_RAW_INPUT = 1, /* the activation's raw input */
    VALUE_INPUT     = 2, /* its transformed input */
    VALUE_CONSTANT  = 4, /* of a job: the arguments that its task always has; only in the journal */
    VALUE_AGENT     = 5, /* here, but for what the conversation of its agent says: of its output */
    VALUE_RESULT    = 3, /* what its job, its list, its listener, its calls made; of the run: the
                            root's data; of event.processed: what the list made, or the event */
};

struct event {
    enum event_kind kind;
    uint64_t sequence;
    int64_t time_us;

    uint32_t activation; /* which one; resolved for task.started */
    task_index task;     /* kept for task.started and .skipped, else resolved; TASK_NONE: the run */
    uint32_t scope, owner, index; /* scope: resolved if the task opens its list */
    enum scope_kind opens;
    struct flow flow;
    struct id id; /* of the job or approval */
    uint32_t attempt, attempts_max;
    int64_t due_us, deadline_us, attempt_deadline_us, retry_until_us;
    uint8_t priority;
    bool is_kept;
    bool is_of_state; /* resolved: `id` and `attempt` are those of the activation, so not kept */
    int64_t budget_usd_nanos, budget_tokens;
    uint32_t depth;
    struct usage usage;

    enum value_from value_from;
    uint64_t retry_from;
    json value, input, context, error;
    json undo; /* of a job: the calls that undo what it did, as the worker said; invalid: none */
    json key;  /* text; kept only where the workflow names one */
    /* Resolved, of cache.left and of the end of a task that called for others: {key, maxAge, job},
     * and `output` if there is one to keep. */
    json cache;

    /* Fresh. */
    bool is_unknown;                /* of job.*: nobody knows what its attempt has done outside */
    const char *function, *queue;   /* of the definition */
    const char *function_version;   /* NULL: it has none */
    int64_t attempt_timeout_us;     /* from lease to answer */
    json iteration;                 /* text "2/0"; invalid outside of loops */
    json reference;                 /* text; invalid: that of the task */
    const struct limit_rule *limit; /* of job.scheduled; NULL: none */
    json limit_key;                 /* text: with which it goes together; invalid: with all */
    uint64_t value_payload;         /* set by entry_pack(): where `value` was stored; 0: inline */
};

/** The type shown outside: "task.completed". Static. */
const char *event_type(enum event_kind kind);

/** Releases the values of one event. */
void event_done(struct event *event);

/** Says whether a job that has failed was cancelled by somebody, or purged: to its run it is one
 * that failed with such an error. */
bool event_says_cancelled(const struct event *event);

enum { EVENTS_MAX = 100'000 /* of one command; closing everything open is the longest */ };

struct event_list {
    struct event *items; /* owned, with their values */
    size_t count, capacity;
};

/** Appends and takes the values of `event`; returns where it is now, valid until the next push. */
struct event *event_list_push(struct event_list *list, const struct event *event);

/** Empties the list and keeps its memory; frees it. event_list_done() is its own CLEANUP form. */
void event_list_clear(struct event_list *list);
void event_list_done(struct event_list *list);

#endif
