/* Over a socket: lists with filters and pages, ends that are pulled, histories that wait. */
#include "cmocka.h"

#include "base/clock.h"
#include "rpc/rpc_hint.h"
#include "support/scheduler/rig.h"

#include <semaphore.h>
#include <time.h>

static const char set_task[]    = "  - a: {set: {answer: 42}}\n";
static const char listen_task[] = "  - a: {listen: {to: {one: {with: {type: go}}}}}\n";

static const void *ask_runs(struct rig *rig, const char *method, const void *message,
                            uint16_t partition, status expected, const char *code)
{
    const struct question asked = {.service   = &pb__runs__descriptor,
                                   .method    = method,
                                   .message   = message,
                                   .partition = partition,
                                   .expected  = expected,
                                   .code      = code};
    return rig_ask(rig, &asked);
}

static void signal_go(struct rig *rig, const char *run)
{
    Pb__SignalRun signal = PB__SIGNAL_RUN__INIT;
    signal.id            = run;
    signal.name          = "go";
    (void)ask_runs(rig, "Signal", &signal, id_partition(str_from(run)), STATUS_OK, NULL);
}

/* --- lists -------------------------------------------------------------------------------------
 */

static void start_with_label(struct rig *rig, const char *workflow, const char *value)
{
    Pb__Label label      = PB__LABEL__INIT;
    label.key            = "team";
    label.value          = value;
    Pb__Label *labels[]  = {&label};
    Pb__StartRun request = PB__START_RUN__INIT;
    request.workflow     = workflow;
    request.labels       = labels;
    request.n_labels     = 1;
    (void)ask_runs(rig, "Start", &request, 0, STATUS_OK, NULL);
}

/* Counts what a list yields in pages of `size`, and checks that no run comes twice or misplaced. */
static size_t count_list(struct rig *rig, Pb__ListRuns *request, uint32_t size)
{
    Pb__Page page    = PB__PAGE__INIT;
    page.size        = size;
    request->page    = &page;
    size_t count     = 0;
    const char *last = NULL;
    for (;;) {
        const Pb__RunList *list = ask_runs(rig, "List", request, 0, STATUS_OK, NULL);
        assert_true(list->n_runs <= size);
        for (size_t i = 0; i < list->n_runs; i++) {
            const char *id = list->runs[i]->id;
            if (last) {
                assert_true(request->oldest_first ? strcmp(last, id) < 0 : strcmp(last, id) > 0);
            }
            last = id;
            count++;
        }
        if (!*list->next_token) return count;
        page.token = list->next_token;
    }
}

static void test_lists_are_filtered_and_paged(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, false);
    rig_put(&rig, "one", set_task);
    rig_put(&rig, "two", listen_task);
    for (int i = 0; i < 7; i++) start_with_label(&rig, "one", i % 2 ? "odd" : "even");
    for (int i = 0; i < 4; i++) start_with_label(&rig, "two", "odd");

    Pb__Label odd           = PB__LABEL__INIT;
    odd.key                 = "team";
    odd.value               = "odd";
    Pb__Label *labels[]     = {&odd};
    Pb__RunStatus waiting   = PB__RUN_STATUS__RUN_STATUS_WAITING;
    Pb__ListRuns all        = PB__LIST_RUNS__INIT;
    Pb__ListRuns of_two     = all;
    of_two.workflow         = "two";
    Pb__ListRuns of_odd     = all;
    of_odd.labels           = labels;
    of_odd.n_labels         = 1;
    Pb__ListRuns of_status  = all;
    of_status.status        = &waiting;
    of_status.n_status      = 1;
    Pb__ListRuns old_first  = all;
    old_first.oldest_first  = true;
    Pb__ListRuns elsewhere  = all;
    elsewhere.namespace_    = "acme";
    Pb__ListRuns future     = all;
    future.created_after_us = clock_unix_us() + 1'000'000;
    Pb__ListRuns past       = all;
    past.created_before_us  = clock_unix_us() + 1'000'000;

    for (uint32_t size = 1; size <= 12; size += 5) {
        assert_int_equal(count_list(&rig, &all, size), 11);
        assert_int_equal(count_list(&rig, &of_two, size), 4);
        assert_int_equal(count_list(&rig, &of_odd, size), 7);
        assert_int_equal(count_list(&rig, &of_status, size), 4);
        assert_int_equal(count_list(&rig, &old_first, size), 11);
        assert_int_equal(count_list(&rig, &elsewhere, size), 0);
        assert_int_equal(count_list(&rig, &future, size), 0);
        assert_int_equal(count_list(&rig, &past, size), 11);
    }
    rig_done(&rig);
}

