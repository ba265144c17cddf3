/**
 * sim: one seed: a world in which everything goes wrong that can, and the engine in it.
 *
 * The engines play on a stage (stage/stage.h). Around them are clients that start runs, send
 * signals, decide, pause and cancel; workers that do jobs, fail, fall silent, die and come back; a
 * network that loses, repeats, delays and overtakes; a store that is full or fails at any write; a
 * process that dies at any moment; and clocks that step. All of it follows from the seed.
 *
 * After a while nothing goes wrong any more. Then every run must come to its end, and everything
 * must be as it would have been without any of it (check.h).
 */
#ifndef SIMULATOR_SIM_H
#define SIMULATOR_SIM_H

#include "base/attr.h"
#include "base/map.h"
#include "job.pb-c.h"
#include "program.h"
#include "rules.h"
#include "run.pb-c.h"
#include "scheduler/breaker/breaker_rules.h"
#include "scheduler/engine/removal/retention.h"
#include "scheduler/run/run.h"
#include "stage/stage.h"

#include <stdio.h>

enum {
    RUNS_MAX        = 5,
    WORKERS_MAX_SIM = 3,
    SIM_JOBS_MAX    = 64, /* in the hands of workers */
    FAILURE_MAX     = 2048,

    LEASE_MS = 4'000,

    LIMITS_OF_JOB_MAX = 4,
};

#define SIM_AUDIT_START "startRun"
#define MS              INT64_C(1'000)
#define SECOND          INT64_C(1'000'000)

struct sim;
struct sim_change;
struct sim_limit;
struct sim_notice;
struct token_estimate;
struct message;

/** Something that happens at a time. */
struct happening {
    int64_t at_us;
    uint64_t order; /* among those of one time */
    void (*fire)(struct sim *sim, void *subject);
    void *subject;
};

/** How bad a seed is. Percent, where not said otherwise. */
struct weather {
    unsigned lost, repeated, late; /* messages */
    unsigned dies;                 /* a worker, per job */
    unsigned fails;                /* a flaky call, per attempt */
    unsigned slow;                 /* a job that takes longer than its lease */
    unsigned silent;               /* a worker without heartbeats */
    unsigned full;                 /* per mille of turns: a write finds no room */
    int64_t crash_us, step_us;     /* about how often; 0: never */
    int64_t until_us;              /* then the sun shines */
};

/** A run that a client wants. */
struct plan {
    size_t program;
    int64_t n;
    char client_id[24];
    struct id run;   /* empty: not acknowledged yet */
    bool is_stopped; /* somebody cancels it: it may end any way */
    bool is_deleted; /* likewise, and it is no more: from the first time that it is asked for */
    bool has_end_asked;
    struct result result;
    const char *team, *key; /* whom budgets take it for */
    int64_t tokens;         /* a budget of its own; 0: none */
    uint32_t signals_sent, signals_acked;
};

enum op_kind {
    OP_START,
    OP_SIGNAL,
    OP_DECIDE,
    OP_PAUSE,
    OP_RESUME,
    OP_CANCEL,
    OP_DELETE,
    OP_SCHEDULE,
    OP_UNSCHEDULE,
    OP_BUDGET,      /* another limit of one */
    OP_CHANGE,      /* of a limit, or of the queue */
    OP_UNSUBSCRIBE, /* a receiver of webhooks */
    OP_OPEN_BREAKER,
    OP_RESET_BREAKER,
};

/** A call that a client makes until it is answered. */
struct op {
    struct op *next;
    enum op_kind kind;
    struct plan *plan; /* of a decision: NULL */
    uint32_t site;
    uint16_t partition;
    struct id run, approval;
    char request_id[32];
    bool is_done;
    unsigned tries;
    struct id event; /* what a signal was acknowledged with */
    struct sim_receiver *receiver;
    struct sim_budget *budget;
    uint64_t revision; /* of it, that is to be changed */
    const struct sim_change *change;
    bool is_committed; /* of these two: by now, whoever has heard of it */
};

