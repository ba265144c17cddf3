/* Where a function of a catalog is, and the raw form of pages. */
#include "cmocka.h"
#include "workflow/catalog_url.h"

#include <string.h>

struct row {
    const char *name, *url, *raw, *function; /* function: of the catalog there; NULL: not asked */
};

#define F "/functions/log/1.0.0/function.yaml"

static const struct row rows[] = {
    {"anywhere", "https://a.test/c", "https://a.test/c", "https://a.test/c" F},
    {"with a slash", "https://a.test/c/", "https://a.test/c/", "https://a.test/c" F},
    {"with a query", "https://a.test/c?x=1", "https://a.test/c?x=1", "https://a.test/c" F},
    {"a repository", "https://github.com/o/r", "https://github.com/o/r",
     "https://raw.githubusercontent.com/o/r/HEAD" F},
    {"a repository to clone", "https://github.com/o/r.git", "https://github.com/o/r.git",
     "https://raw.githubusercontent.com/o/r/HEAD" F},
    {"a branch", "https://github.com/o/r/tree/main/", "https://raw.githubusercontent.com/o/r/main",
     "https://raw.githubusercontent.com/o/r/main" F},
    {"a folder of a branch", "https://github.com/o/r/tree/refs/heads/a/b/c",
     "https://raw.githubusercontent.com/o/r/refs/heads/a/b/c",
     "https://raw.githubusercontent.com/o/r/refs/heads/a/b/c" F},
    {"a file", "https://github.com/o/r/blob/v1/log.yaml?plain=1#L3",
     "https://raw.githubusercontent.com/o/r/v1/log.yaml", NULL},
    {"the button `raw`", "https://github.com/o/r/raw/v1/log.yaml",
     "https://raw.githubusercontent.com/o/r/v1/log.yaml", NULL},
    {"another page", "https://github.com/o/r/issues/3", "https://github.com/o/r/issues/3", NULL},
    {"a person", "https://github.com/o", "https://github.com/o", "https://github.com/o" F},
    {"raw already", "https://raw.githubusercontent.com/o/r/main/x.yaml",
     "https://raw.githubusercontent.com/o/r/main/x.yaml", NULL},
    {"a project", "https://gitlab.com/g/s/p", "https://gitlab.com/g/s/p",
     "https://gitlab.com/g/s/p/-/raw/HEAD" F},
    {"a branch of it", "https://gitlab.com/g/p/-/tree/main/x",
     "https://gitlab.com/g/p/-/raw/main/x", "https://gitlab.com/g/p/-/raw/main/x" F},
    {"a file of it", "https://gitlab.com/g/p/-/blob/main/x.yaml?ref_type=heads",
     "https://gitlab.com/g/p/-/raw/main/x.yaml", NULL},
    {"another page of it", "https://gitlab.com/g/p/-/issues", "https://gitlab.com/g/p/-/issues",
     "https://gitlab.com/g/p/-/issues" F},
    {"one's own GitLab", "https://git.acme.test/g/p/-/tree/main",
     "https://git.acme.test/g/p/-/raw/main", "https://git.acme.test/g/p/-/raw/main" F},
};

static void check_row(void **state)
{
    const struct row *row          = *state;
    CLEANUP(buf_done) struct buf b = buf_init(512);
    assert_true(catalog_raw_url(str_from(row->url), &b));
    assert_string_equal(b.ptr, row->raw);
    if (!row->function) return;
    buf_clear(&b);
    assert_true(catalog_function_url(str_from(row->url), str_from("log"), str_from("1.0.0"), &b));
    assert_string_equal(b.ptr, row->function);
}

static void names(void **)
{
    static const struct {
        const char *url, *name;
    } cases[] = {
        {"https://a.test/functions/log/1.0.0/function.yaml", "log"},
        {"https://a.test/log/function.json", "log"},
        {"https://a.test/x/say-hello.yaml?a=b", "say-hello"},
        {"https://a.test/function.yaml", "function"},
        {"https://a.test/", "function"},
        {"file:///log.yaml", "function"},
        {"file:///tmp/log.yaml", "log"},
        {"https://a.test/1.0.0/function.yaml", "function"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        str name = catalog_function_name(str_from(cases[i].url));
        if (!str_is(name, cases[i].name)) {
            fail_msg("%s: %.*s", cases[i].url, (int)name.len, name.ptr);
        }
    }
}

static void what_does_not_fit(void **)
{
    CLEANUP(buf_done) struct buf b = buf_init(8);
    assert_false(catalog_raw_url(str_from("https://a.test/c"), &b));
    assert_false(
        catalog_function_url(str_from("https://a.test"), str_from("a"), str_from("1"), &b));
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows) + 2];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[i] = row_test(rows[i].name, check_row, &rows[i]);
    }
    tests[ARRAY_LEN(rows)]     = (struct CMUnitTest)cmocka_unit_test(names);
    tests[ARRAY_LEN(rows) + 1] = (struct CMUnitTest)cmocka_unit_test(what_does_not_fit);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