static void test_a_token_belongs_to_its_filters(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, false);
    rig_put(&rig, "one", set_task);
    (void)rig_start(&rig, "one", NULL);
    (void)rig_start(&rig, "one", NULL);
    Pb__Page page           = PB__PAGE__INIT;
    page.size               = 1;
    Pb__ListRuns request    = PB__LIST_RUNS__INIT;
    request.page            = &page;
    const Pb__RunList *list = ask_runs(&rig, "List", &request, 0, STATUS_OK, NULL);
    page.token              = list->next_token;
    request.workflow        = "one";
    (void)ask_runs(&rig, "List", &request, 0, STATUS_INVALID_ARGUMENT, "invalid_page_token");
    page.token = "zz";
    (void)ask_runs(&rig, "List", &request, 0, STATUS_INVALID_ARGUMENT, "invalid_page_token");
    page.token = "";
    page.size  = 501;
    (void)ask_runs(&rig, "List", &request, 0, STATUS_INVALID_ARGUMENT, "invalid_request");
    rig_done(&rig);
}

/* --- ends --------------------------------------------------------------------------------------
 */

static const Pb__PulledRuns *pull(struct rig *rig, const char *watch, uint64_t last_reply,
                                  uint32_t wait_ms)
{
    static uint8_t name[] = "loop-1";
    const char *runs[]    = {watch};
    Pb__PullRuns request  = PB__PULL_RUNS__INIT;
    request.subscriber    = (ProtobufCBinaryData){sizeof name, name};
    request.watch         = runs;
    request.n_watch       = watch ? 1 : 0;
    request.last_reply    = last_reply;
    request.wait_ms       = wait_ms;
    return ask_runs(rig, "Pull", &request, 0, STATUS_OK, NULL);
}

