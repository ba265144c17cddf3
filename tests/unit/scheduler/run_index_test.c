/* Lists that read what they ask for and no more: run_index.h, run_sources.h. */
#include "cmocka.h"

#include "scheduler/tables/run_sources.h"
#include "scheduler/tables/run_store.h"
#include "support/scheduler/rig_rows.h"

#include <stdlib.h>

enum { TOKEN_MAX = 1024 };

static const char *start(struct rig *rig, const char *workflow, const char *label)
{
    Pb__StartRun message        = PB__START_RUN__INIT;
    Pb__Label one               = PB__LABEL__INIT;
    Pb__Label *labels[]         = {&one};
    one.key                     = "team";
    one.value                   = label ? label : "";
    message.workflow            = workflow;
    message.labels              = labels;
    message.n_labels            = label ? 1 : 0;
    const struct question asked = {
        .service = &pb__runs__descriptor, .method = "Start", .message = &message};
    const Pb__StartedRun *answer = rig_ask(rig, &asked);
    return answer->run->id;
}

/* How many runs the ranges of a filter hold: what a list looks at. */
static size_t looked_at(struct rig *rig, const Pb__ListRuns *filter)
{
    CLEANUP(txn_abortp) struct txn *txn = rig_txn(rig, false);
    struct run_sources *sources         = calloc(1, sizeof *sources);
    const struct run_question question  = {.namespace = str_from(filter->namespace_),
                                           .filter    = filter};
    size_t count                        = 0;
    struct id last                      = {};
    assert_int_equal(run_sources_open(txn, &question, sources, NULL), STATUS_OK);
    for (;;) {
        struct id run = {};
        bool is_found = false;
        assert_int_equal(run_sources_next(sources, &run, &is_found, NULL), STATUS_OK);
        if (!is_found) break;
        int order = strcmp(run.text, last.text);
        assert_true(count == 0 || (filter->oldest_first ? order > 0 : order < 0));
        last = run;
        count++;
    }
    run_sources_done(&sources);
    free(sources);
    return count;
}

/* Counts the runs on all pages of a filter, two a page. */
static size_t listed(struct rig *rig, const Pb__ListRuns *filter)
{
    Pb__ListRuns message  = *filter;
    Pb__Page page         = PB__PAGE__INIT;
    char token[TOKEN_MAX] = "";
    size_t count          = 0;
    message.page          = &page;
    page.size             = 2;
    page.token            = token;
    for (;;) {
        const struct question asked = {.service   = &pb__runs__descriptor,
                                       .method    = "List",
                                       .message   = &message,
                                       .namespace = filter->namespace_};
        const Pb__RunList *answer   = rig_ask(rig, &asked);
        for (size_t i = 0; i < answer->n_runs; i++) assert_int_equal(answer->runs[i]->head.len, 0);
        count += answer->n_runs;
        assert_true(strlen(answer->next_token) < sizeof token);
        memcpy(token, answer->next_token, strlen(answer->next_token) + 1);
        rig_forget(rig);
        if (!*token) return count;
    }
}

/* A filter; `wanted` runs are found by it, `looks` are looked at. */
struct wish {
    const char *workflow; /* NULL: any */
    int state;            /* a Pb__RunStatus; 0: any */
    const char *team;     /* NULL: any */
    size_t wanted, looks;
    bool is_everywhere;
};

static void check(struct rig *rig, const struct wish *wish)
{
    Pb__ListRuns filter = PB__LIST_RUNS__INIT;
    Pb__RunStatus state = (Pb__RunStatus)wish->state;
    Pb__Label label     = PB__LABEL__INIT;
    Pb__Label *labels[] = {&label};
    label.key           = "team";
    label.value         = wish->team ? wish->team : "";
    filter.namespace_   = wish->is_everywhere ? "*" : "default";
    filter.workflow     = wish->workflow ? wish->workflow : "";
    filter.status       = &state;
    filter.n_status     = state != PB__RUN_STATUS__RUN_STATUS_UNSPECIFIED;
    filter.labels       = labels;
    filter.n_labels     = wish->team != NULL;
    for (int i = 0; i < 2; i++) {
        filter.oldest_first = i == 1;
        assert_int_equal(listed(rig, &filter), wish->wanted);
        assert_int_equal(looked_at(rig, &filter), wish->looks);
    }
}

enum {
    COMPLETED = PB__RUN_STATUS__RUN_STATUS_COMPLETED,
    FAULTED   = PB__RUN_STATUS__RUN_STATUS_FAULTED,
    WAITING   = PB__RUN_STATUS__RUN_STATUS_WAITING,
    CANCELLED = PB__RUN_STATUS__RUN_STATUS_CANCELLED,
};

static void put_all(struct rig *rig)
{
    rig_put(rig, "fine", "  - s: {set: {n: 1}}\n");
    rig_put(rig, "bad", "  - j: {set: {n: 1}}\n  - r: {raise: {error: {type: x, status: 400}}}\n");
    rig_put(rig, "long", "  - w: {wait: {hours: 1}}\n");
    rig_put_text(rig, "document: {dsl: 1.0.3, namespace: other, name: bad, version: 1.0.0}\n"
                      "do:\n  - r: {raise: {error: {type: x, status: 400}}}\n");
}

