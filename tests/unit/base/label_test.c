#include "base/label.h"

#include "cmocka.h"

static void a_label_is_written_in_two_ways(void **)
{
    static const struct {
        const char *text, *key, *value; /* key NULL: it is none */
    } rows[] = {
        {"team=blue", "team", "blue"}, {"team:blue", "team", "blue"},
        {"team=", "team", ""},         {"team:", "team", ""},
        {"url=a:b=c", "url", "a:b=c"}, {"url:a=b:c", "url", "a=b:c"},
        {"team", NULL, NULL},          {"=blue", NULL, NULL},
        {":blue", NULL, NULL},         {"", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        str key   = {};
        str value = {};
        assert_int_equal(label_read(str_from(rows[i].text), &key, &value), rows[i].key != NULL);
        if (!rows[i].key) continue;
        assert_true(str_is(key, rows[i].key));
        assert_true(str_is(value, rows[i].value));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_label_is_written_in_two_ways)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
