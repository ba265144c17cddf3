/* strptime(), as the C library's does it in the C locale. */
#include "expr/dates.h"

#include <strings.h>

struct reader {
    str text;
    size_t at;
    struct date date;
    bool has_date; /* day, month and year are known */
    bool has_yearday;
    bool is_pm;
    bool has_12_hours;
    int64_t offset; /* seconds east, of %z */
};

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void skip_blanks(struct reader *r)
{
    while (r->at < r->text.len && is_blank(r->text.ptr[r->at])) r->at++;
}

static bool read_number(struct reader *r, int32_t from, int32_t to, size_t digits_max,
                        int32_t *ret_value)
{
    skip_blanks(r);
    int64_t value = 0;
    size_t digits = 0;
    for (; digits < digits_max && r->at < r->text.len; digits++, r->at++) {
        char c = r->text.ptr[r->at];
        if (c < '0' || c > '9') break;
        value = value * 10 + (c - '0');
    }
    if (digits == 0 || value < from || value > to) return false;
    *ret_value = (int32_t)value;
    return true;
}

/* A name, in full or its first three letters, in any case. */
static bool read_name(struct reader *r, const char *const *names, int count, int32_t *ret_index)
{
    str rest = str_slice(r->text, r->at, r->text.len);
    for (int i = 0; i < count; i++) {
        size_t full = strlen(names[i]);
        for (size_t len = full; len >= 3; len = len == full && full > 3 ? 3 : 0) {
            if (rest.len < len || strncasecmp(rest.ptr, names[i], len) != 0) continue;
            r->at += len;
            *ret_index = i;
            return true;
        }
    }
    return false;
}

static bool read_half(struct reader *r)
{
    str rest = str_slice(r->text, r->at, r->text.len);
    if (rest.len < 2 ||
        (strncasecmp(rest.ptr, "AM", 2) != 0 && strncasecmp(rest.ptr, "PM", 2) != 0)) {
        return false;
    }
    r->is_pm = (rest.ptr[0] | 32) == 'p';
    r->at += 2;
    return true;
}

