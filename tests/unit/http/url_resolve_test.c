#include "http/url.h"

#include "cmocka.h"

/* The examples of RFC 3986, section 5.4, and what browsers make of untidy ones. */
static void references_become_absolute(void **state)
{
    (void)state;
    static const char rfc[] = "http://a/b/c/d;p?q";
    static const struct {
        const char *base, *reference, *resolved;
    } rows[] = {
        {rfc, "g:h", "g:h"},
        {rfc, "g", "http://a/b/c/g"},
        {rfc, "./g", "http://a/b/c/g"},
        {rfc, "g/", "http://a/b/c/g/"},
        {rfc, "/g", "http://a/g"},
        {rfc, "//g", "http://g"},
        {rfc, "?y", "http://a/b/c/d;p?y"},
        {rfc, "g?y", "http://a/b/c/g?y"},
        {rfc, "#s", "http://a/b/c/d;p?q#s"},
        {rfc, "g#s", "http://a/b/c/g#s"},
        {rfc, "g?y#s", "http://a/b/c/g?y#s"},
        {rfc, ";x", "http://a/b/c/;x"},
        {rfc, "", "http://a/b/c/d;p?q"},
        {rfc, ".", "http://a/b/c/"},
        {rfc, "./", "http://a/b/c/"},
        {rfc, "..", "http://a/b/"},
        {rfc, "../", "http://a/b/"},
        {rfc, "../g", "http://a/b/g"},
        {rfc, "../..", "http://a/"},
        {rfc, "../../g", "http://a/g"},
        {rfc, "../../../g", "http://a/g"},
        {rfc, "/./g", "http://a/g"},
        {rfc, "/../g", "http://a/g"},
        {rfc, "g.", "http://a/b/c/g."},
        {rfc, "..g", "http://a/b/c/..g"},
        {rfc, "./../g", "http://a/b/g"},
        {rfc, "g/../h", "http://a/b/c/h"},
        {rfc, "g;x=1/../y", "http://a/b/c/y"},
        {rfc, "g?y/../x", "http://a/b/c/g?y/../x"},
        {"https://a.test", "x", "https://a.test/x"},
        {"https://a.test:8443/a/b", "../x", "https://a.test:8443/x"},
        {"https://me:secret@a.test/", "x", "https://a.test/x"},
        {"http://[::1]:80/a", "b", "http://[::1]/b"},
        {"https://a.test/", " \n a b\xc3\xa4\t ", "https://a.test/a%20b%C3%A4"},
        {"https://a.test/", "mailto:x@y.test", "mailto:x@y.test"},
        {"https://a.test/", "//b.test/x/../y?z", "https://b.test/y?z"},
        {"ftp://a.test/", "x", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_done) struct buf out = buf_init(1000);
        bool is_resolved = url_resolve(str_from(rows[i].base), str_from(rows[i].reference), &out);
        assert_int_equal(is_resolved, rows[i].resolved != NULL);
        if (is_resolved) assert_string_equal(buf_str(&out).ptr, rows[i].resolved);
    }
    CLEANUP(buf_done) struct buf small = buf_init(5);
    assert_false(url_resolve(str_from(rfc), str_from("g"), &small));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(references_become_absolute)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
