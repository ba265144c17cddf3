#include "store/key.h"

#include "cmocka.h"

#include "base/hash.h"

static str text_of(const char *data, size_t len)
{
    return (str){.ptr = data, .len = len};
}
#define LITERAL(text) text_of(text, sizeof(text) - 1)

/* --- Order ------------------------------------------------------------------------------------ */

static int compare_texts(str a, str b)
{
    struct key x;
    struct key y;
    key_begin(&x);
    key_put_text(&x, a);
    key_put_u8(&x, 0xff); /* whatever follows must not matter */
    key_begin(&y);
    key_put_text(&y, b);
    key_put_u8(&y, 0);
    size_t shorter = x.len < y.len ? x.len : y.len;
    return memcmp(x.data, y.data, shorter);
}

static void texts_sort_like_themselves(void **state)
{
    (void)state;
    const str ascending[] = {
        LITERAL(""),   LITERAL("\0"), LITERAL("\0\0"),     LITERAL("\0\1"), LITERAL("\0\xff"),
        LITERAL("\1"), LITERAL("a"),  LITERAL("a\0"),      LITERAL("a\0b"), LITERAL("a\1"),
        LITERAL("ab"), LITERAL("b"),  LITERAL("\xc3\xa9"), LITERAL("\xff"), LITERAL("\xff\xff")};
    for (size_t i = 0; i + 1 < ARRAY_LEN(ascending); i++) {
        assert_true(compare_texts(ascending[i], ascending[i + 1]) < 0);
    }
}

static void integers_sort_like_numbers(void **state)
{
    (void)state;
    const uint64_t ascending[] = {0,         1, 255, 256, 65535, 65536, UINT32_MAX, UINT64_MAX - 1,
                                  UINT64_MAX};
    for (size_t i = 0; i + 1 < ARRAY_LEN(ascending); i++) {
        struct key_u64 a = key_of_u64(ascending[i]);
        struct key_u64 b = key_of_u64(ascending[i + 1]);
        assert_true(memcmp(a.data, b.data, sizeof a.data) < 0);
    }
}

/* --- There and back --------------------------------------------------------------------------- */

static void parts_come_back(void **state)
{
    (void)state;
    struct id_source source = {.partition = 7};
    struct id id            = id_next(&source, 1'700'000'000'000, 42);
    struct key key;
    key_begin(&key);
    key_put_u8(&key, 0xab);
    key_put_u16(&key, 0xabcd);
    key_put_u32(&key, 0xabcdef01);
    key_put_u64(&key, 0xabcdef0123456789);
    key_put_id(&key, str_from(id.text));
    key_put_text(&key, LITERAL("a\0z"));
    key_put_text(&key, LITERAL(""));
    assert_int_equal(key.len, 1 + 2 + 4 + 8 + 16 + 6 + 2);

    bytes rest = key_bytes(&key);
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    struct id found;
    struct key_text text;
    assert_true(key_take_u8(&rest, &u8));
    assert_int_equal(u8, 0xab);
    assert_true(key_take_u16(&rest, &u16));
    assert_int_equal(u16, 0xabcd);
    assert_true(key_take_u32(&rest, &u32));
    assert_int_equal(u32, 0xabcdef01);
    assert_true(key_take_u64(&rest, &u64));
    assert_true(u64 == 0xabcdef0123456789);
    assert_true(key_take_id(&rest, &found));
    assert_string_equal(found.text, id.text);
    assert_true(key_take_text(&rest, &text));
    assert_int_equal(text.len, 3);
    assert_memory_equal(text.data, "a\0z", 3);
    assert_false(text.is_digest);
    assert_true(key_take_text(&rest, &text));
    assert_int_equal(text.len, 0);
    assert_int_equal(rest.len, 0);

    assert_false(key_take_u8(&rest, &u8));
    assert_false(key_take_u16(&rest, &u16));
    assert_false(key_take_u32(&rest, &u32));
    assert_false(key_take_u64(&rest, &u64));
    assert_false(key_take_id(&rest, &found));
    assert_false(key_take_text(&rest, &text));
}

