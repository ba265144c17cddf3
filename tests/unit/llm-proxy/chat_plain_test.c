/* Which requests ask for the same answer, in whatever protocols they come. */
#include "cmocka.h"

#include "base/attr.h"
#include "llm-proxy/chat/chat_plain.h"
#include "json/json_text.h"

#include <string.h>

enum { ARENA_MAX = 8 << 20, TEXT_MAX = 1 << 20 };

/* A request, as two texts for one row: same or not, and what OpenAI's clients would say. */
struct row {
    const char *name;
    enum llm_protocol protocol;
    const char *body;
    bool is_plain; /* it is `expected`; else there is no such text */
    const char *expected;
};

#define HI "{\"role\":\"user\",\"content\":\"hi\"}"
#define HI_TEXT                                                                                    \
    "{\"max_tokens\":9,\"messages\":[{\"content\":\"hi\",\"role\":\"user\"}],\"model\":\"\"}"
#define CALLED                                                                                     \
    "{\"max_tokens\":9,\"messages\":[{\"content\":\"be brief\",\"role\":\"system\"},"              \
    "{\"content\":null,\"role\":\"assistant\",\"tool_calls\":[{\"function\":{\"arguments\":"       \
    "\"{\\\"a\\\":1}\",\"name\":\"f\"},\"id\":\"c1\",\"type\":\"function\"}]},"                    \
    "{\"content\":\"done\",\"role\":\"tool\",\"tool_call_id\":\"c1\"}],\"model\":\"\",\"tools\":[" \
    "{\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\"}},\"type\":\"function\"}]}"

static const struct row rows[] = {
    {"a prompt: openai", PROTOCOL_OPENAI,
     "{\"model\":\"a\",\"max_tokens\":9,\"messages\":[" HI "]}", true, HI_TEXT},
    {"a prompt: its other words", PROTOCOL_OPENAI,
     "{\"stream\":true,\"stream_options\":{\"include_usage\":true},\"user\":\"u\",\"metadata\":{"
     "\"a\":\"b\"},\"model\":\"b\",\"max_completion_tokens\":9,\"messages\":[{\"content\":[{"
     "\"text\":\"hi\",\"type\":\"text\"}],\"role\":\"user\"}]}",
     true, HI_TEXT},
    {"a prompt: anthropic", PROTOCOL_ANTHROPIC,
     "{\"model\":\"a\",\"max_tokens\":9,\"metadata\":{\"user_id\":\"u\"},\"messages\":[{\"role\":"
     "\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}]}",
     true, HI_TEXT},
    {"a prompt: gemini", PROTOCOL_GEMINI,
     "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]}],\"generationConfig\":{"
     "\"maxOutputTokens\":9}}",
     true, HI_TEXT},
    {"calls: openai", PROTOCOL_OPENAI,
     "{\"model\":\"a\",\"max_tokens\":9,\"messages\":[{\"role\":\"system\",\"content\":\"be "
     "brief\"},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c1\",\"type\":"
     "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}}]},{\"role\":"
     "\"tool\",\"tool_call_id\":\"c1\",\"content\":\"done\"}],\"tools\":[{\"type\":\"function\","
     "\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\"}}}]}",
     true, CALLED},
    {"calls: anthropic", PROTOCOL_ANTHROPIC,
     "{\"model\":\"a\",\"max_tokens\":9,\"system\":\"be brief\",\"messages\":[{\"role\":"
     "\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"c1\",\"name\":\"f\",\"input\":{"
     "\"a\":1}}]},{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"c1\","
     "\"content\":\"done\"}]}],\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"}}]"
     "}",
     true, CALLED},
    {"openai: a member of its own", PROTOCOL_OPENAI,
     "{\"model\":\"a\",\"verbosity\":\"low\",\"messages\":[" HI "]}", false, NULL},
    {"openai: an unknown one of a part", PROTOCOL_OPENAI,
     "{\"model\":\"a\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
     "\"hi\",\"tone\":\"x\"}]}]}",
     false, NULL},
    {"openai: how hard it is to think", PROTOCOL_OPENAI,
     "{\"model\":\"a\",\"reasoning_effort\":\"low\",\"messages\":[" HI "]}", false, NULL},
    {"openai: what its schema is for", PROTOCOL_OPENAI,
     "{\"model\":\"a\",\"messages\":[" HI
     "],\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{"
     "\"name\":\"n\",\"description\":\"d\",\"schema\":{}}}}",
     false, NULL},
    {"anthropic: a cache marker", PROTOCOL_ANTHROPIC,
     "{\"model\":\"a\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
     "\"text\",\"text\":\"hi\",\"cache_control\":{\"type\":\"ephemeral\"}}]}]}",
     false, NULL},
    {"anthropic: thoughts", PROTOCOL_ANTHROPIC,
     "{\"model\":\"a\",\"max_tokens\":9,\"thinking\":{\"type\":\"adaptive\"},\"messages\":[" HI
     "]}",
     false, NULL},
    {"anthropic: a text that is a document", PROTOCOL_ANTHROPIC,
     "{\"model\":\"a\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
     "\"document\",\"source\":{\"type\":\"text\",\"media_type\":\"text/plain\",\"data\":\"hi\"}}]}]"
     "}",
     false, NULL},
    {"anthropic: a result that is an error", PROTOCOL_ANTHROPIC,
     "{\"model\":\"a\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
     "\"tool_result\",\"tool_use_id\":\"c1\",\"is_error\":true,\"content\":\"x\"}]}]}",
     false, NULL},
    {"gemini: a result by its name alone", PROTOCOL_GEMINI,
     "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"functionResponse\":{\"name\":\"f\","
     "\"response\":{\"output\":\"x\"}}}]}]}",
     false, NULL},
    {"gemini: a thought", PROTOCOL_GEMINI,
     "{\"contents\":[{\"role\":\"model\",\"parts\":[{\"text\":\"hm\",\"thought\":true}]}]}", false,
     NULL},
};

