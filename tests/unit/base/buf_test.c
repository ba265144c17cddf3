#include "base/buf.h"
#include "support/cmocka.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void test_limit(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf buf = buf_init(5);
    assert_string_equal(buf_str(&buf).ptr, "");
    assert_true(buf_put_text(&buf, "12345"));
    assert_false(buf.is_full);
    assert_true(buf_put(&buf, NULL, 0));
    assert_false(buf_put_byte(&buf, '6'));
    assert_true(buf.is_full);
    assert_string_equal(buf.ptr, "12345");
    buf_consume(&buf, 2);
    assert_false(buf_put_byte(&buf, '6')); /* full once and for all */
    assert_string_equal(buf.ptr, "345");
    buf_clear(&buf);
    assert_false(buf.is_full);
    assert_true(buf_printf(&buf, "%s", "abcde"));
    assert_false(buf_printf(&buf, "%d", 1));
    assert_string_equal(buf.ptr, "abcde");
}

static void test_no_room_at_all(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf buf = buf_init(0);
    assert_true(buf_put_text(&buf, ""));
    assert_false(buf_put_text(&buf, "x"));
    CLEANUP(buf_done) struct buf endless = buf_init(SIZE_MAX);
    assert_null(buf_reserve(&endless, SIZE_MAX)); /* there would be no room for the NUL */
}

static void test_reserve(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf buf = buf_init(1000);
    char *room                       = buf_reserve(&buf, 1000);
    assert_non_null(room);
    memset(room, 'x', 1000);
    buf_commit(&buf, 600);
    assert_int_equal(strlen(buf.ptr), 600);
    assert_non_null(buf_reserve(&buf, 400));
    assert_null(buf_reserve(&buf, 401));
}

static void test_growth(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf buf = buf_init(100000);
    for (int i = 0; i < 100000; i++) assert_true(buf_put_byte(&buf, (char)('a' + i % 26)));
    assert_false(buf_put_byte(&buf, 'x'));
    for (int i = 0; i < 100000; i++) assert_int_equal(buf.ptr[i], 'a' + i % 26);
    buf_consume(&buf, 99999);
    assert_string_equal(buf.ptr, "d");
}

static void test_integers(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf buf = buf_init(100);
    assert_true(buf_put_u16(&buf, 0x0102));
    assert_true(buf_put_u32(&buf, 0x03040506));
    assert_true(buf_put_u64(&buf, 0x0708090A0B0C0D0Eu));
    for (int i = 0; i < 14; i++) assert_int_equal(buf.ptr[i], i + 1);
    assert_int_equal(u16_from(buf.ptr), 0x0102);
    assert_int_equal(u32_from(buf.ptr + 2), 0x03040506);
    assert_true(u64_from(buf.ptr + 6) == 0x0708090A0B0C0D0Eu);
    assert_true(u64_from("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF") == UINT64_MAX);
}

static void test_decimal_numbers(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf buf = buf_init(30);
    assert_true(buf_put_number(&buf, 0));
    assert_true(buf_put_number(&buf, 1'020));
    assert_true(buf_put_number(&buf, UINT64_MAX));
    assert_string_equal(buf.ptr, "0102018446744073709551615");
    assert_false(buf_put_number(&buf, 123'456));
    assert_string_equal(buf.ptr, "0102018446744073709551615");
}

/* Whether there was room before, is made, or may not be. */
static void test_printf_at_every_length(void **state)
{
    (void)state;
    enum { LEN_MAX = 200 };
    char text[LEN_MAX + 2];
    for (size_t len = 0; len <= LEN_MAX + 1; len++) {
        CLEANUP(buf_done) struct buf buf = buf_init(LEN_MAX);
        memset(text, 'x', len);
        text[len] = '\0';
        assert_true(buf_put_text(&buf, ""));
        assert_int_equal(buf_printf(&buf, "%s", text), len <= LEN_MAX);
        assert_int_equal(buf.len, len <= LEN_MAX ? len : 0);
        assert_string_equal(buf.ptr, len <= LEN_MAX ? text : "");
        assert_int_equal(buf_printf(&buf, "%c", 'y'), len < LEN_MAX);
        assert_int_equal(strlen(buf.ptr), buf.len);
    }
}

static void test_take(void **state)
{
    (void)state;
    struct buf buf = buf_init(100);
    char *nothing  = buf_take(&buf);
    assert_string_equal(nothing, "");
    free(nothing);
    assert_true(buf_put_text(&buf, "abc"));
    char *text = buf_take(&buf);
    assert_string_equal(text, "abc");
    free(text);
    assert_int_equal(buf.len, 0);
    assert_true(buf_put_text(&buf, "usable again"));
    buf_done(&buf);
    buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit),           cmocka_unit_test(test_no_room_at_all),
        cmocka_unit_test(test_reserve),         cmocka_unit_test(test_growth),
        cmocka_unit_test(test_integers),        cmocka_unit_test(test_take),
        cmocka_unit_test(test_decimal_numbers), cmocka_unit_test(test_printf_at_every_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
