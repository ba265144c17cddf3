/*
 * What the files of the engine share. Everything in here belongs to the engine thread, except where
 * a comment says otherwise.
 *
 * A status other than OK from these functions means that the transaction is lost, and with it the
 * turn: refusals of a command are answers, set by command_refuse(), and OK.
 */
#ifndef SCHEDULER_ENGINE_INTERNAL_H
#define SCHEDULER_ENGINE_INTERNAL_H

#include "base/map.h"
#include "scheduler/decide/child.h"
#include "scheduler/engine/breakers/breakers.h"
#include "scheduler/engine/engine.h"
#include "scheduler/engine/events/event_hub.h"
#include "scheduler/engine/jobs/job_queue.h"
#include "scheduler/engine/jobs/poll.h"
#include "scheduler/engine/outbox/outbox.h"
#include "scheduler/engine/pointers.h"
#include "scheduler/engine/removal/retention.h"
#include "scheduler/engine/requests/answers.h"
#include "scheduler/engine/requests/requests.h"
#include "scheduler/engine/run_cache.h"
#include "scheduler/tables/assistant_store.h"
#include "scheduler/tables/audit_chain.h"
#include "scheduler/tables/record.h"
#include "scheduler/tables/run_store.h"
#include "scheduler/tables/run_wire.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    TURN_ARENA_MAX    = 1 << 30,  /* bytes; of everything one batch needs for a while */
    SCRATCH_ARENA_MAX = 64 << 20, /* bytes; of one decision */
    CARE_US           = 1'000'000,
    CHECKPOINT_MAX    = 256 << 10, /* bytes, of a job */
    ENGINE_SET_MAX    = 10'000,    /* of the small sets below; a full one begins anew */
};

/** Purges under way: queues/purge.c. */
struct purge {
    size_t count;        /* of queues */
    struct queue *queue; /* at hand; NULL: none */
    struct page page;    /* of it */
};

/* Where the audit log is: audit/. */
struct audit_log {
    struct audit_end end;    /* of the system partition */
    struct pointers waiting; /* Pb__AuditRecord: of this turn, for the system partition */
    uint64_t done;           /* records of this turn, to be counted */
    int64_t sweep_us;        /* when old records are next looked for */
};

struct queue_redrive;

/** Who redrives letters by a rule. */
#define REDRIVE_BY "the rule of the queue"

struct engine {
    /* Constant. */
    struct engine_options options;
    struct partition *partition;
    struct store *store;
    pthread_t thread; /* if `has_thread` */
    bool has_thread;
    struct mailbox *mailbox;   /* any thread */
    _Atomic bool is_stopping;  /* any thread */
    _Atomic int64_t turned_ms; /* any thread */

    /* Parameters of decisions. */
    int64_t now_us;         /* of this turn; never falls: engine_time_us() */
    int64_t turned_mono_us; /* when that was, on the monotonic clock */
    struct id_source ids;
    struct child_places children;
    struct job_holders holders;
    struct prng random;
    struct arena *scratch;
    struct assistant_tables assistant_tables;
    struct assistant_source assistants; /* over them */

    /* This turn. */
    struct txn *txn;
    struct arena *arena;      /* cleared after each turn */
    struct event_list events; /* of the command at hand */
    struct buf entry;         /* likewise, packed */
    struct pointers answered; /* struct command: to be answered after the commit */
    struct pointers touched;  /* struct live_run */
    struct pointers freed;    /* likewise: ended, and somebody may wait for their place */
    struct pointers wishes;   /* struct wish: jobs in place of reported ones (wish.h) */
    size_t wish_bytes;        /* of inputs that were given to them */
    struct pointers placed;   /* struct id: jobs whose places are still to be written */
    uint64_t turn;            /* counts them */
    size_t command_count;
    bool is_done_before; /* the command at hand repeats a request whose work is done */

