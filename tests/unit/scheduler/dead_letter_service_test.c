/* Over a socket: dead letters as people list, redrive and drop them. */
#include "cmocka.h"

#include "dead_letter.pb-c.h"
#include "scheduler/tables/dead_letters.h"
#include "support/scheduler/rig_rows.h"

#include <stdio.h>
#include <stdlib.h>

#define TASK(function)                                                                             \
    "  - a:\n      call: worker." function "\n      with: {n: '${ .n }'}\n"                        \
    "      metadata: {tutti: {queue: jobs, retry: {delay: {milliseconds: 1}, limit: {attempt: "    \
    "{count: 1}}}}}\n"
#define TYPE_A "https://x.test/a"
#define TYPE_B "https://x.test/b"

enum { WAIT_MS = 10'000, LETTERS = 5, ATTEMPTS = 2, PATCH_MAX = 256 << 10 };

static const char no_job[] = "01M81KMZR300000000000T1YSW"; /* of partition 0 */

static void fail_next(struct rig *rig, const char *type)
{
    char error[128];
    Pb__JobFailed failed           = PB__JOB_FAILED__INIT;
    const Pb__LeasedJob *const job = rig_lease(rig, "jobs", WAIT_MS);
    assert_non_null(job);
    (void)snprintf(error, sizeof error, "{\"type\":\"%s\",\"status\":422}", type);
    failed.error_json = rig_bytes(error);
    failed.transient  = true;
    assert_int_equal(rig_fail(rig, job, &failed), STATUS_OK);
}

/* Runs of "one" (1, 3, 5: type A) and of "two" (2, 4: type B), given up in that order. */
static void open_with_letters(struct rig *rig, const char *ret_runs[static LETTERS])
{
    rig_init(rig, 1, true);
    rig_put(rig, "one", TASK("f"));
    rig_put(rig, "two", TASK("g"));
    for (int i = 0; i < LETTERS; i++) {
        ret_runs[i] = rig_start(rig, i % 2 ? "two" : "one", "{\"n\": 7}")->run->id;
        for (int k = 0; k < ATTEMPTS; k++) fail_next(rig, i % 2 ? TYPE_B : TYPE_A);
        rig_wait_for(rig, ret_runs[i], PB__RUN_STATUS__RUN_STATUS_FAULTED);
    }
}

struct wish {
    const char *namespace, *queue, *error_type, *function, *token;
    uint32_t size;
    status expected;
};

static const Pb__DeadLetterList *list(struct rig *rig, const struct wish *wish)
{
    Pb__DeadLetterFilter filter = PB__DEAD_LETTER_FILTER__INIT;
    Pb__Page page               = PB__PAGE__INIT;
    Pb__ListDeadLetters message = PB__LIST_DEAD_LETTERS__INIT;
    filter.error_type           = wish->error_type ? wish->error_type : "";
    filter.function             = wish->function ? wish->function : "";
    page.size                   = wish->size;
    page.token                  = wish->token ? wish->token : "";
    message.namespace_          = wish->namespace ? wish->namespace : "default";
    message.queue               = wish->queue ? wish->queue : "jobs";
    message.filter              = &filter;
    message.page                = &page;
    const struct question asked = {.service  = &pb__dead_letters__descriptor,
                                   .method   = "List",
                                   .message  = &message,
                                   .expected = wish->expected};
    return rig_ask(rig, &asked);
}

static void test_lists(void **)
{
    struct rig rig = {};
    const char *runs[LETTERS];
    open_with_letters(&rig, runs);
    rig_restart(&rig);

    const Pb__DeadLetterList *all = list(&rig, &(struct wish){});
    assert_int_equal(all->n_letters, LETTERS);
    assert_string_equal(all->next_token, "");
    for (int i = 0; i < LETTERS; i++) { /* the newest first */
        const Pb__DeadLetterView *one = all->letters[i];
        assert_string_equal(one->run, runs[LETTERS - 1 - i]);
        assert_string_equal(one->workflow, i % 2 ? "two" : "one");
        assert_string_equal(one->namespace_, "default");
        assert_int_equal(one->attempts, ATTEMPTS);
        assert_non_null(memmem(one->input_json.data, one->input_json.len, "\"n\":7", 5));
        assert_non_null(memmem(one->error_json.data, one->error_json.len, "422", 3));
    }
    assert_int_equal(all->n_groups, 2); /* the largest first */
    assert_string_equal(all->groups[0]->error_type, TYPE_A);
    assert_int_equal(all->groups[0]->count, 3);
    assert_string_equal(all->groups[1]->error_type, TYPE_B);
    assert_int_equal(all->groups[1]->count, 2);
    assert_true(all->groups[0]->first_us > 0);
    assert_true(all->groups[0]->first_us < all->groups[0]->last_us);

    static const struct {
        struct wish wish;
        size_t count;
    } rows[] = {
        {{.error_type = TYPE_B}, 2},
        {{.function = "worker.f"}, 3},
        {{.function = "worker.f", .error_type = TYPE_B}, 0},
        {{.queue = "other"}, 0},
        {{.namespace = "other"}, 0},
        {{.namespace = "*"}, LETTERS},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(list(&rig, &rows[i].wish)->n_letters, rows[i].count);
    }
    rig_done(&rig);
}

static void test_pages(void **)
{
    struct rig rig = {};
    const char *runs[LETTERS];
    const char *token = "";
    open_with_letters(&rig, runs);
    for (int seen = 0; seen < LETTERS;) {
        const Pb__DeadLetterList *page = list(&rig, &(struct wish){.size = 2, .token = token});
        assert_int_equal(page->n_letters, seen + 2 <= LETTERS ? 2 : 1);
        assert_int_equal(page->groups[0]->count, 3); /* of all pages */
        for (size_t i = 0; i < page->n_letters; i++) {
            assert_string_equal(page->letters[i]->run, runs[LETTERS - 1 - seen++]);
        }
        token = page->next_token;
        assert_int_equal(*token != '\0', seen < LETTERS);
    }
    const struct wish other = {.token      = list(&rig, &(struct wish){.size = 2})->next_token,
                               .error_type = TYPE_A,
                               .expected   = STATUS_INVALID_ARGUMENT};
    assert_null(list(&rig, &other)); /* a token belongs to its filter */
    assert_null(list(&rig, &(struct wish){.token = "x", .expected = STATUS_INVALID_ARGUMENT}));
    rig_done(&rig);
}

static const Pb__RedrivenDeadLetter *redrive(struct rig *rig, const char *queue, const char *job,
                                             const char *patch, status expected)
{
    Pb__RedriveDeadLetter message = PB__REDRIVE_DEAD_LETTER__INIT;
    message.namespace_            = "default";
    message.queue                 = queue;
    message.job                   = job;
    message.patch_json            = rig_bytes(patch);
    const struct question asked   = {.service  = &pb__dead_letters__descriptor,
                                     .method   = "Redrive",
                                     .message  = &message,
                                     .expected = expected};
    return rig_ask(rig, &asked);
}

static void drop(struct rig *rig, const char *queue, const char *job, status expected)
{
    Pb__DropDeadLetter message  = PB__DROP_DEAD_LETTER__INIT;
    message.namespace_          = "default";
    message.queue               = queue;
    message.job                 = job;
    const struct question asked = {.service  = &pb__dead_letters__descriptor,
                                   .method   = "Drop",
                                   .message  = &message,
                                   .expected = expected};
    (void)rig_ask(rig, &asked);
}

static void test_one_is_redriven_or_dropped(void **)
{
    struct rig rig = {};
    const char *runs[LETTERS];
    char *large = calloc(1, PATCH_MAX + 2);
    open_with_letters(&rig, runs);
    const Pb__DeadLetterList *all = list(&rig, &(struct wish){});
    const char *newest            = all->letters[0]->job;
    assert_non_null(large);
    memset(large, ' ', PATCH_MAX + 1);

    (void)redrive(&rig, "jobs", "no id", NULL, STATUS_NOT_FOUND);
    (void)redrive(&rig, "jobs", no_job, NULL, STATUS_NOT_FOUND);
    (void)redrive(&rig, "other", newest, NULL, STATUS_NOT_FOUND);
    (void)redrive(&rig, "jobs", newest, "{", STATUS_INVALID_ARGUMENT);
    (void)redrive(&rig, "jobs", newest, large, STATUS_INVALID_ARGUMENT);
    free(large);
    const Pb__RedrivenDeadLetter *done = redrive(&rig, "jobs", newest, "{\"n\": 8}", STATUS_OK);
    assert_string_equal(done->run, runs[LETTERS - 1]);
    const Pb__LeasedJob *again = rig_lease(&rig, "jobs", WAIT_MS);
    assert_non_null(memmem(again->input_json.data, again->input_json.len, "\"n\":8", 5));
    assert_int_equal(rig_complete(&rig, again, "1"), STATUS_OK);
    rig_wait_for(&rig, runs[LETTERS - 1], PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    (void)redrive(&rig, "jobs", newest, NULL, STATUS_NOT_FOUND);

    const char *next = all->letters[1]->job;
    drop(&rig, "jobs", "no id", STATUS_NOT_FOUND);
    drop(&rig, "other", next, STATUS_NOT_FOUND);
    drop(&rig, "jobs", next, STATUS_OK);
    drop(&rig, "jobs", next, STATUS_NOT_FOUND);
    assert_int_equal(list(&rig, &(struct wish){})->n_letters, LETTERS - 2);
    rig_done(&rig);
}

/* As retention leaves them. */
static void delete_run(struct rig *rig, const char *run)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    struct store *store                 = scheduler_shard(rig->scheduler, 0)->partition->store;
    struct key key;
    id_key(&key, str_from(run));
    assert_int_equal(txn_begin_write(store, &txn, NULL), STATUS_OK);
    assert_int_equal(txn_delete(txn, TABLE_RUNS, key_bytes(&key), NULL), STATUS_OK);
    assert_int_equal(txn_commit(TAKE(txn), NULL), STATUS_OK);
}

static void test_a_letter_outlives_its_run(void **)
{
    struct rig rig = {};
    const char *runs[LETTERS];
    open_with_letters(&rig, runs);
    delete_run(&rig, runs[2]);
    const Pb__DeadLetterList *all = list(&rig, &(struct wish){});
    assert_int_equal(all->n_letters, LETTERS);
    for (size_t i = 0; i < all->n_letters; i++) {
        const Pb__DeadLetterView *one = all->letters[i];
        bool is_gone                  = strcmp(one->run, runs[2]) == 0;
        assert_int_equal(one->run_gone, is_gone);
        if (!is_gone) continue;
        (void)redrive(&rig, "jobs", one->job, "", STATUS_FAILED_PRECONDITION);
        drop(&rig, "jobs", one->job, STATUS_OK);
    }
    assert_int_equal(list(&rig, &(struct wish){})->n_letters, LETTERS - 1);
    rig_done(&rig);
}

static const Pb__RunView *erase(struct rig *rig, const char *run, const char *namespace,
                                status expected)
{
    Pb__EraseRun message        = PB__ERASE_RUN__INIT;
    message.id                  = run;
    message.namespace_          = namespace;
    const struct question asked = {.service  = &pb__runs__descriptor,
                                   .method   = "Erase",
                                   .message  = &message,
                                   .expected = expected};
    return rig_ask(rig, &asked);
}

static void remove_run(struct rig *rig, const char *run, const char *namespace, status expected)
{
    Pb__DeleteRun message       = PB__DELETE_RUN__INIT;
    message.id                  = run;
    message.namespace_          = namespace;
    const struct question asked = {.service  = &pb__runs__descriptor,
                                   .method   = "Delete",
                                   .message  = &message,
                                   .expected = expected};
    (void)rig_ask(rig, &asked);
}

/* How far its deletion was cannot be read: whether its letters were to stay neither. */
static void test_letters_stay_if_nobody_knows(void **)
{
    struct rig rig = {};
    const char *runs[LETTERS];
    struct key key;
    open_with_letters(&rig, runs);
    delete_run(&rig, runs[2]);
    id_key(&key, str_from(runs[2]));
    rig_put_row(&rig, TABLE_DELETIONS, key_bytes(&key), "\xff\xff\xff");
    rig_restart(&rig);
    while (rig_count_rows(&rig, TABLE_DELETIONS) > 0) rig_pause();
    const Pb__DeadLetterList *all = list(&rig, &(struct wish){});
    assert_int_equal(all->n_letters, LETTERS);
    rig_done(&rig);
}

/* Copies of a letter, so many that they do not go in one piece. */
static void multiply(struct rig *rig, const char *run, uint64_t count)
{
    CLEANUP(txn_abortp) struct txn *txn    = rig_txn(rig, true);
    CLEANUP(arena_freep) struct arena *ar  = arena_new(1 << 20);
    const ProtobufCMessageDescriptor *type = &pb__dead_letter_record__descriptor;
    Pb__DeadLetterRecord *row              = NULL;
    uint64_t sequence                      = 0;
    bool is_found                          = false;
    struct key key;
    assert_int_equal(letter_after(txn, str_from(run), &sequence, &key, &is_found, NULL), STATUS_OK);
    assert_true(is_found);
    assert_int_equal(record_get(txn, TABLE_DEAD_LETTERS, key_bytes(&key), type, ar, &row, NULL),
                     STATUS_OK);
    for (uint64_t i = 0; i < count; i++) {
        dead_letter_key(&key, str_from("default"), str_from("jobs"), 1'000 + i);
        assert_int_equal(letter_put(txn, key_bytes(&key), row, NULL), STATUS_OK);
    }
    assert_int_equal(txn_commit(TAKE(txn), NULL), STATUS_OK);
}

static void test_many_letters_of_a_run_go_in_pieces(void **)
{
    enum { MANY = 2'500 };
    struct rig rig = {};
    const char *runs[LETTERS];
    open_with_letters(&rig, runs);
    delete_run(&rig, runs[2]);
    multiply(&rig, runs[2], MANY);
    (void)erase(&rig, runs[2], "default", STATUS_OK);
    rig_restart(&rig); /* wherever it is */
    while (rig_count_rows(&rig, TABLE_DELETIONS) > 0) rig_pause();
    assert_int_equal(rig_count_rows(&rig, TABLE_DEAD_LETTERS), LETTERS - 1);
    rig_done(&rig);
}

/* Who asks for it is asked for by the id of the run; its letters are all that is left. */
static void test_letters_go_by_the_id_of_a_run_that_is_gone(void **)
{
    struct rig rig = {};
    const char *runs[LETTERS];
    open_with_letters(&rig, runs);
    delete_run(&rig, runs[0]);
    delete_run(&rig, runs[1]);
    delete_run(&rig, runs[2]);
    (void)erase(&rig, runs[0], "other", STATUS_NOT_FOUND);
    remove_run(&rig, runs[1], "other", STATUS_NOT_FOUND);
    assert_int_equal(list(&rig, &(struct wish){})->n_letters, LETTERS);
    assert_string_equal(erase(&rig, runs[0], "default", STATUS_OK)->id, "");
    remove_run(&rig, runs[1], "default", STATUS_OK);
    remove_run(&rig, runs[2], "*", STATUS_OK);
    const Pb__DeadLetterList *all = list(&rig, &(struct wish){});
    assert_int_equal(all->n_letters, LETTERS - 3);
    for (size_t i = 0; i < all->n_letters; i++) assert_false(all->letters[i]->run_gone);
    (void)erase(&rig, runs[0], "default", STATUS_NOT_FOUND);
    remove_run(&rig, runs[1], "default", STATUS_NOT_FOUND);
    rig_done(&rig);
}

static void test_all_of_a_kind_are_redriven(void **)
{
    struct rig rig = {};
    const char *runs[LETTERS];
    Pb__DeadLetterFilter filter    = PB__DEAD_LETTER_FILTER__INIT;
    Pb__RedriveDeadLetters message = PB__REDRIVE_DEAD_LETTERS__INIT;
    open_with_letters(&rig, runs);
    filter.error_type           = TYPE_B;
    message.namespace_          = "default";
    message.queue               = "jobs";
    message.filter              = &filter;
    const struct question asked = {
        .service = &pb__dead_letters__descriptor, .method = "RedriveAll", .message = &message};
    const Pb__RedrivenDeadLetters *done = rig_ask(&rig, &asked);
    assert_int_equal(done->redriven, 2);
    assert_int_equal(done->refused, 0);
    assert_int_equal(list(&rig, &(struct wish){})->n_letters, LETTERS - 2);
    for (int i = 0; i < 2; i++) {
        const Pb__LeasedJob *job = rig_lease(&rig, "jobs", WAIT_MS);
        assert_string_equal(job->workflow, "two");
        assert_int_equal(rig_complete(&rig, job, "1"), STATUS_OK);
    }
    done = rig_ask(&rig, &asked);
    assert_int_equal(done->redriven, 0);
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_one_is_redriven_or_dropped),
        cmocka_unit_test(test_a_letter_outlives_its_run),
        cmocka_unit_test(test_letters_go_by_the_id_of_a_run_that_is_gone),
        cmocka_unit_test(test_letters_stay_if_nobody_knows),
        cmocka_unit_test(test_many_letters_of_a_run_go_in_pieces),
        cmocka_unit_test(test_all_of_a_kind_are_redriven),
    };
    return cmocka_run_group_tests_name("dead_letter_service", tests, NULL, NULL);
}
