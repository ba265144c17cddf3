/**
 * retention: finished runs are deleted when their time is over, and so are dead letters.
 *
 * How long a run is kept is said by the first rule that fits it, else by `keep_us`. Runs that have
 * not ended are never touched. A sweeper walks the rows of runs, oldest first, a page in a turn,
 * and stops where no run can be old enough: nothing that was created after now minus the shortest
 * time has ended before. After a sweep it rests for a minute. What it finds goes by deletion.h.
 *
 * Dead letters have a time of their own, from when they came, and outlive their run: then they hold
 * all that they show themselves. Those of a run that has not ended stay, since it may wait for what
 * is done about them. Letters of a queue lie in the order of time, so a sweep reads those that go
 * and one more of each queue.
 *
 * Threads: rules are constant; the sweeper belongs to the engine's thread.
 */
#ifndef SCHEDULER_RETENTION_H
#define SCHEDULER_RETENTION_H

#include "config/config.h"
#include "run.pb-c.h"
#include "store/store.h"
#include "json/json.h"

enum {
    RETENTION_RULES_MAX   = 100,
    RETENTION_PAGE_ROWS   = 200,   /* looked at in a turn */
    RETENTION_LETTERS     = 50,    /* likewise, of dead letters */
    RETENTION_ERASURES    = 200,   /* likewise, of the list of erasures; after each sweep */
    RETENTION_PILE_MAX    = 1'000, /* deleted runs with rows left: the sweeper waits */
    RETENTION_REST_S      = 60,    /* after a sweep */
    RETENTION_STEP_MS     = 20,    /* between pages */
    RETENTION_FOR_EVER_US = 0,
};

struct retention_rule {
    str namespace;        /* empty: all */
    str workflow;         /* a name, or its beginning and `*`; empty: all */
    Pb__RunStatus status; /* a final one; UNSPECIFIED: all of them */
    int64_t keep_us;      /* after the end; RETENTION_FOR_EVER_US */
};

/** Texts are views of the configuration. */
struct retention {
    int64_t keep_us;          /* of runs that no rule fits */
    int64_t letters_keep_us;  /* of dead letters; RETENTION_FOR_EVER_US */
    int64_t erasures_keep_us; /* of the list of erasures (tables/erasures.h); likewise */
    struct retention_rule rules[RETENTION_RULES_MAX];
    size_t count;
};

/** Reads `retention.rules`, [{namespace?, workflow?, status?, keep}], and says what is wrong with
 * it. */
void retention_read(const struct config *config, json rules, struct retention *retention,
                    struct diagnostics *list);

/** When the run may go: time since 1970; INT64_MAX: never. `row` is of one that has ended. */
int64_t retention_end_us(const struct retention *retention, const Pb__RunView *row);

/** The shortest time of all; INT64_MAX: everything is kept for ever. */
int64_t retention_shortest_us(const struct retention *retention);

/* --- the sweeper -------------------------------------------------------------------------------
 */

struct engine;

/** Where the sweeper is. */
struct retention_sweep {
    uint8_t key[16]; /* the last run it has looked at */
    bool has_key;
    bool are_runs_done;  /* of this sweep; as the next */
    struct page letters; /* where it is among dead letters */
    bool are_letters_done;
    int64_t due_us; /* of the next page */
};

/** A page, if it is time. The transaction is lost on failure. */
status engine_retention_go_on(struct engine *engine, struct error *reterr);

/** letter_retention.c: a page of dead letters; `*ret_done`: there is none behind it. */
status engine_letters_sweep(struct engine *engine, bool *ret_done, struct error *reterr);

#endif
