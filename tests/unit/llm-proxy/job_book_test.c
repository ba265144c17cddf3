/* Jobs under one key: one runs, others join, take its place, or find the answer. */
#include "llm-proxy/jobs/job_book.h"

#include "base/attr.h"
#include "base/buf.h"

#include "cmocka.h"

#include <stdio.h>

enum { LOG_MAX = 4'096, JOBS_MAX = 3 };

/* A worker's jobs, what became of them, and who runs them. */
struct world {
    struct loop *loop;
    struct answers *answers;
    struct job_book *book;
    Pb__LeasedJob leased[JOBS_MAX];
    struct worker_job jobs[JOBS_MAX];
    struct worker_job *running; /* the last one that was given to be run */
    int runs, cancels;
    struct buf log;
};

static struct buf *log_of(struct worker_job *job)
{
    return &((struct world *)(uintptr_t)job->leased->queued_us)->log;
}

/* The worker's own, which this test takes the place of. */
void worker_complete(struct worker_job *job, const Pb__JobCompleted *completed)
{
    (void)buf_printf(log_of(job), "%s completed %.*s, %d calls|", job->leased->task,
                     (int)completed->output_json.len, (const char *)completed->output_json.data,
                     completed->usage ? (int)completed->usage->calls : -1);
    if (completed->bought_by.len == 0) return;
    (void)buf_printf(log_of(job), "under %.*s|", (int)completed->bought_by.len,
                     (const char *)completed->bought_by.data);
}

static worker_drawn_fn *drawn; /* what the last draw waits for */
static void *drawn_context;

void worker_draw(struct worker_job *job, int64_t output_tokens, const Pb__ModelPrice *,
                 worker_drawn_fn *fn, void *context)
{
    (void)buf_printf(log_of(job), "%s draws %d|", job->leased->task, (int)output_tokens);
    drawn         = fn;
    drawn_context = context;
}

void worker_fail(struct worker_job *job, const Pb__JobFailed *failed)
{
    (void)buf_printf(log_of(job), "%s failed%s|", job->leased->task,
                     failed->error_json.len > 0 ? ": validation" : "");
}

void worker_release(struct worker_job *job, int64_t, const char *reason)
{
    (void)buf_printf(log_of(job), "%s released: %s|", job->leased->task, reason);
}

void worker_hand_back(struct worker_job *job, const Pb__JobReleased *released)
{
    (void)buf_printf(log_of(job), "%s handed back: %s", job->leased->task, released->reason);
    if (released->usage) {
        (void)buf_printf(log_of(job), ", %d calls", (int)released->usage->calls);
    }
    (void)buf_put_text(log_of(job), "|");
}

static void run(struct worker_job *job, void *context)
{
    struct world *world = context;
    world->running      = job;
    world->runs++;
}

static void cancel(struct worker_job *job, void *context)
{
    struct world *world = context;
    world->cancels++;
    Pb__JobReleased released = PB__JOB_RELEASED__INIT;
    Pb__Usage used           = PB__USAGE__INIT;
    used.calls               = 1;
    released.reason          = "cancelled";
    released.usage           = &used;
    job_hand_back(job, &released);
}

static void print_interrupted(Pb__LlmOperation, struct buf *)
{
    /* There are no streams here. */
}

static int set_up(void **state)
{
    static const char *const names[JOBS_MAX] = {"a", "b", "c"};
    struct world *world                      = test_calloc(1, sizeof *world);
    if (loop_new(NULL, &world->loop, NULL) != STATUS_OK) return -1;
    const struct answers_options answers = {.loop              = world->loop,
                                            .print_interrupted = print_interrupted};
    if (answers_open(&answers, &world->answers, NULL) != STATUS_OK) return -1;
    const struct job_book_options options = {
        .answers = world->answers, .run = run, .cancel = cancel, .context = world};
    world->book = job_book_new(&options);
    world->log  = buf_init(LOG_MAX);
    for (int i = 0; i < JOBS_MAX; i++) {
        pb__leased_job__init(&world->leased[i]);
        world->leased[i].id              = names[i];
        world->leased[i].task            = names[i];
        world->leased[i].function        = "llm.chat";
        world->leased[i].idempotency_key = "key";
        world->leased[i].queued_us       = (int64_t)(uintptr_t)world;
        world->jobs[i].leased            = &world->leased[i];
    }
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    answers_stop(world->answers);
    job_book_freep(&world->book);
    answers_freep(&world->answers);
    loop_freep(&world->loop);
    buf_done(&world->log);
    test_free(world);
    return 0;
}

static void begin(struct world *world, int job)
{
    job_book_run(world->book, &world->jobs[job]);
}

static void complete(struct world *world)
{
    static uint8_t output[]    = "{}";
    Pb__JobCompleted completed = PB__JOB_COMPLETED__INIT;
    Pb__Usage usage            = PB__USAGE__INIT;
    usage.calls                = 1;
    completed.usage            = &usage;
    completed.output_json      = (ProtobufCBinaryData){.data = output, .len = sizeof output - 1};
    job_complete(world->running, &completed);
}

static const char *story(struct world *world)
{
    while (answers_waiting(world->answers) > 0) loop_turn(world->loop, 100);
    return buf_str(&world->log).ptr;
}

static void one_runs_and_others_join(void **state)
{
    struct world *world = *state;
    begin(world, 0);
    begin(world, 1);
    world->leased[2].id = "a"; /* another lease of the first */
    begin(world, 2);
    assert_int_equal(world->runs, 1);
    complete(world);
    assert_int_equal(world->log.len, 0); /* not before it is kept */
    assert_string_equal(story(world), "a completed {}, 1 calls|b completed {}, 0 calls|"
                                      "c completed {}, 1 calls|");
    buf_clear(&world->log);
    begin(world, 1);
    begin(world, 0);
    assert_string_equal(story(world), "b completed {}, 0 calls|a completed {}, 1 calls|");
    assert_int_equal(world->runs, 1);
}

static void who_joined_takes_the_place(void **state)
{
    struct world *world = *state;
    begin(world, 0);
    begin(world, 1);
    job_book_cancel(&world->jobs[0]);
    assert_string_equal(world->running->leased->id, "b");
    complete(world);
    assert_string_equal(story(world), "a released: cancelled|b completed {}, 1 calls|");
    assert_int_equal(world->cancels, 0);
}

static void on_drawn(const Pb__BudgetRoom *room, void *context)
{
    struct world *world = context;
    (void)buf_printf(&world->log, "%d drawn|", (int)room->tokens);
}

/* Whoever pays is asked for more, and the answer says under which lease it was bought. */
static void who_takes_the_place_pays(void **state)
{
    struct world *world          = *state;
    static uint8_t tokens[][3]   = {"l0", "l1"};
    Pb__BudgetRoom room          = PB__BUDGET_ROOM__INIT;
    world->leased[0].lease_token = (ProtobufCBinaryData){.data = tokens[0], .len = 2};
    world->leased[1].id          = "a"; /* another lease of the first */
    world->leased[1].lease_token = (ProtobufCBinaryData){.data = tokens[1], .len = 2};
    begin(world, 0);
    begin(world, 1);
    job_draw(world->running, 7, NULL, on_drawn, world);
    job_book_cancel(&world->jobs[0]);
    room.tokens = 9;
    drawn(&room, drawn_context);
    job_draw(world->running, 8, NULL, on_drawn, world);
    complete(world);
    drawn(&room, drawn_context); /* who has asked for it is gone */
    assert_string_equal(story(world), "a draws 7|a released: cancelled|b draws 7|9 drawn|b draws 8|"
                                      "b completed {}, 1 calls|under l1|");
    buf_clear(&world->log);
    world->leased[2].id          = "a";
    world->leased[2].lease_token = (ProtobufCBinaryData){};
    begin(world, 2);
    assert_string_equal(story(world), "c completed {}, 1 calls|under l1|");
}

static void nobody_is_left(void **state)
{
    struct world *world = *state;
    begin(world, 0);
    begin(world, 1);
    job_book_cancel(&world->jobs[1]);
    job_book_cancel(&world->jobs[0]);
    assert_int_equal(world->cancels, 1);
    job_book_cancel(&world->jobs[0]); /* once more changes nothing */
    assert_string_equal(story(world), "b released: cancelled|a handed back: cancelled, 1 calls|");
    begin(world, 2); /* the key is free */
    assert_int_equal(world->runs, 2);
}

/* Cancelled while its answer is written: it has bought it, and pays, whoever comes later. */
/* What is bought and being written is completed; the rest is handed back with what it has used. */
static void a_stop_hands_all_back(void **state)
{
    struct world *world              = *state;
    world->leased[2].idempotency_key = "another";
    begin(world, 2);
    complete(world);
    begin(world, 0);
    begin(world, 1);
    job_book_cut(world->book);
    assert_int_equal(world->cancels, 1);
    assert_string_equal(buf_str(&world->log).ptr, "a handed back: cancelled, 1 calls|"
                                                  "b released: cancelled|");
    buf_clear(&world->log);
    assert_string_equal(story(world), "c completed {}, 1 calls|");
    job_book_cut(world->book); /* there are none */
    begin(world, 0);
    assert_int_equal(world->runs, 3);
    job_book_cut(world->book);
}

static void the_buyer_pays(void **state)
{
    static const struct {
        const char *name;
        bool is_joined;
        const char *story;
    } rows[] = {
        {"alone", false, "a completed {}, 1 calls|"},
        {"joined", true, "a completed {}, 1 calls|b completed {}, 0 calls|"},
    };
    struct world *world = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (int job = 0; job < JOBS_MAX; job++) {
            world->leased[job].idempotency_key = rows[i].name;
        }
        buf_clear(&world->log);
        begin(world, 0);
        complete(world);
        job_book_cancel(&world->jobs[0]);
        if (rows[i].is_joined) begin(world, 1);
        assert_int_equal(world->log.len, 0); /* not before it is kept */
        assert_string_equal(story(world), rows[i].story);
        buf_clear(&world->log);
        begin(world, 2);
        begin(world, 0); /* the next attempt of the same job */
        assert_string_equal(story(world), "c completed {}, 0 calls|a completed {}, 1 calls|");
        assert_int_equal(world->runs, i + 1);
    }
    assert_int_equal(world->cancels, 0);
}

