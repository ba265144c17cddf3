#include "support/scheduler/spender.h"

#include "base/clock.h"
#include "support/cmocka.h"

#include <stdio.h>

/* 1 token of text, 4 around it, and 91 of answer. */
static_assert(SPENDER_CALL_TOKENS == 1 + 4 + 91);

static const char one[]  = "  - a:\n      " SPENDER_CHAT;
static const char once[] = "  - a:\n      " SPENDER_CHAT "      metadata: {tutti: {retry: none}}\n";
static const char many[] = "  - all:\n      for: {each: i, in: '${ [range(0; 6)] }'}\n"
                           "      metadata: {tutti: {parallel: 6}}\n"
                           "      do:\n        - a:\n            call: llm.chat\n"
                           "            with: {model: smart, prompt: hi, max_tokens: 91}\n";
static const char tries[] =
    "  - a:\n      try:\n        - b:\n            call: llm.chat\n"
    "            with: {model: smart, prompt: hi, max_tokens: 91}\n"
    "      catch:\n        errors: {with: {type: 'https://tutti.dev/errors/budget', status: 402}}\n"
    "        do: [{other: {set: {way: other}}}]\n";
static const char family[] =
    "  - all:\n      for: {each: i, in: '${ [range(0; 6)] }'}\n"
    "      metadata: {tutti: {parallel: 6}}\n      do:\n        - a:\n"
    "            run: {workflow: {namespace: default, name: once, version: latest}}\n";

void spender_begin(struct rig *rig, uint16_t partitions, bool is_durable)
{
    uint32_t lease_ms = rig->lease_ms;
    *rig              = (struct rig){.lease_ms = lease_ms};
    rig_init(rig, partitions, is_durable);
    rig_put(rig, "one", one);
    rig_put(rig, "once", once);
    rig_put(rig, "many", many);
    rig_put(rig, "tries", tries);
    rig_put(rig, "family", family);
}

void spender_put_budget(struct rig *rig, const char *name, const char *spec, status expected)
{
    Pb__PutBudget message       = PB__PUT_BUDGET__INIT;
    message.name                = name;
    message.namespace_          = "default";
    message.by                  = "test";
    message.spec_json           = rig_bytes(spec);
    const struct question asked = {.service  = &pb__budgets__descriptor,
                                   .method   = "Put",
                                   .message  = &message,
                                   .expected = expected};
    (void)rig_ask(rig, &asked);
}

const Pb__BudgetView *spender_budget(struct rig *rig, const char *name)
{
    Pb__GetBudget message       = PB__GET_BUDGET__INIT;
    message.name                = name;
    message.namespace_          = "default";
    const struct question asked = {
        .service = &pb__budgets__descriptor, .method = "Get", .message = &message};
    return rig_ask(rig, &asked);
}

void spender_wait_for(struct rig *rig, const char *name, int64_t spent, int64_t reserved,
                      uint64_t waiting, uint64_t paused)
{
    int64_t until_ms           = clock_mono_ms() + RIG_WAIT_MS;
    const Pb__BudgetView *view = spender_budget(rig, name);
    while (view->spent_tokens != spent || view->reserved_tokens != reserved ||
           view->waiting != waiting || view->paused != paused) {
        bool is_late = clock_mono_ms() > until_ms;
        if (is_late) {
            print_error("%s: spent %lld, reserved %lld, waiting %llu, paused %llu\n", name,
                        (long long)view->spent_tokens, (long long)view->reserved_tokens,
                        (unsigned long long)view->waiting, (unsigned long long)view->paused);
        }
        assert_false(is_late);
        rig_forget(rig);
        rig_pause();
        view = spender_budget(rig, name);
    }
}

struct spender_id spender_client_id(int number)
{
    struct spender_id id;
    (void)snprintf(id.text, sizeof id.text, "r%d", number);
    return id;
}

const char *spender_start(struct rig *rig, const char *workflow, int number, int64_t tokens,
                          const char *label)
{
    const struct spender_id client = spender_client_id(number);
    const char *id                 = client.text;
    Pb__Label team                 = PB__LABEL__INIT;
    Pb__Label *labels[]            = {&team};
    Pb__StartRun message           = PB__START_RUN__INIT;
    team.key                       = "team";
    team.value                     = label ? label : "";
    message.workflow               = workflow;
    message.client_id              = id;
    message.created_by             = "key1";
    message.budget_tokens          = tokens;
    message.labels                 = labels;
    message.n_labels               = label ? 1 : 0;
    return rig_start_as(rig, &message);
}

uint32_t spender_done(struct rig *rig, const Pb__LeasedJob *job, int64_t tokens, int64_t nanos,
                      int64_t picos)
{
    Pb__JobCompleted completed = PB__JOB_COMPLETED__INIT;
    Pb__JobReport made         = PB__JOB_REPORT__INIT;
    Pb__Usage usage            = PB__USAGE__INIT;
    Pb__ModelPrice price       = PB__MODEL_PRICE__INIT;
    usage.input_tokens         = 5;
    usage.output_tokens        = tokens - 5;
    usage.cost_usd_nanos       = nanos;
    usage.cost_source          = PB__COST_SOURCE__COST_SOURCE_REPORTED;
    price.input_picos = price.output_picos = picos;
    completed.output_json                  = rig_bytes("1");
    completed.usage                        = &usage;
    if (picos >= 0) completed.price = &price;
    made.result_case = PB__JOB_REPORT__RESULT_COMPLETED;
    made.completed   = &completed;
    return rig_report(rig, job, &made);
}
