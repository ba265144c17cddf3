/* What answers and their absence mean, and how long to wait. */
#include "tool-adapter/call/outcome.h"

#include "ledger.h"

#include "base/attr.h"
#include "tool-adapter/http/rest.h"

#include <stdio.h>
#include <string.h>

static const int64_t now_us = INT64_C(1'767'225'600'000'000); /* 2026-01-01T00:00:00Z */

static void judge(const struct ledger *ledger, const char *action, const char *response,
                  struct outcome *ret_outcome)
{
    char more[1024];
    const struct manifest_action *used = ledger_action(ledger, action);
    (void)snprintf(more, sizeof more, "{\"response\":%s}", response);
    CLEANUP(json_unrefp)
    json scope = scope_of(ledger, used, action[0] == 'b' ? "{\"text\":\"a\"}" : "{}", more);
    outcome_of_answer(used, &used->steps[0], scope, now_us, ret_outcome);
}

static void test_classes(void **)
{
    static const struct {
        int http_status;
        enum outcome_class of_read, of_write;
    } rows[] = {
        {200, OUTCOME_OK, OUTCOME_OK},
        {299, OUTCOME_OK, OUTCOME_OK},
        {302, OUTCOME_FATAL, OUTCOME_FATAL},
        {400, OUTCOME_INVALID, OUTCOME_INVALID},
        {401, OUTCOME_AUTH, OUTCOME_AUTH},
        {403, OUTCOME_AUTH, OUTCOME_AUTH},
        {404, OUTCOME_NOT_FOUND, OUTCOME_NOT_FOUND},
        {408, OUTCOME_TRANSIENT, OUTCOME_UNKNOWN},
        {409, OUTCOME_CONFLICT, OUTCOME_CONFLICT},
        {410, OUTCOME_NOT_FOUND, OUTCOME_NOT_FOUND},
        {412, OUTCOME_CONFLICT, OUTCOME_CONFLICT},
        {418, OUTCOME_FATAL, OUTCOME_FATAL},
        {422, OUTCOME_INVALID, OUTCOME_INVALID},
        {429, OUTCOME_THROTTLED, OUTCOME_THROTTLED},
        {500, OUTCOME_TRANSIENT, OUTCOME_UNKNOWN},
        {502, OUTCOME_TRANSIENT, OUTCOME_UNKNOWN},
        {503, OUTCOME_TRANSIENT, OUTCOME_TRANSIENT},
        {529, OUTCOME_THROTTLED, OUTCOME_THROTTLED}, /* a rule of the manifest */
    };
    CLEANUP(ledger_done) struct ledger ledger = {};
    ledger_init(&ledger);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char response[128];
        struct outcome outcome = {};
        (void)snprintf(response, sizeof response, "{\"status\":%d,\"headers\":{},\"body\":{}}",
                       rows[i].http_status);
        judge(&ledger, "linked", response, &outcome);
        if (outcome.class != rows[i].of_read) fail_msg("read %d", rows[i].http_status);
        judge(&ledger, "book", response, &outcome);
        if (outcome.class != rows[i].of_write) fail_msg("write %d", rows[i].http_status);
        assert_int_equal(outcome.http_status, rows[i].http_status);
    }
}

