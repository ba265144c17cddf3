/*
 * Times are searched day by day, and within a day by bits. The rarest day is 29 February on one
 * weekday, where the weekday is a step of `*` and must fit as well: 28 years apart, and 40 over a
 * century that is no leap year. That is 15,000 steps of a few nanoseconds.
 */
#include "workflow/cron.h"

#include "base/attr.h"

enum {
    FIELD_COUNT   = 5,
    HOURS_PER_DAY = 24,
    MINUTES       = 60,
    DAYS_AHEAD    = 40 * 366,  /* searched; nothing that happens at all is further away */
    DAY_9999      = 2'932'896, /* 9999-12-31 */
};
#define MINUTE_US INT64_C(60'000'000)
#define HOUR_US   (60 * MINUTE_US)
#define DAY_US    (24 * HOUR_US)

/* --- reading -----------------------------------------------------------------------------------
 */

static const char *const month_names[] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                          "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
static const char *const day_names[]   = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};

static const struct cron_field {
    const char *name;
    unsigned min, max;
    const char *const *names; /* of min and up; NULL: none */
    unsigned name_count;
} fields[FIELD_COUNT] = {
    {.name = "minute", .min = 0, .max = 59},
    {.name = "hour", .min = 0, .max = 23},
    {.name = "day", .min = 1, .max = 31},
    {.name = "month", .min = 1, .max = 12, .names = month_names, .name_count = 12},
    {.name = "weekday", .min = 0, .max = 7, .names = day_names, .name_count = 7},
};

static bool is_name(str text, const char *name)
{
    if (text.len != 3) return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
        if (c != name[i]) return false;
    }
    return true;
}

static status value_parse(const struct cron_field *field, str text, unsigned *ret_value,
                          struct error *reterr)
{
    for (unsigned i = 0; i < field->name_count; i++) {
        if (!is_name(text, field->names[i])) continue;
        *ret_value = field->min + i;
        return STATUS_OK;
    }
    unsigned value = 0;
    bool is_number = text.len > 0 && text.len <= 4;
    for (size_t i = 0; i < text.len && is_number; i++) {
        is_number = text.ptr[i] >= '0' && text.ptr[i] <= '9';
        value     = value * 10 + (unsigned)(text.ptr[i] - '0');
    }
    str shown = str_slice(text, 0, 20);
    if (!is_number) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "%s `" STR_FMT "`: is no number%s",
                    field->name, STR_ARG(shown), field->names ? " and no name" : "");
    }
    if (value < field->min || value > field->max) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "%s %u: goes from %u to %u", field->name,
                    value, field->min, field->max);
    }
    *ret_value = value;
    return STATUS_OK;
}

/* Splits at the first `separator`; the second half is empty if there is none. */
static bool split(str text, char separator, str *ret_left, str *ret_right)
{
    const char *at = text.len > 0 ? memchr(text.ptr, separator, text.len) : NULL;
    size_t len     = at ? (size_t)(at - text.ptr) : text.len;
    *ret_left      = str_slice(text, 0, len);
    *ret_right     = at ? str_slice(text, len + 1, text.len) : (str){};
    return at != NULL;
}

static status step_parse(const struct cron_field *field, str text, unsigned *ret_step,
                         struct error *reterr)
{
    const struct cron_field steps = {.name = "step", .min = 1, .max = 9'999};
    unsigned step                 = 0;
    TRY(value_parse(&steps, text, &step, reterr));
    if (step > field->max) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "%s: a step of %u is larger than the field",
                    field->name, step);
    }
    *ret_step = step;
    return STATUS_OK;
}