    /* What the tables say, in memory. */
    uint64_t journal_next, payload_next, ready_next, dead_next;
    int64_t schedule_due_us;   /* of the first row of TABLE_SCHEDULE_DUE; INT64_MAX: none */
    int64_t call_cache_due_us; /* when the cache of calls has something to do; INT64_MAX: never */
    bool has_call_cache_moved; /* since that was read */
    int64_t file_due_us;       /* of the first row of TABLE_FILE_DUE; INT64_MAX: none */
    int64_t timer_due_us;      /* of the first row of TABLE_TIMERS; INT64_MAX: none */
    struct run_cache cache;
    struct job_queues *queues;
    struct workers *workers;
    struct polls polls;
    struct outbox *outbox;
    struct map *cancelled_jobs; /* job id -> anything: for the next heartbeat */
    bool calls_off;             /* workers may have to hear of one of them */
    struct map *known_digests;  /* of definitions that are in TABLE_DEFINITIONS */
    struct map *functions;      /* name -> the same, owned: of jobs (job_rows.h) */
    struct request_memory requests;
    struct event_hub hub;
    struct breakers *breakers;     /* of the system partition; NULL: this is another */
    int64_t breaker_sweep_us;      /* when old ones are next looked for */
    struct book *book;             /* of budgets */
    struct prices *prices;         /* of models */
    struct late_funds *late_funds; /* of cancelled calls */
    struct ledger *ledger;         /* of the system partition; NULL: this is another */
    bool accepts_runs;
    int64_t unclaimed_until_us; /* open jobs may be `is_unclaimed` */
    bool is_fill_unknown;       /* a commit found no room; whether that lasts is not known yet */
    bool is_halted;             /* the thread has ended */
    bool has_failed;            /* for good: no turn any more */
    int64_t readers_due_us;     /* when dead readers are looked for */
    int64_t care_due_us;        /* when the once-a-second work is next due */
    int64_t timer_lag_us;       /* of the latest timer */
    struct page sweep;          /* where the sweeper of old rows goes on */
    struct page unsaid_sweep;   /* the same of leases that ended without a report */
    uint64_t used_bytes;        /* of the store, as of the last care */
    uint64_t size_bytes;
    uint64_t timer_count;
    struct purge purge;
    struct queue_redrive *redrives;    /* redrive/: queues whose letters are redriven; owned */
    bool has_redrives;                 /* TABLE_REDRIVES may have rows */
    bool is_asked_again;               /* calls are repeated because somebody answers for it */
    bool has_operations, has_erasures; /* some is not over; is to be done again */
    bool has_deletions;                /* rows of deleted runs are left */
    struct retention_sweep retention;
    struct audit_log audit;
};

/* --- engine.c ----------------------------------------------------------------------------------
 */

/** Makes an engine that has read nothing yet; frees one. */
struct engine *engine_new(const struct engine_options *options);
void engine_free(struct engine *engine);

/** One turn with these commands. */
void engine_turn(struct engine *engine, struct mail *mail);

/** Sets the outcome of everything that was about to be answered, and answers. */
void engine_refuse_all(struct engine *engine, status code, const char *name, const char *text);

/** The clocks it was given. */
int64_t engine_unix_us(const struct engine *engine);
int64_t engine_mono_us(const struct engine *engine);

/** The time of a turn that begins now: the wall clock's, but it never falls. While that clock is
 * behind, because it was set back, time goes on by the monotonic clock and an eighth slower, until
 * both meet: waits do not stand still, and stamps do not stay ahead for ever. */
int64_t engine_time_us(const struct engine *engine);

struct decide_env engine_env(struct engine *engine);

/** The command is answered after the commit. */
void engine_answer(struct engine *engine, struct command *command);
void engine_answer_chain(struct engine *engine, struct mail *mail);

/** Marks a run as changed by this turn. */
void engine_touch(struct engine *engine, struct live_run *live);

/* --- commands.c --------------------------------------------------------------------------------
 */

/** Executes a chain; on failure what was not reached is answered with the rest of the turn. */
status engine_execute(struct engine *engine, struct mail *mail, struct error *reterr);

/* --- engine_care.c -----------------------------------------------------------------------------
 */

/** The once-a-second work, if its time has come. */
void engine_care(struct engine *engine);

/** How full the store is, and whether new runs are accepted. */
status engine_read_fill(struct engine *engine, struct error *reterr);

/** Shows queues and counts on the board. */
void engine_show(struct engine *engine);

/* --- engine_start.c, engine_runs.c: commands to runs -------------------------------------------
 */

status engine_start_run(struct engine *engine, struct command *command, struct error *reterr);
/** The same without the answer: `command->code` says what became of it, and `*ret_live` is the run,
 * new or found (then `response->created` is false); NULL if it was refused. */
status engine_start_decide(struct engine *engine, struct command *command,
                           struct live_run **ret_live, struct error *reterr);

/** The row of a new run, from its start: `row` of `live` until the turn ends. */
status engine_row_make(struct engine *engine, const struct command *command, struct live_run *live,
                       struct error *reterr);

