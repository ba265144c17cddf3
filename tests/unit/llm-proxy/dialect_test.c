/* What clients of Anthropic's and Gemini's protocols are written: streams of events that other
 * upstreams have said, whole answers, errors. */
#include "llm-proxy/dialects/anthropic.h"

#include "base/clock.h"
#include "cmocka.h"
#include "json/json_text.h"

#include <stdlib.h>

enum { TEXT_MAX = 1 << 20, ARENA_MAX = 1 << 20 };

/* Thoughts, a text in two pieces, two calls, the second without arguments. */
static const struct llm_event said[] = {
    {.kind = LLM_START, .id = {"id1", 3}, .model = {"gpt", 3}},
    {.kind = LLM_THINKING, .bytes = {"hm", 2}},
    {.kind = LLM_TEXT, .part = 1, .bytes = {"a", 1}},
    {.kind = LLM_TEXT, .part = 1, .bytes = {"b", 1}},
    {.kind = LLM_TOOL_START, .part = 2, .id = {"t1", 2}, .name = {"f", 1}},
    {.kind = LLM_TOOL_ARGS, .part = 2, .bytes = {"{\"x\":", 5}},
    {.kind = LLM_TOOL_ARGS, .part = 2, .bytes = {"1}", 2}},
    {.kind = LLM_TOOL_START, .part = 3, .id = {"t2", 2}, .name = {"g", 1}},
    {.kind = LLM_FINISH, .finish = FINISH_TOOL_CALLS},
};

static struct llm_usage usage(void)
{
    struct llm_usage counted = llm_usage_unknown();
    counted.input_tokens     = 10;
    counted.cached_tokens    = 4;
    counted.output_tokens    = 7;
    counted.reasoning_tokens = 2;
    return counted;
}

static void write_stream(const struct dialect *dialect, bool is_simulated, struct buf *out)
{
    const struct chat_request request = {.model = str_from("route")};
    const struct dialect_about about  = {
         .request = &request, .id = str_from("made-up"), .is_simulated = is_simulated};
    const struct llm_usage counted = usage();
    void *stream                   = dialect->stream_new(&about);
    for (size_t i = 0; i < ARRAY_LEN(said); i++) dialect->stream_event(stream, &said[i], out);
    dialect->stream_end(stream, &counted, out);
    dialect->stream_free(stream);
}

static size_t count_of(const struct buf *text, const char *word)
{
    size_t count = 0;
    for (const char *at = text->ptr; (at = strstr(at, word)); at++) count++;
    return count;
}

static void anthropic_s_stream(void **)
{
    static const char *const expected =
        "event: message_start\n"
        "data: {\"type\":\"message_start\",\"message\":{\"id\":\"id1\",\"type\":\"message\","
        "\"role\":\"assistant\",\"model\":\"gpt\",\"content\":[],\"stop_reason\":null,"
        "\"stop_sequence\":null,\"usage\":{\"input_tokens\":0,\"cache_creation_input_tokens\":0,"
        "\"cache_read_input_tokens\":0,\"output_tokens\":0}}}\n\n"
        "event: content_block_start\n"
        "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":"
        "\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n";
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    write_stream(&dialect_anthropic, true, &text);
    assert_memory_equal(text.ptr, expected, strlen(expected));
    assert_int_equal(count_of(&text, "event: message_start\n"), 1);
    assert_int_equal(count_of(&text, "event: content_block_start\n"), 4);
    assert_int_equal(count_of(&text, "event: content_block_stop\n"), 4);
    assert_int_equal(count_of(&text, "event: message_stop\n"), 1);
    assert_int_equal(count_of(&text, "event: "), count_of(&text, "\n\n"));
    assert_int_equal(count_of(&text, "[DONE]"), 0);
    assert_non_null(strstr(text.ptr, "\"index\":2,\"delta\":{\"type\":\"input_json_delta\","
                                     "\"partial_json\":\"{\\\"x\\\":\"}"));
    assert_non_null(strstr(text.ptr, "\"id\":\"t2\",\"name\":\"g\",\"input\":{}"));
    assert_non_null(strstr(text.ptr, "\"stop_reason\":\"tool_use\""));
    assert_non_null(strstr(text.ptr, "\"input_tokens\":6,\"cache_creation_input_tokens\":0,"
                                     "\"cache_read_input_tokens\":4,\"output_tokens\":7,"
                                     "\"output_tokens_details\":{\"thinking_tokens\":2}"));
    assert_non_null(strstr(text.ptr, "\"tutti\":{\"simulated\":true}"));
}

