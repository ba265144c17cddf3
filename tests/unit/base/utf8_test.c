#include "base/utf8.h"
#include "support/cmocka.h"

#include <string.h>

/* clang-format off */
static const struct row {
    const char *name;
    const char *text;
    size_t valid; /* bytes of the valid prefix */
} rows[] = {
    {"empty",                     "", 0},
    {"ascii",                     "hello, world: eight and more", 28},
    {"two bytes",                 "\xC3\xA9", 2},
    {"least of two bytes",        "\xC2\x80", 2},
    {"greatest of two",           "\xDF\xBF", 2},
    {"least of three",            "\xE0\xA0\x80", 3},
    {"before the surrogates",     "\xED\x9F\xBF", 3},
    {"after the surrogates",      "\xEE\x80\x80", 3},
    {"greatest of three",         "\xEF\xBF\xBF", 3},
    {"least of four",             "\xF0\x90\x80\x80", 4},
    {"greatest of all",           "\xF4\x8F\xBF\xBF", 4},
    {"ascii, then two bytes",     "12345678\xC3\xA9" "12345678", 18},
    {"tail alone",                "a\x80", 1},
    {"overlong slash",            "\xC0\xAF", 0},
    {"overlong, lead c1",         "\xC1\xBF", 0},
    {"overlong of three",         "\xE0\x9F\xBF", 0},
    {"overlong of four",          "\xF0\x8F\xBF\xBF", 0},
    {"first surrogate",           "\xED\xA0\x80", 0},
    {"last surrogate",            "\xED\xBF\xBF", 0},
    {"above the last",            "\xF4\x90\x80\x80", 0},
    {"lead f5",                   "\xF5\x80\x80\x80", 0},
    {"lead ff",                   "12345678\xFF", 8},
    {"cut after one of two",      "ab\xC3", 2},
    {"cut after two of three",    "\xE2\x82", 0},
    {"cut after three of four",   "\xF0\x9F\x98", 0},
    {"tail missing in the middle","\xE2\x28\xA1", 0},
    {"last tail missing",         "\xF0\x9F\x98(", 0},
};
/* clang-format on */

static void test_prefix(void **state)
{
    const struct row *row = *state;
    assert_int_equal(utf8_valid_prefix(str_from(row->text)), row->valid);
}

/* Every code point: encoded, valid, decoded to itself. */
static void test_all_code_points(void **state)
{
    (void)state;
    for (uint32_t c = 0; c <= 0x10FFFF; c++) {
        char text[UTF8_BYTES_MAX];
        str encoded   = {.ptr = text, .len = utf8_encode(c, text)};
        size_t offset = 0;
        bool is_half  = c >= 0xD800 && c <= 0xDFFF;
        assert_int_equal(utf8_valid_prefix(encoded), encoded.len);
        assert_int_equal(utf8_next(encoded, &offset), is_half ? 0xFFFD : c);
        assert_int_equal(offset, encoded.len);
        assert_int_equal(utf8_length(encoded), 1);
    }
    char text[UTF8_BYTES_MAX];
    assert_int_equal(utf8_encode(0x110000, text), 3);
    assert_memory_equal(text, "\xEF\xBF\xBD", 3);
}

static void test_walk(void **state)
{
    (void)state;
    str text              = str_from("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
    const uint32_t want[] = {'a', 0xE9, 0x20AC, 0x1F600};
    size_t offset         = 0;
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        assert_int_equal(utf8_next(text, &offset), want[i]);
    }
    assert_int_equal(offset, text.len);
    assert_int_equal(utf8_length(text), 4);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows) + 2];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[i] = row_test(rows[i].name, test_prefix, &rows[i]);
    }
    tests[ARRAY_LEN(rows)]     = (struct CMUnitTest)cmocka_unit_test(test_all_code_points);
    tests[ARRAY_LEN(rows) + 1] = (struct CMUnitTest)cmocka_unit_test(test_walk);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
