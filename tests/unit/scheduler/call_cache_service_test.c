/* Over a socket: how much is kept of answers of calls, and deleting it. */
#include "cmocka.h"

#include "call_cache.pb-c.h"
#include "support/scheduler/rig.h"

#define TASK                                                                                       \
    "  - a:\n      call: worker.look\n      with: {n: '${ .n }'}\n"                                \
    "      metadata: {tutti: {queue: jobs, cache: {maxAge: PT1H}}}\n"

enum { WAIT_MS = 10'000, NOTHING_MS = 10, FILTER_MAX = 255 };

static const Pb__CacheStats *stats(struct rig *rig, const char *namespace)
{
    Pb__CacheStatsRequest message = PB__CACHE_STATS_REQUEST__INIT;
    message.namespace_            = namespace;
    const struct question asked   = {
          .service = &pb__call_cache__descriptor, .method = "Stats", .message = &message};
    return rig_ask(rig, &asked);
}

static const Pb__ClearedCache *clear(struct rig *rig, Pb__ClearCache wanted, status expected)
{
    const struct question asked = {.service  = &pb__call_cache__descriptor,
                                   .method   = "Clear",
                                   .message  = &wanted,
                                   .expected = expected};
    return rig_ask(rig, &asked);
}

static Pb__ClearCache wish(const char *namespace)
{
    Pb__ClearCache wanted = PB__CLEAR_CACHE__INIT;
    wanted.namespace_     = namespace;
    return wanted;
}

/* The first call is made by a worker, the others are answered by what it kept. */
static void test_what_is_kept_is_counted_and_cleared(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "test", TASK);
    const char *first = rig_start(&rig, "test", "{\"n\": 1}")->run->id;
    assert_int_equal(rig_complete(&rig, rig_lease(&rig, "jobs", WAIT_MS), "{\"x\": 12}"),
                     STATUS_OK);
    rig_wait_for(&rig, first, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    const char *second = rig_start(&rig, "test", "{\"n\": 1}")->run->id;
    rig_wait_for(&rig, second, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    assert_null(rig_lease(&rig, "jobs", NOTHING_MS));

    rig_restart(&rig);
    const Pb__CacheStats *seen = stats(&rig, "default");
    assert_int_equal(seen->entries, 1);
    assert_int_equal(seen->bytes, strlen("{\"x\":12}"));
    assert_int_equal(seen->hits, 1);
    assert_int_equal(seen->misses, 1);
    assert_true(seen->entries_max > 0 && seen->bytes_max > 0 && seen->value_bytes_max > 0);
    assert_int_equal(stats(&rig, "other")->entries, 0);
    assert_int_equal(stats(&rig, "*")->entries, 1);

    Pb__ClearCache wanted = wish("other");
    assert_int_equal(clear(&rig, wanted, STATUS_OK)->entries, 0);
    wanted          = wish("default");
    wanted.function = "worker.loo";
    assert_int_equal(clear(&rig, wanted, STATUS_OK)->entries, 0);
    wanted          = wish("default");
    wanted.workflow = "another";
    assert_int_equal(clear(&rig, wanted, STATUS_OK)->entries, 0);
    wanted                          = wish("default");
    wanted.function                 = "worker.look";
    const Pb__ClearedCache *cleared = clear(&rig, wanted, STATUS_OK);
    assert_int_equal(cleared->entries, 1);
    assert_int_equal(cleared->bytes, strlen("{\"x\":12}"));
    assert_false(cleared->has_more);
    assert_int_equal(stats(&rig, "default")->entries, 0);

    (void)rig_start(&rig, "test", "{\"n\": 1}");
    assert_non_null(rig_lease(&rig, "jobs", WAIT_MS)); /* it is called again */
    rig_done(&rig);
}

static void test_filters_have_a_size(void **)
{
    char text[FILTER_MAX + 2] = {};
    struct rig rig            = {};
    rig_init(&rig, 1, false);
    memset(text, 'x', FILTER_MAX);
    for (int i = 0; i < 3; i++) {
        Pb__ClearCache wanted      = wish("default");
        const char **const texts[] = {&wanted.prefix, &wanted.function, &wanted.workflow};
        text[FILTER_MAX]           = '\0';
        *texts[i]                  = text;
        (void)clear(&rig, wanted, STATUS_OK);
        text[FILTER_MAX] = 'x';
        (void)clear(&rig, wanted, STATUS_INVALID_ARGUMENT);
    }
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_kept_is_counted_and_cleared),
        cmocka_unit_test(test_filters_have_a_size),
    };
    return cmocka_run_group_tests_name("call_cache_service", tests, NULL, NULL);
}
