/* Limits of targets and keys, over crashes and partitions. */
#include "show.h"

#include "limit.pb-c.h"
#include "scheduler/engine/engine_internal.h"
#include "scheduler/tables/run_store.h"
#include "system.pb-c.h"
#include "json/json.h"

#include <stdio.h>

enum { PARTITIONS = 3, LEASED_MAX = 256 };

#define TARGET "tool:api.example.com:443"

/* --- the stage ---------------------------------------------------------------------------------
 */

/* What a worker has. */
struct work {
    const Pb__LeasedJob *jobs[LEASED_MAX];
    uint16_t partitions[LEASED_MAX];
    size_t count;
};

static int setup(void **state)
{
    *state = show_new(1);
    return 0;
}

static int setup_many(void **state)
{
    *state = show_new(PARTITIONS);
    return 0;
}

static json customer(const char *name)
{
    json input = json_object_new(1);
    json_object_put_text(&input, "customer", json_text_new(str_from(name)));
    return input;
}

/* Leases what there is in one partition; how many that was. */
static size_t lease_at(struct show *show, uint16_t partition, const char *queue, uint32_t count_max,
                       struct work *work)
{
    const Pb__LeasedJobs *leased = lease_of(show, partition, queue, count_max);
    for (size_t i = 0; i < leased->n_jobs; i++) {
        assert_true(work->count < LEASED_MAX);
        work->partitions[work->count] = partition;
        work->jobs[work->count++]     = leased->jobs[i];
    }
    return leased->n_jobs;
}

static size_t lease(struct show *show, const char *queue, struct work *work)
{
    return lease_at(show, 0, queue, 100, work);
}

static uint32_t complete(struct show *show, struct work *work)
{
    const Pb__LeasedJob *job = work->jobs[--work->count];
    return complete_at(show, work->partitions[work->count], job);
}

static void set_limit(struct show *show, uint32_t concurrency, uint32_t count, int64_t period_us)
{
    struct stage_call *call = call_new(show, COMMAND_SET_LIMIT, 0);
    Pb__SetLimit *request   = stage_call_alloc(call, sizeof *request);
    Pb__LimitRule *rule     = stage_call_alloc(call, sizeof *rule);
    Pb__LimitView *response = stage_call_alloc(call, sizeof *response);
    *request                = (Pb__SetLimit)PB__SET_LIMIT__INIT;
    *rule                   = (Pb__LimitRule)PB__LIMIT_RULE__INIT;
    *response               = (Pb__LimitView)PB__LIMIT_VIEW__INIT;
    rule->concurrency       = concurrency;
    rule->rate_count        = count;
    rule->rate_period_us    = period_us;
    request->name           = TARGET;
    request->rule           = rule;
    assert_int_equal(ask(show, 0, call, request, response), STATUS_OK);
}

static const Pb__LimitLease *lease_limit(struct show *show, const char *holder, uint32_t want,
                                         uint32_t held)
{
    struct stage_call *call    = call_new(show, COMMAND_LEASE_LIMITS, 0);
    Pb__LeaseLimits *request   = stage_call_alloc(call, sizeof *request);
    Pb__LimitWant *wish        = stage_call_alloc(call, sizeof *wish);
    Pb__LeasedLimits *response = stage_call_alloc(call, sizeof *response);
    *request                   = (Pb__LeaseLimits)PB__LEASE_LIMITS__INIT;
    *wish                      = (Pb__LimitWant)PB__LIMIT_WANT__INIT;
    *response                  = (Pb__LeasedLimits)PB__LEASED_LIMITS__INIT;
    wish->name                 = TARGET;
    wish->want                 = want;
    wish->held                 = held;
    request->holder            = holder;
    request->limits            = stage_call_alloc(call, sizeof *request->limits);
    request->limits[0]         = wish;
    request->n_limits          = 1;
    assert_int_equal(ask(show, 0, call, request, response), STATUS_OK);
    return response->limits[0];
}

static void restart(struct show *show)
{
    stage_crash(show->stage);
    assert_int_equal(stage_restart(show->stage, NULL), STATUS_OK);
    assert_int_equal(stage_settle(show->stage, NULL), STATUS_OK);
}

static void pass(struct show *show, int64_t us)
{
    stage_pass(show->stage, us);
    assert_int_equal(stage_settle(show->stage, NULL), STATUS_OK);
}

#define WORKER(limit) "{call: worker.do, with: {}, metadata: {tutti: {queue: q, limit: " limit "}}}"
#define HTTP          "{call: http, with: {method: get, endpoint: 'https://api.example.com/x'}}"

/* --- keys --------------------------------------------------------------------------------------
 */

