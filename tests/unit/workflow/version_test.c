/* Semantic versions: which texts are one, and their order. */
#include "workflow/version.h"

#include "cmocka.h"

static const struct {
    const char *text;
    bool is_valid;
} texts[] = {
    {"1.2.3", true},
    {"0.0.0", true},
    {"10.20.30", true},
    {"1.0.0-alpha", true},
    {"1.0.0-alpha.1", true},
    {"1.0.0-0.3.7", true},
    {"1.0.0-x-y-z.-", true},
    {"1.0.0+build.01", true},
    {"1.0.0-rc.1+b-1", true},
    {"1.0.0+a-b", true},
    {"1.0.0-0a", true},
    {"99999999999999999999.0.0", true},
    {"", false},
    {"1", false},
    {"1.0", false},
    {"1.0.0.0", false},
    {"v1.0.0", false},
    {"01.0.0", false},
    {"1.00.0", false},
    {"1.0.0-", false},
    {"1.0.0-a..b", false},
    {"1.0.0-01", false},
    {"1.0.0+", false},
    {"1.0.0+a+b", false},
    {"1.0.0 ", false},
    {"1..0", false},
    {"1.0.0-a_b", false},
    {"-1.0.0", false},
    {"1.0.-1", false},
};

static void says_what_is_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (version_is_valid(str_from(texts[i].text)) != texts[i].is_valid) {
            fail_msg("%s", texts[i].text);
        }
    }
}

/* In ascending order: the example of semver.org, and numbers that are no texts. */
static const char *const ordered[] = {
    "0.9.10",     "1.0.0-alpha",  "1.0.0-alpha.1", "1.0.0-alpha.beta",
    "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",
    "1.0.0",      "1.0.1",        "1.2.0",         "1.10.0",
    "2.0.0-1",    "2.0.0",        "10.0.0",
};

static void orders_every_pair(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ordered); i++) {
        for (size_t k = 0; k < ARRAY_LEN(ordered); k++) {
            int order  = version_compare(str_from(ordered[i]), str_from(ordered[k]));
            int wanted = (i > k) - (i < k);
            if (order != wanted) fail_msg("%s and %s: %d", ordered[i], ordered[k], order);
        }
    }
}

static void a_build_does_not_count(void **state)
{
    (void)state;
    assert_int_equal(version_compare(str_from("1.0.0+a"), str_from("1.0.0+b-2")), 0);
    assert_int_equal(version_compare(str_from("1.0.0-rc+a"), str_from("1.0.0-rc")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_is_one),
        cmocka_unit_test(orders_every_pair),
        cmocka_unit_test(a_build_does_not_count),
    };
    return cmocka_run_group_tests_name("version", tests, NULL, NULL);
}