static void failures_are_not_kept(void **state)
{
    struct world *world    = *state;
    Pb__JobFailed failed   = PB__JOB_FAILED__INIT;
    Pb__JobReleased handed = PB__JOB_RELEASED__INIT;
    begin(world, 0);
    begin(world, 1);
    job_fail(world->running, &failed);
    begin(world, 0);
    begin(world, 1);
    handed.reason = "later";
    job_hand_back(world->running, &handed);
    begin(world, 0);
    job_release(world->running, 0, "held");
    assert_string_equal(story(world), "a failed|b released: the call that was joined has failed|"
                                      "a handed back: later|b released: later|a released: held|");
    assert_int_equal(world->runs, 3);
}

static void other_requests_and_no_key(void **state)
{
    struct world *world         = *state;
    world->leased[1].function   = "llm.embed";
    world->leased[2].namespace_ = "other";
    begin(world, 0);
    begin(world, 1);
    assert_string_equal(story(world), "b failed: validation|");
    buf_clear(&world->log);
    struct worker_job *first = world->running;
    begin(world, 2); /* another namespace, another key */
    assert_int_equal(world->runs, 2);
    complete(world);
    world->running = first;
    complete(world);
    (void)story(world);
    world->leased[0].idempotency_key = "";
    begin(world, 0);
    assert_int_equal(world->runs, 3);
    buf_clear(&world->log);
    complete(world);
    assert_string_equal(buf_str(&world->log).ptr, "a completed {}, 1 calls|");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_runs_and_others_join, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_joined_takes_the_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_takes_the_place_pays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_is_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stop_hands_all_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_buyer_pays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failures_are_not_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_requests_and_no_key, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
