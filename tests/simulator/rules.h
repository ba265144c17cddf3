/**
 * rules: what is set in a seed beside its programs: budgets, limits, what an operator changes, a rule
 * for dead letters, whom webhooks go to, a schedule; and what the simulation counts of them.
 */
#ifndef SIMULATOR_RULES_H
#define SIMULATOR_RULES_H

#include "base/id.h"
#include "base/map.h"
#include "program.h"
#include "scheduler/budget/budget.h"
#include "stage/stage.h"

enum { BUDGETS_MAX_SIM = 3, RECEIVERS_MAX = 2 };

struct sim_notice;

/** A budget, and what was charged to it by the simulation's own count. */
struct sim_budget {
    char name[16];
    enum { OF_NAMESPACE, OF_TEAM, OF_KEY } scope;
    bool pauses, is_daily;
    struct spend limit;           /* as it was asked for last */
    struct spend holds;           /* as it was committed last */
    struct spend charged, beyond; /* of that, more than was expected of its calls */
    struct spend over; /* spent or set aside beyond what holds, since it was lowered */
    unsigned changes;
    bool is_unsure; /* whom some call belonged to */
    struct op *change;
};

/** Budgets of this seed, and what the model costs. */
struct sim_budgets {
    struct sim_budget items[BUDGETS_MAX_SIM];
    size_t count;
    bool has_own;    /* runs have budgets of their own */
    bool may_refuse; /* calls, because of one or the other */
    bool overruns;   /* calls cost more than was expected of them, at times */
    int64_t input_picos, output_picos;
    int64_t dearest_nanos; /* of a call so far */
};

/** The functions that have limits, as targets. */
enum sim_target { TARGET_STEP, TARGET_UNDO, TARGETS_SIM };

/** What is set of the queue in one partition. */
struct sim_queue {
    struct call_limit all;     /* of all partitions: each has a share of it */
    struct call_limit of_keys; /* of the jobs that have the same key */
    bool is_paused;
};

/** What is set, by the simulation's own book: as of the last commit of whom it was set in. */
struct sim_operator {
    bool is_there; /* somebody changes it while jobs wait and work */
    unsigned changes;
    bool is_configured; /* limits of targets are; else the API has set them */
    struct call_limit configured[TARGETS_SIM], by_api[TARGETS_SIM];
    struct sim_queue queues[STAGE_PARTITIONS_MAX];
};

/** What is leased and started, by limit. */
struct sim_limits {
    struct map *by_name;      /* struct sim_limit */
    int64_t starved_since_us; /* jobs are ready, and nobody gets one */

    /* Of each engine: its time, and how much of it has passed. It falls with a restart after the
     * clock was set back; that fills no bucket. */
    int64_t time_us[STAGE_PARTITIONS_MAX], passed_us[STAGE_PARTITIONS_MAX];
};

/** The rule for dead letters of this seed. */
struct sim_redrive {
    bool is_there;
    uint32_t times;
    int64_t after_us;
    bool has_class; /* it is for one kind of errors; else for all */
    bool ignores_breakers;
    bool waits_for_breaker; /* `after_us` is longer than the seed: letters go when it closes */
    struct call_limit rate;
    int64_t reset_us;  /* when it was closed by hand; 0: not yet */
    struct map *calls; /* idempotency key -> struct late_call */
    struct map *jobs;  /* job id -> struct late_job */
};

/** Somebody who is told of what happens to runs. */
struct sim_receiver {
    char id[ID_LEN + 1]; /* of the subscription */
    char url[24];
    bool wants_tasks, is_of_one /* workflow only */;
    bool leaves, goes; /* it is unsubscribed; it answers some day that it wants no more */
    bool is_off;       /* one or the other has begun */
};

/** Webhooks of this seed. */
struct sim_webhooks {
    struct sim_receiver items[RECEIVERS_MAX];
    size_t count;
    struct map *notices; /* receiver, event and type -> struct sim_notice */
    struct map *jobs;    /* job id -> struct sim_notice */
    struct sim_notice *all;
    uint64_t received;
};

/** A caller's schedule, of a workflow of its own. */
struct sim_schedule {
    bool is_there;   /* in this seed */
    bool starts_all; /* each of its times starts a run; else some may be left out */
    uint32_t overlap;
    int64_t n;
};

#endif
