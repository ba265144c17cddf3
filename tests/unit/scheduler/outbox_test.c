/* outbox: what is put arrives once and in order, whoever refuses or restarts. */
#include "cmocka.h"

#include "scheduler/engine/outbox/outbox.h"
#include "scheduler/engine/partition.h"
#include "store/fault.h"

enum { TARGET = 1, COUNT = 3, STARTED_US = 1'000'000 };

struct fixture {
    struct partition *partition;
    struct outbox *outbox;
    struct command *posted; /* the batch under way */
    unsigned posts, wakes, unreadable;
    bool refuses;
};

static status on_post(uint16_t partition, struct command *command, struct error *reterr,
                      void *context)
{
    struct fixture *it = context;
    assert_int_equal(partition, TARGET);
    if (it->refuses) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "full");
    assert_null(it->posted); /* one at a time */
    it->posted = command;
    it->posts++;
    return STATUS_OK;
}

static void on_wake(void *context)
{
    struct fixture *it = context;
    it->wakes++;
}

static void on_unreadable(enum table table, bytes key, const struct error *why, void *context)
{
    struct fixture *it = context;
    if (table == TABLE_OUTBOX) assert_int_equal(key.len, sizeof(uint16_t) + sizeof(uint64_t));
    assert_string_not_equal(why->text, "");
    it->unreadable++;
}

static void restart(struct fixture *it)
{
    const struct outbox_options options = {.count      = COUNT,
                                           .post       = on_post,
                                           .wake       = on_wake,
                                           .unreadable = on_unreadable,
                                           .context    = it};
    outbox_free(it->outbox);
    it->outbox      = outbox_new(&options);
    struct txn *txn = NULL;
    assert_int_equal(txn_begin_write(it->partition->store, &txn, NULL), STATUS_OK);
    assert_int_equal(outbox_recover(it->outbox, txn, STARTED_US, NULL), STATUS_OK);
    txn_abort(txn);
}

static struct fixture begin(void)
{
    struct fixture it                      = {};
    const struct partition_options options = {.map_size = 64 << 20, .count = COUNT};
    assert_int_equal(partition_open(&options, &it.partition, NULL), STATUS_OK);
    return it;
}

static void end(struct fixture *it)
{
    assert_null(it->posted);
    outbox_free(it->outbox);
    partition_close(it->partition);
}

/* A turn of the sender: what was taken goes, `count` more come. */
static void turn(struct fixture *it, unsigned count, int64_t now_us)
{
    struct txn *txn = NULL;
    assert_int_equal(txn_begin_write(it->partition->store, &txn, NULL), STATUS_OK);
    assert_int_equal(outbox_sweep(it->outbox, txn, NULL), STATUS_OK);
    for (unsigned i = 0; i < count; i++) {
        Pb__ChildStop stop   = PB__CHILD_STOP__INIT;
        Pb__Message message  = PB__MESSAGE__INIT;
        stop.reason          = "why";
        message.content_case = PB__MESSAGE__CONTENT_CHILD_STOP;
        message.child_stop   = &stop;
        assert_int_equal(outbox_put(it->outbox, txn, TARGET, &message, NULL), STATUS_OK);
    }
    assert_int_equal(txn_commit(txn, NULL), STATUS_OK);
    outbox_send(it->outbox, it->partition->store, now_us);
}

static void answer(struct fixture *it, status code)
{
    struct command *command = it->posted;
    assert_non_null(command);
    it->posted    = NULL;
    command->code = code;
    command->done(command);
}

/* The batch under way is messages `from` to `to`. */
static void check_batch(const struct fixture *it, uint64_t from, uint64_t to)
{
    assert_non_null(it->posted);
    const struct message_batch *batch = it->posted->request;
    assert_int_equal(batch->count, to - from + 1);
    for (size_t i = 0; i < batch->count; i++) {
        assert_int_equal(batch->sequences[i], from + i);
        assert_string_equal(batch->messages[i]->child_stop->reason, "why");
    }
    assert_true(it->posted->mail.size_bytes > 0);
}

