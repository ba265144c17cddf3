/* Secrets in values that come from outside, in the forms in which they travel. */
#include "cmocka.h"

#include "base/buf.h"
#include "json/json_mask.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET "s3cr3t/\\\"+value"

static const struct row {
    const char *name, *given, *masked; /* NULL: as given */
} rows[] = {
    {"nothing", "{\"a\":[1,2.5,true,null,\"x\"]}", NULL},
    {"a whole text", "\"s3cr3t/\\\\\\\"+value\"", "\"***\""},
    {"a part of a text", "[\"Bearer s3cr3t/\\\\\\\"+value, really\"]", "[\"Bearer ***, really\"]"},
    {"twice", "\"s3cr3t/\\\\\\\"+values3cr3t/\\\\\\\"+value\"", "\"******\""},
    {"a key", "{\"s3cr3t/\\\\\\\"+value\":1}", "{\"***\":1}"},
    {"percent-encoded", "\"?a=s3cr3t%2F%5C%22%2Bvalue&b\"", "\"?a=***&b\""},
    /* printf 's3cr3t/\\"+value' | base64: czNjcjN0L1wiK3ZhbHVl */
    {"base64", "\"czNjcjN0L1wiK3ZhbHVl\"", "\"***\""},
    /* printf 'user:s3cr3t/\\"+value' | base64: dXNlcjpzM2NyM3QvXCIrdmFsdWU= */
    {"base64, behind a user", "\"Basic dXNlcjpzM2NyM3QvXCIrdmFsdWU=\"", "\"Basic dXNlcjp***U=\""},
    {"base64, behind one byte", "\"eHMzY3IzdC9cIit2YWx1ZQ==\"", "\"eH***Q==\""},
    {"base64 for URLs, behind two bytes", "\"eHhzM2NyM3QvXCIrdmFsdWV4\"", "\"eHh***V4\""},
    {"what looks like it in numbers", "[12345678,123456789]", NULL},
    {"a number as a text", "[\"12345678\",12345678]", "[\"***\",12345678]"},
    {"too short to be hidden", "\"short\"", NULL},
    {"a line of several", "\"say MIIBVgIBADANBgkq= aloud\"", "\"say *** aloud\""},
    {"a line of several that end as in DOS", "\"MIICdwIBADANBgkq=\"", "\"***\""},
    {"a line that begins like a list", "\"- pass: hunter2hunter2\"", "\"***\""},
    {"what frames them", "\"-----BEGIN A KEY-----\"", NULL},
    {"a member of a map", "\"it is inner-secret\"", "\"it is ***\""},
};

static json parsed(const char *text)
{
    json value = json_invalid();
    if (json_parse(str_from(text), NULL, &value, NULL, NULL) != STATUS_OK) fail_msg("%s", text);
    return value;
}

static struct json_mask *mask_of_all(void)
{
    struct json_mask *mask        = json_mask_new();
    CLEANUP(json_unrefp) json map = parsed("{\"a\":[{\"b\":\"inner-secret\"}],\"c\":12345}");
    json_mask_add(mask, str_from(SECRET));
    json_mask_add(mask, str_from("12345678"));
    json_mask_add(mask, str_from("short"));
    json_mask_add(mask, str_from("-----BEGIN A KEY-----\nMIIBVgIBADANBgkq=\nshort line\n"));
    json_mask_add(mask, str_from("-----BEGIN A KEY-----\r\nMIICdwIBADANBgkq=\r\n"));
    json_mask_add(mask, str_from("all:\n- pass: hunter2hunter2\n"));
    json_mask_add_all(mask, map);
    return mask;
}

static void check_row(void **state)
{
    const struct row *row                           = *state;
    CLEANUP(json_mask_freep) struct json_mask *mask = mask_of_all();
    CLEANUP(json_unrefp) json given                 = parsed(row->given);
    CLEANUP(json_unrefp) json masked                = json_mask_apply(mask, given);
    CLEANUP(json_unrefp) json text                  = json_to_text_new(masked);
    assert_string_equal(json_str(text).ptr, row->masked ? row->masked : row->given);
    if (!row->masked && masked.kind == JSON_TEXT) assert_ptr_equal(masked.text, given.text);
}

