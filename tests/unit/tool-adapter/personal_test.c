/* Personal data in arguments, by what a manifest marks and a connection says. */
#include "tool-adapter/call/personal.h"

#include "json/json_text.h"

#include "cmocka.h"

static const char schema[] =
    "{\"properties\":{\"body\":{\"pii\":\"scrub\"},\"to\":{},\"name\":{\"pii\":\"block\"},"
    "\"items\":{\"items\":{\"properties\":{\"content\":{\"pii\":\"scrub\"}}}}}}";

static json parsed(const char *text)
{
    json value = json_invalid();
    assert_int_equal(json_parse(str_from(text), NULL, &value, NULL, NULL), STATUS_OK);
    return value;
}

/* `wanted` NULL: refused, with `says` in the text. */
static void check(enum pii_mode mode, const char *params, const char *wanted, const char *says)
{
    CLEANUP(json_unrefp) json of_action = parsed(schema);
    CLEANUP(json_unrefp) json given     = parsed(params);
    CLEANUP(json_unrefp) json result    = json_invalid();
    CLEANUP(buf_done) struct buf out    = buf_init(4096);
    const struct manifest_action action = {.name = "a", .params = of_action};
    const struct scrub_options rule     = {.mode = mode, .kinds = PII_DEFAULT};
    struct error error                  = {};
    status code                         = personal_apply(&rule, &action, given, &result, &error);
    if (!wanted) {
        assert_int_equal(code, STATUS_INVALID_ARGUMENT);
        if (!strstr(error.text, says)) fail_msg("%s", error.text);
        assert_null(strstr(error.text, "ann@"));
        return;
    }
    assert_int_equal(code, STATUS_OK);
    assert_true(json_print(result, JSON_COMPACT, &out));
    assert_string_equal(out.ptr, wanted);
}

static void test_marked_parameters_follow_the_rule(void **)
{
    static const char call[] =
        "{\"body\":\"from ann@example.org\",\"to\":\"ann@example.org\","
        "\"items\":[{\"content\":\"ann@example.org\",\"key\":\"192.0.2.1\"}]}";
    check(PII_MASK, call,
          "{\"body\":\"from [EMAIL_1]\",\"to\":\"ann@example.org\","
          "\"items\":[{\"content\":\"[EMAIL_1]\",\"key\":\"192.0.2.1\"}]}",
          NULL);
    check(PII_ALLOW, call, call, NULL);
    check(PII_BLOCK, call, NULL, "body, content: personal data that may not leave: email");
    check(PII_MASK, "{\"body\":\"clean\"}", "{\"body\":\"clean\"}", NULL);
}

static void test_what_must_hold_none_is_refused_whatever_the_rule(void **)
{
    check(PII_MASK, "{\"name\":\"ann@example.org\"}", NULL, "name: personal data");
    check(PII_ALLOW, "{\"name\":\"ann@example.org\"}", NULL, "name: personal data");
    check(PII_MASK, "{\"name\":\"Ann\"}", "{\"name\":\"Ann\"}", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_marked_parameters_follow_the_rule),
        cmocka_unit_test(test_what_must_hold_none_is_refused_whatever_the_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