static uint64_t rows(const struct fixture *it)
{
    struct txn *txn = NULL;
    uint64_t count  = 0;
    assert_int_equal(txn_begin_read(it->partition->store, &txn, NULL), STATUS_OK);
    assert_int_equal(txn_count(txn, TABLE_OUTBOX, &count, NULL), STATUS_OK);
    txn_abort(txn);
    return count;
}

static void test_one_batch_at_a_time(void **)
{
    struct fixture it = begin();
    restart(&it);
    turn(&it, 3, STARTED_US);
    check_batch(&it, 1, 3);
    turn(&it, 1, STARTED_US); /* waits for the answer */
    check_batch(&it, 1, 3);
    assert_int_equal(rows(&it), 4);
    assert_int_equal(outbox_due_us(it.outbox), INT64_MAX);

    answer(&it, STATUS_OK);
    assert_int_equal(it.wakes, 1);
    turn(&it, 0, STARTED_US);
    check_batch(&it, 4, 4);
    assert_int_equal(rows(&it), 1);
    answer(&it, STATUS_OK);
    turn(&it, 0, STARTED_US);
    assert_int_equal(rows(&it), 0);
    end(&it);
}

static void test_a_refusal_is_asked_again(void **)
{
    struct fixture it = begin();
    restart(&it);
    turn(&it, 2, STARTED_US);
    answer(&it, STATUS_UNAVAILABLE);
    turn(&it, 0, STARTED_US);
    assert_null(it.posted);
    assert_int_equal(outbox_due_us(it.outbox), STARTED_US + OUTBOX_RETRY_US);
    turn(&it, 0, STARTED_US + OUTBOX_RETRY_US);
    check_batch(&it, 1, 2); /* whole, and in its order */
    answer(&it, STATUS_OK);
    turn(&it, 0, STARTED_US);

    it.refuses = true; /* its mailbox, this time */
    turn(&it, 1, STARTED_US);
    assert_int_equal(outbox_due_us(it.outbox), STARTED_US + OUTBOX_RETRY_US);
    it.refuses = false;
    turn(&it, 0, STARTED_US + OUTBOX_RETRY_US);
    check_batch(&it, 3, 3);
    answer(&it, STATUS_OK);
    end(&it);
}

static void damage(const struct fixture *it, uint64_t sequence)
{
    struct txn *txn = NULL;
    struct key key;
    key_begin(&key);
    key_put_u16(&key, TARGET);
    key_put_u64(&key, sequence);
    assert_int_equal(txn_begin_write(it->partition->store, &txn, NULL), STATUS_OK);
    assert_int_equal(
        txn_put(txn, TABLE_OUTBOX, key_bytes(&key), bytes_from(str_from("\xff\xff\xff")), NULL),
        STATUS_OK);
    assert_int_equal(txn_commit(txn, NULL), STATUS_OK);
}

/* It stays, and is told of once; what lies around it arrives. */
static void test_a_row_that_cannot_be_read(void **)
{
    struct fixture it = begin();
    restart(&it);
    it.refuses = true;
    turn(&it, 4, STARTED_US);
    damage(&it, 2);
    damage(&it, 4);
    it.refuses = false;
    turn(&it, 0, STARTED_US + OUTBOX_RETRY_US);
    const struct message_batch *batch = it.posted->request;
    assert_int_equal(batch->count, 2);
    assert_int_equal(batch->sequences[0], 1);
    assert_int_equal(batch->sequences[1], 3);
    answer(&it, STATUS_UNAVAILABLE);
    turn(&it, 0, STARTED_US + OUTBOX_RETRY_US);
    turn(&it, 0, STARTED_US + 2 * OUTBOX_RETRY_US);
    assert_int_equal(it.unreadable, 2);
    answer(&it, STATUS_OK);
    turn(&it, 0, STARTED_US);
    assert_int_equal(rows(&it), 2);

    it.unreadable = 0;
    restart(&it);
    turn(&it, 1, STARTED_US);
    check_batch(&it, 5, 5);
    assert_int_equal(it.unreadable, 2);
    answer(&it, STATUS_OK);
    turn(&it, 0, STARTED_US);
    assert_int_equal(rows(&it), 2);
    end(&it);
}