static void test_filters(void **)
{
    static const struct wish wishes[] = {
        {NULL, 0, NULL, 27, 28, false},
        {NULL, COMPLETED, NULL, 20, 28, false}, /* most runs complete */
        {NULL, FAULTED, NULL, 3, 3, false},
        {NULL, WAITING, NULL, 4, 4, false},
        {NULL, CANCELLED, NULL, 0, 0, false},
        {"bad", 0, NULL, 3, 7, false}, /* and those that have not ended */
        {"bad", FAULTED, NULL, 3, 3, false},
        {"bad", COMPLETED, NULL, 0, 0, false},
        {"fine", COMPLETED, NULL, 20, 20, false},
        {NULL, 0, "blue", 5, 5, false},
        {"bad", 0, "blue", 3, 5, false},
        {NULL, WAITING, "green", 4, 4, false},
        {NULL, FAULTED, NULL, 4, 4, true},
        {NULL, 0, "blue", 6, 6, true},
        {"bad", COMPLETED, NULL, 0, 0, true},
    };
    struct rig rig = {};
    rig_init(&rig, 1, true);
    put_all(&rig);
    for (int i = 0; i < 20; i++) (void)start(&rig, "fine", i % 10 == 0 ? "blue" : NULL);
    for (int i = 0; i < 3; i++) (void)start(&rig, "bad", "blue");
    for (int i = 0; i < 4; i++) (void)start(&rig, "long", "green");
    (void)start(&rig, "other/bad", "blue");

    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < ARRAY_LEN(wishes); i++) check(&rig, &wishes[i]);
        rig_restart(&rig);
    }
    rig_done(&rig);
}

static void ask_of_run(struct rig *rig, const char *method, const char *run)
{
    Pb__StopRun message         = PB__STOP_RUN__INIT;
    message.id                  = run;
    const struct question asked = {
        .service = &pb__runs__descriptor, .method = method, .message = &message};
    (void)rig_ask(rig, &asked);
}

/* What has ended and goes on, and what ends again. */
static void test_retries(void **)
{
    static const struct wish one_faulted  = {NULL, FAULTED, NULL, 1, 1, false};
    static const struct wish one_of_job   = {"job", FAULTED, NULL, 1, 1, false};
    static const struct wish none_faulted = {NULL, FAULTED, NULL, 0, 0, false};
    static const struct wish none_waits   = {NULL, WAITING, NULL, 0, 0, false};
    struct rig rig                        = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "job",
            "  - s: {set: {n: 1}}\n  - a: {call: llm.chat, with: {model: m, prompt: hi}}\n"
            "  - r: {raise: {error: {type: x, status: 400}}}\n");
    const char *run          = start(&rig, "job", "blue");
    const Pb__LeasedJob *job = rig_lease(&rig, "llm", 5'000);
    assert_int_equal(rig_complete(&rig, job, "{}"), STATUS_OK);
    rig_wait_for(&rig, run, PB__RUN_STATUS__RUN_STATUS_FAULTED);
    check(&rig, &one_faulted);
    check(&rig, &none_waits);

    Pb__RetryRun retry          = PB__RETRY_RUN__INIT;
    retry.id                    = run;
    const struct question asked = {
        .service = &pb__runs__descriptor, .method = "Retry", .message = &retry};
    (void)rig_ask(&rig, &asked); /* and fails again, at once */
    check(&rig, &one_faulted);
    check(&rig, &one_of_job);
    (void)rig_ask(&rig, &asked);
    rig_restart(&rig);
    check(&rig, &one_faulted);
    ask_of_run(&rig, "Delete", run);
    check(&rig, &none_faulted);
    rig_done(&rig);
}

/* A store of before heads moved into rows. */
static void test_heads_of_before(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "fine", "  - s: {set: {n: 1}}\n");
    const char *run = start(&rig, "fine", NULL);
    rig_stop(&rig);

    const struct partition_options options = {
        .folder = rig.folder, .map_size = 64 << 20, .count = 1};
    struct partition *partition = NULL;
    struct error error          = {};
    if (partition_open(&options, &partition, &error) != STATUS_OK) fail_msg("%s", error.text);
    struct arena *arena = arena_new(1 << 20);
    struct txn *txn     = NULL;
    Pb__RunView *row    = NULL;
    Pb__RunHead *head   = NULL;
    struct key key;
    id_key(&key, str_from(run));
    assert_int_equal(txn_begin_write(partition->store, &txn, NULL), STATUS_OK);
    assert_int_equal(run_rows_get(txn, str_from(run), arena, &row, &head, NULL), STATUS_OK);
    assert_true(row->head.len > 0);
    row->head = (ProtobufCBinaryData){};
    assert_int_equal(record_put(txn, TABLE_RUNS, key_bytes(&key), &row->base, NULL), STATUS_OK);
    assert_int_equal(run_rows_get(txn, str_from(run), arena, &row, &head, NULL), STATUS_DATA_LOSS);
    assert_int_equal(record_put(txn, TABLE_RUN_HEADS, key_bytes(&key), &head->base, NULL),
                     STATUS_OK);
    assert_int_equal(txn_commit(txn, NULL), STATUS_OK);
    arena_free(arena);
    partition_close(partition);

    rig_resume(&rig);
    assert_int_equal(rig_get(&rig, run)->status, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    ask_of_run(&rig, "Delete", run);
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_retries),
        cmocka_unit_test(test_heads_of_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
