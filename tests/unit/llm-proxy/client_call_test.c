/* Calls of a gateway's clients: why one is refused, and what of a stream goes out when. */
#include "llm-proxy/client/client_call_internal.h"

#include "base/mem.h"

#include "cmocka.h"

#include <stdlib.h>
#include <string.h>

enum { ARENA_MAX = 1 << 20, TEXT_MAX = 16 << 10, TURNS_MAX = 10'000 };

/* A process with a simulated model, and a gateway that pulls. The clock is turned by hand. */
struct world {
    int64_t now_ms;
    struct loop *loop;
    struct metrics *metrics;
    struct measures *measures;
    struct catalog *catalog; /* too large for a stack */
    struct arena *arena;
    struct pipeline *pipeline;
    struct guard *guard;
    struct usage_journal *journal;
    struct answers *answers;
    struct recordings *recordings;
    struct subscriber *subscriber;
    struct client_calls calls;
    Pb__LlmPull pull;
    Pb__LlmPulled pulled;
    struct rpc_call call;
    char text[TEXT_MAX];
    size_t len;
};

static int64_t now_ms(void *context)
{
    const struct world *world = context;
    return world->now_ms;
}

static void on_reply(struct rpc_call *call, status code, const struct error *)
{
    struct world *world         = call->context;
    const Pb__LlmPulled *pulled = call->response;
    if (code != STATUS_OK) return;
    world->pull.last_reply = pulled->reply;
    for (size_t i = 0; i < pulled->n_items; i++) {
        const ProtobufCBinaryData *data = &pulled->items[i]->data;
        assert_true(world->len + data->len < TEXT_MAX);
        if (data->len > 0) memcpy(world->text + world->len, data->data, data->len);
        world->len += data->len;
        world->text[world->len] = '\0';
    }
}

static void print_interrupted(Pb__LlmOperation, struct buf *)
{
    /* Nothing is. */
}

static int set_up(void **state)
{
    static uint8_t id[SUBSCRIBER_ID_SIZE] = "gateway";
    struct world *world                   = test_calloc(1, sizeof *world);
    struct error error                    = {};
    const struct loop_options loop        = {.clock = now_ms, .clock_context = world};
    world->now_ms                         = 1'000;
    assert_int_equal(loop_new(&loop, &world->loop, &error), STATUS_OK);
    world->metrics                 = metrics_new();
    world->measures                = measures_new(world->metrics);
    world->catalog                 = mem_new(1, sizeof *world->catalog);
    world->catalog->providers[0]   = (struct provider){.name = "demo", .kind = &provider_simulated};
    world->catalog->provider_count = 1;
    world->arena                   = arena_new(ARENA_MAX);
    world->catalog->pii            = pii_policies_read(NULL, json_invalid(), world->arena, NULL);
    const struct pipeline_options options = {
        .loop = world->loop, .catalog = world->catalog, .measures = world->measures, .seed = 1};
    world->pipeline                      = pipeline_new(&options);
    world->guard                         = guard_new(world->loop, world->catalog);
    const struct answers_options answers = {.loop              = world->loop,
                                            .print_interrupted = print_interrupted};
    assert_int_equal(answers_open(&answers, &world->answers, &error), STATUS_OK);
    assert_int_equal(usage_journal_open(NULL, &world->journal, &error), STATUS_OK);
    guard_set_journal(world->guard, world->journal);
    world->recordings = recordings_new(world->loop, world->answers, RECORDING_GRACE_MS);
    world->subscriber = subscriber_new((ProtobufCBinaryData){.data = id, .len = sizeof id}, 1,
                                       world->loop, on_reply);
    world->pull       = (Pb__LlmPull)PB__LLM_PULL__INIT;
    world->call =
        (struct rpc_call){.context = world, .request = &world->pull, .response = &world->pulled};
    world->calls = (struct client_calls){.pipeline   = world->pipeline,
                                         .guard      = world->guard,
                                         .answers    = world->answers,
                                         .recordings = world->recordings};
    *state       = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    while (world->subscriber->calls) client_call_cancel(world->subscriber->calls);
    while (world->subscriber->followers) follower_drop(world->subscriber->followers);
    guard_stop(world->guard);
    guard_freep(&world->guard);
    answers_stop(world->answers);
    recordings_freep(&world->recordings);
    answers_freep(&world->answers);
    usage_journal_freep(&world->journal);
    subscriber_free(world->subscriber);
    pipeline_freep(&world->pipeline);
    loop_freep(&world->loop);
    measures_freep(&world->measures);
    metrics_free(world->metrics);
    arena_free(world->arena);
    free(world->catalog);
    test_free(world);
    return 0;
}

static int start_with(struct world *world, Pb__LlmHeader *header, const char *key, const char *body,
                      uint64_t *ret_number, struct error *reterr)
{
    Pb__LlmOpen open     = PB__LLM_OPEN__INIT;
    open.headers         = &header;
    open.n_headers       = header ? 1 : 0;
    open.operation       = PB__LLM_OPERATION__LLM_OPERATION_OPENAI_CHAT;
    open.namespace_      = "default";
    open.key_id          = "k";
    open.idempotency_key = (char *)(uintptr_t)key;
    open.body = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)body, .len = strlen(body)};
    return client_call_start(&world->calls, world->subscriber, &open, ret_number, reterr);
}

