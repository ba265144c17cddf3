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

/* What calls have met of a provider that the scheduler is to hear. Zeroed: nothing. */
struct met {
    uint32_t failures;
    int64_t rest_until_us; /* it asked for rest; 0: it did not */
    Pb__ProbeEnd probe;
    int64_t since_us; /* when the first of it was met */
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
    uint32_t told_alone;           /* of its failures, those of `telling` as that time began */
    struct met unsaid;             /* in no report yet */
    struct met telling;            /* in the last one, until that is answered */

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
    bool is_away;        /* the scheduler cannot be reached */
    int64_t away_us;     /* since when */
    uint64_t met_number; /* of the last report of what was met */
    bool is_telling_met; /* it is under way */
    bool is_met_unheard; /* it has had no answer: it goes again before the next one */

    /* Of budgets. */
    bool may_have_budgets; /* until the scheduler says that there are none */
    bool is_settling;      /* a message with ends is under way */
    struct id_source call_ids;
    struct reservation *reservations; /* owned; what the scheduler may know of */
    size_t reservation_count;
    uint32_t lost_count; /* of them: there was no answer */

    struct run_question *run_questions; /* owned; under way */
    uint32_t lost_run_count;            /* that had no answer, since a report was counted */

    struct usage_journal *journal; /* NULL: none */
    bool is_telling_usage;         /* a report is under way */
    bool is_usage_unheard;         /* the last one was not counted */
    bool tells_soon;               /* when it has been answered, the next one does not wait */
    bool may_tell_again;           /* the process stops, and the report under way is from before */
};

/* A question to the scheduler, with the guard as its context; false: it cannot be asked. */
bool guard_ask(struct guard *guard, void *about, struct rpc_request *request, question_use_fn *use);

/* What the scheduler says of breakers. */
void guard_take_breakers(struct guard *guard, const Pb__BreakerList *list);

/* A probe of the scheduler's is over. */
void guard_note_probe(struct guard *guard, struct guarded *provider, enum guard_end end);

/* Tells what was met, unless something is being told, or the scheduler is away. */
void guard_tell_met(struct guard *guard);

/* What was said, and is too old to be said again: nobody looks at it any more. */
void guard_forget_met(struct guard *guard);

/* The scheduler cannot be reached, or can be again. Each may be said at any time. */
void guard_away_begin(struct guard *guard);
void guard_away_end(struct guard *guard);

/* What it could not be told of. */
void guard_meet_alone(struct guarded *provider, const struct met *met);

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
