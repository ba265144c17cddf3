/* What a call is charged whose answer is not whole, and between its tries. */
#include "llm-proxy/call/call_internal.h"

#include "base/mem.h"

#include "cmocka.h"

#include <stdlib.h>

/* A call of a model, as far as its usage goes. */
struct world {
    struct pipeline pipeline;
    struct catalog *catalog; /* too large for a stack */
    struct chat_request request;
    struct llm_route route;
    struct llm_call call;
};

static void begin(struct world *world)
{
    *world         = (struct world){};
    world->catalog = mem_new(1, sizeof *world->catalog);
    world->catalog->providers[0] =
        (struct provider){.name = "one", .kind = &provider_simulated, .is_free = true};
    world->pipeline.options.catalog = world->catalog;
    world->route                    = (struct llm_route){
                           .targets      = {{.provider = &world->catalog->providers[0], .model = str_from("m")}},
                           .target_count = 1};
    world->call = (struct llm_call){
        .pipeline = &world->pipeline, .request = &world->request, .route = &world->route};
    answer_init(&world->call.answer);
}

static void end(struct world *world)
{
    answer_done(&world->call.answer);
    free(world->catalog);
}

static void say(struct world *world, int64_t input, int64_t output, const char *text)
{
    struct llm_event usage     = {.kind = LLM_USAGE, .usage = llm_usage_unknown()};
    const struct llm_event had = {.kind = LLM_TEXT, .bytes = str_from(text)};
    usage.usage.input_tokens   = input;
    usage.usage.output_tokens  = output;
    answer_take(&usage, &world->call.answer);
    if (had.bytes.len > 0) answer_take(&had, &world->call.answer);
}

static void finish(struct world *world, enum llm_end how)
{
    const struct llm_event ended = {.kind = LLM_END, .end = how};
    answer_take(&ended, &world->call.answer);
}

/* The try has failed with what it says, and the next one has not begun: its client goes away. */
static void a_failed_try_is_charged_once(void **)
{
    struct world world;
    Pb__Usage used;
    begin(&world);
    say(&world, 100, 7, "");
    call_add_spent(&world.call);
    llm_call_used(&world.call, &used);
    assert_int_equal(used.input_tokens, 100);
    assert_int_equal(used.output_tokens, 7);
    call_add_spent(&world.call); /* nor is it twice, if nobody was asked meanwhile */
    llm_call_used(&world.call, &used);
    assert_int_equal(used.input_tokens, 100);
    say(&world, 100, 8, "");
    llm_call_used(&world.call, &used);
    assert_int_equal(used.input_tokens, 200);
    assert_int_equal(used.output_tokens, 15);
    end(&world);
}

static void what_was_said_at_the_beginning_is_not_the_last_word(void **)
{
    static const char forty[] = "forty bytes are ten tokens, as we guess.";
    static const struct {
        int64_t said;
        enum llm_end end;
        int64_t charged;
    } rows[] = {{1, END_CUT, 10},     {1, END_CANCELLED, 10}, {1, END_BUDGET, 10},
                {-1, END_CUT, 10},    {12, END_CUT, 12},      {12, END_BUDGET, 12},
                {1, END_COMPLETE, 1}, {-1, END_COMPLETE, 10}, {12, END_COMPLETE, 12}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world world;
        Pb__Usage used;
        begin(&world);
        world.call.is_committed = true;
        say(&world, 100, rows[i].said, forty);
        finish(&world, rows[i].end);
        llm_call_used(&world.call, &used);
        assert_int_equal(used.input_tokens, 100);
        assert_int_equal(used.output_tokens, rows[i].charged);
        end(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_try_is_charged_once),
        cmocka_unit_test(what_was_said_at_the_beginning_is_not_the_last_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
