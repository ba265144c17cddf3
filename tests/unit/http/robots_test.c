#include "http/robots.h"

#include "cmocka.h"

#include "base/attr.h"
#include "base/buf.h"

static void the_longest_pattern_decides(void **state)
{
    (void)state;
    static const struct {
        const char *text, *target;
        bool is_allowed;
    } rows[] = {
        {"", "/x", true},
        {"User-agent: *\nDisallow: /", "/x", false},
        {"User-agent: *\nDisallow: /", "", false},
        {"User-agent: *\nDisallow: /", "/robots.txt", true},
        {"User-agent: *\nDisallow:", "/x", true},
        {"user-agent:*\rDISALLOW : /a # why\r\n", "/ab", false},
        {"User-agent: *\nDisallow: /a\nAllow: /a/b", "/a/b/c", true},
        {"User-agent: *\nAllow: /a/b\nDisallow: /a", "/a/c", false},
        {"User-agent: *\nDisallow: /a\nAllow: /a", "/a", true}, /* as long: Allow */
        {"User-agent: tutti\nDisallow: /a\nUser-agent: *\nDisallow: /b", "/b", true},
        {"User-agent: tutti\nDisallow: /a\nUser-agent: *\nDisallow: /b", "/a", false},
        {"User-agent: TUTTI/2.0\nDisallow: /a", "/a", false},
        {"User-agent: tuttifrutti\nDisallow: /a", "/a", true},
        {"User-agent: x\nUser-agent: tutti\nDisallow: /a", "/a", false},
        {"User-agent: tutti\nDisallow: /a\n\nUser-agent: tutti\nDisallow: /b", "/b", false},
        {"User-agent: tutti\nSitemap: x\nUser-agent: y\nDisallow: /a", "/a", false},
        {"Disallow: /a", "/a", true}, /* no group */
        {"User-agent: *\nDisallow: *.gif$", "/x/y.gif", false},
        {"User-agent: *\nDisallow: *.gif$", "/x/y.gif?z", true},
        {"User-agent: *\nDisallow: /*/b*c", "/x/y/bzzc/d", false},
        {"User-agent: *\nDisallow: /a*a$", "/a", true},
        {"User-agent: *\nDisallow: /a$", "/a/", true},
        {"User-agent: *\nDisallow: /a$b", "/a$b", false},
        {"User-agent: *\nDisallow: /%2a", "/*", false},
        {"User-agent: *\nDisallow: /%2a", "/x", true},
        {"User-agent: *\nDisallow: /\xc3\xa4", "/%c3%A4", false},
        {"User-agent: *\nDisallow: /%7Ejoe", "/~joe/", false},
        {"User-agent: *\nDisallow: /a?b=1", "/a?b=12", false},
        {"\xef\xbb\xbfUser-agent: *\nDisallow: /a", "/a", false},
        {"<html>\n<p>:</p>", "/a", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(robots_freep) struct robots *robots = robots_read(str_from(rows[i].text), "tutti");
        if (robots_allows(robots, str_from(rows[i].target)) != rows[i].is_allowed) {
            fail_msg("row %zu: %s: %s", i, rows[i].text, rows[i].target);
        }
    }
}

static void delays_are_bounded(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t delay_ms;
    } rows[] = {
        {"User-agent: *\nDisallow: /", 0},
        {"User-agent: *\nCrawl-delay: 2", 2'000},
        {"User-agent: *\nCrawl-delay: 0.25", 250},
        {"User-agent: *\nCrawl-delay: 1.2345", 1'234},
        {"User-agent: *\nCrawl-delay: 61", ROBOTS_DELAY_MAX_MS},
        {"User-agent: *\nCrawl-delay: 99999999999999999999999999", ROBOTS_DELAY_MAX_MS},
        {"User-agent: *\nCrawl-delay: -1", 0},
        {"User-agent: tutti\nDisallow:\nUser-agent: *\nCrawl-delay: 5", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(robots_freep) struct robots *robots = robots_read(str_from(rows[i].text), "tutti");
        assert_int_equal(robots_delay_ms(robots), rows[i].delay_ms);
    }
}

static void a_missing_file_allows_all_and_a_broken_server_nothing(void **state)
{
    (void)state;
    static const struct {
        int http_status;
        bool is_allowed;
    } rows[] = {{404, true},  {401, true},  {403, true}, {429, true},
                {500, false}, {503, false}, {0, false}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(robots_freep) struct robots *robots = robots_for_status(rows[i].http_status);
        assert_int_equal(robots_allows(robots, str_from("/x")), rows[i].is_allowed);
        assert_true(robots_allows(robots, str_from("/robots.txt")));
    }
}

static void what_is_too_long_is_cut(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf text = buf_init(ROBOTS_SIZE_MAX + 100);
    (void)buf_put_text(&text, "User-agent: *\nDisallow: /");
    for (int i = 0; i < ROBOTS_PATTERN_MAX; i++) (void)buf_put_byte(&text, 'a');
    CLEANUP(robots_freep) struct robots *cut = robots_read(buf_str(&text), "tutti");
    assert_true(robots_allows(cut, str_from("/aaa")));
    assert_false(robots_allows(cut, str_slice(buf_str(&text), 24, text.len)));
    while (text.len < ROBOTS_SIZE_MAX) (void)buf_put_byte(&text, '\n');
    (void)buf_put_text(&text, "Disallow: /b\n");
    CLEANUP(robots_freep) struct robots *robots = robots_read(buf_str(&text), "tutti");
    assert_true(robots_allows(robots, str_from("/b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_pattern_decides),
        cmocka_unit_test(delays_are_bounded),
        cmocka_unit_test(a_missing_file_allows_all_and_a_broken_server_nothing),
        cmocka_unit_test(what_is_too_long_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
