/**
 * guard: which providers may be called now: their circuit breakers and limits, for calls that the
 * scheduler has not let pass itself; and what such calls are charged to.
 *
 * Breakers and limits are the scheduler's (docs/internals/breakers.md, limits.md). The guard keeps
 * a copy of what it says of this proxy's providers, read anew every second and with each report, so
 * that an open breaker is known without asking. Permits of limits are leased, as many as calls wait
 * for at once; one whose call is over serves the next call of the same second, unless starts are
 * counted and it was made; what nobody uses goes back then. A half-open breaker is asked for a
 * probe.
 *
 * What calls may take of tokens, and of one model, is leased for each call (quota.h).
 *
 * Limits that a provider's key has of its own are the scheduler's as well, under a name that all
 * llm-proxies have for it, so they hold over all of them (worker/tollgate.h). While the scheduler
 * cannot be reached each llm-proxy keeps them alone (key_room.h).
 *
 * Budgets (docs/internals/budgets.md) are asked before a call and told after it what it has cost,
 * unless there are none, as was seen a second ago. What calls have used that are no jobs, and what
 * budgets are charged with them, stands in a journal until the scheduler has counted it.
 *
 * While the scheduler cannot be reached, breakers go on from where they were last seen, by what
 * this process alone meets and by the same rules; when it is back it is told. Limited providers are
 * not called then, and neither is anybody if there are budgets.
 *
 * Threads: all on one loop.
 */
#ifndef LLM_PROXY_GUARD_H
#define LLM_PROXY_GUARD_H

#include "base/id.h"
#include "budget.pb-c.h"
#include "llm-proxy/catalog/catalog.h"
#include "llm-proxy/guard/quota.h"
#include "llm-proxy/guard/token_ratio.h"
#include "llm-proxy/money/usage_journal.h"
#include "loop/loop.h"
#include "rpc/rpc_client.h"
#include "worker/tollgate.h"

enum {
    GUARD_TARGETS_MAX = 2 * CATALOG_PROVIDERS_MAX, /* since the start */
    /* Questions about budgets, and as many to runs, that had no answer and are told as calls that
     * have used nothing, while nobody hears that. What others have set aside comes back by itself,
     * after their deadlines. */
    GUARD_LOST_MAX = 1'000,
};

enum guard_verdict {
    GUARD_GO,
    GUARD_WAIT,    /* `decided` of the pass will be called */
    GUARD_BREAKER, /* it is open, or its provider asked for rest */
    GUARD_LIMIT,   /* as many calls as may be are under way, or have started */
    GUARD_BUDGET,  /* a budget is spent, or needs a price */
    GUARD_RUN,     /* the run that it is charged to is not there, or has ended */
    GUARD_UNKNOWN, /* nobody could be asked */
};

struct guard;
struct guarded;

/** What one call holds of one provider. Zeroed: nothing. */
struct guard_pass {
    struct guarded *provider;
    bool has_permit, is_probe;
    bool is_own_probe; /* nobody else knows of it */
    bool is_waiting, wants_probe;
    struct guard_pass *previous, *next; /* among those that wait */
    void (*decided)(enum guard_verdict verdict, void *context);
    void *context;
};

/** Knows the providers of a catalog that is read later, too, and keeps those it knew. False: there
 * are over GUARD_TARGETS_MAX. */
bool guard_learn(struct guard *guard, const struct catalog *catalog);

/** The place of a provider that it knows, as all others name it. */
size_t guard_place(const struct guard *guard, const char *provider);

struct guard *guard_new(struct loop *loop, const struct catalog *catalog); /* owned */

/** The loop that it lives on. */
struct loop *guard_loop(const struct guard *guard);

/** Asks the scheduler from now on, under the name of this proxy. All are borrowed. Before, all
 * providers may be called. */
void guard_start(struct guard *guard, struct rpc_client *scheduler, const char *name);

/** No more questions: before the client is closed. */
void guard_stop(struct guard *guard);
void guard_freep(struct guard **guard);

/** Whether the provider, by its place in the catalog, may be called now. GUARD_GO: until
 * guard_leave(). `pass` is zeroed but for `decided` and `context`. */
enum guard_verdict guard_enter(struct guard *guard, size_t provider, struct guard_pass *pass);

/** How long after a refusal it makes sense to ask again; at least a second. */
int64_t guard_retry_ms(const struct guard *guard, size_t provider);

/** The call is over, or does not wait any more. GUARD_UNUSED: nobody was called, so its start is
 * not counted. GUARD_RETURNED: what it has met says nothing of its provider. */
enum guard_end { GUARD_UNUSED, GUARD_RETURNED, GUARD_SUCCEEDED, GUARD_FAILED };
void guard_leave(struct guard *guard, struct guard_pass *pass, enum guard_end end);

/** How long it is until a moment, in microseconds since 1970, that was said with a refusal; at
 * least a second. */
int64_t guard_left_ms(int64_t opens_us);

/** What calls may take of tokens, and of models; and how many tokens their questions are. Both are
 * the guard's. */
struct quotas *guard_quotas(const struct guard *guard);
struct token_ratios *guard_ratios(const struct guard *guard);

