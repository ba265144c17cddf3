/* Tollgates of two replicas at a scheduler that counts permits; the clock of the loop is the
 * test's. */
#include "worker/tollgate.h"

#include "base/clock.h"
#include "cmocka.h"
#include "limit.pb-c.h"
#include "rpc/rpc.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char refused_name[] = "connection:refused";

enum { TURNS_MAX = 20'000, TICK_MS = 500, HOLDERS = 2 };

struct world {
    char url[64];
    struct rpc_server *server;
    struct rpc_client *client;
    struct loop *loop;
    struct tollgates *tollgates[HOLDERS];
    pthread_mutex_t mutex; /* the next five */
    uint32_t starts, places, held[HOLDERS], asks;
    bool fails;
    int64_t retry_us;
    atomic_llong now_ms;
};

/* --- the scheduler ---------------------------------------------------------------------------- */

static uint32_t granted_of(struct world *world, const Pb__LeaseLimits *asked,
                           const Pb__LimitWant *want)
{
    size_t me        = (size_t)(asked->holder[0] - '0');
    uint32_t granted = want->want;
    if (want->rule->concurrency > 0) {
        uint32_t others = world->held[1 - me];
        uint32_t room   = world->places - others - want->held;
        if (granted > room) granted = room;
        world->held[me] = want->held + granted;
    } else {
        world->starts += want->unused;
        if (granted > world->starts) granted = world->starts;
        world->starts -= granted;
    }
    return granted;
}

static status lease(struct rpc_call *call, struct error *)
{
    struct world *world          = call->context;
    const Pb__LeaseLimits *asked = call->request;
    Pb__LeasedLimits *leased     = call->response;
    Pb__LimitLease *leases       = arena_alloc(call->arena, asked->n_limits * sizeof *leases);
    leased->limits = arena_alloc(call->arena, asked->n_limits * sizeof *leased->limits);
    if (!leases || !leased->limits) abort();
    (void)pthread_mutex_lock(&world->mutex);
    bool fails      = world->fails;
    bool is_refused = strncmp(asked->limits[0]->name, refused_name, strlen(refused_name)) == 0;
    world->asks++;
    for (size_t i = 0; i < asked->n_limits && !fails && !is_refused; i++) {
        leases[i]            = (Pb__LimitLease)PB__LIMIT_LEASE__INIT;
        leases[i].name       = asked->limits[i]->name;
        leases[i].is_limited = true;
        leases[i].granted    = granted_of(world, asked, asked->limits[i]);
        bool is_short        = leases[i].granted < asked->limits[i]->want;
        leases[i].retry_us =
            is_short && asked->limits[i]->rule->rate_count > 0 ? world->retry_us : 0;
        leased->limits[i] = &leases[i];
    }
    (void)pthread_mutex_unlock(&world->mutex);
    leased->n_limits = fails || is_refused ? 0 : asked->n_limits;
    if (is_refused) return STATUS_INVALID_ARGUMENT;
    rpc_reply(call, fails ? STATUS_INTERNAL : STATUS_OK, NULL);
    return STATUS_OK;
}

/* --- the world -------------------------------------------------------------------------------- */

static int64_t now_ms(void *context)
{
    return atomic_load((atomic_llong *)context);
}

static void begin(struct world *world)
{
    static atomic_uint number;
    static const struct rpc_method methods[] = {{.name = "Lease", .handle = lease}, {}};
    static const ProtobufCServiceDescriptor *const asked[] = {&pb__limits__descriptor, NULL};
    struct error error                                     = {};
    *world = (struct world){.now_ms = 1'000, .retry_us = clock_unix_us() + INT64_C(3'600'000'000)};
    (void)pthread_mutex_init(&world->mutex, NULL);
    (void)snprintf(world->url, sizeof world->url, "inproc://tollgate-test-%u", number++);
    const struct rpc_service services[]    = {{&pb__limits__descriptor, methods, world}, {}};
    const struct rpc_server_options server = {
        .url = world->url, .services = services, .drain_ms = 100};
    if (rpc_server_start(&server, &world->server, &error) != STATUS_OK) fail_msg("%s", error.text);
    const struct rpc_client_options client = {
        .endpoints = world->url, .choice = RPC_OWNER, .services = asked};
    if (rpc_client_open(&client, &world->client, &error) != STATUS_OK) fail_msg("%s", error.text);
    const struct loop_options loop = {.clock = now_ms, .clock_context = &world->now_ms};
    assert_int_equal(loop_new(&loop, &world->loop, NULL), STATUS_OK);
    for (int i = 0; i < HOLDERS; i++) {
        const struct tollgates_options options = {
            .loop = world->loop, .tick_ms = TICK_MS, .crowded_ms = 100, .is_patient = true};
        world->tollgates[i] = tollgates_new(&options);
        tollgates_open(world->tollgates[i], world->client, i == 0 ? "0" : "1");
    }
    loop_turn(world->loop, 0);
}

