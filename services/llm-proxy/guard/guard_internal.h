/* What the files of guard.h share. */
#ifndef LLM_PROXY_GUARD_INTERNAL_H
#define LLM_PROXY_GUARD_INTERNAL_H

#include "base/id.h"
#include "breaker.pb-c.h"
#include "fleet/breaker.h"
#include "llm-proxy/guard/guard.h"

enum {
    GUARD_REFRESH_MS  = 1'000,
    GUARD_TARGET_SIZE = PROVIDER_NAME_MAX + sizeof "llm:",
    GUARD_NAME_SIZE   = 128,
};

/* A provider. */
struct guarded {
    struct guard *guard;
    char target[GUARD_TARGET_SIZE];

    Pb__BreakerState state;
    int64_t until_us; /* when it may be called again, as far as is known; 0: not known */
    int64_t rests_until_us;
    struct breaker_settings rules; /* of its breaker */
    struct breaker alone;          /* while the scheduler is away */
    uint32_t telling;              /* failures of that time that it is told of now */

    bool is_limited, counts_starts;
    uint32_t used, spare; /* permits */
    uint32_t said;        /* how many the scheduler was last told of */
    int64_t opens_us;
    bool is_leasing, is_probing; /* a question is under way */
    struct guard_pass *first, *last;
};

struct guard {
    struct loop *loop;
    char name[GUARD_NAME_SIZE]; /* of this process, and no other */
    struct guarded providers[GUARD_TARGETS_MAX];
    size_t count;
    struct loop_timer tick;
    struct questions questions;  /* without a scheduler: not started */
    struct tollgates *tollgates; /* owned: of keys with limits */
    struct quotas *quotas;       /* owned; as the next */
    struct token_ratios *ratios;
    bool is_away; /* the scheduler cannot be reached */

    /* Of budgets. */
    bool may_have_budgets; /* until the scheduler says that there are none */
    bool is_settling;      /* a message with ends is under way */
    struct id_source call_ids;
    struct reservation *reservations; /* owned; what the scheduler may know of */
    size_t reservation_count;

    struct run_question *run_questions; /* owned; under way */

    struct usage_journal *journal; /* NULL: none */
    bool is_telling_usage;         /* a report is under way */
    bool is_usage_unheard;         /* the last one was not counted */
    bool tells_soon;               /* when it has been answered, the next one does not wait */
    bool may_tell_again;           /* the process stops, and the report under way is from before */
};

/* A question to the scheduler, with the guard as its context; false: it cannot be asked. */
bool guard_ask(struct guard *guard, void *about, struct rpc_request *request, question_use_fn *use);

/* Says what calls have met of a provider, or asks for a probe; as guard_ask(). */
bool guard_report(struct guard *guard, struct guarded *provider, Pb__TargetReport *item,
                  question_use_fn *use);

/* What the scheduler says of the breaker. */
void guard_take_breakers(struct guarded *provider, const Pb__BreakerList *list);

/* The scheduler cannot be reached, or can be again. Each may be said at any time. */
void guard_away_begin(struct guard *guard);
void guard_away_end(struct guard *guard);

/* Failures that it could not be told of. */
void guard_count_alone(struct guard *guard, struct guarded *provider, uint32_t count);

/* As guard_enter() and guard_leave(), without asking. */
enum guard_verdict guard_enter_alone(struct guarded *provider, struct guard_pass *pass);
void guard_leave_alone(struct guarded *provider, enum guard_end end);

/* Every second: whether there are budgets, and what is to be told of calls. */
void guard_funds_refresh(struct guard *guard);
void guard_funds_done(struct guard *guard);

void guard_runs_done(struct guard *guard);

/* Every second: tells the oldest report that is not counted, unless one is under way. */
void guard_tell_usage(struct guard *guard);

/* What budgets and runs are charged does not wait for the next second. */
void guard_tell_soon(struct guard *guard);

#endif
