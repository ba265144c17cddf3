#include "auth/role.h"

#include "cmocka.h"

struct row {
    const char *name;
    unsigned roles;
    const char *letters;
    bool is_allowed;
};

/* clang-format off */
static const struct row rows[] = {
    {"a viewer reads",                        ROLE_VIEWER,                 "V",  true},
    {"a viewer starts nothing",               ROLE_VIEWER,                 "D",  false},
    {"a developer reads",                     ROLE_DEVELOPER,              "V",  true},
    {"a developer does not operate",          ROLE_DEVELOPER,              "O",  false},
    {"an operator starts",                    ROLE_OPERATOR,               "D",  true},
    {"an operator does not approve",          ROLE_OPERATOR,               "A",  false},
    {"an approver reads",                     ROLE_APPROVER,               "V",  true},
    {"a worker does not read",                ROLE_WORKER,                 "V",  false},
    {"a model client calls models",           ROLE_MODEL_CLIENT,           "LD", true},
    {"a developer calls models",              ROLE_DEVELOPER,              "LD", true},
    {"a model client does nothing else",      ROLE_MODEL_CLIENT,           "VDOAWX", false},
    {"roles add up",                          ROLE_WORKER | ROLE_APPROVER, "A",  true},
    {"an admin does everything",              ROLE_ADMIN,                  "W",  true},
    {"only an admin does what is an admin's", ROLE_OPERATOR | ROLE_APPROVER | ROLE_WORKER, "X", false},
    {"no role, no right",                     0,                           "V",  false},
};
/* clang-format on */

static void check(void **state)
{
    const struct row *row = *state;
    assert_int_equal(role_allows(row->roles, row->letters), row->is_allowed);
}

static void names_read_back(void **)
{
    for (unsigned bit = ROLE_VIEWER; bit <= ROLE_ADMIN; bit <<= 1) {
        enum role role = 0;
        assert_true(role_parse(str_from(role_name((enum role)bit)), &role));
        assert_int_equal(role, bit);
    }
    enum role role = 0;
    assert_false(role_parse(str_from("root"), &role));
}

static void a_key_stays_in_its_namespace(void **)
{
    str result = {};
    assert_true(namespace_of_request(str_from("seo"), str_from(""), &result));
    assert_true(str_is(result, "seo"));
    assert_true(namespace_of_request(str_from("seo"), str_from("seo"), &result));
    assert_false(namespace_of_request(str_from("seo"), str_from("crm"), &result));
    assert_true(namespace_of_request(str_from("*"), str_from("crm"), &result));
    assert_true(str_is(result, "crm"));
    assert_false(namespace_of_request(str_from("*"), str_from("No Name"), &result));
    assert_true(namespace_of_request(str_from("*"), str_from(""), &result));
    assert_true(str_is(result, "*"));
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows) + 2];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) tests[i] = row_test(rows[i].name, check, &rows[i]);
    tests[ARRAY_LEN(rows)]     = (struct CMUnitTest)cmocka_unit_test(names_read_back);
    tests[ARRAY_LEN(rows) + 1] = (struct CMUnitTest)cmocka_unit_test(a_key_stays_in_its_namespace);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
