/* Answers of OpenAI-compatible upstreams as events, and what their failures mean. */
#include "llm-proxy/catalog/provider.h"
#include "llm-proxy/stream/answer.h"

#include "cmocka.h"

struct failing {
    const char *name;
    int http_status;
    const char *body;
    const char *header, *value; /* NULL: none */
    enum llm_error_class class;
    int64_t retry_after_ms;
};

/* clang-format off */
static const struct failing failing[] = {
    {"a key that is refused",     401, "{\"error\":{\"message\":\"no\"}}", NULL, NULL, LLM_ERROR_KEY, 0},
    {"a bad request",             400, "{\"error\":{\"message\":\"no\"}}", NULL, NULL, LLM_ERROR_REQUEST, 0},
    {"a limit that passes",       429, "{\"error\":{\"message\":\"slow\",\"code\":\"rate_limit_exceeded\"}}", "Retry-After", "7", LLM_ERROR_RATE_LIMITED, 7'000},
    {"milliseconds win",          429, "{}", "retry-after-ms", "250", LLM_ERROR_RATE_LIMITED, 250},
    {"a date is not read",        429, "{}", "Retry-After", "Wed, 21 Oct 2026 07:28:00 GMT", LLM_ERROR_RATE_LIMITED, 0},
    {"a spent account",           429, "{\"error\":{\"type\":\"insufficient_quota\"}}", NULL, NULL, LLM_ERROR_QUOTA, 0},
    {"a server error",            503, "oops", NULL, NULL, LLM_ERROR_SERVER, 0},
    {"an overload",               529, "", NULL, NULL, LLM_ERROR_OVERLOADED, 0},
    {"200 that is no JSON",       200, "<html>", NULL, NULL, LLM_ERROR_CONNECT, 0},
    {"200 without choices",       200, "{\"choices\":[]}", NULL, NULL, LLM_ERROR_CONNECT, 0},
    {"200 cut off",               200, "{\"choices\":[{\"message\":{\"con", NULL, NULL, LLM_ERROR_CONNECT, 0},
    {"200 with an error inside",  200, "{\"error\":{\"message\":\"overloaded\"}}", NULL, NULL, LLM_ERROR_CONNECT, 0},
};
/* clang-format on */

static void decode(const struct http_result *result, struct answer *answer)
{
    answer_init(answer);
    provider_compatible.decode(result, answer_take, answer);
}

static void fails_as(void **state)
{
    const struct failing *row       = *state;
    const struct http_header header = {.name  = str_from(row->header ? row->header : "x"),
                                       .value = str_from(row->value ? row->value : "y")};
    const struct http_result result = {
        .code   = STATUS_OK,
        .answer = {.http_status = row->http_status, .headers = &header, .header_count = 1},
        .body   = str_from(row->body)};
    struct answer answer;
    decode(&result, &answer);
    assert_true(answer.is_failed);
    assert_int_equal(answer.end, END_CUT);
    assert_string_equal(llm_error_class_name(answer.error.class), llm_error_class_name(row->class));
    assert_int_equal(answer.error.retry_after_ms, row->retry_after_ms);
    answer_done(&answer);
}

static void a_transfer_that_fails(void **)
{
    static const struct {
        enum http_failure failure;
        enum llm_error_class class;
    } rows[] = {{HTTP_DNS, LLM_ERROR_CONNECT},          {HTTP_CUT, LLM_ERROR_CONNECT},
                {HTTP_TIMEOUT_IDLE, LLM_ERROR_TIMEOUT}, {HTTP_REFUSED, LLM_ERROR_REQUEST},
                {HTTP_TOO_LARGE, LLM_ERROR_REQUEST},    {HTTP_TLS, LLM_ERROR_CONNECT}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct http_result result = {
            .code = STATUS_UNAVAILABLE, .failure = rows[i].failure, .error = {.text = "why"}};
        struct answer answer;
        decode(&result, &answer);
        assert_int_equal(answer.error.class, rows[i].class);
        assert_true(str_is(answer.error.text, "why"));
        answer_done(&answer);
    }
}

static void a_whole_answer(void **)
{
    static const char body[] =
        "{\"id\":\"c1\",\"created\":5,\"model\":\"gpt\",\"choices\":["
        "{\"index\":1,\"message\":{\"content\":null,\"tool_calls\":[{\"id\":\"a\",\"function\":{"
        "\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1}\"}},{\"id\":\"b\",\"function\":{\"name\":"
        "\"g\",\"arguments\":\"\"}}]},\"finish_reason\":\"tool_calls\"},"
        "{\"index\":0,\"message\":{\"content\":\"hi\"},\"finish_reason\":\"length\"}],"
        "\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3,"
        "\"prompt_tokens_details\":{\"cached_tokens\":2}}}";
    const struct http_result result = {
        .code = STATUS_OK, .answer = {.http_status = 200}, .body = str_from(body)};
    struct answer answer;
    decode(&result, &answer);
    assert_false(answer.is_failed);
    assert_int_equal(answer.end, END_COMPLETE);
    assert_int_equal(answer.choice_count, 2);
    assert_string_equal(answer.choices[0].text.ptr, "hi");
    assert_int_equal(answer.choices[0].finish, FINISH_LENGTH);
    assert_int_equal(answer.choices[1].tool_call_count, 2);
    assert_string_equal(answer.choices[1].tool_calls[0].arguments.ptr, "{\"x\":1}");
    assert_int_equal(answer.usage.input_tokens, 7);
    assert_int_equal(answer.usage.cached_tokens, 2);
    assert_int_equal(answer.usage.reasoning_tokens, -1);
    answer_done(&answer);
}

static void the_key_is_sent_and_marked(void **)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct chat_part part                    = {.kind = PART_TEXT, .text = str_from("x")};
    struct chat_message message              = {.role = ROLE_USER, .parts = &part, .part_count = 1};
    struct chat_request request              = {
                     .arena = arena, .messages = &message, .message_count = 1, .model = str_from("route")};
    const struct provider_key key      = {.name = "k", .value = str_from("sk-1")};
    const struct provider provider     = {.kind = &provider_compatible, .base_url = "https://h/v1"};
    struct http_request http           = {};
    const struct provider_request what = {
        .provider = &provider, .key = &key, .chat = &request, .model = str_from("gpt")};
    assert_int_equal(provider_compatible.encode(&what, arena, &http, NULL), STATUS_OK);
    assert_true(str_is(http.url, "https://h/v1/chat/completions"));
    assert_int_equal(http.header_count, 2);
    assert_true(str_is(http.headers[1].value, "Bearer sk-1"));
    assert_true(http.headers[1].is_secret);
    assert_non_null(strstr(http.body.ptr, "\"model\":\"gpt\""));
    assert_false(http.is_repeatable);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(failing) + 3];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(failing); i++) {
        tests[count++] = row_test(failing[i].name, fails_as, &failing[i]);
    }
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_transfer_that_fails);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_whole_answer);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(the_key_is_sent_and_marked);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
