/* Regular expressions: what matches, what is refused, and what is stopped. */
#include "expr/regex.h"

#include "cmocka.h"
#include "expr/regex_internal.h"

#include <stdlib.h>

/* clang-format off */
static const struct search_row {
    const char *name;
    const char *pattern;
    unsigned    flags;
    const char *text;
    bool        expected;
} searches[] = {
    {"a plain text is found inside",         "b+",              0,                  "abbc",    true},
    {"what is not there is not found",       "x",               0,                  "abbc",    false},
    {"an empty pattern matches",             "",                0,                  "",        true},
    {"case matters",                         "ABC",             0,                  "abc",     false},
    {"unless told otherwise",                "ABC",             REGEX_IGNORE_CASE,  "abc",     true},
    {"extended ignores blanks",              "a b # c",         REGEX_EXTENDED,     "ab",      true},
    {"the dot stops at a line end",          "a.b",             0,                  "a\nb",    false},
    {"unless told otherwise",                "a.b",             REGEX_DOT_ALL,      "a\nb",    true},
    {"characters, not bytes",                "^.$",             0,                  "\u00e4",  true},
    {"classes of Unicode",                   "^\\p{Lu}$",       0,                  "\u00c4",  true},
    {"ecma: \\d knows ASCII only",           "^\\d$",           REGEX_ECMA,         "\u0663",  false},
    {"ecma: \\d in a class",                 "^[\\da]+$",       REGEX_ECMA,         "1a2",     true},
    {"ecma: \\D in a class",                 "^[\\D]+$",        REGEX_ECMA,         "ab",      true},
    {"ecma: \\w knows ASCII only",           "^\\w$",           REGEX_ECMA,         "\u00e9",  false},
    {"ecma: \\W is the rest",                "^\\W$",           REGEX_ECMA,         "\u00e9",  true},
    {"ecma: \\s knows the byte order mark",  "^\\s$",           REGEX_ECMA,         "\ufeff",  true},
    {"ecma: $ is the end of the text",       "^abc$",           REGEX_ECMA,         "abc\n",   false},
    {"ecma: ^ is its start",                 "^b",              REGEX_ECMA,         "a\nb",    false},
    {"ecma: \\u",                            "^\\u00e9$",       REGEX_ECMA,         "\u00e9",  true},
    {"ecma: a pair of surrogates",           "^\\ud83d\\udc32$", REGEX_ECMA,        "\U0001F432", true},
    {"ecma: \\u in braces",                  "^\\u{1F432}$",    REGEX_ECMA,         "\U0001F432", true},
    {"ecma: a property",                     "^\\p{Letter}+$",  REGEX_ECMA,         "\u00e9t", true},
    {"ecma: a script",                       "^\\p{Script=Greek}$", REGEX_ECMA,     "\u03b1",  true},
    {"ecma: control letters",                "^\\cC$",          REGEX_ECMA,         "\x03",    true},
    {"ecma: the empty class matches nothing","[]",              REGEX_ECMA,         "a",       false},
    {"ecma: its opposite everything",        "^[^]$",           REGEX_ECMA,         "\n",      true},
    {"ecma: a bracket in a class is plain",  "^[[]$",           REGEX_ECMA,         "[",       true},
    {"ecma: && in a class is plain",         "^[a&&b]+$",       REGEX_ECMA,         "a&b",     true},
    {"ecma: escaped punctuation",            "^\\-\\/\\_$",     REGEX_ECMA,         "-/_",     true},
    {"ecma: \\b knows ASCII only",           "a\\b",            REGEX_ECMA,         "a\u00e9", true},
    {"ecma: a back reference",               "^(a|b)\\1$",      REGEX_ECMA,         "bb",      true},
};

static const struct refused_row {
    const char *name;
    const char *pattern;
    unsigned    flags;
} refused[] = {
    {"a group without end",           "(a",        0},
    {"nothing to repeat",             "*",         0},
    {"a class without end",           "[a",        0},
    {"bytes that are not UTF-8",      "\xff",      0},
    {"ecma: \\Z is another language", "a\\Z",      REGEX_ECMA},
    {"ecma: so is \\a",               "\\a",       REGEX_ECMA},
    {"ecma: and inline options",      "(?i)a",     REGEX_ECMA},
    {"ecma: \\u needs digits",        "\\u12",     REGEX_ECMA},
    {"ecma: a backslash at the end",  "a\\",       REGEX_ECMA},
    {"ecma: \\p needs braces",        "\\pL",      REGEX_ECMA},
};

static const struct whole_row {
    const char *name;
    const char *pattern;
    unsigned    flags;
    const char *text;
    bool        expected;
} wholes[] = {
    {"whole: all of the text",                 "a+",       0,              "aaa",   true},
    {"whole: not a part of it",                "a+",       0,              "aab",   false},
    {"whole: the longer alternative counts",   "a|ab",     0,              "ab",    true},
    {"whole: no line end more",                "a",        0,              "a\n",   false},
    {"whole: a comment does not hide the end", "a # b",    REGEX_EXTENDED, "ac",    false},
};
/* clang-format on */