/** It is in this store from now on. */
status engine_keep_definition(struct engine *engine, const struct workflow *w,
                              struct error *reterr);

/** Finishes a command to a run that has decided: keeps what it did unless it was refused. */
status engine_decided(struct engine *engine, struct command *command, struct live_run *live,
                      struct error *reterr);

/** The answer of a command that yields a view of the run; none if it was refused. */
status engine_answer_view(struct engine *engine, struct command *command, struct live_run *live,
                          struct error *reterr);

/* --- drafts.c, again.c: what starts later, and what is not the first time ----------------------
 */

status engine_edit_run(struct engine *engine, struct command *command, struct error *reterr);
status engine_approve_run(struct engine *engine, struct command *command, struct error *reterr);
status engine_compensate_run(struct engine *engine, struct command *command, struct error *reterr);
status engine_reset_run(struct engine *engine, struct command *command, struct error *reterr);

/* --- slots.c: runs of which only so many are at work at once -----------------------------------
 */

/** Takes a place of a group; `*ret_taken` false: there is none, and `run` has to wait for one. */
status engine_slot_take(struct engine *engine, const Pb__StartRun *request, str run,
                        bool *ret_taken, struct error *reterr);

/** A run of some group has ended. */
void engine_slot_ended(struct engine *engine, struct live_run *live);

/** It goes on after all: with its place, whether there is one or not. */
status engine_slot_retake(struct engine *engine, const struct live_run *live, struct error *reterr);

/** Lets those start for which there is room now. */
status engine_slots_settle(struct engine *engine, struct error *reterr);

/** Signals a run in the turn of a command, which hears of a refusal. */
status engine_signal(struct engine *engine, struct command *command, struct live_run *live,
                     str name, json data, struct id *ret_event, struct error *reterr);

status engine_set_variable(struct engine *engine, struct command *command, struct error *reterr);
status engine_cancel_run(struct engine *engine, struct command *command, struct error *reterr);
status engine_retry_run(struct engine *engine, struct command *command, struct error *reterr);

/** Opens a faulted run again, or has paused tasks tried again; values[0] of the command is the
 * patch. `*ret_live` (may be NULL) is untouched if it was refused. */
struct engine_retry {
    const char *run, *task, *by;
    const char *job;      /* of a paused task: its dead letter; NULL: any */
    bool is_answered_for; /* somebody has looked at this one, and not at many of them */
};
status engine_retry(struct engine *engine, struct command *command,
                    const struct engine_retry *retry, struct live_run **ret_live,
                    struct error *reterr);
/** Lets paused tasks fail; the same arguments. */
status engine_fail(struct engine *engine, struct command *command, const struct engine_retry *fail,
                   struct live_run **ret_live, struct error *reterr);
status engine_fail_run(struct engine *engine, struct command *command, struct error *reterr);
status engine_signal_run(struct engine *engine, struct command *command, struct error *reterr);
status engine_decide_approval(struct engine *engine, struct command *command, struct error *reterr);
status engine_edit_approval(struct engine *engine, struct command *command, struct error *reterr);

status engine_terminate_run(struct engine *engine, struct command *command, struct error *reterr);
status engine_suspend_run(struct engine *engine, struct command *command, struct error *reterr);
status engine_resume_run(struct engine *engine, struct command *command, struct error *reterr);

/** Terminates a run that is not over; OK if it is. */
status engine_terminate(struct engine *engine, struct live_run *live, str reason, str by,
                        struct error *reterr);

/* --- engine_keep.c: what a decision leaves in the tables ---------------------------------------
 */

/** Marks a run as worked on, for poison.h, and lets go. */
void engine_work_begin(struct engine *engine, str run);
void engine_work_end(struct engine *engine);

/** Writes engine->events, which `live` has just decided: journal, jobs, approvals. */
status engine_keep(struct engine *engine, struct live_run *live, struct error *reterr);

/** Writes heads, rows, timers and snapshots of all touched runs. */
status engine_flush(struct engine *engine, struct error *reterr);

/** Says whether a run needs no memory for a while. */
bool engine_run_sleeps(const struct engine *engine, const struct live_run *live);

/** Adds labels to the row of a run. */
status engine_label_run(struct engine *engine, struct live_run *live, const struct event *event,
                        struct error *reterr);

/** Finds a run in memory or loads it. NULL and OK: the command was refused (not found, damaged,
 * parked); `command` may be NULL. */