/* More of them than a batch has room for. */
static void test_many_rows_that_cannot_be_read(void **)
{
    struct fixture it = begin();
    restart(&it);
    it.refuses = true;
    turn(&it, OUTBOX_BATCH_MAX + 1, STARTED_US);
    for (uint64_t i = 1; i <= OUTBOX_BATCH_MAX; i++) damage(&it, i);
    it.refuses = false;
    turn(&it, 0, STARTED_US + OUTBOX_RETRY_US); /* a piece at a time */
    turn(&it, 0, STARTED_US + OUTBOX_RETRY_US);
    check_batch(&it, OUTBOX_BATCH_MAX + 1, OUTBOX_BATCH_MAX + 1);
    assert_int_equal(it.unreadable, OUTBOX_BATCH_MAX);
    answer(&it, STATUS_OK);
    turn(&it, 0, STARTED_US);
    end(&it);
}

static void test_a_batch_has_a_limit(void **)
{
    struct fixture it = begin();
    restart(&it);
    turn(&it, OUTBOX_BATCH_MAX + 1, STARTED_US);
    check_batch(&it, 1, OUTBOX_BATCH_MAX);
    answer(&it, STATUS_OK);
    turn(&it, 0, STARTED_US);
    check_batch(&it, OUTBOX_BATCH_MAX + 1, OUTBOX_BATCH_MAX + 1);
    answer(&it, STATUS_OK);
    end(&it);
}

static void test_a_restart_sends_again_what_was_not_swept(void **)
{
    struct fixture it = begin();
    restart(&it);
    turn(&it, 2, STARTED_US);
    answer(&it, STATUS_OK); /* taken, but the sender dies before it hears */
    restart(&it);
    turn(&it, 1, STARTED_US);
    check_batch(&it, 1, 3); /* the receiver knows the first two */
    answer(&it, STATUS_OK);
    turn(&it, 0, STARTED_US);
    assert_int_equal(rows(&it), 0);

    restart(&it); /* numbers go on though no row is left */
    turn(&it, 1, STARTED_US);
    check_batch(&it, 4, 4);
    answer(&it, STATUS_OK);
    end(&it);
}

