#include "workflow/zone_rule.h"

enum {
    HOUR_S     = 3'600,
    DAY_S      = 86'400,
    HOURS_MAX  = 167,
    YEARS_LOOK = 2, /* to each side of the year that a time is about in */
    CHANGES    = 2 * (2 * YEARS_LOOK + 1),
};

/* --- reading -----------------------------------------------------------------------------------
 */

static bool take(str *text, char c)
{
    if (text->len == 0 || text->ptr[0] != c) return false;
    *text = str_slice(*text, 1, text->len);
    return true;
}

static bool number_take(str *text, int max, int *ret_number)
{
    int number    = 0;
    size_t digits = 0;
    while (digits < text->len && text->ptr[digits] >= '0' && text->ptr[digits] <= '9') {
        if (digits == 3) return false;
        number = number * 10 + (text->ptr[digits++] - '0');
    }
    *text       = str_slice(*text, digits, text->len);
    *ret_number = number;
    return digits > 0 && number <= max;
}

/* Letters, or anything between < and >. */
static bool name_skip(str *text)
{
    bool is_quoted = take(text, '<');
    size_t len     = 0;
    while (len < text->len) {
        char c         = text->ptr[len];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (is_quoted ? c == '>' : !is_letter) break;
        len++;
    }
    *text = str_slice(*text, len, text->len);
    return len > 0 && (!is_quoted || take(text, '>'));
}

/* [+-]hh[:mm[:ss]] */
static bool time_take(str *text, int64_t *ret_s)
{
    bool is_negative = take(text, '-');
    int hours        = 0;
    int minutes      = 0;
    int seconds      = 0;
    if (!is_negative) (void)take(text, '+');
    if (!number_take(text, HOURS_MAX, &hours)) return false;
    if (take(text, ':')) {
        if (!number_take(text, 59, &minutes)) return false;
        if (take(text, ':') && !number_take(text, 59, &seconds)) return false;
    }
    int64_t time_s = hours * INT64_C(3'600) + minutes * 60 + seconds;
    *ret_s         = is_negative ? -time_s : time_s;
    return true;
}

static bool day_take(str *text, struct zone_day *ret_day)
{
    struct zone_day day = {.kind = DAY_OF_YEAR, .time_s = 2 * HOUR_S};
    if (take(text, 'M')) {
        day.kind = DAY_OF_WEEK;
        if (!number_take(text, 12, &day.month) || !take(text, '.')) return false;
        if (!number_take(text, 5, &day.week) || !take(text, '.')) return false;
        if (!number_take(text, 6, &day.day) || day.month == 0 || day.week == 0) return false;
    } else {
        if (take(text, 'J')) day.kind = DAY_JULIAN;
        if (!number_take(text, 365, &day.day)) return false;
        if (day.kind == DAY_JULIAN && day.day == 0) return false;
    }
    if (take(text, '/') && !time_take(text, &day.time_s)) return false;
    *ret_day = day;
    return true;
}

/* Offsets of POSIX count to the west. */
bool zone_rule_parse(str text, struct zone_rule *ret_rule)
{
    struct zone_rule rule = {};
    int64_t west_s        = 0;
    if (!name_skip(&text) || !time_take(&text, &west_s)) return false;
    rule.standard_s = -west_s;
    rule.summer_s   = rule.standard_s + HOUR_S;
    rule.has_summer = text.len > 0;
    if (rule.has_summer) {
        if (!name_skip(&text)) return false;
        if (text.len > 0 && text.ptr[0] != ',') {
            if (!time_take(&text, &west_s)) return false;
            rule.summer_s = -west_s;
        }
        if (!take(&text, ',') || !day_take(&text, &rule.begin)) return false;
        if (!take(&text, ',') || !day_take(&text, &rule.end)) return false;
    }
    *ret_rule = rule;
    return text.len == 0;
}

/* --- times -------------------------------------------------------------------------------------
 */

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Of 1 January, from 1970. */
static int64_t day_of_year(int64_t year)
{
    int64_t y = year - 1;
    return 365 * (year - 1970) + floor_div(y, 4) - floor_div(y, 100) + floor_div(y, 400) - 477;
}

static int64_t day_of_rule(const struct zone_day *rule, int64_t year)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    enum { WEEKDAY_1970 = 4 };
    int64_t first = day_of_year(year);
    if (rule->kind == DAY_OF_YEAR) return first + rule->day;
    if (rule->kind == DAY_JULIAN) {
        return first + rule->day - 1 + (is_leap(year) && rule->day > before[2]);
    }
    int64_t month = first + before[rule->month - 1] + (is_leap(year) && rule->month > 2);
    int64_t next  = first + before[rule->month] + (is_leap(year) && rule->month >= 2);
    int64_t day   = month + ((rule->day - month - WEEKDAY_1970) % 7 + 7) % 7;
    for (int week = 1; week < rule->week && day + 7 < next; week++) day += 7;
    return day;
}

struct rule_change {
    int64_t at_s, offset_s;
};

static void insert(struct rule_change changes[static CHANGES], size_t count,
                   struct rule_change change)
{
    while (count > 0 && changes[count - 1].at_s > change.at_s) {
        changes[count] = changes[count - 1];
        count--;
    }
    changes[count] = change;
}

struct zone_stretch zone_rule_at(const struct zone_rule *rule, int64_t at_s)
{
    enum { YEAR_S = 31'556'952 };
    struct zone_stretch stretch = {INT64_MIN, INT64_MAX, rule->standard_s};
    if (!rule->has_summer) return stretch;
    struct rule_change changes[CHANGES];
    size_t count = 0;
    int64_t near = 1970 + floor_div(at_s, YEAR_S);
    for (int64_t year = near - YEARS_LOOK; year <= near + YEARS_LOOK; year++) {
        int64_t begin_s = day_of_rule(&rule->begin, year) * DAY_S + rule->begin.time_s;
        int64_t end_s   = day_of_rule(&rule->end, year) * DAY_S + rule->end.time_s;
        insert(changes, count++, (struct rule_change){begin_s - rule->standard_s, rule->summer_s});
        insert(changes, count++, (struct rule_change){end_s - rule->summer_s, rule->standard_s});
    }
    for (size_t i = 0; i < count; i++) {
        if (changes[i].at_s > at_s) {
            stretch.until_s = changes[i].at_s;
            return stretch;
        }
        stretch.from_s   = changes[i].at_s;
        stretch.offset_s = changes[i].offset_s;
    }
    return stretch;
}
