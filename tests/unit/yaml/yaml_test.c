/* yaml_parse(): what a document is, what is refused and with which words, and where things are. */
#include "yaml/yaml.h"

#include "base/buf.h"
#include "json/json_text.h"

#include "cmocka.h"

#include <stdio.h>
#include <stdlib.h>

enum { ARENA_MAX = 1 << 20 };

static const struct row {
    const char *text;
    const char *expected; /* JSON */
} rows[] = {
    {"", "null"},
    {"# nothing\n", "null"},
    {"a: 1", "{\"a\":1}"},
    {"\xef\xbb\xbf"
     "a: 1\r\nb: x\r\n",
     "{\"a\":1,\"b\":\"x\"}"},
    {"[on, off, yes, no, y, n, True, FALSE, null, ~, , nULL]", NULL},
    {"[on, off, yes, no, y, n, True, FALSE, null, ~, nULL]",
     "[\"on\",\"off\",\"yes\",\"no\",\"y\",\"n\",true,false,null,null,\"nULL\"]"},
    {"[0o17, 0x1F, -0x1F, 017, +5, -7, 0o8, 1_000]", "[15,31,\"-0x1F\",17,5,-7,\"0o8\",\"1_000\"]"},
    {"[1.5, .5, 5., -1e3, +.5E-1, 1e, 1.2.3, e3, '1']",
     "[1.5,0.5,5,-1000,0.05,\"1e\",\"1.2.3\",\"e3\",\"1\"]"},
    {"[9223372036854775807, 9223372036854775808, 0xFFFFFFFFFFFFFFFF]",
     "[9223372036854775807,9223372036854776000,\"0xFFFFFFFFFFFFFFFF\"]"},
    {"a: 'it''s'\nb: \"x\\ty\\u00e9\"\nc: |\n  one\n  two\nd: >-\n  one\n  two\n",
     "{\"a\":\"it's\",\"b\":\"x\\ty\xc3\xa9\",\"c\":\"one\\ntwo\\n\",\"d\":\"one two\"}"},
    {"1: a\ntrue: b\n'': c", "{\"1\":\"a\",\"true\":\"b\",\"\":\"c\"}"},
    {"- &x [1, 2]\n- *x\n- &x 3\n- *x", "[[1,2],[1,2],3,3]"},
    {"base: &b {a: 1, b: 2}\nmine: {<<: *b, b: 3, c: 4}",
     "{\"base\":{\"a\":1,\"b\":2},\"mine\":{\"b\":3,\"c\":4,\"a\":1}}"},
    {"x: &x {a: 1}\ny: &y {a: 2, b: 2}\nz: {<<: [*x, *y]}",
     "{\"x\":{\"a\":1},\"y\":{\"a\":2,\"b\":2},\"z\":{\"a\":1,\"b\":2}}"},
    {"[!!str 1, !!int '2', !!float 3, !!null '', !!bool 'true']", "[\"1\",2,3,null,true]"},
    {"{\"a\":[1,{\"b\":\"c\\/d\"}],\n\t\"e\":null}", "{\"a\":[1,{\"b\":\"c/d\"}],\"e\":null}"},
    {"{\"a\": \"\\ud83d\\ude00x\\\\ud83d\", \"b\": \"\\uD83D\\uDE00\"}",
     "{\"a\":\"\xf0\x9f\x98\x80x\\\\ud83d\",\"b\":\"\xf0\x9f\x98\x80\"}"},
    {"a: '\\ud83d\\ude00'", "{\"a\":\"\\\\ud83d\\\\ude00\"}"},
    {"%YAML 1.2\n---\na\n...\n", "\"a\""},
    {"if: ${ .a == 1 }\nx: ${ .b }   # a comment", "{\"if\":\"${ .a == 1 }\",\"x\":\"${ .b }\"}"},
};

