/* Dead letters: what leads to them, also in data of releases before, and however many there are. */
#include "cmocka.h"

#include "scheduler/tables/dead_letters.h"
#include "stage/stage.h"

#define START_US INT64_C(1'795'341'600'000'000)

static struct stage *open_stage(void)
{
    struct stage *stage                = NULL;
    const struct stage_options options = {.partitions = 1, .seed = 7, .now_us = START_US};
    assert_int_equal(stage_open(&options, &stage, NULL), STATUS_OK);
    return stage;
}

/* The id number `n`. */
static struct id id_of(unsigned n)
{
    uint8_t packed[ID_BYTES] = {0, 1, 2};
    for (int i = 0; i < 4; i++) packed[8 + i] = (uint8_t)(n >> (24 - 8 * i));
    return id_unpack(packed);
}

struct letter {
    struct id run, job;
    Pb__LeasedJob wire;
    Pb__JobRecord record;
    Pb__DeadLetterRecord row;
    struct key key;
};

/* Number `n`, from 1, of run `run`; 0: of none. */
static void letter_make(struct letter *letter, const char *queue, unsigned n, unsigned run)
{
    letter->run             = run > 0 ? id_of(1'000'000 + run) : (struct id){};
    letter->job             = id_of(n);
    letter->wire            = (Pb__LeasedJob)PB__LEASED_JOB__INIT;
    letter->record          = (Pb__JobRecord)PB__JOB_RECORD__INIT;
    letter->row             = (Pb__DeadLetterRecord)PB__DEAD_LETTER_RECORD__INIT;
    letter->wire.id         = letter->job.text;
    letter->wire.run        = letter->run.text;
    letter->wire.queue      = queue;
    letter->wire.namespace_ = "default";
    letter->record.job      = &letter->wire;
    letter->row.job         = &letter->record;
    str own                 = queue_is_own(str_from(queue)) ? (str){} : str_from("default");
    dead_letter_key(&letter->key, own, str_from(queue), n);
}

struct seen {
    size_t count;
    uint64_t jobs; /* the sum of their numbers */
};

static status see(bytes key, const Pb__DeadLetterRecord *row, struct error *, void *context)
{
    struct seen *seen        = context;
    uint8_t packed[ID_BYTES] = {};
    assert_true(key.len > sizeof(uint64_t));
    id_pack(str_from(row->job->job->id), packed);
    seen->count++;
    seen->jobs += ((unsigned)packed[8] << 24) + ((unsigned)packed[9] << 16) +
                  ((unsigned)packed[10] << 8) + packed[11];
    return STATUS_OK;
}

static struct seen ask(struct stage *stage, struct letter_filter filter)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    struct seen seen                    = {};
    assert_int_equal(txn_begin_read(stage_store(stage, 0), &txn, NULL), STATUS_OK);
    assert_int_equal(letters_visit(txn, &filter, see, &seen, NULL), STATUS_OK);
    return seen;
}

static const str anywhere = {.ptr = "*", .len = 1};

static struct seen ask_run(struct stage *stage, unsigned run)
{
    const struct id id = id_of(1'000'000 + run);
    return ask(stage, (struct letter_filter){.namespace = anywhere, .run = str_from(id.text)});
}

static struct seen ask_job(struct stage *stage, unsigned job, const char *queue)
{
    const struct id id = id_of(job);
    return ask(stage, (struct letter_filter){.namespace = anywhere,
                                             .job       = str_from(id.text),
                                             .queue     = str_from(queue)});
}

static struct txn *begin(struct stage *stage)
{
    struct txn *txn = NULL;
    assert_int_equal(txn_begin_write(stage_store(stage, 0), &txn, NULL), STATUS_OK);
    return txn;
}

