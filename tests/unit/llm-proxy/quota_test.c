/* Tokens and calls of a model: set aside before a call, settled after it, shared through the
 * scheduler. */
#include "cmocka.h"

#include "llm-proxy/call/call.h"
#include "llm-proxy/guard/token_ratio.h"
#include "support/llm-proxy/guard_world.h"

struct asker {
    struct quota_pass pass;
    bool is_decided, may_go;
};

static void on_decided(bool may_go, void *context)
{
    struct asker *asker = context;
    asker->is_decided   = true;
    asker->may_go       = may_go;
}

static enum quota_answer enter(struct world *world, int64_t tokens, struct asker *asker)
{
    *asker = (struct asker){.pass = {.decided = on_decided, .context = asker}};
    return quota_enter(guard_quotas(world->guard), str_from("llm:one/m"), QUOTA_ALL, tokens,
                       &asker->pass);
}

static bool decided(struct world *world, const struct asker *asker)
{
    for (int i = 0; i < TURNS_MAX && !asker->is_decided; i++) loop_turn(world->loop, 1);
    assert_true(asker->is_decided);
    return asker->may_go;
}

/* Until the scheduler has heard what was to be told. */
static struct said told(struct world *world, uint32_t asks)
{
    for (int i = 0; i < 100 && guard_world_look(world).token_asks < asks; i++) {
        guard_world_refresh(world);
    }
    assert_true(guard_world_look(world).token_asks >= asks);
    return guard_world_look(world);
}