status engine_run(struct engine *engine, str id, struct command *command,
                  struct live_run **ret_live, struct error *reterr);

/** The view of a live run; lives as long as `arena`. */
status engine_view(struct engine *engine, struct live_run *live, bool is_full, struct arena *arena,
                   Pb__RunView **ret_view, struct error *reterr);

/* --- engine_jobs.c: rows of jobs ---------------------------------------------------------------
 */

status engine_job_event(struct engine *engine, struct live_run *live, const struct event *event,
                        struct error *reterr);
/** The jobs of a run that was suspended or resumed. */
status engine_hold_jobs(struct engine *engine, const struct live_run *live, bool is_held,
                        struct error *reterr);
status engine_job_row(struct engine *engine, str job, struct arena *arena,
                      Pb__JobRecord **ret_record, struct error *reterr);
status engine_job_put(struct engine *engine, const Pb__JobRecord *record, struct error *reterr);
status engine_ready_put(struct engine *engine, struct open_job *job, struct error *reterr);
status engine_ready_delete(struct engine *engine, struct open_job *job, struct error *reterr);
/** The job goes, with its row and its place. */
status engine_forget_job(struct engine *engine, struct open_job *job, struct error *reterr);

/** A compensation failed other than by its job: a dead letter of its own. */
status engine_bury_compensation(struct engine *engine, const struct live_run *live,
                                const struct event *event, struct error *reterr);

/* --- engine_letters.c: dead letters ------------------------------------------------------------
 */

status engine_redrive_letter(struct engine *engine, struct command *command, struct error *reterr);
status engine_drop_letter(struct engine *engine, struct command *command, struct error *reterr);

/** A run goes on, or goes: what it was given up for is none any more. A paused task is tried again:
 * the same of its job. */
status engine_drop_letters_of(struct engine *engine, str run, struct error *reterr);
status engine_drop_letter_of(struct engine *engine, const struct event *event,
                             struct error *reterr);
/** Before the engine's first transaction: data of releases before gets its index of letters
 * (dead_letters.h), in transactions of their own. */
status engine_letters_upgrade(struct engine *engine, struct error *reterr);
/** An emitted `dev.tutti.deadletter.v1` leaves an entry, too. */
status engine_bury_emitted(struct engine *engine, const struct live_run *live,
                           const struct event *event, struct error *reterr);

/* --- engine_lease.c: workers -------------------------------------------------------------------
 */

status engine_lease(struct engine *engine, struct command *command, struct error *reterr);
void engine_give_up(struct engine *engine, struct command *command);

/** The same of all polls of a process that is dead. */
void engine_give_up_polls(struct engine *engine, uint64_t instance);
status engine_heartbeat(struct engine *engine, struct command *command, struct error *reterr);

void engine_look_at_job(struct engine *engine, struct command *command); /* job_holders.c */

/** Gives ready jobs to parked polls. */
status engine_dispatch(struct engine *engine, struct error *reterr);

/** Answers polls whose wait is over; all of them if `everything`. */
void engine_end_polls(struct engine *engine, bool everything);

/* --- engine_report.c ---------------------------------------------------------------------------
 */

status engine_report(struct engine *engine, struct command *command, struct error *reterr);

/** A job failed before any worker had it, with `error` (borrowed). */
status engine_refuse_job(struct engine *engine, struct open_job *job, json error,
                         struct error *reterr);

/** Nobody wants the job any more: it fails with `error` (borrowed) and is not tried again. A worker
 * that has it is told, if `is_cancel_wanted`. */
status engine_withdraw_job(struct engine *engine, struct open_job *job, json error,
                           struct error *reterr);

/** Nobody works at the leased job, and that is not its fault: another may have it, and no attempt
 * is burnt. */
status engine_offer_again(struct engine *engine, struct open_job *job, struct error *reterr);

/** Its holder will not say anything any more: the attempt has failed. */
status engine_fail_silent(struct engine *engine, struct open_job *job, const char *detail,
                          struct error *reterr);

/** A lease or attempt was over: the attempt has failed. */
status engine_expire_job(struct engine *engine, struct open_job *job, struct error *reterr);

/* --- engine_timers.c ---------------------------------------------------------------------------
 */

/** Does what is due: timers, runs that go on, leases. */
status engine_due(struct engine *engine, struct error *reterr);

/** Sets timer_due_us from the table. */
status engine_peek_timer(struct engine *engine, struct error *reterr);