/* 1 to 6: two runs, two queues of which one is our own, and a letter of no run. */
static void test_what_leads_to_them(void **)
{
    static const struct {
        const char *queue;
        unsigned run;
    } rows[] = {{"a", 1}, {"a", 2}, {"tools", 1}, {"b", 1}, {"b", 2}, {"a", 0}};
    CLEANUP(stage_closep) struct stage *stage = open_stage();
    struct letter letter                      = {};
    struct txn *txn                           = begin(stage);
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        letter_make(&letter, rows[i].queue, i + 1, rows[i].run);
        assert_int_equal(letter_put(txn, key_bytes(&letter.key), &letter.row, NULL), STATUS_OK);
    }
    assert_int_equal(txn_commit(txn, NULL), STATUS_OK);

    assert_int_equal(ask_run(stage, 1).jobs, 1 + 3 + 4);
    assert_int_equal(ask_run(stage, 2).jobs, 2 + 5);
    assert_int_equal(ask_run(stage, 3).count, 0);
    assert_int_equal(ask_job(stage, 4, "").jobs, 4);
    assert_int_equal(ask_job(stage, 4, "b").jobs, 4);
    assert_int_equal(ask_job(stage, 4, "a").count, 0);
    assert_int_equal(ask(stage, (struct letter_filter){.job = str_from("none")}).count, 0);
    struct letter_filter by_queue = {.namespace = str_from("default"), .queue = str_from("a")};
    assert_int_equal(ask(stage, by_queue).jobs, 1 + 2 + 6);
    by_queue.queue = str_from("tools");
    assert_int_equal(ask(stage, by_queue).jobs, 3);
    by_queue.namespace = str_from("other");
    assert_int_equal(ask(stage, by_queue).count, 0);
    by_queue = (struct letter_filter){.namespace = anywhere, .queue = str_from("b")};
    assert_int_equal(ask(stage, by_queue).jobs, 4 + 5);

    txn = begin(stage);
    letter_make(&letter, "tools", 3, 1);
    assert_int_equal(letter_delete(txn, key_bytes(&letter.key), str_from(letter.run.text),
                                   str_from(letter.job.text), NULL),
                     STATUS_OK);
    assert_int_equal(letter_delete(txn, key_bytes(&letter.key), str_from(letter.run.text),
                                   str_from(letter.job.text), NULL),
                     STATUS_NOT_FOUND);
    assert_int_equal(txn_commit(txn, NULL), STATUS_OK);
    assert_int_equal(ask_run(stage, 1).jobs, 1 + 4);
    assert_int_equal(ask_job(stage, 3, "").count, 0);
}

/* As a release before left them: rows, and no index; more than one transaction takes. */
static void test_rows_of_releases_before(void **)
{
    enum { ROWS = 2'500, RUNS = 5 };
    CLEANUP(stage_closep) struct stage *stage = open_stage();
    stage_crash(stage);
    struct txn *txn                              = begin(stage);
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan all                        = {};
    bytes key                                    = {};
    bytes value                                  = {};
    assert_int_equal(cursor_open(txn, TABLE_LETTER_INDEX, &all, &cursor, NULL), STATUS_OK);
    while (cursor_next(cursor, &key, &value, NULL) == STATUS_OK) {
        assert_int_equal(cursor_delete(cursor, NULL), STATUS_OK);
    }
    for (unsigned n = 1; n <= ROWS; n++) {
        struct letter letter = {};
        letter_make(&letter, n % 2 ? "a" : "b", n, 1 + n % RUNS);
        assert_int_equal(
            record_put(txn, TABLE_DEAD_LETTERS, key_bytes(&letter.key), &letter.row.base, NULL),
            STATUS_OK);
    }
    assert_int_equal(txn_commit(txn, NULL), STATUS_OK);
    assert_int_equal(ask_run(stage, 1).count, 0);
    assert_int_equal(stage_restart(stage, NULL), STATUS_OK);
    for (unsigned run = 1; run <= RUNS; run++) {
        assert_int_equal(ask_run(stage, run).count, ROWS / RUNS);
    }
    assert_int_equal(ask_job(stage, 1, "a").jobs, 1);
    assert_int_equal(ask_job(stage, ROWS, "b").jobs, ROWS);
}

/* A question for a queue has a bound; one for a run finds it behind any number of others. */
static void test_a_run_behind_many(void **)
{
    CLEANUP(stage_closep) struct stage *stage = open_stage();
    struct letter letter                      = {};
    struct txn *txn                           = begin(stage);
    for (unsigned n = 1; n <= DEAD_LETTERS_MAX + 1; n++) {
        letter_make(&letter, "a", n, n > DEAD_LETTERS_MAX ? 2 : 1);
        assert_int_equal(letter_put(txn, key_bytes(&letter.key), &letter.row, NULL), STATUS_OK);
    }
    assert_int_equal(txn_commit(txn, NULL), STATUS_OK);
    assert_int_equal(ask_run(stage, 2).jobs, DEAD_LETTERS_MAX + 1);
    const struct letter_filter in_queue = {.namespace = anywhere, .queue = str_from("a")};
    assert_int_equal(ask(stage, in_queue).count, DEAD_LETTERS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_leads_to_them),
        cmocka_unit_test(test_rows_of_releases_before),
        cmocka_unit_test(test_a_run_behind_many),
    };
    return cmocka_run_group_tests_name("letters", tests, NULL, NULL);
}