static void so_many_of_a_key_are_at_work(void **state)
{
    struct show *show = *state;
    struct work work  = {};
    const struct workflow *workflow =
        show_put(show, "w", WORKER("{key: '${ .customer }', concurrency: 2}"), "");
    for (int i = 0; i < 5; i++) show_start(show, 0, workflow, customer("a"));
    assert_int_equal(lease(show, "q", &work), 2);
    for (int i = 0; i < 5; i++) show_start(show, 0, workflow, customer("b"));
    assert_int_equal(lease(show, "q", &work), 2); /* another key */
    assert_int_equal(lease(show, "q", &work), 0);
    restart(show);
    assert_int_equal(lease(show, "q", &work), 0);
    assert_int_equal(complete(show, &work), STATUS_OK);
    assert_int_equal(lease(show, "q", &work), 1);
    while (work.count > 0) {
        assert_int_equal(complete(show, &work), STATUS_OK);
        assert_in_range(work.count, 0, 4);
        lease(show, "q", &work);
    }
    workflow_unref(workflow);
}

static void so_many_of_a_key_start_in_a_time(void **state)
{
    struct show *show = *state;
    struct work work  = {};
    const struct workflow *workflow =
        show_put(show, "w", WORKER("{key: '${ .customer }', rate: {count: 3, per: PT1M}}"), "");
    for (int i = 0; i < 9; i++) show_start(show, 0, workflow, customer("a"));
    show_start(show, 0, workflow, customer("b"));
    assert_int_equal(lease(show, "q", &work), 4);
    while (work.count > 0) assert_int_equal(complete(show, &work), STATUS_OK);
    assert_int_equal(lease(show, "q", &work), 0);
    pass(show, 20 * SECOND - 1);
    restart(show); /* which fills no bucket */
    assert_int_equal(lease(show, "q", &work), 0);
    pass(show, 1);
    assert_int_equal(lease(show, "q", &work), 1);
    pass(show, MINUTE);
    assert_int_equal(lease(show, "q", &work), 3);
    workflow_unref(workflow);
}

static void a_limit_of_the_document_is_one_for_all_calls(void **state)
{
    struct show *show               = *state;
    struct work work                = {};
    const struct workflow *workflow = show_put(
        show, "w",
        "{fork: {branches: [{x: {call: worker.do, with: {}, metadata: {tutti: {queue: q}}}}, {y: "
        "{call: worker.do, with: {}, metadata: {tutti: {queue: q}}}}]}}",
        ", metadata: {tutti: {limit: {concurrency: 1}}}");
    show_start(show, 0, workflow, json_object_new(0));
    assert_int_equal(lease(show, "q", &work), 1);
    assert_int_equal(complete(show, &work), STATUS_OK);
    assert_int_equal(lease(show, "q", &work), 1);
    workflow_unref(workflow);
}

static void spoil_limits(struct show *show)
{
    static const char nothing[]         = "\xff\xff\xff";
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    struct key key;
    limit_key(&key, str_from(TARGET));
    assert_int_equal(txn_begin_write(stage_store(show->stage, 0), &txn, NULL), STATUS_OK);
    assert_int_equal(txn_put(txn, TABLE_LIMITS, key_bytes(&key), (bytes){nothing, 3}, NULL),
                     STATUS_OK);
    assert_int_equal(txn_commit(TAKE(txn), NULL), STATUS_OK);
}

/* Neither does the partition stay away, nor is the limit, which nobody would notice. */
static void a_limit_that_cannot_be_read_holds_down(void **state)
{
    struct show *show               = *state;
    struct work work                = {};
    const struct workflow *workflow = show_put(show, "w", HTTP, "");
    set_limit(show, 3, 0, 0);
    for (int i = 0; i < 5; i++) show_start(show, 0, workflow, json_null());
    stage_crash(show->stage);
    spoil_limits(show);
    assert_int_equal(stage_restart(show->stage, NULL), STATUS_OK);
    assert_int_equal(lease(show, "tools", &work), 1);
    restart(show); /* the row is as it was: nothing was set */
    assert_int_equal(lease(show, "tools", &work), 0);
    set_limit(show, 3, 0, 0);
    assert_int_equal(lease(show, "tools", &work), 2);
    restart(show);
    assert_int_equal(complete(show, &work), STATUS_OK);
    assert_int_equal(lease(show, "tools", &work), 1);
    workflow_unref(workflow);
}

