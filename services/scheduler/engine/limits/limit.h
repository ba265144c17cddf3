/**
 * limit: how many jobs that have something in common are at work at once, and how many start in a
 * time: all that call one target, or all that have the same key.
 *
 * A job may start while each of its limits has a permit for it. The system partition has them all:
 * there a limit is open while fewer are used than may be, and its bucket (queue_limits.h) is not
 * empty. Other partitions ask for permits: there a limit is open while one that was given is not
 * used. So a limit holds over all partitions and replicas, whatever dies: permits that are away
 * stand in rows on both sides.
 *
 * Jobs that wait for a limit stand in lines of their own (line.h): a limit that is shut takes those
 * lines out of their queues, and no job is looked at.
 *
 * Pure: time is a parameter. Threads: the engine thread only. A limit lives as long as it has
 * lines, permits, a rule that was set, or a bucket that is not full.
 */
#ifndef SCHEDULER_LIMIT_H
#define SCHEDULER_LIMIT_H

#include "base/str.h"
#include "scheduler/engine/heap.h"
#include "scheduler/engine/queues/queue_limits.h"

#include <stddef.h>

enum {
    LIMITS_MAX         = 4'000'000,
    LIMIT_NAME_MAX     = 250, /* bytes: stands in a key of the store */
    LIMIT_KEY_MAX      = 100, /* bytes of what a workflow names */
    LIMIT_ASKED_MAX    = 1'000,
    LIMITS_PER_JOB_MAX = 3,
};

struct line;

/** Permits that are elsewhere: of the system partition. */
struct limit_share {
    uint32_t given, wanted;
};
struct limit_holder {
    char *name; /* owned */
    uint32_t given;
    int64_t until_us;
};

struct limit {
    struct limits *all;
    str name; /* owned */
    struct queue_limits rule;
    bool is_set; /* by the API: it stays */

    uint32_t used; /* by jobs of this partition */
    struct start_rate rate;
    struct heap_link opening; /* while the rate allows no start */
    bool is_open;             /* as its lines know */
    size_t waiting_count;     /* jobs that are ready but for their limits */
    struct line *first_line;  /* all its lines */

    /* In the system partition. */
    uint32_t away;                /* permits of other partitions and of replicas */
    struct limit_share *shares;   /* owned: by partition; NULL: none has any */
    struct limit_holder *holders; /* owned */
    size_t holder_count;
    uint16_t next_partition; /* they take turns */
    bool favours_others;     /* so do they and this one */

    /* In others. */
    uint32_t given;         /* permits, used ones included */
    uint32_t wanted;        /* what the system partition knows */
    uint32_t ended, unused; /* to be told */
    int64_t spare_since_us; /* no job takes what was given; 0: there is none too many */
    bool is_idle;           /* so it was given back: it is asked for again in a while */
    bool is_watched;        /* its jobs wait within other limits, too */
    struct limit *next_watched, *previous_watched;

    bool has_row;
    bool is_changed, is_unshown;
    struct limit *next_changed, *next_unshown;
};

struct limits;

/** Owned. `is_owner`: of the system partition, which has `partitions` of them. */
struct limits *limits_new(bool is_owner, uint16_t partitions);
void limits_free(struct limits *limits);
bool limits_is_owner(const struct limits *limits);

struct limit *limits_find(const struct limits *limits, str name);

/** Finds or makes it, without a rule; NULL: LIMITS_MAX, or a name over LIMIT_NAME_MAX. */
struct limit *limits_at(struct limits *limits, str name);

/** Walks all in no order; NULL at the end. `*cursor` begins at 0; the one just returned may be
 * dropped. */
struct limit *limits_next(const struct limits *limits, size_t *cursor);
size_t limits_count(const struct limits *limits);

/** Frees it if nothing needs it and it has no row. Says whether it did. */
bool limits_drop(struct limits *limits, struct limit *limit, int64_t now_us);