struct sim_worker {
    char name[16];
    unsigned index;
    unsigned life; /* counts its deaths: what belongs to an earlier life is void */
    uint64_t polls[STAGE_PARTITIONS_MAX]; /* number of the poll it waits for; 0: none */
};

/** A job in a worker's hands. */
struct task_in_hand {
    bool is_used;
    struct sim_worker *worker;
    unsigned life;
    uint16_t partition;
    struct id job;
    uint8_t token[64];
    size_t token_len;
    int64_t lease_us;
    uint32_t site, attempt;
    int64_t n;
    bool beats;
    bool is_over; /* reported and answered */
    bool settles; /* it is to find out whether something was done */
    enum {
        ENDS_COMPLETED,
        ENDS_TRANSIENT,
        ENDS_PERMANENT,
        ENDS_UNSURE,
        ENDS_GONE,
        ENDS_UNDONE, /* it was to find out whether something was done, and it was not */
        ENDS_PART,   /* likewise, and a part of it was */
        ENDS_RELEASED
    } ending;
    const char *error; /* type of the error; NULL: that of the place */
    unsigned reports;
    const char *output; /* NULL: that of the place */
    const char *key;
    struct spend used; /* by a call of a model */
    int64_t output_tokens;
};

/** A lease under which something was said. */
struct said {
    uint8_t token[64];
    size_t len;
    struct said *next;
};

/** What the checker knows of a lease: the newest of a job. */
struct lease_note {
    char job[ID_LEN + 1];
    uint8_t token[64];
    size_t token_len;
    int64_t expires_us; /* as the engine said */
    int64_t until_us;   /* the same, of the simulation */
    bool is_over;       /* reported, and accepted */
    struct said *said;  /* tokens under which something was said, accepted or not */
    size_t charges;     /* of it in the run's journal */
    struct lease_note *next;
    uint16_t partition;
    struct sim_limit *limits[LIMITS_OF_JOB_MAX]; /* that count it; sim_limits.c */
    size_t limit_count;
    bool is_model;
    char run[ID_LEN + 1]; /* of a model's call */
    struct plan
        *root; /* whose run, or run around it, that of the job is; NULL: not known any more */
    struct spend expected; /* at most, of a call of a model */
};

struct sim {
    uint64_t seed;
    FILE *trace; /* NULL: none */
    struct prng random;
    struct arena *arena;
    struct stage *stage;
    int64_t now_us; /* of the simulation: the monotonic clock */
    struct weather weather;
    bool is_calm;
    struct breaker_rules breakers;
    struct retention retention; /* runs are kept for so long; 0: for ever */
    bool has_deletions;         /* somebody deletes, or retention does: journals have gaps */
    struct sim_schedule schedule;

    struct happening *heap;
    size_t heap_count, heap_capacity;
    uint64_t order;
    int64_t turn_us[STAGE_PARTITIONS_MAX]; /* when an engine turns; 0: nothing is due */

    struct programs programs;
    struct plan plans[RUNS_MAX];
    size_t plan_count;
    struct op *ops;
    struct map *decisions; /* approval id -> struct op */
    struct message *messages;

    struct sim_worker workers[WORKERS_MAX_SIM];
    size_t worker_count;
    struct task_in_hand jobs[SIM_JOBS_MAX];
    uint64_t poll_count, request_count;
    struct map *keys; /* idempotency key -> site, plus one, as the arguments' note */
    const struct function_catalog *catalog;
    struct map *cuts;         /* idempotency key -> struct cut */
    struct cut *cut_list;     /* all of them */
    struct map *leases;       /* job id -> struct lease_note */
    struct lease_note *notes; /* all of them */
    struct sim_limits limits;
    struct sim_operator operator;
    struct sim_budgets budgets;
    struct sim_redrive redrive;
    struct sim_webhooks webhooks;

    struct tally least[SITES_MAX], most[SITES_MAX];
    uint64_t seen_keys[SITES_MAX];

