/*
 * Numbers as text: exact both ways.
 *
 * Integers are exact over int64. A double is printed with the fewest digits that read back as the
 * same double, and read as the double nearest to what is written. The short ways below are proved
 * in their comments; what they do not cover goes through the C library, whose strtod() and printf()
 * round correctly. No program of the suite calls setlocale(), so the decimal point is a point.
 */
#include "base/mem.h"
#include "json/json_internal.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    DIGITS_EXACT = 15,      /* decimal digits that every normal double keeps */
    DIGITS_MAX   = 17,      /* that tell any two doubles apart */
    POWER_MAX    = 22,      /* largest power of ten that is a double */
    EXPONENT_MAX = 100'000, /* beyond it only 0 and infinity are left */
    COPY_MAX     = 64,      /* bytes of a number that need no memory */
};

/* clang-format off */
static const double powers[POWER_MAX + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};
/* clang-format on */

/* --- reading -----------------------------------------------------------------------------------
 */

struct decimal {
    uint64_t mantissa; /* the first 19 digits */
    int64_t exponent;  /* of ten */
    uint32_t digits;   /* significant ones, counted up to the first that was dropped */
    bool is_negative;
    bool is_cut; /* more than 19 digits */
    bool is_int; /* no fraction, no exponent */
};

static bool is_digit(const char *at, const char *end)
{
    return at < end && *at >= '0' && *at <= '9';
}

static const char *read_digits(const char *at, const char *end, struct decimal *number,
                               bool is_fraction)
{
    enum { MANTISSA_DIGITS = 19 }; /* 10^19 - 1 fits 64 bits */
    for (; is_digit(at, end); at++) {
        if (number->digits == MANTISSA_DIGITS) {
            number->is_cut = true;
            if (!is_fraction) number->exponent++;
            continue;
        }
        number->mantissa = number->mantissa * 10 + (uint64_t)(*at - '0');
        if (number->mantissa > 0) number->digits++;
        if (is_fraction) number->exponent--;
    }
    return at;
}

static const char *read_exponent(const char *at, const char *end, struct decimal *number,
                                 const char **ret_fault)
{
    bool is_negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+')) at++;
    *ret_fault = at;
    if (!is_digit(at, end)) return NULL;
    int64_t value = 0;
    for (; is_digit(at, end); at++) {
        if (value < EXPONENT_MAX) value = value * 10 + (*at - '0');
    }
    number->exponent += is_negative ? -value : value;
    return at;
}

static const char *read_decimal(const char *at, const char *end, struct decimal *number,
                                const char **ret_fault)
{
    number->is_int      = true;
    number->is_negative = at < end && *at == '-';
    if (number->is_negative) at++;
    *ret_fault = at;
    if (!is_digit(at, end)) return NULL;
    if (*at == '0') {
        at++;
        *ret_fault = at;
        if (is_digit(at, end)) return NULL; /* 01 */
    } else {
        at = read_digits(at, end, number, false);
    }
    if (at < end && *at == '.') {
        number->is_int = false;
        at++;
        *ret_fault = at;
        if (!is_digit(at, end)) return NULL;
        at = read_digits(at, end, number, true);
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        number->is_int = false;
        at             = read_exponent(at + 1, end, number, ret_fault);
    }
    return at;
}

static bool to_int(const struct decimal *number, int64_t *ret_value)
{
    if (!number->is_int || number->is_cut) return false;
    if (number->mantissa == 0 && number->is_negative) return false; /* -0 keeps its sign */
    uint64_t limit = (uint64_t)INT64_MAX + (number->is_negative ? 1 : 0);
    if (number->mantissa > limit) return false;
    *ret_value = number->is_negative ? (int64_t)(0 - number->mantissa) : (int64_t)number->mantissa;
    return true;
}

/* A mantissa below 2^53 and a power of ten up to 10^22 are doubles, and one multiplication or
 * division of doubles is rounded correctly (Clinger 1990). */
