/* Answers to requests with an Idempotency-Key: for a day, over crashes, and no longer; to others
 * that set something: for ten minutes. */
#include "cmocka.h"

#include "stage/stage.h"
#include "system.pb-c.h"

#include <stdio.h>

#define SECOND   INT64_C(1'000'000)
#define HOUR     (3600 * SECOND)
#define START_US INT64_C(1'795'341'600'000'000)

#define PAUSE  PB__QUEUE_ACTION__QUEUE_ACTION_PAUSE
#define RESUME PB__QUEUE_ACTION__QUEUE_ACTION_RESUME

enum { KEY_DIGITS = 32 };

static struct stage *open_stage(void)
{
    struct stage *stage                = NULL;
    const struct stage_options options = {.partitions = 1, .seed = 7, .now_us = START_US};
    assert_int_equal(stage_open(&options, &stage, NULL), STATUS_OK);
    return stage;
}

static bool is_paused(const struct stage *stage)
{
    size_t index = 0;
    struct queue *queue;
    while ((queue = stage_queue_next(stage, 0, &index))) {
        if (str_is(queue->name, "q")) return queue->is_paused;
    }
    return false;
}

/* Sets the queue; `key` and `payload` stand for a request's, 0: it has none; without a payload
 * `key` is an id. Returns the outcome, and whether the answer says that it is paused. */
static status set_queue(struct stage *stage, Pb__QueueAction action, unsigned key, unsigned payload,
                        bool *ret_paused, const char **ret_code)
{
    CLEANUP(stage_call_freep) struct stage_call *call = stage_call_new(COMMAND_SET_QUEUE, 0);
    Pb__SetQueue *request                             = stage_call_alloc(call, sizeof *request);
    Pb__QueueView *response                           = stage_call_alloc(call, sizeof *response);
    char id[2 * KEY_DIGITS + 2]                       = "";
    *request                                          = (Pb__SetQueue)PB__SET_QUEUE__INIT;
    *response                                         = (Pb__QueueView)PB__QUEUE_VIEW__INIT;
    request->name                                     = "q";
    request->action                                   = action;
    call->command.request                             = request;
    call->command.response                            = response;
    call->command.namespace                           = str_from("default");
    (void)snprintf(id, sizeof id, payload > 0 ? "%032x:%032x" : "%032x", key, payload);
    if (key > 0) call->command.request_id = str_from(id);
    status asked = stage_ask(stage, 0, call, NULL);
    assert_true(call->is_done);
    *ret_paused = response->paused;
    *ret_code   = call->command.error.code;
    return asked;
}

static void crash(struct stage *stage)
{
    stage_crash(stage);
    assert_int_equal(stage_restart(stage, NULL), STATUS_OK);
}

static void test_a_day_and_no_longer(void **)
{
    CLEANUP(stage_closep) struct stage *stage = open_stage();
    bool paused                               = false;
    const char *code                          = NULL;
    assert_int_equal(set_queue(stage, PAUSE, 1, 1, &paused, &code), STATUS_OK);
    assert_true(paused && is_paused(stage));
    assert_int_equal(set_queue(stage, RESUME, 0, 0, &paused, &code), STATUS_OK);
    assert_false(is_paused(stage));

    for (int i = 0; i < 3; i++) { /* as before, and without an effect */
        assert_int_equal(set_queue(stage, PAUSE, 1, 1, &paused, &code), STATUS_OK);
        assert_true(paused);
        assert_false(is_paused(stage));
        assert_int_equal(set_queue(stage, PAUSE, 1, 2, &paused, &code), STATUS_INVALID_ARGUMENT);
        assert_string_equal(code, "idempotency_key_reused");
        if (i == 1) crash(stage);
        stage_pass(stage, 10 * HOUR);
        assert_int_equal(stage_settle(stage, NULL), STATUS_OK);
    }
    assert_int_equal(set_queue(stage, PAUSE, 1, 1, &paused, &code), STATUS_OK); /* 30 h later */
    assert_true(is_paused(stage));
}

