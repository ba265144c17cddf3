/* What is set aside for a call is settled once, in whatever order calls begin, wait, are cut, and
 * are given up, and whatever of it the scheduler hears; and what is charged is what is counted. */
#include "cmocka.h"

#include "base/mem.h"
#include "base/random.h"
#include "llm-proxy/answers/recording_internal.h"
#include "llm-proxy/client/client_call_internal.h"
#include "support/llm-proxy/guard_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_MAX = 1 << 20, ROUNDS = 40, STEPS = 120, STEP_MS = 40, LAST_MS = 200'000 };

/* An llm-proxy with two simulated models, and a gateway. */
struct proxy {
    struct world world;
    struct booked *booked;
    struct metrics *metrics;
    struct measures *measures;
    struct arena *arena;
    struct pipeline *pipeline;
    struct answers *answers;
    struct recordings *recordings;
    struct subscriber *subscriber;
    struct client_calls calls;
    Pb__LlmPull pull;
    Pb__LlmPulled pulled;
    struct rpc_call call;
    struct prng prng;
};

static void on_reply(struct rpc_call *call, status code, const struct error *)
{
    struct proxy *proxy = call->context;
    if (code == STATUS_OK) proxy->pull.last_reply = proxy->pulled.reply;
}

static void print_interrupted(Pb__LlmOperation, struct buf *)
{
    /* Nothing is. */
}

static void begin(struct proxy *proxy, uint64_t seed)
{
    static uint8_t id[SUBSCRIBER_ID_SIZE] = "gateway";
    struct error error                    = {};
    *proxy                                = (struct proxy){};
    guard_world_begin(
        &proxy->world,
        (struct said){.budgets = 1, .verdict = GRANTED, .charged = true, .output_tokens = 10});
    proxy->booked           = mem_new(BOOKED_MAX, sizeof *proxy->booked);
    proxy->world.booked     = proxy->booked;
    proxy->prng             = (struct prng){.state = seed};
    proxy->metrics          = metrics_new();
    proxy->measures         = measures_new(proxy->metrics);
    proxy->arena            = arena_new(ARENA_MAX);
    struct catalog *catalog = proxy->world.catalog;
    for (int i = 0; i < 2; i++) {
        catalog->providers[i].kind  = &provider_simulated;
        catalog->providers[i].embed = (struct embed_limits){.batch = 2, .concurrency = 2};
        catalog->providers[i].simulation =
            (struct simulation){.first_event_ms = 100, .tokens_per_second = 50};
    }
    catalog->providers[1].simulation.fail_every = 3;
    catalog->providers[1].simulation.cut_after  = 20;
    catalog->pii = pii_policies_read(NULL, json_invalid(), proxy->arena, NULL);
    const struct pipeline_options options = {.loop     = proxy->world.loop,
                                             .catalog  = catalog,
                                             .measures = proxy->measures,
                                             .guard    = proxy->world.guard,
                                             .seed     = seed};
    proxy->pipeline                       = pipeline_new(&options);
    const struct answers_options answers  = {.loop              = proxy->world.loop,
                                             .print_interrupted = print_interrupted};
    assert_int_equal(answers_open(&answers, &proxy->answers, &error), STATUS_OK);
    proxy->recordings = recordings_new(proxy->world.loop, proxy->answers, RECORDING_GRACE_MS);
    proxy->subscriber = subscriber_new((ProtobufCBinaryData){.data = id, .len = sizeof id}, 1,
                                       proxy->world.loop, on_reply);
    proxy->pull       = (Pb__LlmPull)PB__LLM_PULL__INIT;
    proxy->call =
        (struct rpc_call){.context = proxy, .request = &proxy->pull, .response = &proxy->pulled};
    proxy->calls = (struct client_calls){.pipeline   = proxy->pipeline,
                                         .guard      = proxy->world.guard,
                                         .answers    = proxy->answers,
                                         .recordings = proxy->recordings};
}

static void end(struct proxy *proxy)
{
    answers_stop(proxy->answers);
    recordings_freep(&proxy->recordings);
    answers_freep(&proxy->answers);
    guard_world_end(&proxy->world);
    measures_freep(&proxy->measures);
    metrics_free(proxy->metrics);
    arena_free(proxy->arena);
    free(proxy->booked);
}