/* `*`, `a`, `a-b`, each with an optional `/n`. */
static status part_parse(const struct cron_field *field, str part, uint64_t *bits,
                         struct error *reterr)
{
    str range     = {};
    str step_text = {};
    str from_text = {};
    str to_text   = {};
    unsigned from = field->min;
    unsigned to   = field->max;
    unsigned step = 1;
    bool has_step = split(part, '/', &range, &step_text);
    if (has_step) TRY(step_parse(field, step_text, &step, reterr));
    if (!str_is(range, "*")) {
        bool is_range = split(range, '-', &from_text, &to_text);
        TRY(value_parse(field, from_text, &from, reterr));
        if (is_range) {
            TRY(value_parse(field, to_text, &to, reterr));
        } else if (!has_step) {
            to = from;
        }
    }
    if (to < from) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "%s " STR_FMT ": ends before it begins; write two ranges", field->name,
                    STR_ARG(str_slice(range, 0, 20)));
    }
    for (unsigned value = from; value <= to; value += step) *bits |= UINT64_C(1) << value;
    return STATUS_OK;
}

static status field_parse(const struct cron_field *field, str text, uint64_t *ret_bits,
                          struct error *reterr)
{
    uint64_t bits = 0;
    str rest      = text;
    bool has_more = true;
    while (has_more) {
        str part = {};
        has_more = split(rest, ',', &part, &rest);
        TRY(part_parse(field, part, &bits, reterr));
    }
    *ret_bits = bits;
    return STATUS_OK;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static size_t fields_split(str text, str ret_fields[static FIELD_COUNT])
{
    size_t count = 0;
    size_t at    = 0;
    while (at < text.len) {
        while (at < text.len && is_blank(text.ptr[at])) at++;
        size_t from = at;
        while (at < text.len && !is_blank(text.ptr[at])) at++;
        if (at == from) break;
        if (count < FIELD_COUNT) ret_fields[count] = str_slice(text, from, at);
        count++;
    }
    return count;
}

static bool is_restricted(str field)
{
    return field.ptr[0] != '*';
}

status cron_parse(str text, struct cron *ret_cron, struct error *reterr)
{
    str texts[FIELD_COUNT]     = {};
    uint64_t bits[FIELD_COUNT] = {};
    if (text.len > CRON_TEXT_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "over %d bytes", CRON_TEXT_MAX);
    }
    size_t count = fields_split(text, texts);
    if (count != FIELD_COUNT) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "needs %d fields (minute, hour, day, month, weekday), has %zu", FIELD_COUNT,
                    count);
    }
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        TRY(field_parse(&fields[i], texts[i], &bits[i], reterr));
    }
    if (bits[4] & 1U << 7) bits[4] |= 1; /* both are Sunday */
    const struct cron cron = {
        .minutes   = bits[0],
        .hours     = (uint32_t)bits[1],
        .days      = (uint32_t)bits[2],
        .months    = (uint16_t)bits[3],
        .weekdays  = (uint8_t)(bits[4] & 0x7f),
        .is_either = is_restricted(texts[2]) && is_restricted(texts[4]),
    };
    if (cron_next(&cron, 0) == INT64_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "day " STR_FMT " of month " STR_FMT " never comes",
                    STR_ARG(str_slice(texts[2], 0, 40)), STR_ARG(str_slice(texts[3], 0, 40)));
    }
    *ret_cron = cron;
    return STATUS_OK;
}

/* --- days --------------------------------------------------------------------------------------
 */

struct date {
    unsigned month, day; /* from 1 */
};

/* The Gregorian calendar counts best in years that begin in March, in eras of 400 of them. `day`
 * counts from 1970-01-01, not negative. */
