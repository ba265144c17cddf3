/* json_parse() and json_print(): one row is one document and what becomes of it. */
#include "json/json.h"
#include "json/json_text.h"

#include "cmocka.h"

#include <string.h>

enum { OUT_MAX = 1 << 20 }; /* bytes */

static const struct row {
    const char *text;
    const char *printed; /* NULL: refused */
    uint32_t line;
    uint32_t column;
} rows[] = {
    {"null", "null", 0, 0},
    {" [ true , false ] ", "[true,false]", 0, 0},
    {"{\"b\":1,\"a\":{}}", "{\"b\":1,\"a\":{}}", 0, 0},
    {"\"\\u0041\\ud83d\\ude00\\n\\\"\\/\"", "\"A\xf0\x9f\x98\x80\\n\\\"/\"", 0, 0},
    {"\"\\u0000\\u007f\"", "\"\\u0000\\u007f\"", 0, 0},
    {"\"12345678\\t90123456789\\u00e9abcdefghijk\"",
     "\"12345678\\t90123456789\xc3\xa9"
     "abcdefghijk\"",
     0, 0},
    {"9223372036854775807", "9223372036854775807", 0, 0},
    {"-9223372036854775808", "-9223372036854775808", 0, 0},
    {"9223372036854775808", "9223372036854776000", 0, 0},
    {"9007199254740993", "9007199254740993", 0, 0},
    {"0", "0", 0, 0},
    {"-0", "-0", 0, 0},
    {"-0.0", "-0", 0, 0},
    {"1.0", "1", 0, 0},
    {"1e2", "100", 0, 0},
    {"0.1", "0.1", 0, 0},
    {"0.30000000000000004", "0.30000000000000004", 0, 0},
    {"1e16", "10000000000000000", 0, 0},
    {"1e17", "1e+17", 0, 0},
    {"1.5e300", "1.5e+300", 0, 0},
    {"0.0001", "0.0001", 0, 0},
    {"0.00001", "1e-05", 0, 0},
    {"5e-324", "5e-324", 0, 0},
    {"5.684341886080802e-14", "5.684341886080802e-14", 0, 0}, /* 2^-44: not the nearest of 16 */
    {"2.2250738585072014e-308", "2.2250738585072014e-308", 0, 0},
    {"1e400", "1.7976931348623157e+308", 0, 0},
    {"-1e400", "-1.7976931348623157e+308", 0, 0},
    {"1e-400", "0", 0, 0},
    {"", NULL, 1, 1},
    {"[1,", NULL, 1, 4},
    {"[1,]", NULL, 1, 4},
    {"[1 2]", NULL, 1, 4},
    {"{\"a\":1,}", NULL, 1, 8},
    {"{\"a\" 1}", NULL, 1, 6},
    {"{a:1}", NULL, 1, 2},
    {"{\"a\":1,\"a\":2}", NULL, 1, 13},
    {"\n\n  nul", NULL, 3, 3},
    {"01", NULL, 1, 2},
    {"1.", NULL, 1, 3},
    {"-", NULL, 1, 2},
    {"1e+", NULL, 1, 4},
    {"\"a", NULL, 1, 3},
    {"\"a\\", NULL, 1, 4},
    {"\"\\x\"", NULL, 1, 2},
    {"\"\\ud800\"", NULL, 1, 2},
    {"\"\\udc00\\ud800\"", NULL, 1, 2},
    {"\"\\u12g4\"", NULL, 1, 2},
    {"\"a\tb\"", NULL, 1, 3},
    {"\"a\\nb\nc\"", NULL, 1, 6},
    {"\"\xff\"", NULL, 1, 2},
    {"\xef\xbb\xbf"
     "1",
     NULL, 1, 1},
    {"1 1", NULL, 1, 3},
    {"NaN", NULL, 1, 1},
    {"// a\n1", NULL, 1, 1},
};

