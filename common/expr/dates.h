/* dates: the calendar, and dates as text, for the builtins. UTC, C locale, proleptic Gregorian. */
#ifndef EXPR_DATES_H
#define EXPR_DATES_H

#include "base/buf.h"

struct date {
    int32_t year;
    int32_t month; /* from 0 */
    int32_t day;   /* from 1 */
    int32_t hour;
    int32_t minute;
    int32_t second;
    int32_t weekday; /* from Sunday, 0 */
    int32_t yearday; /* from 0 */
};

/* Seconds since 1970, of any sign, to a year of 32 bits. */
struct date date_from_seconds(int64_t seconds);

/* Fields beyond their range count on: the 32nd of January is the 1st of February. */
int64_t date_to_seconds(const struct date *date);

/* As strftime() writes it. */
void date_format(const struct date *date, str format, struct buf *out);

/* As strptime() reads it. False: it does not match. `*ret_end`: what was not read begins there,
 * with a blank or at the end. */
bool date_parse(str text, str format, struct date *ret_date, size_t *ret_end);

/* The format that a conversion stands for, or NULL. */
const char *date_expansion(char conversion);

extern const char *const date_weekdays[7];
extern const char *const date_months[12];

#endif
