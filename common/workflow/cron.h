/**
 * cron: five fields that say at which minutes something happens: minute, hour, day of the month,
 * month, day of the week. In UTC, where every day has 24 hours.
 *
 *     field      values                       also
 *     minute     0 to 59
 *     hour       0 to 23
 *     day        1 to 31
 *     month      1 to 12                      JAN to DEC
 *     weekday    0 to 7, 0 and 7 are Sunday   SUN to SAT
 *
 * Each is a list of `*`, a value, a range `a-b`, or one of these with a step: `*` and `a-b` take
 * every n-th, `a/n` goes on to the end. Names may be written in any case. If day and weekday are
 * both restricted (neither begins with `*`), a day that fits one of the two fits, as in every cron
 * since 1987.
 *
 * What it does not do: seconds, years, `L`, `W`, `#`, `?`, `@daily`, time zones.
 *
 * Threads: plain values. Limits: CRON_TEXT_MAX; times from 1970 to 9999.
 */
#ifndef WORKFLOW_CRON_H
#define WORKFLOW_CRON_H

#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { CRON_TEXT_MAX = 1'024 /* bytes */ };

/** A bit per value. */
struct cron {
    uint64_t minutes;
    uint32_t hours, days;
    uint16_t months;
    uint8_t weekdays; /* Sunday is bit 0 */
    bool is_either;   /* day and weekday are both restricted: one of them must fit */
};

/** INVALID_ARGUMENT: it says nothing, or something that never happens, such as 30 February; the
 * text names field and value. */
status cron_parse(str text, struct cron *ret_cron, struct error *reterr);

/** The first time after `after_us`, in microseconds of Unix time; a whole minute. INT64_MAX: none
 * before the year 10000. */
int64_t cron_next(const struct cron *cron, int64_t after_us);

/** The last time at or before `at_us`; -1: none since 1970. */
int64_t cron_previous(const struct cron *cron, int64_t at_us);

#endif
