/* Waiting for the end of runs, their results, and their histories. */
#include "support/gateway/front.h"

static void a_wait_sees_an_end_that_comes_later(void **state)
{
    struct fixture *it = *state;
    char path[128];
    int fd = ask(it, &(struct wish){
                         .method = "GET", .path = path_of("?wait=30s", path), .key = FAKE_VIEWER});
    fake_await(&it->fake, &it->fake.watches, 1);
    fake_end_run(&it->fake, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    assert_int_equal(finish(it, fd), 200);
    assert_true(has(it, "\"output\":{\"answer\":42}"));
}

static void a_wait_sees_an_end_that_came_before_it(void **state)
{
    struct fixture *it        = *state;
    it->fake.is_slow_to_start = true;
    int fd                    = ask(it, &(struct wish){.method = "POST",
                                                       .path   = "/v1/runs?wait=30s",
                                                       .key    = FAKE_DEVELOPER,
                                                       .body   = "{\"workflow\":\"hello\"}"});
    fake_await(&it->fake, &it->fake.started, 1);
    fake_end_run(&it->fake, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    assert_int_equal(finish(it, fd), 200);
    assert_true(has(it, "\"status\":\"completed\""));
}

static void a_wait_that_is_over_tells_how_it_stands(void **state)
{
    struct fixture *it = *state;
    char path[128];
    assert_int_equal(get(it, path_of("?wait=10ms&view=basic", path)), 200);
    assert_true(has(it, "\"status\":\"running\""));
    assert_false(has(it, "\"input\""));
    assert_int_equal(get(it, path_of("/result?wait=1ms", path)), 202);
    assert_true(has(it, "Retry-After: 1\r\n"));
    assert_int_equal(post(it, "/v1/runs?wait=10ms", NULL, "{\"workflow\":\"hello\"}"), 201);
}

/* Two pulls under way used to replace each other for ever. */
static void pulls_do_not_chase_each_other(void **state)
{
    struct fixture *it = *state;
    char path[128];
    (void)path_of("?wait=10ms", path);
    for (int i = 0; i < 5; i++) assert_int_equal(get(it, path), 200);
    unsigned before = fake_count(&it->fake, &it->fake.pulled);
    for (int i = 0; i < 200; i++) assert_int_equal(get(it, "/v1/version"), 200);
    assert_true(fake_count(&it->fake, &it->fake.pulled) - before <= 1);
    assert_true(before <= 11);
    fake_nudge(&it->fake); /* the next pull tells that nobody waits any more */
    fake_await(&it->fake, &it->fake.unwatches, 1);
}

static void results_follow_the_status(void **state)
{
    struct fixture *it = *state;
    char path[128];
    set_run(it, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    assert_int_equal(get(it, path_of("/result", path)), 200);
    assert_true(has(it, "\r\n\r\n{\"answer\":42}"));
    set_run(it, PB__RUN_STATUS__RUN_STATUS_FAULTED);
    assert_int_equal(get(it, path), 424);
    assert_true(has(it, "run_failed"));
}

static void history_is_paged_from_both_ends(void **state)
{
    struct fixture *it   = *state;
    it->fake.event_count = 5;
    char path[128];
    assert_int_equal(get(it, path_of("/history?page_size=2", path)), 200);
    assert_true(has(it, "\"next_page_token\":\"2\""));
    assert_int_equal(get(it, path_of("/history?page_size=3&page_token=2", path)), 200);
    assert_true(has(it, "\"sequence\":5") && !has(it, "\"sequence\":2") && !has(it, "next_page"));

    assert_int_equal(get(it, path_of("/history?order=newest&page_size=2", path)), 200);
    assert_true(has(it, "\"next_page_token\":\"4\""));
    assert_true(strstr(it->answer.ptr, "\"sequence\":5") <
                strstr(it->answer.ptr, "\"sequence\":4"));
    assert_int_equal(get(it, path_of("/history?order=newest&page_size=2&page_token=4", path)), 200);
    assert_true(strstr(it->answer.ptr, "\"sequence\":3") <
                strstr(it->answer.ptr, "\"sequence\":2"));
    assert_true(has(it, "\"next_page_token\":\"2\"") && !has(it, "\"sequence\":4"));
    assert_int_equal(get(it, path_of("/history?order=newest&page_size=2&page_token=2", path)), 200);
    assert_true(has(it, "\"sequence\":1") && !has(it, "next_page") && !has(it, "\"sequence\":2"));
    assert_int_equal(
        get(it, path_of("/history?order=newest&page_size=9&after=3&page_token=5", path)), 200);
    assert_true(has(it, "\"sequence\":4") && !has(it, "\"sequence\":3") && !has(it, "next_page"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_wait_sees_an_end_that_comes_later),
        FIXTURE_TEST(a_wait_sees_an_end_that_came_before_it),
        FIXTURE_TEST(a_wait_that_is_over_tells_how_it_stands),
        FIXTURE_TEST(pulls_do_not_chase_each_other),
        FIXTURE_TEST(results_follow_the_status),
        FIXTURE_TEST(history_is_paged_from_both_ends),
    };
    return cmocka_run_group_tests_name("waiting", tests, NULL, NULL);
}
