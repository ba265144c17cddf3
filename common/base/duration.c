/* Durations as people write them; declared in clock.h. */
#include "base/assert.h"
#include "base/attr.h"
#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

enum { FRACTION_DIGITS_MAX = 9 };

#define US_PER_SECOND INT64_C(1000000)

static const int64_t us_max = 36525 * (86400 * US_PER_SECOND); /* 100 years */

static const struct unit {
    const char *name;
    int64_t us;
} units[] = {
    {"d", 86400 * US_PER_SECOND}, {"h", 3600 * US_PER_SECOND},  {"m", 60 * US_PER_SECOND},
    {"s", US_PER_SECOND},         {"ms", US_PER_SECOND / 1000},
};

/* Designators of ISO 8601 in the order in which they may come; those after DATE_PARTS need a T. */
static const struct part {
    char letter;
    int64_t us;
} parts[] = {
    {'W', 7 * 86400 * US_PER_SECOND}, {'D', 86400 * US_PER_SECOND}, {'H', 3600 * US_PER_SECOND},
    {'M', 60 * US_PER_SECOND},        {'S', US_PER_SECOND},
};
enum { DATE_PARTS = 2 };

/* Reads digits; false without any, or if the number is above `max`. */
static bool take_number(str *text, int64_t max, int64_t *ret_value)
{
    size_t digits = 0;
    int64_t value = 0;
    for (; digits < text->len && text->ptr[digits] >= '0' && text->ptr[digits] <= '9'; digits++) {
        value = value * 10 + (text->ptr[digits] - '0');
        if (value > max) return false;
    }
    if (digits == 0) return false;
    *ret_value = value;
    *text      = str_slice(*text, digits, text->len);
    return true;
}

/* Reads the digits after the point of seconds; what is finer than a microsecond is cut off. */
static bool take_fraction(str *text, int64_t *ret_us)
{
    int64_t us    = 0;
    int64_t scale = US_PER_SECOND;
    size_t digits = 0;
    for (; digits < text->len && text->ptr[digits] >= '0' && text->ptr[digits] <= '9'; digits++) {
        scale /= 10;
        us += (text->ptr[digits] - '0') * scale;
    }
    if (digits == 0 || digits > FRACTION_DIGITS_MAX) return false;
    *text   = str_slice(*text, digits, text->len);
    *ret_us = us;
    return true;
}

/* Adds `count` units of `unit_us`; false above the maximum. */
static bool add(int64_t *us, int64_t count, int64_t unit_us)
{
    ASSERT(*us <= us_max);
    if (count > (us_max - *us) / unit_us) return false;
    *us += count * unit_us;
    return true;
}

static bool parse_iso(str text, int64_t *ret_us)
{
    int64_t us   = 0;
    size_t next  = 0; /* the first of `parts` that may still come */
    bool is_any  = false;
    bool in_time = false;
    while (text.len > 0) {
        if (!in_time && text.ptr[0] == 'T') {
            in_time = true;
            is_any  = false; /* a T must be followed by something */
            next    = DATE_PARTS;
            text    = str_slice(text, 1, text.len);
            continue;
        }
        int64_t count;
        int64_t fraction_us = 0;
        bool has_fraction   = false;
        if (!take_number(&text, us_max, &count)) return false;
        if (text.len > 0 && text.ptr[0] == '.') {
            text         = str_slice(text, 1, text.len);
            has_fraction = true;
            if (!take_fraction(&text, &fraction_us)) return false;
        }
        if (text.len == 0) return false;
        size_t at  = next;
        size_t end = in_time ? ARRAY_LEN(parts) : DATE_PARTS;
        while (at < end && parts[at].letter != text.ptr[0]) at++;
        if (at == end || (has_fraction && parts[at].letter != 'S')) return false;
        if (!add(&us, count, parts[at].us) || !add(&us, fraction_us, 1)) return false;
        text   = str_slice(text, 1, text.len);
        next   = at + 1;
        is_any = true;
    }
    if (!is_any) return false;
    *ret_us = us;
    return true;
}

bool duration_parse(str text, int64_t *ret_us)
{
    if (text.len > 0 && text.ptr[0] == 'P') return parse_iso(str_slice(text, 1, text.len), ret_us);

    int64_t count;
    if (!take_number(&text, us_max, &count)) return false;
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (!str_is(text, units[i].name)) continue;
        int64_t us = 0;
        if (!add(&us, count, units[i].us)) return false;
        *ret_us = us;
        return true;
    }
    return false;
}

void duration_format(int64_t us, char text[static TIME_TEXT_SIZE])
{
    ASSERT(us >= 0);
    if (us == 0) {
        (void)snprintf(text, TIME_TEXT_SIZE, "0s");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (us % units[i].us != 0) continue;
        (void)snprintf(text, TIME_TEXT_SIZE, "%" PRId64 "%s", us / units[i].us, units[i].name);
        return;
    }
    (void)snprintf(text, TIME_TEXT_SIZE, "PT%" PRId64 ".%06" PRId64 "S", us / US_PER_SECOND,
                   us % US_PER_SECOND);
}
