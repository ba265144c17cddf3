/* The guard, breakers, limits and keys: who may call, who waits, and who is told to come later. */
#include "cmocka.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "support/llm-proxy/guard_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- breakers and limits -----------------------------------------------------------------------
 */

enum { UNDECIDED = 99 };

static void on_decided(enum guard_verdict verdict, void *context)
{
    *(enum guard_verdict *)context = verdict;
}

struct caller {
    struct guard_pass pass;
    enum guard_verdict heard;
};

static enum guard_verdict enter(struct world *world, struct caller *caller)
{
    *caller              = (struct caller){.heard = (enum guard_verdict)UNDECIDED};
    caller->pass.decided = on_decided;
    caller->pass.context = &caller->heard;
    return guard_enter(world->guard, 0, &caller->pass);
}

static enum guard_verdict decided(struct world *world, const struct caller *caller)
{
    for (int i = 0; i < TURNS_MAX && caller->heard == (enum guard_verdict)UNDECIDED; i++) {
        loop_turn(world->loop, 1);
    }
    return caller->heard;
}

static void an_open_breaker_refuses_at_once(void **)
{
    struct world world;
    struct caller caller;
    guard_world_begin(&world, (struct said){.breaker = PB__BREAKER_STATE__BREAKER_STATE_OPEN});
    assert_int_equal(enter(&world, &caller), GUARD_BREAKER);
    assert_true(guard_retry_ms(world.guard, 0) >= SECOND_MS);
    (void)pthread_mutex_lock(&world.mutex);
    world.said.breaker = PB__BREAKER_STATE__BREAKER_STATE_CLOSED;
    (void)pthread_mutex_unlock(&world.mutex);
    guard_world_refresh(&world);
    assert_int_equal(enter(&world, &caller), GUARD_GO);
    guard_leave(world.guard, &caller.pass, GUARD_SUCCEEDED);
    guard_world_end(&world);
}

