/* Dates of headers. */
#include "http/http_date.h"

#include "cmocka.h"

static const struct row {
    const char *text;
    bool is_date;
    int64_t unix_s;
} rows[] = {
    {"Sun, 06 Nov 1994 08:49:37 GMT", true, 784'111'777}, /* the example of RFC 9110 */
    {"Thu, 01 Jan 1970 00:00:00 GMT", true, 0},
    {"Thu, 29 Feb 2024 23:59:59 GMT", true, 1'709'251'199},
    {"Thu, 30 Feb 2024 23:59:59 GMT", false, 0},
    {"Sun, 06 Now 1994 08:49:37 GMT", false, 0},
    {"Sun, 06 Nov 1994 24:49:37 GMT", false, 0},
    {"Sun, 06 Nov 1994 08:49:37 UTC", false, 0},
    {"Sun, 06 Nov 1994 08:49:37 GMT ", false, 0},
    {"Sunday, 06-Nov-94 08:49:37 GMT", false, 0},
    {"Sun Nov  6 08:49:37 1994", false, 0},
    {"", false, 0},
};

static void check(void **state)
{
    const struct row *row = *state;
    int64_t unix_s        = -1;
    assert_int_equal(http_date_read(str_from(row->text), &unix_s), row->is_date);
    assert_int_equal(unix_s, row->is_date ? row->unix_s : -1);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows)];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) tests[i] = row_test(rows[i].text, check, &rows[i]);
    return _cmocka_run_group_tests("http_date", tests, ARRAY_LEN(tests), NULL, NULL);
}
