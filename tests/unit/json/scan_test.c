/* What a scan takes, its sizes, and what breaks it: the same as a parse, or less. */
#include "json/json_scan.h"

#include "json/json_text.h"

#include "cmocka.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

enum { OUT_MAX = 1 << 20, FILE_MAX = 1 << 20, PATH_LEN_MAX = 4096, CASES_MIN = 90 };

static bool scan_whole(str text, uint32_t values_max, size_t *ret_printed)
{
    struct json_scan scan;
    json_scan_init(&scan, text, values_max);
    json_scan_skip(&scan);
    bool is_whole = json_scan_end(&scan);
    *ret_printed  = scan.printed;
    return is_whole;
}

/* Says whether the scan is whole; then the document parses, and has that size when it is printed.
 */
static bool agrees(str text)
{
    CLEANUP(json_unrefp) json value  = json_invalid();
    CLEANUP(buf_done) struct buf out = buf_init(OUT_MAX);
    size_t printed                   = 0;
    if (!scan_whole(text, 0, &printed)) return false;
    assert_int_equal(json_parse(text, NULL, &value, NULL, NULL), STATUS_OK);
    assert_true(json_print(value, JSON_COMPACT, &out));
    assert_int_equal(printed, out.len);
    return true;
}

static void documents_are_whole(void **)
{
    static const char *const texts[] = {
        "null",
        " true ",
        "false\n",
        "0",
        "-0",
        "7",
        "123456789012345678",
        "1234567890123456789012",
        "-1",
        "1.0",
        "1.50",
        "1e2",
        "1E400",
        "[]",
        "{}",
        " [ 1 , 2 ] ",
        "[[],{}]",
        "\"\"",
        "\"\x7f\"",
        "\"\\u0000\\u001f\\u007f\\u0022\\u005c\\u000a\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"\\u00e9\\u20ac\\ud83d\\ude00\"",
        "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
        "{\"a\":{\"a\":{\"a\":[{\"a\":1},{\"a\":2}]}},\"b\":\"x\"}",
        "{\"\":1,\"a\":2,\"aa\":3,\"abcdefgh\":4,\"abcdefghi\":5,\"abcdefghj\":6}",
        "{ \"a\" :\t1 ,\r\n\"b\": [ ] }",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (!agrees(str_from(texts[i]))) fail_msg("broken: %s", texts[i]);
    }
}

static void mistakes_break_it(void **)
{
    static const char *const texts[] = {
        "",
        " ",
        "[",
        "{",
        "]",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,\"a\":1}",
        "{a:1}",
        "[1}",
        "{\"a\":1]",
        "1 2",
        "[]]",
        "nul",
        "nulls",
        "True",
        "NaN",
        "-",
        "+1",
        "01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x1",
        "--1",
        "\"",
        "\"\\",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\"",
        "\"\n\"",
        "\"\xff\"",
        "\"\xc3\"",
        "\"\xed\xa0\x80\"",
        "{\"a\":1,\"a\":2}",
        "[{\"a\":1,\"b\":{},\"a\":2}]",
        "'a'",
        "// x\n1",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        json value     = json_invalid();
        size_t printed = 0;
        if (scan_whole(str_from(texts[i]), 0, &printed)) fail_msg("whole: %s", texts[i]);
        assert_int_not_equal(json_parse(str_from(texts[i]), NULL, &value, NULL, NULL), STATUS_OK);
    }
}

/* `count` times `open`, and `close` as often. */
static str nested(struct buf *out, size_t count, const char *open, const char *close)
{
    buf_clear(out);
    for (size_t i = 0; i < count; i++) (void)buf_put_text(out, open);
    for (size_t i = 0; i < count; i++) (void)buf_put_text(out, close);
    return buf_str(out);
}

/* An object of that many members. */
static str wide(struct buf *out, size_t count)
{
    buf_clear(out);
    for (size_t i = 0; i < count; i++) {
        (void)buf_printf(out, "%c\"k%zu\":%zu", i > 0 ? ',' : '{', i, i);
    }
    (void)buf_put_text(out, "}");
    return buf_str(out);
}

