/* Answers of OpenAI-compatible upstreams as events, and what their failures mean. */
#include "llm-proxy/catalog/provider.h"
#include "llm-proxy/providers/compatible.h"
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
    {"200 with an error inside",  200, "{\"error\":{\"message\":\"busy\"}}", NULL, NULL, LLM_ERROR_SERVER, 0},
    {"an error beside choices",   200, "{\"error\":{\"message\":\"busy\"},\"choices\":[{\"message\":{\"content\":\"\"}}]}", NULL, NULL, LLM_ERROR_SERVER, 0},
    {"200 with a status inside",  200, "{\"error\":{\"message\":\"slow\",\"code\":429}}", NULL, NULL, LLM_ERROR_RATE_LIMITED, 0},
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

/* What servers say in words of their own. */
static void a_whole_answer_of_others(void **)
{
    static const char body[] =
        "{\"id\":\"c1\",\"choices\":[{\"message\":{\"content\":[{\"type\":\"thinking\","
        "\"thinking\":[{\"type\":\"text\",\"text\":\"hm\"}]},{\"type\":\"text\",\"text\":\"a\"},"
        "{\"type\":\"text\",\"text\":\"b\"}],\"tool_calls\":[{\"function\":{\"name\":\"f\","
        "\"arguments\":{\"x\":1}}},{\"function\":{\"name\":\"f\",\"arguments\":{\"x\":1}}}]}}]}";
    static const char reasoned[] = "{\"choices\":[{\"message\":{\"reasoning\":\"why\"}}]}";
    static const char twice[]    = "{\"choices\":[{\"message\":{\"reasoning\":\"short\","
                                   "\"reasoning_content\":\"long\"}}]}";
    struct http_result result    = {
           .code = STATUS_OK, .answer = {.http_status = 200}, .body = str_from(body)};
    struct answer answer;
    decode(&result, &answer);
    assert_string_equal(answer.choices[0].thinking.ptr, "hm");
    assert_string_equal(answer.choices[0].text.ptr, "ab");
    const struct answer_tool_call *calls = answer.choices[0].tool_calls;
    assert_int_equal(answer.choices[0].tool_call_count, 2);
    assert_string_equal(calls[1].arguments.ptr, "{\"x\":1}");
    assert_true(str_starts_with(buf_str(&calls[0].id), str_from("call_")));
    assert_false(str_equal(buf_str(&calls[0].id), buf_str(&calls[1].id)));
    answer_done(&answer);
    result.body = str_from(reasoned);
    decode(&result, &answer);
    assert_string_equal(answer.choices[0].thinking.ptr, "why");
    answer_done(&answer);
    result.body = str_from(twice); /* whichever stands first, as in streams */
    decode(&result, &answer);
    assert_string_equal(answer.choices[0].thinking.ptr, "long");
    answer_done(&answer);
}

/* Most answers are not made values of: what goes out is what came. */
static void an_ordinary_answer_is_scanned(void **)
{
    static const char body[] = "{\"id\":\"c1\",\"created\":5,\"model\":\"gpt\",\"x\":1.0,"
                               "\"choices\":[{\"index\":0,\"message\":{"
                               "\"content\":\"a\\nb\",\"refusal\":null,\"tool_calls\":null},"
                               "\"finish_reason\":\"length\"}],"
                               "\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}";
    CLEANUP(buf_done) struct buf printed = buf_init(ANSWER_TEXT_MAX);
    struct json_writer w                 = json_writer_init(&printed);
    struct answer answer;
    answer_init(&answer);
    assert_true(compatible_scan(str_from(body), answer_take, &answer));
    assert_int_equal(answer.end, END_COMPLETE);
    assert_int_equal(answer.created_us, 5'000'000);
    assert_string_equal(answer.choices[0].text.ptr, "a\nb");
    assert_int_equal(answer.choices[0].finish, FINISH_LENGTH);
    assert_int_equal(answer.usage.input_tokens, 7);
    assert_int_equal(answer.usage.output_tokens, 3);
    assert_true(answer_has_whole(&answer, PROTOCOL_OPENAI));
    assert_false(answer_has_whole(&answer, PROTOCOL_GEMINI));
    answer_print_whole(&answer, &w);
    assert_string_equal(printed.ptr, body);
    answer_done(&answer);
}

/* Reads `usage` in an answer as the scan does. */
static struct llm_usage scanned_usage(const char *usage)
{
    CLEANUP(buf_done) struct buf body = buf_init(4096);
    struct answer answer;
    (void)buf_printf(&body,
                     "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"a\"},"
                     "\"finish_reason\":\"stop\"}],\"usage\":%s}",
                     usage);
    answer_init(&answer);
    assert_true(compatible_scan(buf_str(&body), answer_take, &answer));
    struct llm_usage found = answer.usage;
    answer_done(&answer);
    return found;
}

