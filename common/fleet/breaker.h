/**
 * breaker: the state machine of one circuit breaker.
 *
 * Closed, it counts failures within a window; the settings' number of them opens it. Open, nobody
 * calls its target; after a time it is half-open, and lets one probe through after the other until
 * enough of them succeed (closed) or one fails (open again). Opened by hand, it stays so until it
 * is reset. Beside that a target may ask to be left alone for a while (`Retry-After`), whatever
 * the state.
 *
 * Pure: the clock is a parameter, nothing is read or written but the struct. What happened to calls
 * that began before it opened is no news while it is open or half-open: only probes count then.
 *
 * The scheduler has those that all go by; the llm-proxy goes on with its own while it cannot reach
 * the scheduler. What it does not: keep anything, know who calls or what a failure is.
 */
#ifndef FLEET_BREAKER_H
#define FLEET_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum {
    BREAKER_FAILURES_MAX  = 100, /* of the settings */
    BREAKER_SUCCESSES_MAX = 100,

    /* The defaults: docs/architecture.md, "Circuit breakers". */
    BREAKER_FAILURES  = 5,
    BREAKER_SUCCESSES = 2,
    BREAKER_WINDOW_US = 60'000'000,
    BREAKER_OPEN_US   = 60'000'000,

    BREAKER_PROBE_US = 180'000'000, /* whoever has a probe and is silent for longer is gone */
};
#define BREAKER_HELD_US_MAX INT64_C(86'400'000'000) /* a `Retry-After` above a day is a day */

/** The numbers are on disk and in tutti_breaker_state. */
enum breaker_state { BREAKER_CLOSED = 0, BREAKER_OPEN = 1, BREAKER_HALF_OPEN = 2 };

/** "closed", "open", "half_open". */
const char *breaker_state_name(enum breaker_state state);

struct breaker_settings {
    uint32_t failures;  /* within window_us: it opens; 1..BREAKER_FAILURES_MAX */
    int64_t window_us;  /* above 0 */
    int64_t open_us;    /* above 0: how long it is open */
    uint32_t successes; /* of probes in a row: it closes; 1..BREAKER_SUCCESSES_MAX */
};
extern const struct breaker_settings breaker_settings_default;

struct breaker {
    enum breaker_state state;
    bool is_forced;         /* open by hand: until it is reset */
    int64_t since_us;       /* when it came into its state; 0: it was never in another */
    int64_t half_open_us;   /* open and not forced: when it will be half-open; else 0 */
    int64_t probe_until_us; /* half-open: a probe is under way; 0: none */
    uint32_t successes;     /* half-open: of probes so far */
    int64_t held_until_us;  /* its target asked for rest; 0: it did not */
    int64_t changed_us;     /* when anything of it last changed */

    uint32_t failure_count; /* of failed_us: those within the window, the oldest first */
    int64_t failed_us[BREAKER_FAILURES_MAX];
};

/** Calls failed. True: it has opened. */
bool breaker_fail(struct breaker *breaker, const struct breaker_settings *settings, uint32_t count,
                  int64_t now_us);

/** A probe is wanted. True: it may go, and breaker_end_probe() is owed. */
bool breaker_take_probe(struct breaker *breaker, int64_t now_us);

/** What became of a probe. PROBE_RETURNED: it was not used, or says nothing. */
enum probe_end { PROBE_RETURNED, PROBE_SUCCEEDED, PROBE_FAILED };

/** True: the state has changed. A probe of an earlier time changes nothing. */
bool breaker_end_probe(struct breaker *breaker, const struct breaker_settings *settings,
                       enum probe_end end, int64_t now_us);

/** Nobody calls the target before `until_us`, at most BREAKER_HELD_US_MAX from now; a later time
 * that was asked for before stays. True: the time has changed. */
bool breaker_hold(struct breaker *breaker, int64_t until_us, int64_t now_us);

/** By hand. True: something has changed. */
bool breaker_open(struct breaker *breaker, int64_t now_us);
bool breaker_reset(struct breaker *breaker, int64_t now_us);

/** Does what is due: open becomes half-open, a silent probe is given up, a rest ends. True: others
 * must hear of it (a probe may be had, the state has changed). */
bool breaker_advance(struct breaker *breaker, int64_t now_us);

/** When breaker_advance() will next do something; INT64_MAX: never. */
int64_t breaker_due_us(const struct breaker *breaker);

/** Says whether anybody may call. A probe may although this says no. */
bool breaker_lets_pass(const struct breaker *breaker, int64_t now_us);

/** When calls may pass as far as is known: the later of the rest's end and the half-open time; 0:
 * now, or nobody knows. */
int64_t breaker_until_us(const struct breaker *breaker);

/** Forgets failures that are out of the window; how many are in it. */
uint32_t breaker_failures(struct breaker *breaker, const struct breaker_settings *settings,
                          int64_t now_us);

#endif
