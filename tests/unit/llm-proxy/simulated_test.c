/* The simulated provider: valid, the same every time, and never passing for real. */
#include "llm-proxy/providers/simulated.h"

#include "cmocka.h"
#include "llm-proxy/chat/content.h"
#include "llm-proxy/providers/sample.h"
#include "llm-proxy/stream/answer.h"
#include "json/json_text.h"

enum { ARENA_MAX = 8 << 20 };

/* clang-format off */
static const char *const schemas[] = {
    "{\"type\":\"object\",\"required\":[\"title\",\"body\"],\"properties\":{\"title\":{\"type\":\"string\",\"maxLength\":70},\"body\":{\"type\":\"string\",\"minLength\":200}}}",
    "{\"type\":\"string\",\"minLength\":5,\"maxLength\":5}",
    "{\"type\":\"string\",\"maxLength\":0}",
    "{\"type\":\"integer\",\"minimum\":3,\"maximum\":3}",
    "{\"type\":\"integer\",\"exclusiveMinimum\":3,\"exclusiveMaximum\":5}",
    "{\"type\":\"number\",\"multipleOf\":0.25,\"minimum\":-1,\"maximum\":1}",
    "{\"type\":\"array\",\"minItems\":4,\"items\":{\"enum\":[1,\"a\",null]}}",
    "{\"type\":\"array\",\"prefixItems\":[{\"const\":1},{\"const\":2}],\"minItems\":2,\"items\":false,\"maxItems\":2}",
    "{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"type\":\"array\",\"items\":[{\"const\":1}],\"minItems\":2,\"additionalItems\":{\"const\":2}}",
    "{\"enum\":[{\"deep\":[1,2]}]}",
    "{\"oneOf\":[{\"type\":\"string\"},{\"type\":\"integer\"}]}",
    "{\"allOf\":[{\"type\":\"object\",\"required\":[\"a\"]},{\"properties\":{\"a\":{\"type\":\"boolean\"}}}]}",
    "{\"$defs\":{\"node\":{\"type\":\"object\",\"properties\":{\"next\":{\"$ref\":\"#/$defs/node\"}}}},\"$ref\":\"#/$defs/node\"}",
    "{\"type\":[\"null\",\"boolean\"]}",
    "{\"type\":\"string\",\"format\":\"date-time\"}",
    "{\"type\":\"object\",\"required\":[\"x\"],\"additionalProperties\":{\"type\":\"integer\"}}",
    "{\"properties\":{\"n\":{\"type\":\"number\"}}}",
};
/* clang-format on */

/* sample_schema() checks its own result, so success means a valid instance. */
static void a_sample_fits(void **state)
{
    CLEANUP(json_unrefp) json schema = json_invalid();
    assert_int_equal(json_parse(str_from(*state), NULL, &schema, NULL, NULL), STATUS_OK);
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct prng prng                = {.state = seed};
        CLEANUP(json_unrefp) json value = json_invalid();
        struct error error              = {};
        if (sample_schema(schema, &prng, &value, &error) != STATUS_OK) fail_msg("%s", error.text);
    }
}

static void what_it_cannot_do_it_says(void **)
{
    static const char text[]         = "{\"type\":\"string\",\"pattern\":\"^[0-9]{3}$\"}";
    CLEANUP(json_unrefp) json schema = json_invalid();
    CLEANUP(json_unrefp) json value  = json_invalid();
    struct prng prng                 = {.state = 1};
    assert_int_equal(json_parse(str_from(text), NULL, &schema, NULL, NULL), STATUS_OK);
    assert_int_equal(sample_schema(schema, &prng, &value, NULL), STATUS_INVALID_ARGUMENT);
}

struct world {
    struct arena *arena;
    json body;
    struct chat_request *request;
    struct provider provider;
    struct answer answer;
};