static struct date date_of(int64_t day)
{
    enum { DAYS_TO_1970 = 719'468, DAYS_PER_ERA = 146'097 };
    uint64_t from_era = (uint64_t)(day + DAYS_TO_1970) % DAYS_PER_ERA;
    uint64_t year    = (from_era - from_era / 1'460 + from_era / 36'524 - from_era / 146'096) / 365;
    unsigned of_year = (unsigned)(from_era - (365 * year + year / 4 - year / 100));
    unsigned march   = (5 * of_year + 2) / 153; /* months since March */
    return (struct date){.month = march < 10 ? march + 3 : march - 9,
                         .day   = of_year - (153 * march + 2) / 5 + 1};
}

static bool day_fits(const struct cron *cron, int64_t day)
{
    enum { WEEKDAY_1970 = 4 /* a Thursday */ };
    const struct date date = date_of(day);
    unsigned weekday       = (unsigned)((day + WEEKDAY_1970) % 7);
    if (!(cron->months & 1U << date.month)) return false;
    bool fits_day     = cron->days & UINT32_C(1) << date.day;
    bool fits_weekday = cron->weekdays & 1U << weekday;
    return cron->is_either ? fits_day || fits_weekday : fits_day && fits_weekday;
}

/* --- times -------------------------------------------------------------------------------------
 */

/* The lowest bit of `bits` from `from` on; 64: none. */
static unsigned bit_from(uint64_t bits, unsigned from)
{
    uint64_t rest = from < 64 ? bits >> from << from : 0;
    return rest ? (unsigned)__builtin_ctzll(rest) : 64;
}

/* The highest bit of `bits` up to `to`; 64: none. */
static unsigned bit_until(uint64_t bits, unsigned to)
{
    uint64_t rest = to < 63 ? bits & ((UINT64_C(1) << (to + 1)) - 1) : bits;
    return rest ? 63 - (unsigned)__builtin_clzll(rest) : 64;
}

/* The first minute of a day that is not before `minute`; -1: none. */
static int minute_from(const struct cron *cron, unsigned minute)
{
    unsigned hour = bit_from(cron->hours, minute / MINUTES);
    if (hour >= HOURS_PER_DAY) return -1;
    unsigned within = hour == minute / MINUTES ? minute % MINUTES : 0;
    unsigned found  = bit_from(cron->minutes, within);
    if (found >= MINUTES) {
        hour = bit_from(cron->hours, hour + 1);
        if (hour >= HOURS_PER_DAY) return -1;
        found = bit_from(cron->minutes, 0);
    }
    return (int)(hour * MINUTES + found);
}

/* The last one that is not after `minute`; -1: none. */
static int minute_until(const struct cron *cron, unsigned minute)
{
    unsigned hour = bit_until(cron->hours, minute / MINUTES);
    if (hour >= HOURS_PER_DAY) return -1;
    unsigned within = hour == minute / MINUTES ? minute % MINUTES : MINUTES - 1;
    unsigned found  = bit_until(cron->minutes, within);
    if (found >= MINUTES) {
        hour = hour > 0 ? bit_until(cron->hours, hour - 1) : 64;
        if (hour >= HOURS_PER_DAY) return -1;
        found = bit_until(cron->minutes, MINUTES - 1);
    }
    return (int)(hour * MINUTES + found);
}

int64_t cron_next(const struct cron *cron, int64_t after_us)
{
    int64_t from_us = after_us < 0 ? 0 : (after_us / MINUTE_US + 1) * MINUTE_US;
    int64_t day     = from_us / DAY_US;
    unsigned minute = (unsigned)(from_us % DAY_US / MINUTE_US);
    for (int64_t last = day + DAYS_AHEAD; day <= last && day <= DAY_9999; day++, minute = 0) {
        int found = day_fits(cron, day) ? minute_from(cron, minute) : -1;
        if (found >= 0) return day * DAY_US + found * MINUTE_US;
    }
    return INT64_MAX;
}

int64_t cron_previous(const struct cron *cron, int64_t at_us)
{
    if (at_us < 0) return -1;
    int64_t day     = at_us / DAY_US;
    unsigned minute = (unsigned)(at_us % DAY_US / MINUTE_US);
    for (int64_t first = day - DAYS_AHEAD; day >= first && day >= 0; day--) {
        int found = day_fits(cron, day) ? minute_until(cron, minute) : -1;
        if (found >= 0) return day * DAY_US + found * MINUTE_US;
        minute = HOURS_PER_DAY * MINUTES - 1;
    }
    return -1;
}