static struct chat_request *read(const struct row *row, struct arena *arena, json *ret_body)
{
    struct chat_request *request = NULL;
    struct error error           = {};
    status code                  = STATUS_INTERNAL;
    assert_int_equal(json_parse(str_from(row->body), NULL, ret_body, NULL, NULL), STATUS_OK);
    switch (row->protocol) {
    case PROTOCOL_ANTHROPIC:
        code = chat_from_anthropic(*ret_body, true, arena, &request, &error);
        break;
    case PROTOCOL_GEMINI:
        code = chat_from_gemini(*ret_body, str_from("a"), false, arena, &request, &error);
        break;
    default: code = chat_from_openai(*ret_body, arena, &request, &error); break;
    }
    if (code != STATUS_OK) fail_msg("%s: %s", row->name, error.text);
    return request;
}

static void check_row(void **state)
{
    const struct row *row            = *state;
    struct arena *arena              = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json body   = json_invalid();
    CLEANUP(buf_done) struct buf out = buf_init(TEXT_MAX);
    struct chat_request *request     = read(row, arena, &body);
    assert_int_equal(chat_plain_print(request, &out), row->is_plain);
    if (row->is_plain) {
        (void)buf_put_byte(&out, '\0');
        assert_string_equal(out.ptr, row->expected);
    }
    chat_request_done(request);
    arena_free(arena);
}

/* One level more than are looked through. */
static void what_is_too_deep_is_not_plain(void **)
{
    struct arena *arena              = arena_new(ARENA_MAX);
    CLEANUP(buf_done) struct buf out = buf_init(TEXT_MAX);
    struct chat_request request      = {.arena = arena, .protocol = PROTOCOL_OPENAI};
    CLEANUP(json_unrefp) json body   = json_object_new(1);
    json nested                      = json_array_new(0);
    for (int i = 0; i < 64; i++) {
        json outer = json_array_new(1);
        json_array_push(&outer, nested);
        nested = outer;
    }
    json_object_put_text(&body, "stop", nested);
    request.source = body;
    assert_false(chat_plain_print(&request, &out));
    arena_free(arena);
}

static void what_does_not_fit_is_none(void **)
{
    struct arena *arena              = arena_new(ARENA_MAX);
    CLEANUP(json_unrefp) json body   = json_invalid();
    CLEANUP(buf_done) struct buf out = buf_init(strlen(HI_TEXT) - 1);
    struct chat_request *request     = read(&rows[0], arena, &body);
    assert_false(chat_plain_print(request, &out));
    arena_free(arena);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows) + 2];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[i] = (struct CMUnitTest){.name          = rows[i].name,
                                       .test_func     = check_row,
                                       .initial_state = (void *)(uintptr_t)&rows[i]};
    }
    tests[ARRAY_LEN(rows)]     = (struct CMUnitTest)cmocka_unit_test(what_is_too_deep_is_not_plain);
    tests[ARRAY_LEN(rows) + 1] = (struct CMUnitTest)cmocka_unit_test(what_does_not_fit_is_none);
    return cmocka_run_group_tests_name("chat_plain", tests, NULL, NULL);
}
