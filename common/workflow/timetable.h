/**
 * timetable: when something is due: by cron in a time zone, at every multiple of a span, or once.
 *
 * Cron where clocks are changed: a local time that there is not is due when the clock has been put
 * forward, several of them once; a local time that comes twice is due the first time. But a cron
 * of every hour (`*` as its hour) goes by time that passes: it leaves out what there is not, and
 * takes both of what comes twice.
 *
 * Threads: const once it is made. `zone` is owned.
 */
#ifndef WORKFLOW_TIMETABLE_H
#define WORKFLOW_TIMETABLE_H

#include "workflow/cron.h"
#include "workflow/zone.h"

struct timetable {
    enum { TIMETABLE_CRON, TIMETABLE_EVERY, TIMETABLE_AT } kind;
    struct cron cron;
    struct zone *zone; /* of cron; NULL: UTC */
    int64_t us;        /* the span, counted from 1970 in UTC; or the time */
};

/** The first time after `after_us`. INT64_MAX: none. */
int64_t timetable_next(const struct timetable *timetable, int64_t after_us);

void timetable_done(struct timetable *timetable);

/** How much later than due: from 0 to `jitter_us`, always the same for a name and a time. */
int64_t timetable_jitter(str name, int64_t due_us, int64_t jitter_us);

#endif
