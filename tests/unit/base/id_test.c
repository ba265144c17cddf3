#include "base/id.h"
#include "support/cmocka.h"

#include <string.h>

static void test_parts(void **state)
{
    (void)state;
    struct id_source source = {.partition = 0xABCD};
    struct id id            = id_next(&source, 1795341600123, 0xDEADBEEF);
    str text                = str_from(id.text);
    assert_int_equal(text.len, ID_LEN);
    assert_true(id_is_valid(text));
    assert_int_equal(id_partition(text), 0xABCD);
    assert_int_equal(id_unix_ms(text), 1795341600123);
    uint8_t packed[ID_BYTES];
    id_pack(text, packed);
    assert_memory_equal(packed + 8, "\x00\x00\x00\x01\xDE\xAD\xBE\xEF", 8);
    assert_string_equal(id_unpack(packed).text, id.text);
}

static void test_edges(void **state)
{
    (void)state;
    uint8_t packed[ID_BYTES] = {};
    assert_string_equal(id_unpack(packed).text, "00000000000000000000000000");
    memset(packed, 0xFF, sizeof packed);
    assert_string_equal(id_unpack(packed).text, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
    uint8_t back[ID_BYTES];
    id_pack(str_from("7ZZZZZZZZZZZZZZZZZZZZZZZZZ"), back);
    assert_memory_equal(back, packed, sizeof packed);
}

static void test_order(void **state)
{
    (void)state;
    struct id_source source = {.partition = 3, .counter = UINT32_MAX - 5};
    struct id last          = id_next(&source, 1000, 0xFFFFFFFF);
    for (int i = 0; i < 100; i++) {
        /* The clock stands still, goes back, goes on; the counter wraps; randomness falls. */
        int64_t unix_ms = i % 3 == 0 ? 1000 : i % 3 == 1 ? 500 : 1000 + i / 10;
        struct id next  = id_next(&source, unix_ms, (uint32_t)(1000 - i));
        assert_true(strcmp(last.text, next.text) < 0);
        last = next;
    }
}

static void test_same_seed_same_ids(void **state)
{
    (void)state;
    struct id_source a = {.partition = 1};
    struct id_source b = {.partition = 1};
    assert_string_equal(id_next(&a, 5, 7).text, id_next(&b, 5, 7).text);
}

static void test_invalid(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "0000000000000000000000000",   /* 25 */
        "000000000000000000000000000", /* 27 */
        "80000000000000000000000000",  /* 129 bits */
        "0000000000000000000000000I",
        "0000000000000000000000000L",
        "0000000000000000000000000O",
        "0000000000000000000000000U",
        "0000000000000000000000000a",
        "0000000000000000000000000-",
    };
    uint8_t packed[ID_BYTES];
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        assert_false(id_is_valid(str_from(texts[i])));
        assert_false(id_try_pack(str_from(texts[i]), packed));
    }
    char with_nul[ID_LEN] = {};
    assert_false(id_is_valid((str){.ptr = with_nul, .len = ID_LEN}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),   cmocka_unit_test(test_edges),
        cmocka_unit_test(test_order),   cmocka_unit_test(test_same_seed_same_ids),
        cmocka_unit_test(test_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