static void who_has_no_limit_goes(void **)
{
    struct world world;
    struct asker asker;
    guard_world_begin(&world, (struct said){});
    assert_int_equal(enter(&world, 1'000, &asker), QUOTA_GO);
    quota_leave(&asker.pass, 1'000);
    assert_int_equal(guard_world_look(&world).token_asks, 0);
    guard_world_end(&world);
}

static void tokens_are_set_aside_and_what_is_left_serves_the_next(void **)
{
    struct world world;
    struct asker one;
    struct asker two;
    struct asker three;
    guard_world_begin(&world, (struct said){.tokens_max = 100, .tokens_left = 100});
    assert_int_equal(enter(&world, 60, &one), QUOTA_WAIT);
    assert_true(decided(&world, &one));
    assert_int_equal(enter(&world, 60, &two), QUOTA_WAIT); /* 40 are left: it hears no */
    assert_false(decided(&world, &two));
    assert_true(quota_opens_us(guard_quotas(world.guard), str_from("llm:one/m")) > 0);
    uint32_t asks = guard_world_look(&world).token_asks;
    quota_leave(&one.pass, 10); /* 50 are left of what was set aside */
    assert_int_equal(enter(&world, 50, &two), QUOTA_GO);
    assert_int_equal(guard_world_look(&world).token_asks, asks);
    assert_int_equal(enter(&world, 40, &three), QUOTA_WAIT);
    assert_true(decided(&world, &three));
    quota_leave(&two.pass, 50);
    quota_leave(&three.pass, 0);
    const struct said said = told(&world, asks + 2);
    assert_int_equal(said.tokens_unused, 40);
    assert_int_equal(said.tokens_spent, 0);
    assert_int_equal(said.tokens_left, 40); /* 100, less 10 and 50 */
    guard_world_end(&world);
}

static void what_was_used_above_it_is_told(void **)
{
    struct world world;
    struct asker asker;
    guard_world_begin(&world, (struct said){.tokens_max = 100, .tokens_left = 100});
    assert_int_equal(enter(&world, 30, &asker), QUOTA_WAIT);
    assert_true(decided(&world, &asker));
    quota_leave(&asker.pass, 75);
    const struct said said = told(&world, 2);
    assert_int_equal(said.tokens_spent, 45);
    assert_int_equal(said.tokens_left, 25);
    guard_world_end(&world);
}

/* Once, although nobody knows whether the first time was heard. */
static void what_is_owed_is_told_until_it_is_heard(void **)
{
    struct world world;
    struct asker asker;
    guard_world_begin(&world, (struct said){.tokens_max = 100, .tokens_left = 100});
    assert_int_equal(enter(&world, 30, &asker), QUOTA_WAIT);
    assert_true(decided(&world, &asker));
    (void)pthread_mutex_lock(&world.mutex);
    world.said.fails_to_lease = true;
    (void)pthread_mutex_unlock(&world.mutex);
    quota_leave(&asker.pass, 35);
    assert_int_equal(enter(&world, 30, &asker), QUOTA_WAIT);
    assert_false(decided(&world, &asker)); /* nobody answers: it is not called */
    (void)pthread_mutex_lock(&world.mutex);
    world.said.fails_to_lease = false;
    (void)pthread_mutex_unlock(&world.mutex);
    assert_int_equal(told(&world, 2).tokens_spent, 5);
    guard_world_end(&world);
}

static void more_than_all_goes_when_all_is_there(void **)
{
    struct world world;
    struct asker asker;
    guard_world_begin(&world, (struct said){.tokens_max = 100, .tokens_left = 100});
    assert_int_equal(enter(&world, 5'000, &asker), QUOTA_WAIT);
    assert_true(decided(&world, &asker));
    quota_leave(&asker.pass, 5'000);
    assert_int_equal(told(&world, 2).tokens_spent, 4'900);
    guard_world_end(&world);
}

/* What it says of its answer is only what it says. */
static void no_upstream_makes_a_limit_owe_for_ever(void **)
{
    struct world world;
    struct asker askers[3];
    guard_world_begin(&world, (struct said){.tokens_max = 100, .tokens_left = 100});
    for (int i = 0; i < 3; i++) {
        assert_int_equal(enter(&world, 30, &askers[i]), QUOTA_WAIT);
        assert_true(decided(&world, &askers[i]));
    }
    for (int i = 0; i < 3; i++) quota_leave(&askers[i].pass, INT64_MAX);
    assert_int_equal(told(&world, 3 + 3).tokens_spent, 3 * (1'000'000'000 - INT64_C(30)));
    guard_world_end(&world);
}

static void calls_of_a_model_are_counted(void **)
{
    struct world world;
    struct asker one;
    struct asker two;
    guard_world_begin(&world, (struct said){.model_permits = 1});
    assert_int_equal(enter(&world, 10, &one), QUOTA_WAIT);
    assert_int_equal(enter(&world, 10, &two), QUOTA_WAIT);
    assert_true(decided(&world, &one));
    assert_false(decided(&world, &two));
    quota_leave(&one.pass, 10);
    assert_int_equal(enter(&world, 10, &two), QUOTA_GO); /* without asking */
    assert_int_equal(guard_world_look(&world).model_held, 1);
    quota_leave(&two.pass, 10);
    for (int i = 0; i < 100 && guard_world_look(&world).model_held > 0; i++) {
        guard_world_refresh(&world);
    }
    assert_int_equal(guard_world_look(&world).model_held, 0);
    guard_world_end(&world);
}

/* Until the scheduler has heard of that many starts again. */
static void starts_come_back(struct world *world, uint32_t count)
{
    for (int i = 0; i < 100 && guard_world_look(world).starts_left < count; i++) {
        guard_world_refresh(world);
    }
    assert_int_equal(guard_world_look(world).starts_left, count);
}

/* Whoever is granted a start and too few tokens is not let go: others may have the start. */
static void a_start_without_tokens_goes_back(void **)
{
    struct world world;
    struct asker one;
    struct asker two;
    guard_world_begin(
        &world,
        (struct said){.model_starts = 5, .starts_left = 5, .tokens_max = 100, .tokens_left = 50});
    assert_int_equal(enter(&world, 60, &one), QUOTA_WAIT);
    assert_false(decided(&world, &one));
    starts_come_back(&world, 5);
    assert_int_equal(enter(&world, 40, &one), QUOTA_WAIT);
    assert_true(decided(&world, &one));
    assert_int_equal(enter(&world, 10, &two), QUOTA_WAIT);
    assert_true(decided(&world, &two));
    quota_leave(&one.pass, 40); /* its start was made */
    quota_leave_unused(&two.pass);
    starts_come_back(&world, 4);
    assert_int_equal(guard_world_look(&world).tokens_left, 10);
    guard_world_end(&world);
}

static void who_waits_may_leave(void **)
{
    struct world world;
    struct asker one;
    struct asker two;
    guard_world_begin(&world, (struct said){.tokens_max = 100, .tokens_left = 100});
    assert_int_equal(enter(&world, 60, &one), QUOTA_WAIT);
    assert_int_equal(enter(&world, 40, &two), QUOTA_WAIT);
    quota_leave(&one.pass, 0);
    assert_true(decided(&world, &two));
    assert_false(one.is_decided);
    quota_leave(&two.pass, 40);
    guard_world_refresh(&world);
    guard_world_end(&world);
}

static void a_ratio_moves_with_what_upstreams_say(void **)
{
    struct token_ratios *ratios = token_ratios_new();
    const str model             = str_from("m");
    assert_int_equal(token_ratios_estimate(ratios, "p", model, 1'001), 251);
    token_ratios_note(ratios, "p", model, TOKEN_RATIO_FROM - 1, 10);
    token_ratios_note(ratios, "p", model, 1'000, -1);
    assert_false(token_ratios_knows(ratios, "p", model));
    token_ratios_note(ratios, "p", model, 1'000, 650); /* 0.25 + (0.65 - 0.25) / 8 */
    assert_true(token_ratios_knows(ratios, "p", model));
    assert_int_equal(token_ratios_estimate(ratios, "p", model, 1'000), 300);
    for (int i = 0; i < 200; i++) token_ratios_note(ratios, "p", model, 1'000, 500);
    assert_in_range(token_ratios_estimate(ratios, "p", model, 1'000), 500, 501);
    assert_int_equal(token_ratios_estimate(ratios, "q", model, 1'000), 250);
    assert_true(token_ratios_estimate(ratios, "p", model, UINT64_MAX) > 0);
    for (int i = 0; i < 200; i++) token_ratios_note(ratios, "p", model, 1'000, INT64_MAX);
    assert_in_range(token_ratios_estimate(ratios, "p", model, 1'000), 999,
                    1'000); /* tools, images */
    token_ratios_freep(&ratios);
}

/* A model that has been asked for texts has said nothing about tools and shapes. */
static void what_is_no_text_stays_guessed(void **)
{
    static const struct provider one = {.name = "one"};
    const struct llm_route route     = {
            .targets = {{.provider = &one, .model = {.ptr = "m", .len = 1}}}, .target_count = 1};
    const struct chat_request request = {.stripped_size = 400};
    struct world world;
    guard_world_begin(&world, (struct said){});
    struct token_ratios *ratios = guard_ratios(world.guard);
    assert_int_equal(llm_question_tokens(world.guard, &route, &request, 9'100), 9'100);
    for (int i = 0; i < 200; i++) token_ratios_note(ratios, "one", route.targets[0].model, 400, 80);
    assert_in_range(llm_question_tokens(world.guard, &route, &request, 9'100), 9'080, 9'081);
    assert_in_range(llm_question_tokens(world.guard, &route, &request, 10), 80, 81);
    guard_world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_no_limit_goes),
        cmocka_unit_test(tokens_are_set_aside_and_what_is_left_serves_the_next),
        cmocka_unit_test(what_was_used_above_it_is_told),
        cmocka_unit_test(what_is_owed_is_told_until_it_is_heard),
        cmocka_unit_test(more_than_all_goes_when_all_is_there),
        cmocka_unit_test(no_upstream_makes_a_limit_owe_for_ever),
        cmocka_unit_test(calls_of_a_model_are_counted),
        cmocka_unit_test(a_start_without_tokens_goes_back),
        cmocka_unit_test(who_waits_may_leave),
        cmocka_unit_test(a_ratio_moves_with_what_upstreams_say),
        cmocka_unit_test(what_is_no_text_stays_guessed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