static int start(struct world *world, const char *key, const char *body, uint64_t *ret_number,
                 struct error *reterr)
{
    return start_with(world, NULL, key, body, ret_number, reterr);
}

/* What has come since the last time. */
static const char *hear(struct world *world)
{
    world->len     = 0;
    world->text[0] = '\0';
    while (answers_waiting(world->answers) > 0) loop_turn(world->loop, 100);
    for (int i = 0; i < 3; i++) {
        world->pulled       = (Pb__LlmPulled)PB__LLM_PULLED__INIT;
        world->pull.wait_ms = 0;
        subscriber_pull(world->subscriber, &world->call);
        loop_turn(world->loop, 0);
    }
    return world->text;
}

#define BODY "{\"model\":\"demo/m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]"

/* --- refusals ----------------------------------------------------------------------------------
 */

static void on_relieved(void *)
{
    /* Nobody reads. */
}

static void a_full_gateway_is_told_why(void **state)
{
    const struct outbox_owner owner = {.relieved = on_relieved};
    struct world *world             = *state;
    struct error error              = {};
    uint64_t number                 = 0;
    assert_int_equal(start(world, "once", BODY "}", &number, &error), 200);
    for (int i = 0; i < TURNS_MAX && world->calls.count > 0; i++) {
        world->now_ms++;
        loop_turn(world->loop, 0);
    }
    assert_int_equal(world->calls.count, 0);
    assert_non_null(strstr(hear(world), "[simulated]"));
    for (uint64_t i = 0; outbox_new(world->subscriber, 1'000'000 + i, &owner); i++) continue;

    assert_int_equal(start(world, "", BODY "}", &number, &error), 503);
    assert_non_null(strstr(error.text, "too many"));
    error = (struct error){};
    assert_int_equal(start(world, "once", BODY "}", &number, &error), 503);
    assert_non_null(strstr(error.text, "too many"));
}

/* --- what goes out when ------------------------------------------------------------------------
 */

static void say(struct client_call *client, enum llm_event_kind kind, uint32_t choice,
                const char *text)
{
    const struct llm_event event = {
        .kind = kind, .choice = choice, .bytes = str_from(text), .finish = FINISH_STOP};
    client_stream.event(&event, client);
}

/* The end of an answer that is kept waits for the store; that of one choice of several does not. */
static void choices_go_on_behind_the_end_of_another(void **state)
{
    const struct llm_try begun                             = {.provider = "demo", .number = 1};
    struct world *world                                    = *state;
    struct error error                                     = {};
    uint64_t number                                        = 0;
    world->catalog->providers[0].simulation.first_event_ms = 60'000; /* we speak in its place */
    assert_int_equal(start(world, "two", BODY ",\"n\":2,\"stream\":true}", &number, &error), 200);
    struct client_call *client = client_call_of(world->subscriber, number);
    client_stream.begun(&begun, client);
    say(client, LLM_TEXT, 0, "one");
    assert_non_null(strstr(hear(world), "\"one\""));
    say(client, LLM_FINISH, 0, "");
    assert_string_equal(hear(world), "");
    say(client, LLM_TEXT, 1, "two");
    const char *heard = hear(world);
    assert_non_null(strstr(heard, "\"finish_reason\":\"stop\""));
    assert_non_null(strstr(heard, "\"two\""));
    say(client, LLM_TEXT, 1, "three");
    assert_non_null(strstr(hear(world), "\"three\""));
    say(client, LLM_FINISH, 1, "");
    say(client, LLM_USAGE, 0, "");
    assert_string_equal(hear(world), "");
}

/* A prompt is not kept for as long as its answer takes: the route made on the spot, the counters
 * and the last words do without. */
