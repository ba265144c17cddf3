/**
 * tollgate: limits that hold over all replicas of a service. Who wants to call something asks its
 * tollgate.
 *
 * The scheduler has all permits of a tollgate (docs/internals/limits.md), and replicas lease them.
 * The replica brings the rule along, under a name that all of them have for it. Starts are leased
 * ahead, as many as there were in the last tick; those that were not made go back in the next one.
 * A place serves the next call here if one waits, and goes back with the next tick if none does.
 * What calls have used up is told with each tick, and a call may begin while any is left, as was
 * heard a tick ago.
 *
 * While the scheduler cannot be asked everybody goes: a limit of the process itself is its own
 * matter. A dead replica takes with it the starts of a tick, and its places for half a minute.
 *
 * Threads: all on one loop.
 */
#ifndef WORKER_TOLLGATE_H
#define WORKER_TOLLGATE_H

#include "base/str.h"
#include "worker/question.h"

enum {
    TOLLGATES_MAX     = 20'000, /* at a time; above: everybody goes */
    TOLLGATE_NAME_MAX = 230,    /* bytes; a longer one has no tollgate */
};

struct tollgates;
struct tollgate;

/** Each may be 0: no such limit. */
struct tollgate_rules {
    uint32_t starts; /* in so long a time; so many at once after a pause */
    int64_t starts_period_us;
    uint32_t places; /* at a time */
    uint32_t spent;  /* permits that calls use up, in so long a time, */
    int64_t spent_period_us;
    int64_t spent_unit; /* each of which stands for so many */
};

struct tollgates_options {
    struct loop *loop;
    int64_t tick_ms;
    int64_t crowded_ms; /* after which one that has no place is worth asking again */
    bool is_patient;    /* who finds it shut waits until it opens, as long as he likes */
};

/** Owned: tollgates_freep(). */
struct tollgates *tollgates_new(const struct tollgates_options *options);

/** Asks the scheduler from now on, as `holder`, a name that no other process has. Borrowed. */
void tollgates_open(struct tollgates *tollgates, struct rpc_client *scheduler, const char *holder);

/** No more questions: before the client is closed. */
void tollgates_close(struct tollgates *tollgates);

/** When the client is closed and nobody waits. NULL is fine. */
void tollgates_freep(struct tollgates **tollgates);

/** What one call holds of one tollgate. Zeroed: nothing. It lies where it is until it has left. */
struct tollgate_pass {
    void (*decided)(bool may_go, void *context);
    void *context;

    /* The rest is of tollgate.c. */
    struct tollgate *gate;
    bool has_place, has_start, is_waiting;
    struct tollgate_pass *previous, *next; /* among those that wait */
};

enum tollgate_answer {
    TOLLGATE_GO,   /* until tollgate_leave() */
    TOLLGATE_WAIT, /* `decided` will be called, not from inside tollgate_enter() or tollgate_leave()
                    */
    TOLLGATE_SHUT, /* it holds nothing; not of patient ones */
};

/** `pass` is zeroed but for `decided` and `context`. Another rule than before holds from now on. */
enum tollgate_answer tollgate_enter(struct tollgates *tollgates, str name,
                                    const struct tollgate_rules *rules, struct tollgate_pass *pass);

/** The call is over and has used up so much, or does not wait any more. */
void tollgate_leave(struct tollgate_pass *pass, int64_t spent);

/** It entered, and nothing was called: its start is not counted. */
void tollgate_leave_unused(struct tollgate_pass *pass);

/** When a tollgate opens that was found shut, on the loop's clock; 0: nothing is known against it.
 */
int64_t tollgate_opens_ms(const struct tollgates *tollgates, str name);

/** The same of the tollgate that a call waits at, or is inside. */
int64_t tollgate_pass_opens_ms(const struct tollgate_pass *pass);

#endif
