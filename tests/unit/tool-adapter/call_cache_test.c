/* Outputs that are given again, and calls that share one. */
#include "tool-adapter/call/call_cache.h"

#include "cmocka.h"

#include <string.h>

static struct call_key key_of(char name)
{
    struct call_key key;
    memset(key.digest, name, sizeof key.digest);
    return key;
}

static bool has(struct call_cache *cache, char name, int64_t now_ms)
{
    const struct call_key key     = key_of(name);
    CLEANUP(json_unrefp) json one = call_cache_find(cache, &key, now_ms);
    return !json_is(one, JSON_INVALID);
}

static void put(struct call_cache *cache, char name, const char *text, int64_t until_ms)
{
    const struct call_key key       = key_of(name);
    CLEANUP(json_unrefp) json value = json_text_from(text);
    call_cache_put(cache, &key, value, json_invalid(), until_ms);
}

static void test_what_is_kept(void **)
{
    CLEANUP(call_cache_freep) struct call_cache *cache = call_cache_new(20);
    put(cache, 'a', "123456", 100); /* 8 bytes with its quotes */
    assert_true(has(cache, 'a', 99));
    assert_false(has(cache, 'a', 100)); /* its time is over */
    put(cache, 'a', "123456", 1'000);
    put(cache, 'b', "123456", 1'000);
    assert_true(has(cache, 'a', 100)); /* the newest now */
    put(cache, 'c', "123456", 1'000);
    assert_false(has(cache, 'b', 100));
    assert_true(has(cache, 'a', 100));
    put(cache, 'a', "1", 1'000); /* in its place */
    assert_true(has(cache, 'a', 100));
    put(cache, 'd', "1234567890123456789", 1'000); /* more than there is room for */
    assert_false(has(cache, 'd', 100));
    const struct call_cache_stats stats = call_cache_stats(cache);
    assert_int_equal(stats.entries, 2);
    assert_int_equal(stats.bytes, 11);
    assert_int_equal(stats.bytes_max, 20);
    assert_int_equal(stats.evicted, 1);
    assert_int_equal(stats.hits, 4);
    assert_int_equal(stats.misses, 0); /* nobody went */
}

static void test_what_can_be_asked_after_stays(void **)
{
    CLEANUP(call_cache_freep) struct call_cache *cache = call_cache_new(20);
    CLEANUP(json_unrefp) json value                    = json_text_from("123456");
    CLEANUP(json_unrefp) json validators               = json_object_new(1);
    CLEANUP(json_unrefp) json found                    = json_invalid();
    const struct call_key key                          = key_of('a');
    json_object_put_text(&validators, "etag", json_text_from("x"));
    assert_true(json_is(call_cache_old(cache, &key, &found), JSON_INVALID));
    call_cache_put(cache, &key, value, validators, 100);
    assert_false(has(cache, 'a', 100));
    CLEANUP(json_unrefp) json old = call_cache_old(cache, &key, &found);
    assert_true(json_equal(old, value) && json_equal(found, validators));
    call_cache_renew(cache, &key, old, found, 200);
    assert_true(has(cache, 'a', 199));
    assert_int_equal(call_cache_stats(cache).renewed, 1);
    put(cache, 'b', "123456", 1'000);
    put(cache, 'c', "123456", 1'000); /* its room is needed */
    CLEANUP(json_unrefp) json none = json_invalid();
    assert_true(json_is(call_cache_old(cache, &key, &none), JSON_INVALID));
    put(cache, 'b', "1", 100); /* nobody can be asked after that */
    assert_false(has(cache, 'b', 100));
    assert_int_equal(call_cache_stats(cache).entries, 1);
}

/* {from}, of which `from` is a constant of a configuration. */
static json output_of(json constant)
{
    json output = json_object_new(1);
    json_object_put_text(&output, "from", json_ref(constant));
    return output;
}

static void test_an_output_outlives_the_configuration(void **)
{
    CLEANUP(call_cache_freep) struct call_cache *cache = call_cache_new(100);
    const struct call_key key                          = key_of('a');
    json constant                                      = json_freeze(json_text_from("a constant"));
    json output                                        = output_of(constant);
    call_cache_put(cache, &key, output, json_invalid(), 100);
    json_unref(output);
    json_thaw_and_free(constant);
    CLEANUP(json_unrefp) json found = call_cache_find(cache, &key, 1);
    json from                       = json_get_text(found, "from");
    assert_true(json_is(from, JSON_TEXT) && str_is(json_str(from), "a constant"));
}

/* What counts is its size alone. */
static void test_an_output_of_many_values_is_kept(void **)
{
    enum { COUNT = 150'000 };
    CLEANUP(call_cache_freep) struct call_cache *cache = call_cache_new(2 << 20);
    const struct call_key key                          = key_of('a');
    CLEANUP(json_unrefp) json output                   = json_array_new(COUNT);
    for (int i = 0; i < COUNT; i++) json_array_push(&output, json_int(i % 10));
    call_cache_put(cache, &key, output, json_invalid(), 100);
    CLEANUP(json_unrefp) json found = call_cache_find(cache, &key, 1);
    assert_true(json_equal(found, output));
}

struct traveller {
    struct passenger passenger;
    int landed, led;
};

static void on_landed(json output, void *context)
{
    struct traveller *traveller = context;
    if (json_is(output, JSON_INVALID)) {
        traveller->led++;
    } else {
        traveller->landed++;
    }
}

static bool board(struct call_cache *cache, struct traveller *traveller)
{
    const struct call_key key = key_of('k');
    traveller->passenger      = (struct passenger){.landed = on_landed, .context = traveller};
    return call_cache_board(cache, &key, &traveller->passenger);
}

static void test_flights(void **)
{
    CLEANUP(call_cache_freep) struct call_cache *cache = call_cache_new(20);
    struct traveller all[5]                            = {};
    for (size_t i = 0; i < 5; i++) assert_int_equal(board(cache, &all[i]), i == 0);

    call_cache_leave(cache, &all[4].passenger); /* the last one who waits */
    call_cache_leave(cache, &all[2].passenger); /* one in the middle */
    call_cache_land(cache, &all[0].passenger, json_invalid());
    assert_int_equal(all[1].led, 1); /* the one that waited longest goes now */
    assert_int_equal(all[3].led, 0);

    assert_false(board(cache, &all[0])); /* behind the others */
    call_cache_leave(cache, &all[1].passenger);
    assert_int_equal(all[3].led, 1);
    call_cache_land(cache, &all[3].passenger, json_null());
    assert_int_equal(all[0].landed, 1);
    assert_int_equal(all[1].landed + all[2].landed + all[3].landed + all[4].landed, 0);
    assert_int_equal(call_cache_stats(cache).shared, 1);
    assert_int_equal(call_cache_stats(cache).misses, 3); /* who led */

    assert_true(board(cache, &all[0])); /* that flight is over */
    call_cache_leave(cache, &all[0].passenger);
    call_cache_leave(cache, &all[0].passenger); /* on none: nothing happens */
}

/* At the end of the process nobody sets out any more, in whatever order they leave. */
static void test_a_closed_cache_passes_nothing_on(void **)
{
    CLEANUP(call_cache_freep) struct call_cache *cache = call_cache_new(20);
    struct traveller all[3]                            = {};
    for (size_t i = 0; i < 3; i++) assert_int_equal(board(cache, &all[i]), i == 0);
    call_cache_close(cache);
    call_cache_leave(cache, &all[0].passenger);
    call_cache_leave(cache, &all[2].passenger);
    call_cache_leave(cache, &all[1].passenger);
    for (size_t i = 0; i < 3; i++) assert_int_equal(all[i].led + all[i].landed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_kept),
        cmocka_unit_test(test_what_can_be_asked_after_stays),
        cmocka_unit_test(test_an_output_outlives_the_configuration),
        cmocka_unit_test(test_an_output_of_many_values_is_kept),
        cmocka_unit_test(test_flights),
        cmocka_unit_test(test_a_closed_cache_passes_nothing_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