/* A repetition that comes late does not undo what was set since. */
static void test_an_id_sets_something_once(void **)
{
    CLEANUP(stage_closep) struct stage *stage = open_stage();
    bool paused                               = false;
    const char *code                          = NULL;
    assert_int_equal(set_queue(stage, PAUSE, 5, 0, &paused, &code), STATUS_OK);
    assert_true(paused && is_paused(stage));
    assert_int_equal(set_queue(stage, RESUME, 6, 0, &paused, &code), STATUS_OK);
    crash(stage);
    assert_int_equal(set_queue(stage, PAUSE, 5, 0, &paused, &code), STATUS_OK);
    assert_true(paused); /* as it was answered */
    assert_false(is_paused(stage));
    stage_pass(stage, HOUR / 4);
    assert_int_equal(set_queue(stage, PAUSE, 5, 0, &paused, &code), STATUS_OK);
    assert_true(is_paused(stage)); /* nobody asks again so late */
}

/* Buckets of rows of both kinds begin at 12:00: what was set then is found also by who starts
 * before that. */
static void test_a_clock_that_is_set_back(void **)
{
    for (unsigned payload = 0; payload < 2; payload++) {
        CLEANUP(stage_closep) struct stage *stage = open_stage();
        bool paused                               = false;
        const char *code                          = NULL;
        stage_set_now(stage, START_US + 2 * HOUR);
        assert_int_equal(set_queue(stage, PAUSE, 5, payload, &paused, &code), STATUS_OK);
        assert_int_equal(set_queue(stage, RESUME, 6, payload, &paused, &code), STATUS_OK);
        stage_crash(stage);
        stage_set_now(stage, START_US + 2 * HOUR - 20 * SECOND);
        assert_int_equal(stage_restart(stage, NULL), STATUS_OK);
        assert_int_equal(set_queue(stage, PAUSE, 5, payload, &paused, &code), STATUS_OK);
        assert_true(paused); /* as it was answered */
        assert_false(is_paused(stage));
    }
}

/* A refusal is an answer, too; the same key of another request is another key. */
static void test_refusals_and_other_keys(void **)
{
    CLEANUP(stage_closep) struct stage *stage = open_stage();
    bool paused                               = false;
    const char *code                          = NULL;
    const Pb__QueueAction none                = PB__QUEUE_ACTION__QUEUE_ACTION_UNSPECIFIED;
    assert_int_equal(set_queue(stage, none, 7, 1, &paused, &code), STATUS_INVALID_ARGUMENT);
    crash(stage);
    assert_int_equal(set_queue(stage, PAUSE, 7, 1, &paused, &code), STATUS_INVALID_ARGUMENT);
    assert_false(is_paused(stage)); /* what is asked is what its digits say */
    assert_int_equal(set_queue(stage, PAUSE, 8, 1, &paused, &code), STATUS_OK);
    assert_true(is_paused(stage));
}

/* A request of an operation on many runs; it has an id, but no key. Says which operation. */
static struct id start_bulk(struct stage *stage, unsigned id)
{
    CLEANUP(stage_call_freep) struct stage_call *call = stage_call_new(COMMAND_BULK, 0);
    Pb__StartBulk *request                            = stage_call_alloc(call, sizeof *request);
    Pb__OperationView *response                       = stage_call_alloc(call, sizeof *response);
    char text[KEY_DIGITS + 1]                         = "";
    *request                                          = (Pb__StartBulk)PB__START_BULK__INIT;
    Pb__ListRuns *filter                              = stage_call_alloc(call, sizeof *filter);
    *response                                         = (Pb__OperationView)PB__OPERATION_VIEW__INIT;
    *filter                                           = (Pb__ListRuns)PB__LIST_RUNS__INIT;
    request->namespace_                               = "default";
    request->filter                                   = filter;
    request->dry_run                                  = true;
    call->command.request                             = request;
    call->command.response                            = response;
    call->command.namespace                           = str_from("default");
    (void)snprintf(text, sizeof text, "%032x", id);
    call->command.request_id = str_from(text);
    assert_int_equal(stage_ask(stage, 0, call, NULL), STATUS_OK);
    struct id operation = {};
    assert_int_equal(strlen(response->id), ID_LEN);
    memcpy(operation.text, response->id, ID_LEN);
    return operation;
}