static void check(void **state)
{
    const struct row *row                              = *state;
    CLEANUP(yaml_freep) struct yaml_document *document = NULL;
    struct error error                                 = {};
    status code = yaml_parse(str_from(row->text), NULL, &document, &error);
    if (!row->expected) {
        assert_int_equal(code, STATUS_INVALID_ARGUMENT);
        return;
    }
    if (code != STATUS_OK) fail_msg("%s", error.text);
    CLEANUP(json_unrefp) json text = json_to_text_new(yaml_root(document));
    assert_string_equal(json_str(text).ptr, row->expected);
}

static const struct refusal {
    const char *text;
    uint32_t line;
    uint32_t column;
    const char *pointer;
    const char *words; /* of the detail */
    const char *hint;  /* words of it; "" if there is none */
} refusals[] = {
    {"a: ${ .x: .y }", 1, 9, "", "`: ` inside a plain text", "quotes"},
    {"a:\n  b: one: two", 2, 9, "", "`: ` inside a plain text", "quotes"},
    {"a: 1\n\tb: 2", 2, 1, "", "tab", "blanks"},
    {"a:\n\tb: 2", 2, 1, "", "tab", "blanks"},
    {"a: @daily", 1, 4, "", "begin with `@`", "quotes"},
    {"a: `x`", 1, 4, "", "begin with ``", "quotes"},
    {"a: 1\na: 2\n", 2, 1, "/a", "line 1, column 1", "one of them"},
    {"x:\n  - b: 1\n    c: 2\n    b: 3", 4, 5, "/x/0/b", "line 2, column 5", "one of them"},
    {"a: 'x\nb: 2", 1, 4, "", "not closed", "closing quote"},
    {"a: \"x", 1, 4, "", "not closed", "closing quote"},
    {"a: \"\\(x)\"", 1, 5, "", "no such escape", "single quotes"},
    {"a: {b: 1", 2, 1, "", "`{`", "quotes"},
    {"a: [b: 1", 2, 1, "", "`[`", "quotes"},
    {"a: 1\nb\nc: 2", 2, 1, "", "neither", "key: value"},
    {"a: 1\n b: 2", 2, 3, "", "`: ` inside a plain text", "quotes"},
    {"a: 'x' y\nb: 1", 1, 8, "", "next `key:`", "inside the quotes"},
    {"a: - b", 1, 4, "", "list cannot begin", "line of its own"},
    {"a: | text\n  b", 1, 6, "", "nothing may follow", "next line"},
    {"a: *none", 1, 4, "/a", "no anchor", "quotes"},
    {"a: &x [*x]", 1, 8, "/a/0", "no anchor", "quotes"},
    {"a: !ruby/object {}", 1, 4, "/a", "tags", "quotes"},
    {"a: !x y", 1, 4, "/a", "tags", "quotes"},
    {"a: !!int x", 1, 4, "/a", "not what its tag", "remove"},
    {"a: .inf", 1, 4, "/a", "infinity", "quotes"},
    {"a: \"\\0\"", 1, 4, "/a", "NUL", ""},
    {"\"\\0\": 1", 1, 1, "", "NUL", ""},
    {"? [a]\n: 1", 1, 3, "", "not a map or list", "quotes"},
    {"?\n: 1", 1, 2, "", "key is missing", "before"},
    {"a: &a x\n*a : 1", 2, 1, "", "alias", "write the key"},
    {"a: 1\n---\nb: 2", 2, 1, "", "second document", "one document"},
    {"a: {<<: 1}", 1, 9, "/a", "merges maps", "<<: *name"},
    {"a: \x01", 1, 4, "", "control character", "escape"},
    {"a: \xff", 1, 4, "", "not UTF-8", "UTF-8"},
    {"- a\nb: 1", 2, 1, "", "next `- `", "align"},
};

static struct diagnostics *findings_of(str text, struct arena *arena)
{
    struct diagnostics *list       = diagnostics_new(arena);
    struct yaml_document *document = NULL;
    struct error error             = {};
    assert_int_equal(yaml_parse(text, list, &document, &error), STATUS_INVALID_ARGUMENT);
    assert_null(document);
    assert_true(strlen(error.text) > 0);
    return list;
}