static void check(void **state)
{
    const struct row *row   = *state;
    json value              = json_invalid();
    struct json_fault fault = {};
    struct error error      = {};
    status code             = json_parse(str_from(row->text), NULL, &value, &fault, &error);
    if (!row->printed) {
        assert_int_equal(code, STATUS_INVALID_ARGUMENT);
        assert_string_equal(error.code, "invalid_json");
        assert_int_equal(fault.line, row->line);
        assert_int_equal(fault.column, row->column);
        assert_int_equal(value.kind, JSON_INVALID);
        return;
    }
    if (code != STATUS_OK) fail_msg("%s", error.text);
    CLEANUP(buf_done) struct buf out = buf_init(OUT_MAX);
    assert_true(json_print(value, JSON_COMPACT, &out));
    assert_string_equal(out.ptr, row->printed);
    json_unref(value);
}

static json parsed_with(const char *text, const struct json_limits *limits)
{
    json value         = json_invalid();
    struct error error = {};
    if (json_parse(str_from(text), limits, &value, NULL, &error) != STATUS_OK) {
        fail_msg("%s", error.text);
    }
    return value;
}

static void assert_prints(json value, enum json_style style, const char *expected)
{
    CLEANUP(buf_done) struct buf out = buf_init(OUT_MAX);
    assert_true(json_print(value, style, &out));
    assert_string_equal(out.ptr, expected);
}

static void the_last_of_allowed_duplicates_counts(void **state)
{
    (void)state;
    const struct json_limits limits = {.allow_duplicate_keys = true};
    CLEANUP(json_unrefp) json value = parsed_with("{\"a\":1,\"b\":2,\"a\":[3]}", &limits);
    assert_prints(value, JSON_COMPACT, "{\"a\":[3],\"b\":2}");
}

static void lone_surrogates_may_be_replaced(void **state)
{
    (void)state;
    const struct json_limits limits = {.replace_lone_surrogates = true};
    CLEANUP(json_unrefp)
    json value = parsed_with("\"\\ud800x\\udc00\\ud800\\ud83d\\ude00\"", &limits);
    assert_prints(value, JSON_COMPACT, "\"\xef\xbf\xbdx\xef\xbf\xbd\xef\xbf\xbd\xf0\x9f\x98\x80\"");
}

static void nan_may_be_read_and_prints_as_null(void **state)
{
    (void)state;
    const struct json_limits limits = {.allow_nan = true};
    CLEANUP(json_unrefp) json value = parsed_with("[nan,NaN,-NaN,Infinity,-Infinity,-1]", &limits);
    assert_prints(value, JSON_COMPACT,
                  "[null,null,null,1.7976931348623157e+308,-1.7976931348623157e+308,-1]");
}

static void depth_is_limited(void **state)
{
    (void)state;
    char text[2 * 65 + 1] = {};
    for (size_t depth = 64; depth <= 65; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        text[2 * depth] = '\0';
        json value      = json_null();
        status code     = json_parse(str_from(text), NULL, &value, NULL, NULL);
        assert_int_equal(code, depth == 64 ? STATUS_OK : STATUS_RESOURCE_EXHAUSTED);
        json_unref(value);
    }
}

static void values_are_limited(void **state)
{
    (void)state;
    const struct json_limits limits = {.values_max = 4};
    CLEANUP(json_unrefp) json value = parsed_with("[1,2,{}]", &limits);
    json more                       = json_null();
    assert_int_equal(json_count(value), 3);
    assert_int_equal(json_parse(str_from("[1,2,{},4]"), &limits, &more, NULL, NULL),
                     STATUS_RESOURCE_EXHAUSTED);
}

static void memory_is_limited(void **state)
{
    (void)state;
    struct json_meter meter   = {.limit = 500};
    struct json_meter *before = json_meter_enter(&meter);
    json value                = json_null();
    assert_int_equal(json_parse(str_from("[[1,2,3,4,5,6,7,8,9,10],[1,2,3,4,5,6,7,8,9,10],[1,2,3,4,"
                                         "5,6,7,8,9,10],[1,2,3,4,5,6,7,8,9,10,11],[]]"),
                                NULL, &value, NULL, NULL),
                     STATUS_RESOURCE_EXHAUSTED);
    (void)json_meter_enter(before);
    assert_true(meter.is_exceeded);
    assert_int_equal(meter.used, 0);
}