enum { KIND_DONE = 1, KIND_ANSWERED = 2, KIND_TOTALS = 4 }; /* the first byte of a key */

static size_t row_count(struct stage *stage, uint8_t kind)
{
    CLEANUP(txn_abortp) struct txn *txn          = NULL;
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan scan                       = {.prefix = {&kind, 1}};
    size_t count                                 = 0;
    bytes key                                    = {};
    bytes row                                    = {};
    stage_step(stage, 0);
    assert_int_equal(stage_settle(stage, NULL), STATUS_OK);
    assert_int_equal(txn_begin_read(stage_store(stage, 0), &txn, NULL), STATUS_OK);
    assert_int_equal(cursor_open(txn, TABLE_REQUESTS, &scan, &cursor, NULL), STATUS_OK);
    while (cursor_next(cursor, &key, &row, NULL) == STATUS_OK) count++;
    return count;
}

static bool is_same(struct id a, struct id b)
{
    return str_equal(str_from(a.text), str_from(b.text));
}

/* Both kinds lie in one table, and go each at its own time. */
static void test_both_kinds_go(void **)
{
    enum { ROUNDS = 10 };
    for (int crashes = 0; crashes < 2; crashes++) {
        CLEANUP(stage_closep) struct stage *stage = open_stage();
        bool paused                               = false;
        const char *code                          = NULL;
        for (unsigned i = 1; i <= ROUNDS; i++) {
            assert_int_equal(set_queue(stage, PAUSE, i, 1, &paused, &code), STATUS_OK);
            (void)start_bulk(stage, i);
        }
        assert_int_equal(row_count(stage, KIND_DONE), ROUNDS);
        assert_int_equal(row_count(stage, KIND_ANSWERED), ROUNDS);
        stage_pass(stage, 9 * 60 * SECOND);
        (void)start_bulk(stage, ROUNDS + 1);
        if (crashes) crash(stage);
        stage_pass(stage, 2 * 60 * SECOND);
        assert_int_equal(row_count(stage, KIND_DONE), 1);
        if (crashes) crash(stage);
        stage_pass(stage, HOUR);
        assert_int_equal(row_count(stage, KIND_DONE), 0);
        assert_int_equal(row_count(stage, KIND_ANSWERED), ROUNDS);
        stage_pass(stage, 23 * HOUR);
        assert_int_equal(row_count(stage, KIND_ANSWERED), 0);
    }
}

/* Ids in no order: one that is too old is not known any more, although its row is still there. */
static void test_any_order(void **)
{
    CLEANUP(stage_closep) struct stage *stage = open_stage();
    stage_pass(stage, 5 * 60 * SECOND); /* into the middle of a bucket */
    struct id first = start_bulk(stage, 9);
    stage_pass(stage, 4 * 60 * SECOND);
    struct id second = start_bulk(stage, 1); /* in front of the first */
    stage_pass(stage, 5 * 60 * SECOND);
    assert_true(is_same(start_bulk(stage, 9), first)); /* in the bucket before */
    assert_true(is_same(start_bulk(stage, 1), second));
    stage_pass(stage, 90 * SECOND);
    assert_false(is_same(start_bulk(stage, 9), first));
    assert_true(is_same(start_bulk(stage, 1), second));
    stage_pass(stage, 25 * 60 * SECOND);
    assert_int_equal(row_count(stage, KIND_DONE), 0);
}