static uint64_t pick(struct proxy *proxy, uint64_t count)
{
    return prng_next(&proxy->prng) % count;
}

/* --- what happens ------------------------------------------------------------------------------
 */

#define ASKS "\"messages\":[{\"role\":\"user\",\"content\":\"what may this cost?\"}]"
#define SHAPE                                                                                      \
    "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"s\",\"schema\":{"   \
    "\"type\":\"object\",\"required\":[\"n\"],\"properties\":{\"n\":{\"type\":\"integer\"}}}}}"

static void start(struct proxy *proxy)
{
    static const struct {
        const char *body, *header, *value;
        bool has_key, is_embedding;
    } kinds[] = {
        {"{\"model\":\"one/m\"," ASKS "}", NULL, NULL, false, false},
        {"{\"model\":\"two/m\"," ASKS "}", NULL, NULL, false, false},
        {"{\"model\":\"one/m\",\"stream\":true," ASKS "}", NULL, NULL, false, false},
        {"{\"model\":\"two/m\",\"stream\":true," ASKS "}", NULL, NULL, false, false},
        {"{\"model\":\"one/m\",\"stream\":true," ASKS "}", NULL, NULL, true, false},
        {"{\"model\":\"one/m\",\"stream\":true," ASKS "}", "tutti-durable", "true", false, false},
        {"{\"model\":\"two/m\",\"stream\":true," ASKS "}", "tutti-durable", "true", true, false},
        {"{\"model\":\"one/m\"," SHAPE "," ASKS "}", "tutti-validate", "true", false, false},
        {"{\"model\":\"two/m\",\"stream\":true," SHAPE "," ASKS "}", "tutti-validate", "true",
         false, false},
        {"{\"model\":\"one/m\",\"seed\":7," ASKS "}", "cache-control", "max-age=1", false, false},
        {"{\"model\":\"two/m\",\"seed\":7,\"stream\":true," ASKS "}", "cache-control", "max-age=1",
         false, false},
        {"{\"model\":\"one/e\",\"input\":[\"a text\",\"another text\"]}", NULL, NULL, false, true},
        {"{\"model\":\"two/e\",\"input\":\"a text\"}", NULL, NULL, true, true},
    };
    size_t which          = pick(proxy, ARRAY_LEN(kinds));
    Pb__LlmOpen open      = PB__LLM_OPEN__INIT;
    Pb__LlmHeader header  = PB__LLM_HEADER__INIT;
    Pb__LlmHeader *list[] = {&header};
    uint64_t number       = 0;
    struct error error    = {};
    char key[16]          = "";
    header.name           = kinds[which].header ? kinds[which].header : "";
    header.value          = kinds[which].value ? kinds[which].value : "";
    open.headers          = list;
    open.n_headers        = kinds[which].header ? 1 : 0;
    open.operation = kinds[which].is_embedding ? PB__LLM_OPERATION__LLM_OPERATION_OPENAI_EMBEDDINGS
                                               : PB__LLM_OPERATION__LLM_OPERATION_OPENAI_CHAT;
    if (kinds[which].has_key) {
        (void)snprintf(key, sizeof key, "%zu-%d", which, (int)pick(proxy, 3));
    }
    open.namespace_      = "default";
    open.key_id          = "k";
    open.idempotency_key = key;
    open.body            = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)kinds[which].body,
                                                 .len  = strlen(kinds[which].body)};
    (void)client_call_start(&proxy->calls, proxy->subscriber, &open, &number, &error);
}

static void cancel_one(struct proxy *proxy)
{
    struct client_call *client = proxy->subscriber->calls;
    for (uint64_t i = pick(proxy, 4); client && client->next && i > 0; i--) client = client->next;
    if (client) client_call_cancel(client);
}

static void leave_one(struct proxy *proxy)
{
    struct follower *follower  = proxy->subscriber->followers;
    struct client_call *client = NULL;
    for (uint64_t i = pick(proxy, 4); follower && follower->next_of && i > 0; i--) {
        follower = follower->next_of;
    }
    if (!follower) return;
    client = client_call_of(proxy->subscriber, follower->number);
    if (client) {
        client_call_cancel(client);
    } else {
        follower_drop(follower);
    }
}

