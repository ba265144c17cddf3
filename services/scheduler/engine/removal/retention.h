/**
 * retention: finished runs are deleted when their time is over.
 *
 * How long a run is kept is said by the first rule that fits it, else by `keep_us`. Runs that have
 * not ended are never touched. A sweeper walks the rows of runs, oldest first, a page in a turn,
 * and stops where no run can be old enough: nothing that was created after now minus the shortest
 * time has ended before. After a sweep it rests for a minute. What it finds goes by deletion.h.
 *
 * Threads: rules are constant; the sweeper belongs to the engine's thread.
 */
#ifndef SCHEDULER_RETENTION_H
#define SCHEDULER_RETENTION_H

#include "config/config.h"
#include "run.pb-c.h"
#include "json/json.h"

enum {
    RETENTION_RULES_MAX   = 100,
    RETENTION_PAGE_ROWS   = 200,   /* looked at in a turn */
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
    int64_t keep_us; /* of runs that no rule fits */
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
    int64_t due_us; /* of the next page */
};

/** A page, if it is time. The transaction is lost on failure. */
status engine_retention_go_on(struct engine *engine, struct error *reterr);

#endif