static void check_search(void **state)
{
    const struct search_row *row             = *state;
    CLEANUP(regex_freep) struct regex *regex = NULL;
    assert_int_equal(regex_compile(str_from(row->pattern), row->flags, &regex, NULL), STATUS_OK);
    bool found = !row->expected;
    assert_int_equal(regex_search(regex, str_from(row->text), 0, &found, NULL), STATUS_OK);
    assert_int_equal(found, row->expected);
}

static void check_refused(void **state)
{
    const struct refused_row *row = *state;
    struct regex *regex           = NULL;
    struct error error            = {};
    assert_int_equal(regex_compile(str_from(row->pattern), row->flags, &regex, &error),
                     STATUS_INVALID_ARGUMENT);
    assert_null(regex);
    assert_true(error.text[0] != 0);
}

static void check_whole(void **state)
{
    const struct whole_row *row              = *state;
    CLEANUP(regex_freep) struct regex *regex = NULL;
    assert_int_equal(regex_compile(str_from(row->pattern), row->flags, &regex, NULL), STATUS_OK);
    bool matches = !row->expected;
    assert_int_equal(regex_matches(regex, str_from(row->text), &matches, NULL), STATUS_OK);
    assert_int_equal(matches, row->expected);
}

static void explosion_is_stopped(void **state)
{
    (void)state;
    static const char *const patterns[] = {"(a+)+$", "(a|aa)+$", "(a*)*b", "(?:a?){60}a{60}"};
    str text = str_from("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!");
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        CLEANUP(regex_freep) struct regex *regex = NULL;
        assert_int_equal(regex_compile(str_from(patterns[i]), 0, &regex, NULL), STATUS_OK);
        bool found;
        status result = regex_search(regex, text, 0, &found, NULL);
        assert_true(result == STATUS_RESOURCE_EXHAUSTED || result == STATUS_OK);
        if (i == 0) assert_int_equal(result, STATUS_RESOURCE_EXHAUSTED);
    }
}

static char *repeated(const char *piece, size_t count)
{
    size_t len = strlen(piece);
    char *text = malloc(len * count + 1);
    assert_non_null(text);
    for (size_t i = 0; i < count; i++) memcpy(text + i * len, piece, len);
    text[len * count] = 0;
    return text;
}

static status compile_repeated(const char *piece, size_t count)
{
    char *pattern       = repeated(piece, count);
    struct regex *regex = NULL;
    status result       = regex_compile(str_from(pattern), 0, &regex, NULL);
    regex_free(regex);
    free(pattern);
    return result;
}

static void limits_of_patterns(void **state)
{
    (void)state;
    assert_int_equal(compile_repeated("a", REGEX_PATTERN_MAX), STATUS_OK);
    assert_int_equal(compile_repeated("a", REGEX_PATTERN_MAX + 1), STATUS_INVALID_ARGUMENT);
    assert_int_equal(compile_repeated("(a)", REGEX_GROUPS_MAX), STATUS_OK);
    assert_int_equal(compile_repeated("(a)", REGEX_GROUPS_MAX + 1), STATUS_INVALID_ARGUMENT);
    assert_int_equal(compile_repeated("(", REGEX_PATTERN_MAX), STATUS_INVALID_ARGUMENT);
}

static void groups_of_a_match(void **state)
{
    (void)state;
    CLEANUP(regex_freep) struct regex *regex = NULL;
    str pattern                              = str_from("(?<year>\\d+)-(x)?");
    assert_int_equal(regex_compile(pattern, REGEX_SEARCH_ONLY, &regex, NULL), STATUS_OK);
    struct regex_match match;
    bool found = false;
    assert_int_equal(regex_find(regex, str_from("in 2024-05"), 3, 100, &found, &match), STATUS_OK);
    assert_true(found);
    assert_int_equal(match.count, 3);
    assert_int_equal(match.groups[0].from, 3);
    assert_int_equal(match.groups[0].to, 8);
    assert_int_equal(match.groups[1].to, 7);
    assert_int_equal(match.groups[2].from, -1);
    assert_true(str_is(regex_group_name(regex, 1), "year"));
    assert_int_equal(regex_group_name(regex, 2).len, 0);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(searches) + ARRAY_LEN(refused) + ARRAY_LEN(wholes) + 3];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(searches); i++) {
        tests[count++] = row_test(searches[i].name, check_search, &searches[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        tests[count++] = row_test(refused[i].name, check_refused, &refused[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(wholes); i++) {
        tests[count++] = row_test(wholes[i].name, check_whole, &wholes[i]);
    }
    tests[count++] = row_test("a pattern that explodes is stopped", explosion_is_stopped, NULL);
    tests[count++] = row_test("the limits of patterns", limits_of_patterns, NULL);
    tests[count++] = row_test("groups and their names", groups_of_a_match, NULL);
    return cmocka_run_group_tests_name("regex", tests, NULL, NULL);
}