static void long_text_becomes_its_digest(void **state)
{
    (void)state;
    char letters[KEY_TEXT_MAX + 1];
    memset(letters, 'x', sizeof letters);
    struct key key;
    struct key_text text;

    key_begin(&key);
    key_put_text(&key, text_of(letters, KEY_TEXT_MAX));
    assert_int_equal(key.len, KEY_TEXT_MAX + 2);
    bytes rest = key_bytes(&key);
    assert_true(key_take_text(&rest, &text));
    assert_false(text.is_digest);
    assert_int_equal(text.len, KEY_TEXT_MAX);

    key_begin(&key);
    key_put_text(&key, text_of(letters, KEY_TEXT_MAX + 1));
    rest = key_bytes(&key);
    assert_true(key_take_text(&rest, &text));
    assert_true(text.is_digest);
    uint8_t digest[SHA256_SIZE];
    sha256((bytes){.ptr = letters, .len = sizeof letters}, digest);
    assert_int_equal(text.len, SHA256_SIZE);
    assert_memory_equal(text.data, digest, SHA256_SIZE);

    /* Zeros take two bytes each, so fewer of them fit. */
    memset(letters, 0, sizeof letters);
    key_begin(&key);
    key_put_text(&key, text_of(letters, KEY_TEXT_MAX / 2));
    rest = key_bytes(&key);
    assert_true(key_take_text(&rest, &text));
    assert_false(text.is_digest);
    assert_int_equal(text.len, KEY_TEXT_MAX / 2);
    key_begin(&key);
    key_put_text(&key, text_of(letters, KEY_TEXT_MAX / 2 + 1));
    rest = key_bytes(&key);
    assert_true(key_take_text(&rest, &text));
    assert_true(text.is_digest);
}

static void digest_is_no_text(void **state)
{
    (void)state;
    char letters[300];
    memset(letters, 'x', sizeof letters);
    uint8_t digest[SHA256_SIZE];
    sha256((bytes){.ptr = letters, .len = sizeof letters}, digest);
    struct key of_long;
    struct key of_digest;
    key_begin(&of_long);
    key_put_text(&of_long, text_of(letters, sizeof letters));
    key_begin(&of_digest);
    key_put_text(&of_digest, text_of((const char *)digest, sizeof digest));
    assert_int_equal(of_long.len, of_digest.len);
    assert_memory_not_equal(of_long.data, of_digest.data, of_long.len);
}

static void key_fills_up(void **state)
{
    (void)state;
    struct key key;
    key_begin(&key);
    for (int i = 0; i < STORE_KEY_MAX; i++) key_put_u8(&key, 1);
    assert_false(key.is_full);
    assert_int_equal(key_bytes(&key).len, STORE_KEY_MAX);
    key_put_u8(&key, 1);
    assert_true(key.is_full);
    assert_int_equal(key.len, STORE_KEY_MAX);
    key_begin(&key);
    assert_false(key.is_full);
}

/* --- Damaged keys ----------------------------------------------------------------------------- */

static void damaged_text_is_refused(void **state)
{
    (void)state;
    char too_long[KEY_TEXT_MAX + 3];
    memset(too_long, 'x', sizeof too_long);
    memcpy(too_long + KEY_TEXT_MAX + 1, "\0\1", 2);
    const str rows[] = {
        LITERAL("no end"),
        LITERAL("half an end\0"),
        LITERAL("bad escape\0\3\0\1"),
        LITERAL("digest of the wrong length\0\2"),
        LITERAL("\0"),
        text_of(too_long, sizeof too_long),
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bytes rest           = bytes_from(rows[i]);
        struct key_text text = {.len = 99};
        assert_false(key_take_text(&rest, &text));
        assert_ptr_equal(rest.ptr, rows[i].ptr);
        assert_int_equal(rest.len, rows[i].len);
        assert_int_equal(text.len, 99);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_sort_like_themselves),
        cmocka_unit_test(integers_sort_like_numbers),
        cmocka_unit_test(parts_come_back),
        cmocka_unit_test(long_text_becomes_its_digest),
        cmocka_unit_test(digest_is_no_text),
        cmocka_unit_test(key_fills_up),
        cmocka_unit_test(damaged_text_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
