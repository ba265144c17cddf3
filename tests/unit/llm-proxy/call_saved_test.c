/* Equal calls that wait for one under way: not for ever, and not one after the other. */
#include "llm-proxy/call/call_internal.h"

#include "base/mem.h"

#include "cmocka.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>

enum { ARENA_MAX = 8 << 20, CALLS_MAX = 6, MORE_MS = 20, FIRST_MS = 100, TOTAL_MS = 60'000 };

struct world;

struct asking {
    struct world *world;
    struct llm_call *call; /* NULL: it is over */
    bool is_slow;          /* its reader takes one event, and no more */
    bool is_ok;
    enum llm_cached cached;
    char provider[SAVED_NAME_SIZE];
};

/* A simulated model; the clock is turned by hand. */
struct world {
    int64_t now_ms;
    struct loop *loop;
    struct metrics *metrics;
    struct measures *measures;
    struct catalog *catalog; /* too large for a stack */
    struct pipeline *pipeline;
    struct llm_route route;
    struct arena *arena;
    json body;
    struct chat_request *request;
    struct asking asking[CALLS_MAX];
};

static int64_t now_ms(void *context)
{
    const struct world *world = context;
    return world->now_ms;
}

static int set_up(void **state)
{
    static const char body[] =
        "{\"model\":\"r\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}";
    struct world *world            = test_calloc(1, sizeof *world);
    const struct loop_options loop = {.clock = now_ms, .clock_context = world};
    world->now_ms                  = 1'000;
    assert_int_equal(loop_new(&loop, &world->loop, NULL), STATUS_OK);
    world->metrics               = metrics_new();
    world->measures              = measures_new(world->metrics);
    world->catalog               = mem_new(1, sizeof *world->catalog);
    world->catalog->providers[0] = (struct provider){
        .name = "demo", .kind = &provider_simulated, .simulation = {.first_event_ms = FIRST_MS}};
    world->catalog->provider_count = 1;
    world->route = (struct llm_route){.targets      = {{.provider = &world->catalog->providers[0],
                                                        .model    = str_from("m"),
                                                        .weight   = 1}},
                                      .target_count = 1,
                                      .retry        = {.attempts = 1},
                                      .timeouts     = {.total_ms = TOTAL_MS}};
    const struct pipeline_options options = {
        .loop = world->loop, .catalog = world->catalog, .measures = world->measures, .seed = 1};
    world->pipeline = pipeline_new(&options);
    world->arena    = arena_new(ARENA_MAX);
    assert_int_equal(json_parse(str_from(body), NULL, &world->body, NULL, NULL), STATUS_OK);
    assert_int_equal(chat_from_openai(world->body, world->arena, &world->request, NULL), STATUS_OK);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < CALLS_MAX; i++) {
        if (world->asking[i].call) llm_call_cancel(world->asking[i].call);
    }
    pipeline_freep(&world->pipeline);
    loop_freep(&world->loop);
    measures_freep(&world->measures);
    metrics_free(world->metrics);
    json_unref(world->body);
    arena_free(world->arena);
    free(world->catalog);
    test_free(world);
    return 0;
}

static void on_done(const struct llm_outcome *outcome, void *context)
{
    struct asking *asking = context;
    asking->call          = NULL;
    asking->is_ok         = outcome->is_ok;
    asking->cached        = outcome->cached;
    (void)snprintf(asking->provider, sizeof asking->provider, "%s", outcome->provider);
}

static void on_event(const struct llm_event *, void *context)
{
    struct asking *asking = context;
    if (asking->is_slow) llm_call_pause(asking->call);
}

static const struct answer_key key = {.digest = {1}};

static void ask_for(struct world *world, int number, int64_t max_age_ms)
{
    struct asking *asking          = &world->asking[number];
    const struct llm_stream stream = {.event = on_event, .context = asking};
    asking->world                  = world;
    asking->call =
        llm_call_start(world->pipeline, world->request, &world->route, 0, on_done, asking);
    llm_call_stream(asking->call, &stream);
    llm_call_save(asking->call, &key, max_age_ms);
}

static void ask(struct world *world, int number)
{
    ask_for(world, number, 0);
}

/* And a little more: what a timer sets for now is done a millisecond later. */
static void pass(struct world *world, int64_t time_ms)
{
    world->now_ms += time_ms;
    for (int i = 0; i < MORE_MS; i++, world->now_ms++) loop_turn(world->loop, 0);
}

/* The first one leads. */
static void ask_all(struct world *world)
{
    ask(world, 0);
    pass(world, 0);
    for (int i = 1; i < CALLS_MAX; i++) ask(world, i);
    pass(world, 0);
}

static int over(const struct world *world)
{
    int count = 0;
    for (int i = 0; i < CALLS_MAX; i++) count += world->asking[i].world && !world->asking[i].call;
    return count;
}