/* Rows as releases before kept them: by a sequence, both kinds, with the id. */
static void make_old(struct stage *stage)
{
    CLEANUP(txn_abortp) struct txn *txn          = NULL;
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    CLEANUP(arena_freep) struct arena *arena     = arena_new(1 << 20);
    const struct scan all                        = {};
    uint64_t sequence                            = 1;
    bytes key                                    = {};
    bytes row                                    = {};
    assert_int_equal(txn_begin_write(stage_store(stage, 0), &txn, NULL), STATUS_OK);
    assert_int_equal(cursor_open(txn, TABLE_REQUESTS, &all, &cursor, NULL), STATUS_OK);
    while (cursor_next(cursor, &key, &row, NULL) == STATUS_OK) {
        uint8_t kind              = 0;
        uint32_t bucket           = 0;
        struct key_text id        = {};
        Pb__RequestRecord *record = NULL;
        if (!key_take_u8(&key, &kind) || kind == 0) continue; /* made here */
        if (kind != KIND_TOTALS) {
            assert_true(key_take_u32(&key, &bucket) && key_take_text(&key, &id));
            assert_int_equal(
                record_read(row, &pb__request_record__descriptor, arena, &record, NULL), STATUS_OK);
            record->id               = text_in(arena, (str){id.data, id.len});
            const struct key_u64 old = key_of_u64(sequence++);
            assert_int_equal(
                record_put(txn, TABLE_REQUESTS, key_u64_bytes(&old), &record->base, NULL),
                STATUS_OK);
        }
        assert_int_equal(cursor_delete(cursor, NULL), STATUS_OK);
    }
    assert_int_equal(txn_commit(TAKE(txn), NULL), STATUS_OK);
}

