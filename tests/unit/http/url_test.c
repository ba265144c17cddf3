#include "http/url.h"

#include "cmocka.h"

#include "http/redact.h"

#include <stdio.h>

/* --- Percent-encoding ------------------------------------------------------------------------- */

static void encoding_follows_the_rfc(void **state)
{
    (void)state;
    static const struct {
        const char *text, *segment, *path;
    } rows[] = {
        {"", "", ""},
        {"aZ09-._~", "aZ09-._~", "aZ09-._~"},
        {"a b", "a%20b", "a%20b"},
        {"a/b", "a%2Fb", "a/b"},
        {":?#[]@!$&'()*+,;=%", "%3A%3F%23%5B%5D%40%21%24%26%27%28%29%2A%2B%2C%3B%3D%25",
         "%3A%3F%23%5B%5D%40%21%24%26%27%28%29%2A%2B%2C%3B%3D%25"},
        {"\xc3\xa4", "%C3%A4", "%C3%A4"},
        {"\x01\x7f", "%01%7F", "%01%7F"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_done) struct buf segment = buf_init(100);
        CLEANUP(buf_done) struct buf path    = buf_init(100);
        CLEANUP(buf_done) struct buf back    = buf_init(100);
        assert_true(url_encode(&segment, str_from(rows[i].text)));
        assert_true(url_encode_path(&path, str_from(rows[i].text)));
        assert_string_equal(buf_str(&segment).ptr, rows[i].segment);
        assert_string_equal(buf_str(&path).ptr, rows[i].path);
        assert_true(url_decode(&back, buf_str(&segment), false));
        assert_string_equal(buf_str(&back).ptr, rows[i].text);
    }
    CLEANUP(buf_done) struct buf small = buf_init(2);
    assert_false(url_encode(&small, str_from(" ")));
}

static void decoding_is_strict(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_query;
        const char *decoded; /* NULL: refused */
    } rows[] = {
        {"a+b", false, "a+b"}, {"a+b", true, "a b"}, {"%41%5a%5A", false, "AZZ"},
        {"%", false, NULL},    {"%4", false, NULL},  {"a%4", false, NULL},
        {"%4g", false, NULL},  {"%g4", false, NULL}, {"%%41", false, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_done) struct buf out = buf_init(100);
        bool is_read = url_decode(&out, str_from(rows[i].text), rows[i].is_query);
        assert_int_equal(is_read, rows[i].decoded != NULL);
        if (is_read) assert_string_equal(buf_str(&out).ptr, rows[i].decoded);
    }
}

static void queries_are_added(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf url = buf_init(100);
    assert_true(buf_put_text(&url, "https://h/p"));
    assert_true(url_add_query(&url, str_from("a"), str_from("1&2")));
    assert_true(url_add_query(&url, str_from("b c"), str_from("")));
    assert_string_equal(url.ptr, "https://h/p?a=1%262&b%20c=");
    buf_clear(&url);
    assert_true(buf_put_text(&url, "https://h/p?"));
    assert_true(url_add_query(&url, str_from("a"), str_from("1")));
    assert_string_equal(url.ptr, "https://h/p?a=1");
}

/* --- Templates -------------------------------------------------------------------------------- */

static status value_of(str name, str *ret_value, struct error *reterr, void *context)
{
    (void)context;
    if (str_is(name, "object")) return fail(reterr, STATUS_FAILED_PRECONDITION, "an object");
    *ret_value = str_from(str_is(name, "var")     ? "value"
                          : str_is(name, "hello") ? "Hello World!"
                                                  : "");
    return STATUS_OK;
}

static void templates_expand(void **state)
{
    (void)state;
    static const struct {
        const char *template, *expected;
        status code;
    } rows[] = {
        {"", "", STATUS_OK},
        {"{var}", "value", STATUS_OK}, /* RFC 6570, section 1.2, level 1 */
        {"{hello}", "Hello%20World%21", STATUS_OK},
        {"https://h/{var}/x/{hello}?q={missing}",
         "https://h/value/x/Hello%20World%21?q=", STATUS_OK},
        {"{a.b}", "", STATUS_OK},
        {"{", NULL, STATUS_INVALID_ARGUMENT},
        {"a{var", NULL, STATUS_INVALID_ARGUMENT},
        {"a}b", NULL, STATUS_INVALID_ARGUMENT},
        {"{}", NULL, STATUS_INVALID_ARGUMENT},
        {"{+var}", NULL, STATUS_INVALID_ARGUMENT},
        {"{#var}", NULL, STATUS_INVALID_ARGUMENT},
        {"{var*}", NULL, STATUS_INVALID_ARGUMENT},
        {"{a,b}", NULL, STATUS_INVALID_ARGUMENT},
        {"{a{b}}", NULL, STATUS_INVALID_ARGUMENT},
        {"{.a}", NULL, STATUS_INVALID_ARGUMENT},
        {"{object}", NULL, STATUS_FAILED_PRECONDITION},
        {"{hello}{hello}{hello}{hello}{hello}{hello}{hello}", NULL, STATUS_RESOURCE_EXHAUSTED},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_done) struct buf out = buf_init(100);
        struct error error               = {};
        assert_int_equal(url_expand(str_from(rows[i].template), value_of, NULL, &out, &error),
                         rows[i].code);
        if (rows[i].expected) assert_string_equal(buf_str(&out).ptr, rows[i].expected);
        assert_int_equal(error.text[0] == '\0', rows[i].code == STATUS_OK);
    }
}