static bool to_real(const struct decimal *number, double *ret_value)
{
    if (number->is_cut || number->mantissa > (uint64_t)1 << DBL_MANT_DIG) return false;
    if (number->exponent < -POWER_MAX || number->exponent > POWER_MAX) return false;
    double value = (double)number->mantissa;
    if (number->exponent < 0) value /= powers[-number->exponent];
    if (number->exponent > 0) value *= powers[number->exponent];
    *ret_value = number->is_negative ? -value : value;
    return true;
}

static double read_by_library(const char *at, size_t len)
{
    if (len < COPY_MAX) {
        char copy[COPY_MAX];
        memcpy(copy, at, len);
        copy[len] = '\0';
        return strtod(copy, NULL);
    }
    char *copy   = mem_dup(at, len);
    double value = strtod(copy, NULL);
    free(copy);
    return value;
}

const char *json_number_read(const char *at, const char *end, json *ret_number,
                             const char **ret_fault)
{
    struct decimal number = {};
    const char *after     = read_decimal(at, end, &number, ret_fault);
    if (!after) return NULL;

    int64_t integer = 0;
    double real     = 0;
    if (to_int(&number, &integer)) {
        *ret_number = json_int(integer);
    } else if (to_real(&number, &real)) {
        *ret_number = json_real(real);
    } else {
        *ret_number = json_real(read_by_library(at, (size_t)(after - at)));
    }
    return after;
}

/* --- writing -----------------------------------------------------------------------------------
 */

