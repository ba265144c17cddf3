/* timetable: next times where clocks are changed, and every zone's offsets against the C library.
 */
#include "cmocka.h"

#include "base/clock.h"
#include "workflow/timetable.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TIMES_MAX = 5 };

/* --- cron in zones -----------------------------------------------------------------------------
 */

struct row {
    const char *name, *zone, *cron, *after;
    const char *next[TIMES_MAX]; /* in UTC; NULL: no more are looked at */
};

static const struct row rows[] = {
    {"winter",
     "Europe/Berlin",
     "0 9 * * *",
     "2026-11-22T00:00:00Z",
     {"2026-11-22T08:00", "2026-11-23T08:00"}},
    {"forward: before and after",
     "Europe/Berlin",
     "0 9 * * *",
     "2026-03-28T00:00:00Z",
     {"2026-03-28T08:00", "2026-03-29T07:00", "2026-03-30T07:00"}},
    {"forward: what there is not comes with the change",
     "Europe/Berlin",
     "30 2 * * *",
     "2026-03-28T00:00:00Z",
     {"2026-03-28T01:30", "2026-03-29T01:00", "2026-03-30T00:30"}},
    {"forward: several of it once",
     "Europe/Berlin",
     "0,20,40 2,3 * * *",
     "2026-03-29T00:00:00Z",
     {"2026-03-29T01:00", "2026-03-29T01:20", "2026-03-29T01:40", "2026-03-30T00:00"}},
    {"forward: hourly by time that passes",
     "Europe/Berlin",
     "30 * * * *",
     "2026-03-29T00:00:00Z",
     {"2026-03-29T00:30", "2026-03-29T01:30"}},
    {"forward: quarters",
     "Europe/Berlin",
     "*/15 * * * *",
     "2026-03-29T00:30:00Z",
     {"2026-03-29T00:45", "2026-03-29T01:00", "2026-03-29T01:15"}},
    {"back: what comes twice is due once",
     "Europe/Berlin",
     "30 2 * * *",
     "2026-10-24T12:00:00Z",
     {"2026-10-25T00:30", "2026-10-26T01:30"}},
    {"back: asked between the two",
     "Europe/Berlin",
     "30 2 * * *",
     "2026-10-25T01:15:00Z",
     {"2026-10-26T01:30"}},
    {"back: every minute of an hour",
     "Europe/Berlin",
     "* 2 * * *",
     "2026-10-25T00:58:30Z",
     {"2026-10-25T00:59", "2026-10-26T01:00"}},
    {"back: the hour behind it",
     "Europe/Berlin",
     "0 3 * * *",
     "2026-10-25T00:00:00Z",
     {"2026-10-25T02:00", "2026-10-26T02:00"}},
    {"back: hourly takes both",
     "Europe/Berlin",
     "30 * * * *",
     "2026-10-24T23:45:00Z",
     {"2026-10-25T00:30", "2026-10-25T01:30", "2026-10-25T02:30"}},
    {"half an hour",
     "Australia/Lord_Howe",
     "15 2 * * *",
     "2026-10-02T20:00:00Z",
     {"2026-10-03T15:30", "2026-10-04T15:15"}},
    {"half an hour back",
     "Australia/Lord_Howe",
     "45 1 * * *",
     "2026-04-04T00:00:00Z",
     {"2026-04-04T14:45", "2026-04-05T15:15"}},
    {"the other half of the year",
     "America/New_York",
     "30 2 * * SUN",
     "2026-03-02T00:00:00Z",
     {"2026-03-08T07:00", "2026-03-15T06:30"}},
    {"no change at all",
     "Asia/Kolkata",
     "0 0 * * *",
     "2026-06-01T00:00:00Z",
     {"2026-06-01T18:30", "2026-06-02T18:30"}},
    {"a day that was left out",
     "Pacific/Apia",
     "0 12 * * *",
     "2011-12-29T00:00:00Z",
     {"2011-12-29T22:00", "2011-12-30T10:00", "2011-12-30T22:00"}},
    {"behind the last line of the file",
     "Europe/Berlin",
     "30 2 * * *",
     "2061-03-26T12:00:00Z",
     {"2061-03-27T01:00", "2061-03-28T00:30"}},
    {"far apart",
     "Europe/Berlin",
     "0 0 29 2 *",
     "2026-01-01T00:00:00Z",
     {"2028-02-28T23:00", "2032-02-28T23:00"}},
    {"UTC", NULL, "0 9 * * *", "2026-03-29T00:00:00Z", {"2026-03-29T09:00"}},
};