static void test_rules_and_texts(void **)
{
    CLEANUP(ledger_done) struct ledger ledger = {};
    struct outcome outcome                    = {};
    ledger_init(&ledger);
    judge(&ledger, "book",
          "{\"status\":403,\"headers\":{\"x-left\":\"0\",\"x-reset\":\"1767225630\"},"
          "\"body\":{\"error\":\"slow down\"}}",
          &outcome);
    assert_int_equal(outcome.class, OUTCOME_THROTTLED);
    assert_int_equal(outcome.wait_ms, 30'000);
    CLEANUP(json_unrefp) json error = outcome_error_new(&outcome, ledger_action(&ledger, "book"));
    assert_json(json_get_text(error, "status"), "429");
    assert_json(json_get_text(error, "detail"), "\"ledger.book: HTTP 403: slow down\"");

    judge(&ledger, "asked",
          "{\"status\":200,\"headers\":{},\"body\":{\"errors\":[{\"message\":\"no such field\"}]}}",
          &outcome);
    assert_int_equal(outcome.class, OUTCOME_INVALID);
    assert_non_null(strstr(outcome.detail, "no such field"));
    CLEANUP(json_unrefp)
    json refused = outcome_error_new(&outcome, ledger_action(&ledger, "asked"));
    assert_json(json_get_text(refused, "status"), "400");
}

static void test_personal_data_stays_out_of_errors(void **)
{
    CLEANUP(ledger_done) struct ledger ledger = {};
    struct outcome outcome                    = {};
    ledger_init(&ledger);
    judge(&ledger, "book",
          "{\"status\":422,\"headers\":{},\"body\":{\"error\":\"ann@example.org is taken, card "
          "4111 1111 1111 1111\"}}",
          &outcome);
    assert_string_equal(outcome.detail, "HTTP 422: [EMAIL] is taken, card [CARD]");
}

static void test_no_answer(void **)
{
    CLEANUP(ledger_done) struct ledger ledger = {};
    struct outcome outcome                    = {};
    ledger_init(&ledger);
    const struct manifest_action *read  = ledger_action(&ledger, "linked");
    const struct manifest_action *write = ledger_action(&ledger, "book");
    outcome_of_failure(read, true, "cut", &outcome);
    assert_int_equal(outcome.class, OUTCOME_TRANSIENT);
    outcome_of_failure(write, false, "cut", &outcome);
    assert_int_equal(outcome.class, OUTCOME_TRANSIENT);
    outcome_of_failure(write, true, "cut", &outcome);
    assert_int_equal(outcome.class, OUTCOME_UNKNOWN);
    CLEANUP(json_unrefp) json error = outcome_error_new(&outcome, write);
    assert_json(json_get_text(error, "type"), "\"https://tutti.dev/errors/unknown-outcome\"");
    assert_json(json_get_text(error, "status"), "504");

    outcome_of_refusal(write, STATUS_INVALID_ARGUMENT, "params/text must be string", &outcome);
    CLEANUP(json_unrefp) json invalid = outcome_error_new(&outcome, write);
    assert_non_null(strstr(json_str(json_get_text(invalid, "type")).ptr, "validation"));
    outcome_of_refusal(write, STATUS_FAILED_PRECONDITION, "lacks a secret", &outcome);
    CLEANUP(json_unrefp) json lacking = outcome_error_new(&outcome, write);
    assert_non_null(strstr(json_str(json_get_text(lacking, "type")).ptr, "configuration"));
    outcome_of_refusal(write, STATUS_RESOURCE_EXHAUSTED, "full", &outcome);
    assert_int_equal(outcome.class, OUTCOME_TRANSIENT);
}

static void test_waits(void **)
{
    static const struct {
        const char *response;
        int64_t wait_ms;
    } rows[] = {
        {"{\"status\":429,\"headers\":{}}", 0},
        {"{\"status\":429,\"headers\":{\"retry-after\":\"2\"}}", 2'000},
        {"{\"status\":429,\"headers\":{\"retry-after\":\"0.5\"}}", 500},
        {"{\"status\":429,\"headers\":{\"retry-after\":\"-1\"}}", 0},
        {"{\"status\":429,\"headers\":{\"retry-after\":\"soon\"}}", 0},
        {"{\"status\":429,\"headers\":{\"retry-after\":\"1e300\"}}", 86'400'000},
        {"{\"status\":429,\"headers\":{\"retry-after\":\"Thu, 01 Jan 2026 00:00:10 GMT\"}}",
         10'000},
        {"{\"status\":429,\"headers\":{\"retry-after\":\"Thu, 01 Jan 2026 00:00:10 GMT\","
         "\"date\":\"Thu, 01 Jan 2026 00:00:07 GMT\"}}",
         3'000},
        {"{\"status\":200,\"headers\":{\"retry-after\":\"2\"}}", 0},
        {"{\"status\":200,\"headers\":{\"x-left\":\"0\",\"x-reset\":\"1767225601\"}}", 1'000},
        {"{\"status\":200,\"headers\":{\"x-left\":\"1\",\"x-reset\":\"1767225601\"}}", 0},
        {"{\"status\":200,\"headers\":{\"x-left\":\"x\",\"x-reset\":\"1767225601\"}}", 0},
        {"{\"status\":200,\"headers\":{\"x-left\":\"0\",\"x-reset\":\"1767225599\"}}", 0},
    };
    CLEANUP(ledger_done) struct ledger ledger = {};
    ledger_init(&ledger);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[512];
        (void)snprintf(text, sizeof text, "{\"response\":%s}", rows[i].response);
        CLEANUP(json_unrefp) json scope = parsed(text);
        int64_t wait_ms                 = rest_of(&ledger.manifest->rate_limit, scope, now_us);
        if (wait_ms != rows[i].wait_ms) fail_msg("%s: %lld", rows[i].response, (long long)wait_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_rules_and_texts),
        cmocka_unit_test(test_personal_data_stays_out_of_errors),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
