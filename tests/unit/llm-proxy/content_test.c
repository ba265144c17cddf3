/* What a model said, as the value that was asked for. */
#include "llm-proxy/chat/content.h"

#include "cmocka.h"
#include "json/json_text.h"

struct row {
    const char *name, *text;
    const char *expected; /* JSON; NULL: refused */
    const char *reason;   /* in the error */
};

/* clang-format off */
static const struct row rows[] = {
    {"plain JSON",            "{\"n\":1}", "{\"n\":1}", NULL},
    {"fenced",                "```json\n{\"n\":1}\n```", "{\"n\":1}", NULL},
    {"in a sentence",         "Here you are: {\"n\":1}. Anything else?", "{\"n\":1}", NULL},
    {"after a false start",   "{not it} {\"n\":1}", "{\"n\":1}", NULL},
    {"braces inside a text",  "{\"n\":1,\"s\":\"}{\"}", "{\"n\":1,\"s\":\"}{\"}", NULL},
    {"prose",                 "I would rather not.", NULL, "not with JSON"},
    {"nothing",               "", NULL, "not with JSON"},
    {"cut off",               "{\"n\":1", NULL, "not with JSON"},
    {"wrong type",            "{\"n\":\"one\"}", NULL, "/n"},
    {"missing member",        "{}", NULL, "n"},
};
/* clang-format on */

static struct chat_request request_of(json schema)
{
    return (struct chat_request){.format = FORMAT_SCHEMA, .schema = schema};
}

static void check(void **state)
{
    static const char schema_text[]  = "{\"type\":\"object\",\"required\":[\"n\"],"
                                       "\"properties\":{\"n\":{\"type\":\"integer\"}}}";
    const struct row *row            = *state;
    CLEANUP(json_unrefp) json schema = json_invalid();
    CLEANUP(json_unrefp) json value  = json_invalid();
    CLEANUP(json_unrefp) json wanted = json_invalid();
    struct error error               = {};
    assert_int_equal(json_parse(str_from(schema_text), NULL, &schema, NULL, NULL), STATUS_OK);
    const struct chat_request request = request_of(schema);
    status code                       = content_read(&request, str_from(row->text), &value, &error);
    CLEANUP(buf_done) struct buf explained = buf_init(1 << 10);
    content_explain(&request, str_from(row->text), &explained);
    assert_int_equal(explained.len > 0, !row->expected);
    if (!row->expected) {
        assert_int_equal(code, STATUS_INVALID_ARGUMENT);
        assert_non_null(strstr(explained.ptr, row->reason));
        assert_non_null(strstr(error.text, row->reason));
        return;
    }
    assert_int_equal(code, STATUS_OK);
    assert_int_equal(json_parse(str_from(row->expected), NULL, &wanted, NULL, NULL), STATUS_OK);
    assert_true(json_equal(value, wanted));
}

static void text_stays_text(void **)
{
    const struct chat_request request = {};
    CLEANUP(json_unrefp) json value   = json_invalid();
    assert_int_equal(content_read(&request, str_from("{\"n\":1}"), &value, NULL), STATUS_OK);
    assert_true(json_is(value, JSON_TEXT));
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows) + 1];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) tests[i] = row_test(rows[i].name, check, &rows[i]);
    tests[ARRAY_LEN(rows)] = (struct CMUnitTest)cmocka_unit_test(text_stays_text);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
