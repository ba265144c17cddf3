/**
 * quota: what calls of one target may take: of a provider its tokens, of one of its models calls at
 * a time, starts and tokens.
 *
 * The scheduler has all of it (docs/internals/limits.md), and says every second which targets have
 * limits; a quota leases of it what its calls need. Tokens are set aside for a call before it is
 * made, by an estimate, and settled when it is over: what is left serves the next one here, or goes
 * back within a second, and so does a start that was granted to a call which was not made; what it
 * has used above that is taken off. More than the limit holds is never waited for: such a call goes
 * when all is there.
 *
 * Calls go in their order. Nobody waits longer than for an answer: who finds too little is refused,
 * and so is everybody while the scheduler cannot be asked.
 *
 * Threads: all on one loop.
 */
#ifndef LLM_PROXY_QUOTA_H
#define LLM_PROXY_QUOTA_H

#include "base/str.h"
#include "limit.pb-c.h"
#include "worker/question.h"

enum {
    QUOTAS_MAX        = 10'000, /* more limits than that are not kept */
    QUOTA_TARGET_SIZE = 251,    /* bytes: a longer target has no limit */
};

struct quota;
struct quotas;

/** Asks by `questions` (borrowed) under the name `holder` (borrowed). Owned: quotas_freep(). */
struct quotas *quotas_new(const struct questions *questions, const char *holder);
void quotas_freep(struct quotas **quotas); /* NULL is fine */

/** All limits of models and providers. */
void quotas_learn(struct quotas *quotas, const Pb__LimitList *list);

/** Nothing has a limit: quota_enter() lets everybody go. */
bool quotas_are_none(const struct quotas *quotas);

/** Every second: what is not used goes back, and what was used is told. */
void quotas_tick(struct quotas *quotas);

/** What one call holds of one target. Zeroed: nothing. It lies where it is until it has left. */
struct quota_pass {
    void (*decided)(bool may_go, void *context);
    void *context;

    /* The rest is of quota.c. */
    struct quota *quota;
    bool wants_permit, has_permit, is_waiting, is_asked;
    int64_t tokens; /* that it needs, or has set aside */
    struct quota_pass *next, *previous;
};

enum quota_answer {
    QUOTA_GO,   /* until quota_leave() */
    QUOTA_WAIT, /* `decided` will be called, not from inside quota_enter() */
    QUOTA_SHUT, /* it holds nothing */
};

/** What of its limits a call is held to. */
enum quota_part { QUOTA_TOKENS, QUOTA_ALL };

/** May a call go that may take so many tokens? `pass` is zeroed but for `decided` and `context`. */
enum quota_answer quota_enter(struct quotas *quotas, str target, enum quota_part part,
                              int64_t tokens, struct quota_pass *pass);

/** The call is over and has used so many, or does not wait any more. */
void quota_leave(struct quota_pass *pass, int64_t tokens);

/** It entered, and nothing was called: all that it holds is there again, its start too. */
void quota_leave_unused(struct quota_pass *pass);

/** When one that was shut is worth asking again, in microseconds since 1970; 0: nobody knows. */
int64_t quota_opens_us(const struct quotas *quotas, str target);

#endif
