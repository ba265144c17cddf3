/* Runs whose rows cannot be read: nothing else suffers, and they can be removed without a trace. */
#include "cmocka.h"

#include "scheduler/tables/record.h"
#include "support/scheduler/rig_rows.h"

#include <stdio.h>

enum { BIG_SIZE = 3'000 };

/* --- rows --------------------------------------------------------------------------------------
 */

static const enum table of_runs[] = {
    TABLE_JOURNAL,    TABLE_RUN_HEADS,    TABLE_RUNS,     TABLE_RUN_INDEX, TABLE_SNAPSHOTS,
    TABLE_PAYLOADS,   TABLE_JOBS,         TABLE_READY,    TABLE_TIMERS,    TABLE_APPROVALS,
    TABLE_CLIENT_IDS, TABLE_START_KEYS,   TABLE_WATCHERS, TABLE_LISTENERS, TABLE_LISTENER_KEYS,
    TABLE_DELETIONS,  TABLE_DEAD_LETTERS,
};

struct census {
    uint64_t rows[ARRAY_LEN(of_runs)];
};

static struct census census_of(struct rig *rig)
{
    struct census census = {};
    for (size_t i = 0; i < ARRAY_LEN(of_runs); i++) {
        census.rows[i] = rig_count_rows(rig, of_runs[i]);
    }
    return census;
}

static void assert_gone(struct rig *rig, const struct census *before)
{
    while (rig_count_rows(rig, TABLE_DELETIONS) > 0) rig_pause();
    const struct census found = census_of(rig);
    for (size_t i = 0; i < ARRAY_LEN(of_runs); i++) {
        if (found.rows[i] == before->rows[i]) continue;
        fail_msg("table %s: %llu rows, not %llu", table_names[of_runs[i]],
                 (unsigned long long)found.rows[i], (unsigned long long)before->rows[i]);
    }
}

static void overwrite(struct rig *rig, enum table table, const char *run)
{
    struct key key;
    id_key(&key, str_from(run));
    rig_put_row(rig, table, key_bytes(&key), "\xff\xff\xff");
}

static void damage_row(struct rig *rig, const char *run)
{
    overwrite(rig, TABLE_RUNS, run);
}

static void damage_head(struct rig *rig, const char *run)
{
    overwrite(rig, TABLE_RUN_HEADS, run);
}

static void remove_head(struct rig *rig, const char *run)
{
    CLEANUP(txn_abortp) struct txn *txn = rig_txn(rig, true);
    struct key key;
    id_key(&key, str_from(run));
    assert_int_equal(txn_delete(txn, TABLE_RUN_HEADS, key_bytes(&key), NULL), STATUS_OK);
    assert_int_equal(txn_commit(TAKE(txn), NULL), STATUS_OK);
}

/* The last entry but one of the journal becomes another's text. */
static void damage_entry(struct rig *rig, const char *)
{
    CLEANUP(txn_abortp) struct txn *txn          = rig_txn(rig, true);
    const struct scan scan                       = {.backward = true};
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    bytes key                                    = {};
    bytes row                                    = {};
    assert_int_equal(cursor_open(txn, TABLE_JOURNAL, &scan, &cursor, NULL), STATUS_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(cursor_next(cursor, &key, &row, NULL), STATUS_OK);
    }
    uint8_t number[8];
    assert_int_equal(key.len, sizeof number);
    memcpy(number, key.ptr, sizeof number);
    assert_int_equal(txn_put(txn, TABLE_JOURNAL, (bytes){number, sizeof number},
                             bytes_from(str_from("\xff")), NULL),
                     STATUS_OK);
    cursor_close(TAKE(cursor));
    assert_int_equal(txn_commit(TAKE(txn), NULL), STATUS_OK);
}

/* --- questions ---------------------------------------------------------------------------------
 */

static void delete_run(struct rig *rig, const char *run, bool is_forced, status expected,
                       const char *code)
{
    Pb__DeleteRun message = PB__DELETE_RUN__INIT;
    message.id            = run;
    message.force         = is_forced;
    message.by            = "test";
    (void)rig_ask_runs(rig, "Delete", &message, expected, code);
}

static void erase_run(struct rig *rig, const char *run, status expected, const char *code)
{
    Pb__EraseRun message = PB__ERASE_RUN__INIT;
    message.id           = run;
    (void)rig_ask_runs(rig, "Erase", &message, expected, code);
}

static void cancel_run(struct rig *rig, const char *run, status expected, const char *code)
{
    Pb__CancelRun message = PB__CANCEL_RUN__INIT;
    message.id            = run;
    (void)rig_ask_runs(rig, "Cancel", &message, expected, code);
}

static void get_run(struct rig *rig, const char *run, status expected, const char *code)
{
    Pb__GetRun message = PB__GET_RUN__INIT;
    message.id         = run;
    message.full       = true;
    (void)rig_ask_runs(rig, "Get", &message, expected, code);
}

static const char *start_as(struct rig *rig, const char *workflow, const char *client_id)
{
    char text[BIG_SIZE + 64];
    Pb__Label label             = PB__LABEL__INIT;
    Pb__Label *labels[]         = {&label};
    Pb__StartRun message        = PB__START_RUN__INIT;
    int len                     = snprintf(text, 64, "{\"text\":\"");
    const struct question asked = {
        .service = &pb__runs__descriptor, .method = "Start", .message = &message};
    memset(text + len, 'x', BIG_SIZE);
    (void)snprintf(text + len + BIG_SIZE, 16, "\"}");
    label.key          = "team";
    label.value        = "blue";
    message.workflow   = workflow;
    message.client_id  = client_id;
    message.input_json = rig_bytes(text);
    message.labels     = labels;
    message.n_labels   = 1;
    return ((const Pb__StartedRun *)rig_ask(rig, &asked))->run->id;
}

/* --- one run -----------------------------------------------------------------------------------
 */

#define OPEN                                                                                       \
    "  - grow: {for: {each: i, in: '${[range(30)]}'}, do: [{w: {wait: {milliseconds: 1}}}]}\n"     \
    "  - both:\n"                                                                                  \
    "      fork:\n"                                                                                \
    "        branches:\n"                                                                          \
    "          - call: {call: llm.chat, with: {model: m, prompt: '${.text}'}}\n"                   \
    "          - wait: {wait: {hours: 1}}\n"                                                       \
    "          - hear: {listen: {to: {one: {with: {type: never}}}}}\n"                             \
    "          - ask: {listen: {to: {one: {with: {type: dev.tutti.approval.decided.v1}}}},\n"      \
    "              metadata: {tutti: {approval: {title: Really, payload: '${.}'}}}}\n"
#define OVER "  - set: {set: {text: '${.text}'}}\n"

static const struct damage {
    const char *what;
    const char *tasks;
    bool is_open;
    void (*damage)(struct rig *rig, const char *run);
    bool has_rows; /* they can be read: what is lost is behind them */
} damages[] = {
    {"the row of a run that has ended", OVER, false, damage_row, false},
    {"the row of an open run", OPEN, true, damage_row, false},
    {"the head of an open run", OPEN, true, damage_head, false},
    {"no head of an open run", OPEN, true, remove_head, false},
    {"an entry of an open run", OPEN, true, damage_entry, true},
};

static void check_damage(void **state)
{
    const struct damage *row = *state;
    struct rig rig           = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "other", OVER);
    rig_put(&rig, "hurt", row->tasks);
    const char *other          = start_as(&rig, "other", "other");
    const struct census before = census_of(&rig);
    const char *run            = start_as(&rig, "hurt", "mine");
    if (row->is_open) {
        rig_wait_for_event(&rig, run, "approval.requested");
    } else {
        rig_wait_for(&rig, run, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    }
    rig_restart(&rig); /* nothing of it is in memory */
    row->damage(&rig, run);

    get_run(&rig, run, STATUS_DATA_LOSS, "run_damaged");
    cancel_run(&rig, run, STATUS_DATA_LOSS, "run_damaged");
    if (row->has_rows) {
        delete_run(&rig, run, false, STATUS_FAILED_PRECONDITION, "run_not_finished");
        erase_run(&rig, run, STATUS_FAILED_PRECONDITION, "run_not_finished");
    } else {
        delete_run(&rig, run, false, STATUS_DATA_LOSS, "run_damaged");
        erase_run(&rig, run, STATUS_DATA_LOSS, "run_damaged");
    }
    get_run(&rig, other, STATUS_OK, NULL);

    delete_run(&rig, run, true, STATUS_OK, NULL);
    get_run(&rig, run, STATUS_NOT_FOUND, "not_found");
    rig_restart(&rig); /* in the middle of the search, or behind it */
    assert_gone(&rig, &before);
    get_run(&rig, other, STATUS_OK, NULL);
    assert_string_not_equal(start_as(&rig, "other", "mine"), run);
    rig_done(&rig);
}

/* --- many runs ---------------------------------------------------------------------------------
 */

static const Pb__OperationView *bulk(struct rig *rig, Pb__BulkAction action, const char *namespace,
                                     bool is_dry)
{
    Pb__ListRuns filter          = PB__LIST_RUNS__INIT;
    Pb__StartBulk message        = PB__START_BULK__INIT;
    Pb__GetOperation get         = PB__GET_OPERATION__INIT;
    const struct question start  = {.service   = &pb__runs__descriptor,
                                    .method    = "Bulk",
                                    .message   = &message,
                                    .namespace = namespace};
    const struct question look   = {.service   = &pb__runs__descriptor,
                                    .method    = "Operation",
                                    .message   = &get,
                                    .namespace = namespace};
    message.namespace_           = namespace;
    message.action               = action;
    message.filter               = &filter;
    filter.created_after_us      = 1;
    message.dry_run              = is_dry;
    message.force                = true;
    const Pb__OperationView *one = rig_ask(rig, &start);
    get.id                       = one->id;
    get.namespace_               = namespace;
    for (;;) {
        const Pb__OperationView *now = rig_ask(rig, &look);
        if (now->is_over) return now;
        rig_forget(rig);
        rig_pause();
    }
}

static void test_many(void **)
{
    static const Pb__BulkAction actions[] = {PB__BULK_ACTION__BULK_ACTION_ERASE,
                                             PB__BULK_ACTION__BULK_ACTION_DELETE};
    struct rig rig                        = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "over", OVER);
    const char *runs[3];
    static const char *const names[] = {"a", "b", "c"};
    for (size_t i = 0; i < ARRAY_LEN(runs); i++) runs[i] = start_as(&rig, "over", names[i]);
    damage_row(&rig, runs[1]);
    for (size_t i = 0; i < 2 * ARRAY_LEN(actions); i++) {
        bool is_dry                   = i % 2 == 0;
        const Pb__OperationView *view = bulk(&rig, actions[i / 2], "*", is_dry);
        assert_int_equal(view->matched, 3);
        assert_int_equal(view->done, 2);
        assert_int_equal(view->refused, 1);
        assert_int_equal(view->n_reasons, 1);
        assert_string_equal(view->reasons[0]->code, "run_damaged");
        assert_string_equal(view->refusals[0]->run, runs[1]);
        assert_non_null(strstr(view->refusals[0]->detail, "force=true"));
    }
    get_run(&rig, runs[0], STATUS_NOT_FOUND, NULL);
    get_run(&rig, runs[1], STATUS_DATA_LOSS, "run_damaged"); /* by its name alone */
    delete_run(&rig, runs[1], true, STATUS_OK, NULL);
    rig_done(&rig);
}