/* Z, +hh, +hhmm, +hh:mm */
static bool read_offset(struct reader *r)
{
    skip_blanks(r);
    if (r->at == r->text.len) return false;
    char sign = r->text.ptr[r->at++];
    if (sign == 'Z') return true;
    int32_t hours   = 0;
    int32_t minutes = 0;
    if ((sign != '+' && sign != '-') || !read_number(r, 0, 14, 2, &hours)) return false;
    if (r->at < r->text.len && r->text.ptr[r->at] == ':') r->at++;
    bool has_minutes =
        r->at < r->text.len && r->text.ptr[r->at] >= '0' && r->text.ptr[r->at] <= '9';
    if (has_minutes && !read_number(r, 0, 59, 2, &minutes)) return false;
    r->offset = (sign == '-' ? -1 : 1) * ((int64_t)hours * 3'600 + (int64_t)minutes * 60);
    return true;
}

static bool read_zone_name(struct reader *r)
{
    skip_blanks(r);
    while (r->at < r->text.len && !is_blank(r->text.ptr[r->at])) r->at++;
    return true;
}

static bool read_year_of_century(struct reader *r)
{
    if (!read_number(r, 0, 99, 2, &r->date.year)) return false;
    r->date.year += r->date.year < 69 ? 2000 : 1900;
    r->has_date = true;
    return true;
}

static bool read_epoch(struct reader *r)
{
    enum { DIGITS_MAX = 12 }; /* up to the year 33,658 */
    int64_t seconds = 0;
    size_t digits   = 0;
    skip_blanks(r);
    for (; digits < DIGITS_MAX && r->at < r->text.len; digits++, r->at++) {
        char c = r->text.ptr[r->at];
        if (c < '0' || c > '9') break;
        seconds = seconds * 10 + (c - '0');
    }
    r->date     = date_from_seconds(seconds);
    r->has_date = true;
    return digits > 0;
}

static bool read_day_part(struct reader *r, char conversion, bool *ret_is_known)
{
    int32_t ignored = 0;
    *ret_is_known   = true;
    switch (conversion) {
    case 'a':
    case 'A': return read_name(r, date_weekdays, 7, &r->date.weekday);
    case 'b':
    case 'B':
    case 'h': r->has_date = true; return read_name(r, date_months, 12, &r->date.month);
    case 'd':
    case 'e': r->has_date = true; return read_number(r, 1, 31, 2, &r->date.day);
    case 'j':
        r->has_yearday = true;
        if (!read_number(r, 1, 366, 3, &r->date.yearday)) return false;
        r->date.yearday--;
        return true;
    case 'm':
        r->has_date = true;
        if (!read_number(r, 1, 12, 2, &r->date.month)) return false;
        r->date.month--;
        return true;
    case 'U':
    case 'V':
    case 'W': return read_number(r, 0, 53, 2, &ignored);
    case 'u': return read_number(r, 1, 7, 1, &ignored);
    case 'w': return read_number(r, 0, 6, 1, &r->date.weekday);
    case 'y': return read_year_of_century(r);
    case 'Y': r->has_date = true; return read_number(r, 0, 9999, 4, &r->date.year);
    default: *ret_is_known = false; return false;
    }
}

static bool read_time_part(struct reader *r, char conversion)
{
    switch (conversion) {
    case 'H':
    case 'k': r->has_12_hours = false; return read_number(r, 0, 23, 2, &r->date.hour);
    case 'I':
    case 'l': r->has_12_hours = true; return read_number(r, 1, 12, 2, &r->date.hour);
    case 'M': return read_number(r, 0, 59, 2, &r->date.minute);
    case 'n':
    case 't': skip_blanks(r); return true;
    case 'p':
    case 'P': return read_half(r);
    case 's': return read_epoch(r);
    case 'S': return read_number(r, 0, 61, 2, &r->date.second);
    case 'z': return read_offset(r);
    case 'Z': return read_zone_name(r);
    case '%':
        if (r->at == r->text.len || r->text.ptr[r->at] != '%') return false;
        r->at++;
        return true;
    default: return false;
    }
}

/* No conversion here stands for others. */
static bool read_plain(struct reader *r, str format)
{
    for (size_t i = 0; i < format.len; i++) {
        char c = format.ptr[i];
        if (is_blank(c)) {
            skip_blanks(r);
        } else if (c == '%' && i + 1 < format.len) {
            c = format.ptr[++i];
            if ((c == 'E' || c == 'O' || c == '-') && i + 1 < format.len) c = format.ptr[++i];
            bool is_known = false;
            bool is_read  = read_day_part(r, c, &is_known);
            if (!is_known) is_read = read_time_part(r, c);
            if (!is_read) return false;
        } else {
            if (r->at == r->text.len || r->text.ptr[r->at] != c) return false;
            r->at++;
        }
    }
    return true;
}

static bool read_all(struct reader *r, str format)
{
    size_t from = 0;
    for (size_t i = 0; i + 1 < format.len; i++) {
        if (format.ptr[i] != '%') continue;
        const char *instead = date_expansion(format.ptr[i + 1]);
        if (instead) {
            if (!read_plain(r, str_slice(format, from, i))) return false;
            if (!read_plain(r, str_from(instead))) return false;
            from = i + 2;
        }
        i++;
    }
    return read_plain(r, str_slice(format, from, format.len));
}

/* Weekday and day of the year follow from the date, the date from the day of the year. */
static void complete(struct reader *r)
{
    if (r->has_12_hours) r->date.hour = r->date.hour % 12 + (r->is_pm ? 12 : 0);
    struct date known = r->date;
    if (r->has_yearday && known.day == 0) {
        known.month = 0;
        known.day   = known.yearday + 1;
    } else if (known.day == 0) {
        return;
    }
    struct date whole = date_from_seconds(date_to_seconds(&known));
    r->date.weekday   = whole.weekday;
    r->date.yearday   = whole.yearday;
    if (r->date.day == 0) {
        r->date.month = whole.month;
        r->date.day   = whole.day;
    }
}

bool date_parse(str text, str format, struct date *ret_date, size_t *ret_end)
{
    struct reader r = {.text = text, .date = {.year = 1900}};
    if (!read_all(&r, format)) return false;
    if (r.at < text.len && !is_blank(text.ptr[r.at])) return false;
    complete(&r);
    *ret_date = r.date;
    *ret_end  = r.at;
    return true;
}