/** Says whether it has anything that a restart must know. */
bool limit_needs_row(const struct limits *limits, const struct limit *limit, int64_t now_us);

bool limit_has_rule(const struct limit *limit);

/** Another rule from now on. */
void limit_set(struct limits *limits, struct limit *limit, const struct queue_limits *rule,
               int64_t now_us);

/** How many permits could be given now, at most `most`. */
uint32_t limit_room(const struct limits *limits, const struct limit *limit, uint32_t most,
                    int64_t now_us);

/** A job is at work, and is not any more. The first does not ask whether it may. */
void limit_use(struct limits *limits, struct limit *limit);
void limit_end(struct limits *limits, struct limit *limit);

/** It was started now: counts for its rate. */
void limit_start(struct limits *limits, struct limit *limit, int64_t now_us);

/** Takes so many off its rate, also more than there are: nobody starts until they have come back.
 */
void limit_spend(struct limits *limits, struct limit *limit, uint32_t count, int64_t now_us);

/** So many that were taken off its rate come back. */
void limit_unspend(struct limits *limits, struct limit *limit, uint32_t count, int64_t now_us);

/** Its rate is as it was when it was written: full at `full_us`. */
void limit_owe(struct limits *limits, struct limit *limit, int64_t full_us, int64_t now_us);

/** The system partition gives permits away and gets them back: of calls that are over, or of none.
 */
void limit_give(struct limits *limits, struct limit *limit, uint32_t count, int64_t now_us);
void limit_take_back(struct limits *limits, struct limit *limit, uint32_t ended, uint32_t unused,
                     int64_t now_us);

/** Another partition gets permits. */
void limit_receive(struct limits *limits, struct limit *limit, uint32_t count);

/** In another partition: how many permits its waiting jobs could use now. Those that stand within
 * other limits need theirs first: so permits are asked for in one order, and no two partitions have
 * what the other one needs. To be asked again when an outer limit has changed: limits_watch(). */
uint64_t limit_usable(const struct limit *limit);

/** Notes it again whenever a limit of this partition opens or shuts, if jobs that stand within
 * another one wait for it. */
void limits_watch(struct limits *limits, struct limit *limit);

/** Does that, for a piece of them. */
void limits_note_watched(struct limits *limits);

/** So many jobs more wait for it. */
void limit_count_waiting(struct limit *limit, int step);

/** What it is has changed: its lines go where they belong. */
void limit_refresh(struct limits *limits, struct limit *limit);

/** It was changed in this turn: its row, its asks. */
void limit_note(struct limits *limits, struct limit *limit);
struct limit *limits_take_changed(struct limits *limits);
struct limit *limits_first_changed(const struct limits *limits); /* then by `next_changed` */
bool limits_have_changed(const struct limits *limits);

/** Its numbers have changed, or its last line is gone: it is to be shown (limit_board.h), and goes
 * afterwards if nothing needs it. */
void limit_unshow(struct limit *limit);

/** Takes one that is to be shown; NULL: none. */
struct limit *limits_take_unshown(struct limits *limits);

/** Something has to be looked at in a second (engine_limits_care()). Whether that time has come;
 * asking forgets it. */
void limits_want_care(struct limits *limits, int64_t now_us);
bool limits_take_care(struct limits *limits, int64_t now_us);

/** Opens those whose rate allows a start again. When the next one will be, or care is
 * wanted; INT64_MAX: never. */
void limits_advance(struct limits *limits, int64_t now_us);
int64_t limits_due_us(const struct limits *limits);

/** The share of another partition; the permits of a replica (made if `may_make`, else NULL). */
struct limit_share *limit_share_of(const struct limits *limits, struct limit *limit,
                                   uint16_t partition);
struct limit_holder *limit_holder_of(struct limit *limit, str name, bool may_make);
void limit_holder_drop(struct limit *limit, struct limit_holder *holder);

#endif