static void deep_documents_need_no_stack(void **state)
{
    (void)state;
    enum { DEPTH = 200'000 };
    const struct json_limits limits   = {.depth_max = DEPTH, .values_max = DEPTH};
    CLEANUP(buf_done) struct buf text = buf_init(12 * DEPTH);
    for (int i = 0; i < DEPTH / 2; i++) (void)buf_put_text(&text, "[{\"a\":");
    text.len -= 4; /* the innermost object is empty */
    for (int i = 0; i < DEPTH / 2; i++) (void)buf_put_text(&text, "}]");

    json a = json_null();
    json b = json_null();
    assert_int_equal(json_parse(buf_str(&text), &limits, &a, NULL, NULL), STATUS_OK);
    assert_int_equal(json_parse(buf_str(&text), &limits, &b, NULL, NULL), STATUS_OK);
    assert_true(json_equal(a, b));
    assert_int_equal(json_compare(a, b), 0);
    CLEANUP(buf_done) struct buf out = buf_init(12 * DEPTH);
    assert_true(json_print(a, JSON_SORTED, &out));
    assert_true(str_equal(buf_str(&text), buf_str(&out)));
    json_unref(a);
    json_thaw_and_free(json_freeze(b));
}

static void styles(void **state)
{
    (void)state;
    CLEANUP(json_unrefp)
    json value = parsed_with("{\"b\":[1,[],{}],\"a\":{\"\xc3\xa9\":1,\"z\":2,\"\":3}}", NULL);
    assert_prints(value, JSON_SORTED, "{\"a\":{\"\":3,\"z\":2,\"\xc3\xa9\":1},\"b\":[1,[],{}]}");
    assert_prints(value, JSON_PRETTY,
                  "{\n  \"b\": [\n    1,\n    [],\n    {}\n  ],\n  \"a\": {\n    \"\xc3\xa9\": 1,\n"
                  "    \"z\": 2,\n    \"\": 3\n  }\n}");
}

static void a_full_buffer_says_so(void **state)
{
    (void)state;
    CLEANUP(json_unrefp) json value = parsed_with("[1,2,3]", NULL);
    for (size_t size = 0; size < 7; size++) {
        CLEANUP(buf_done) struct buf out = buf_init(size);
        assert_false(json_print(value, JSON_COMPACT, &out));
    }
    CLEANUP(buf_done) struct buf out = buf_init(7);
    assert_true(json_print(value, JSON_COMPACT, &out));
}

static void text_beyond_the_meter_is_no_value(void **state)
{
    (void)state;
    CLEANUP(json_unrefp) json value = parsed_with("[1,2,3]", NULL);
    struct json_meter meter         = {.limit = 6};
    struct json_meter *before       = json_meter_enter(&meter);
    assert_int_equal(json_to_text_new(value).kind, JSON_INVALID);
    (void)json_meter_enter(before);
    assert_true(meter.is_exceeded);
    CLEANUP(json_unrefp) json text = json_to_text_new(value);
    assert_true(str_is(json_str(text), "[1,2,3]"));
}

static void prefixes(void **state)
{
    (void)state;
    assert_int_equal(json_prefix(str_from(" {\"a\":[1]} and so on")), 10);
    assert_int_equal(json_prefix(str_from("12 13")), 2);
    assert_int_equal(json_prefix(str_from("[1, 2")), 0);
    assert_int_equal(json_prefix(str_from("")), 0);
}

int main(void)
{
    struct CMUnitTest row_tests[ARRAY_LEN(rows)];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        row_tests[i] = row_test(rows[i].text, check, &rows[i]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_of_allowed_duplicates_counts),
        cmocka_unit_test(lone_surrogates_may_be_replaced),
        cmocka_unit_test(nan_may_be_read_and_prints_as_null),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(values_are_limited),
        cmocka_unit_test(memory_is_limited),
        cmocka_unit_test(deep_documents_need_no_stack),
        cmocka_unit_test(styles),
        cmocka_unit_test(a_full_buffer_says_so),
        cmocka_unit_test(text_beyond_the_meter_is_no_value),
        cmocka_unit_test(prefixes),
    };
    int failed = cmocka_run_group_tests_name("json documents", row_tests, NULL, NULL);
    return failed + cmocka_run_group_tests_name("json text", tests, NULL, NULL);
}