static void cron_goes_by_the_clock_of_its_zone(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row      = &rows[i];
        struct timetable timetable = {.kind = TIMETABLE_CRON};
        int64_t at_us              = 0;
        assert_int_equal(cron_parse(str_from(row->cron), &timetable.cron, NULL), STATUS_OK);
        if (row->zone) {
            struct error error = {};
            status loaded      = zone_load(str_from(row->zone), &timetable.zone, &error);
            if (loaded != STATUS_OK) fail_msg("%s: %s", row->zone, error.text);
        }
        assert_true(time_parse(str_from(row->after), &at_us));
        for (size_t j = 0; j < TIMES_MAX && row->next[j]; j++) {
            char text[TIME_TEXT_SIZE];
            at_us = timetable_next(&timetable, at_us);
            time_format(at_us, text);
            text[strlen("2026-11-22T10:00")] = '\0';
            if (strcmp(text, row->next[j]) != 0) {
                fail_msg("%s: %zu: %s instead of %s", row->name, j, text, row->next[j]);
            }
        }
        timetable_done(&timetable);
    }
}

static void spans_and_moments(void **state)
{
    (void)state;
    const struct timetable every = {.kind = TIMETABLE_EVERY, .us = 1'000};
    const struct timetable once  = {.kind = TIMETABLE_AT, .us = 5'000};
    assert_int_equal(timetable_next(&every, 0), 1'000);
    assert_int_equal(timetable_next(&every, 999), 1'000);
    assert_int_equal(timetable_next(&every, 1'000), 2'000);
    assert_int_equal(timetable_next(&every, -5), 1'000);
    assert_int_equal(timetable_next(&every, INT64_MAX - 1), INT64_MAX);
    assert_int_equal(timetable_next(&once, 4'999), 5'000);
    assert_int_equal(timetable_next(&once, 5'000), INT64_MAX);
}

static void jitter_is_of_name_and_time(void **state)
{
    (void)state;
    bool has_spread   = false;
    int64_t first_us  = timetable_jitter(str_from("a"), 1'000, 1'000'000);
    int64_t second_us = timetable_jitter(str_from("a"), 1'000, 1'000'000);
    assert_int_equal(first_us, second_us);
    assert_int_equal(timetable_jitter(str_from("a"), 1'000, 0), 0);
    for (int64_t due_us = 0; due_us < 100; due_us++) {
        int64_t one = timetable_jitter(str_from("a"), due_us, 10);
        int64_t two = timetable_jitter(str_from("b"), due_us, 10);
        assert_true(one >= 0 && one <= 10);
        has_spread |= one != two;
    }
    assert_true(has_spread);
}

/* --- zones -------------------------------------------------------------------------------------
 */

static const char *const zones[] = {
    "Europe/Berlin",       "Europe/London",    "Europe/Dublin",
    "America/New_York",    "America/St_Johns", "America/Sao_Paulo",
    "America/Santiago",    "America/Asuncion", "Asia/Kolkata",
    "Asia/Kathmandu",      "Asia/Tehran",      "Asia/Gaza",
    "Africa/Casablanca",   "Africa/Cairo",     "Australia/Sydney",
    "Australia/Lord_Howe", "Pacific/Apia",     "Pacific/Kiritimati",
    "Antarctica/Troll",    "Etc/GMT+12",       "UTC",
};

static void offsets_are_those_of_the_c_library(void **state)
{
    (void)state;
    const int64_t step_s = 31 * 3'600 + 1'799; /* meets changes at ever other places */
    for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
        CLEANUP(zone_freep) struct zone *zone = NULL;
        assert_int_equal(zone_load(str_from(zones[i]), &zone, NULL), STATUS_OK);
        assert_int_equal(setenv("TZ", zones[i], 1), 0);
        tzset();
        for (time_t at_s = 0; at_s < INT64_C(4'102'444'800) /* 2100 */; at_s += step_s) {
            struct tm local       = {};
            struct zone_span span = zone_span_at(zone, at_s * INT64_C(1'000'000));
            assert_non_null(localtime_r(&at_s, &local));
            if (span.offset_us != local.tm_gmtoff * INT64_C(1'000'000)) {
                fail_msg("%s at %lld: %lld instead of %ld", zones[i], (long long)at_s,
                         (long long)(span.offset_us / 1'000'000), local.tm_gmtoff);
            }
            assert_true(span.from_us <= at_s * INT64_C(1'000'000));
            assert_true(span.until_us > at_s * INT64_C(1'000'000));
        }
    }
    (void)unsetenv("TZ");
    tzset();
}

static void names_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {
        "",
        "Europe/Atlantis",
        "../../etc/passwd",
        "/etc/passwd",
        "Europe",
        "CET ",
        "tzdata.zi",
        "Europe/../UTC",
        "right/Europe/Berlin",
        "Europe/",
        "Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct zone *zone  = NULL;
        struct error error = {};
        status loaded      = zone_load(str_from(names[i]), &zone, &error);
        if (loaded == STATUS_OK || zone) fail_msg("`%s` was taken", names[i]);
        assert_true(*error.text != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cron_goes_by_the_clock_of_its_zone),
        cmocka_unit_test(spans_and_moments),
        cmocka_unit_test(jitter_is_of_name_and_time),
        cmocka_unit_test(offsets_are_those_of_the_c_library),
        cmocka_unit_test(names_that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
