#include "workflow/duration.h"

#include "base/attr.h"

#include <stdbool.h>

/* A hundred years: more is a slip of the pen, and sums of two never overflow. */
#define DURATION_US_MAX (INT64_C(36'525) * 86'400 * 1'000'000)

enum { SHOWN_MAX = 40 /* bytes of the text in a message */ };

struct unit {
    const char *name; /* as a key */
    char letter;      /* in ISO 8601 */
    bool is_time;     /* after the T */
    int64_t us;
};

static const struct unit units[] = {
    {"days", 'D', false, INT64_C(86'400'000'000)},
    {"hours", 'H', true, INT64_C(3'600'000'000)},
    {"minutes", 'M', true, 60'000'000},
    {"seconds", 'S', true, 1'000'000},
    {"milliseconds", 0, true, 1'000},
    {"weeks", 'W', false, INT64_C(604'800'000'000)},
};

enum { KEY_COUNT = 5 /* a map has no weeks */ };

/* Adds `count` units; false past the maximum. */
static bool add(int64_t *us, int64_t count, int64_t unit_us)
{
    int64_t more;
    return !__builtin_mul_overflow(count, unit_us, &more) &&
           !__builtin_add_overflow(*us, more, us) && *us <= DURATION_US_MAX;
}

/* --- {days, hours, minutes, seconds, milliseconds} -------------------------------------------- */

static status key_read(str key, json value, int64_t *us, struct error *reterr)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (!str_is(key, units[i].name)) continue;
        int64_t count;
        if (!json_is_number(value) || !json_to_int(value, &count)) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "`%s` is a whole number", units[i].name);
        }
        if (count < 0) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "`%s` is negative", units[i].name);
        }
        if (!add(us, count, units[i].us)) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "a duration is at most 100 years");
        }
        return STATUS_OK;
    }
    str shown = str_slice(key, 0, SHOWN_MAX);
    return fail(reterr, STATUS_INVALID_ARGUMENT, "unknown key `" STR_FMT "` in a duration",
                STR_ARG(shown));
}

static status map_read(json value, int64_t *ret_us, struct error *reterr)
{
    if (json_count(value) == 0) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "this duration names no unit");
    }
    int64_t us = 0;
    for (size_t i = 0; i < json_count(value); i++) {
        TRY(key_read(json_key_at(value, i), json_value_at(value, i), &us, reterr));
    }
    *ret_us = us;
    return STATUS_OK;
}

/* --- ISO 8601 --------------------------------------------------------------------------------- */

/* One number of the text, fraction and all, without its unit. */
struct amount {
    int64_t whole;
    str fraction; /* digits behind the point */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool amount_scan(str text, size_t *at, struct amount *amount)
{
    size_t from   = *at;
    amount->whole = 0;
    for (; *at < text.len && is_digit(text.ptr[*at]); (*at)++) {
        if (__builtin_mul_overflow(amount->whole, 10, &amount->whole) ||
            __builtin_add_overflow(amount->whole, text.ptr[*at] - '0', &amount->whole)) {
            return false;
        }
    }
    if (*at == from) return false;
    amount->fraction = (str){.ptr = "", .len = 0};
    if (*at < text.len && (text.ptr[*at] == '.' || text.ptr[*at] == ',')) {
        size_t point = ++*at;
        while (*at < text.len && is_digit(text.ptr[*at])) (*at)++;
        amount->fraction = str_slice(text, point, *at);
        if (amount->fraction.len == 0) return false;
    }
    return true;
}

static bool amount_add(int64_t *us, const struct amount *amount, int64_t unit_us)
{
    if (!add(us, amount->whole, unit_us)) return false;
    for (size_t i = 0; i < amount->fraction.len && unit_us > 0; i++) {
        unit_us /= 10;
        if (!add(us, amount->fraction.ptr[i] - '0', unit_us)) return false;
    }
    return true;
}

/* The units of a text stand in this order; each at most once. */
static const char order[] = "YMWDTHMS";

static const struct unit *unit_of(char letter, bool is_time)
{
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (units[i].letter == letter && units[i].is_time == is_time) return &units[i];
    }
    return NULL;
}

static status not_iso(str text, struct error *reterr)
{
    str shown = str_slice(text, 0, SHOWN_MAX);
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "`" STR_FMT "` is not a duration such as `PT5M` or `P1DT12H`", STR_ARG(shown));
}

static status iso_read(str text, int64_t *ret_us, struct error *reterr)
{
    if (memchr(text.ptr, '-', text.len)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "a duration cannot be negative");
    }
    if (text.len < 3 || text.ptr[0] != 'P') return not_iso(text, reterr);
    int64_t us       = 0;
    const char *next = order;
    bool is_time     = false;
    for (size_t at = 1; at < text.len; at++) {
        struct amount amount;
        bool is_t = text.ptr[at] == 'T' && !is_time;
        if (!is_t && !amount_scan(text, &at, &amount)) return not_iso(text, reterr);
        if (at >= text.len) return not_iso(text, reterr);
        char letter = text.ptr[at];
        next        = strchr(next, letter);
        if (letter == '\0' || !next) return not_iso(text, reterr);
        next++;
        if (is_t) {
            is_time = true;
            next    = order + 5;
            if (at + 1 == text.len) return not_iso(text, reterr);
            continue;
        }
        if (letter == 'Y' || (letter == 'M' && !is_time)) {
            return fail(reterr, STATUS_INVALID_ARGUMENT,
                        "years and months have no fixed length: say it in days");
        }
        const struct unit *unit = unit_of(letter, is_time);
        if (!unit) return not_iso(text, reterr);
        if (!amount_add(&us, &amount, unit->us)) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "a duration is at most 100 years");
        }
    }
    *ret_us = us;
    return STATUS_OK;
}

status duration_read(json value, int64_t *ret_us, struct error *reterr)
{
    switch (value.kind) {
    case JSON_OBJECT: return map_read(value, ret_us, reterr);
    case JSON_TEXT: return iso_read(json_str(value), ret_us, reterr);
    default:
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "a duration is a map such as `{ minutes: 5 }`, or a text such as `PT5M`");
    }
}
