/* cron: what is read, what is refused, and every minute of decades against a plain look at it. */
#include "cmocka.h"

#include "base/clock.h"
#include "workflow/cron.h"

#include <string.h>
#include <time.h>

#define MINUTE_US INT64_C(60'000'000)

/* --- next and previous -------------------------------------------------------------------------
 */

struct time_row {
    const char *name, *cron, *after, *next;
};

static const struct time_row times[] = {
    {"every minute", "* * * * *", "2026-11-22T10:00:00Z", "2026-11-22T10:01:00.000Z"},
    {"within a minute", "* * * * *", "2026-11-22T10:00:59.999Z", "2026-11-22T10:01:00.000Z"},
    {"just before", "0 10 * * *", "2026-11-22T09:59:59.999Z", "2026-11-22T10:00:00.000Z"},
    {"not the same again", "0 10 * * *", "2026-11-22T10:00:00Z", "2026-11-23T10:00:00.000Z"},
    {"a step", "*/15 * * * *", "2026-11-22T10:46:00Z", "2026-11-22T11:00:00.000Z"},
    {"a step from a value", "7/20 * * * *", "2026-11-22T10:08:00Z", "2026-11-22T10:27:00.000Z"},
    {"a step in a range", "10-30/10 * * * *", "2026-11-22T10:30:00Z", "2026-11-22T11:10:00.000Z"},
    {"a list", "5,50 8,20 * * *", "2026-11-22T08:05:00Z", "2026-11-22T08:50:00.000Z"},
    {"a list of ranges", "0 0-2,22-23 * * *", "2026-11-22T02:00:00Z", "2026-11-22T22:00:00.000Z"},
    {"the year's end", "0 0 1 1 *", "2026-11-22T10:00:00Z", "2027-01-01T00:00:00.000Z"},
    {"the month's end", "59 23 31 * *", "2026-11-22T10:00:00Z", "2026-12-31T23:59:00.000Z"},
    {"names of months", "0 0 1 feb,JUL *", "2026-11-22T10:00:00Z", "2027-02-01T00:00:00.000Z"},
    {"names of days", "0 9 * * Mon-FRI", "2026-11-20T09:00:00Z", "2026-11-23T09:00:00.000Z"},
    {"Sunday is 0", "0 0 * * 0", "2026-11-16T00:00:00Z", "2026-11-22T00:00:00.000Z"},
    {"Sunday is 7", "0 0 * * 7", "2026-11-16T00:00:00Z", "2026-11-22T00:00:00.000Z"},
    {"up to Sunday", "0 0 * * 6-7", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00.000Z"},
    {"a step over weekdays", "0 0 * * */2", "2026-11-22T00:00:00Z", "2026-11-24T00:00:00.000Z"},
    {"either day or weekday", "0 0 13 * FRI", "2026-11-22T00:00:00Z", "2026-11-27T00:00:00.000Z"},
    {"or the day", "0 0 30 * FRI", "2026-11-27T00:00:00Z", "2026-11-30T00:00:00.000Z"},
    {"a step is no restriction", "0 0 */2 * MON", "2026-11-22T00:00:00Z",
     "2026-11-23T00:00:00.000Z"},
    {"29 February", "0 0 29 2 *", "2026-11-22T00:00:00Z", "2028-02-29T00:00:00.000Z"},
    {"over a century that is none", "0 0 29 2 *", "2096-02-29T00:00:00Z",
     "2104-02-29T00:00:00.000Z"},
    {"over one that is", "0 0 29 2 *", "1996-02-29T00:00:00Z", "2000-02-29T00:00:00.000Z"},
    {"29 February on a Sunday", "0 0 29 2 */7", "2004-02-29T00:00:00Z", "2032-02-29T00:00:00.000Z"},
    {"the longest wait", "0 0 29 2 */7", "2088-02-29T00:00:00Z", "2128-02-29T00:00:00.000Z"},
    {"blanks and tabs", "  0\t0  1 1\t* ", "2026-11-22T00:00:00Z", "2027-01-01T00:00:00.000Z"},
    {"the first ever", "0 0 1 1 *", "1969-12-31T23:59:00Z", "1970-01-01T00:00:00.000Z"},
};

static struct cron read_cron(const char *text)
{
    struct cron cron   = {};
    struct error error = {};
    if (cron_parse(str_from(text), &cron, &error) != STATUS_OK) {
        fail_msg("%s: %s", text, error.text);
    }
    return cron;
}

static void test_next(void **state)
{
    const struct time_row *row = *state;
    const struct cron cron     = read_cron(row->cron);
    int64_t after_us           = 0;
    char text[TIME_TEXT_SIZE];
    assert_true(time_parse(str_from(row->after), &after_us));
    int64_t next_us = cron_next(&cron, after_us);
    time_format(next_us, text);
    assert_string_equal(text, row->next);
    assert_true(cron_previous(&cron, next_us) == next_us);
    int64_t before_us = cron_previous(&cron, next_us - 1);
    assert_true(before_us < 0 || before_us <= after_us);
    assert_true(cron_next(&cron, next_us - 1) == next_us);
}

static void test_the_ends_of_time(void **)
{
    const struct cron yearly = read_cron("0 0 1 1 *");
    int64_t last_us          = 0;
    assert_true(time_parse(str_from("9999-12-31T00:00:00Z"), &last_us));
    assert_true(cron_next(&yearly, last_us) == INT64_MAX);
    assert_true(cron_previous(&yearly, 0) == 0);
    assert_true(cron_previous(&yearly, -1) == -1);
    const struct cron summer = read_cron("0 0 1 7 *");
    assert_true(cron_previous(&summer, 0) == -1);
}

/* --- against the C library's calendar ----------------------------------------------------------
 */

static bool fits(const struct cron *cron, int64_t at_us)
{
    time_t seconds = (time_t)(at_us / 1'000'000);
    struct tm tm   = {};
    assert_non_null(gmtime_r(&seconds, &tm));
    bool day     = cron->days >> tm.tm_mday & 1;
    bool weekday = cron->weekdays >> tm.tm_wday & 1;
    return (cron->minutes >> tm.tm_min & 1) && (cron->hours >> tm.tm_hour & 1) &&
           (cron->months >> (tm.tm_mon + 1) & 1) &&
           (cron->is_either ? day || weekday : day && weekday);
}

/* Every minute that is named fits, and of those between none does. */
static void walk(const struct cron *cron, int64_t at_us)
{
    enum { TIMES = 300, LOOKED_AT = 5'000 /* minutes between two times */ };
    for (int i = 0; i < TIMES; i++) {
        int64_t next_us = cron_next(cron, at_us);
        assert_true(fits(cron, next_us));
        assert_true(cron_previous(cron, next_us + MINUTE_US - 1) == next_us);
        int64_t first_us = next_us - LOOKED_AT * MINUTE_US;
        if (first_us <= at_us) first_us = at_us + MINUTE_US;
        for (int64_t us = first_us; us < next_us; us += MINUTE_US) assert_false(fits(cron, us));
        if (i > 0) assert_true(cron_previous(cron, next_us - 1) == at_us);
        at_us = next_us;
    }
}

static void test_nothing_is_left_out(void **)
{
    static const char *const texts[] = {
        "0 0 * * *", "30 12 29 2 *",   "0 6 31 * *",    "15 3 1-7 * MON",
        "0 0 * 2 0", "59 23 30 4,6 *", "7/9 5-9 * * 5", "*/7 */5 */3 */2 *",
    };
    static const char *const starts[] = {"1970-01-01T00:00:00Z", "1999-12-31T23:59:00Z",
                                         "2026-11-22T10:00:00Z", "2099-12-31T23:00:00Z"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        const struct cron cron = read_cron(texts[i]);
        for (size_t k = 0; k < ARRAY_LEN(starts); k++) {
            int64_t start_us = 0;
            assert_true(time_parse(str_from(starts[k]), &start_us));
            walk(&cron, start_us);
        }
    }
}

/* --- refusals ----------------------------------------------------------------------------------
 */

struct refusal_row {
    const char *cron, *part;
};

static const struct refusal_row refusals[] = {
    {"", "has 0"},
    {"* * * *", "has 4"},
    {"* * * * * *", "has 6"},
    {"@daily", "has 1"},
    {"61 * * * *", "minute 61: goes from 0 to 59"},
    {"60 * * * *", "minute 60"},
    {"* 24 * * *", "hour 24"},
    {"* * 0 * *", "day 0: goes from 1"},
    {"* * 32 * *", "day 32"},
    {"* * * 0 *", "month 0"},
    {"* * * 13 *", "month 13"},
    {"* * * * 8", "weekday 8"},
    {"99999 * * * *", "is no number"},
    {"-1 * * * *", "minute ``: is no number"},
    {"1- * * * *", "is no number"},
    {"1,, * * * *", "is no number"},
    {", * * * *", "is no number"},
    {"*/0 * * * *", "step 0"},
    {"*/ * * * *", "is no number"},
    {"*/60 * * * *", "larger than the field"},
    {"30-10 * * * *", "ends before it begins"},
    {"* * * * FRI-MON", "ends before it begins"},
    {"* * * FEBR *", "is no number and no name"},
    {"* * L * *", "`L`: is no number"},
    {"* * ? * *", "`?`: is no number"},
    {"* * * * 5#2", "is no number"},
    {"* * 15W * *", "is no number"},
    {"MON * * * *", "is no number"},
    {"0 0 30 2 *", "day 30 of month 2 never comes"},
    {"0 0 31 4,6,9,11 *", "never comes"},
    {"0 0 31 FEB *", "never comes"},
    {"**  * * * *", "is no number"},
};

static void test_refused(void **state)
{
    const struct refusal_row *row = *state;
    struct cron cron              = {.hours = 7};
    struct error error            = {};
    assert_int_equal(cron_parse(str_from(row->cron), &cron, &error), STATUS_INVALID_ARGUMENT);
    if (!strstr(error.text, row->part)) fail_msg("%s has no %s", error.text, row->part);
    assert_int_equal(cron.hours, 7); /* untouched */
}

static void test_too_long(void **)
{
    char text[CRON_TEXT_MAX + 2];
    struct cron cron   = {};
    struct error error = {};
    memset(text, ' ', sizeof text);
    memcpy(text, "* * * * *", 9);
    assert_int_equal(cron_parse((str){text, CRON_TEXT_MAX}, &cron, &error), STATUS_OK);
    assert_int_equal(cron_parse((str){text, CRON_TEXT_MAX + 1}, &cron, &error),
                     STATUS_INVALID_ARGUMENT);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(times) + ARRAY_LEN(refusals) + 3];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        tests[count++] = row_test(times[i].name, test_next, &times[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        tests[count++] = row_test(refusals[i].part, test_refused, &refusals[i]);
    }
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_the_ends_of_time);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_nothing_is_left_out);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_too_long);
    return _cmocka_run_group_tests("cron", tests, count, NULL, NULL);
}
