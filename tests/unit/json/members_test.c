/* Members as they are spelled, and texts that are no objects. */
#include "json/json_members.h"

#include "json/json_text.h"

#include "cmocka.h"

static void each_value_is_found(void **)
{
    static const struct {
        const char *text;
        const char *values[5]; /* up to NULL */
    } rows[] = {
        {"{}", {}},
        {" {\n} ", {}},
        {"{\"a\":1}", {"1"}},
        {" { \"a\" : 1.0 , \"b\":-1E2\t}", {"1.0", "-1E2"}},
        {"{\"a\":\"x\\\"}\\\\\",\"b\":null}", {"\"x\\\"}\\\\\"", "null"}},
        {"{\"\\\"k\\u0000\":[1, {\"x\":\"]\"}],\"b\":{\"c\":{}},\"d\":true}",
         {"[1, {\"x\":\"]\"}]", "{\"c\":{}}", "true"}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        str text                       = str_from(rows[i].text);
        CLEANUP(json_unrefp) json body = json_invalid();
        size_t cursor                  = 0;
        size_t count                   = 0;
        str value                      = {};
        assert_int_equal(json_parse(text, NULL, &body, NULL, NULL), STATUS_OK);
        while (json_members_next(text, &cursor, &value)) {
            assert_non_null(rows[i].values[count]);
            assert_true(str_is(value, rows[i].values[count++]));
        }
        assert_int_equal(count, json_count(body));
    }
}

static void what_is_no_object_ends(void **)
{
    static const char *const texts[] = {"",        " ",          "[1]",
                                        "1",       "{",          "{,",
                                        "{\"a",    "{\"a\\",     "{\"a\"",
                                        "{\"a\":", "{\"a\":}",   "{a:1}",
                                        "{1:1}",   "{\"a\":\"x", "{\"a\":[{\"b\":1"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        str text      = str_from(texts[i]);
        size_t cursor = 0;
        str value     = {};
        for (size_t n = 0; json_members_next(text, &cursor, &value); n++) {
            assert_true(n < text.len && cursor <= text.len);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_value_is_found),
        cmocka_unit_test(what_is_no_object_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
