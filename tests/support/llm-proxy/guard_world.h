/**
 * guard_world: a guard, and a scheduler that says what it is told to and remembers what it hears.
 *
 * Threads: the test's has the loop; the scheduler's are behind the mutex.
 */
#ifndef SUPPORT_GUARD_WORLD_H
#define SUPPORT_GUARD_WORLD_H

#include "breaker.pb-c.h"
#include "budget.pb-c.h"
#include "limit.pb-c.h"
#include "llm-proxy/guard/guard.h"
#include "rpc/rpc.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    TURNS_MAX  = 20'000,
    SECOND_MS  = 1'000,
    ENDS_MAX   = 16,
    CALL_SIZE  = 32,
    BOOKED_MAX = 10'000,
};

#define GRANTED PB__BUDGET_VERDICT__BUDGET_VERDICT_GRANTED
#define WAITING PB__BUDGET_VERDICT__BUDGET_VERDICT_WAITING
#define REFUSED PB__BUDGET_VERDICT__BUDGET_VERDICT_REFUSED

/* A call that was said to be over. */
struct ended {
    char call[CALL_SIZE];
    int64_t tokens, nanos;
    bool is_unpriced;
    size_t payers; /* that were named with its end */
};

/* A call that something was set aside for, and how often its end was heard. */
struct booked {
    char call[CALL_SIZE];
    unsigned ends;
    int64_t tokens;
};

/* What the scheduler says, and what it has heard. Set while nobody asks, else under the mutex. */
struct said {
    size_t budgets;
    Pb__BudgetVerdict verdict;
    bool charged, needs_price, fails_to_reserve;
    int64_t output_tokens; /* that fit into what is set aside */
    int64_t resets_us;
    unsigned fails_to_settle; /* as often */
    unsigned fails_to_count;  /* reports of usage: as often, */
    unsigned loses_counted;   /* and so often its answers alone are lost */
    bool is_old;              /* it does not say whom it charges */
    Pb__BreakerState breaker; /* of "llm:one" */
    int64_t rests_until_us;
    unsigned probes;  /* that it gives */
    uint32_t permits; /* likewise; concurrency of the limit */
    bool is_limited;
    bool counts_starts;      /* it is a rate: `permits` are its starts that are left */
    uint32_t tokens_of_one;  /* of "llm:one"; 0: no limit */
    uint32_t starts;         /* of a key, that are left */
    int64_t tokens_opens_us; /* of a key; 0: there are some */
    bool fails_to_lease;
    bool lets_wait;        /* who asks for a model is not answered */
    uint32_t model_starts; /* of "llm:one/m": starts in a time, of which some are left */
    uint32_t starts_left;
    uint32_t model_permits; /* of "llm:one/m": concurrency; 0: no limit */
    uint32_t tokens_max;    /* of "llm:one/m"; 0: no limit */
    uint32_t tokens_left;
    bool is_mute;       /* about breakers */
    unsigned loses_met; /* answers to reports of what was met: as often */
    int64_t open_us;    /* of the breaker, after three failures; 0: as usual */

    unsigned listed, reserved, settled, reports, failures;
    struct ended ends[ENDS_MAX]; /* by whichever way */
    size_t end_count;
    unsigned counted;       /* reports of usage, each once */
    unsigned run_ends;      /* of them: calls of a run that have used nothing */
    int64_t counted_tokens; /* of them */
    uint64_t met_number;    /* of the last report of what was met */
    Pb__ProbeEnd probe_end;
    unsigned probe_ends;
    uint32_t held; /* permits, as last heard */
    uint32_t spent, key_asks;
    uint32_t model_held, tokens_unused, tokens_spent, token_asks, start_asks;
    uint32_t one_granted, one_unused, one_spent; /* tokens of "llm:one" */
    uint32_t let_wait, leases;
};

struct world {
    char url[64];
    struct rpc_server *server;
    struct rpc_client *client;
    struct loop *loop;
    struct catalog *catalog;
    struct guard *guard;
    pthread_mutex_t mutex;
    struct said said;
    char source[33]; /* of reports of usage, and the last one that was counted */
    uint64_t last_report;
    struct usage_journal *journal; /* in memory */
    struct booked *booked; /* the test's: of all calls, as `said` behind the mutex; NULL: none */
    size_t booked_count;
    atomic_llong now_ms; /* of the loop */
    atomic_uint answered;
};

/** Begins with what the scheduler is to say; it has been heard when this returns. */
void guard_world_begin(struct world *world, struct said said);
void guard_world_end(struct world *world);

struct said guard_world_look(struct world *world);

/** A tick, until what it asks has been answered. */
void guard_world_tick(struct world *world);

/** Ticks pass until the scheduler knows of all calls that are over. */
void guard_world_settle(struct world *world);

/** Until what was said before it has been heard. */
void guard_world_refresh(struct world *world);

#endif