static void check_refusal(void **state)
{
    const struct refusal *row                = *state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    struct diagnostics *list                 = findings_of(str_from(row->text), arena);
    assert_int_equal(list->count, 1);
    const struct diagnostic *finding = &list->items[0];
    assert_string_equal(finding->code, "V01");
    if (!strstr(finding->detail, row->words)) fail_msg("%s", finding->detail);
    if (!strstr(finding->hint, row->hint)) fail_msg("%s", finding->hint);
    if (finding->line != row->line || finding->column != row->column) {
        fail_msg("%s: %u:%u", finding->detail, finding->line, finding->column);
    }
    assert_string_equal(finding->pointer, row->pointer);
}

static void all_duplicates_are_found(void **state)
{
    (void)state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    struct diagnostics *list = findings_of(str_from("a: 1\nb: {c: 1, c: 2}\na: 3\na: 4"), arena);
    assert_int_equal(list->count, 3);
}

/* A document that is `head`, then `count` times `piece`. */
static void put_many(struct buf *out, const char *head, const char *piece, size_t count)
{
    (void)buf_put_text(out, head);
    for (size_t i = 0; i < count; i++) (void)buf_put_text(out, piece);
}

static void assert_parses(const struct buf *text, const char *refusal)
{
    CLEANUP(yaml_freep) struct yaml_document *document = NULL;
    struct error error                                 = {};
    status code = yaml_parse(buf_str(text), NULL, &document, &error);
    if (!refusal && code != STATUS_OK) fail_msg("%s", error.text);
    if (refusal && !strstr(error.text, refusal)) fail_msg("%s", error.text);
}

static void depth_is_limited(void **state)
{
    (void)state;
    for (size_t depth = YAML_DEPTH_MAX; depth <= YAML_DEPTH_MAX + 1; depth++) {
        CLEANUP(buf_done) struct buf text = buf_init(1000);
        put_many(&text, "", "[", depth);
        put_many(&text, "", "]", depth);
        assert_parses(&text, depth > YAML_DEPTH_MAX ? "64 levels" : NULL);
    }
}

static void size_is_limited(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf text = buf_init(YAML_SIZE_MAX + 1);
    put_many(&text, "a: ", "x", YAML_SIZE_MAX - 3);
    assert_parses(&text, NULL);
    (void)buf_put_byte(&text, 'x');
    assert_parses(&text, "512 KiB");
}

static void nodes_are_limited(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf text = buf_init(YAML_SIZE_MAX);
    put_many(&text, "", "- 1\n", YAML_NODES_MAX - 1); /* and the list itself */
    assert_parses(&text, NULL);
    (void)buf_put_text(&text, "- 1\n");
    assert_parses(&text, "100,000 nodes");
}