static void limits_are_kept(void **)
{
    CLEANUP(buf_done) struct buf text = buf_init(OUT_MAX);
    size_t printed                    = 0;
    assert_true(agrees(nested(&text, JSON_SCAN_DEPTH_MAX, "[", "]")));
    assert_false(agrees(nested(&text, JSON_SCAN_DEPTH_MAX + 1, "[", "]")));
    assert_true(agrees(wide(&text, JSON_SCAN_MEMBERS_MAX)));
    assert_false(agrees(wide(&text, JSON_SCAN_MEMBERS_MAX + 1)));
    /* Sixteen keys a level; those of a container that is closed are forgotten. */
    static const char level[] =
        "{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,"
        "\"j\":1,\"k\":1,\"l\":1,\"m\":1,\"n\":1,\"o\":1,\"p\":";
    buf_clear(&text);
    for (size_t i = 0; i < JSON_SCAN_KEYS_MAX / 16; i++) (void)buf_put_text(&text, level);
    (void)buf_put_text(&text, "1");
    for (size_t i = 0; i < JSON_SCAN_KEYS_MAX / 16; i++) (void)buf_put_text(&text, "}");
    assert_true(agrees(buf_str(&text)));
    (void)buf_put_text(&text, "]");
    assert_false(agrees(buf_str(&text)));
    assert_true(scan_whole(str_from("[1,{\"a\":2},3]"), 5, &printed));
    assert_false(scan_whole(str_from("[1,{\"a\":2},3]"), 4, &printed));
    assert_false(agrees(str_from("{\"\\u0061\":1}"))); /* a key with an escape */
}

/* Members are read as they come, whatever is done with their values. */
static void members_are_read(void **)
{
    static const char text[] =
        "{ \"model\" : \"m\\u00e9\" , \"list\":[1, [2], {\"x\":3}],\"n\":null}";
    struct json_scan scan;
    struct json_scan_text model = {};
    str key                     = {};
    size_t count                = 0;
    json_scan_init(&scan, str_from(text), 0);
    json_scan_open(&scan, '{');
    assert_true(json_scan_member(&scan, &key) && str_is(key, "model"));
    assert_int_equal(json_scan_peek(&scan), '"');
    json_scan_text(&scan, &model);
    assert_true(json_scan_member(&scan, &key) && str_is(key, "list"));
    json_scan_open(&scan, '[');
    for (; json_scan_item(&scan); count++) json_scan_skip(&scan);
    assert_true(json_scan_member(&scan, &key) && str_is(key, "n"));
    json_scan_skip(&scan);
    assert_false(json_scan_member(&scan, &key));
    assert_true(json_scan_end(&scan));
    assert_int_equal(count, 3);
    assert_true(str_is(model.raw, "m\\u00e9"));
    assert_int_equal(model.size, 3);
    assert_false(model.is_plain);
}

static void another_kind_breaks_it(void **)
{
    struct json_scan scan;
    struct json_scan_text text;
    str key = {};
    json_scan_init(&scan, str_from("[1]"), 0);
    json_scan_open(&scan, '{');
    assert_false(json_scan_member(&scan, &key) || json_scan_end(&scan));
    json_scan_init(&scan, str_from("1"), 0);
    json_scan_text(&scan, &text);
    assert_false(json_scan_end(&scan));
    assert_int_equal(text.raw.len, 0);
    assert_int_equal(json_scan_peek(&scan), '\0');
}

/* Of JSONTestSuite no text is taken that a parse refuses; most that it takes are whole. */
static void the_suite_agrees(void **)
{
    const char *root = getenv("TUTTI_TEST_DATA"); // NOLINT(concurrency-mt-unsafe): one thread
    char path[PATH_LEN_MAX];
    size_t count = 0;
    if (!root || !*root) skip();
    (void)snprintf(path, sizeof path, "%s/data/json-test-suite/test_parsing", root);
    DIR *folder = opendir(path);
    if (!folder) fail_msg("%s: %m", path);
    char *buffer = malloc(FILE_MAX);
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        char name[PATH_LEN_MAX * 2];
        (void)snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(name, "re");
        if (!file) continue;
        size_t len = fread(buffer, 1, FILE_MAX, file);
        (void)fclose(file);
        count += agrees((str){.ptr = buffer, .len = len});
    }
    (void)closedir(folder);
    free(buffer);
    assert_true(count >= CASES_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_are_whole),    cmocka_unit_test(mistakes_break_it),
        cmocka_unit_test(limits_are_kept),        cmocka_unit_test(members_are_read),
        cmocka_unit_test(another_kind_breaks_it), cmocka_unit_test(the_suite_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