static void a_slow_reader_holds_nobody_up(void **state)
{
    struct world *world      = *state;
    world->asking[0].is_slow = true;
    ask_all(world);
    pass(world, FIRST_MS);
    assert_int_equal(over(world), 0); /* the first one's reader is full */
    pass(world, FLIGHT_PATIENCE_MS);
    pass(world, FIRST_MS);
    assert_int_equal(over(world), CALLS_MAX - 1); /* one has gone for all of them */
    int misses = 0;
    for (int i = 1; i < CALLS_MAX; i++) {
        assert_true(world->asking[i].is_ok);
        misses += world->asking[i].cached == CACHED_MISS;
    }
    assert_int_equal(misses, 1);
    world->asking[0].is_slow = false;
    llm_call_resume(world->asking[0].call);
    pass(world, 0);
    assert_int_equal(over(world), CALLS_MAX);
    assert_true(world->asking[0].is_ok);
}

static void one_that_is_slow_itself_is_waited_for(void **state)
{
    struct world *world                                    = *state;
    world->catalog->providers[0].simulation.first_event_ms = 8 * FLIGHT_PATIENCE_MS;
    ask_all(world);
    for (int i = 0; i < 7; i++) pass(world, FLIGHT_PATIENCE_MS);
    assert_int_equal(over(world), 0);
    pass(world, FLIGHT_PATIENCE_MS);
    assert_int_equal(over(world), CALLS_MAX);
    for (int i = 1; i < CALLS_MAX; i++) assert_int_equal(world->asking[i].cached, CACHED_JOINED);
}

/* However many wait: three times as long as one takes. */
static void failures_do_not_queue_up(void **state)
{
    struct world *world                                = *state;
    world->catalog->providers[0].simulation.fail_every = 1;
    ask_all(world);
    for (int i = 0; i < 3; i++) pass(world, FIRST_MS);
    assert_int_equal(over(world), CALLS_MAX);
    for (int i = 0; i < CALLS_MAX; i++) assert_false(world->asking[i].is_ok);
}

static void waiting_has_an_end(void **state)
{
    struct world *world                                    = *state;
    world->catalog->providers[0].simulation.first_event_ms = 2 * TOTAL_MS;
    ask(world, 0);
    pass(world, 0);
    ask(world, 1);
    pass(world, 0);
    for (int i = 0; i * FLIGHT_PATIENCE_MS < TOTAL_MS; i++) pass(world, FLIGHT_PATIENCE_MS);
    pass(world,
         TOTAL_MS); /* the first one has landed in the meantime: the other one is on its way */
    assert_int_equal(over(world), 1);
    pass(world, TOTAL_MS);
    assert_int_equal(over(world), 2);
    assert_int_equal(world->asking[1].cached, CACHED_MISS);
}

/* An answer from before, of that provider. */
static void keep(struct world *world, const struct answer_key *under, const char *provider)
{
    static const struct llm_event text = {.kind = LLM_TEXT, .bytes = {.ptr = "x", .len = 1}};
    static const struct llm_event stop = {.kind = LLM_FINISH, .finish = FINISH_STOP};
    struct saved_answer *saved         = saved_answer_new();
    saved->key                         = *under;
    saved->born_ms                     = world->now_ms;
    (void)snprintf(saved->provider, sizeof saved->provider, "%s", provider);
    event_log_take(&text, &saved->log);
    event_log_take(&stop, &saved->log);
    answer_cache_put(world->pipeline->cache, saved);
    saved_answer_unref(saved);
}

/* Whether it is one for all, or one that only its own protocol has words for. */
static void the_newest_answer_is_given(void **state)
{
    enum { OLD_ENOUGH_MS = 100'000 };
    struct world *world         = *state;
    const struct answer_key own = answer_key_within(&key, world->request->protocol);
    keep(world, &key, "first");
    world->now_ms += 1'000;
    keep(world, &own, "second");
    world->now_ms += 1'000;
    ask_for(world, 0, OLD_ENOUGH_MS);
    pass(world, 0);
    assert_int_equal(world->asking[0].cached, CACHED_HIT);
    assert_string_equal(world->asking[0].provider, "second");
    keep(world, &key, "third");
    ask_for(world, 1, OLD_ENOUGH_MS);
    pass(world, 0);
    assert_string_equal(world->asking[1].provider, "third");
}

static void a_new_answer_is_never_an_old_one(void **state)
{
    struct world *world = *state;
    ask(world, 0);
    keep(world, &key, "this very moment");
    loop_turn(world->loop, 0);
    world->now_ms++;
    keep(world, &key, "the next one");
    loop_turn(world->loop, 0);
    pass(world, FIRST_MS);
    assert_int_equal(world->asking[0].cached, CACHED_MISS);
    assert_string_equal(world->asking[0].provider, "demo");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_slow_reader_holds_nobody_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_is_slow_itself_is_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failures_do_not_queue_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(waiting_has_an_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_newest_answer_is_given, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_new_answer_is_never_an_old_one, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
