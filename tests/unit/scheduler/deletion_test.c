/* Deleting runs: nothing of one is left, and what is left of the others is whole. */
#include "cmocka.h"

#include "scheduler/engine/removal/deletion.h"
#include "support/scheduler/rig_rows.h"

#include <stdio.h>

enum { BIG_SIZE = 3'000 };

static bool is_of_runs(enum table table)
{
    switch (table) {
    case TABLE_JOURNAL:
    case TABLE_RUN_HEADS:
    case TABLE_RUNS:
    case TABLE_SNAPSHOTS:
    case TABLE_PAYLOADS:
    case TABLE_JOBS:
    case TABLE_READY:
    case TABLE_TIMERS:
    case TABLE_APPROVALS:
    case TABLE_DEAD_LETTERS:
    case TABLE_CLIENT_IDS:
    case TABLE_START_KEYS:
    case TABLE_WATCHERS:
    case TABLE_LISTENERS:
    case TABLE_LISTENER_KEYS:
    case TABLE_RUN_INDEX:
    case TABLE_DELETIONS: return true;
    default: return false;
    }
}

struct census {
    uint64_t rows[TABLE_COUNT];
};

static struct census census_of(struct rig *rig)
{
    struct census census = {};
    for (int i = 0; i < TABLE_COUNT; i++) {
        if (is_of_runs((enum table)i)) census.rows[i] = rig_count_rows(rig, (enum table)i);
    }
    return census;
}

static void wait_for_deletions(struct rig *rig)
{
    while (rig_count_rows(rig, TABLE_DELETIONS) > 0) rig_pause();
}

static void assert_census(struct rig *rig, const struct census *wanted)
{
    const struct census found = census_of(rig);
    for (int i = 0; i < TABLE_COUNT; i++) {
        if (found.rows[i] == wanted->rows[i]) continue;
        fail_msg("table %s: %llu rows, not %llu", table_names[i], (unsigned long long)found.rows[i],
                 (unsigned long long)wanted->rows[i]);
    }
}

static void delete_run(struct rig *rig, const char *run, bool is_forced, status expected,
                       const char *code)
{
    Pb__DeleteRun message       = PB__DELETE_RUN__INIT;
    message.id                  = run;
    message.force               = is_forced;
    message.by                  = "test";
    const struct question asked = {.service  = &pb__runs__descriptor,
                                   .method   = "Delete",
                                   .message  = &message,
                                   .expected = expected,
                                   .code     = code};
    (void)rig_ask(rig, &asked);
}

static void get_run(struct rig *rig, const char *run, status expected)
{
    Pb__GetRun message          = PB__GET_RUN__INIT;
    message.id                  = run;
    message.full                = true;
    const struct question asked = {.service  = &pb__runs__descriptor,
                                   .method   = "Get",
                                   .message  = &message,
                                   .expected = expected};
    (void)rig_ask(rig, &asked);
}

static const Pb__StartedRun *start_as(struct rig *rig, const char *workflow, const char *client_id)
{
    Pb__StartRun message        = PB__START_RUN__INIT;
    message.workflow            = workflow;
    message.client_id           = client_id;
    const struct question asked = {
        .service = &pb__runs__descriptor, .method = "Start", .message = &message};
    return rig_ask(rig, &asked);
}

/* A text that goes to the payloads. */
static const char *big_input(char out[static BIG_SIZE + 64], char fill)
{
    int len = snprintf(out, 64, "{\"text\":\"");
    memset(out + len, fill, BIG_SIZE);
    (void)snprintf(out + len + BIG_SIZE, 16, "\"}");
    return out;
}

/* --- tests -------------------------------------------------------------------------------------
 */

static void test_nothing_is_left(void **)
{
    struct rig rig = {};
    char input[BIG_SIZE + 64];
    rig_init(&rig, 1, true);
    rig_put(
        &rig, "long",
        "  - grow: {for: {each: i, in: '${[range(40)]}'}, do: [{w: {wait: {milliseconds: 1}}},\n"
        "      {s: {set: {big: '${$workflow.input.text + ($i | tostring)}'}}}]}\n"
        "  - ask: {listen: {to: {one: {with: {type: dev.tutti.approval.decided.v1}}}},\n"
        "      metadata: {tutti: {approval: {title: Really, payload: '${.}'}}}}\n");
    rig_put(&rig, "dead",
            "  - j: {call: llm.chat, with: {model: m, prompt: hi},\n"
            "      metadata: {tutti: {retry: {limit: {attempt: {count: 1}}}}}}\n");
    const char *kept           = rig_start(&rig, "dead", big_input(input, 'k'))->run->id;
    const struct census before = census_of(&rig);

    const char *run = rig_start(&rig, "long", big_input(input, 'x'))->run->id;
    rig_wait_for_event(&rig, run, "task.started");
    delete_run(&rig, run, false, STATUS_FAILED_PRECONDITION, "run_not_finished");
    rig_wait_for_event(&rig, run, "approval.requested");
    rig_restart(&rig);
    assert_true(rig_count_rows(&rig, TABLE_SNAPSHOTS) > before.rows[TABLE_SNAPSHOTS]);
    delete_run(&rig, run, true, STATUS_OK, NULL);
    get_run(&rig, run, STATUS_NOT_FOUND);
    delete_run(&rig, run, true, STATUS_NOT_FOUND, "not_found");
    wait_for_deletions(&rig);
    assert_census(&rig, &before);
    get_run(&rig, kept, STATUS_OK);
    rig_done(&rig);
}

static void test_open_jobs_and_ids(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    rig_put(&rig, "job", "  - j: {call: llm.chat, with: {model: m, prompt: hi}}\n");
    const struct census before = census_of(&rig);
    const char *run            = start_as(&rig, "job", "mine")->run->id;
    const Pb__LeasedJob *job   = rig_lease(&rig, "llm", 5'000);
    assert_non_null(job);
    delete_run(&rig, "mine", true, STATUS_OK, NULL);
    assert_int_equal(rig_complete(&rig, job, "{}"), STATUS_FAILED_PRECONDITION);
    get_run(&rig, run, STATUS_NOT_FOUND);
    get_run(&rig, "mine", STATUS_NOT_FOUND);
    wait_for_deletions(&rig);
    assert_census(&rig, &before);

    const Pb__StartedRun *again = start_as(&rig, "job", "mine");
    assert_true(again->created);
    assert_string_not_equal(again->run->id, run);
    rig_done(&rig);
}

/* Many at once, and the process ends in the middle. */
static void test_goes_on_after_a_restart(void **)
{
    enum { RUNS = 60 };
    struct rig rig = {};
    const char *runs[RUNS];
    rig_init(&rig, 1, true);
    rig_put(&rig, "steps",
            "  - l: {for: {each: i, in: '${[range(100)]}'}, do: [{s: {set: {n: '${$i}'}}}]}\n");
    const struct census before = census_of(&rig);
    char input[BIG_SIZE + 64];
    for (size_t i = 0; i < RUNS; i++) {
        runs[i] = rig_start(&rig, "steps", big_input(input, (char)('a' + i % 26)))->run->id;
    }
    for (size_t i = 0; i < RUNS; i++) delete_run(&rig, runs[i], false, STATUS_OK, NULL);
    rig_restart(&rig);
    wait_for_deletions(&rig);
    assert_census(&rig, &before);
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_left),
        cmocka_unit_test(test_open_jobs_and_ids),
        cmocka_unit_test(test_goes_on_after_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