static void world_open(struct world *world, const char *body)
{
    *world = (struct world){.arena    = arena_new(ARENA_MAX),
                            .provider = {.name = "demo", .kind = &provider_simulated}};
    assert_int_equal(json_parse(str_from(body), NULL, &world->body, NULL, NULL), STATUS_OK);
    assert_int_equal(chat_from_openai(world->body, world->arena, &world->request, NULL), STATUS_OK);
    answer_init(&world->answer);
}

static void world_close(struct world *world)
{
    answer_done(&world->answer);
    json_unref(world->body);
    arena_free(world->arena);
}

static void ask(struct world *world, uint64_t number)
{
    answer_done(&world->answer);
    answer_init(&world->answer);
    simulated_answer(&world->provider, world->request, str_from("smart"), number, answer_take,
                     &world->answer);
}

static const char hello[] =
    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"h\303\251llo\"}]}";

static void text_is_marked_and_repeats(void **)
{
    struct world world;
    world_open(&world, hello);
    ask(&world, 1);
    str first = buf_str(&world.answer.choices[0].text);
    assert_true(str_starts_with(first, str_from("[simulated] ")));
    assert_true(str_starts_with(buf_str(&world.answer.model), str_from("simulated/")));
    CLEANUP(buf_done) struct buf kept = buf_init(1 << 16);
    (void)buf_put_str(&kept, first);
    ask(&world, 2);
    assert_true(str_equal(buf_str(&world.answer.choices[0].text), buf_str(&kept)));
    world.provider.simulation.seed = 9;
    ask(&world, 3);
    assert_false(str_equal(buf_str(&world.answer.choices[0].text), buf_str(&kept)));
    world_close(&world);
}

static void it_fails_and_cuts_as_told(void **)
{
    struct world world;
    world_open(&world, hello);
    world.provider.simulation.fail_every = 2;
    ask(&world, 1);
    assert_false(world.answer.is_failed);
    ask(&world, 2);
    assert_true(world.answer.is_failed);
    assert_int_equal(world.answer.error.class, LLM_ERROR_SERVER);
    world.provider.simulation = (struct simulation){.cut_after = 3};
    ask(&world, 3);
    assert_true(world.answer.is_failed);
    assert_int_equal(world.answer.error.class, LLM_ERROR_CONNECT);
    world_close(&world);
}

static void a_forced_tool_is_called_with_valid_arguments(void **)
{
    struct world world;
    world_open(&world,
               "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],"
               "\"tool_choice\":\"required\",\"tools\":[{\"type\":\"function\",\"function\":{"
               "\"name\":\"f\",\"parameters\":{\"type\":\"object\",\"required\":[\"q\"],"
               "\"properties\":{\"q\":{\"type\":\"string\"}}}}}]}");
    ask(&world, 1);
    const struct answer_choice *choice = &world.answer.choices[0];
    assert_int_equal(choice->tool_call_count, 1);
    assert_string_equal(choice->tool_calls[0].name.ptr, "f");
    assert_int_equal(choice->finish, FINISH_TOOL_CALLS);
    CLEANUP(json_unrefp) json arguments = json_invalid();
    assert_int_equal(
        json_parse(buf_str(&choice->tool_calls[0].arguments), NULL, &arguments, NULL, NULL),
        STATUS_OK);
    assert_true(json_is(json_get_text(arguments, "q"), JSON_TEXT));
    world_close(&world);
}

static void the_delay_follows_the_settings(void **)
{
    struct world world;
    world_open(&world, hello);
    assert_int_equal(simulated_delay_ms(&world.provider, world.request), 0);
    world.provider.simulation = (struct simulation){.first_event_ms = 40, .tokens_per_second = 55};
    assert_int_equal(simulated_delay_ms(&world.provider, world.request), 1040);
    world_close(&world);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(schemas) + 5];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(schemas); i++) {
        tests[count++] = row_test(schemas[i], a_sample_fits, schemas[i]);
    }
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(what_it_cannot_do_it_says);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(text_is_marked_and_repeats);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(it_fails_and_cuts_as_told);
    tests[count++] =
        (struct CMUnitTest)cmocka_unit_test(a_forced_tool_is_called_with_valid_arguments);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(the_delay_follows_the_settings);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