/* Of another tenant's run nobody hears. */
static void test_another_namespace(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "over", OVER);
    const char *run = start_as(&rig, "over", "a");
    damage_row(&rig, run);
    const Pb__OperationView *view =
        bulk(&rig, PB__BULK_ACTION__BULK_ACTION_DELETE, "elsewhere", false);
    assert_int_equal(view->matched, 0);
    assert_int_equal(view->refused, 0);
    rig_done(&rig);
}

static void test_lists_go_on(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "over", OVER);
    const char *first = start_as(&rig, "over", "a");
    damage_row(&rig, first);
    const char *second          = start_as(&rig, "over", "b");
    Pb__ListRuns message        = PB__LIST_RUNS__INIT;
    const struct question asked = {
        .service = &pb__runs__descriptor, .method = "List", .message = &message};
    const Pb__RunList *listed = rig_ask(&rig, &asked);
    assert_int_equal(listed->n_runs, 1);
    assert_string_equal(listed->runs[0]->id, second);
    rig_done(&rig);
}

static const char *child_of(struct rig *rig, const char *parent)
{
    Pb__ListRuns message        = PB__LIST_RUNS__INIT;
    const struct question asked = {
        .service = &pb__runs__descriptor, .method = "List", .message = &message};
    message.parent = parent;
    for (;;) {
        const Pb__RunList *listed = rig_ask(rig, &asked);
        if (listed->n_runs == 1) return listed->runs[0]->id;
        rig_forget(rig);
        rig_pause();
    }
}