static void who_asks_for_rest_has_it(void **)
{
    struct world world;
    struct caller caller;
    guard_world_begin(&world,
                      (struct said){.rests_until_us = clock_unix_us() + INT64_C(3'600'000'000)});
    assert_int_equal(enter(&world, &caller), GUARD_BREAKER);
    assert_true(guard_retry_ms(world.guard, 0) > 3'500 * SECOND_MS);
    guard_world_end(&world);
}

static void a_half_open_breaker_lets_one_go(void **)
{
    struct world world;
    struct caller one;
    struct caller two;
    guard_world_begin(
        &world, (struct said){.breaker = PB__BREAKER_STATE__BREAKER_STATE_HALF_OPEN, .probes = 1});
    assert_int_equal(enter(&world, &one), GUARD_WAIT);
    assert_int_equal(enter(&world, &two), GUARD_WAIT);
    assert_int_equal(decided(&world, &one), GUARD_GO);
    assert_int_equal(decided(&world, &two), GUARD_BREAKER);
    guard_leave(world.guard, &one.pass, GUARD_FAILED);
    for (int i = 0; i < TURNS_MAX && guard_world_look(&world).probe_end == 0; i++) {
        loop_turn(world.loop, 1);
    }
    assert_int_equal(guard_world_look(&world).probe_end, PB__PROBE_END__PROBE_END_FAILED);
    guard_note_failure(world.guard, 0);
    for (int i = 0; i < TURNS_MAX && guard_world_look(&world).failures == 0; i++) {
        loop_turn(world.loop, 1);
    }
    assert_int_equal(guard_world_look(&world).failures, 1);
    guard_world_end(&world);
}

/* Whatever was met: its report goes again, and counts once; what is met meanwhile as well. */
static void a_report_without_an_answer_counts_once(void **)
{
    struct world world;
    struct caller one;
    guard_world_begin(&world, (struct said){.breaker   = PB__BREAKER_STATE__BREAKER_STATE_HALF_OPEN,
                                            .probes    = 1,
                                            .loses_met = 3});
    assert_int_equal(enter(&world, &one), GUARD_WAIT);
    assert_int_equal(decided(&world, &one), GUARD_GO);
    (void)pthread_mutex_lock(&world.mutex);
    world.said.breaker = PB__BREAKER_STATE__BREAKER_STATE_CLOSED;
    (void)pthread_mutex_unlock(&world.mutex);
    guard_world_refresh(&world);
    guard_leave(world.guard, &one.pass, GUARD_SUCCEEDED);
    guard_note_failure(world.guard, 0); /* the one before is under way */
    for (int i = 0; i < 100 && guard_world_look(&world).loses_met > 0; i++) {
        guard_world_refresh(&world);
    }
    for (int i = 0; i < 100 && guard_world_look(&world).failures == 0; i++) {
        guard_world_refresh(&world);
    }
    guard_world_refresh(&world);
    assert_int_equal(guard_world_look(&world).loses_met, 0);
    assert_int_equal(guard_world_look(&world).failures, 1);
    assert_int_equal(guard_world_look(&world).probe_ends, 1);
    assert_int_equal(guard_world_look(&world).probe_end, PB__PROBE_END__PROBE_END_SUCCEEDED);
    guard_note_failure(world.guard, 0);
    guard_note_failure(world.guard, 0);
    for (int i = 0; i < 100 && guard_world_look(&world).failures < 3; i++) {
        guard_world_refresh(&world);
    }
    assert_int_equal(guard_world_look(&world).failures, 3);
    guard_world_end(&world);
}

static void be_mute(struct world *world, bool is_mute)
{
    (void)pthread_mutex_lock(&world->mutex);
    world->said.is_mute = is_mute;
    (void)pthread_mutex_unlock(&world->mutex);
    guard_world_refresh(world);
}

/* Until it is refused, or goes as the only one. */
static void fail_alone(struct world *world, struct caller *caller)
{
    for (int i = 0; i < 3; i++) guard_note_failure(world->guard, 0);
    enum guard_verdict verdict = GUARD_GO;
    for (int i = 0; i < TURNS_MAX && verdict == GUARD_GO; i++) {
        loop_turn(world->loop, 1);
        verdict = enter(world, caller);
        if (verdict == GUARD_GO && caller->pass.is_own_probe) return;
        if (verdict == GUARD_GO) guard_leave(world->guard, &caller->pass, GUARD_RETURNED);
    }
    assert_int_equal(verdict, GUARD_BREAKER);
}

static void failures_count_while_nobody_can_be_told(void **)
{
    struct world world;
    struct caller caller;
    guard_world_begin(&world, (struct said){.open_us = INT64_C(3'600'000'000)});
    be_mute(&world, true);
    assert_int_equal(enter(&world, &caller), GUARD_GO);
    guard_leave(world.guard, &caller.pass, GUARD_SUCCEEDED);
    fail_alone(&world, &caller);
    assert_int_equal(enter(&world, &caller), GUARD_BREAKER);
    assert_true(guard_retry_ms(world.guard, 0) > 3'500 * SECOND_MS);
    assert_int_equal(guard_enter(world.guard, 1, &caller.pass), GUARD_GO); /* another provider */
    assert_int_equal(guard_world_look(&world).failures, 0);

    be_mute(&world, false); /* it hears of it, and goes by what it says then */
    for (int i = 0; i < TURNS_MAX && guard_world_look(&world).failures == 0; i++) {
        loop_turn(world.loop, 1);
    }
    assert_int_equal(guard_world_look(&world).failures, 3);
    guard_world_refresh(&world);
    assert_int_equal(guard_world_look(&world).failures, 3); /* once */
    assert_int_equal(enter(&world, &caller), GUARD_GO);
    guard_world_end(&world);
}

static void an_open_breaker_stays_open_while_nobody_can_be_asked(void **)
{
    struct world world;
    struct caller caller;
    guard_world_begin(&world, (struct said){.breaker = PB__BREAKER_STATE__BREAKER_STATE_OPEN});
    be_mute(&world, true);
    assert_int_equal(enter(&world, &caller), GUARD_BREAKER);
    be_mute(&world, false);
    assert_int_equal(guard_world_look(&world).failures,
                     0); /* that it is open the scheduler has said itself */
    guard_world_end(&world);
}

static void a_breaker_whose_time_is_over_is_no_news(void **)
{
    struct world world;
    struct caller caller;
    guard_world_begin(&world, (struct said){.open_us = 1});
    be_mute(&world, true);
    fail_alone(&world, &caller);
    guard_leave(world.guard, &caller.pass, GUARD_RETURNED);
    be_mute(&world, false);
    guard_world_refresh(&world);
    assert_int_equal(guard_world_look(&world).failures, 0);
    assert_int_equal(enter(&world, &caller), GUARD_GO);
    assert_false(caller.pass.is_own_probe);
    guard_world_end(&world);
}

static void one_probe_goes_without_asking(void **)
{
    struct world world;
    struct caller one;
    struct caller two;
    guard_world_begin(&world, (struct said){.open_us = 1});
    be_mute(&world, true);
    for (int round = 0; round < 2; round++) {
        if (round == 0) fail_alone(&world, &one);
        for (int i = 0; i < TURNS_MAX && !one.pass.is_own_probe; i++) {
            loop_turn(world.loop, 1);
            (void)enter(&world, &one);
        }
        assert_true(one.pass.is_own_probe);
        assert_int_equal(enter(&world, &two), GUARD_BREAKER);
        guard_leave(world.guard, &one.pass, round == 0 ? GUARD_FAILED : GUARD_SUCCEEDED);
    }
    assert_int_equal(enter(&world, &one), GUARD_GO);
    assert_int_equal(enter(&world, &two), GUARD_GO);
    assert_false(one.pass.is_own_probe || two.pass.is_own_probe);
    guard_world_end(&world);
}

static void a_permit_serves_one_after_the_other(void **)
{
    struct world world;
    struct caller one;
    struct caller two;
    guard_world_begin(&world, (struct said){.is_limited = true, .permits = 1});
    assert_int_equal(enter(&world, &one), GUARD_WAIT);
    assert_int_equal(enter(&world, &two), GUARD_WAIT);
    assert_int_equal(decided(&world, &one), GUARD_GO);
    assert_int_equal(decided(&world, &two), GUARD_LIMIT);
    guard_leave(world.guard, &one.pass, GUARD_SUCCEEDED);
    assert_int_equal(enter(&world, &two), GUARD_GO); /* without asking */
    assert_int_equal(guard_world_look(&world).held, 1);
    guard_leave(world.guard, &two.pass, GUARD_SUCCEEDED);
    for (int i = 0; i < 100 && guard_world_look(&world).held > 0; i++) guard_world_refresh(&world);
    assert_int_equal(guard_world_look(&world).held, 0); /* it goes back when nobody uses it */
    guard_world_end(&world);
}

static void a_start_that_nobody_has_made_goes_back(void **)
{
    struct world world;
    struct caller one;
    struct caller two;
    guard_world_begin(&world,
                      (struct said){.is_limited = true, .counts_starts = true, .permits = 3});
    assert_int_equal(enter(&world, &one), GUARD_WAIT);
    assert_int_equal(decided(&world, &one), GUARD_GO);
    assert_int_equal(enter(&world, &two), GUARD_WAIT);
    assert_int_equal(decided(&world, &two), GUARD_GO);
    guard_leave(world.guard, &one.pass, GUARD_SUCCEEDED);
    guard_leave(world.guard, &two.pass, GUARD_UNUSED);
    assert_int_equal(enter(&world, &one), GUARD_GO); /* it serves the next one */
    guard_leave(world.guard, &one.pass, GUARD_UNUSED);
    for (int i = 0; i < 100 && guard_world_look(&world).permits < 2; i++) {
        guard_world_refresh(&world);
    }
    assert_int_equal(guard_world_look(&world).permits, 2);
    guard_world_refresh(&world);
    assert_int_equal(guard_world_look(&world).permits, 2);
    guard_world_end(&world);
}

/* --- keys --------------------------------------------------------------------------------------
 */

struct user {
    struct guard_key_pass pass;
    bool is_decided;
    enum guard_verdict verdict;
};

static void on_key(enum guard_verdict verdict, void *context)
{
    struct user *user = context;
    user->is_decided  = true;
    user->verdict     = verdict;
}

static enum guard_verdict use(struct world *world, const struct provider_key *key,
                              struct user *user)
{
    *user                      = (struct user){.pass = {.decided = on_key, .context = user}};
    enum guard_verdict verdict = guard_enter_key(world->guard, "one", key, &user->pass);
    for (int i = 0; verdict == GUARD_WAIT && !user->is_decided && i < TURNS_MAX; i++) {
        loop_turn(world->loop, 1);
    }
    if (verdict == GUARD_WAIT) assert_true(user->is_decided);
    return verdict == GUARD_WAIT ? user->verdict : verdict;
}

static void a_key_without_a_start_is_shut(void **)
{
    const struct provider_key key = {.name = "k", .requests_per_minute = 100};
    struct world world;
    struct user users[2];
    guard_world_begin(&world, (struct said){.starts = 1});
    assert_int_equal(use(&world, &key, &users[0]), GUARD_GO);
    assert_int_equal(use(&world, &key, &users[1]), GUARD_LIMIT);
    assert_null(users[1].pass.tollgate.gate);
    assert_true(guard_key_opens_ms(world.guard, "one", &key) > atomic_load(&world.now_ms));
    uint32_t asks = guard_world_look(&world).key_asks;
    assert_int_equal(use(&world, &key, &users[1]), GUARD_LIMIT); /* that is known now */
    assert_int_equal(guard_world_look(&world).key_asks, asks);
    guard_leave_key(&users[0].pass, 0);
    guard_world_end(&world);
}

static void tokens_of_a_key_are_told_and_shut_it(void **)
{
    const struct provider_key key = {.name = "k", .tokens_per_minute = 1'000};
    struct world world;
    struct user user;
    guard_world_begin(&world,
                      (struct said){.tokens_opens_us = clock_unix_us() + INT64_C(60'000'000)});
    (void)use(&world, &key, &user); /* nobody knows yet */
    guard_leave_key(&user.pass, 300);
    for (int i = 0; i < TURNS_MAX && guard_world_look(&world).spent < 300; i++) {
        guard_world_tick(&world);
    }
    assert_int_equal(guard_world_look(&world).spent, 300);
    for (int i = 0; i < 3; i++) guard_world_tick(&world);
    assert_int_equal(guard_world_look(&world).spent, 300); /* once */
    assert_int_equal(use(&world, &key, &user), GUARD_LIMIT);
    guard_world_end(&world);
}

static void a_key_is_used_alone_while_nobody_can_be_asked(void **)
{
    const struct provider_key key  = {.name = "k", .requests_per_minute = 1};
    const struct provider_key free = {.name = "free"};
    struct world world;
    struct user user;
    guard_world_begin(&world, (struct said){.fails_to_lease = true});
    assert_int_equal(use(&world, &key, &user), GUARD_GO);
    guard_leave_key(&user.pass, 0);
    uint32_t asks = guard_world_look(&world).key_asks;
    assert_int_equal(use(&world, &free, &user), GUARD_GO);
    assert_int_equal(guard_world_look(&world).key_asks, asks); /* it has no limits */
    guard_world_end(&world);
}

static void before_the_start_all_may_go(void **)
{
    struct loop *loop       = NULL;
    struct catalog *catalog = mem_new(1, sizeof *catalog);
    struct caller caller    = {};
    catalog->provider_count = 1;
    catalog->providers[0]   = (struct provider){.name = "one"};
    assert_int_equal(loop_new(NULL, &loop, NULL), STATUS_OK);
    struct world world = {.guard = guard_new(loop, catalog)};
    assert_int_equal(enter(&world, &caller), GUARD_GO);
    guard_freep(&world.guard);
    loop_free(loop);
    free(catalog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_open_breaker_refuses_at_once),
        cmocka_unit_test(who_asks_for_rest_has_it),
        cmocka_unit_test(a_half_open_breaker_lets_one_go),
        cmocka_unit_test(a_report_without_an_answer_counts_once),
        cmocka_unit_test(failures_count_while_nobody_can_be_told),
        cmocka_unit_test(an_open_breaker_stays_open_while_nobody_can_be_asked),
        cmocka_unit_test(a_breaker_whose_time_is_over_is_no_news),
        cmocka_unit_test(one_probe_goes_without_asking),
        cmocka_unit_test(a_permit_serves_one_after_the_other),
        cmocka_unit_test(a_start_that_nobody_has_made_goes_back),
        cmocka_unit_test(a_key_without_a_start_is_shut),
        cmocka_unit_test(tokens_of_a_key_are_told_and_shut_it),
        cmocka_unit_test(a_key_is_used_alone_while_nobody_can_be_asked),
        cmocka_unit_test(before_the_start_all_may_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