    unsigned doom; /* how the next turn ends: 2: at a write, 3: unheard; 0: well */
    bool is_mute;  /* nobody hears an answer */
    bool is_over;
    uint64_t crashes, turns, fulls, steps, lost;
    uint64_t digest;           /* of everything that happened: the same seed gives the same */
    char failure[FAILURE_MAX]; /* empty: none so far */
};

struct sim_options {
    uint64_t seed;
    FILE *trace;
};

/** Plays one seed and checks it. `sim` is zeroed. False: `sim->failure` says what is wrong. Owned:
 * sim_done(). */
bool sim_play(struct sim *sim, const struct sim_options *options);
void sim_done(struct sim *sim);

/* --- for its parts ------------------------------------------------------------------------------
 */

/** Below `below`; true in so many of a hundred, while something may go wrong. */
uint64_t sim_draw(struct sim *sim, uint64_t below);
bool sim_chance(struct sim *sim, unsigned percent);

void sim_at(struct sim *sim, int64_t delay_us, void (*fire)(struct sim *sim, void *subject),
            void *subject);

/** Takes out what is next. There always is something. */
struct happening sim_next(struct sim *sim);
PRINTF_LIKE(2, 3) void sim_trace(struct sim *sim, const char *format, ...);

/** The first failure counts. */
PRINTF_LIKE(2, 3) void sim_fail(struct sim *sim, const char *format, ...);

/** Registers a workflow; false: it was refused, and the seed has failed. */
bool sim_put(struct sim *sim, str text);

/** The time of a partition's engine. */
int64_t sim_engine_us(const struct sim *sim, uint16_t partition);

/* --- network.c */

/** Sends a call to a partition; `make` makes it when it arrives, `answered` gets it when an answer
 * arrives, which may be never, and more than once; it reads and does not keep. `subject` outlives
 * the simulation. */
typedef struct stage_call *make_fn(struct sim *sim, void *subject);
typedef void answered_fn(struct sim *sim, struct stage_call *call, void *subject);
void network_send(struct sim *sim, uint16_t partition, make_fn *make, answered_fn *answered,
                  void *subject);
void network_done(struct sim *sim); /* after the stage was closed */

/* --- client.c */
void clients_begin(struct sim *sim);
bool clients_are_done(const struct sim *sim);

/** Makes a call until it is answered. */
void client_send(struct sim *sim, void *op);
struct op *client_op(struct sim *sim, enum op_kind kind, struct plan *plan);

/** Says whether the run may be gone: deleted by somebody, or by retention. */
bool run_may_be_gone(const struct sim *sim, const char *run);

/* --- schedule.c */

/** Before the first thing happens: the workflow; false: it is refused. Then what clients do. */
bool sim_schedule_set_up(struct sim *sim);
void sim_schedule_begin(struct sim *sim);
struct stage_call *sim_schedule_make(struct sim *sim, const struct op *op);
void sim_schedule_done(struct sim *sim, const struct op *op);

/** Says whether it has started this run. */
bool sim_schedule_owns(const Pb__RunView *row);

/** A run of it has ended. */
void sim_schedule_ended(struct sim *sim, const struct run *run);

/** At the end: each time has started one run. */
void sim_schedule_check(struct sim *sim);

/* --- worker.c */
void workers_begin(struct sim *sim);

/* --- leases.c */

/** In the step that leased: the books of leases. */
void workers_leased(struct sim *sim, uint16_t partition, const struct command *command);
/** False: the answer that brought it came so late that somebody else may have it. */
bool workers_lease_holds(const struct sim *sim, const Pb__LeasedJob *job);
/** Leases begin anew, by the new engines' time, which may be before that of the old ones. */
void workers_restarted(struct sim *sim);
void workers_reported(struct sim *sim, const struct command *command);
void workers_beaten(struct sim *sim, const struct command *command);

/** The place that a call is made for, and its number; false: these are not its arguments. */
bool sim_arguments(const struct sim *sim, json arguments, uint32_t *ret_site, int64_t *ret_n);
bool sim_job_arguments(const struct sim *sim, const Pb__LeasedJob *job, uint32_t *ret_site,
                       int64_t *ret_n);