static void usage_is_scanned(void **)
{
    struct llm_usage all =
        scanned_usage("{\"prompt_tokens\":7,\"completion_tokens\":3,\"total_tokens\":10,"
                      "\"prompt_tokens_details\":{\"cached_tokens\":2,\"audio_tokens\":1,"
                      "\"cache_write_tokens\":4,\"other\":[1]},"
                      "\"completion_tokens_details\":{\"reasoning_tokens\":5,"
                      "\"audio_tokens\":6}}");
    assert_int_equal(all.input_tokens, 7);
    assert_int_equal(all.output_tokens, 3);
    assert_int_equal(all.cached_tokens, 2);
    assert_int_equal(all.cache_write_tokens, 4);
    assert_int_equal(all.input_audio_tokens, 1);
    assert_int_equal(all.reasoning_tokens, 5);
    assert_int_equal(all.output_audio_tokens, 6);
    assert_int_equal(all.searches, -1);

    struct llm_usage some = scanned_usage("{\"prompt_tokens\":null,\"completion_tokens\":0,"
                                          "\"prompt_tokens_details\":null,"
                                          "\"completion_tokens_details\":[]}");
    assert_int_equal(some.input_tokens, -1);
    assert_int_equal(some.output_tokens, 0);
    assert_int_equal(some.reasoning_tokens, -1);
    assert_int_equal(scanned_usage("null").input_tokens, -1);
    assert_int_equal(scanned_usage("\"much\"").input_tokens, -1);
}

static void others_are_parsed(void **)
{
    static const char *const bodies[] = {
        "{\"choices\":[]}",
        "{\"choices\":[{\"message\":{\"content\":[]}}]}",
        "{\"choices\":[{\"message\":{\"tool_calls\":[]}}]}",
        "{\"choices\":[{\"message\":{}}],\"usage\":{\"prompt_tokens\":7.0}}",
        "{\"choices\":[{\"message\":{}}],\"usage\":{\"prompt_tokens\":\"7\"}}",
        "{\"choices\":[{\"index\":-1}]}",
        "{\"choices\":[1]}",
        "{\"choices\":[{}],\"data\":[]}",
        "{\"choices\":[{}],\"created\":1.5}",
        "{\"choices\":[{}],\"created\":9000000000000000}",
        "{\"choices\":[{}],\"id\":1}",
        "{\"choices\":[{}],\"id\":\"\\u0061\"}",
        "{\"choices\":[{}],\"x\":1,\"x\":2}",
        "{\"choices\":[{}]",
    };
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct answer answer;
        answer_init(&answer);
        if (compatible_scan(str_from(bodies[i]), answer_take, &answer)) fail_msg("%s", bodies[i]);
        assert_int_equal(answer.end, END_CUT); /* nothing was said */
        answer_done(&answer);
    }
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

struct sent {
    struct arena *arena;
    struct losses losses;
    struct http_request http;
    status code;
};

/* `chat` with a message, to that provider. */
static struct sent send_to(const struct provider_kind *kind, struct provider provider,
                           const char *model, struct chat_request chat)
{
    static struct chat_part part         = {.kind = PART_TEXT};
    static struct chat_message message   = {.role = ROLE_USER, .parts = &part, .part_count = 1};
    static const struct provider_key key = {.name = "k", .value = {.ptr = "sk-1", .len = 4}};
    struct sent sent                     = {.arena = arena_new(1 << 20)};
    part.text                            = str_from("x");
    sent.losses                          = (struct losses){.arena = sent.arena};
    chat.arena                           = sent.arena;
    chat.messages                        = &message;
    chat.message_count                   = chat.input_count > 0 ? 0 : 1;
    provider.kind                        = kind;
    const struct provider_request what   = {.provider = &provider,
                                            .key      = &key,
                                            .chat     = &chat,
                                            .model    = str_from(model),
                                            .losses   = &sent.losses};
    sent.code                            = kind->encode(&what, sent.arena, &sent.http, NULL);
    return sent;
}

static void azure_has_addresses_of_its_own(void **)
{
    struct provider azure    = {.base_url    = "https://h",
                                .flavor      = provider_flavor_of(str_from("azure")),
                                .api_version = "2024-10-21"};
    struct chat_request chat = {.max_tokens = 7};
    struct sent sent         = send_to(&provider_compatible, azure, "my dep/1?x#", chat);
    assert_int_equal(sent.code, STATUS_OK);
    assert_true(str_is(sent.http.url, "https://h/openai/deployments/my%20dep%2F1%3Fx%23/"
                                      "chat/completions?api-version=2024-10-21"));
    assert_true(str_is(sent.http.headers[1].name, "api-key"));
    assert_true(str_is(sent.http.headers[1].value, "sk-1"));
    assert_non_null(strstr(sent.http.body.ptr, "\"max_completion_tokens\":7"));
    arena_free(sent.arena);

    str inputs[] = {str_from("[7,8]")};
    sent         = send_to(&provider_compatible, azure, "e",
                           (struct chat_request){.inputs = inputs, .input_count = 1, .has_tokens = true});
    assert_true(
        str_is(sent.http.url, "https://h/openai/deployments/e/embeddings?api-version=2024-10-21"));
    assert_non_null(strstr(sent.http.body.ptr, "\"input\":[[7,8]]"));
    arena_free(sent.arena);

    azure.api_version = NULL;
    sent              = send_to(&provider_compatible, azure, "m", chat);
    assert_true(str_is(sent.http.url, "https://h/chat/completions"));
    assert_true(str_is(sent.http.headers[1].name, "api-key"));
    arena_free(sent.arena);
}

