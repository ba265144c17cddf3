#include "base/str.h"
#include "cmocka.h"

static void trimmed(str text, const char *set, const char *expected)
{
    str result = str_trim(text, set);
    assert_int_equal(result.len, strlen(expected));
    if (result.len > 0) assert_memory_equal(result.ptr, expected, result.len);
}

static void both_ends_are_trimmed(void **)
{
    trimmed(str_from(" \t a b\t "), STR_BLANKS, "a b");
    trimmed(str_from("a"), STR_BLANKS, "a");
    trimmed(str_from(" \n a \n"), STR_BLANKS, "\n a \n");
    trimmed(str_from("\f\r\n a \t"), STR_SPACE, "a");
    trimmed(str_from("   "), STR_SPACE, "");
    trimmed((str){}, STR_SPACE, "");
}

/* It ends the set, and is not in it. */
static void a_nul_stays(void **)
{
    static const char text[] = {' ', '\0', 'a', '\0', ' '};
    str result               = str_trim((str){text, sizeof text}, STR_SPACE);
    assert_int_equal(result.len, 3);
    assert_memory_equal(result.ptr, text + 1, 3);
}

static void slices_are_cut(void **)
{
    str text = str_from("abc");
    assert_true(str_is(str_slice(text, 1, 9), "bc"));
    assert_int_equal(str_slice(text, 5, 9).len, 0);
    assert_int_equal(str_slice(text, 2, 1).len, 0);
    assert_null(str_slice((str){}, 1, 2).ptr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ends_are_trimmed),
        cmocka_unit_test(a_nul_stays),
        cmocka_unit_test(slices_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
