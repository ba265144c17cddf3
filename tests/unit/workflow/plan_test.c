/* The plan of a workflow: who repeats a job, how long an attempt takes, what ends it. */
#include "base/arena.h"
#include "cmocka.h"
#include "workflow/plan.h"
#include "json/json_text.h"

#include <string.h>

#define HEAD "document: { dsl: '1.0.3', namespace: n, name: w, version: '1.0.0' }\n"
#define CHAT "call: llm.chat, with: { model: m, prompt: p }"
#define HTTP "call: http, with: { method: GET, endpoint: 'https://x' }"

struct row {
    const char *name, *text;
    const char *part; /* of the plan as JSON */
};

static const struct row rows[] = {
    {"a catalog function has the default", HEAD "do: [ { a: { " CHAT " } } ]\n",
     "\"jobs\":[{\"task\":\"/do/0/a\",\"function\":\"llm.chat\",\"queue\":\"llm\",\"timeout\":"
     "\"PT10M\",\"retry\":{\"by\":\"default\",\"attempts\":4,\"delay\":\"PT1S\",\"backoff\":"
     "\"exponential\",\"multiplier\":2,\"jitter_to\":\"PT1S\",\"errors\":\"transient\"}}]"},
    {"a call of the language has none", HEAD "do: [ { a: { " HTTP " } } ]\n",
     "\"retry\":{\"by\":\"nobody\",\"attempts\":1}"},
    {"retry: none", HEAD "do: [ { a: { " CHAT ", metadata: { tutti: { retry: none } } } } ]\n",
     "\"retry\":{\"by\":\"nobody\",\"attempts\":1}"},
    {"a policy of the task",
     HEAD "do: [ { a: { " HTTP ", metadata: { tutti: { retry: { delay: PT2S, limit: { attempt: { "
          "count: 2, duration: PT30S } } } } } } } ]\n",
     "\"timeout\":\"PT30S\",\"retry\":{\"by\":\"task\",\"attempts\":3,\"delay\":\"PT2S\""},
    {"the try around it",
     HEAD "do: [ { t: { try: [ { a: { " CHAT
          " } } ], catch: { retry: { delay: '${ .d }' } } } } ]\n",
     "\"retry\":{\"by\":\"try\",\"delay\":\"${ .d }\",\"backoff\":\"constant\"}"},
    {"not in its catch",
     HEAD "do: [ { t: { try: [], catch: { retry: { delay: PT1S }, do: [ { a: { " CHAT
          " } } ] } } } "
          "]\n",
     "\"by\":\"default\""},
    {"time limits",
     HEAD "timeout: { after: P1DT2H }\ndo: [ { a: { " HTTP ", timeout: { after: { milliseconds: "
          "1500 } } } } ]\n",
     "\"timeouts\":[{\"task\":\"/do/0/a\",\"after\":\"PT1.500S\"}]"},
    {"of the run", HEAD "timeout: { after: P1DT2H }\ndo: []\n",
     "{\"tasks\":0,\"timeout\":\"P1DT2H\",\"defaults\":{"},
    {"the defaults", HEAD "do: []\n", "\"timeout\":\"PT10M\",\"heartbeat_timeout\":\"PT3M\"}"},
};

static void print_plan(const char *text, const struct plan_defaults *defaults, struct buf *out)
{
    CLEANUP(arena_freep) struct arena *arena                 = arena_new(8 << 20);
    CLEANUP(workflow_unrefp) const struct workflow *workflow = NULL;
    struct error why                                         = {};
    status code = workflow_read(str_from(text), diagnostics_new(arena), &workflow, &why);
    if (code != STATUS_OK) fail_msg("%s", why.text);
    CLEANUP(json_unrefp) json plan = plan_new(workflow, defaults);
    assert_true(json_print(plan, JSON_COMPACT, out));
}

static void check_plan(void **state)
{
    static const struct plan_defaults none = {};
    const struct row *row                  = *state;
    CLEANUP(buf_done) struct buf out       = buf_init(1 << 20);
    print_plan(row->text, &none, &out);
    if (!strstr(out.ptr, row->part)) fail_msg("no %s in %s", row->part, out.ptr);
}

static void a_service_has_its_own(void **)
{
    static const struct retry_plan retry       = {.delay_us = 5'000'000, .retries_max = 1};
    static const struct plan_defaults defaults = {
        .retry = &retry, .timeout_us = 61'000'000, .heartbeat_us = 3'600'000'000};
    CLEANUP(buf_done) struct buf out = buf_init(1 << 20);
    print_plan(HEAD "do: [ { a: { " CHAT " } } ]\n", &defaults, &out);
    assert_non_null(strstr(out.ptr, "\"timeout\":\"PT1M1S\",\"heartbeat_timeout\":\"PT1H\""));
    assert_non_null(strstr(out.ptr, "{\"by\":\"default\",\"attempts\":2,\"delay\":\"PT5S\""));
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_LEN(rows) + 1] = {cmocka_unit_test(a_service_has_its_own)};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tests[1 + i] = row_test(rows[i].name, check_plan, &rows[i]);
    }
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