static void be_scheduler(struct proxy *proxy)
{
    struct world *world = &proxy->world;
    (void)pthread_mutex_lock(&world->mutex);
    switch (pick(proxy, 9)) {
    case 0: world->said.verdict = REFUSED; break;
    case 1: world->said.verdict = WAITING; break;
    case 2: world->said.fails_to_reserve = !world->said.fails_to_reserve; break;
    case 3: world->said.fails_to_settle += 2; break;
    case 4: world->said.fails_to_count += 2; break;
    case 5: world->said.loses_counted += 2; break;
    case 6: world->said.is_old = !world->said.is_old; break;
    default: world->said.verdict = GRANTED; world->said.fails_to_reserve = false;
    }
    (void)pthread_mutex_unlock(&world->mutex);
}

static void pass(struct proxy *proxy, int64_t time_ms)
{
    atomic_fetch_add(&proxy->world.now_ms, time_ms);
    loop_turn(proxy->world.loop, 0);
    proxy->pulled       = (Pb__LlmPulled)PB__LLM_PULLED__INIT;
    proxy->pull.wait_ms = 0;
    subscriber_pull(proxy->subscriber, &proxy->call);
    loop_turn(proxy->world.loop, 0);
}

static void step(struct proxy *proxy)
{
    switch (pick(proxy, 12)) {
    case 0:
    case 1:
    case 2:
    case 3: start(proxy); break;
    case 4: cancel_one(proxy); break;
    case 5: leave_one(proxy); break;
    case 6: be_scheduler(proxy); break;
    default: pass(proxy, (int64_t)pick(proxy, 8) * STEP_MS);
    }
}

/* --- what comes of it --------------------------------------------------------------------------
 */

/* Everybody ends, and the scheduler hears it. */
static void finish(struct proxy *proxy)
{
    struct world *world = &proxy->world;
    (void)pthread_mutex_lock(&world->mutex);
    world->said.verdict          = GRANTED;
    world->said.fails_to_reserve = false;
    world->said.fails_to_settle  = 0;
    world->said.fails_to_count   = 0;
    (void)pthread_mutex_unlock(&world->mutex);
    uint64_t how = pick(proxy, 3);
    while (how == 0 && proxy->subscriber->calls) client_call_cancel(proxy->subscriber->calls);
    while (how == 1 && proxy->subscriber->calls) client_call_cut(proxy->subscriber->calls);
    if (how < 2) recordings_abandon(proxy->recordings);
    for (int64_t ms = 0; ms < LAST_MS && proxy->calls.count > 0; ms += STEP_MS) {
        pass(proxy, STEP_MS);
        loop_turn(world->loop, 1); /* answers come by other threads */
    }
    while (proxy->subscriber->calls) client_call_cancel(proxy->subscriber->calls);
    recordings_abandon(proxy->recordings);
    while (proxy->subscriber->followers) follower_drop(proxy->subscriber->followers);
    assert_int_equal(proxy->calls.count, 0);
    guard_world_settle(world);
    pipeline_freep(&proxy->pipeline);
    subscriber_free(proxy->subscriber);
}

static void every_order_settles_once(void **)
{
    int64_t all = 0;
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        struct proxy *proxy = test_calloc(1, sizeof *proxy);
        int64_t charged     = 0;
        begin(proxy, seed);
        for (int i = 0; i < STEPS; i++) step(proxy);
        finish(proxy);
        assert_true(proxy->world.booked_count < BOOKED_MAX);
        for (size_t i = 0; i < proxy->world.booked_count; i++) {
            const struct booked *booked = &proxy->booked[i];
            if (booked->ends != 1) {
                fail_msg("seed %d: %s: %u ends", (int)seed, booked->call, booked->ends);
            }
            charged += booked->tokens;
        }
        int64_t counted = guard_world_look(&proxy->world).counted_tokens;
        if (charged != counted) {
            fail_msg("seed %d: %d tokens are charged, %d counted", (int)seed, (int)charged,
                     (int)counted);
        }
        all += charged;
        end(proxy);
        test_free(proxy);
    }
    assert_true(all > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_order_settles_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
