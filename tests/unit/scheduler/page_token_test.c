#include "cmocka.h"

#include "scheduler/services/page_token.h"

#include <stdio.h>

static int setup(void **state)
{
    *state = arena_new(1 << 20);
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    arena_free(*state);
    return 0;
}

static bytes text(const char *from)
{
    return bytes_from(str_from(from));
}

static void test_a_token_brings_its_place_back(void **state)
{
    struct arena *arena             = *state;
    uint8_t longest[PAGE_PLACE_MAX] = {0, 1, 2, 255};
    const bytes places[]            = {text("x"), {longest, 1}, {longest, sizeof longest}};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        const char *token = page_token_new(text("filters"), places[i], arena);
        assert_non_null(token);
        bytes place = {};
        assert_int_equal(page_token_read(str_from(token), text("filters"), arena, &place, NULL),
                         STATUS_OK);
        assert_int_equal(place.len, places[i].len);
        assert_memory_equal(place.ptr, places[i].ptr, place.len);
    }
}

static void test_other_filters_refuse_it(void **state)
{
    struct arena *arena = *state;
    const char *token   = page_token_new(text("a\x1f"
                                                "b"),
                                         text("place"), arena);
    bytes place         = {};
    struct error error  = {};
    assert_int_equal(page_token_read(str_from(token), text("a\x1f"), arena, &place, &error),
                     STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.code, "invalid_page_token");
}

static void test_what_is_no_token_is_refused(void **state)
{
    struct arena *arena = *state;
    const char *token   = page_token_new(text(""), text("place"), arena);
    char upper[64];
    (void)snprintf(upper, sizeof upper, "%s", token);
    upper[0]                 = 'G';
    const char *const rows[] = {
        "", "0", "00", "0011223344556677", "zz11223344556677aa", upper, "0011223344556677aa"};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bytes place        = {};
        struct error error = {};
        assert_int_equal(page_token_read(str_from(rows[i]), text(""), arena, &place, &error),
                         STATUS_INVALID_ARGUMENT);
        assert_string_equal(error.code, "invalid_page_token");
    }
    char *longer = arena_alloc(arena, 2 * (PAGE_FILTERS_SIZE + PAGE_PLACE_MAX) + 3);
    memset(longer, '0', 2 * (PAGE_FILTERS_SIZE + PAGE_PLACE_MAX) + 2);
    bytes place = {};
    assert_int_equal(page_token_read(str_from(longer), text(""), arena, &place, NULL),
                     STATUS_INVALID_ARGUMENT);
}

static void test_sizes(void **)
{
    uint32_t size = 0;
    assert_int_equal(page_size_read(0, &size, NULL), STATUS_OK);
    assert_int_equal(size, PAGE_SIZE_DEFAULT);
    assert_int_equal(page_size_read(PAGE_SIZE_MAX, &size, NULL), STATUS_OK);
    assert_int_equal(size, PAGE_SIZE_MAX);
    assert_int_equal(page_size_read(PAGE_SIZE_MAX + 1, &size, NULL), STATUS_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_token_brings_its_place_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_filters_refuse_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_no_token_is_refused, setup, teardown),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
