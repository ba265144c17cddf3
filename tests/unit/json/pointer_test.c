/* JSON pointers with the examples of RFC 6901, merge patches with those of RFC 7396. */
#include "json/json_pointer.h"
#include "json/json_text.h"

#include "cmocka.h"

static json parsed(const char *text)
{
    json value = json_invalid();
    if (json_parse(str_from(text), NULL, &value, NULL, NULL) != STATUS_OK) fail_msg("%s", text);
    return value;
}

static void assert_is(json value, const char *expected)
{
    CLEANUP(json_unrefp) json text = json_to_text_new(value);
    assert_string_equal(json_str(text).ptr, expected);
}

static const char document[] =
    "{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,\"i\\\\j\":5,"
    "\"k\\\"l\":6,\" \":7,\"m~n\":8,\"~1\":9}";

static const struct row {
    const char *pointer;
    const char *expected; /* NULL: nothing there */
} rows[] = {
    {"", document},        {"/foo", "[\"bar\",\"baz\"]"},
    {"/foo/0", "\"bar\""}, {"/", "0"},
    {"/a~1b", "1"},        {"/c%d", "2"},
    {"/e^f", "3"},         {"/g|h", "4"},
    {"/i\\j", "5"},        {"/k\"l", "6"},
    {"/ ", "7"},           {"/m~0n", "8"},
    {"/~01", "9"},         {"/foo/2", NULL},
    {"/foo/-", NULL},      {"/foo/00", NULL},
    {"/foo/+0", NULL},     {"/foo/", NULL},
    {"/foo/0/x", NULL},    {"/a/b", NULL},
    {"foo", NULL},         {"/m~n", NULL},
    {"/m~", NULL},         {"/foo/9999999999999999999999", NULL},
};

static void check_pointer(void **state)
{
    const struct row *row          = *state;
    CLEANUP(json_unrefp) json root = parsed(document);
    json found                     = json_pointer_get(root, str_from(row->pointer));
    if (!row->expected) {
        assert_int_equal(found.kind, JSON_INVALID);
    } else {
        assert_is(found, row->expected);
    }
}

static void added_names_are_escaped(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf pointer = buf_init(64);
    assert_true(json_pointer_add(&pointer, str_from("a/b~c")));
    assert_true(json_pointer_add_index(&pointer, 10));
    assert_true(json_pointer_add(&pointer, str_from("")));
    assert_string_equal(pointer.ptr, "/a~1b~0c/10/");
}

static const struct patch {
    const char *target;
    const char *patch;
    const char *result;
} patches[] = {
    {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
    {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
    {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
    {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
    {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
    {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
    {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
    {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
    {"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"},
    {"{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"},
    {"{\"a\":\"foo\"}", "null", "null"},
    {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
    {"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
    {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
};

static void check_patch(void **state)
{
    const struct patch *row          = *state;
    CLEANUP(json_unrefp) json target = parsed(row->target);
    CLEANUP(json_unrefp) json patch  = parsed(row->patch);
    CLEANUP(json_unrefp) json result = json_merge_patch_new(target, patch);
    assert_is(result, row->result);
    assert_is(target, row->target);
    assert_is(patch, row->patch);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows)];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[i] = row_test(rows[i].pointer, check_pointer, &rows[i]);
    }
    struct CMUnitTest patch_tests[ARRAY_LEN(patches)];
    for (size_t i = 0; i < ARRAY_LEN(patches); i++) {
        patch_tests[i] = row_test(patches[i].patch, check_patch, &patches[i]);
    }
    const struct CMUnitTest others[] = {cmocka_unit_test(added_names_are_escaped)};
    int failed                       = cmocka_run_group_tests_name("pointers", tests, NULL, NULL);
    failed += cmocka_run_group_tests_name("merge patches", patch_tests, NULL, NULL);
    return failed + cmocka_run_group_tests_name("pointer texts", others, NULL, NULL);
}
