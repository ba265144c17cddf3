/* A job that asks its budgets for more, and a scheduler that answers as each test says. */
#include "cmocka.h"

#include "job.pb-c.h"
#include "support/worker/played_scheduler.h"
#include "system.pb-c.h"
#include "worker/worker.h"

#include <stdlib.h>
#include <string.h>

enum { TURNS_MAX = 20'000, LEASE_MS = 60'000, ROOM = 500, ANSWERS_MAX = 8 };

/* What the scheduler says to a draw. */
enum said { SAYS_ROOM, SAYS_ANYTHING, SAYS_DRAWING, SAYS_CANCEL, SAYS_LOST, SAYS_NO, SAYS_NOTHING };

struct fixture {
    struct played_scheduler played;
    struct rpc_client *client;
    struct loop *loop;
    struct worker *worker;
    int64_t now_ms;

    /* The worker's side: only on the test's thread. */
    struct worker_job *job;
    unsigned cancelled, drawn;
    int64_t room; /* -1: anything */

    /* The scheduler's side, under its mutex. */
    enum said say[ANSWERS_MAX]; /* to one after the other; the last one again and again */
    unsigned say_count, draws;
    struct rpc_call *waiting;
    int64_t output_tokens, price;
};

/* --- the scheduler -----------------------------------------------------------------------------
 */

static void answer(struct rpc_call *call, enum said said)
{
    const Pb__Heartbeats *request = call->request;
    Pb__HeartbeatAnswers *answers = call->response;
    Pb__HeartbeatAnswer *one      = arena_alloc(call->arena, sizeof *one);
    Pb__BudgetRoom *room          = arena_alloc(call->arena, sizeof *room);
    pb__heartbeat_answer__init(one);
    pb__budget_room__init(room);
    room->tokens                     = ROOM;
    one->job                         = request->jobs[0]->job;
    one->room                        = said == SAYS_ROOM ? room : NULL;
    one->drawing                     = said == SAYS_DRAWING;
    one->cancel                      = said == SAYS_CANCEL;
    one->status                      = said == SAYS_LOST ? STATUS_FAILED_PRECONDITION : STATUS_OK;
    answers->jobs                    = arena_alloc(call->arena, sizeof *answers->jobs);
    answers->jobs[answers->n_jobs++] = one;
    rpc_reply(call, STATUS_OK, NULL);
}

static status heartbeat(struct rpc_call *call, struct error *reterr, void *context)
{
    struct fixture *it            = context;
    const Pb__Heartbeats *request = call->request;
    const Pb__BudgetDraw *draw    = request->n_jobs == 1 ? request->jobs[0]->draw : NULL;
    enum said said                = SAYS_ANYTHING;
    (void)pthread_mutex_lock(&it->played.mutex);
    if (draw) {
        bool is_last      = it->draws + 1 >= it->say_count;
        said              = it->say[is_last ? it->say_count - 1 : it->draws];
        it->output_tokens = draw->output_tokens;
        it->price         = draw->price ? draw->price->output_picos : -1;
        if (said == SAYS_NOTHING) it->waiting = call;
        it->draws++;
    }
    (void)pthread_mutex_unlock(&it->played.mutex);
    if (said == SAYS_NO) return fail(reterr, STATUS_UNAVAILABLE, "not now");
    if (request->n_jobs == 0) rpc_reply(call, STATUS_OK, NULL);
    if (request->n_jobs > 0 && said != SAYS_NOTHING) answer(call, said);
    return STATUS_OK;
}

/* --- the worker --------------------------------------------------------------------------------
 */

static int64_t clock_of(void *context)
{
    return ((const struct fixture *)context)->now_ms;
}

static void on_run(struct worker_job *job, void *context)
{
    ((struct fixture *)context)->job = job;
}

static void on_cancel(struct worker_job *, void *context)
{
    ((struct fixture *)context)->cancelled++;
}

static void on_drawn(const Pb__BudgetRoom *room, void *context)
{
    struct fixture *it = context;
    it->room           = room ? room->tokens : -1;
    it->drawn++;
}

static void turn(struct fixture *it)
{
    it->now_ms++;
    loop_turn(it->loop, 1);
}