/* --- sim_limits.c */

/** Before the stage is there; when the programs are drawn. */
void sim_limits_begin(struct sim *sim);
void sim_limits_draw_calls(struct sim *sim);
void sim_limits_done(struct sim *sim);

struct call_limit sim_limit_draw(struct sim *sim, uint32_t least);

/** When there are new engines. */
void sim_limits_restarted(struct sim *sim);

/** From now on another rule holds of a target; of the queue in a partition, and of its keys. */
void sim_limits_of_target(struct sim *sim, enum sim_target target, const struct call_limit *rule);
void sim_limits_of_queue(struct sim *sim, uint16_t partition, const struct sim_queue *queue);

/** In the step that leased; and after it: no limit is passed. */
void sim_limits_leased(struct sim *sim, struct lease_note *note, const char *function,
                       uint32_t site, int64_t n);
void sim_limits_check(struct sim *sim, uint16_t partition);

/** Now and then: whoever can go, goes; what partitions know of limits fits together. `is_final`:
 * nothing is in use any more, and nobody waits. */
void sim_limits_look(struct sim *sim, bool is_final);

/* --- sim_operator.c */

/** Before the stage is there; when the programs are registered: sets limits. Then who changes them,
 * pauses the queue and lowers budgets, while not all is calm. */
void sim_operator_draw(struct sim *sim);
bool sim_operator_set_up(struct sim *sim);
void sim_operator_begin(struct sim *sim);
struct stage_call *sim_operator_make(const struct op *op);

/** In the step that took a change: the book. */
void sim_operator_committed(struct sim *sim, struct op *op, const struct command *command);

/** After each turn: the engine knows what was set. `is_final`: of limits, too, that only another
 * partition was told of. */
void sim_operator_check(struct sim *sim, uint16_t partition, bool is_final);

/* --- sim_budgets.c */

/** Before the stage is there; when it is: sets them. */
void sim_budgets_draw(struct sim *sim);
bool sim_budgets_set_up(struct sim *sim);
void sim_budgets_own(struct sim *sim, struct plan *plan);
void sim_budgets_wish(const struct sim *sim, struct program_wishes *wishes);

/** A client looks whether somebody waits for more, and grants it. An operator changes one. */
void sim_budgets_care(struct sim *sim);
void sim_budgets_change(struct sim *sim);
struct stage_call *sim_budgets_make(const struct op *op);

/** In the step that took a change. */
void sim_budgets_committed(struct sim_budget *budget, const struct spend *limit);

/** The stand-in for a provider: what a call costs, and what its report says of that. */
void sim_budgets_bill(struct sim *sim, struct task_in_hand *task, const Pb__LeasedJob *job);
void sim_budgets_put(const struct sim *sim, struct stage_call *call,
                     const struct task_in_hand *task, Pb__JobReport *report);

/** What a call of a model may cost; false: it is none. Whether a budget is charged for a run. */
bool sim_budgets_expect(const Pb__LeasedJob *job, struct token_estimate *ret);
bool sim_budget_is_of(const struct sim_budget *budget, const struct plan *root);
int64_t sim_nanos_of(const struct sim *sim, int64_t input, int64_t output);

/* --- sim_ledger.c */

/** In the step that leased, or took a report: the books. */
void sim_budgets_leased(struct sim *sim, struct lease_note *note, const Pb__LeasedJob *job);
void sim_budgets_charge(struct sim *sim, const struct lease_note *note,
                        const Pb__JobReport *report);
/** It was refused, since its lease or its job was gone: what it says is charged, as the run's
 * journal says, if nothing was said under that lease before (`is_first`); and only then. It was set
 * aside until the lease was over, if that is the job's newest one. */
void sim_budgets_charge_late(struct sim *sim, struct lease_note *note, const Pb__JobReport *report,
                             bool is_first);
/** It was accepted: what the journal says by now is known. */
void sim_budgets_see(struct sim *sim, struct lease_note *note);

/** After each turn: what is spent and set aside is within bounds. `is_final`: nothing is set aside
 * any more, and all was charged. */
