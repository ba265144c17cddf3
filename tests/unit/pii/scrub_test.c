#include "pii/scrub.h"

#include "json/json_text.h"

#include "cmocka.h"

enum { TEXT_MAX = 4096 };

static const struct scrub_options masking = {.mode = PII_MASK, .kinds = PII_DEFAULT};

static void scrubbed(const struct scrub_options *options, const char *text, const char *wanted)
{
    CLEANUP(scrub_freep) struct scrub *scrub = scrub_new(options);
    CLEANUP(buf_done) struct buf out         = buf_init(TEXT_MAX);
    assert_true(scrub_text(scrub, str_from(text), &out));
    assert_string_equal(out.ptr, wanted);
}

static void test_the_same_value_has_the_same_number(void **)
{
    scrubbed(&masking, "ann@example.org and bob@example.org, again ann@example.org at 192.0.2.1",
             "[EMAIL_1] and [EMAIL_2], again [EMAIL_1] at [IP_1]");
    scrubbed(&masking, "nothing here", "nothing here");
}

static void test_messages_and_logs_have_no_numbers(void **)
{
    CLEANUP(buf_done) struct buf out = buf_init(TEXT_MAX);
    CLEANUP(buf_done) struct buf log = buf_init(TEXT_MAX);
    str text = str_from("ann@example.org at 192.0.2.1 paid by 4111 1111 1111 1111.");
    assert_true(pii_hide(text, PII_DEFAULT, &out));
    assert_string_equal(out.ptr, "[EMAIL] at [IP] paid by [CARD].");
    assert_true(pii_hide_in_log(text, &log));
    assert_string_equal(log.ptr, "[EMAIL] at 192.0.2.1 paid by [CARD].");
    buf_clear(&out);
    assert_false(pii_hide(str_from("nothing here"), PII_DEFAULT, &out));
    assert_false(pii_hide_in_log(str_from("127.0.0.1:8080 01M84NFMKQ000000000570DHE3"), &out));
    assert_int_equal(out.len, 0);
}

static void test_hashes_need_the_key(void **)
{
    const struct scrub_options one = {
        .mode = PII_HASH, .kinds = PII_DEFAULT, .key = {"0123456789abcdef", 16}};
    const struct scrub_options two = {
        .mode = PII_HASH, .kinds = PII_DEFAULT, .key = {"0123456789abcdeg", 16}};
    scrubbed(&one, "ann@example.org", "[EMAIL_b2eadfbaaca8]");
    scrubbed(&two, "ann@example.org", "[EMAIL_6e3841fc1c71]");
}

static void test_block_and_allow_change_nothing(void **)
{
    const struct scrub_options block = {.mode = PII_BLOCK, .kinds = PII_DEFAULT};
    const struct scrub_options allow = {.mode = PII_ALLOW, .kinds = PII_DEFAULT};
    CLEANUP(buf_done) struct buf out = buf_init(TEXT_MAX);
    scrubbed(&block, "ann@example.org", "ann@example.org");
    scrubbed(&allow, "ann@example.org", "ann@example.org");
    CLEANUP(scrub_freep) struct scrub *scrub = scrub_new(&block);
    CLEANUP(json_unrefp) json value          = json_text_from("4111 1111 1111 1111 of a@b.example");
    json_unref(scrub_json(scrub, value));
    pii_kinds_print(scrub_found(scrub), &out);
    assert_string_equal(out.ptr, "email, card");
}

static void check_json(const char *text, const char *wanted)
{
    CLEANUP(scrub_freep) struct scrub *scrub = scrub_new(&masking);
    CLEANUP(json_unrefp) json value          = json_invalid();
    CLEANUP(buf_done) struct buf out         = buf_init(TEXT_MAX);
    assert_int_equal(json_parse(str_from(text), NULL, &value, NULL, NULL), STATUS_OK);
    CLEANUP(json_unrefp) json result = scrub_json(scrub, value);
    assert_true(json_print(result, JSON_COMPACT, &out));
    assert_string_equal(out.ptr, wanted);
    buf_clear(&out); /* the given one is as it was */
    assert_true(json_print(value, JSON_COMPACT, &out));
    assert_string_equal(out.ptr, text);
}

static void test_values_at_any_depth(void **)
{
    check_json("{\"a\":[\"x\",{\"b\":\"ann@example.org\"},[[\"192.0.2.1\"]]],\"c\":1,\"d\":\"ann@"
               "example.org\"}",
               "{\"a\":[\"x\",{\"b\":\"[EMAIL_1]\"},[[\"[IP_1]\"]]],\"c\":1,\"d\":\"[EMAIL_1]\"}");
    check_json("\"ann@example.org\"", "\"[EMAIL_1]\"");
    check_json("{\"ann@example.org\":{},\"n\":[]}", "{\"ann@example.org\":{},\"n\":[]}");
    check_json("12", "12");
    check_json("[4111111111111111,4111111111111112,0.4111111111111111,-4111111111111111]",
               "[\"[CARD_1]\",4111111111111112,0.4111111111111111,-4111111111111111]");
}

static void test_what_is_clean_is_shared(void **)
{
    CLEANUP(scrub_freep) struct scrub *scrub = scrub_new(&masking);
    CLEANUP(json_unrefp) json value          = json_invalid();
    assert_int_equal(json_parse(str_from("{\"a\":[\"clean\",1]}"), NULL, &value, NULL, NULL),
                     STATUS_OK);
    CLEANUP(json_unrefp) json result = scrub_json(scrub, value);
    assert_ptr_equal(result.array, value.array);
    assert_int_equal(scrub_found(scrub), 0);
}

static void test_modes_are_named(void **)
{
    enum pii_mode mode = PII_ALLOW;
    for (int i = 0; i < PII_MODE_COUNT; i++) {
        assert_true(pii_mode_of(str_from(pii_mode_name((enum pii_mode)i)), &mode));
        assert_int_equal(mode, i);
    }
    assert_false(pii_mode_of(str_from("restore"), &mode));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_value_has_the_same_number),
        cmocka_unit_test(test_messages_and_logs_have_no_numbers),
        cmocka_unit_test(test_hashes_need_the_key),
        cmocka_unit_test(test_block_and_allow_change_nothing),
        cmocka_unit_test(test_values_at_any_depth),
        cmocka_unit_test(test_what_is_clean_is_shared),
        cmocka_unit_test(test_modes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
