#include "auth/namespace.h"

#include "cmocka.h"

static void names_have_a_form(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool is_valid;
    } rows[] = {
        {"a", true},
        {"default", true},
        {"team-7", true},
        {"7", true},
        {"a--b", true},
        {"", false},
        {"*", false},
        {"-a", false},
        {"a-", false},
        {"A", false},
        {"a.b", false},
        {"a b", false},
        {"a/b", false},
        {"a_b", false},
        {"\xc3\xa4", false},
        {"abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabc", true},   /* 63 */
        {"abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcd", false}, /* 64 */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(namespace_is_valid(str_from(rows[i].name)), rows[i].is_valid);
    }
}

static void other_tenants_do_not_exist(void **state)
{
    (void)state;
    assert_true(namespace_reaches(str_from("a"), str_from("a")));
    assert_false(namespace_reaches(str_from("a"), str_from("b")));
    assert_false(namespace_reaches(str_from("a"), str_from("ab")));
    assert_true(namespace_reaches(str_from("*"), str_from("b")));
}

static void assert_text(str text, const char *expected)
{
    assert_int_equal(text.len, strlen(expected));
    if (text.len > 0) assert_memory_equal(text.ptr, expected, text.len);
}

static void workflow_names_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text, *namespace, *name, *version;
    } rows[] = {
        {"review", "", "review", ""},
        {"review:1.2.0-rc.1+b", "", "review", "1.2.0-rc.1+b"},
        {"acme/review", "acme", "review", ""},
        {"acme/review:2", "acme", "review", "2"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct workflow_reference name;
        assert_true(workflow_reference_parse(str_from(rows[i].text), &name));
        assert_text(name.namespace, rows[i].namespace);
        assert_text(name.name, rows[i].name);
        assert_text(name.version, rows[i].version);
    }
    static const char *const refused[] = {"",      "/review", "acme/", "review:", "a/b/c",
                                          "a:b:c", "A/b",     "a/B",   "*/b",     "review:1 ",
                                          "a b",   ":1",      "a:1/b", "a/b:",    "a/b:1/"};
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct workflow_reference name;
        assert_false(workflow_reference_parse(str_from(refused[i]), &name));
    }
}

static void starts_find_their_namespace(void **state)
{
    (void)state;
    static const struct {
        const char *scope, *workflow;
        status code;
        const char *namespace;
    } rows[] = {
        {"a", "review", STATUS_OK, "a"},         {"a", "a/review", STATUS_OK, "a"},
        {"a", "b/review", STATUS_NOT_FOUND, ""}, {"*", "review:1", STATUS_OK, "default"},
        {"*", "b/review", STATUS_OK, "b"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct workflow_reference name;
        struct error error = {};
        str namespace      = {};
        assert_true(workflow_reference_parse(str_from(rows[i].workflow), &name));
        assert_int_equal(namespace_of_start(str_from(rows[i].scope), &name, &namespace, &error),
                         rows[i].code);
        assert_text(namespace, rows[i].namespace);
    }
}

static void documents_belong_to_the_request(void **state)
{
    (void)state;
    static const struct {
        const char *scope, *document;
        status code;
    } rows[] = {
        {"a", "a", STATUS_OK},
        {"*", "b", STATUS_OK},
        {"a", "b", STATUS_INVALID_ARGUMENT},
        {"*", "B", STATUS_INVALID_ARGUMENT},
        {"*", "", STATUS_INVALID_ARGUMENT},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct error error = {};
        str namespace      = {};
        assert_int_equal(namespace_of_document(str_from(rows[i].scope), str_from(rows[i].document),
                                               &namespace, &error),
                         rows[i].code);
        if (rows[i].code == STATUS_OK) {
            assert_text(namespace, rows[i].document);
        } else {
            assert_string_equal(error.code, "namespace_mismatch");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_have_a_form),
        cmocka_unit_test(other_tenants_do_not_exist),
        cmocka_unit_test(workflow_names_are_taken_apart),
        cmocka_unit_test(starts_find_their_namespace),
        cmocka_unit_test(documents_belong_to_the_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