static void limit_keys(struct show *show, uint16_t partition, uint32_t concurrency)
{
    struct stage_call *call = call_new(show, COMMAND_SET_QUEUE, 0);
    Pb__SetQueue request    = PB__SET_QUEUE__INIT;
    Pb__QueueView response  = PB__QUEUE_VIEW__INIT;
    call->command.namespace = str_from("default");
    request.name            = "q";
    request.action          = PB__QUEUE_ACTION__QUEUE_ACTION_LIMIT;
    request.sets_key        = true;
    request.key_concurrency = concurrency;
    assert_int_equal(ask(show, partition, call, &request, &response), STATUS_OK);
    assert_int_equal(response.key_concurrency, concurrency);
}

static void a_queue_limits_each_key(void **state)
{
    struct show *show               = *state;
    struct work work                = {};
    const struct workflow *workflow = show_put(show, "w", WORKER("{key: '${ .customer }'}"), "");
    for (int i = 0; i < 3; i++) show_start(show, 0, workflow, customer("a"));
    limit_keys(show, 0, 1);
    assert_int_equal(lease(show, "q", &work), 1);
    restart(show);
    assert_int_equal(lease(show, "q", &work), 0);
    show_start(show, 0, workflow, customer("b"));
    assert_int_equal(lease(show, "q", &work), 1);
    limit_keys(show, 0, 0);
    assert_int_equal(lease(show, "q", &work), 2);
    while (work.count > 0) assert_int_equal(complete(show, &work), STATUS_OK);
    workflow_unref(workflow);
}

/* A key that comes once costs no memory for ever. */
static void keys_that_are_over_are_forgotten(void **state)
{
    enum { KEYS = 2 * LINES_IDLE_MAX };
    struct show *show = *state;
    struct work work  = {};
    const struct workflow *workflow =
        show_put(show, "w", WORKER("{key: '${ .customer }', concurrency: 1}"), "");
    for (int i = 0; i < KEYS; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "c%d", i);
        show_start(show, 0, workflow, customer(name));
        assert_int_equal(lease(show, "q", &work), 1);
        assert_int_equal(complete(show, &work), STATUS_OK);
    }
    const struct job_queues *queues = stage_engine(show->stage, 0)->queues;
    assert_in_range(limits_count(job_queues_limits(queues)), 1, LINES_IDLE_MAX);
    workflow_unref(workflow);
}

/* --- targets -----------------------------------------------------------------------------------
 */

static void a_target_is_limited_while_its_jobs_wait_and_work(void **state)
{
    struct show *show               = *state;
    struct work work                = {};
    const struct workflow *workflow = show_put(show, "w", HTTP, "");
    for (int i = 0; i < 9; i++) show_start(show, 0, workflow, json_object_new(0));
    assert_int_equal(lease_at(show, 0, "tools", 1, &work), 1);
    set_limit(show, 2, 0, 0);
    assert_int_equal(lease(show, "tools", &work), 1); /* the one before counts */
    restart(show);
    assert_int_equal(lease(show, "tools", &work), 0);
    set_limit(show, 4, 0, 0);
    assert_int_equal(lease(show, "tools", &work), 2);
    set_limit(show, 1, 0, 0);
    assert_int_equal(complete(show, &work), STATUS_OK);
    assert_int_equal(lease(show, "tools", &work), 0); /* three are at work still */
    set_limit(show, 0, 0, 0);
    assert_int_equal(lease(show, "tools", &work), 5);
    while (work.count > 0) assert_int_equal(complete(show, &work), STATUS_OK);
    workflow_unref(workflow);
}

static void calls_that_are_no_jobs_take_their_part(void **state)
{
    struct show *show               = *state;
    struct work work                = {};
    const struct workflow *workflow = show_put(show, "w", HTTP, "");
    assert_false(lease_limit(show, "one", 1, 0)->is_limited);
    set_limit(show, 3, 0, 0);
    assert_int_equal(lease_limit(show, "one", 5, 0)->granted, 3);
    show_start(show, 0, workflow, json_object_new(0));
    assert_int_equal(lease(show, "tools", &work), 0);
    assert_int_equal(lease_limit(show, "one", 0, 2)->granted, 0); /* one call is over */
    assert_int_equal(lease(show, "tools", &work), 1);
    assert_int_equal(lease_limit(show, "two", 1, 0)->granted, 0);
    restart(show);
    assert_int_equal(lease_limit(show, "two", 1, 0)->granted, 0);
    pass(show, 31 * SECOND); /* a replica that says nothing is gone */
    assert_int_equal(lease_limit(show, "two", 5, 0)->granted, 2);
    workflow_unref(workflow);
}

/* --- several partitions ------------------------------------------------------------------------
 */

static size_t lease_all(struct show *show, const char *queue, struct work *work)
{
    size_t count = 0;
    for (uint16_t i = 0; i < show->partitions; i++) {
        count += lease_at(show, i, queue, 1, work);
        count += lease_at(show, i, queue, 1, work);
    }
    return count;
}