static void an_empty_mask_hides_nothing(void **)
{
    CLEANUP(json_mask_freep) struct json_mask *mask = json_mask_new();
    CLEANUP(json_unrefp) json given                 = parsed("[\"s3cr3t\"]");
    CLEANUP(json_unrefp) json masked                = json_mask_apply(mask, given);
    assert_ptr_equal(masked.array, given.array); /* itself, not a copy */
    assert_int_equal(json_mask_apply(mask, json_invalid()).kind, JSON_INVALID);
}

static void the_longest_one_is_hidden_whole(void **)
{
    CLEANUP(json_mask_freep) struct json_mask *mask = json_mask_new();
    json_mask_add(mask, str_from("password"));
    json_mask_add(mask, str_from("password-of-ann"));
    CLEANUP(json_unrefp) json given  = parsed("\"password-of-ann\"");
    CLEANUP(json_unrefp) json masked = json_mask_apply(mask, given);
    assert_string_equal(json_str(masked).ptr, "***");
}

static void texts_beyond_the_limit_are_left_out(void **)
{
    CLEANUP(json_mask_freep) struct json_mask *mask = json_mask_new();
    char text[32];
    for (int i = 0; i <= MASK_TEXTS_MAX; i++) {
        (void)snprintf(text, sizeof text, "secret-number-%d", 1000 + i);
        json_mask_add(mask, str_from(text));
    }
    CLEANUP(json_unrefp) json last = json_text_from("secret-number-1255");
    CLEANUP(json_unrefp) json over = json_text_from(text);
    CLEANUP(json_unrefp) json a    = json_mask_apply(mask, last);
    CLEANUP(json_unrefp) json b    = json_mask_apply(mask, over);
    assert_string_equal(json_str(a).ptr, "***");
    assert_string_equal(json_str(b).ptr, "secret-number-1256");
}

/* Lines of one text must not take the room of the texts after it. */
static void many_lines_leave_room(void **)
{
    enum { LINE = 24, LINES = 9 * MASK_TEXTS_MAX + MASK_LINES_MAX };
    CLEANUP(json_mask_freep) struct json_mask *mask = json_mask_new();
    CLEANUP(buf_done) struct buf text               = buf_init(LINES * LINE);
    for (int i = 0; i < LINES; i++) (void)buf_printf(&text, "a-line-of-many-%d\n", 10000 + i);
    json_mask_add(mask, buf_str(&text));
    json_mask_add(mask, str_from("what-comes-later"));
    CLEANUP(json_unrefp) json later = json_text_from("what-comes-later");
    CLEANUP(json_unrefp) json line  = json_text_from("a-line-of-many-10007");
    CLEANUP(json_unrefp) json a     = json_mask_apply(mask, later);
    CLEANUP(json_unrefp) json b     = json_mask_apply(mask, line);
    assert_string_equal(json_str(a).ptr, "***");
    assert_string_equal(json_str(b).ptr, "***");
}

static void a_long_one_is_hidden_as_itself(void **)
{
    CLEANUP(json_mask_freep) struct json_mask *mask = json_mask_new();
    char *text                                      = malloc(MASK_LEN_MAX + 2);
    memset(text, 'k', MASK_LEN_MAX + 1);
    text[MASK_LEN_MAX + 1] = '\0';
    json_mask_add(mask, str_from(text));
    CLEANUP(json_unrefp) json given  = json_text_from(text);
    CLEANUP(json_unrefp) json masked = json_mask_apply(mask, given);
    assert_string_equal(json_str(masked).ptr, "***");
    free(text);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows) + 5];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[i] = row_test(rows[i].name, check_row, &rows[i]);
    }
    struct CMUnitTest *more = &tests[ARRAY_LEN(rows)];
    more[0]                 = (struct CMUnitTest)cmocka_unit_test(an_empty_mask_hides_nothing);
    more[1]                 = (struct CMUnitTest)cmocka_unit_test(the_longest_one_is_hidden_whole);
    more[2] = (struct CMUnitTest)cmocka_unit_test(texts_beyond_the_limit_are_left_out);
    more[3] = (struct CMUnitTest)cmocka_unit_test(a_long_one_is_hidden_as_itself);
    more[4] = (struct CMUnitTest)cmocka_unit_test(many_lines_leave_room);
    return _cmocka_run_group_tests("mask", tests, ARRAY_LEN(tests), NULL, NULL);
}
