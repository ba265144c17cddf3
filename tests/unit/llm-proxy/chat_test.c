/* Requests in OpenAI's shape and of jobs: what is read, what is refused, and that nothing is lost.
 */
#include "llm-proxy/chat/chat.h"

#include "cmocka.h"
#include "json/json_text.h"

enum { ARENA_MAX = 8 << 20, TEXT_MAX = 1 << 20 };

struct bad {
    const char *name, *body, *expected;
};

/* clang-format off */
static const struct bad bad[] = {
    {"no object",            "[]", "an object is required"},
    {"no model",             "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", "/model"},
    {"no messages",          "{\"model\":\"m\"}", "/messages"},
    {"empty messages",       "{\"model\":\"m\",\"messages\":[]}", "/messages"},
    {"unknown role",         "{\"model\":\"m\",\"messages\":[{\"role\":\"boss\",\"content\":\"x\"}]}", "/messages/0"},
    {"content of a number",  "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":1}]}", "/messages/0"},
    {"unknown part",         "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"kind\":\"smell\"}]}]}", "needs a `type`"},
    {"nameless tool",        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"tools\":[{}]}", "/tools"},
    {"temperature is text",  "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"temperature\":\"hot\"}", "/temperature"},
    {"max_tokens below one", "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"max_tokens\":0}", "/max_tokens"},
    {"unknown format",       "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"response_format\":{\"type\":\"xml\"}}", "/response_format"},
    {"unknown choice",       "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"tool_choice\":\"maybe\"}", "/tool_choice"},
};
/* clang-format on */

static void is_refused(void **state)
{
    const struct bad *row                    = *state;
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json body           = json_invalid();
    struct chat_request *request             = NULL;
    struct error error                       = {};
    assert_int_equal(json_parse(str_from(row->body), NULL, &body, NULL, NULL), STATUS_OK);
    assert_int_equal(chat_from_openai(body, arena, &request, &error), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(error.text, row->expected));
}

static const char rich[] =
    "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"},"
    "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"look\"},"
    "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}}]},"
    "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"1\",\"type\":\"function\","
    "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},"
    "{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"r\"}],"
    "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"d\","
    "\"parameters\":{\"type\":\"object\"},\"strict\":true}}],\"tool_choice\":\"auto\","
    "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":{"
    "\"type\":\"object\"},\"strict\":true}},\"temperature\":0.5,\"top_p\":1,\"seed\":7,"
    "\"parallel_tool_calls\":false,\"max_tokens\":9,\"n\":2,\"reasoning_effort\":\"low\","
    "\"user\":\"u\",\"stop\":[\"a\",\"b\"],\"logit_bias\":{\"5\":1},\"verbosity\":\"low\"}";

static json parse(const char *text)
{
    json value = json_invalid();
    assert_int_equal(json_parse(str_from(text), NULL, &value, NULL, NULL), STATUS_OK);
    return value;
}

static void what_is_read_is_printed(void **)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json body           = parse(rich);
    CLEANUP(buf_done) struct buf text        = buf_init(TEXT_MAX);
    struct chat_request *request             = NULL;
    assert_int_equal(chat_from_openai(body, arena, &request, NULL), STATUS_OK);
    assert_true(chat_print_openai(request, str_from("m"), FLAVOR_COMPATIBLE, NULL, &text));
    CLEANUP(json_unrefp) json printed = parse(text.ptr);
    assert_true(json_equal(printed, body));
}

static void parts_are_understood(void **)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json body           = parse(rich);
    struct chat_request *request             = NULL;
    assert_int_equal(chat_from_openai(body, arena, &request, NULL), STATUS_OK);
    assert_int_equal(request->message_count, 4);
    const struct chat_part *image = &request->messages[1].parts[1];
    assert_int_equal(image->kind, PART_IMAGE);
    assert_true(str_is(image->media_type, "image/png"));
    assert_true(str_is(image->data, "AAAA"));
    assert_int_equal(request->messages[2].parts[0].kind, PART_TOOL_CALL);
    assert_int_equal(request->messages[3].parts[0].kind, PART_TOOL_RESULT);
    assert_true(str_is(request->messages[3].parts[0].id, "1"));
}

static void a_job_frames_its_prompt(void **)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp)
    json body = parse(
        "{\"model\":\"m\",\"system\":\"s\",\"prompt\":\"p\",\"schema\":{\"type\":\"object\"}}");
    struct chat_request *request = NULL;
    assert_int_equal(chat_from_job(body, arena, &request, NULL), STATUS_OK);
    assert_int_equal(request->message_count, 2);
    assert_int_equal(request->messages[0].role, ROLE_SYSTEM);
    assert_true(str_is(request->messages[1].parts[0].text, "p"));
    assert_int_equal(request->format, FORMAT_SCHEMA);
}

static void a_job_needs_something_to_say(void **)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json body           = parse("{\"model\":\"m\",\"system\":\"s\"}");
    struct chat_request *request             = NULL;
    struct error error                       = {};
    assert_int_equal(chat_from_job(body, arena, &request, &error), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(error.text, "/prompt"));
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(bad) + 4];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        tests[count++] = row_test(bad[i].name, is_refused, &bad[i]);
    }
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(what_is_read_is_printed);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(parts_are_understood);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_job_frames_its_prompt);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_job_needs_something_to_say);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
