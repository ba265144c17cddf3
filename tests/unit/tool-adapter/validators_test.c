/* By what an answer is asked after, and what of it is never sent. */
#include "tool-adapter/connections/validators.h"

#include "ledger.h"

#include "base/attr.h"

#include <string.h>

static void test_what_an_answer_is_asked_after_by(void **)
{
    static const struct {
        const char *headers, *validators; /* NULL: none */
    } rows[] = {
        {"{\"etag\":\"\\\"a b~\\\"\"}", "{\"etag\":\"\\\"a b~\\\"\"}"},
        {"{\"etag\":\"W/\\\"1\\\"\",\"last-modified\":\"then\"}",
         "{\"etag\":\"W/\\\"1\\\"\",\"last_modified\":\"then\"}"},
        {"{\"etag\":\"\"}", NULL},
        {"{\"etag\":7}", NULL},
        {"{\"etag\":\"a\\u0001\"}", NULL}, /* such a header could not be sent */
        {"{\"etag\":\"a\\r\\nx: y\"}", NULL},
        {"{\"etag\":\"\\ufffd\",\"last-modified\":\"then\"}", "{\"last_modified\":\"then\"}"},
        {"{}", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json response = json_object_new(1);
        json_object_put_text(&response, "headers", parsed(rows[i].headers));
        CLEANUP(json_unrefp) json validators = validators_new(response);
        json_unref(response);
        if (rows[i].validators) {
            assert_json(validators, rows[i].validators);
        } else if (!json_is(validators, JSON_INVALID)) {
            fail_msg("row %zu has some", i);
        }
    }
}

static void test_a_long_one_is_not_kept(void **)
{
    char text[VALIDATOR_SIZE_MAX + 2];
    memset(text, 'x', sizeof text - 1);
    for (size_t more = 0; more < 2; more++) {
        json headers                    = json_object_new(1);
        json response                   = json_object_new(1);
        text[VALIDATOR_SIZE_MAX + more] = '\0';
        json_object_put_text(&headers, "etag", json_text_from(text));
        json_object_put_text(&response, "headers", headers);
        CLEANUP(json_unrefp) json validators = validators_new(response);
        assert_int_equal(json_count(validators), more == 0 ? 1 : 0);
        json_unref(response);
        text[VALIDATOR_SIZE_MAX + more] = 'x';
    }
}

static void test_what_is_named_already_stays(void **)
{
    CLEANUP(json_unrefp)
    json validators = parsed("{\"etag\":\"e\",\"last_modified\":\"then\"}");
    struct http_header headers[1 + VALIDATORS_MAX] = {
        {.name = str_from("if-none-match"), .value = str_from("mine")}};
    assert_int_equal(validators_put(validators, headers, 1), 2);
    assert_true(str_is(headers[0].value, "mine"));
    assert_true(str_is(headers[1].name, "If-Modified-Since") && str_is(headers[1].value, "then"));
    assert_int_equal(validators_put(json_invalid(), headers, 1), 1);
}

static void test_only_who_has_asked_believes_that_nothing_has_changed(void **)
{
    CLEANUP(json_unrefp) json validators = parsed("{\"etag\":\"e\"}");
    CLEANUP(json_unrefp) json unchanged  = parsed("{\"status\":304}");
    CLEANUP(json_unrefp) json changed    = parsed("{\"status\":200}");
    assert_true(validators_hold(validators, unchanged));
    assert_false(validators_hold(validators, changed));
    assert_false(validators_hold(json_invalid(), unchanged));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_an_answer_is_asked_after_by),
        cmocka_unit_test(test_a_long_one_is_not_kept),
        cmocka_unit_test(test_what_is_named_already_stays),
        cmocka_unit_test(test_only_who_has_asked_believes_that_nothing_has_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
