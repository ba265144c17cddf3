/* The calendar, and strftime(). */
#include "expr/dates.h"

#include "json/json_internal.h"

const char *const date_weekdays[7] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                      "Thursday", "Friday", "Saturday"};

const char *const date_months[12] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};

enum { DAY_SECONDS = 86'400 };

static int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days from 1970-01-01 to the first of a month (from 0). Years begin in March here, so that the
 * leap day is the last of a year. */
static int64_t days_to_month(int64_t year, int64_t month)
{
    int64_t shifted  = month >= 2 ? month - 2 : month + 10;
    int64_t y        = month >= 2 ? year : year - 1;
    int64_t era      = floor_divide(y, 400);
    int64_t of_era   = y - era * 400;
    int64_t days     = (153 * shifted + 2) / 5; /* of the months before, in five-month rhythm */
    int64_t from_era = of_era * 365 + of_era / 4 - of_era / 100 + days;
    return era * 146'097 + from_era - 719'468;
}

struct date date_from_seconds(int64_t seconds)
{
    int64_t days     = floor_divide(seconds, DAY_SECONDS);
    int64_t rest     = seconds - days * DAY_SECONDS;
    int64_t shifted  = days + 719'468;
    int64_t era      = floor_divide(shifted, 146'097);
    int64_t of_era   = shifted - era * 146'097;
    int64_t year     = (of_era - of_era / 1'460 + of_era / 36'524 - of_era / 146'096) / 365;
    int64_t of_year  = of_era - (365 * year + year / 4 - year / 100);
    int64_t month    = (5 * of_year + 2) / 153; /* from March */
    int64_t day      = of_year - (153 * month + 2) / 5 + 1;
    int64_t calendar = month < 10 ? month + 2 : month - 10;
    year             = year + era * 400 + (calendar < 2);
    return (struct date){.year    = (int32_t)year,
                         .month   = (int32_t)calendar,
                         .day     = (int32_t)day,
                         .hour    = (int32_t)(rest / 3'600),
                         .minute  = (int32_t)(rest / 60 % 60),
                         .second  = (int32_t)(rest % 60),
                         .weekday = (int32_t)(days + 4 - 7 * floor_divide(days + 4, 7)),
                         .yearday = (int32_t)(days - days_to_month(year, 0))};
}

int64_t date_to_seconds(const struct date *date)
{
    int64_t years = floor_divide(date->month, 12);
    int64_t month = date->month - years * 12;
    int64_t days  = days_to_month(date->year + years, month) + date->day - 1;
    return days * DAY_SECONDS + (int64_t)date->hour * 3'600 + (int64_t)date->minute * 60 +
           date->second;
}

/* --- strftime ----------------------------------------------------------------------------------
 */

/* A number to be padded; the flag of the conversion may say otherwise. */
static void put_number(struct buf *out, int64_t value, int width, char pad, char flag)
{
    if (flag == '-') width = 1;
    if (flag == '_') pad = ' ';
    if (flag == '0') pad = '0';
    char digits[JSON_NUMBER_SIZE];
    size_t len   = json_number_format(json_int(value), digits);
    size_t sign  = value < 0 && pad != ' '; /* stands before zeros, but after blanks */
    size_t blank = (size_t)width > len ? (size_t)width - len : 0;
    (void)buf_put(out, digits, sign);
    for (size_t i = 0; i < blank; i++) (void)buf_put_byte(out, pad);
    (void)buf_put(out, digits + sign, len - sign);
}

static void put_name(struct buf *out, const char *const *names, int count, int index, size_t len,
                     char flag)
{
    str name = str_from(index >= 0 && index < count ? names[index] : "?");
    name     = str_slice(name, 0, len);
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        (void)buf_put_byte(out, flag == '^' && c >= 'a' && c <= 'z' ? (char)(c - 32) : c);
    }
}

/* ISO 8601: week 1 has the first Thursday; days before it belong to the last year. */
static int iso_week(const struct date *date, int64_t *ret_year)
{
    int from_monday = (date->weekday + 6) % 7;
    int week        = (date->yearday - from_monday + 10) / 7;
    *ret_year       = date->year;
    if (week < 1) {
        --*ret_year;
        int days = date->yearday + (is_leap(*ret_year) ? 366 : 365);
        return (days - from_monday + 10) / 7;
    }
    int days_in_year = is_leap(date->year) ? 366 : 365;
    if (week == 53 && date->yearday - from_monday + 3 >= days_in_year) {
        ++*ret_year;
        return 1;
    }
    return week;
}

static void put_iso(struct buf *out, const struct date *date, char conversion, char flag)
{
    int64_t year = 0;
    int week     = iso_week(date, &year);
    if (conversion == 'V') put_number(out, week, 2, '0', flag);
    if (conversion == 'G') put_number(out, year, 1, '0', flag);
    if (conversion == 'g') put_number(out, year - 100 * floor_divide(year, 100), 2, '0', flag);
}

static int hour_of_12(const struct date *date)
{
    return date->hour % 12 == 0 ? 12 : date->hour % 12;
}

const char *date_expansion(char conversion)
{
    switch (conversion) {
    case 'c': return "%a %b %e %H:%M:%S %Y";
    case 'D':
    case 'x': return "%m/%d/%y";
    case 'F': return "%Y-%m-%d";
    case 'r': return "%I:%M:%S %p";
    case 'R': return "%H:%M";
    case 'T':
    case 'X': return "%H:%M:%S";
    default: return NULL;
    }
}

static bool put_date_part(struct buf *out, const struct date *date, char conversion, char flag)
{
    int64_t century = floor_divide(date->year, 100);
    switch (conversion) {
    case 'a': put_name(out, date_weekdays, 7, date->weekday, 3, flag); return true;
    case 'A': put_name(out, date_weekdays, 7, date->weekday, SIZE_MAX, flag); return true;
    case 'b':
    case 'h': put_name(out, date_months, 12, date->month, 3, flag); return true;
    case 'B': put_name(out, date_months, 12, date->month, SIZE_MAX, flag); return true;
    case 'C': put_number(out, century, 2, '0', flag); return true;
    case 'd': put_number(out, date->day, 2, '0', flag); return true;
    case 'e': put_number(out, date->day, 2, ' ', flag); return true;
    case 'g':
    case 'G':
    case 'V': put_iso(out, date, conversion, flag); return true;
    case 'j': put_number(out, (int64_t)date->yearday + 1, 3, '0', flag); return true;
    case 'm': put_number(out, (int64_t)date->month + 1, 2, '0', flag); return true;
    case 'u': put_number(out, date->weekday == 0 ? 7 : date->weekday, 1, '0', flag); return true;
    case 'U': put_number(out, (date->yearday + 7 - date->weekday) / 7, 2, '0', flag); return true;
    case 'w': put_number(out, date->weekday, 1, '0', flag); return true;
    case 'W':
        put_number(out, (date->yearday + 7 - (date->weekday + 6) % 7) / 7, 2, '0', flag);
        return true;
    case 'y': put_number(out, date->year - century * 100, 2, '0', flag); return true;
    case 'Y': put_number(out, date->year, 1, '0', flag); return true;
    default: return false;
    }
}

static bool put_time_part(struct buf *out, const struct date *date, char conversion, char flag)
{
    switch (conversion) {
    case 'H': put_number(out, date->hour, 2, '0', flag); return true;
    case 'I': put_number(out, hour_of_12(date), 2, '0', flag); return true;
    case 'k': put_number(out, date->hour, 2, ' ', flag); return true;
    case 'l': put_number(out, hour_of_12(date), 2, ' ', flag); return true;
    case 'M': put_number(out, date->minute, 2, '0', flag); return true;
    case 'n': (void)buf_put_byte(out, '\n'); return true;
    case 'p': (void)buf_put_text(out, date->hour < 12 ? "AM" : "PM"); return true;
    case 'P': (void)buf_put_text(out, date->hour < 12 ? "am" : "pm"); return true;
    case 's': put_number(out, date_to_seconds(date), 1, '0', flag); return true;
    case 'S': put_number(out, date->second, 2, '0', flag); return true;
    case 't': (void)buf_put_byte(out, '\t'); return true;
    case 'z': (void)buf_put_text(out, "+0000"); return true;
    case 'Z': (void)buf_put_text(out, "UTC"); return true;
    case '%': (void)buf_put_byte(out, '%'); return true;
    default: return false;
    }
}

/* Plain parts and conversions that stand for themselves. */
static void format_plain(const struct date *date, str format, struct buf *out)
{
    for (size_t i = 0; i < format.len; i++) {
        size_t from = i;
        if (format.ptr[i] != '%' || i + 1 == format.len) {
            (void)buf_put_byte(out, format.ptr[i]);
            continue;
        }
        char flag = 0;
        i++;
        if (strchr("-_0^", format.ptr[i]) && i + 1 < format.len) flag = format.ptr[i++];
        if ((format.ptr[i] == 'E' || format.ptr[i] == 'O') && i + 1 < format.len) i++;
        char conversion = format.ptr[i];
        if (put_date_part(out, date, conversion, flag)) continue;
        if (put_time_part(out, date, conversion, flag)) continue;
        (void)buf_put_str(out, str_slice(format, from, i + 1)); /* as it stands */
    }
}

void date_format(const struct date *date, str format, struct buf *out)
{
    size_t from = 0;
    for (size_t i = 0; i + 1 < format.len; i++) {
        if (format.ptr[i] != '%') continue;
        const char *instead = date_expansion(format.ptr[i + 1]);
        if (instead) {
            format_plain(date, str_slice(format, from, i), out);
            format_plain(date, str_from(instead), out);
            from = i + 2;
        }
        i++; /* the conversion, so that %%T is no time */
    }
    format_plain(date, str_slice(format, from, format.len), out);
}
