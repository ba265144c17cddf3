/* Webhooks: what is sent, signed as Standard Webhooks say, and what becomes of the answer. */
#include "tool-adapter/jobs/webhook_job.h"

#include "cmocka.h"
#include "json/json_text.h"

enum { ARENA_MAX = 1 << 20 };

static str header_of(const struct http_job *job, const char *name)
{
    for (size_t i = 0; i < job->request.header_count; i++) {
        if (str_is(job->request.headers[i].name, name)) return job->request.headers[i].value;
    }
    return (str){};
}

#define ATTRIBUTES                                                                                 \
    "\"type\": \"t\", \"source\": \"/s\", \"subject\": \"r\", \"time\": "                          \
    "\"2026-11-22T06:00:00Z\", "                                                                   \
    "\"url\": \"https://hooks.test/x\""

static status read(struct arena *arena, const char *text, json *ret_input, struct http_job *ret_job)
{
    struct error error = {};
    assert_int_equal(json_parse(str_from(text), NULL, ret_input, NULL, NULL), STATUS_OK);
    return webhook_job_read(*ret_input, INT64_C(1'614'265'330'000'000), arena, ret_job, &error);
}

/* The example of the Standard Webhooks specification. */
static void the_signature_is_that_of_the_specification(void **)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json input          = json_invalid();
    struct http_job job                      = {};
    assert_int_equal(read(arena,
                          "{" ATTRIBUTES ", \"secret\": \"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\","
                          " \"id\": \"msg_p5jXN8AQM9LWM0D4loKWxJek\", \"iteration\": \"2/0\","
                          " \"data\": \"{\\\"test\\\": 2432232314}\"}",
                          &input, &job),
                     STATUS_OK);
    assert_true(str_is(header_of(&job, "webhook-signature"),
                       "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    assert_true(str_is(header_of(&job, "webhook-timestamp"), "1614265330"));
    assert_true(str_is(header_of(&job, "webhook-id"), "msg_p5jXN8AQM9LWM0D4loKWxJek"));
    assert_true(str_is(header_of(&job, "ce-id"), "msg_p5jXN8AQM9LWM0D4loKWxJek"));
    assert_true(str_is(header_of(&job, "ce-type"), "t"));
    assert_true(str_is(header_of(&job, "ce-iteration"), "2/0"));
    assert_true(str_is(job.request.method, "POST"));
    assert_int_equal(job.request.redirects_max, 0);
}

static void an_input_that_lacks_something_is_refused(void **)
{
    static const char *const bad[] = {
        "{}",
        "{" ATTRIBUTES ", \"secret\": \"!\", \"id\": \"1\", \"data\": \"1\"}",
        "{" ATTRIBUTES ", \"id\": \"1\", \"data\": \"1\"}",
        "{\"url\": \"https://x\", \"secret\": \"AAAA\", \"id\": \"1\", \"data\": \"1\"}",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
        CLEANUP(json_unrefp) json input          = json_invalid();
        struct http_job job                      = {};
        assert_int_equal(read(arena, bad[i], &input, &job), STATUS_INVALID_ARGUMENT);
    }
}

static void only_2xx_is_done(void **)
{
    static const struct {
        status code;
        int http_status;
        bool is_ok;
    } rows[] = {
        {STATUS_OK, 200, true},  {STATUS_OK, 204, true},  {STATUS_OK, 301, false},
        {STATUS_OK, 410, false}, {STATUS_OK, 500, false}, {STATUS_UNAVAILABLE, 0, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_result http = {.code = rows[i].code, .answer.http_status = rows[i].http_status};
        struct http_job_result result = {};
        webhook_job_finish(&http, &result);
        assert_int_equal(result.is_ok, rows[i].is_ok);
        json number = json_get_text(result.value, "status");
        if (rows[i].http_status >= 300) {
            assert_true(json_equal(number, json_int(rows[i].http_status)));
        }
        json_unref(result.value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_signature_is_that_of_the_specification),
        cmocka_unit_test(an_input_that_lacks_something_is_refused),
        cmocka_unit_test(only_2xx_is_done),
    };
    return cmocka_run_group_tests_name("webhook_job", tests, NULL, NULL);
}
