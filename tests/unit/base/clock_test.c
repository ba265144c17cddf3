#include "base/clock.h"
#include "support/cmocka.h"

#include <string.h>

/* clang-format off */
static const struct time_row {
    const char *text;
    int64_t unix_us;
    bool is_valid;
} times[] = {
    {"1970-01-01T00:00:00Z",            0, true},
    {"2026-11-22T10:00:00.000Z",        1795341600000000, true},
    {"2026-11-22t10:00:00z",            1795341600000000, true},
    {"2026-11-22T12:30:00+02:30",       1795341600000000, true},
    {"2026-11-21T23:00:00-11:00",       1795341600000000, true},
    {"2026-11-22T10:00:00.5Z",          1795341600500000, true},
    {"2026-11-22T10:00:00.123456789Z",  1795341600123456, true},
    {"1969-12-31T23:59:59.999999Z",     -1, true},
    {"2000-02-29T00:00:00Z",            951782400000000, true},
    {"2024-02-29T23:59:60Z",            1709251200000000, true}, /* a leap second is the next one */
    {"0000-01-01T00:00:00Z",            -62167219200000000, true},
    {"9999-12-31T23:59:59Z",            253402300799000000, true},
    {"2023-02-29T00:00:00Z",            0, false},
    {"1900-02-29T00:00:00Z",            0, false},
    {"2026-04-31T00:00:00Z",            0, false},
    {"2026-00-01T00:00:00Z",            0, false},
    {"2026-13-01T00:00:00Z",            0, false},
    {"2026-01-00T00:00:00Z",            0, false},
    {"2026-01-01T24:00:00Z",            0, false},
    {"2026-01-01T00:60:00Z",            0, false},
    {"2026-01-01T00:00:61Z",            0, false},
    {"2026-01-01T00:00:00",             0, false},
    {"2026-01-01 00:00:00Z",            0, false},
    {"2026-01-01T00:00:00.Z",           0, false},
    {"2026-01-01T00:00:00.1234567890Z", 0, false},
    {"2026-01-01T00:00:00+24:00",       0, false},
    {"2026-01-01T00:00:00+0100",        0, false},
    {"2026-01-01T00:00:00ZZ",           0, false},
    {"+026-01-01T00:00:00Z",            0, false},
    {"",                                0, false},
};

static const struct duration_row {
    const char *text;
    int64_t us;
    const char *formatted; /* NULL: not a duration */
} durations[] = {
    {"0s",       0,                  "0s"},
    {"250ms",    250000,             "250ms"},
    {"1000ms",   1000000,            "1s"},
    {"90s",      90000000,           "90s"},
    {"15m",      900000000,          "15m"},
    {"24h",      86400000000,        "1d"},
    {"36h",      129600000000,       "36h"},
    {"30d",      2592000000000,      "30d"},
    {"36525d",   3155760000000000,   "36525d"},
    {"PT1H30M",  5400000000,         "90m"},
    {"P1D",      86400000000,        "1d"},
    {"P1W",      604800000000,       "7d"},
    {"P1DT12H",  129600000000,       "36h"},
    {"PT0.5S",   500000,             "500ms"},
    {"PT0.00025S", 250,              "PT0.000250S"},
    {"PT1.000001S", 1000001,         "PT1.000001S"},
    {"PT0S",     0,                  "0s"},
    {"36526d",   0, NULL},
    {"99999999999999999999s", 0, NULL},
    {"P36526D",  0, NULL},
    {"P36525DT1S", 0, NULL},
    {"1.5s",     0, NULL},
    {"-1s",      0, NULL},
    {"1",        0, NULL},
    {"s",        0, NULL},
    {"1 s",      0, NULL},
    {"1S",       0, NULL},
    {"1h30m",    0, NULL},
    {"",         0, NULL},
    {"P",        0, NULL},
    {"PT",       0, NULL},
    {"P1DT",     0, NULL},
    {"P1Y",      0, NULL},
    {"P1M",      0, NULL},
    {"PT1D",     0, NULL},
    {"P1H",      0, NULL},
    {"PT1M1H",   0, NULL},
    {"PT1S1S",   0, NULL},
    {"PT1.5M",   0, NULL},
    {"PT.5S",    0, NULL},
    {"PT1.S",    0, NULL},
    {"PT1",      0, NULL},
    {"PTT1S",    0, NULL},
    {"PT1S ",    0, NULL},
};
/* clang-format on */

static void test_time(void **state)
{
    const struct time_row *row = *state;
    int64_t unix_us            = 77;
    assert_int_equal(time_parse(str_from(row->text), &unix_us), row->is_valid);
    assert_int_equal(unix_us, row->is_valid ? row->unix_us : 77);
}

static void test_duration(void **state)
{
    const struct duration_row *row = *state;
    int64_t us                     = 77;
    assert_int_equal(duration_parse(str_from(row->text), &us), row->formatted != NULL);
    assert_int_equal(us, row->formatted ? row->us : 77);
    if (!row->formatted) return;
    char text[TIME_TEXT_SIZE];
    duration_format(us, text);
    assert_string_equal(text, row->formatted);
    int64_t back = -1;
    assert_true(duration_parse(str_from(text), &back));
    assert_int_equal(back, us);
}

/* Every day of 0000 to 9999 formats to a text that reads back to it. */
static void test_every_day(void **state)
{
    (void)state;
    const int64_t first_s = -62167219200;
    const int64_t last_s  = 253402300799;
    char text[TIME_TEXT_SIZE];
    for (int64_t second = first_s; second <= last_s; second += 86400) {
        int64_t want = second * 1000000 + 123000;
        int64_t back = 0;
        time_format(want, text);
        assert_int_equal(strlen(text), 24);
        assert_true(time_parse(str_from(text), &back));
        if (back != want) fail_msg("%s", text);
    }
}

static void test_format(void **state)
{
    (void)state;
    static const struct {
        int64_t unix_us;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {1795341600999999, "2026-11-22T10:00:00.999Z"},
        {INT64_MIN, "0000-01-01T00:00:00"},
        {INT64_MAX, "9999-12-31T23:59:59"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[TIME_TEXT_SIZE];
        time_format(rows[i].unix_us, text);
        assert_memory_equal(text, rows[i].text, strlen(rows[i].text));
    }
}

static void test_clocks(void **state)
{
    (void)state;
    int64_t before = clock_mono_us();
    assert_true(clock_mono_us() >= before);
    assert_true(clock_mono_ms() >= before / 1000);
    assert_true(clock_unix_us() > 1700000000000000);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(times) + ARRAY_LEN(durations) + 3];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        tests[count++] = row_test(times[i].text, test_time, &times[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
        tests[count++] = row_test(durations[i].text, test_duration, &durations[i]);
    }
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_every_day);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_format);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_clocks);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