/** Nothing that is due in the tables is looked at before `until_us`. */
void engine_put_off(struct engine *engine, int64_t until_us);

/* --- engine_children.c: child runs, on both sides ----------------------------------------------
 */

/** Tells the child's partition what its parent has decided. */
status engine_child_event(struct engine *engine, struct live_run *live, const struct event *event,
                          struct error *reterr);

status engine_take_child_stop(struct engine *engine, const Pb__ChildStop *stop,
                              struct error *reterr);
status engine_take_child_answer(struct engine *engine, const Pb__ChildAnswer *answer,
                                struct error *reterr);

/** Starts a run that another run or a schedule ordered. */
status engine_take_run_order(struct engine *engine, const Pb__RunOrder *order,
                             struct error *reterr);

/** Tells whoever watches `live` that it has ended with this turn. */
status engine_tell_watchers(struct engine *engine, struct live_run *live, struct error *reterr);

/** The same of one that cannot be read, and is deleted: it has faulted. */
status engine_tell_watchers_of_damaged(struct engine *engine, str run, struct error *reterr);

/** Where child runs go: the `children` of decide_env. */
struct child_places engine_child_places(struct engine *engine);

/** Who has jobs: the `holders` of decide_env. */
struct job_holders engine_job_holders(struct engine *engine);
/** May an attempt have done what it is about, that was not answered for? */
bool engine_job_in_doubt(struct engine *engine, const struct open_job *job);

/** The key by which a start of `workflow` is recognised; empty: it has none. Lives as long as the
 * turn. */
status engine_key_of(struct engine *engine, const struct workflow *workflow, json input,
                     str *ret_key, struct error *reterr);

/** The workflow of a name, as the system partition knows it. A new reference. Fails as
 * definitions_resolve(); UNAVAILABLE: the system partition is not in this process. */
status engine_resolve(struct engine *engine, const struct workflow_name *name,
                      const struct workflow **ret_workflow, struct error *reterr);

/* --- engine_schedules.c: the system partition: runs that start by themselves --------------------
 */

/** A version was registered: if it is the newest release, its schedule is the one that holds. */
status engine_schedule(struct engine *engine, const struct workflow *workflow,
                       struct error *reterr);

/** Orders the starts that are due. */
status engine_fire_schedules(struct engine *engine, struct error *reterr);

status engine_take_schedule_answer(struct engine *engine, const Pb__ScheduleAnswer *answer,
                                   struct error *reterr);

/** Commands about schedules that callers made (schedule_commands.c). */
status engine_put_schedule(struct engine *engine, struct command *command, struct error *reterr);
status engine_pause_schedule(struct engine *engine, struct command *command, struct error *reterr);
status engine_trigger_schedule(struct engine *engine, struct command *command,
                               struct error *reterr);
status engine_backfill_schedule(struct engine *engine, struct command *command,
                                struct error *reterr);
status engine_delete_schedule(struct engine *engine, struct command *command, struct error *reterr);

/** Sets schedule_due_us from the table. */
status engine_peek_schedule(struct engine *engine, struct error *reterr);

/* --- engine_messages.c: what other partitions say ----------------------------------------------
 */

status engine_take_messages(struct engine *engine, struct command *command, struct error *reterr);

/** Puts a message for a partition into the outbox. */
status engine_tell(struct engine *engine, uint16_t partition, const Pb__Message *message,
                   struct error *reterr);

/* --- engine_system.c: the system partition -----------------------------------------------------
 */

status engine_delete_workflow(struct engine *engine, struct command *command, struct error *reterr);
status engine_put_workflow(struct engine *engine, struct command *command, struct error *reterr);
status engine_register_functions(struct engine *engine, struct command *command,
                                 struct error *reterr);

/* --- engine_assistants.c: likewise -------------------------------------------------------------
 */

status engine_put_assistant(struct engine *engine, struct command *command, struct error *reterr);
status engine_delete_assistant(struct engine *engine, struct command *command,
                               struct error *reterr);

/* --- engine_recover.c --------------------------------------------------------------------------
 */

/** Reads from the tables everything that is kept in memory. */
status engine_recover(struct engine *engine, struct error *reterr);

/** The open jobs of a run whose state is not looked at go without a trace. */
status engine_drop_jobs_of(struct engine *engine, str run, struct error *reterr);

/** Forgets everything that engine_recover() reads; parked polls stay. */
void engine_forget(struct engine *engine);

#endif
