/* What models say in jobs, as gateways that follow the runs hear it: from the beginning, of their
 * run only, with a word where something is missing. */
#include "llm-proxy/jobs/job_output.h"

#include "cmocka.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 4 << 20, PIECE_SIZE = 64 << 10 };

struct world {
    struct loop *loop;
    struct answers *answers;
    struct recordings *recordings;
    struct subscriber *subscriber;
    struct job_outputs *outputs;
    Pb__LlmPull pull;
    Pb__LlmPulled pulled;
    struct rpc_call call;
    Pb__LeasedJob leased;
    struct worker_job job;
    struct buf heard;
};

static void on_reply(struct rpc_call *call, status code, const struct error *)
{
    struct world *world         = call->context;
    const Pb__LlmPulled *pulled = call->response;
    if (code != STATUS_OK) return;
    world->pull.last_reply = pulled->reply;
    for (size_t i = 0; i < pulled->n_items; i++) {
        const Pb__LlmItem *item = pulled->items[i];
        (void)buf_put(&world->heard, item->data.data, item->data.len);
    }
}

static void print_interrupted(Pb__LlmOperation, struct buf *)
{
    /* There are no streams here. */
}

static int set_up(void **state)
{
    static uint8_t id[SUBSCRIBER_ID_SIZE] = "gateway";
    const ProtobufCBinaryData name        = {.data = id, .len = sizeof id};
    struct world *world                   = test_calloc(1, sizeof *world);
    const struct loop_options none        = {};
    if (loop_new(&none, &world->loop, NULL) != STATUS_OK) return -1;
    const struct answers_options options = {.loop              = world->loop,
                                            .print_interrupted = print_interrupted};
    if (answers_open(&options, &world->answers, NULL) != STATUS_OK) return -1;
    world->recordings = recordings_new(world->loop, world->answers, 0);
    world->subscriber = subscriber_new(name, 1, world->loop, on_reply);
    world->outputs    = job_outputs_new();
    world->pull       = (Pb__LlmPull)PB__LLM_PULL__INIT;
    world->call =
        (struct rpc_call){.context = world, .request = &world->pull, .response = &world->pulled};
    pb__leased_job__init(&world->leased);
    world->leased.id      = "j1";
    world->leased.run     = "run";
    world->leased.task    = "/do/0/ask";
    world->leased.attempt = 2;
    world->job.leased     = &world->leased;
    world->heard          = buf_init(TEXT_MAX);
    *state                = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    while (world->subscriber->followers) follower_drop(world->subscriber->followers);
    job_outputs_freep(&world->outputs);
    answers_stop(world->answers);
    recordings_freep(&world->recordings);
    answers_freep(&world->answers);
    subscriber_free(world->subscriber);
    loop_freep(&world->loop);
    buf_done(&world->heard);
    test_free(world);
    return 0;
}

static void listen_to(struct world *world, uint64_t number, const char *run)
{
    assert_true(
        job_outputs_listen(world->outputs, world->recordings, world->subscriber, number, run));
}

/* What has come since. */
static const char *hear(struct world *world)
{
    buf_clear(&world->heard);
    for (int i = 0; i < 3; i++) {
        world->pulled = (Pb__LlmPulled)PB__LLM_PULLED__INIT;
        subscriber_pull(world->subscriber, &world->call);
        loop_turn(world->loop, 0);
    }
    return buf_str(&world->heard).ptr;
}

#define ABOUT "\"job\":\"j1\",\"task\":\"/do/0/ask\",\"attempt\":2,\"offset\":"

static void heard_from_the_beginning(void **state)
{
    struct world *world = *state;
    listen_to(world, 1, "run");
    listen_to(world, 2, "another");
    struct job_output *output = job_output_new(world->outputs, &world->job);
    job_output_say(output, str_from("a\n"));
    job_output_say(output, (str){});
    job_output_say(output, str_from("b"));
    assert_string_equal(hear(world), "j1:2 {" ABOUT "0,\"text\":\"a\\n\"}\n"
                                     "j1:3 {" ABOUT "2,\"text\":\"b\"}\n");
    listen_to(world, 3, "run");
    assert_string_equal(hear(world), "j1:3 {" ABOUT "0,\"text\":\"a\\nb\"}\n");
    follower_drop(follower_of(world->subscriber, 1));
    job_output_say(output, str_from("c"));
    assert_string_equal(hear(world), "j1:4 {" ABOUT "3,\"text\":\"c\"}\n");
    job_output_free(output);
    listen_to(world, 4, "run"); /* it is over: the job's result has it */
    assert_string_equal(hear(world), "");
}

static void who_is_slow_is_told_so(void **state)
{
    struct world *world       = *state;
    struct job_output *output = job_output_new(world->outputs, &world->job);
    char *piece               = test_calloc(1, PIECE_SIZE + 1);
    memset(piece, 'x', PIECE_SIZE);
    listen_to(world, 1, "run");
    for (int i = 0; i < 10; i++) job_output_say(output, str_from(piece));
    (void)hear(world);
    buf_clear(&world->heard);
    job_output_say(output, str_from("y"));
    const char *heard = hear(world);
    char gap[512];
    (void)snprintf(gap, sizeof gap, "!j1:%d {" ABOUT "%d}\nj1:%d {" ABOUT "%d,\"text\":\"y\"}\n",
                   10 * PIECE_SIZE, 10 * PIECE_SIZE, 10 * PIECE_SIZE + 1, 10 * PIECE_SIZE);
    assert_string_equal(heard, gap);

    /* More than is kept: it falls silent, and says so once. */
    for (int i = 0; i < JOB_OUTPUT_MAX / PIECE_SIZE; i++) {
        job_output_say(output, str_from(piece));
        (void)hear(world);
    }
    job_output_say(output, str_from(piece));
    assert_string_equal(hear(world), "");
    job_output_free(output);
    test_free(piece);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(heard_from_the_beginning, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_is_slow_is_told_so, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