static void end(struct world *world)
{
    for (int i = 0; i < HOLDERS; i++) tollgates_close(world->tollgates[i]);
    rpc_client_closep(&world->client);
    rpc_server_stopp(&world->server);
    loop_turn(world->loop, 0); /* what was posted meanwhile */
    for (int i = 0; i < HOLDERS; i++) tollgates_freep(&world->tollgates[i]);
    loop_free(world->loop);
    (void)pthread_mutex_destroy(&world->mutex);
}

struct guest {
    struct tollgate_pass pass;
    bool is_in;
};

static void on_decided(bool may_go, void *context)
{
    assert_true(may_go); /* those of patient ones are never refused */
    ((struct guest *)context)->is_in = true;
}

static const struct tollgate_rules two_places   = {.places = 2};
static const struct tollgate_rules three_starts = {.starts           = 3,
                                                   .starts_period_us = INT64_C(3'600'000'000)};

static void enter_at(struct world *world, int holder, const char *name,
                     const struct tollgate_rules *rules, struct guest *guest)
{
    *guest       = (struct guest){.pass = {.decided = on_decided, .context = guest}};
    guest->is_in = tollgate_enter(world->tollgates[holder], str_from(name), rules, &guest->pass) ==
                   TOLLGATE_GO;
}

static void enter(struct world *world, int holder, const struct tollgate_rules *rules,
                  struct guest *guest)
{
    enter_at(world, holder, "connection:it", rules, guest);
}

/* Time passes until it is inside. */
static void await(struct world *world, const struct guest *guest)
{
    for (int i = 0; i < TURNS_MAX && !guest->is_in; i++) {
        atomic_fetch_add(&world->now_ms, 10);
        loop_turn(world->loop, 1);
    }
    assert_true(guest->is_in);
}

/* Until its tollgate is known to be shut. */
static void await_shut(struct world *world, const struct guest *guest)
{
    for (int i = 0; i < TURNS_MAX && tollgate_pass_opens_ms(&guest->pass) == 0; i++) {
        loop_turn(world->loop, 1);
    }
    assert_true(tollgate_pass_opens_ms(&guest->pass) > now_ms(&world->now_ms));
    assert_false(guest->is_in);
}

static uint32_t look(struct world *world, const uint32_t *number)
{
    (void)pthread_mutex_lock(&world->mutex);
    uint32_t is = *number;
    (void)pthread_mutex_unlock(&world->mutex);
    return is;
}

static void test_places_go_from_one_to_the_other(void **)
{
    struct world world;
    struct guest guests[3];
    begin(&world);
    world.places = 2;
    for (int i = 0; i < 2; i++) {
        enter(&world, 0, &two_places, &guests[i]);
        await(&world, &guests[i]);
    }
    enter(&world, 1, &two_places, &guests[2]);
    await_shut(&world, &guests[2]);
    tollgate_leave(&guests[0].pass, 0);
    await(&world, &guests[2]); /* once the first one has given it back, with a tick */
    tollgate_leave(&guests[1].pass, 0);
    tollgate_leave(&guests[2].pass, 0);
    for (int i = 0;
         i < TURNS_MAX && look(&world, &world.held[0]) + look(&world, &world.held[1]) > 0; i++) {
        atomic_fetch_add(&world.now_ms, TICK_MS);
        loop_turn(world.loop, 1);
    }
    assert_int_equal(look(&world, &world.held[0]) + look(&world, &world.held[1]), 0);
    end(&world);
}

static void test_a_place_serves_who_waits_here(void **)
{
    struct world world;
    struct guest guests[2];
    begin(&world);
    world.places = 1;
    enter(&world, 0, &(struct tollgate_rules){.places = 1}, &guests[0]);
    await(&world, &guests[0]);
    enter(&world, 0, &(struct tollgate_rules){.places = 1}, &guests[1]);
    await_shut(&world, &guests[1]);
    tollgate_leave(&guests[0].pass, 0);
    assert_false(guests[1].is_in); /* not from inside the end of another one */
    await(&world, &guests[1]);
    tollgate_leave(&guests[1].pass, 0);
    end(&world);
}

static void test_a_start_that_was_not_made_is_made_by_another(void **)
{
    struct world world;
    struct guest guests[5];
    begin(&world);
    world.starts = 3;
    for (int i = 0; i < 3; i++) {
        enter(&world, i % 2, &three_starts, &guests[i]);
        await(&world, &guests[i]);
    }
    enter(&world, 1, &three_starts, &guests[3]);
    await_shut(&world, &guests[3]);
    tollgate_leave(&guests[3].pass, 0); /* it does not wait any more */
    tollgate_leave_unused(&guests[0].pass);
    for (int i = 0; i < TURNS_MAX && look(&world, &world.starts) == 0; i++) {
        atomic_fetch_add(&world.now_ms, TICK_MS);
        loop_turn(world.loop, 1);
    }
    assert_int_equal(look(&world, &world.starts), 1);
    for (int i = 1; i < 3; i++) tollgate_leave(&guests[i].pass, 0);
    for (int i = 0; i < 20; i++) { /* nobody returns it once more */
        atomic_fetch_add(&world.now_ms, TICK_MS);
        loop_turn(world.loop, 1);
    }
    assert_int_equal(look(&world, &world.starts), 1);
    end(&world);
}

/* Inside without the help of time. */
static void enter_now(struct world *world, const struct tollgate_rules *rules, struct guest *guest)
{
    enter(world, 0, rules, guest);
    for (int i = 0; i < TURNS_MAX && !guest->is_in; i++) loop_turn(world->loop, 1);
    assert_true(guest->is_in);
}

static void test_starts_are_leased_ahead_and_go_back(void **)
{
    static const struct tollgate_rules many = {.starts           = 100,
                                               .starts_period_us = INT64_C(60'000'000)};
    struct world world;
    struct guest guests[5];
    begin(&world);
    world.starts = 10;
    for (int i = 0; i < 3; i++) enter_now(&world, &many, &guests[i]);
    assert_int_equal(look(&world, &world.starts), 7);
    atomic_fetch_add(&world.now_ms, TICK_MS);
    loop_turn(world.loop, 0); /* there were three in that tick */
    enter_now(&world, &many, &guests[3]);
    assert_int_equal(look(&world, &world.starts), 3);
    uint32_t asks = look(&world, &world.asks);
    enter(&world, 0, &many, &guests[4]);
    assert_true(guests[4].is_in);
    assert_int_equal(look(&world, &world.asks), asks); /* nobody had to be asked */
    for (int i = 0; i < 5; i++) tollgate_leave(&guests[i].pass, 0);
    for (int i = 0; i < TURNS_MAX && look(&world, &world.starts) < 5; i++) {
        atomic_fetch_add(&world.now_ms, TICK_MS);
        loop_turn(world.loop, 1);
    }
    assert_int_equal(look(&world, &world.starts), 5);
    end(&world);
}

static void test_while_nobody_can_be_asked_everybody_goes(void **)
{
    struct world world;
    struct guest guests[2];
    begin(&world);
    world.fails = true;
    for (int i = 0; i < 2; i++) {
        enter(&world, 0, &(struct tollgate_rules){.places = 1}, &guests[i]);
        await(&world, &guests[i]);
    }
    for (int i = 0; i < 2; i++) tollgate_leave(&guests[i].pass, 0);
    end(&world);
}

static void test_a_question_that_is_refused_is_no_matter_of_others(void **)
{
    struct world world;
    struct guest guests[2];
    begin(&world);
    enter_at(&world, 0, refused_name, &two_places, &guests[0]);
    await(&world, &guests[0]);
    enter(&world, 0, &two_places, &guests[1]);
    await_shut(&world, &guests[1]);
    for (int i = 0; i < 2; i++) tollgate_leave(&guests[i].pass, 0);
    end(&world);
}

static void test_an_answer_is_of_the_rules_that_were_asked_by(void **)
{
    struct world world;
    struct guest guests[2];
    const struct tollgate_rules both = {
        .starts = 3, .starts_period_us = INT64_C(3'600'000'000), .places = 2};
    begin(&world);
    world.starts = 3; /* and no place */
    enter(&world, 0, &both, &guests[0]);
    enter(&world, 0, &two_places, &guests[1]);
    await_shut(&world, &guests[0]);
    for (int i = 0; i < 2; i++) tollgate_leave(&guests[i].pass, 0);
    end(&world);
}

static void test_without_limits_or_with_too_long_a_name_nobody_is_asked(void **)
{
    struct world world;
    struct guest guest;
    char name[TOLLGATE_NAME_MAX + 2];
    begin(&world);
    enter(&world, 0, &(struct tollgate_rules){}, &guest);
    assert_true(guest.is_in);
    assert_null(guest.pass.gate);
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(tollgate_enter(world.tollgates[0], str_from(name), &two_places, &guest.pass),
                     TOLLGATE_GO);
    assert_null(guest.pass.gate);
    tollgate_leave(&guest.pass, 0);
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places_go_from_one_to_the_other),
        cmocka_unit_test(test_a_place_serves_who_waits_here),
        cmocka_unit_test(test_a_start_that_was_not_made_is_made_by_another),
        cmocka_unit_test(test_starts_are_leased_ahead_and_go_back),
        cmocka_unit_test(test_while_nobody_can_be_asked_everybody_goes),
        cmocka_unit_test(test_a_question_that_is_refused_is_no_matter_of_others),
        cmocka_unit_test(test_an_answer_is_of_the_rules_that_were_asked_by),
        cmocka_unit_test(test_without_limits_or_with_too_long_a_name_nobody_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