/* Writes the digits of `value` and returns how many. */
static size_t put_integer(uint64_t value, char *text)
{
    char reversed[20]; /* digits of 2^64 */
    size_t count = 0;
    do {
        reversed[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    for (size_t i = 0; i < count; i++) text[i] = reversed[count - 1 - i];
    return count;
}

/* A positive double as 0.DIGITS times ten to the `point`; no zero at the end of the digits. */
struct digits {
    char text[20];
    int count;
    int point;
};

/*
 * Prices, percentages, seconds: m / 10^k with m of at most 15 digits. The division is rounded
 * correctly, so if it gives `value`, that decimal reads back as `value`; no two decimals of 15
 * digits share a double, so no other short one does; and the first k that fits has no zero at its
 * end. Hence these are the fewest digits.
 */
static bool short_digits(double value, struct digits *ret)
{
    for (int k = 1; k <= POWER_MAX; k++) {
        double scaled = value * powers[k];
        if (scaled >= 1e15) return false;
        uint64_t nearest = (uint64_t)(scaled + 0.5);
        if ((double)nearest / powers[k] != value) continue;
        ret->count = (int)put_integer(nearest, ret->text);
        ret->point = ret->count - k;
        return true;
    }
    return false;
}

static void trim_zeros(struct digits *digits)
{
    while (digits->count > 1 && digits->text[digits->count - 1] == '0') digits->count--;
}

/* The decimal of `precision` digits that is nearest to `value`. */
static void round_to(double value, int precision, struct digits *ret)
{
    char text[JSON_NUMBER_SIZE];
    (void)snprintf(text, sizeof text, "%.*e", precision - 1, value);
    ret->count = 0;
    char *at   = text;
    for (; *at != 'e'; at++) {
        if (*at >= '0' && *at <= '9') ret->text[ret->count++] = *at;
    }
    ret->point = (int)strtol(at + 1, NULL, 10) + 1;
}

/* The next larger decimal of as many digits. */
static void step_up(struct digits *digits)
{
    int i = digits->count - 1;
    while (i >= 0 && digits->text[i] == '9') digits->text[i--] = '0';
    if (i >= 0) {
        digits->text[i]++;
        return;
    }
    digits->text[0] = '1'; /* 999 becomes 1000, which is 100 one place up */
    digits->point++;
}

static bool reads_back(const struct digits *digits, double value)
{
    char text[JSON_NUMBER_SIZE + 8];
    (void)snprintf(text, sizeof text, "0.%.*se%d", digits->count, digits->text, digits->point);
    return strtod(text, NULL) == value;
}

/*
 * A normal double keeps 15 digits, so the search starts there; a subnormal keeps fewer. The nearest
 * decimal of n digits reads back if any of n digits does, but for powers of two: the doubles below
 * them are closer than those above, and it may be the next decimal above that reads back.
 */
static void long_digits(double value, struct digits *ret)
{
    for (int n = value < DBL_MIN ? 1 : DIGITS_EXACT; n < DIGITS_MAX; n++) {
        round_to(value, n, ret);
        bool is_found = reads_back(ret, value);
        if (!is_found) {
            step_up(ret);
            is_found = reads_back(ret, value);
        }
        if (is_found) {
            trim_zeros(ret);
            return;
        }
    }
    round_to(value, DIGITS_MAX, ret);
    trim_zeros(ret);
}

static size_t put_zeros(char *text, int count)
{
    if (count <= 0) return 0;
    memset(text, '0', (size_t)count);
    return (size_t)count;
}

/* 0.00012, 1.2, 1200: jq's choice of when no exponent is needed, and whole ones below 1e17. */
static bool is_plain(const struct digits *digits)
{
    return digits->point > -4 && (digits->point <= 17 || digits->point <= digits->count + 15);
}

static size_t put_plain(const struct digits *digits, char *text)
{
    size_t len   = 0;
    size_t count = (size_t)digits->count;
    if (digits->point <= 0) {
        text[len++] = '0';
        text[len++] = '.';
        len += put_zeros(text + len, -digits->point);
        memcpy(text + len, digits->text, count);
        return len + count;
    }
    size_t whole = digits->point < digits->count ? (size_t)digits->point : count;
    memcpy(text, digits->text, whole);
    len = whole + put_zeros(text + whole, digits->point - digits->count);
    if (whole == count) return len;
    text[len++] = '.';
    memcpy(text + len, digits->text + whole, count - whole);
    return len + count - whole;
}

static size_t put_scientific(const struct digits *digits, char *text)
{
    size_t len  = 0;
    text[len++] = digits->text[0];
    if (digits->count > 1) {
        text[len++]  = '.';
        size_t count = (size_t)digits->count - 1;
        memcpy(text + len, digits->text + 1, count);
        len += count;
    }
    int exponent = digits->point - 1;
    text[len++]  = 'e';
    text[len++]  = exponent < 0 ? '-' : '+';
    if (exponent < 0) exponent = -exponent;
    if (exponent < 10) text[len++] = '0';
    return len + put_integer((uint64_t)exponent, text + len);
}

static size_t format_real(double value, char *text)
{
    ASSERT(!isnan(value)); /* which has no number's text */
    size_t len = 0;
    if (signbit(value)) {
        text[len++] = '-';
        value       = -value;
    }
    if (value > DBL_MAX) value = DBL_MAX;
    if (value < 0x1p53 && value == trunc(value)) {
        return len + put_integer((uint64_t)value, text + len);
    }

    struct digits digits = {};
    if (!short_digits(value, &digits)) long_digits(value, &digits);
    return len + (is_plain(&digits) ? put_plain : put_scientific)(&digits, text + len);
}

size_t json_number_format(json number, char text[static JSON_NUMBER_SIZE])
{
    ASSERT(json_is_number(number));
    if (number.kind == JSON_REAL) return format_real(number.real, text);
    if (number.integer >= 0 && number.integer < 10) { /* counters, flags, indices */
        text[0] = (char)('0' + number.integer);
        return 1;
    }
    bool is_negative = number.integer < 0;
    if (is_negative) text[0] = '-';
    uint64_t size = is_negative ? 0 - (uint64_t)number.integer : (uint64_t)number.integer;
    return is_negative + put_integer(size, text + is_negative);
}
