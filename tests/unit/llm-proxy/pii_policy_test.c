/* What the rules about personal data leave of bodies in the three protocols. */
#include "llm-proxy/catalog/pii_policy.h"

#include "json/json_text.h"

#include "cmocka.h"

#define LONG_KEY                                                                                   \
    "sk"                                                                                           \
    "-ant-api03-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"
#define IMAGE                                                                                      \
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJg" \
    "gg"

/* `left` NULL: nothing is looked for there, the body stays. */
static const struct row {
    const char *body, *left;
} rows[] = {
    {"{\"messages\":[{\"role\":\"user\",\"content\":\"ann@example.org\"}],\"model\":\"ann@example."
     "org\"}",
     "{\"messages\":[{\"role\":\"user\",\"content\":\"[EMAIL_1]\"}],\"model\":\"ann@example."
     "org\"}"},
    {"{\"messages\":[{\"content\":[{\"type\":\"tool_use\",\"input\":{\"url\":\"https://x.example/"
     "?token=abcdef1&m= ann@example.org\",\"key\":\"" LONG_KEY "\"}}]}]}",
     "{\"messages\":[{\"content\":[{\"type\":\"tool_use\",\"input\":{\"url\":\"https://x.example/"
     "?token=[URL_CREDENTIALS_1]&m= [EMAIL_1]\",\"key\":\"[SECRET_1]\"}}]}]}"},
    {"{\"messages\":[{\"role\":\"tool\",\"content\":\"" LONG_KEY "\"}]}",
     "{\"messages\":[{\"role\":\"tool\",\"content\":\"[SECRET_1]\"}]}"},
    {"{\"contents\":[{\"parts\":[{\"functionResponse\":{\"response\":{\"url\":\"https://"
     "ann:secret@x.example\"}}}]}]}",
     "{\"contents\":[{\"parts\":[{\"functionResponse\":{\"response\":{\"url\":\"https://"
     "[URL_CREDENTIALS_1]@x.example\"}}}]}]}"},
    {"{\"messages\":[{\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://"
     "x.example/a.png?token=abcdef1\"}}]}]}",
     NULL},
    {"{\"messages\":[{\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"https:// of "
     "078-05-1120\"}}]}]}",
     "{\"messages\":[{\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"https:// of "
     "[SSN_1]\"}}]}]}"},
    {"{\"messages\":[{\"content\":[{\"source\":{\"data\":\"" IMAGE "\"}}]}]}", NULL},
    {"{\"prediction\":{\"type\":\"content\",\"content\":\"ann@example.org\"},\"user\":\"bob@"
     "example.org\",\"metadata\":{\"user_id\":\"ann@example.org\"}}",
     "{\"prediction\":{\"type\":\"content\",\"content\":\"[EMAIL_1]\"},\"user\":\"[EMAIL_2]\","
     "\"metadata\":{\"user_id\":\"[EMAIL_1]\"}}"},
    {"{\"generateContentRequest\":{\"model\":\"ann@example.org\",\"contents\":[{\"parts\":[{"
     "\"text\":\"ann@example.org\"}]}]}}",
     "{\"generateContentRequest\":{\"model\":\"ann@example.org\",\"contents\":[{\"parts\":[{"
     "\"text\":\"[EMAIL_1]\"}]}]}}"},
    {"{\"tools\":[{\"description\":\"like ann@example.org\"}]}", NULL},
};

static json parsed(const char *text)
{
    json value = json_invalid();
    assert_int_equal(json_parse(str_from(text), NULL, &value, NULL, NULL), STATUS_OK);
    return value;
}

static void test_masks(void **)
{
    const struct scrub_options rule = {.mode = PII_MASK, .kinds = PII_DEFAULT};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(json_unrefp) json body   = parsed(rows[i].body);
        CLEANUP(json_unrefp) json left   = json_invalid();
        CLEANUP(buf_done) struct buf out = buf_init(4096);
        struct error error               = {};
        assert_int_equal(pii_policy_apply(&rule, body, &left, &error), STATUS_OK);
        assert_true(json_print(left, JSON_COMPACT, &out));
        assert_string_equal(out.ptr, rows[i].left ? rows[i].left : rows[i].body);
    }
}

static void test_blocks_what_it_would_mask(void **)
{
    const struct scrub_options rule = {.mode = PII_BLOCK, .kinds = PII_DEFAULT};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(json_unrefp) json body = parsed(rows[i].body);
        CLEANUP(json_unrefp) json left = json_invalid();
        struct error error             = {};
        status code                    = pii_policy_apply(&rule, body, &left, &error);
        assert_int_equal(code, rows[i].left ? STATUS_FAILED_PRECONDITION : STATUS_OK);
        assert_null(strstr(error.text, "ann@"));
    }
}

/* What nobody can look through does not leave, whatever the rule. */
static void test_refuses_tokens(void **)
{
    static const char *const bodies[] = {"{\"input\":[7,8]}", "{\"input\":[[7,8],[9]]}"};
    for (enum pii_mode mode = PII_MASK; mode < PII_MODE_COUNT; mode++) {
        const struct scrub_options rule = {
            .mode = mode, .kinds = PII_DEFAULT, .key = bytes_from(str_from("0123456789abcdef"))};
        for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
            CLEANUP(json_unrefp) json body = parsed(bodies[i]);
            CLEANUP(json_unrefp) json left = json_invalid();
            struct error error             = {};
            status code                    = pii_policy_apply(&rule, body, &left, &error);
            assert_int_equal(code, STATUS_FAILED_PRECONDITION);
            assert_non_null(strstr(error.text, "/input: tokens"));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_masks),
        cmocka_unit_test(test_blocks_what_it_would_mask),
        cmocka_unit_test(test_refuses_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