/* Whoever polls is parked, so what is granted later goes to it. */
static void all_partitions_share_a_limit(void **state)
{
    enum { RUNS = 30, AT_ONCE = 4 };
    struct show *show               = *state;
    struct work work                = {};
    size_t done                     = 0;
    const struct workflow *workflow = show_put(show, "w", HTTP, "");
    set_limit(show, AT_ONCE, 0, 0);
    for (uint16_t i = 0; i < RUNS; i++) {
        show_start(show, i % PARTITIONS, workflow, json_object_new(0));
    }
    for (int round = 0; done < RUNS; round++) {
        assert_in_range(round, 0, 10 * RUNS); /* it goes on */
        lease_all(show, "tools", &work);
        assert_in_range(work.count, 0, AT_ONCE);
        if (round % 7 == 3) restart(show);
        if (work.count > 0) {
            assert_int_equal(complete(show, &work), STATUS_OK);
            done++;
        }
        pass(show, SECOND);
    }
    assert_int_equal(lease_limit(show, "one", 10, 0)->granted, AT_ONCE); /* all are back */
    workflow_unref(workflow);
}

/* Another limit of the same jobs is set again and again: those at work stay counted for theirs. */
static void a_change_takes_no_permit_from_who_works(void **state)
{
    enum { RUNS = 12, AT_ONCE = 2, MORE = 100 };
    struct show *show = *state;
    struct work work  = {};
    const struct workflow *workflow =
        show_put(show, "w", WORKER("{key: '${ .customer }', concurrency: 2}"), "");
    for (uint16_t i = 0; i < RUNS; i++) show_start(show, i % PARTITIONS, workflow, customer("a"));
    for (uint32_t round = 0; round < RUNS || work.count < AT_ONCE; round++) {
        assert_in_range(round, 0, 10 * RUNS); /* it goes on */
        lease_all(show, "q", &work);
        assert_in_range(work.count, 0, AT_ONCE);
        for (uint16_t i = 0; i < PARTITIONS; i++) limit_keys(show, i, MORE + round);
        pass(show, SECOND);
        bool is_one_done = round % 5 == 4 && work.count > 0;
        if (is_one_done) assert_int_equal(complete(show, &work), STATUS_OK);
    }
    while (work.count > 0) assert_int_equal(complete(show, &work), STATUS_OK);
    workflow_unref(workflow);
}

static void all_partitions_share_a_rate(void **state)
{
    enum { RUNS = 30, PER_MINUTE = 6 };
    struct show *show               = *state;
    struct work work                = {};
    size_t done                     = 0;
    int64_t began_us                = stage_now_us(show->stage);
    const struct workflow *workflow = show_put(show, "w", HTTP, "");
    set_limit(show, 0, PER_MINUTE, MINUTE);
    for (uint16_t i = 0; i < RUNS; i++) {
        show_start(show, i % PARTITIONS, workflow, json_object_new(0));
    }
    while (done < RUNS) {
        lease_all(show, "tools", &work);
        int64_t minutes = (stage_now_us(show->stage) - began_us) / (10 * SECOND);
        assert_in_range(done + work.count, 0, PER_MINUTE + (size_t)minutes);
        assert_in_range(minutes, 0, RUNS); /* it goes on as fast as it may, more or less */
        while (work.count > 0) {
            assert_int_equal(complete(show, &work), STATUS_OK);
            done++;
        }
        pass(show, SECOND);
    }
    workflow_unref(workflow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(so_many_of_a_key_are_at_work, setup, show_teardown),
        cmocka_unit_test_setup_teardown(so_many_of_a_key_start_in_a_time, setup, show_teardown),
        cmocka_unit_test_setup_teardown(a_limit_of_the_document_is_one_for_all_calls, setup,
                                        show_teardown),
        cmocka_unit_test_setup_teardown(a_limit_that_cannot_be_read_holds_down, setup,
                                        show_teardown),
        cmocka_unit_test_setup_teardown(a_queue_limits_each_key, setup, show_teardown),
        cmocka_unit_test_setup_teardown(keys_that_are_over_are_forgotten, setup, show_teardown),
        cmocka_unit_test_setup_teardown(a_target_is_limited_while_its_jobs_wait_and_work, setup,
                                        show_teardown),
        cmocka_unit_test_setup_teardown(calls_that_are_no_jobs_take_their_part, setup,
                                        show_teardown),
        cmocka_unit_test_setup_teardown(all_partitions_share_a_limit, setup_many, show_teardown),
        cmocka_unit_test_setup_teardown(a_change_takes_no_permit_from_who_works, setup_many,
                                        show_teardown),
        cmocka_unit_test_setup_teardown(all_partitions_share_a_rate, setup_many, show_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
