/* duration_read(): maps and ISO 8601, edges included. */
#include "cmocka.h"
#include "workflow/duration.h"
#include "json/json_text.h"

#include <string.h>

#define SECOND INT64_C(1'000'000)

static const struct {
    const char *name, *json;
    int64_t us;          /* -1: refused */
    const char *refusal; /* a part of it */
} rows[] = {
    {"one unit", "{\"minutes\": 5}", 300 * SECOND, ""},
    {"all units", "{\"days\":1,\"hours\":1,\"minutes\":1,\"seconds\":1,\"milliseconds\":1}",
     90'061 * SECOND + 1'000, ""},
    {"zero", "{\"seconds\": 0}", 0, ""},
    {"a hundred years", "{\"days\": 36525}", INT64_C(36'525) * 86'400 * SECOND, ""},
    {"more than a hundred years", "{\"days\": 36526}", -1, "100 years"},
    {"an overflow", "{\"days\": 9223372036854775807}", -1, "100 years"},
    {"a slip of the pen", "{\"minute\": 5}", -1, "unknown key `minute`"},
    {"a fraction in a map", "{\"seconds\": 1.5}", -1, "whole number"},
    {"a text in a map", "{\"seconds\": \"1\"}", -1, "whole number"},
    {"a negative part", "{\"seconds\": -1}", -1, "negative"},
    {"an empty map", "{}", -1, "no unit"},
    {"ISO: minutes", "\"PT5M\"", 300 * SECOND, ""},
    {"ISO: all", "\"P1W1DT1H1M1S\"", (604'800 + 90'061) * SECOND, ""},
    {"ISO: zero", "\"PT0S\"", 0, ""},
    {"ISO: a fraction of a second", "\"PT0.25S\"", SECOND / 4, ""},
    {"ISO: a fraction of an hour", "\"PT1.5H\"", 5'400 * SECOND, ""},
    {"ISO: a comma", "\"PT0,5S\"", SECOND / 2, ""},
    {"ISO: a microsecond", "\"PT0.000001S\"", 1, ""},
    {"ISO: below a microsecond", "\"PT0.0000009S\"", 0, ""},
    {"ISO: a hundred years", "\"P36525D\"", INT64_C(36'525) * 86'400 * SECOND, ""},
    {"ISO: a second more", "\"P36525DT1S\"", -1, "100 years"},
    {"ISO: an overflow", "\"P99999999999999999999D\"", -1, "not a duration"},
    {"ISO: nothing", "\"P\"", -1, "not a duration"},
    {"ISO: no time", "\"PT\"", -1, "not a duration"},
    {"ISO: a T too many", "\"P1DT\"", -1, "not a duration"},
    {"ISO: two Ts", "\"PT1HT1M\"", -1, "not a duration"},
    {"ISO: the wrong order", "\"PT1S1M\"", -1, "not a duration"},
    {"ISO: the same twice", "\"PT1M1M\"", -1, "not a duration"},
    {"ISO: no unit", "\"PT5\"", -1, "not a duration"},
    {"ISO: no digits behind the point", "\"PT5.S\"", -1, "not a duration"},
    {"ISO: an hour without T", "\"P5H\"", -1, "not a duration"},
    {"ISO: a week of time", "\"PT5W\"", -1, "not a duration"},
    {"ISO: months", "\"P1M\"", -1, "no fixed length"},
    {"ISO: years", "\"P1Y\"", -1, "no fixed length"},
    {"ISO: negative", "\"-PT1S\"", -1, "negative"},
    {"ISO: negative inside", "\"PT-1S\"", -1, "negative"},
    {"a short form", "\"5m\"", -1, "not a duration"},
    {"an empty text", "\"\"", -1, "not a duration"},
    {"a number", "5", -1, "a duration is a map"},
    {"null", "null", -1, "a duration is a map"},
};

static void reads(void **state)
{
    const __typeof__(rows[0]) *row = *state;
    json value                     = json_invalid();
    struct error why               = {};
    assert_int_equal(json_parse(str_from(row->json), NULL, &value, NULL, &why), STATUS_OK);
    int64_t us  = -7;
    status code = duration_read(value, &us, &why);
    json_unref(value);
    if (row->us >= 0) {
        assert_int_equal(code, STATUS_OK);
        assert_int_equal(us, row->us);
    } else {
        assert_int_equal(code, STATUS_INVALID_ARGUMENT);
        assert_int_equal(us, -7);
        assert_non_null(strstr(why.text, row->refusal));
    }
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows)];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[i] = row_test(rows[i].name, reads, &rows[i]);
    }
    return cmocka_run_group_tests_name("duration", tests, NULL, NULL);
}
