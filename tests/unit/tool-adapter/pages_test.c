/* Where the next page is, and what all of them are together. */
#include "tool-adapter/http/pages.h"

#include "ledger.h"

#include "base/attr.h"
#include "base/buf.h"

struct reading {
    struct ledger ledger;
    struct pages pages;
    json scope;
};

static void begin(struct reading *reading, const char *action, const char *params)
{
    struct error error = {};
    ledger_init(&reading->ledger);
    const struct manifest_action *used = ledger_action(&reading->ledger, action);
    reading->scope                     = scope_of(&reading->ledger, used, params, "{}");
    assert_int_equal(pages_init(used, reading->scope, str_from("https://ledger.test/v1"),
                                reading->ledger.arena, &reading->pages, &error),
                     STATUS_OK);
}

static void end(struct reading *reading)
{
    pages_done(&reading->pages);
    json_unref(reading->scope);
    ledger_done(&reading->ledger);
}

/* A page whose answer is `response`; its output is the body's `items` and `total`. */
static status add(struct reading *reading, const char *response, bool *ret_more)
{
    json answer = parsed(response);
    json body   = json_get_text(answer, "body");
    json output = json_object_new(2);
    json_object_put_text(&output, "items", json_ref(json_get_text(body, "items")));
    json total = json_get_text(body, "total");
    if (!json_is(total, JSON_INVALID)) json_object_put_text(&output, "total", json_ref(total));
    scope_put(&reading->scope, "response", answer);
    return pages_add(&reading->pages, reading->scope, output, ret_more, NULL);
}

static bool more(struct reading *reading, const char *response)
{
    bool has_more = false;
    assert_int_equal(add(reading, response, &has_more), STATUS_OK);
    return has_more;
}

static void assert_url(const struct reading *reading, const char *url)
{
    if (!str_is(reading->pages.next.url, url)) {
        fail_msg(STR_FMT ", not %s", STR_ARG(reading->pages.next.url), url);
    }
}

#define PAGE(headers, items)                                                                       \
    "{\"status\":200,\"headers\":{" headers "},\"body\":{\"items\":" items ",\"total\":9}}"

static void test_links_are_followed(void **)
{
    struct reading reading = {};
    begin(&reading, "linked", "{}");
    assert_true(more(&reading, PAGE("\"link\":\"<https://ledger.test/a>; rel=\\\"prev\\\", "
                                    "<https://ledger.test/b?x=1>; rel=\\\"next\\\"\"",
                                    "[1,2]")));
    assert_url(&reading, "https://ledger.test/b?x=1");
    assert_true(more(&reading, PAGE("\"link\":\"</c>; rel=next\"", "[3]")));
    assert_url(&reading, "https://ledger.test:443/c");
    assert_false(
        more(&reading, PAGE("\"link\":\"<https://ledger.test/a>; rel=\\\"prev\\\"\"", "[4]")));
    assert_json(reading.pages.output, "{\"items\":[1,2,3,4],\"total\":9}");
    end(&reading);
}

static void test_a_page_elsewhere_is_refused(void **)
{
    static const char *const links[] = {
        PAGE("\"link\":\"<https://evil.test/b>; rel=\\\"next\\\"\"", "[1]"),
        PAGE("\"link\":\"<http://ledger.test/b>; rel=\\\"next\\\"\"", "[1]"),
        PAGE("\"link\":\"<https://ledger.test:8443/b>; rel=\\\"next\\\"\"", "[1]"),
        PAGE("\"link\":\"<//evil.test/b>; rel=\\\"next\\\"\"", "[1]"),
        PAGE("\"link\":\"<b>; rel=\\\"next\\\"\"", "[1]"),
    };
    for (size_t i = 0; i < ARRAY_LEN(links); i++) {
        struct reading reading = {};
        bool has_more          = false;
        begin(&reading, "linked", "{}");
        assert_int_equal(add(&reading, links[i], &has_more), STATUS_OUT_OF_RANGE);
        end(&reading);
    }
}

static void test_headers_that_are_no_links(void **)
{
    static const char *const links[] = {
        PAGE("", "[1]"),
        PAGE("\"link\":\"\"", "[1]"),
        PAGE("\"link\":\"<https://ledger.test/b\"", "[1]"),
        PAGE("\"link\":\"https://ledger.test/b>; rel=next\"", "[1]"),
        PAGE("\"link\":\"<https://ledger.test/b>; rel=nextish\"", "[1]"),
        PAGE("\"link\":\"<https://ledger.test/b>\"", "[1]"),
    };
    for (size_t i = 0; i < ARRAY_LEN(links); i++) {
        struct reading reading = {};
        begin(&reading, "linked", "{}");
        assert_false(more(&reading, links[i]));
        end(&reading);
    }
}

