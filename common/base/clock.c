#include "base/clock.h"

#include "base/assert.h"

#include <stdio.h>
#include <time.h>

enum { US_PER_SECOND = 1000000, SECONDS_PER_DAY = 86400, FRACTION_DIGITS_MAX = 9 };

static const int64_t first_second = -62167219200; /* 0000-01-01T00:00:00Z */
static const int64_t last_second  = 253402300799; /* 9999-12-31T23:59:59Z */

static int64_t read_us(clockid_t clock)
{
    struct timespec now;
    int failed = clock_gettime(clock, &now);
    ASSERT(failed == 0);
    return (int64_t)now.tv_sec * US_PER_SECOND + now.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t clock_mono_ms(void)
{
    return clock_mono_us() / 1000;
}

int64_t clock_unix_us(void)
{
    return read_us(CLOCK_REALTIME);
}

int64_t clock_process_cpu_us(void)
{
    return read_us(CLOCK_PROCESS_CPUTIME_ID);
}

int64_t clock_thread_cpu_us(void)
{
    return read_us(CLOCK_THREAD_CPUTIME_ID);
}

/* --- calendar: days since 1970-01-01 and back, in the proleptic Gregorian calendar. Years are
 * counted from March, so that the leap day is the last of its year. -----------------------------
 */

enum { DAYS_PER_400_YEARS = 146097, DAYS_TO_EPOCH = 719468 /* from 0000-03-01 */ };

struct date {
    int year, month, day; /* month and day from 1 */
};

static int64_t days_of(struct date date)
{
    int64_t year = date.month <= 2 ? date.year - 1 : date.year;
    int64_t era  = (year >= 0 ? year : year - 399) / 400;
    int64_t yoe  = year - era * 400;
    int64_t doy  = (153 * (date.month + (date.month > 2 ? -3 : 9)) + 2) / 5 + date.day - 1;
    int64_t doe  = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * DAYS_PER_400_YEARS + doe - DAYS_TO_EPOCH;
}

static struct date date_of(int64_t days)
{
    days += DAYS_TO_EPOCH;
    int64_t era   = (days >= 0 ? days : days - DAYS_PER_400_YEARS + 1) / DAYS_PER_400_YEARS;
    int64_t doe   = days - era * DAYS_PER_400_YEARS;
    int64_t yoe   = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy   = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t month = (5 * doy + 2) / 153; /* 0 is March */
    return (struct date){
        .year  = (int)(yoe + era * 400 + (month >= 10)),
        .month = (int)(month < 10 ? month + 3 : month - 9),
        .day   = (int)(doy - (153 * month + 2) / 5 + 1),
    };
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap            = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && is_leap);
}

void time_format(int64_t unix_us, char text[static TIME_TEXT_SIZE])
{
    int64_t second = unix_us / US_PER_SECOND;
    int64_t us     = unix_us % US_PER_SECOND;
    if (us < 0) {
        us += US_PER_SECOND;
        second--;
    }
    if (second < first_second) second = first_second;
    if (second > last_second) second = last_second;

    int64_t days = second / SECONDS_PER_DAY;
    int64_t rest = second % SECONDS_PER_DAY;
    if (rest < 0) {
        rest += SECONDS_PER_DAY;
        days--;
    }
    struct date date = date_of(days);
    /* The remainders change nothing; they show the compiler that the text fits. */
    (void)snprintf(text, TIME_TEXT_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
                   (unsigned)date.year % 10000, (unsigned)date.month % 100,
                   (unsigned)date.day % 100, (unsigned)(rest / 3600) % 24,
                   (unsigned)(rest / 60) % 60, (unsigned)rest % 60, (unsigned)(us / 1000) % 1000);
}

/* --- RFC 3339 section 5.6 --------------------------------------------------------------------- */

/* Reads exactly `digits` digits, of a value of at most `max`. */
static bool take_number(str *text, size_t digits, int max, int *ret_value)
{
    if (text->len < digits) return false;
    int value = 0;
    for (size_t i = 0; i < digits; i++) {
        char c = text->ptr[i];
        if (c < '0' || c > '9') return false;
        value = value * 10 + (c - '0');
    }
    if (value > max) return false;
    *ret_value = value;
    *text      = str_slice(*text, digits, text->len);
    return true;
}

static bool take_char(str *text, char upper)
{
    if (text->len == 0) return false;
    char c       = text->ptr[0];
    bool is_same = c == upper || (upper >= 'A' && c == upper + ('a' - 'A'));
    if (is_same) *text = str_slice(*text, 1, text->len);
    return is_same;
}

/* Reads the digits after the point; what is finer than a microsecond is cut off. */
static bool take_fraction(str *text, int64_t *ret_us)
{
    int64_t us    = 0;
    size_t digits = 0;
    for (; digits < text->len && text->ptr[digits] >= '0' && text->ptr[digits] <= '9'; digits++) {
        if (digits < 6) us = us * 10 + (text->ptr[digits] - '0');
    }
    if (digits == 0 || digits > FRACTION_DIGITS_MAX) return false;
    for (size_t i = digits; i < 6; i++) us *= 10;
    *text   = str_slice(*text, digits, text->len);
    *ret_us = us;
    return true;
}

static bool take_offset(str *text, int64_t *ret_seconds)
{
    if (take_char(text, 'Z')) {
        *ret_seconds = 0;
        return true;
    }
    int64_t sign = take_char(text, '+') ? 1 : take_char(text, '-') ? -1 : 0;
    int hours;
    int minutes;
    if (sign == 0 || !take_number(text, 2, 23, &hours)) return false;
    if (!take_char(text, ':') || !take_number(text, 2, 59, &minutes)) return false;
    *ret_seconds = sign * (hours * 3600 + minutes * 60);
    return true;
}

bool time_parse(str text, int64_t *ret_unix_us)
{
    struct date date;
    int hour;
    int minute;
    int second;
    if (!take_number(&text, 4, 9999, &date.year) || !take_char(&text, '-')) return false;
    if (!take_number(&text, 2, 12, &date.month) || !take_char(&text, '-')) return false;
    if (!take_number(&text, 2, 31, &date.day) || !take_char(&text, 'T')) return false;
    if (date.month < 1 || date.day < 1 || date.day > days_in_month(date.year, date.month)) {
        return false;
    }
    if (!take_number(&text, 2, 23, &hour) || !take_char(&text, ':')) return false;
    if (!take_number(&text, 2, 59, &minute) || !take_char(&text, ':')) return false;
    if (!take_number(&text, 2, 60, &second)) return false; /* 60: a leap second */

    int64_t us     = 0;
    int64_t offset = 0;
    if (take_char(&text, '.') && !take_fraction(&text, &us)) return false;
    if (!take_offset(&text, &offset) || text.len > 0) return false;

    int64_t seconds = days_of(date) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    *ret_unix_us    = (seconds - offset) * US_PER_SECOND + us;
    return true;
}
