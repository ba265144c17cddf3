/* Buckets and places of a provider's key, by a clock of our own. */
#include "llm-proxy/keys/key_room.h"

#include "cmocka.h"

#define MINUTE INT64_C(60'000)

static bool may(const struct key_room *room, const struct provider_key *key, int64_t now_ms)
{
    bool is_full = false;
    bool may_now = key_room_opens_ms(room, key, now_ms, &is_full) <= now_ms;
    assert_int_equal(is_full, !may_now);
    return may_now;
}

static void a_day_of_requests(void **)
{
    enum { A_MINUTE = 7, MINUTES = 24 * 60 };
    const struct provider_key key = {.requests_per_minute = A_MINUTE};
    struct key_room room          = {};
    int count                     = 0;
    int64_t until_ms              = 1'000 + MINUTES * MINUTE;
    for (int64_t now_ms = 1'000; now_ms < until_ms; now_ms += 500) {
        while (may(&room, &key, now_ms)) {
            key_room_enter(&room, &key, now_ms);
            key_room_leave(&room, &key, 1'000'000, now_ms); /* tokens have no limit */
            count++;
        }
    }
    assert_in_range(count, A_MINUTE * MINUTES - 60, A_MINUTE * MINUTES + A_MINUTE);
}

static void tokens_are_owed(void **)
{
    const struct provider_key key = {.tokens_per_minute = 600}; /* one each 100 ms */
    struct key_room room          = {};
    bool is_full                  = false;
    key_room_enter(&room, &key, 0);
    assert_true(may(&room, &key, 0)); /* nobody knows yet */
    key_room_leave(&room, &key, 599, 0);
    assert_true(may(&room, &key, 0));
    key_room_enter(&room, &key, 0);
    key_room_leave(&room, &key, 1'200, 0);
    assert_int_equal(key_room_opens_ms(&room, &key, 0, &is_full), (599 + 1'200 - 599) * 100);
    assert_false(may(&room, &key, 119'999));
    assert_true(may(&room, &key, 120'000));
    key_room_enter(&room, &key, 120'000);
    key_room_leave(&room, &key, INT64_MAX, 120'000);
    assert_false(may(&room, &key, INT64_C(1) << 40));
}

/* A call that was refused before anybody was called. */
static void what_was_not_called_is_not_counted(void **)
{
    const struct provider_key key = {.requests_per_minute = 2, .parallel = 1};
    struct key_room room          = {};
    for (int i = 0; i < 5; i++) {
        assert_true(may(&room, &key, 0));
        key_room_enter(&room, &key, 0);
        assert_false(may(&room, &key, 0));
        key_room_leave_unused(&room, &key);
    }
    for (int i = 0; i < 2; i++) {
        assert_true(may(&room, &key, 0));
        key_room_enter(&room, &key, 0);
        key_room_leave(&room, &key, 0, 0);
    }
    assert_false(may(&room, &key, 0));
}

static void so_many_at_a_time(void **)
{
    const struct provider_key key = {.parallel = 2};
    struct key_room room          = {};
    bool is_full                  = false;
    key_room_enter(&room, &key, 5);
    assert_true(may(&room, &key, 5));
    key_room_enter(&room, &key, 5);
    assert_int_equal(key_room_opens_ms(&room, &key, 5, &is_full), 5 + KEY_ROOM_CROWDED_MS);
    key_room_leave(&room, &key, 0, 6);
    assert_true(may(&room, &key, 6));
}

static void rest_is_no_limit(void **)
{
    const struct provider_key key = {.requests_per_minute = 1};
    struct key_room room          = {.not_before_ms = 90'000};
    struct key_room after         = {};
    bool is_full                  = false;
    assert_int_equal(key_room_opens_ms(&room, &key, 0, &is_full), 90'000);
    assert_false(is_full);
    key_room_enter(&room, &key, 0);
    assert_int_equal(key_room_opens_ms(&room, &key, 0, &is_full), 90'000); /* the later one */
    assert_false(is_full);
    key_room_take_over(&after, &room);
    assert_int_equal(after.not_before_ms, 90'000);
    assert_int_equal(after.in_flight, 0);
    assert_false(may(&(struct key_room){.requests_full_ns = after.requests_full_ns}, &key, 0));
    room.not_before_ms  = KEY_ROOM_NEVER;
    after.not_before_ms = 0;
    key_room_take_over(&after, &room); /* it is tried again */
    assert_int_equal(after.not_before_ms, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_day_of_requests),
        cmocka_unit_test(tokens_are_owed),
        cmocka_unit_test(what_was_not_called_is_not_counted),
        cmocka_unit_test(so_many_at_a_time),
        cmocka_unit_test(rest_is_no_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
