#include "base/money.h"

#include "cmocka.h"

struct row {
    const char *text;
    int64_t nanos;
};

static const struct row exact[] = {
    {"0", 0},
    {"3", 3'000'000'000},
    {"0.00125", 1'250'000},
    {"0.000000001", 1},
    {"9223372036.854775807", INT64_MAX},
};

static const char *const refused[] = {"",    ".",  "1.",  ".5",           "-1",
                                      "1e3", "1 ", "1,5", "1.0000000001", "9223372036.854775808"};

static void reads_and_prints_the_same(void **state)
{
    const struct row *row             = *state;
    CLEANUP(buf_done) struct buf text = buf_init(MONEY_TEXT_MAX);
    int64_t nanos                     = -1;
    assert_true(money_parse(str_from(row->text), &nanos));
    assert_int_equal(nanos, row->nanos);
    assert_true(money_print(nanos, &text));
    assert_string_equal(text.ptr, row->text);
}

static void is_refused(void **state)
{
    int64_t nanos = 7;
    assert_false(money_parse(str_from(*state), &nanos));
    assert_int_equal(nanos, 7);
}

static void prints_debts(void **)
{
    CLEANUP(buf_done) struct buf text = buf_init(MONEY_TEXT_MAX);
    assert_true(money_print(INT64_MIN, &text));
    assert_string_equal(text.ptr, "-9223372036.854775808");
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(exact) + ARRAY_LEN(refused) + 1];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(exact); i++) {
        tests[count++] = row_test(exact[i].text, reads_and_prints_the_same, &exact[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        tests[count++] = row_test(refused[i], is_refused, refused[i]);
    }
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(prints_debts);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