static void test_rows_of_releases_before(void **)
{
    enum { ROWS = 1'200 }; /* of the first kind: more than one transaction moves */
    CLEANUP(stage_closep) struct stage *stage = open_stage();
    bool paused                               = false;
    const char *code                          = NULL;
    struct id operations[ROWS]                = {};
    for (unsigned i = 0; i < ROWS; i++) operations[i] = start_bulk(stage, i + 1);
    assert_int_equal(set_queue(stage, PAUSE, 1, 1, &paused, &code), STATUS_OK);
    assert_int_equal(set_queue(stage, RESUME, 2, 1, &paused, &code), STATUS_OK);
    stage_crash(stage);
    make_old(stage);
    assert_int_equal(stage_restart(stage, NULL), STATUS_OK);

    assert_int_equal(row_count(stage, 0), 0);
    assert_int_equal(row_count(stage, KIND_DONE), ROWS);
    assert_int_equal(row_count(stage, KIND_ANSWERED), 2);
    for (unsigned i = 0; i < ROWS; i += 100) {
        assert_true(is_same(start_bulk(stage, i + 1), operations[i]));
    }
    assert_int_equal(set_queue(stage, PAUSE, 1, 1, &paused, &code), STATUS_OK);
    assert_true(paused);
    assert_false(is_paused(stage)); /* it was not done again */
    stage_pass(stage, 25 * HOUR);
    stage_step(stage, 0);
    assert_int_equal(row_count(stage, KIND_DONE), 0);
    assert_int_equal(row_count(stage, KIND_ANSWERED), 0);
}

/* Too many answers, or too much: the oldest go, and no more than must. */
static void test_limits(void **)
{
    static const struct {
        uint64_t answers, answer_bytes;
    } rows[] = {{.answers = 200'003}, {.answers = 10, .answer_bytes = (256 << 20) + 500}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(stage_closep) struct stage *stage = open_stage();
        Pb__RequestTotals totals                  = PB__REQUEST_TOTALS__INIT;
        bool paused                               = false;
        const char *code                          = NULL;
        const uint8_t key                         = KIND_TOTALS;
        totals.answers                            = rows[i].answers;
        totals.answer_bytes                       = rows[i].answer_bytes;
        for (unsigned k = 1; k <= 10; k++) {
            stage_pass(stage, 2 * HOUR); /* two buckets */
            assert_int_equal(set_queue(stage, PAUSE, k, 1, &paused, &code), STATUS_OK);
        }
        stage_crash(stage);
        struct txn *txn = NULL;
        assert_int_equal(txn_begin_write(stage_store(stage, 0), &txn, NULL), STATUS_OK);
        assert_int_equal(record_put(txn, TABLE_REQUESTS, (bytes){&key, 1}, &totals.base, NULL),
                         STATUS_OK);
        assert_int_equal(txn_commit(txn, NULL), STATUS_OK);
        assert_int_equal(stage_restart(stage, NULL), STATUS_OK);
        assert_int_equal(row_count(stage, KIND_ANSWERED), 7);
        assert_int_equal(set_queue(stage, RESUME, 10, 1, &paused, &code), STATUS_OK);
        assert_true(paused); /* of the youngest it is known */
    }
}

/* Rows go many at a time: what grows old soon after a sweep waits for the next, and is not found
 * meanwhile. */
static void test_old_rows_wait_for_the_next_sweep(void **)
{
    CLEANUP(stage_closep) struct stage *stage = open_stage();
    struct id first                           = start_bulk(stage, 1);
    stage_pass(stage, SECOND / 4);
    struct id second = start_bulk(stage, 2);
    stage_pass(stage, 600 * SECOND - SECOND / 8); /* ten minutes since the first one */
    stage_step(stage, 0);
    assert_int_equal(row_count(stage, KIND_DONE), 1);

    stage_pass(stage, SECOND / 4);
    stage_step(stage, 0);
    assert_int_equal(row_count(stage, KIND_DONE), 1);
    struct id again = start_bulk(stage, 2);
    assert_false(is_same(again, second) || is_same(again, first));
    assert_int_equal(row_count(stage, KIND_DONE), 2);

    stage_pass(stage, 2 * SECOND);
    stage_step(stage, 0);
    assert_int_equal(row_count(stage, KIND_DONE), 1); /* the newest */
    assert_true(is_same(start_bulk(stage, 2), again));
}

/* Rows of the first kind behind those that there are, of now. */
static void add_done(struct stage *stage, unsigned count)
{
    Pb__RequestRecord record            = PB__REQUEST_RECORD__INIT;
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    record.time_us                      = START_US;
    assert_int_equal(txn_begin_write(stage_store(stage, 0), &txn, NULL), STATUS_OK);
    for (unsigned i = 0; i < count; i++) {
        struct key key;
        char id[KEY_DIGITS + 1];
        (void)snprintf(id, sizeof id, "f%031x", i);
        key_begin(&key);
        key_put_u8(&key, KIND_DONE);
        key_put_u32(&key, START_US / (600 * SECOND));
        key_put_text(&key, str_from(id));
        assert_int_equal(record_append(txn, TABLE_REQUESTS, key_bytes(&key), &record.base, NULL),
                         STATUS_OK);
    }
    assert_int_equal(txn_commit(TAKE(txn), NULL), STATUS_OK);
}

/* With one over the limit a thousand go, and not one with each. */
static void test_too_many_go_at_once(void **)
{
    enum { MANY = 500'000, GONE = 1'000 };
    CLEANUP(stage_closep) struct stage *stage = open_stage();
    struct id first                           = start_bulk(stage, 1);
    stage_crash(stage);
    add_done(stage, MANY - 1);
    assert_int_equal(stage_restart(stage, NULL), STATUS_OK);
    assert_true(is_same(start_bulk(stage, 1), first)); /* as many as may be: none has gone */
    (void)start_bulk(stage, 2);
    (void)start_bulk(stage, 3); /* there is room for more */
    assert_int_equal(row_count(stage, KIND_DONE), MANY + 2 - GONE);
}

/* --- subscriptions -----------------------------------------------------------------------------
 */

static const char secret[] = "0123456789-this-is-a-secret";

/* The answer is only there while it is given. */
static void on_subscribed(struct stage_call *call)
{
    const Pb__Subscription *response = call->command.response;
    assert_int_equal(response->secret.len, strlen(secret));
    assert_memory_equal(response->secret.data, secret, strlen(secret));
    memcpy(((struct id *)call->context)->text, response->id, ID_LEN);
}

/* Under the id of a request; with types of so many bytes in all. Its answer is told. */
static struct id subscribe(struct stage *stage, unsigned number, size_t size)
{
    enum { TYPES = 60 };
    CLEANUP(stage_call_freep) struct stage_call *call = stage_call_new(COMMAND_SUBSCRIBE, 0);
    Pb__Subscription *request                         = stage_call_alloc(call, sizeof *request);
    Pb__Subscription *response                        = stage_call_alloc(call, sizeof *response);
    char *type                                        = stage_call_alloc(call, size / TYPES + 1);
    char id[KEY_DIGITS + 1];
    struct id told = {};
    memset(type, 't', size / TYPES);
    type[size / TYPES] = '\0';
    (void)snprintf(id, sizeof id, "%032x", number);
    *request            = (Pb__Subscription)PB__SUBSCRIPTION__INIT;
    *response           = (Pb__Subscription)PB__SUBSCRIPTION__INIT;
    request->namespace_ = "default";
    request->url        = "https://a.test/";
    request->secret     = (ProtobufCBinaryData){strlen(secret), (uint8_t *)(uintptr_t)secret};
    request->types      = stage_call_alloc(call, TYPES * sizeof *request->types);
    request->n_types    = TYPES;
    for (size_t i = 0; i < TYPES; i++) request->types[i] = type;
    call->command.request    = request;
    call->command.response   = response;
    call->command.namespace  = str_from("default");
    call->command.request_id = str_from(id);
    call->done               = on_subscribed;
    call->context            = &told;
    assert_int_equal(stage_ask(stage, 0, call, NULL), STATUS_OK);
    assert_true(id_is_valid(str_from(told.text)));
    return told;
}

/* A repetition is answered with the secret, which lies with the subscription and nowhere else. */
static void test_a_secret_is_kept_once(void **)
{
    CLEANUP(stage_closep) struct stage *stage    = open_stage();
    CLEANUP(txn_abortp) struct txn *txn          = NULL;
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    struct id first                              = subscribe(stage, 1, 600);
    crash(stage);
    assert_true(is_same(subscribe(stage, 1, 600), first));
    const struct scan all = {};
    bytes key             = {};
    bytes row             = {};
    unsigned count        = 0;
    assert_int_equal(txn_begin_read(stage_store(stage, 0), &txn, NULL), STATUS_OK);
    assert_int_equal(cursor_open(txn, TABLE_REQUESTS, &all, &cursor, NULL), STATUS_OK);
    while (cursor_next(cursor, &key, &row, NULL) == STATUS_OK) {
        assert_null(memmem(row.ptr, row.len, secret, strlen(secret)));
        count += memmem(row.ptr, row.len, first.text, ID_LEN) != NULL;
    }
    assert_int_equal(count, 1);
}

/* What was answered takes so much room and no more: the oldest goes before its time. */
static void test_large_answers_go(void **)
{
    enum { SIZE = 60'000, MANY = 300, ROOM = (16 << 20) / SIZE };
    CLEANUP(stage_closep) struct stage *stage = open_stage();
    struct id first                           = subscribe(stage, 1, SIZE);
    struct id last                            = first;
    for (unsigned i = 2; i <= MANY; i++) last = subscribe(stage, i, SIZE);
    assert_in_range(row_count(stage, KIND_DONE), ROOM - 2, ROOM + 1);
    assert_true(is_same(subscribe(stage, MANY, SIZE), last));
    assert_false(is_same(subscribe(stage, 1, SIZE), first));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_secret_is_kept_once),
        cmocka_unit_test(test_large_answers_go),
        cmocka_unit_test(test_a_day_and_no_longer),
        cmocka_unit_test(test_an_id_sets_something_once),
        cmocka_unit_test(test_a_clock_that_is_set_back),
        cmocka_unit_test(test_refusals_and_other_keys),
        cmocka_unit_test(test_both_kinds_go),
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_rows_of_releases_before),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_old_rows_wait_for_the_next_sweep),
        cmocka_unit_test(test_too_many_go_at_once),
    };
    return cmocka_run_group_tests_name("answers", tests, NULL, NULL);
}