/* Turns the loop until `*count`, of the test's own thread, has come to `wanted`. */
static void await(struct fixture *it, const unsigned *count, unsigned wanted)
{
    for (int i = 0; *count < wanted; i++) {
        if (i == TURNS_MAX) fail_msg("waited in vain");
        turn(it);
    }
}

static unsigned draws(struct fixture *it)
{
    (void)pthread_mutex_lock(&it->played.mutex);
    unsigned count = it->draws;
    (void)pthread_mutex_unlock(&it->played.mutex);
    return count;
}

static void await_draws(struct fixture *it, unsigned wanted)
{
    for (int i = 0; draws(it) < wanted; i++) {
        if (i == TURNS_MAX) fail_msg("waited in vain");
        turn(it);
    }
}

/* So long that whatever is to be asked again has been asked. */
static void pass(struct fixture *it)
{
    for (int i = 0; i < 1'000; i++) {
        it->now_ms++;
        loop_turn(it->loop, 0);
    }
}

static void complete(struct fixture *it)
{
    Pb__JobCompleted completed = PB__JOB_COMPLETED__INIT;
    completed.output_json      = (ProtobufCBinaryData){1, (uint8_t *)(uintptr_t) "1"};
    worker_complete(it->job, &completed);
    for (int i = 0; worker_busy(it->worker) > 0; i++) {
        if (i == TURNS_MAX) fail_msg("waited in vain");
        turn(it);
    }
}

static int begin(void **state)
{
    static const ProtobufCServiceDescriptor *const services[] = {&pb__jobs__descriptor,
                                                                 &pb__system__descriptor, NULL};
    static const char *const queues[]                         = {"llm", NULL};
    struct fixture *it                                        = calloc(1, sizeof *it);
    struct error error                                        = {};
    it->now_ms                                                = 1'000;
    it->say_count                                             = 1;
    it->played.heartbeat                                      = heartbeat;
    it->played.context                                        = it;
    it->played.to_lease                                       = 1;
    played_scheduler_init(&it->played);
    const struct loop_options loop_options = {.clock = clock_of, .clock_context = it};
    assert_int_equal(loop_new(&loop_options, &it->loop, &error), STATUS_OK);
    const struct rpc_client_options client = {
        .endpoints = it->played.url, .choice = RPC_OWNER, .services = services};
    assert_int_equal(rpc_client_open(&client, &it->client, &error), STATUS_OK);
    const struct worker_options options = {.loop      = it->loop,
                                           .scheduler = it->client,
                                           .queues    = queues,
                                           .name      = "tester",
                                           .kind      = "llm",
                                           .slots     = 1,
                                           .lease_ms  = LEASE_MS,
                                           .run       = on_run,
                                           .cancel    = on_cancel,
                                           .context   = it};
    it->worker                          = worker_new(&options);
    for (int i = 0; !it->job; i++) {
        if (i == TURNS_MAX) fail_msg("waited in vain");
        turn(it);
    }
    *state = it;
    return 0;
}

static int end(void **state)
{
    struct fixture *it = *state;
    worker_stop(it->worker);
    rpc_client_closep(&it->client);
    loop_turn(it->loop, 0);
    worker_freep(&it->worker);
    loop_freep(&it->loop);
    played_scheduler_done(&it->played);
    free(it);
    return 0;
}

/* Says what the scheduler is to say, and draws. */
static void draw(struct fixture *it, const enum said *say, unsigned count)
{
    (void)pthread_mutex_lock(&it->played.mutex);
    memcpy(it->say, say, count * sizeof *say);
    it->say_count = count;
    it->draws     = 0;
    (void)pthread_mutex_unlock(&it->played.mutex);
    unsigned before = it->drawn;
    worker_draw(it->job, 300, NULL, on_drawn, it);
    assert_int_equal(it->drawn, before); /* never at once */
}

#define DRAW(it, ...)                                                                              \
    draw((it), (const enum said[]){__VA_ARGS__},                                                   \
         sizeof((const enum said[]){__VA_ARGS__}) / sizeof(enum said))

/* --- tests -------------------------------------------------------------------------------------
 */