/* --- Parts ------------------------------------------------------------------------------------ */

static void assert_part(str part, const char *expected)
{
    assert_int_equal(part.len, strlen(expected));
    if (part.len > 0) assert_memory_equal(part.ptr, expected, part.len);
}

static void urls_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *url, *user_info, *host;
        uint16_t port;
        const char *path, *query, *fragment;
    } rows[] = {
        {"https://example.com", "", "example.com", 443, "", "", ""},
        {"HTTP://h/p?q#f", "", "h", 80, "/p", "q", "f"},
        {"https://h:8443?q=/a?b", "", "h", 8443, "", "q=/a?b", ""},
        {"https://h#f?x", "", "h", 443, "", "", "f?x"},
        {"https://u:p@h@real:1/", "u:p@h", "real", 1, "/", "", ""},
        {"http://[::1]:80/x", "", "::1", 80, "/x", "", ""},
        {"http://[::ffff:1.2.3.4]", "", "::ffff:1.2.3.4", 80, "", "", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct url parts;
        assert_true(url_parse(str_from(rows[i].url), &parts));
        assert_part(parts.user_info, rows[i].user_info);
        assert_part(parts.host, rows[i].host);
        assert_int_equal(parts.port, rows[i].port);
        assert_part(parts.path, rows[i].path);
        assert_part(parts.query, rows[i].query);
        assert_part(parts.fragment, rows[i].fragment);
    }
    static const char *const refused[] = {
        "",
        "h",
        "//h/",
        "ftp://h/",
        "https:/h",
        "https:h",
        "https://",
        "https:///p",
        "https://h:/",
        "https://h:0/",
        "https://h:65536/",
        "https://h:8a/",
        "https://[::1",
        "https://[::1]x/",
        "https://[g]/",
        "https://a b/",
        "https://h/\n",
        "https://h/\x80",
        "https://h\\@x/",
        "https://:80/",
        "https://h%00/",
    };
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct url parts;
        assert_false(url_parse(str_from(refused[i]), &parts));
    }
}

static void origins_are_compared(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool same;
        const char *origin; /* of a */
    } rows[] = {
        {"https://h/a", "https://H:443/b?c", true, "https://h:443"},
        {"http://h/a", "https://h/a", false, "http://h:80"},
        {"https://h/a", "https://h:444/a", false, "https://h:443"},
        {"https://h/a", "https://h.h/a", false, "https://h:443"},
        {"http://u:p@[::1]:8080/a?secret", "http://[::1]:8080", true, "http://[::1]:8080"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct url a;
        struct url b;
        assert_true(url_parse(str_from(rows[i].a), &a));
        assert_true(url_parse(str_from(rows[i].b), &b));
        assert_int_equal(url_same_origin(&a, &b), rows[i].same);
        CLEANUP(buf_done) struct buf origin = buf_init(100);
        assert_true(url_put_origin(&origin, &a));
        assert_string_equal(origin.ptr, rows[i].origin);
    }
}

/* --- Redacting -------------------------------------------------------------------------------- */

static void secrets_disappear(void **state)
{
    (void)state;
    const str secrets[] = {str_from("s3cret/+key"), str_from("s3cret"), str_from("abc")};
    static const struct {
        const char *text, *expected;
    } rows[] = {
        {"", ""},
        {"nothing here", "nothing here"},
        {"Bearer s3cret/+key!", "Bearer ***!"}, /* the longer one wins */
        {"s3crets3cret", "******"},
        {"s3cre", "s3cre"},
        {"?key=s3cret%2F%2Bkey&", "?key=***&"},
        {"Basic czNjcmV0LytrZXk=", "Basic ***="},
        {"abc", "abc"}, /* too short to be looked for */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_done) struct buf out = buf_init(100);
        assert_true(redact_text(&out, str_from(rows[i].text), secrets, ARRAY_LEN(secrets)));
        assert_string_equal(buf_str(&out).ptr, rows[i].expected);
    }
    CLEANUP(buf_done) struct buf small = buf_init(3);
    assert_false(redact_text(&small, str_from("four"), secrets, ARRAY_LEN(secrets)));
}

static void urls_lose_their_values(void **state)
{
    (void)state;
    static const struct {
        const char *url, *expected;
    } rows[] = {
        {"https://h/p", "https://h:443/p"},
        {"https://u:p@h/p?key=1&b=&flag#frag", "https://h:443/p?key=***&b=***&***"},
        {"no url", "***"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_done) struct buf out = buf_init(100);
        assert_true(redact_url(&out, str_from(rows[i].url)));
        assert_string_equal(buf_str(&out).ptr, rows[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encoding_follows_the_rfc), cmocka_unit_test(decoding_is_strict),
        cmocka_unit_test(queries_are_added),        cmocka_unit_test(templates_expand),
        cmocka_unit_test(urls_are_taken_apart),     cmocka_unit_test(origins_are_compared),
        cmocka_unit_test(secrets_disappear),        cmocka_unit_test(urls_lose_their_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
