#include "base/status.h"
#include "support/cmocka.h"

#include <string.h>

static const struct row {
    status code;
    const char *name;
    int http;
    bool is_transient;
} rows[] = {
    {STATUS_OK, "OK", 200, false},
    {STATUS_INVALID_ARGUMENT, "INVALID_ARGUMENT", 400, false},
    {STATUS_DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", 504, true},
    {STATUS_NOT_FOUND, "NOT_FOUND", 404, false},
    {STATUS_RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED", 429, true},
    {STATUS_ABORTED, "ABORTED", 409, true},
    {STATUS_UNAVAILABLE, "UNAVAILABLE", 503, true},
    {STATUS_UNAUTHENTICATED, "UNAUTHENTICATED", 401, false},
    {(status)17, "UNKNOWN", 500, false}, /* of a newer release */
    {(status)-1, "UNKNOWN", 500, false},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    assert_string_equal(status_name(row->code), row->name);
    assert_int_equal(status_http(row->code), row->http);
    assert_int_equal(status_is_transient(row->code), row->is_transient);
}

static void test_all_are_named(void **state)
{
    (void)state;
    for (int code = 0; code < STATUS_COUNT; code++) {
        assert_true(strlen(status_name((status)code)) > 0);
        assert_in_range(status_http((status)code), 200, 599);
    }
}

static void test_fail(void **state)
{
    (void)state;
    struct error error = {};
    assert_int_equal(fail_code(&error, STATUS_ABORTED, "lease_lost", "job %d", 7), STATUS_ABORTED);
    assert_string_equal(error.text, "job 7");
    assert_string_equal(error.code, "lease_lost");
    assert_int_equal(fail(&error, STATUS_NOT_FOUND, "%0300d", 1), STATUS_NOT_FOUND);
    assert_int_equal(strlen(error.text), ERROR_TEXT_MAX - 1); /* cut, not overrun */
    assert_null(error.code);
    assert_int_equal(fail(NULL, STATUS_INTERNAL, "x"), STATUS_INTERNAL);
}

static status three_steps(int failing, int *steps)
{
    *steps = 1;
    TRY(failing == 1 ? STATUS_INTERNAL : STATUS_OK);
    *steps = 2;
    TRY(failing == 2 ? STATUS_UNAVAILABLE : STATUS_OK);
    *steps = 3;
    return STATUS_OK;
}

static void test_try(void **state)
{
    (void)state;
    int steps;
    assert_int_equal(three_steps(0, &steps), STATUS_OK);
    assert_int_equal(steps, 3);
    assert_int_equal(three_steps(2, &steps), STATUS_UNAVAILABLE);
    assert_int_equal(steps, 2);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows) + 3];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[i] = row_test(rows[i].name, test_row, &rows[i]);
    }
    tests[ARRAY_LEN(rows)]     = (struct CMUnitTest)cmocka_unit_test(test_all_are_named);
    tests[ARRAY_LEN(rows) + 1] = (struct CMUnitTest)cmocka_unit_test(test_fail);
    tests[ARRAY_LEN(rows) + 2] = (struct CMUnitTest)cmocka_unit_test(test_try);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