static void alias_bombs_are_refused(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf text = buf_init(10'000);
    (void)buf_put_text(&text, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 10; i++) {
        (void)buf_printf(&text, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++) (void)buf_printf(&text, "*a%d,", i - 1);
        (void)buf_put_text(&text, "]\n");
    }
    assert_parses(&text, "100,000 nodes");
}

static void anchors_are_limited(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf text = buf_init(100'000);
    put_many(&text, "", "- &x 1\n", 1000);
    assert_parses(&text, NULL);
    (void)buf_put_text(&text, "- &x 1\n");
    assert_parses(&text, "anchors");
}

static const char document_text[] = "# comment\n"               /* 1 */
                                    "name: \xc3\xa9t\xc3\xa9\n" /* 2 */
                                    "do:\n"                     /* 3 */
                                    "  - first: {x: 1, y: 'it''s $x'}\n"
                                    "  - a/b:\n"                                 /* 5 */
                                    "      text: |\n"                            /* 6 */
                                    "\n"                                         /* 7 */
                                    "        one\n"                              /* 8 */
                                    "          \xc3\xa9 two\n"                   /* 9 */
                                    "base: &b\n"                                 /* 10 */
                                    "  k: v\n"                                   /* 11 */
                                    "copy: *b\n"                                 /* 12 */
                                    "merged: {<<: *b, n: 1}\n"                   /* 13 */
                                    "long: one two  \n"                          /* 14 */
                                    "  three\n"                                  /* 15 */
                                    "\n"                                         /* 16 */
                                    "  four\n"                                   /* 17 */
                                    "tagged: !!str abc\n"                        /* 18 */
                                    "esc: \"a\\tb\\\"c \\u00e4\\U0001F600 z\"\n" /* 19 */
                                    "wrap: \"one  \n"                            /* 20 */
                                    "  two\n"                                    /* 21 */
                                    "\n"                                         /* 22 */
                                    "  three \\\n"                               /* 23 */
                                    "  four\"\n"                                 /* 24 */
                                    "fold: >-\n"                                 /* 25 */
                                    "  ab\n"                                     /* 26 */
                                    "  cd\n"                                     /* 27 */
                                    "\n"                                         /* 28 */
                                    "  ef\n"                                     /* 29 */
                                    "   gh\n"                                    /* 30 */
                                    "  ij\n";                                    /* 31 */

static const struct place {
    const char *pointer;
    long offset; /* -1: the value; -2: the key */
    uint32_t line;
    uint32_t column;
} places[] = {
    {"", -1, 2, 1},
    {"/name", -1, 2, 7},
    {"/name", -2, 2, 1},
    {"/name", 0, 2, 7},
    {"/name", 3, 2, 9}, /* after two characters of three bytes */
    {"/do", -2, 3, 1},
    {"/do/0/first/x", -1, 4, 16},
    {"/do/0/first/y", -1, 4, 22},
    {"/do/0/first/y", -2, 4, 19},
    {"/do/0/first/y", 0, 4, 23},
    {"/do/0/first/y", 5, 4, 29}, /* the $: the doubled quote counts once */
    {"/do/1/a~1b", -2, 5, 5},
    {"/do/1/a~1b/text", -1, 6, 13},
    {"/do/1/a~1b/text", 0, 7, 1},
    {"/do/1/a~1b/text", 1, 8, 9},
    {"/do/1/a~1b/text", 3, 8, 11},
    {"/do/1/a~1b/text", 7, 9, 11},
    {"/do/1/a~1b/text", 10, 9, 13},
    {"/do/1/a~1b/none/at/all", -1, 6, 7},
    {"/do/7", -1, 4, 3},
    {"/base/k", -1, 11, 6},
    {"/copy", -1, 12, 7},
    {"/copy/k", -1, 11, 6},
    {"/merged/k", -1, 11, 6},
    {"/merged/n", -1, 13, 21},
    {"/long", 4, 14, 11},
    {"/long", 8, 15, 3},
    {"/long", 10, 15, 5},
    {"/long", 14, 17, 3},
    {"/tagged", 1, 18, 16},
    {"/esc", 0, 19, 7},
    {"/esc", 2, 19, 10},  /* b, behind \\t */
    {"/esc", 4, 19, 13},  /* c */
    {"/esc", 6, 19, 15},  /* a character of two bytes, an escape of six */
    {"/esc", 8, 19, 21},  /* four bytes, an escape of ten */
    {"/esc", 13, 19, 32}, /* z */
    {"/wrap", 1, 20, 9},
    {"/wrap", 4, 21, 3},  /* two */
    {"/wrap", 8, 23, 3},  /* three, behind an empty line */
    {"/wrap", 14, 24, 3}, /* four, behind an escaped line end */
    {"/fold", 0, 26, 3},
    {"/fold", 3, 27, 3}, /* cd */
    {"/fold", 4, 27, 4},
    {"/fold", 6, 29, 3}, /* ef, behind an empty line */
    {"/fold", 9, 30, 3}, /* the blank before gh belongs to it */
    {"/fold", 10, 30, 4},
    {"/fold", 13, 31, 3}, /* ij */
};

static void check_place(void **state)
{
    const struct place *row                            = *state;
    CLEANUP(yaml_freep) struct yaml_document *document = NULL;
    struct error error                                 = {};
    if (yaml_parse(str_from(document_text), NULL, &document, &error) != STATUS_OK) {
        fail_msg("%s", error.text);
    }
    str pointer             = str_from(row->pointer);
    struct yaml_place place = row->offset >= 0
                                  ? yaml_place_in(document, pointer, (size_t)row->offset)
                              : row->offset == -1 ? yaml_place_of(document, pointer)
                                                  : yaml_key_place(document, pointer);
    if (place.line != row->line || place.column != row->column) {
        fail_msg("%s %ld: %u:%u", row->pointer, row->offset, place.line, place.column);
    }
}

/* Places are found by way of every 256th character: one behind many wide ones. */
static void places_far_into_a_wide_line(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf text = buf_init(4 << 10);
    (void)buf_put_text(&text, "{a: ");
    for (int i = 0; i < 600; i++) (void)buf_put_text(&text, "\xc3\xa9");
    (void)buf_put_text(&text, ", b: 'x y', c: z w}\n");
    CLEANUP(yaml_freep) struct yaml_document *document = NULL;
    assert_int_equal(yaml_parse(buf_str(&text), NULL, &document, NULL), STATUS_OK);
    struct yaml_place place = yaml_place_in(document, str_from("/b"), 2);
    assert_int_equal(place.line, 1);
    assert_int_equal(place.column, 613);
    place = yaml_place_in(document, str_from("/c"), 2);
    assert_int_equal(place.column, 622);
}

static void samples_are_read(void **state)
{
    (void)state;
    const char *root = getenv("TUTTI_TEST_DATA"); // NOLINT(concurrency-mt-unsafe): one thread
    if (!root || !*root) {
        print_message("skipped: TUTTI_TEST_DATA is not set\n");
        skip();
        return;
    }
    char path[1000];
    (void)snprintf(path, sizeof path, "%s/samples/marketing-campaign.yaml", root);
    FILE *file = fopen(path, "re");
    if (!file) fail_msg("%s: %m", path);
    char *text = malloc(YAML_SIZE_MAX);
    str whole  = {.ptr = text, .len = fread(text, 1, YAML_SIZE_MAX, file)};
    (void)fclose(file);
    CLEANUP(yaml_freep) struct yaml_document *document = NULL;
    struct error error                                 = {};
    if (yaml_parse(whole, NULL, &document, &error) != STATUS_OK) fail_msg("%s", error.text);
    assert_true(json_is(json_get_text(yaml_root(document), "do"), JSON_ARRAY));
    free(text);
}

int main(void)
{
    struct CMUnitTest row_tests[ARRAY_LEN(rows)];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        row_tests[i] = row_test(rows[i].text, check, &rows[i]);
    }
    struct CMUnitTest refusal_tests[ARRAY_LEN(refusals)];
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        refusal_tests[i] = row_test(refusals[i].text, check_refusal, &refusals[i]);
    }
    struct CMUnitTest place_tests[ARRAY_LEN(places)];
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        place_tests[i] = row_test(places[i].pointer, check_place, &places[i]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_duplicates_are_found),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(size_is_limited),
        cmocka_unit_test(nodes_are_limited),
        cmocka_unit_test(alias_bombs_are_refused),
        cmocka_unit_test(anchors_are_limited),
        cmocka_unit_test(places_far_into_a_wide_line),
        cmocka_unit_test(samples_are_read),
    };
    int failed = cmocka_run_group_tests_name("yaml values", row_tests, NULL, NULL);
    failed += cmocka_run_group_tests_name("yaml refusals", refusal_tests, NULL, NULL);
    failed += cmocka_run_group_tests_name("yaml places", place_tests, NULL, NULL);
    return failed + cmocka_run_group_tests_name("yaml", tests, NULL, NULL);
}