static void what_was_asked_goes_when_its_answer_begins(void **state)
{
    struct world *world                                       = *state;
    struct error error                                        = {};
    uint64_t number                                           = 0;
    world->catalog->providers[0].simulation.tokens_per_second = 1;
    assert_int_equal(
        start(world, "",
              "{\"model\":\"demo/m\",\"messages\":[{\"role\":\"user\",\"content\":["
              "{\"type\":\"text\",\"text\":\"x\"},{\"type\":\"image_url\",\"image_url\":"
              "{\"url\":\"https://a.test/b.png\"}}]}],"
              "\"stream\":true,\"stream_options\":{\"include_usage\":true}}",
              &number, &error),
        200);
    struct client_call *client = client_call_of(world->subscriber, number);
    uint64_t size              = chat_request_size(client->request);
    assert_true(json_is(client->body, JSON_OBJECT));
    assert_non_null(client->spelling);
    for (int i = 0; i < TURNS_MAX && !client->is_committed; i++) {
        world->now_ms++;
        loop_turn(world->loop, 0);
    }
    assert_true(client->is_committed);
    assert_true(json_is(client->body, JSON_INVALID));
    assert_null(client->spelling);
    assert_null(client->asked);
    assert_int_equal(client->request->message_count, 0);
    assert_int_equal(chat_request_size(client->request), size);
    assert_int_equal(chat_request_images(client->request), 1);
    assert_true(str_is(client->request->model, "demo/m"));
    assert_true(str_is(client->route->targets[0].model, "m"));
    for (int i = 0; i < TURNS_MAX && world->calls.count > 0; i++) {
        world->now_ms += 100;
        loop_turn(world->loop, 0);
    }
    assert_int_equal(world->calls.count, 0);
    const char *heard = hear(world);
    assert_non_null(strstr(heard, "\"model\":\"simulated/m\""));
    assert_non_null(strstr(heard, "\"prompt_tokens\":"));
    assert_non_null(strstr(heard, "data: [DONE]"));
}

/* --- what is checked first ---------------------------------------------------------------------
 */

#define COMMENT ": the answer is not there yet\n\n"
#define SHAPED                                                                                     \
    BODY ",\"stream\":true,\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{"        \
         "\"name\":"                                                                               \
         "\"s\",\"schema\":{\"type\":\"object\",\"required\":[\"n\"],\"properties\":{\"n\":{"      \
         "\"type\":"                                                                               \
         "\"integer\"}}}}}}"

/* Time goes on to a moment. */
static void pass(struct world *world, int64_t until_ms)
{
    while (world->now_ms < until_ms) {
        world->now_ms += 100;
        loop_turn(world->loop, 0);
    }
}

static void start_checked(struct world *world, uint64_t *ret_number)
{
    struct error error                                     = {};
    Pb__LlmHeader header                                   = PB__LLM_HEADER__INIT;
    header.name                                            = "tutti-validate";
    header.value                                           = "true";
    world->catalog->providers[0].simulation.first_event_ms = 40'000;
    assert_int_equal(start_with(world, &header, "", SHAPED, ret_number, &error), 200);
}

static void a_stream_that_is_held_back_has_comments(void **state)
{
    struct world *world = *state;
    uint64_t number     = 0;
    int64_t begin_ms    = world->now_ms;
    start_checked(world, &number);
    pass(world, begin_ms + 14'000);
    assert_string_equal(hear(world), "");
    pass(world, begin_ms + 16'000);
    assert_string_equal(hear(world), COMMENT);
    assert_int_equal(client_call_of(world->subscriber, number)->request->message_count, 1);
    assert_true(json_is(client_call_of(world->subscriber, number)->body, JSON_OBJECT));
    pass(world, begin_ms + 39'000);
    assert_string_equal(hear(world), COMMENT);
    pass(world, begin_ms + 41'000);
    const char *heard = hear(world);
    assert_non_null(strstr(heard, "\"finish_reason\":\"stop\""));
    assert_non_null(strstr(heard, "data: [DONE]"));
    assert_null(strstr(heard, COMMENT));
    assert_int_equal(world->calls.count, 0);
}

/* Behind a comment an error is a frame, without anything of the answer that was held. */
static void an_error_behind_a_comment_is_a_frame(void **state)
{
    struct world *world = *state;
    uint64_t number     = 0;
    start_checked(world, &number);
    pass(world, world->now_ms + 16'000);
    struct client_call *client       = client_call_of(world->subscriber, number);
    const struct llm_outcome outcome = {
        .error    = {.class = LLM_ERROR_OUTPUT, .text = str_from("another shape")},
        .provider = "demo",
        .usage    = PB__USAGE__INIT,
    };
    say(client, LLM_TEXT, 0, "never seen");
    llm_call_cancel(client->call);
    client->call = NULL;
    client_call_end(client, &outcome);
    const char *heard = hear(world);
    assert_non_null(strstr(heard, COMMENT));
    assert_non_null(strstr(heard, "output_invalid"));
    assert_null(strstr(heard, "never seen"));
    assert_null(strstr(heard, "[DONE]"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_full_gateway_is_told_why, set_up, tear_down),
        cmocka_unit_test_setup_teardown(choices_go_on_behind_the_end_of_another, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_asked_goes_when_its_answer_begins, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_stream_that_is_held_back_has_comments, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_error_behind_a_comment_is_a_frame, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