static void gemini_s_stream(void **)
{
    static const char *const expected =
        "data: {\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"hm\","
        "\"thought\":true}]},\"index\":0}],\"modelVersion\":\"gpt\",\"responseId\":\"id1\"}\n\n";
    static const char *const last =
        "data: {\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":["
        "{\"functionCall\":{\"id\":\"t1\",\"name\":\"f\",\"args\":{\"x\":1}}},"
        "{\"functionCall\":{\"id\":\"t2\",\"name\":\"g\",\"args\":{}}}]},"
        "\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":10,"
        "\"candidatesTokenCount\":5,\"thoughtsTokenCount\":2,\"cachedContentTokenCount\":4,"
        "\"totalTokenCount\":17},\"modelVersion\":\"gpt\",\"responseId\":\"id1\"}\n\n";
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    write_stream(&dialect_gemini, false, &text);
    assert_memory_equal(text.ptr, expected, strlen(expected));
    assert_string_equal(text.ptr + text.len - strlen(last), last);
    assert_int_equal(count_of(&text, "data: "), 4);
    assert_int_equal(count_of(&text, "[DONE]"), 0);
}

/* --- events of the client's own protocol -------------------------------------------------------
 */

static void own_events_are_handed_on(void **)
{
    static const struct {
        const struct dialect *dialect;
        const char *chunk, *expected;
    } rows[] = {
        {&dialect_anthropic, "{\"type\":\"message_stop\",\"fresh\":1}",
         "event: message_stop\ndata: {\"type\":\"message_stop\",\"fresh\":1}\n\n"},
        {&dialect_gemini, "{\"candidates\":[],\"fresh\":1}",
         "data: {\"candidates\":[],\"fresh\":1}\n\n"},
    };
    const struct chat_request request = {.model = str_from("route")};
    const struct dialect_about about  = {.request = &request, .id = str_from("made-up")};
    const struct llm_usage counted    = usage();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
        CLEANUP(json_unrefp) json chunk   = json_invalid();
        CLEANUP(json_unrefp) json error   = json_invalid();
        assert_int_equal(json_parse(str_from(rows[i].chunk), NULL, &chunk, NULL, NULL), STATUS_OK);
        assert_int_equal(
            json_parse(str_from("{\"type\":\"error\",\"error\":{}}"), NULL, &error, NULL, NULL),
            STATUS_OK);
        struct llm_event event = {
            .kind = LLM_CHUNK, .protocol = rows[i].dialect->protocol, .chunk = chunk};
        void *stream = rows[i].dialect->stream_new(&about);
        rows[i].dialect->stream_event(stream, &event, &text);
        rows[i].dialect->stream_event(stream, &said[2], &text); /* made of it: not written twice */
        event.chunk = error;
        rows[i].dialect->stream_event(stream, &event, &text); /* worded by who ends the stream */
        rows[i].dialect->stream_end(stream, &counted, &text);
        rows[i].dialect->stream_free(stream);
        assert_string_equal(text.ptr, rows[i].expected);
    }
}

/* --- whole answers -----------------------------------------------------------------------------
 */

static void print_whole(const struct dialect *dialect, const struct llm_event *chunk,
                        struct buf *out)
{
    const struct chat_request request = {.model = str_from("route")};
    struct answer answer;
    answer_init(&answer);
    if (chunk) answer_take(chunk, &answer);
    for (size_t i = 0; i < ARRAY_LEN(said); i++) answer_take(&said[i], &answer);
    answer.usage                     = usage();
    const struct llm_outcome outcome = {.is_ok = true, .answer = &answer};
    dialect->print_answer(&outcome, &request, out);
    answer_done(&answer);
}

