/* What the admin port shows of limits and budgets, in the text that a collector reads. */
#include "cmocka.h"

#include "budget.pb-c.h"
#include "limit.pb-c.h"
#include "scheduler/services/rule_gauges.h"
#include "support/scheduler/rig.h"
#include "telemetry/metrics.h"

#include <string.h>

enum { ARENA_MAX = 1 << 20, TEXT_MAX = 1 << 20 };

static const char chat[] = "  - a:\n      call: llm.chat\n"
                           "      with: {model: smart, prompt: hi, max_tokens: 91}\n";

static void set_limit(struct rig *rig, const char *name, uint32_t concurrency)
{
    Pb__SetLimit message        = PB__SET_LIMIT__INIT;
    Pb__LimitRule rule          = PB__LIMIT_RULE__INIT;
    rule.concurrency            = concurrency;
    message.name                = name;
    message.rule                = &rule;
    const struct question asked = {
        .service = &pb__limits__descriptor, .method = "Set", .message = &message};
    (void)rig_ask(rig, &asked);
}

static void put_budget(struct rig *rig, const char *name, const char *spec)
{
    Pb__PutBudget message       = PB__PUT_BUDGET__INIT;
    message.name                = name;
    message.namespace_          = "default";
    message.by                  = "test";
    message.spec_json           = rig_bytes(spec);
    const struct question asked = {
        .service = &pb__budgets__descriptor, .method = "Put", .message = &message};
    (void)rig_ask(rig, &asked);
}

static void delete_budget(struct rig *rig, const char *name)
{
    Pb__DeleteBudget message    = PB__DELETE_BUDGET__INIT;
    message.name                = name;
    message.namespace_          = "default";
    const struct question asked = {
        .service = &pb__budgets__descriptor, .method = "Delete", .message = &message};
    (void)rig_ask(rig, &asked);
}

/* Says whether a sample of now has that line. */
static bool shows(struct rig *rig, struct rule_gauges *gauges, struct metrics *metrics,
                  const char *line)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    CLEANUP(buf_done) struct buf text        = buf_init(TEXT_MAX);
    rule_gauges_set(gauges, rig->scheduler, arena);
    assert_true(metrics_write(metrics, &text));
    const char *found = strstr(text.ptr, line);
    return found && found[strlen(line)] == '\n';
}

static void test_limits_and_budgets_are_shown(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    CLEANUP(metrics_freep) struct metrics *metrics = metrics_new();
    struct rule_gauges *gauges                     = rule_gauges_new(metrics);
    rig_put(&rig, "chat", chat);
    set_limit(&rig, "llm:x", 5);
    put_budget(&rig, "all", "{\"scope\": \"namespace\", \"tokens\": 1000, \"usd\": 1}");

    static const char *const fresh[] = {
        "tutti_limit_in_use{limit=\"llm:x\"} 0",
        "tutti_limit_waiting{limit=\"llm:x\"} 0",
        "tutti_limit_max{limit=\"llm:x\"} 5",
        "tutti_budget_used_ratio{namespace=\"default\",budget=\"all\"} 0",
    };
    for (size_t i = 0; i < ARRAY_LEN(fresh); i++) {
        if (!shows(&rig, gauges, metrics, fresh[i])) fail_msg("no line: %s", fresh[i]);
    }

    /* Of tokens and money the one of which more is spent. */
    const char *run          = rig_start(&rig, "chat", "{}")->run->id;
    const Pb__LeasedJob *job = rig_lease_soon(&rig, "llm");
    Pb__JobCompleted done    = PB__JOB_COMPLETED__INIT;
    Pb__Usage usage          = PB__USAGE__INIT;
    Pb__JobReport report     = PB__JOB_REPORT__INIT;
    usage.input_tokens       = 150;
    usage.output_tokens      = 100;
    usage.cost_usd_nanos     = 10'000'000; /* a cent */
    usage.cost_source        = PB__COST_SOURCE__COST_SOURCE_REPORTED;
    done.output_json         = rig_bytes("{}");
    done.usage               = &usage;
    report.result_case       = PB__JOB_REPORT__RESULT_COMPLETED;
    report.completed         = &done;
    assert_int_equal(rig_report(&rig, job, &report), STATUS_OK);
    rig_wait_for(&rig, run, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    assert_true(shows(&rig, gauges, metrics,
                      "tutti_budget_used_ratio{namespace=\"default\",budget=\"all\"} 0.25"));

    /* One that is gone stays, at 0. */
    delete_budget(&rig, "all");
    assert_true(shows(&rig, gauges, metrics,
                      "tutti_budget_used_ratio{namespace=\"default\",budget=\"all\"} 0"));
    rig_done(&rig);
    rule_gauges_free(gauges);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_limits_and_budgets_are_shown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