/** What one call holds of a key. Zeroed: nothing. */
struct guard_key_pass {
    struct tollgate_pass tollgate;
    void (*decided)(enum guard_verdict verdict, void *context);
    void *context;
};

/** Whether a key may be used now that has limits of its own: GUARD_GO, GUARD_WAIT or GUARD_LIMIT.
 * GUARD_GO: until guard_leave_key(). `pass` is zeroed but for `decided` and `context`. */
enum guard_verdict guard_enter_key(struct guard *guard, const char *provider,
                                   const struct provider_key *key, struct guard_key_pass *pass);

/** When a key that was refused may be used again, on the loop's clock. */
int64_t guard_key_opens_ms(struct guard *guard, const char *provider,
                           const struct provider_key *key);

/** The call is over and has used so many tokens, or does not wait any more; nobody was called, so
 * its start is not counted. */
void guard_leave_key(struct guard_key_pass *pass, int64_t tokens);
void guard_leave_key_unused(struct guard_key_pass *pass);

/** Why a call may not go: the first words that a caller can use. Valid during the callback. */
struct guard_refusal {
    str reason;
    bool needs_price;  /* the model has none */
    int64_t resets_us; /* when its budget begins anew; 0: never, or not known */
    uint32_t http;     /* of GUARD_RUN: 404 or 409 */
};

/** What one call has set aside of its budgets. Zeroed: nothing. */
struct guard_fund {
    struct reservation *reservation;
    int64_t output_tokens; /* granted: the answer may have as many; -1: any number */
    void (*decided)(enum guard_verdict verdict, const struct guard_refusal *refusal, void *context);
    void *context;
};

/** Whether a call may go that may cost `asked`, of which holder and call are the guard's. GUARD_GO:
 * it may; GUARD_UNKNOWN: nobody can be asked; GUARD_WAIT: `decided` of the fund will be called,
 * with GUARD_GO, GUARD_LIMIT (calls under way have what is left), GUARD_BUDGET or GUARD_UNKNOWN.
 * The fund stays where it is until guard_settle(). `fund` is zeroed but for `decided` and
 * `context`. */
enum guard_verdict guard_reserve(struct guard *guard, Pb__ReserveBudgets *asked,
                                 struct guard_fund *fund);

/** What its budgets are told of a call that is over and has cost `used` (NULL: nothing), or does
 * not wait any more: goes with its usage (guard_note_usage()), before guard_settle(), until which
 * it is valid. NULL: nothing. */
const Pb__CallEnd *guard_end(struct guard *guard, const struct guard_fund *fund,
                             const Pb__Usage *used);
void guard_settle(struct guard *guard, struct guard_fund *fund);

/** What one call may spend of the own budget of the run that it is charged to. Zeroed: of none. */
struct guard_run {
    const char *name; /* as its client says it: an id, or a client's own one; NULL: no run */
    uint16_t partition;
    struct id call; /* as the run's partition knows it; of the last beginning */
    struct run_question *question;
    Pb__ReservedRun *run; /* owned: who it is, and whom its calls are charged to; NULL: not known */
    int64_t output_tokens; /* granted: the answer may have as many; -1: any number */
    void (*decided)(enum guard_verdict verdict, const struct guard_refusal *refusal, void *context);
    void *context;
};

/** Whether a call may go that is charged to that run, and may cost `asked`, of which model,
 * namespace, tokens, price and deadline count. `more`: it is under way, and its answer has grown to
 * that. GUARD_WAIT: `decided` will be called, with GUARD_GO, GUARD_LIMIT, GUARD_BUDGET, GUARD_RUN
 * or GUARD_UNKNOWN; or GUARD_UNKNOWN. What was set aside comes back when the usage of the call is
 * in the journal (usage_owner.call), also that of nothing. `run` is zeroed but for `name`,
 * `partition`, `decided` and `context`, and stays where it is until guard_leave_run(). */
enum guard_verdict guard_ask_run(struct guard *guard, struct guard_run *run,
                                 const Pb__ReserveBudgets *asked, bool more);

/** The call is over, or does not wait any more, and is in the journal if `run` is known. */
void guard_leave_run(struct guard *guard, struct guard_run *run);

/** Calls of which something is set aside, those under way included, and the scheduler does not know
 * that they are over; but for what is in the journal. */
size_t guard_unsettled(const struct guard *guard);

/** What calls have used is told to the scheduler from that journal (borrowed), every second and
 * until it is counted. To be said before guard_start(). */
void guard_set_journal(struct guard *guard, struct usage_journal *journal);

/** A call has ended: usage_journal_add(), if there is a journal. What a budget is charged is told
 * at once. */
void guard_note_usage(struct guard *guard, const struct usage_owner *owner, const Pb__Usage *used);

/** The process is to stop: what is not told is told now, and not in the next second. */
void guard_tell_usage_last(struct guard *guard);

/** Says whether a process that stops should wait for what is not counted yet: not if it is kept for
 * the next one, and nobody has heard it. */
bool guard_awaits_usage(const struct guard *guard);

/** A call has failed as the next one may; or its provider asks everyone for rest. */
void guard_note_failure(struct guard *guard, size_t provider);
void guard_note_rest(struct guard *guard, size_t provider, int64_t rest_ms);

#endif