static void whole_answers(void **)
{
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    print_whole(&dialect_anthropic, NULL, &text);
    assert_string_equal(
        text.ptr,
        "{\"id\":\"id1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"gpt\","
        "\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"\"},"
        "{\"type\":\"text\",\"text\":\"ab\"},"
        "{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"f\",\"input\":{\"x\":1}},"
        "{\"type\":\"tool_use\",\"id\":\"t2\",\"name\":\"g\",\"input\":{}}],"
        "\"stop_reason\":\"tool_use\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":6,"
        "\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":4,\"output_tokens\":7,"
        "\"output_tokens_details\":{\"thinking_tokens\":2}}}");
    buf_clear(&text);
    print_whole(&dialect_gemini, NULL, &text);
    assert_string_equal(
        text.ptr,
        "{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"hm\","
        "\"thought\":true},{\"text\":\"ab\"},{\"functionCall\":{\"id\":\"t1\",\"name\":\"f\","
        "\"args\":{\"x\":1}}},{\"functionCall\":{\"id\":\"t2\",\"name\":\"g\",\"args\":{}}}]},"
        "\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":10,"
        "\"candidatesTokenCount\":5,\"thoughtsTokenCount\":2,\"cachedContentTokenCount\":4,"
        "\"totalTokenCount\":17},\"modelVersion\":\"gpt\",\"responseId\":\"id1\"}");
    buf_clear(&text);
    int64_t before_s = clock_unix_us() / 1'000'000;
    print_whole(&dialect_openai_chat, NULL, &text);
    const char *created = strstr(text.ptr, "\"created\":");
    assert_non_null(created); /* the upstream has not said when */
    assert_true(strtoll(created + strlen("\"created\":"), NULL, 10) >= before_s);
}

/* OpenAI says "stop" of a function that had to be called; Anthropic's clients go by "tool_use". */
static void who_calls_tools_has_not_ended(void **)
{
    assert_string_equal(anthropic_stop_reason(FINISH_STOP, true), "tool_use");
    assert_string_equal(anthropic_stop_reason(FINISH_STOP, false), "end_turn");
    assert_string_equal(anthropic_stop_reason(FINISH_LENGTH, true), "max_tokens");
}

static void an_answer_of_the_own_protocol_is_handed_on(void **)
{
    static const struct dialect *const dialects[] = {&dialect_openai_chat, &dialect_anthropic,
                                                     &dialect_gemini};
    CLEANUP(json_unrefp) json body                = json_invalid();
    assert_int_equal(json_parse(str_from("{\"fresh\":1}"), NULL, &body, NULL, NULL), STATUS_OK);
    for (size_t i = 0; i < ARRAY_LEN(dialects); i++) {
        CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
        struct llm_event chunk            = {
                       .kind = LLM_CHUNK, .protocol = dialects[i]->protocol, .chunk = body};
        print_whole(dialects[i], &chunk, &text);
        assert_string_equal(text.ptr, "{\"fresh\":1}");
        chunk.spelled = str_from("{\n  \"fresh\": 1.0\n}\n");
        buf_clear(&text);
        print_whole(dialects[i], &chunk, &text);
        assert_string_equal(text.ptr, "{\n  \"fresh\": 1.0\n}\n");
    }
}

/* --- errors and requests -----------------------------------------------------------------------
 */

