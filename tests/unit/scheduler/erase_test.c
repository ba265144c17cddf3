#include "scheduler/run/erase.h"

#include "cmocka.h"

static void values_lose_their_contents(void **)
{
    static const struct {
        const char *text, *erased, *as_error;
    } rows[] = {
        {"\"secret\"", "\"\"", "\"\""},
        {"\"a \\\" b \\\\\"", "\"\"", "\"\""},
        {"12.5e3", "0", "0"},
        {"-1", "0", "0"},
        {"true", "false", "false"},
        {"null", "null", "null"},
        {"[]", "[]", "[]"},
        {"[1,\"x\",null,[true]]", "[0,\"\",null,[false]]", "[0,\"\",null,[false]]"},
        {"{\"a\":{\"b: c\":\"d\"},\"e\":[7]}", "{\"a\":{\"b: c\":\"\"},\"e\":[0]}",
         "{\"a\":{\"b: c\":\"\"},\"e\":[0]}"},
        {"{\"type\":\"t\",\"status\":503,\"detail\":\"Ann\"}",
         "{\"type\":\"\",\"status\":0,\"detail\":\"\"}",
         "{\"type\":\"t\",\"status\":503,\"detail\":\"\"}"},
        {"{\"data\":{\"type\":\"t\"},\"status\":[5]}", "{\"data\":{\"type\":\"\"},\"status\":[0]}",
         "{\"data\":{\"type\":\"\"},\"status\":[0]}"},
        {"[\"a\" , {\"k\" : \"v\"}]", "[\"\" , {\"k\" : \"\"}]", "[\"\" , {\"k\" : \"\"}]"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_done) struct buf out = buf_init(1'000);
        assert_int_equal(erase_json(str_from(rows[i].text), false, &out, NULL), STATUS_OK);
        assert_string_equal(out.ptr, rows[i].erased);
        buf_clear(&out);
        assert_int_equal(erase_json(str_from(rows[i].text), true, &out, NULL), STATUS_OK);
        assert_string_equal(out.ptr, rows[i].as_error);
    }
}

static void what_is_no_value_is_refused(void **)
{
    static const char *const rows[] = {"", "\"", "{", "[1", "nul", "\"a", "{\"a\"}", "1 2"};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_done) struct buf out = buf_init(1'000);
        assert_int_equal(erase_json(str_from(rows[i]), false, &out, NULL), STATUS_DATA_LOSS);
    }
    CLEANUP(buf_done) struct buf small = buf_init(3);
    assert_int_equal(erase_json(str_from("[1,2,3]"), false, &small, NULL),
                     STATUS_RESOURCE_EXHAUSTED);
}

static void damaged_entries_are_refused(void **)
{
    static const char *const rows[] = {"\x2a\x05\x08", "\x2a\x03\x22\x01x", "\xff"};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_done) struct buf out = buf_init(1'000);
        bytes entry                      = bytes_from(str_from(rows[i]));
        assert_int_equal(erase_entry(entry, &out, NULL), STATUS_DATA_LOSS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_lose_their_contents),
        cmocka_unit_test(what_is_no_value_is_refused),
        cmocka_unit_test(damaged_entries_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
