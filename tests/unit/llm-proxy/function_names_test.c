/* Names of functions that an upstream does not take. */
#include "llm-proxy/chat/function_names.h"

#include "cmocka.h"
#include "json/json_text.h"

#include <string.h>

enum { ARENA_MAX = 1 << 20 };

#define LETTERS_64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void test_rules(void **)
{
    static const struct {
        const char *name;
        bool openai, anthropic, gemini;
    } rows[] = {
        {"f", true, true, true},
        {"get_weather-2", true, true, true},
        {"", false, false, false},
        {"a.b:c", false, false, true},
        {"1st", true, true, false},
        {"-x", true, true, false},
        {"_x", true, true, true},
        {"größe", false, false, false},
        {"with space", false, false, false},
        {LETTERS_64, true, true, true},
        {LETTERS_64 "a", false, true, true},
        {LETTERS_64 LETTERS_64, false, true, true},
        {LETTERS_64 LETTERS_64 "a", false, false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        str name = str_from(rows[i].name);
        assert_int_equal(function_name_fits(name, PROTOCOL_OPENAI), rows[i].openai);
        assert_int_equal(function_name_fits(name, PROTOCOL_ANTHROPIC), rows[i].anthropic);
        assert_int_equal(function_name_fits(name, PROTOCOL_GEMINI), rows[i].gemini);
    }
}

static void test_there_and_back(void **)
{
    static const char body[] =
        "{\"model\":\"r\",\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"1\","
        "\"type\":\"function\",\"function\":{\"name\":\"old name\",\"arguments\":\"{}\"}}]},"
        "{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"ok\"}],\"tools\":["
        "{\"type\":\"function\",\"function\":{\"name\":\"1st step\"}},"
        "{\"type\":\"function\",\"function\":{\"name\":\"1st_step\"}},"
        "{\"type\":\"function\",\"function\":{\"name\":\"fine\"}}],"
        "\"tool_choice\":{\"type\":\"allowed_tools\",\"allowed_tools\":{\"mode\":\"auto\","
        "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"1st step\"}}]}}}";
    struct arena *arena          = arena_new(ARENA_MAX);
    struct chat_request *request = NULL;
    struct function_names names  = {};
    struct losses losses         = {.arena = arena};
    json source                  = json_invalid();
    assert_int_equal(json_parse(str_from(body), NULL, &source, NULL, NULL), STATUS_OK);
    assert_int_equal(chat_from_openai(source, arena, &request, NULL), STATUS_OK);
    assert_true(function_names_are_needed(request, PROTOCOL_GEMINI));
    struct chat_request *copy = chat_copy(request, arena);
    assert_non_null(copy);
    assert_true(function_names_change(copy, PROTOCOL_GEMINI, arena, &losses, &names));
    assert_false(function_names_are_needed(copy, PROTOCOL_GEMINI));
    assert_int_equal(names.count, 3);
    assert_int_equal(losses.count, 2);
    assert_string_equal(losses.items[0].path, "/tools/0");
    assert_int_equal(losses.items[0].action, LOSS_RENAMED);
    assert_true(str_starts_with(copy->tools[0].name, str_from("_1st_step_")));
    assert_true(str_starts_with(copy->tools[1].name, str_from("_1st_step_")));
    assert_false(str_equal(copy->tools[0].name, copy->tools[1].name));
    assert_true(str_is(copy->tools[2].name, "fine"));
    assert_true(str_equal(copy->allowed[0], copy->tools[0].name));
    assert_true(str_is(request->tools[0].name, "1st step")); /* the original is as it was */
    assert_true(str_is(request->messages[0].parts[0].name, "old name"));
    json_unref(source); /* of a stream that has committed */
    assert_true(str_is(function_name_own(&names, copy->tools[0].name), "1st step"));
    assert_true(str_is(function_name_own(&names, copy->tools[1].name), "1st_step"));
    assert_true(str_is(function_name_own(&names, copy->messages[0].parts[0].name), "old name"));
    assert_true(str_is(function_name_own(&names, str_from("fine")), "fine"));
    arena_free(arena);
}

static void test_long_names(void **)
{
    static const enum llm_protocol protocols[] = {PROTOCOL_OPENAI, PROTOCOL_ANTHROPIC,
                                                  PROTOCOL_GEMINI};
    struct arena *arena                        = arena_new(ARENA_MAX);
    struct chat_tool tools[] = {{.name = str_from("9" LETTERS_64 LETTERS_64 LETTERS_64)},
                                {.name = str_from("9" LETTERS_64 LETTERS_64 LETTERS_64 "b")},
                                {.name = str_from("\xff\x80\n\"")}};
    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++) {
        struct chat_request request = {.arena = arena, .tools = tools, .tool_count = 3};
        struct function_names names = {};
        struct chat_request *copy   = chat_copy(&request, arena);
        assert_non_null(copy);
        assert_true(function_names_change(copy, protocols[i], arena, NULL, &names));
        for (uint32_t t = 0; t < copy->tool_count; t++) {
            assert_true(function_name_fits(copy->tools[t].name, protocols[i]));
            assert_true(str_equal(function_name_own(&names, copy->tools[t].name), tools[t].name));
        }
        assert_false(str_equal(copy->tools[0].name, copy->tools[1].name));
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rules),
                                       cmocka_unit_test(test_there_and_back),
                                       cmocka_unit_test(test_long_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
