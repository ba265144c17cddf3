/** zone_rule: the footer of a TZif file: how a zone goes on for ever (the TZ of POSIX, as widened
 * by RFC 9636: hours from -167 to 167). Plain values. */
#ifndef WORKFLOW_ZONE_RULE_H
#define WORKFLOW_ZONE_RULE_H

#include "base/str.h"

#include <stdint.h>

struct zone_day {
    enum {
        DAY_JULIAN,
        DAY_OF_YEAR,
        DAY_OF_WEEK
    } kind; /* J1..J365 without 29 February; 0..365;
             * M month.week.weekday */
    int month, week, day;
    int64_t time_s; /* of the local clock, from the beginning of the day */
};

struct zone_rule {
    int64_t standard_s, summer_s; /* local time less UTC */
    bool has_summer;
    struct zone_day begin, end; /* of summer */
};

/** "CET-1CEST,M3.5.0,M10.5.0/3". False: it is none; a summer without dates is none either. */
bool zone_rule_parse(str text, struct zone_rule *ret_rule);

struct zone_stretch {
    int64_t from_s, until_s; /* INT64_MIN, INT64_MAX: for ever */
    int64_t offset_s;
};

struct zone_stretch zone_rule_at(const struct zone_rule *rule, int64_t at_s);

#endif