static void a_draw_says_what_is_wanted_and_hears_what_there_is(void **state)
{
    struct fixture *it   = *state;
    Pb__ModelPrice price = PB__MODEL_PRICE__INIT;
    DRAW(it, SAYS_ROOM);
    await(it, &it->drawn, 1);
    assert_int_equal(it->room, ROOM);
    assert_int_equal(it->output_tokens, 300);
    assert_int_equal(it->price, -1);

    price.output_picos = 7; /* the next one, and of a model with a price */
    worker_draw(it->job, 400, &price, on_drawn, it);
    await(it, &it->drawn, 2);
    assert_int_equal(it->output_tokens, 400);
    assert_int_equal(it->price, 7);
    pass(it);
    assert_int_equal(draws(it), 2);
    assert_int_equal(it->drawn, 2);
    complete(it);
}

static void without_a_limit_it_may_cost_anything(void **state)
{
    struct fixture *it = *state;
    DRAW(it, SAYS_ANYTHING);
    await(it, &it->drawn, 1);
    assert_int_equal(it->room, -1);
    complete(it);
}

static void it_asks_until_it_is_answered(void **state)
{
    struct fixture *it = *state;
    DRAW(it, SAYS_DRAWING, SAYS_NO, SAYS_DRAWING, SAYS_NO, SAYS_ROOM);
    await(it, &it->drawn, 1);
    assert_int_equal(it->room, ROOM);
    assert_int_equal(draws(it), 5);
    pass(it);
    assert_int_equal(draws(it), 5);
    complete(it);
}

/* Its budgets are the last that matters to it. */
static void a_job_that_is_not_wanted_hears_nothing_of_its_draw(void **state)
{
    struct fixture *it = *state;
    DRAW(it, SAYS_DRAWING, SAYS_CANCEL);
    await(it, &it->cancelled, 1);
    pass(it);
    assert_int_equal(draws(it), 2);
    assert_int_equal(it->drawn, 0);
    complete(it);
}

static void a_lost_lease_cancels_and_ends_the_draw(void **state)
{
    struct fixture *it = *state;
    DRAW(it, SAYS_LOST);
    await(it, &it->cancelled, 1);
    pass(it);
    assert_int_equal(draws(it), 1);
    assert_int_equal(it->drawn, 0);
    complete(it);
}

static void a_job_that_ends_is_not_told_any_more(void **state)
{
    struct fixture *it = *state;
    DRAW(it, SAYS_NOTHING);
    await_draws(it, 1);
    complete(it);
    (void)pthread_mutex_lock(&it->played.mutex);
    struct rpc_call *call = it->waiting;
    it->waiting           = NULL;
    (void)pthread_mutex_unlock(&it->played.mutex);
    answer(call, SAYS_ROOM);
    for (int i = 0; i < 100; i++) turn(it); /* it comes to nobody */
    assert_int_equal(it->drawn, 0);
}

static void a_job_that_ends_asks_no_more(void **state)
{
    struct fixture *it = *state;
    DRAW(it, SAYS_DRAWING);
    await_draws(it, 2);
    unsigned asked = draws(it);
    complete(it);
    for (int i = 0; i < 200; i++) turn(it);
    assert_true(draws(it) <= asked + 1); /* one was on its way */
    assert_int_equal(it->drawn, 0);
}

static void a_worker_that_stops_forgets_its_draws(void **state)
{
    struct fixture *it = *state;
    DRAW(it, SAYS_DRAWING);
    await_draws(it, 1);
    worker_stop(it->worker);
    pass(it);
    assert_int_equal(it->drawn, 0);
}

#define FIXTURE_TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_draw_says_what_is_wanted_and_hears_what_there_is),
        FIXTURE_TEST(without_a_limit_it_may_cost_anything),
        FIXTURE_TEST(it_asks_until_it_is_answered),
        FIXTURE_TEST(a_job_that_is_not_wanted_hears_nothing_of_its_draw),
        FIXTURE_TEST(a_lost_lease_cancels_and_ends_the_draw),
        FIXTURE_TEST(a_job_that_ends_is_not_told_any_more),
        FIXTURE_TEST(a_job_that_ends_asks_no_more),
        FIXTURE_TEST(a_worker_that_stops_forgets_its_draws),
    };
    return cmocka_run_group_tests_name("draw", tests, NULL, NULL);
}