/* The turn that was to delete what was taken is undone; the lane must not stand still after it. */
static void test_a_sweep_without_room_is_done_again(void **)
{
    struct fixture it = begin();
    struct txn *txn   = NULL;
    restart(&it);
    turn(&it, 2, STARTED_US);
    answer(&it, STATUS_OK);
    store_fault_write_at(it.partition->store, 2, STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(txn_begin_write(it.partition->store, &txn, NULL), STATUS_OK);
    assert_int_equal(outbox_sweep(it.outbox, txn, NULL), STATUS_RESOURCE_EXHAUSTED);
    txn_abort(txn);
    assert_int_equal(txn_begin_write(it.partition->store, &txn, NULL), STATUS_OK);
    assert_int_equal(outbox_recover(it.outbox, txn, STARTED_US, NULL), STATUS_OK);
    txn_abort(txn);
    assert_int_equal(rows(&it), 2);

    turn(&it, 1, STARTED_US);
    assert_int_equal(rows(&it), 1);
    check_batch(&it, 3, 3);
    answer(&it, STATUS_OK);
    turn(&it, 0, STARTED_US);
    assert_int_equal(rows(&it), 0);
    end(&it);
}

/* All rows of a table that have a number as value. */
static void damage_numbers(struct fixture *it, enum table table)
{
    const struct scan all                        = {};
    struct txn *txn                              = NULL;
    bytes key                                    = {};
    bytes row                                    = {};
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    assert_int_equal(txn_begin_write(it->partition->store, &txn, NULL), STATUS_OK);
    assert_int_equal(cursor_open(txn, table, &all, &cursor, NULL), STATUS_OK);
    while (cursor_next(cursor, &key, &row, NULL) == STATUS_OK) {
        char copy[STORE_KEY_MAX];
        memcpy(copy, key.ptr, key.len);
        if (row.len != sizeof(uint64_t)) continue;
        assert_int_equal(
            txn_put(txn, table, (bytes){copy, key.len}, bytes_from(str_from("?")), NULL),
            STATUS_OK);
    }
    cursor_close(TAKE(cursor));
    assert_int_equal(txn_commit(txn, NULL), STATUS_OK);
}

/* Numbers go on above all that were ever sent, and are counted anew from there. */
static void test_a_counter_that_cannot_be_read(void **)
{
    struct fixture it = begin();
    restart(&it);
    turn(&it, 3, STARTED_US);
    answer(&it, STATUS_OK);
    turn(&it, 0, STARTED_US); /* no row is left to tell it */
    damage_numbers(&it, TABLE_META);
    restart(&it);
    assert_int_equal(it.unreadable, 1);
    turn(&it, 2, STARTED_US);
    check_batch(&it, STARTED_US + 1, STARTED_US + 2);
    answer(&it, STATUS_OK); /* taken, but the sender dies before it hears: its rows tell it */
    restart(&it);
    turn(&it, 1, STARTED_US);
    check_batch(&it, STARTED_US + 1, STARTED_US + 3);
    answer(&it, STATUS_OK);
    turn(&it, 0, STARTED_US);
    it.unreadable = 0;
    restart(&it);
    assert_int_equal(it.unreadable, 0);
    turn(&it, 1, STARTED_US);
    check_batch(&it, STARTED_US + 4, STARTED_US + 4);
    answer(&it, STATUS_OK);
    end(&it);
}

static void test_an_inbox_that_cannot_be_read(void **)
{
    struct fixture it = begin();
    struct txn *txn   = NULL;
    bool is_new       = false;
    assert_int_equal(txn_begin_write(it.partition->store, &txn, NULL), STATUS_OK);
    assert_int_equal(inbox_take(txn, 1, 7, &is_new, NULL), STATUS_OK);
    assert_int_equal(inbox_take(txn, 2, 7, &is_new, NULL), STATUS_OK);
    assert_int_equal(txn_commit(txn, NULL), STATUS_OK);
    damage_numbers(&it, TABLE_INBOX);
    assert_int_equal(txn_begin_write(it.partition->store, &txn, NULL), STATUS_OK);
    assert_int_equal(inbox_take(txn, 1, 8, &is_new, NULL), STATUS_DATA_LOSS);
    assert_int_equal(inbox_forget(txn, 1, NULL), STATUS_OK);
    assert_int_equal(inbox_forget(txn, 1, NULL), STATUS_OK);
    assert_int_equal(inbox_take(txn, 1, 8, &is_new, NULL), STATUS_OK);
    assert_true(is_new);
    assert_int_equal(inbox_take(txn, 1, 8, &is_new, NULL), STATUS_OK);
    assert_false(is_new);
    assert_int_equal(inbox_take(txn, 2, 8, &is_new, NULL), STATUS_DATA_LOSS);
    txn_abort(txn);
    end(&it);
}

static void test_the_inbox_takes_a_number_once(void **)
{
    static const struct {
        uint16_t source;
        uint64_t sequence;
        bool is_new;
    } rows_in[]       = {{0, 1, true}, {0, 1, false}, {0, 2, true}, {1, 1, true},
                         {0, 7, true}, {0, 5, false}, {1, 2, true}, {1, 1, false}};
    struct fixture it = begin();
    struct txn *txn   = NULL;
    assert_int_equal(txn_begin_write(it.partition->store, &txn, NULL), STATUS_OK);
    for (size_t i = 0; i < ARRAY_LEN(rows_in); i++) {
        bool is_new = !rows_in[i].is_new;
        assert_int_equal(inbox_take(txn, rows_in[i].source, rows_in[i].sequence, &is_new, NULL),
                         STATUS_OK);
        assert_int_equal(is_new, rows_in[i].is_new);
    }
    txn_abort(txn);
    end(&it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_batch_at_a_time),
        cmocka_unit_test(test_a_refusal_is_asked_again),
        cmocka_unit_test(test_a_row_that_cannot_be_read),
        cmocka_unit_test(test_many_rows_that_cannot_be_read),
        cmocka_unit_test(test_a_batch_has_a_limit),
        cmocka_unit_test(test_a_restart_sends_again_what_was_not_swept),
        cmocka_unit_test(test_a_sweep_without_room_is_done_again),
        cmocka_unit_test(test_a_counter_that_cannot_be_read),
        cmocka_unit_test(test_an_inbox_that_cannot_be_read),
        cmocka_unit_test(test_the_inbox_takes_a_number_once),
    };
    return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
