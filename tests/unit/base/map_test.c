#include "base/map.h"
#include "support/cmocka.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static void test_basics(void **state)
{
    (void)state;
    CLEANUP(map_freep) struct map *map = map_new(2);
    int one;
    int two;
    assert_null(map_get(map, str_from("a")));
    assert_null(map_remove(map, str_from("a")));
    assert_true(map_put(map, str_from("a"), &one));
    assert_true(map_put(map, (str){.ptr = "a\0b", .len = 3}, &two));
    assert_ptr_equal(map_get(map, str_from("a")), &one);
    assert_ptr_equal(map_get(map, (str){.ptr = "a\0b", .len = 3}), &two);
    assert_false(map_put(map, str_from("c"), &one));
    assert_true(map_put(map, str_from("a"), &two)); /* replacing always fits */
    assert_ptr_equal(map_get(map, str_from("a")), &two);
    assert_int_equal(map_count(map), 2);
    assert_ptr_equal(map_remove(map, str_from("a")), &two);
    assert_null(map_get(map, str_from("a")));
    assert_true(map_put(map, (str){}, &one)); /* the empty key is one like any other */
    assert_ptr_equal(map_get(map, str_from("")), &one);
    map_free(NULL);
}

static void test_keys_are_copied(void **state)
{
    (void)state;
    CLEANUP(map_freep) struct map *map = map_new(10);
    char key[]                         = "key";
    int value;
    assert_true(map_put(map, str_from(key), &value));
    key[0] = 'X';
    assert_ptr_equal(map_get(map, str_from("key")), &value);
}

enum { COUNT = 3000 };

static str key_of(char text[static 16], unsigned number)
{
    return (str){.ptr = text, .len = (size_t)snprintf(text, 16, "key-%u", number)};
}

/* Puts and removes in a fixed disorder, compared with an array. */
static void test_against_array(void **state)
{
    (void)state;
    CLEANUP(map_freep) struct map *map = map_new(COUNT);
    char text[16];
    char values[COUNT] = {};
    bool is_in[COUNT]  = {};
    size_t count       = 0;
    uint32_t random    = 12345;
    for (int i = 0; i < 60000; i++) {
        random        = random * 1664525 + 1013904223;
        unsigned at   = (random >> 8) % COUNT;
        str key       = key_of(text, at);
        bool is_put   = (random >> 28) % 3 != 0;
        void *present = is_in[at] ? &values[at] : NULL;
        assert_ptr_equal(map_get(map, key), present);
        if (is_put) {
            assert_true(map_put(map, key, &values[at]));
        } else {
            assert_ptr_equal(map_remove(map, key), present);
        }
        count += (size_t)is_put - (size_t)is_in[at];
        is_in[at] = is_put;
        if (!is_put && !present) continue;
        assert_int_equal(map_count(map), count);
    }
}

static void test_walk_and_remove(void **state)
{
    (void)state;
    CLEANUP(map_freep) struct map *map = map_new(COUNT);
    char text[16];
    unsigned seen[COUNT] = {};
    for (unsigned i = 0; i < COUNT; i++) assert_true(map_put(map, key_of(text, i), &seen[i]));
    size_t cursor = 0;
    str key;
    void *value;
    while (map_next(map, &cursor, &key, &value)) {
        unsigned *at = value;
        (*at)++;
        unsigned number = (unsigned)(at - seen);
        assert_true(str_equal(key, key_of(text, number)));
        if (number % 2) assert_ptr_equal(map_remove(map, key_of(text, number)), value);
    }
    for (unsigned i = 0; i < COUNT; i++) assert_int_equal(seen[i], 1);
    assert_int_equal(map_count(map), COUNT / 2);
    cursor       = 0;
    size_t count = 0;
    while (map_next(map, &cursor, NULL, NULL)) count++;
    assert_int_equal(count, COUNT / 2);
}

static void test_hash(void **state)
{
    (void)state;
    char data[64] = "";
    uint64_t seen[64];
    for (size_t i = 0; i < 64; i++) { /* every length of zeros hashes differently */
        seen[i] = hash_bytes(data, i);
        for (size_t j = 0; j < i; j++) assert_true(seen[j] != seen[i]);
    }
    assert_true(hash_bytes("abc", 3) == hash_bytes("abcd", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_basics),        cmocka_unit_test(test_keys_are_copied),
        cmocka_unit_test(test_against_array), cmocka_unit_test(test_walk_and_remove),
        cmocka_unit_test(test_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