/* Who waits for it hears that it has faulted. */
static void test_a_parent_goes_on(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "child", "  - hear: {listen: {to: {one: {with: {type: never}}}}}\n");
    rig_put(&rig, "parent",
            "  - go: {run: {workflow: {namespace: default, name: child, version: '1.0.0'}}}\n");
    const char *parent = rig_start(&rig, "parent", "{}")->run->id;
    const char *child  = child_of(&rig, parent);
    rig_wait_for(&rig, child, PB__RUN_STATUS__RUN_STATUS_WAITING);
    rig_restart(&rig);
    damage_row(&rig, child);
    delete_run(&rig, child, true, STATUS_OK, NULL);
    rig_wait_for(&rig, parent, PB__RUN_STATUS__RUN_STATUS_FAULTED);
    const Pb__RunView *view = rig_get(&rig, parent);
    assert_non_null(memmem(view->error_json.data, view->error_json.len, "could not be read", 17));
    rig_done(&rig);
}

int main(void)
{
    struct CMUnitTest damage_tests[ARRAY_LEN(damages)];
    for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
        damage_tests[i] = row_test(damages[i].what, check_damage, &damages[i]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_another_namespace),
        cmocka_unit_test(test_lists_go_on),
        cmocka_unit_test(test_a_parent_goes_on),
    };
    int failed = cmocka_run_group_tests_name("damage", damage_tests, NULL, NULL);
    return failed + cmocka_run_group_tests_name("damage of many", tests, NULL, NULL);
}