static void test_ends_are_told_until_acknowledged(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, false);
    rig_put(&rig, "one", set_task);
    rig_put(&rig, "two", listen_task);
    const char *over   = rig_start(&rig, "one", NULL)->run->id;
    const char *second = rig_start(&rig, "two", NULL)->run->id;

    const Pb__PulledRuns *first = pull(&rig, over, 0, 20'000); /* it had ended before */
    assert_int_equal(first->n_ended, 1);
    assert_string_equal(first->ended[0]->id, over);
    assert_true(first->ended[0]->output_json.len > 0);
    assert_true(first->instance != 0);

    const Pb__PulledRuns *again = pull(&rig, NULL, first->reply - 1, 0); /* lost: told again */
    assert_int_equal(again->n_ended, 1);
    assert_int_equal(pull(&rig, NULL, again->reply, 0)->n_ended, 0);

    (void)pull(&rig, second, again->reply, 0);
    signal_go(&rig, second);
    const Pb__PulledRuns *last = pull(&rig, NULL, again->reply, 20'000);
    assert_int_equal(last->n_ended, 1);
    assert_string_equal(last->ended[0]->id, second);
    rig_done(&rig);
}

/* A call whose answer comes while the test goes on. */
struct parked {
    sem_t done;
    struct rpc_answer *answer;
};

static void on_answer(const struct rpc_answer *answer, void *context)
{
    struct parked *parked = context;
    parked->answer        = rpc_answer_keep(answer);
    (void)sem_post(&parked->done);
}

static uint64_t park(struct rig *rig, struct parked *parked, const char *method,
                     const void *message)
{
    (void)sem_init(&parked->done, 0, 0);
    const struct rpc_request request = {.service        = &pb__runs__descriptor,
                                        .method         = method,
                                        .message        = message,
                                        .timeout_ms     = 25'000,
                                        .wait_for_ready = true,
                                        .done           = on_answer,
                                        .context        = parked};
    uint64_t id                      = 0;
    assert_int_equal(rpc_client_call(rig->client, &request, &id, NULL), STATUS_OK);
    return id;
}

static const struct rpc_answer *wait_for(struct parked *parked)
{
    while (sem_wait(&parked->done)) continue;
    (void)sem_destroy(&parked->done);
    return parked->answer;
}

static void test_a_parked_pull_hears_of_the_end(void **)
{
    struct rig rig       = {};
    struct parked parked = {};
    rig_init(&rig, 1, false);
    rig_put(&rig, "two", listen_task);
    static uint8_t name[]         = "loop-2";
    Pb__StartRun start            = PB__START_RUN__INIT;
    start.workflow                = "two";
    start.subscriber              = (ProtobufCBinaryData){sizeof name, name};
    const Pb__StartedRun *started = ask_runs(&rig, "Start", &start, 0, STATUS_OK, NULL);

    Pb__PullRuns request = PB__PULL_RUNS__INIT;
    request.subscriber   = start.subscriber;
    request.wait_ms      = 20'000;
    (void)park(&rig, &parked, "Pull", &request);
    signal_go(&rig, started->run->id);
    const struct rpc_answer *answer = wait_for(&parked);
    assert_int_equal(answer->code, STATUS_OK);
    const Pb__PulledRuns *pulled = answer->message;
    assert_int_equal(pulled->n_ended, 1);
    assert_int_equal(pulled->ended[0]->status, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    rpc_answer_free(parked.answer);
    rig_done(&rig);
}

/* Leases a job of `llm` that must be there, and says that it is done. */
static void finish_later(struct rig *rig, Pb__JobReport *report, Pb__JobCompleted *completed)
{
    const Pb__LeasedJob *job = rig_lease_soon(rig, "llm");
    *completed               = (Pb__JobCompleted)PB__JOB_COMPLETED__INIT;
    *report                  = (Pb__JobReport)PB__JOB_REPORT__INIT;
    report->job              = job->id;
    report->lease_token      = job->lease_token;
    report->result_case      = PB__JOB_REPORT__RESULT_COMPLETED;
    report->completed        = completed;
}

static void test_the_ends_of_one_commit_are_one_answer(void **)
{
    struct rig rig       = {};
    struct parked parked = {};
    rig_init(&rig, 1, false);
    rig_put(&rig, "job", "  - a: {call: llm.chat, with: {model: m, prompt: hi}}\n");
    static uint8_t name[] = "loop-4";
    Pb__StartRun start    = PB__START_RUN__INIT;
    start.workflow        = "job";
    start.subscriber      = (ProtobufCBinaryData){sizeof name, name};
    Pb__JobCompleted completed[2];
    Pb__JobReport reports[2];
    Pb__JobReport *list[] = {&reports[0], &reports[1]};
    for (size_t i = 0; i < ARRAY_LEN(list); i++) {
        (void)ask_runs(&rig, "Start", &start, 0, STATUS_OK, NULL);
        finish_later(&rig, list[i], &completed[i]);
    }
    Pb__PullRuns request = PB__PULL_RUNS__INIT;
    request.subscriber   = start.subscriber;
    request.wait_ms      = 20'000;
    (void)park(&rig, &parked, "Pull", &request);

    Pb__JobReports message       = PB__JOB_REPORTS__INIT;
    message.worker               = "w";
    message.reports              = list;
    message.n_reports            = ARRAY_LEN(list);
    const struct question report = {
        .service = &pb__jobs__descriptor, .method = "Report", .message = &message};
    (void)rig_ask(&rig, &report);
    const struct rpc_answer *answer = wait_for(&parked);
    assert_int_equal(answer->code, STATUS_OK);
    assert_int_equal(((const Pb__PulledRuns *)answer->message)->n_ended, 2);
    rpc_answer_free(parked.answer);
    rig_done(&rig);
}

static void test_a_second_pull_takes_the_place_of_the_first(void **)
{
    struct rig rig       = {};
    struct parked first  = {};
    struct parked second = {};
    rig_init(&rig, 1, false);
    static uint8_t name[] = "loop-3";
    Pb__PullRuns request  = PB__PULL_RUNS__INIT;
    request.subscriber    = (ProtobufCBinaryData){sizeof name, name};
    request.wait_ms       = 20'000;
    (void)park(&rig, &first, "Pull", &request);
    uint64_t id = park(&rig, &second, "Pull", &request);
    /* Which one came first is not known; one of them is answered, the other given up. */
    struct parked *answered = NULL;
    while (!answered) {
        if (sem_trywait(&first.done) == 0) answered = &first;
        if (!answered && sem_trywait(&second.done) == 0) answered = &second;
    }
    assert_int_equal(answered->answer->code, STATUS_OK);
    const Pb__PulledRuns *pulled = answered->answer->message;
    assert_int_equal(pulled->n_ended, 0);
    if (answered == &first) rpc_client_cancel(rig.client, id);
    rig_done(&rig);
    struct parked *other = answered == &first ? &second : &first;
    (void)wait_for(other);
    rpc_answer_free(first.answer);
    rpc_answer_free(second.answer);
}

/* --- histories that wait -----------------------------------------------------------------------
 */

static void test_a_history_waits_for_the_next_event(void **)
{
    struct rig rig       = {};
    struct parked parked = {};
    rig_init(&rig, 1, false);
    rig_put(&rig, "two", listen_task);
    const char *run              = rig_start(&rig, "two", NULL)->run->id;
    Pb__ReadHistory request      = PB__READ_HISTORY__INIT;
    request.id                   = run;
    const Pb__RunHistory *before = ask_runs(&rig, "History", &request, 0, STATUS_OK, NULL);
    request.after                = before->last_sequence;
    request.wait_ms              = 1;
    assert_int_equal(
        ((const Pb__RunHistory *)ask_runs(&rig, "History", &request, 0, STATUS_OK, NULL))->n_events,
        0);
    request.wait_ms = 20'000;
    (void)park(&rig, &parked, "History", &request);
    signal_go(&rig, run);
    const struct rpc_answer *answer = wait_for(&parked);
    assert_int_equal(answer->code, STATUS_OK);
    const Pb__RunHistory *history = answer->message;
    assert_true(history->n_events > 0);
    assert_int_equal(history->events[0]->sequence, request.after + 1);
    rpc_answer_free(parked.answer);

    uint64_t id       = 0;
    const char *other = rig_start(&rig, "two", NULL)->run->id;
    request.id        = other;
    id                = park(&rig, &parked, "History", &request);
    rpc_client_cancel(rig.client, id);
    assert_int_equal(wait_for(&parked)->code, STATUS_CANCELLED);
    rpc_answer_free(parked.answer);
    rig_done(&rig);
}

/* --- hints -------------------------------------------------------------------------------------
 */

struct hearing {
    sem_t connected, heard;
    char run[ID_LEN + 1];
    uint64_t sequence;
    Pb__RunStatus status;
};

static void on_hint(uint16_t, bytes payload, void *context)
{
    struct hearing *hearing = context;
    Pb__RunHints *hints     = pb__run_hints__unpack(NULL, payload.len, payload.ptr);
    assert_non_null(hints);
    assert_int_equal(hints->n_hints, 1);
    memcpy(hearing->run, hints->hints[0]->run_id, ID_LEN);
    hearing->sequence = hints->hints[0]->sequence;
    hearing->status   = hints->hints[0]->status;
    pb__run_hints__free_unpacked(hints, NULL);
    (void)sem_post(&hearing->heard);
}

static void on_refresh(enum rpc_refresh_reason, uint64_t, void *context)
{
    struct hearing *hearing = context;
    (void)sem_post(&hearing->connected);
}

static void test_hints_say_what_moved(void **)
{
    struct rig rig         = {};
    struct hearing hearing = {};
    (void)sem_init(&hearing.connected, 0, 0);
    (void)sem_init(&hearing.heard, 0, 0);
    rig_init(&rig, 1, false);
    rig_put(&rig, "one", set_task);
    const struct rpc_subscriber_options options = {.urls    = server_hint_url(rig.server),
                                                   .hint    = on_hint,
                                                   .refresh = on_refresh,
                                                   .context = &hearing};
    struct rpc_subscriber *subscriber           = NULL;
    assert_int_equal(rpc_subscriber_start(&options, &subscriber, NULL), STATUS_OK);
    while (sem_wait(&hearing.connected)) continue;

    const Pb__RunView *run = NULL;
    do { /* a hint may be lost; the next one comes */
        run = rig_start(&rig, "one", NULL)->run;
        struct timespec until;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec++;
        if (sem_timedwait(&hearing.heard, &until) == 0) break;
    } while (true);
    assert_string_equal(hearing.run, run->id);
    assert_int_equal(hearing.sequence, run->last_sequence);
    assert_int_equal(hearing.status, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    rpc_subscriber_stopp(&subscriber);
    (void)sem_destroy(&hearing.connected);
    (void)sem_destroy(&hearing.heard);
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists_are_filtered_and_paged),
        cmocka_unit_test(test_a_token_belongs_to_its_filters),
        cmocka_unit_test(test_ends_are_told_until_acknowledged),
        cmocka_unit_test(test_a_parked_pull_hears_of_the_end),
        cmocka_unit_test(test_the_ends_of_one_commit_are_one_answer),
        cmocka_unit_test(test_a_second_pull_takes_the_place_of_the_first),
        cmocka_unit_test(test_a_history_waits_for_the_next_event),
        cmocka_unit_test(test_hints_say_what_moved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
