#include "pii/pii_rule.h"

#include "json/json_text.h"

#include "cmocka.h"

static status read(const char *text, struct pii_rule *ret_rule, struct error *reterr)
{
    CLEANUP(json_unrefp) json tree = json_invalid();
    assert_int_equal(json_parse(str_from(text), NULL, &tree, NULL, NULL), STATUS_OK);
    status code   = pii_rule_read(tree, ret_rule, reterr);
    ret_rule->key = json_invalid(); /* a view of what goes now */
    return code;
}

static void test_rules_are_read(void **)
{
    struct pii_rule rule = {};
    struct error error   = {};
    assert_int_equal(read("{\"mode\":\"mask\"}", &rule, &error), STATUS_OK);
    assert_int_equal(rule.mode, PII_MASK);
    assert_int_equal(rule.kinds, PII_DEFAULT);
    assert_int_equal(read("{\"mode\":\"block\",\"kinds\":[\"itin\",\"card\"]}", &rule, &error),
                     STATUS_OK);
    assert_int_equal(rule.kinds, PII_BIT(PII_ITIN) | PII_BIT(PII_CARD));
    assert_int_equal(read("{\"mode\":\"hash\",\"key\":{\"secret\":\"k\"}}", &rule, &error),
                     STATUS_OK);
}

static void test_mistakes_are_named(void **)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"[]", "is a map with `mode`"},
        {"{}", "`mode` is one of allow, mask, hash, block"},
        {"{\"mode\":\"hide\"}", "`mode` is one of"},
        {"{\"mode\":\"mask\",\"types\":[]}", "`types` is not one of mode, kinds, key"},
        {"{\"mode\":\"mask\",\"kinds\":[]}", "`kinds` is a list of: email, phone"},
        {"{\"mode\":\"mask\",\"kinds\":[\"name\"]}", "`kinds` is a list of"},
        {"{\"mode\":\"mask\",\"kinds\":[1]}", "`kinds` is a list of"},
        {"{\"mode\":\"mask\",\"key\":{\"secret\":\"k\"}}", "belongs to `mode: hash`"},
        {"{\"mode\":\"hash\"}", "belongs to `mode: hash`"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pii_rule rule = {};
        struct error error   = {};
        assert_int_equal(read(rows[i].text, &rule, &error), STATUS_INVALID_ARGUMENT);
        assert_non_null(strstr(error.text, rows[i].says));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules_are_read),
        cmocka_unit_test(test_mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
