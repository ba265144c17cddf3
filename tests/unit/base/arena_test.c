#include "base/arena.h"
#include "support/cmocka.h"

#include <stdint.h>
#include <string.h>

static void test_limit(void **state)
{
    (void)state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(100);
    assert_non_null(arena_alloc(arena, 100));
    assert_int_equal(arena_used(arena), 100);
    assert_null(arena_alloc(arena, 1));
    assert_null(arena_strdup(arena, str_from("")));
    assert_non_null(arena_alloc(arena, 0));
    arena_clear(arena);
    assert_int_equal(arena_used(arena), 0);
    assert_null(arena_alloc(arena, 101));
    assert_null(arena_alloc(arena, SIZE_MAX));
    assert_int_equal(arena_used(arena), 0);
    assert_non_null(arena_strdup(arena, (str){.ptr = "x", .len = 1}));
    assert_null(arena_printf(arena, "%100s", ""));
    assert_non_null(arena_printf(arena, "%97s", ""));
}

static void test_zeroed_and_aligned(void **state)
{
    (void)state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    for (int round = 0; round < 3; round++) {
        for (size_t size = 1; size < 200; size++) {
            assert_non_null(arena_strdup(arena, str_from("a"))); /* shifts what follows */
            unsigned char *memory = arena_alloc(arena, size);
            assert_non_null(memory);
            assert_int_equal((uintptr_t)memory % _Alignof(max_align_t), 0);
            for (size_t i = 0; i < size; i++) assert_int_equal(memory[i], 0);
            memset(memory, 0xAA, size);
        }
        arena_clear(arena);
    }
}

static void test_texts(void **state)
{
    (void)state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    char *copy                               = arena_strdup(arena, (str){.ptr = "hello", .len = 4});
    char *text                               = arena_printf(arena, "%s-%d", copy, 7);
    assert_string_equal(copy, "hell");
    assert_string_equal(text, "hell-7");
    assert_string_equal(arena_strdup(arena, (str){}), "");
}

/* Allocations of all sizes do not overlap, and stay as they are until the clear. */
static void test_many_sizes(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    CLEANUP(arena_freep) struct arena *arena = arena_new(64 << 20);
    unsigned char *memory[COUNT];
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            size_t size = (i * i * 7) % 50000 + 1;
            memory[i]   = arena_alloc(arena, size);
            assert_non_null(memory[i]);
            memset(memory[i], (int)(i & 0xFF), size);
        }
        for (size_t i = 0; i < COUNT; i++) {
            size_t size = (i * i * 7) % 50000 + 1;
            assert_int_equal(memory[i][0], i & 0xFF);
            assert_int_equal(memory[i][size - 1], i & 0xFF);
        }
        arena_clear(arena);
    }
    arena_free(NULL);
}

static void what_is_expected_comes_in_one_piece(void **)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(10'000);
    arena_expect(arena, 4'096);
    assert_int_equal(arena_used(arena), 0);
    char *first  = arena_strdup(arena, str_from("first"));
    char *second = arena_strdup(arena, str_from("second"));
    assert_string_equal(first, "first");
    assert_string_equal(second, "second");
    assert_true(second > first && second - first < 4'096);
    arena_expect(arena, 20'000); /* more than it may hand out: nothing changes */
    assert_null(arena_alloc(arena, 10'000));
    assert_non_null(arena_alloc(arena, 8'000)); /* beyond what was expected it grows by itself */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_expected_comes_in_one_piece),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_zeroed_and_aligned),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_many_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
