/**
 * gather: whether an engine waits a moment for more before its next turn.
 *
 * A turn costs a commit, however little it does. Callers and workers whose calls were answered
 * together come back together, a moment later. If the engine began at once with what a few others
 * have sent meanwhile, they would be two groups from then on, each with commits of its own, since
 * each comes back while the engine has the other one in hand. So it waits until most of both are
 * there: of what the last turn has done, and of what waits.
 *
 * It waits no longer than half the time that the last turn took, which is what a turn too many
 * would have cost them, and not at all where few are about. When it has waited in vain, because
 * callers think or jobs take their time, it does not for the next turns: for twice as many each
 * time.
 *
 * Threads: one.
 */
#ifndef SCHEDULER_GATHER_H
#define SCHEDULER_GATHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    GATHER_PARTS_MIN  = 8,     /* pieces of work; fewer are not waited for */
    GATHER_PERCENT    = 75,    /* of those that may come */
    GATHER_US_MAX     = 1'000, /* after the turn before */
    GATHER_MISSES_MAX = 6,     /* in a row: then one turn in 64 waits */
};

/** Begins as zeros. */
struct gather {
    size_t parts;     /* pieces of work of the last turn */
    int64_t until_us; /* when patience ends, on the clock that told of it */
    unsigned misses;  /* waits in vain, in a row */
    unsigned rests;   /* turns that wait for nothing */
};

/** A turn is over. */
void gather_turned(struct gather *gather, size_t parts, int64_t begun_us, int64_t ended_us);

/** Before a turn: for how many pieces of work to wait, until `until_us`, where `waiting` are there.
 * 0: for none; else gather_met() is to follow. */
size_t gather_enough(struct gather *gather, size_t waiting);

/** Whether they came. */
void gather_met(struct gather *gather, bool is_met);

#endif