static void test_too_many_pages_are_an_error(void **)
{
    struct reading reading = {};
    bool has_more          = false;
    const char *next       = PAGE("\"link\":\"<https://ledger.test/b>; rel=next\"", "[1]");
    begin(&reading, "linked", "{}");
    assert_true(more(&reading, next));
    assert_true(more(&reading, next));
    assert_int_equal(add(&reading, next, &has_more), STATUS_OUT_OF_RANGE);
    end(&reading);
}

static void test_too_many_elements_are_an_error(void **)
{
    struct reading reading             = {};
    bool has_more                      = false;
    CLEANUP(buf_done) struct buf items = buf_init(1 << 20);
    CLEANUP(buf_done) struct buf page  = buf_init(1 << 20);
    for (int i = 0; i < PAGES_ITEMS_MAX / 2; i++) (void)buf_printf(&items, "%d,", i);
    (void)buf_printf(&page, PAGE("\"link\":\"</b>; rel=next\"", "[%s0]"), items.ptr);
    begin(&reading, "linked", "{}");
    assert_true(more(&reading, page.ptr));
    assert_int_equal(add(&reading, page.ptr, &has_more), STATUS_OUT_OF_RANGE);
    end(&reading);
}

static void test_enough_items_end_it(void **)
{
    struct reading reading = {};
    begin(&reading, "linked", "{\"most\":3}");
    assert_true(more(&reading, PAGE("\"link\":\"</b>; rel=next\"", "[1,2]")));
    assert_false(more(&reading, PAGE("\"link\":\"</c>; rel=next\"", "[3,4]")));
    assert_json(reading.pages.output, "{\"items\":[1,2,3],\"total\":9}");
    end(&reading);
    begin(&reading, "linked", "{\"most\":0}");
    assert_false(more(&reading, PAGE("\"link\":\"</b>; rel=next\"", "[1,2]")));
    assert_json(reading.pages.output, "{\"items\":[],\"total\":9}");
    end(&reading);
}

static void test_addresses_and_cursors(void **)
{
    struct reading reading = {};
    bool has_more          = false;
    begin(&reading, "by_url", "{}");
    assert_true(more(&reading, "{\"body\":{\"items\":[1],\"next\":\"/n?a=b\"}}"));
    assert_url(&reading, "https://ledger.test:443/n?a=b");
    assert_int_equal(add(&reading, "{\"body\":{\"items\":[1],\"next\":7}}", &has_more),
                     STATUS_INVALID_ARGUMENT);
    end(&reading);

    begin(&reading, "by_cursor", "{}");
    assert_true(more(&reading, "{\"body\":{\"items\":[1],\"next\":\"c1\"}}"));
    assert_json(reading.pages.next.mark, "\"c1\"");
    assert_true(more(&reading, "{\"body\":{\"items\":[2],\"next\":\"c2\"}}"));
    assert_int_equal(add(&reading, "{\"body\":{\"items\":[3],\"next\":\"c2\"}}", &has_more),
                     STATUS_OUT_OF_RANGE);
    end(&reading);

    begin(&reading, "by_cursor", "{}");
    assert_false(more(&reading, "{\"body\":{\"items\":[1],\"next\":\"\"}}"));
    assert_false(more(&reading, "{\"body\":{\"items\":[1],\"next\":null}}"));
    end(&reading);
}

static void test_a_short_page_is_the_last(void **)
{
    struct reading reading = {};
    begin(&reading, "by_offset", "{}");
    assert_true(more(&reading, "{\"body\":{\"items\":[1,2]}}"));
    assert_json(reading.pages.next.mark, "2");
    assert_true(more(&reading, "{\"body\":{\"items\":[3,4]}}"));
    assert_json(reading.pages.next.mark, "4");
    assert_false(more(&reading, "{\"body\":{\"items\":[5]}}"));
    end(&reading);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_links_are_followed),
        cmocka_unit_test(test_a_page_elsewhere_is_refused),
        cmocka_unit_test(test_headers_that_are_no_links),
        cmocka_unit_test(test_too_many_pages_are_an_error),
        cmocka_unit_test(test_too_many_elements_are_an_error),
        cmocka_unit_test(test_enough_items_end_it),
        cmocka_unit_test(test_addresses_and_cursors),
        cmocka_unit_test(test_a_short_page_is_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
