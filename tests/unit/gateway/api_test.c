/* What handlers read of a request: queries, pages, waits, page tokens over partitions. */
#include "cmocka.h"

#include "base/id.h"
#include "gateway/api/api.h"
#include "gateway/api/paging.h"

#include <stdlib.h>
#include <string.h>

struct fixture {
    struct api api;
    struct httpd_request request;
    struct route route;
    struct api_call call;
};

static void begin(struct fixture *it, const char *query)
{
    *it = (struct fixture){.request = {.query = str_from(query)}, .route = {.wait_ms_max = 60'000}};
    atomic_init(&it->api.partitions, 3);
    it->call.api     = &it->api;
    it->call.request = &it->request;
    it->call.route   = &it->route;
    it->call.arena   = arena_new(API_CALL_ARENA_MAX);
}

static void end(struct fixture *it)
{
    arena_free(it->call.arena);
}

static void a_parameter_is_decoded(void **)
{
    struct fixture it;
    str text = {};
    begin(&it, "a=1&b=x+y%2Bz&c&a=2&%64=7&e=");
    assert_true(api_query(&it.call, "a", &text) && str_is(text, "1"));
    assert_true(api_query(&it.call, "b", &text) && str_is(text, "x y+z"));
    assert_true(api_query(&it.call, "c", &text) && text.len == 0);
    assert_true(api_query(&it.call, "d", &text) && str_is(text, "7"));
    assert_true(api_query(&it.call, "e", &text) && text.len == 0);
    assert_false(api_query(&it.call, "f", &text));
    assert_false(api_query(&it.call, "", &text));
    end(&it);
}

static void repeated_parameters_come_in_order(void **)
{
    struct fixture it;
    size_t cursor = 0;
    str text      = {};
    begin(&it, "a=1&b=2&a=3");
    assert_true(api_query_next(&it.call, "a", &cursor, &text) && str_is(text, "1"));
    assert_true(api_query_next(&it.call, "a", &cursor, &text) && str_is(text, "3"));
    assert_false(api_query_next(&it.call, "a", &cursor, &text));
    end(&it);
}

/* As many as a target can hold: the arena must not run out. */
static void a_target_full_of_parameters_fits(void **)
{
    struct fixture it;
    char query[HTTPD_TARGET_MAX + 1] = "";
    for (size_t i = 0; i + 2 <= HTTPD_TARGET_MAX; i += 2) memcpy(query + i, "a&", 2);
    size_t cursor = 0;
    size_t count  = 0;
    str text      = {};
    begin(&it, query);
    while (api_query_next(&it.call, "a", &cursor, &text)) count++;
    assert_int_equal(count, HTTPD_TARGET_MAX / 2);
    end(&it);
}

struct row {
    const char *name, *query;
    status code;
    int64_t value;
};

static const struct row waits[] = {
    {"none", "", STATUS_OK, 0},
    {"seconds", "wait=30s", STATUS_OK, 30'000},
    {"milliseconds", "wait=250ms", STATUS_OK, 250},
    {"the longest", "wait=60s", STATUS_OK, 60'000},
    {"longer is cut", "wait=1h", STATUS_OK, 60'000},
    {"ISO 8601", "wait=PT5S", STATUS_OK, 5'000},
    {"nothing", "wait=0s", STATUS_OK, 0},
    {"empty", "wait=", STATUS_INVALID_ARGUMENT, 0},
    {"no unit", "wait=30", STATUS_INVALID_ARGUMENT, 0},
    {"negative", "wait=-1s", STATUS_INVALID_ARGUMENT, 0},
    {"a word", "wait=true", STATUS_INVALID_ARGUMENT, 0},
};

static void wait(void **state)
{
    const struct row *row = *state;
    struct fixture it;
    struct error error = {};
    int64_t wait_ms    = 0;
    begin(&it, row->query);
    assert_int_equal(api_wait_ms(&it.call, &wait_ms, &error), row->code);
    if (row->code == STATUS_OK) assert_int_equal(wait_ms, row->value);
    end(&it);
}

static const struct row pages[] = {
    {"default", "", STATUS_OK, 50},
    {"one", "page_size=1", STATUS_OK, 1},
    {"the largest", "page_size=500", STATUS_OK, 500},
    {"nothing", "page_size=0", STATUS_INVALID_ARGUMENT, 0},
    {"too large", "page_size=501", STATUS_INVALID_ARGUMENT, 0},
    {"far too large", "page_size=99999999999999999999", STATUS_INVALID_ARGUMENT, 0},
    {"empty", "page_size=", STATUS_INVALID_ARGUMENT, 0},
    {"a sign", "page_size=%2B5", STATUS_INVALID_ARGUMENT, 0},
    {"the first partition", "page_token=0.abc", STATUS_OK, 50},
    {"the last partition", "page_token=2.", STATUS_OK, 50},
    {"behind the last", "page_token=3.", STATUS_INVALID_ARGUMENT, 0},
    {"no dot", "page_token=1", STATUS_INVALID_ARGUMENT, 0},
    {"no partition", "page_token=.x", STATUS_INVALID_ARGUMENT, 0},
    {"too many digits", "page_token=000000.x", STATUS_INVALID_ARGUMENT, 0},
};

static void page(void **state)
{
    const struct row *row = *state;
    struct fixture it;
    struct error error = {};
    Pb__Page page      = PB__PAGE__INIT;
    begin(&it, row->query);
    assert_int_equal(paging_begin(&it.call, &error), row->code);
    if (row->code == STATUS_OK) {
        assert_in_range(paging_page(&it.call, &page), 0, 2);
        assert_int_equal(page.size, row->value);
    }
    if (row->code != STATUS_OK && strstr(row->query, "token")) {
        assert_string_equal(error.code, "invalid_page_token");
    }
    end(&it);
}

/* A page of `query` whose first partition had `count` items and said `inner`; `expected` NULL: the
 * next partition is asked. */
static void next_of(const char *query, size_t count, const char *inner, const char *expected)
{
    struct fixture it;
    const char *token = NULL;
    begin(&it, query);
    assert_int_equal(paging_begin(&it.call, NULL), STATUS_OK);
    assert_int_equal(paging_advance(&it.call, count, inner, &token), expected != NULL);
    assert_string_equal(token, expected ? expected : "");
    end(&it);
}

static void a_list_goes_through_all_partitions(void **)
{
    next_of("page_size=2", 2, "x", "0.x");
    next_of("page_size=2", 1, "x", "0.x"); /* the partition ended it early */
    next_of("page_size=2&page_token=0.x", 2, "", "1.");
    next_of("page_size=2&page_token=1.", 2, "y", "1.y");
    next_of("page_size=2&page_token=2.z", 2, "", "");
    next_of("page_size=2&page_token=2.z", 1, "", "");
    next_of("page_size=2&page_token=1.y", 1, "", NULL);
    next_of("page_size=2", 0, "", NULL);
}

static void a_page_goes_on_in_the_next_partition(void **)
{
    struct fixture it;
    Pb__Page page     = PB__PAGE__INIT;
    const char *token = NULL;
    begin(&it, "page_size=5&page_token=0.x");
    assert_int_equal(paging_begin(&it.call, NULL), STATUS_OK);
    assert_int_equal(paging_page(&it.call, &page), 0);
    assert_string_equal(page.token, "x");
    assert_false(paging_advance(&it.call, 2, "", &token));
    assert_int_equal(paging_page(&it.call, &page), 1);
    assert_int_equal(page.size, 3);
    assert_string_equal(page.token, "");
    assert_true(paging_advance(&it.call, 3, "y", &token));
    assert_string_equal(token, "1.y");
    end(&it);
}

static void ids_name_their_partition_unless_it_is_not_there(void **)
{
    struct fixture it;
    struct id_source source = {.partition = 2};
    begin(&it, "");
    struct id id = id_next(&source, 1'700'000'000'000, 7);
    assert_int_equal(api_partition_of(&it.call, str_from(id.text)), 2);
    source = (struct id_source){.partition = 60'000};
    id     = id_next(&source, 1'700'000'000'000, 7);
    assert_in_range(api_partition_of(&it.call, str_from(id.text)), 0, 2);
    assert_in_range(api_partition_of(&it.call, str_from("mine")), 0, 2);
    end(&it);
}

int main(void)
{
    struct CMUnitTest rows[ARRAY_LEN(waits) + ARRAY_LEN(pages)];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
        rows[count++] = row_test(waits[i].name, wait, &waits[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
        rows[count++] = row_test(pages[i].name, page, &pages[i]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_parameter_is_decoded),
        cmocka_unit_test(repeated_parameters_come_in_order),
        cmocka_unit_test(a_target_full_of_parameters_fits),
        cmocka_unit_test(a_list_goes_through_all_partitions),
        cmocka_unit_test(a_page_goes_on_in_the_next_partition),
        cmocka_unit_test(ids_name_their_partition_unless_it_is_not_there),
    };
    return cmocka_run_group_tests_name("rows", rows, NULL, NULL) +
           cmocka_run_group_tests_name("api", tests, NULL, NULL);
}