void sim_budgets_check(struct sim *sim, bool is_final);

/* --- sim_cuts.c */

/** A worker has just done what `task` is about. */
void sim_cuts_done(struct sim *sim, const struct task_in_hand *task);
/** What comes of a change of which nobody is to know, or of the look-up whether it was made. */
void sim_cuts_choose(struct sim *sim, struct task_in_hand *task, bool settles);
/** Says of a change that failed what undoes the part that is done. */
void sim_cuts_put(struct sim *sim, struct stage_call *call, const struct task_in_hand *task,
                  Pb__JobFailed *failed);
/** How many calls of that run were cut short, done in whole or in part, and not undone. */
size_t sim_cuts_left(const struct sim *sim, const char *run);

/* --- sim_agents.c */

/** What the model says next in a turn of an agent; what it was told is checked. */
void sim_agents_answer(struct sim *sim, struct task_in_hand *task, const Pb__LeasedJob *job);

/** The place of a turn of an agent, by the task of its job; 0: it is none. */
uint32_t sim_agents_site(const struct run *run, uint32_t activation);

/* --- sim_redrive.c */

/** Before the stage is there; when it is: sets the rule. Then what clients do. */
void sim_redrive_draw(struct sim *sim);
void sim_redrive_wish(const struct sim *sim, struct program_wishes *wishes);
bool sim_redrive_set_up(struct sim *sim);
void sim_redrive_done(struct sim *sim);
void sim_redrive_begin(struct sim *sim);
struct stage_call *sim_redrive_make(struct sim *sim, const struct op *op);
void sim_redrive_opened(struct sim *sim);

/** In the step that leased, or took a report: the books. */
void sim_redrive_leased(struct sim *sim, const Pb__LeasedJob *job, uint32_t site);
void sim_redrive_reported(struct sim *sim, const Pb__JobReport *report);

/** How a job of a late place ends. */
void sim_redrive_choose(struct sim *sim, struct task_in_hand *task);

/** The rule has redriven this job, whose letter lay for so long. */
void sim_redrive_happened(struct sim *sim, const char *job, int64_t lay_us);

/** Says whether the rule has to redrive it, which was given up. */
bool sim_redrive_is_due(const struct sim *sim, const struct plan *plan, const char *job);

/** When it redrove in a partition, in any order. */
void sim_redrive_rate(struct sim *sim, uint16_t partition, int64_t *times_us, size_t count);

/* --- sim_webhooks.c */

/** Before the stage is there; when it is: subscribes. Then what clients do. */
void sim_webhooks_draw(struct sim *sim);
bool sim_webhooks_set_up(struct sim *sim);
void sim_webhooks_done(struct sim *sim);
void sim_webhooks_begin(struct sim *sim);
struct stage_call *sim_webhooks_make(const struct op *op);

/** Says whether a job is a delivery. */
bool sim_is_webhook(const Pb__LeasedJob *job);

/** In the step that leased, or took a report: the books. */
void sim_webhooks_leased(struct sim *sim, const Pb__LeasedJob *job);
void sim_webhooks_reported(struct sim *sim, const Pb__JobReport *report);

/** A receiver hears of it, and how that ends. */
void sim_webhooks_receive(struct sim *sim, struct task_in_hand *task, const Pb__LeasedJob *job);

/** At the end, of each event of a run in their order: whom it concerns has been told; `heard`, one
 * for each of them, is when the last was. Then: nobody
 * was told of anything else. */
void sim_webhooks_expect(struct sim *sim, uint64_t *heard, const struct run *run,
                         const struct event *event);
void sim_webhooks_check(struct sim *sim);

/* --- check.c */

/** The run's; NULL: it is a child's, or of the schedule. */
const struct plan *plan_of(const struct sim *sim, const char *run);

/** Looks at everything; `is_final`: all has come to its end. */
void check_all(struct sim *sim, bool is_final);

/** The record of each start that was acknowledged is in the audit log, once (I12); the chain itself
 * is the proof's matter. */
void sim_audit_check(struct sim *sim);

#endif