static void errors_are_worded(void **)
{
    static const struct {
        const struct dialect *dialect;
        enum llm_error_class class;
        uint32_t http;
        const char *expected;
    } rows[] = {
        {&dialect_anthropic, LLM_ERROR_OVERLOADED, 503, "overloaded_error"},
        {&dialect_anthropic, LLM_ERROR_BREAKER, 0, "overloaded_error"},
        {&dialect_anthropic, LLM_ERROR_RATE_LIMITED, 429, "rate_limit_error"},
        {&dialect_anthropic, LLM_ERROR_REQUEST, 400, "invalid_request_error"},
        {&dialect_anthropic, LLM_ERROR_TIMEOUT, 0, "timeout_error"},
        {&dialect_anthropic, LLM_ERROR_CONNECT, 0, "api_error"},
        {&dialect_anthropic, LLM_ERROR_CONVERSION, 0, "\"error_code\":\"conversion_loss\""},
        {&dialect_openai_chat, LLM_ERROR_REQUEST, 400, "\"code\":\"context_length_exceeded\""},
        {&dialect_openai_chat, LLM_ERROR_REQUEST, 400, "\"param\":\"messages[0]\""},
        {&dialect_openai_chat, LLM_ERROR_REQUEST, 404, "\"type\":\"invalid_request_error\""},
        {&dialect_openai_chat, LLM_ERROR_RATE_LIMITED, 429, "\"code\":\"rate_limited\""},
        {&dialect_openai_chat, LLM_ERROR_RATE_LIMITED, 429, "\"type\":\"rate_limit_error\""},
        {&dialect_openai_chat, LLM_ERROR_RATE_LIMITED, 429, "\"param\":null"},
        {&dialect_openai_chat, LLM_ERROR_LIMIT, 0, "\"type\":\"rate_limit_error\""},
        {&dialect_openai_chat, LLM_ERROR_QUOTA, 429, "\"type\":\"insufficient_quota\""},
        {&dialect_openai_chat, LLM_ERROR_BUDGET, 0, "\"type\":\"budget_exceeded\""},
        {&dialect_openai_chat, LLM_ERROR_OVERLOADED, 503, "\"type\":\"server_error\""},
        {&dialect_gemini, LLM_ERROR_OVERLOADED, 503, "\"code\":503"},
        {&dialect_gemini, LLM_ERROR_OVERLOADED, 503, "\"status\":\"UNAVAILABLE\""},
        {&dialect_gemini, LLM_ERROR_RATE_LIMITED, 429, "RESOURCE_EXHAUSTED"},
        {&dialect_gemini, LLM_ERROR_REQUEST, 404, "NOT_FOUND"},
        {&dialect_gemini, LLM_ERROR_CONNECT, 0, "INTERNAL"},
        {&dialect_gemini, LLM_ERROR_CONVERSION, 0, "\"reason\":\"conversion_loss\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
        const struct llm_error failure    = {.class       = rows[i].class,
                                             .http_status = rows[i].http,
                                             .code        = str_from("context_length_exceeded"),
                                             .param       = str_from("messages[0]"),
                                             .text        = str_from("why")};
        const struct dialect_error error  = dialect_error_of(rows[i].dialect, &failure);
        rows[i].dialect->print_error(&error, &text);
        if (!strstr(text.ptr, rows[i].expected)) fail_msg("%zu: %s", i, text.ptr);
        assert_non_null(strstr(text.ptr, "\"message\":\"why\""));
        rows[i].dialect->stream_fail(NULL, &error, &text);
        assert_non_null(strstr(text.ptr, "data: {"));
    }
}

static status read_path(const char *path, struct chat_request **ret_request, struct arena *arena,
                        struct error *reterr)
{
    CLEANUP(json_unrefp) json body = json_invalid();
    Pb__LlmOpen open               = PB__LLM_OPEN__INIT;
    Pb__LlmHeader strict           = PB__LLM_HEADER__INIT;
    Pb__LlmHeader *headers[]       = {&strict};
    strict.name                    = "tutti-strict";
    strict.value                   = "true";
    open.headers                   = headers;
    open.n_headers                 = 1;
    open.path                      = path;
    assert_int_equal(json_parse(str_from("{\"contents\":[{\"parts\":[{\"text\":\"x\"}]}]}"), NULL,
                                &body, NULL, NULL),
                     STATUS_OK);
    return dialect_read(&dialect_gemini, &open, body, arena, ret_request, reterr);
}

static void gemini_s_path_says_what_is_wanted(void **)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    struct chat_request *request             = NULL;
    assert_int_equal(
        read_path("/v1beta/models/openai/gpt:streamGenerateContent", &request, arena, NULL),
        STATUS_OK);
    assert_true(str_is(request->model, "openai/gpt"));
    assert_true(request->is_stream && request->is_strict);
    assert_int_equal(read_path("/v1beta/models/m:generateContent", &request, arena, NULL),
                     STATUS_OK);
    assert_false(request->is_stream);
    assert_int_equal(read_path("/v1beta/models/m:countTokens", &request, arena, NULL), STATUS_OK);
    assert_true(request->is_count && !request->is_stream);
    assert_int_equal(read_path("/v1beta/models/m:embedContent", &request, arena, NULL),
                     STATUS_UNIMPLEMENTED);
    assert_int_equal(read_path("/v1beta/models/:generateContent", &request, arena, NULL),
                     STATUS_INVALID_ARGUMENT);
    assert_int_equal(read_path("/v1beta/models/m", &request, arena, NULL), STATUS_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anthropic_s_stream),
        cmocka_unit_test(gemini_s_stream),
        cmocka_unit_test(own_events_are_handed_on),
        cmocka_unit_test(whole_answers),
        cmocka_unit_test(who_calls_tools_has_not_ended),
        cmocka_unit_test(an_answer_of_the_own_protocol_is_handed_on),
        cmocka_unit_test(errors_are_worded),
        cmocka_unit_test(gemini_s_path_says_what_is_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