static void what_a_flavor_passes_over_is_a_loss(void **)
{
    const struct provider vllm = {.base_url = "https://h/v1",
                                  .flavor   = provider_flavor_of(str_from("vllm"))};
    struct chat_request chat   = {.protocol       = PROTOCOL_ANTHROPIC,
                                  .user           = str_from("ann"),
                                  .parallel_tools = json_bool(false)};
    struct sent sent           = send_to(&provider_compatible, vllm, "m", chat);
    assert_int_equal(sent.losses.count, 2);
    assert_string_equal(sent.losses.items[0].path, "/metadata/user_id");
    assert_string_equal(sent.losses.items[0].note, "vLLM passes it over");
    arena_free(sent.arena);
    sent = send_to(&provider_compatible, (struct provider){.base_url = "https://h/v1"}, "m", chat);
    assert_int_equal(sent.losses.count, 0);
    arena_free(sent.arena);
}

/* Clients choose the name of a model; with it they choose nothing else of the address. */
static void a_model_is_one_segment_of_the_address(void **)
{
    const struct provider google = {.base_url = "https://h/v1beta"};
    struct sent sent =
        send_to(&provider_gemini, google, "../cachedContents?a=", (struct chat_request){});
    assert_true(str_is(sent.http.url,
                       "https://h/v1beta/models/..%2FcachedContents%3Fa%3D:generateContent"));
    arena_free(sent.arena);
    const struct provider azure = {.base_url    = "https://h",
                                   .flavor      = provider_flavor_of(str_from("azure")),
                                   .api_version = "2024-10-21"};
    sent = send_to(&provider_compatible, azure, "..", (struct chat_request){});
    assert_int_equal(sent.code, STATUS_INVALID_ARGUMENT);
    arena_free(sent.arena);
}

static void tokens_are_for_who_speaks_openai(void **)
{
    const struct provider google = {.base_url = "https://h/v1beta"};
    str inputs[]                 = {str_from("[7,8]")};
    struct sent sent =
        send_to(&provider_gemini, google, "e",
                (struct chat_request){.inputs = inputs, .input_count = 1, .has_tokens = true});
    assert_int_equal(sent.code, STATUS_INVALID_ARGUMENT);
    arena_free(sent.arena);
}

/* OpenAI's own answers come in half the bytes. */
static void vectors_come_as_base64_or_as_numbers(void **)
{
    static const struct {
        const char *body;
        bool is_sound;
    } rows[] = {
        {"{\"data\":[{\"index\":0,\"embedding\":\"AACAPwAAAMA=\"}]}", true},
        {"{\"data\":[{\"index\":0,\"embedding\":[1,-2]}]}", true},
        {"{\"data\":[{\"index\":0,\"embedding\":\"AACAPwAA\"}]}", false},
        {"{\"data\":[{\"index\":0,\"embedding\":\"no!\"}]}", false},
        {"{\"data\":[{\"index\":0,\"embedding\":\"\"}]}", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const float expected[]          = {1, -2};
        const struct http_result result = {
            .code = STATUS_OK, .answer = {.http_status = 200}, .body = str_from(rows[i].body)};
        struct answer answer;
        decode(&result, &answer);
        assert_int_equal(answer.is_failed, !rows[i].is_sound);
        if (rows[i].is_sound) assert_memory_equal(answer.vectors.ptr, expected, sizeof expected);
        answer_done(&answer);
    }
    str inputs[]             = {str_from("x")};
    struct chat_request chat = {.inputs = inputs, .input_count = 1};
    struct provider openai   = {.base_url = "https://h/v1"};
    struct sent sent         = send_to(&provider_openai, openai, "e", chat);
    assert_non_null(strstr(sent.http.body.ptr, "\"encoding_format\":\"base64\""));
    arena_free(sent.arena);
    sent = send_to(&provider_compatible, openai, "e", chat); /* not everybody knows that */
    assert_non_null(strstr(sent.http.body.ptr, "\"encoding_format\":\"float\""));
    arena_free(sent.arena);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(failing) + 12];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(failing); i++) {
        tests[count++] = row_test(failing[i].name, fails_as, &failing[i]);
    }
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_transfer_that_fails);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_whole_answer);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_whole_answer_of_others);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(an_ordinary_answer_is_scanned);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(usage_is_scanned);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(others_are_parsed);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(the_key_is_sent_and_marked);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(azure_has_addresses_of_its_own);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(what_a_flavor_passes_over_is_a_loss);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_model_is_one_segment_of_the_address);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(tokens_are_for_who_speaks_openai);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(vectors_come_as_base64_or_as_numbers);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
