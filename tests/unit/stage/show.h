/* A stage for tests of what workers and operators do: calls that are kept for their answers, and
 * the commands of a worker. */
#ifndef STAGE_SHOW_H
#define STAGE_SHOW_H

#include "cmocka.h"

#include "base/mem.h"
#include "job.pb-c.h"
#include "run.pb-c.h"
#include "stage/stage.h"

#include <stdlib.h>

enum {
    CALLS_MAX      = 8'192, /* kept for what they answered */
    SHOW_ARENA_MAX = 64 << 20,
};

#define SECOND   INT64_C(1'000'000)
#define MINUTE   (60 * SECOND)
#define START_US INT64_C(1'795'341'600'000'000)

struct show {
    struct stage *stage;
    const struct workflow *workflow; /* owned; NULL: the test has several, or none */
    struct stage_call *calls[CALLS_MAX];
    size_t count;
    uint16_t partitions;
};

static inline struct show *show_new(uint16_t partitions)
{
    struct show *show                  = mem_new(1, sizeof *show);
    const struct stage_options options = {
        .partitions = partitions, .seed = 7, .now_us = START_US, .lease_ms = 600'000};
    assert_int_equal(stage_open(&options, &show->stage, NULL), STATUS_OK);
    show->partitions = partitions;
    return show;
}

static inline int show_teardown(void **state)
{
    struct show *show = *state;
    for (size_t i = 0; i < show->count; i++) stage_call_free(show->calls[i]);
    workflow_unref(show->workflow);
    stage_close(show->stage);
    free(show);
    return 0;
}

/* A call of all namespaces. */
static inline struct stage_call *call_new(struct show *show, enum command_kind kind, size_t values)
{
    assert_true(show->count < CALLS_MAX);
    struct stage_call *call    = stage_call_new(kind, values);
    show->calls[show->count++] = call;
    call->command.namespace    = str_from("*");
    return call;
}

static inline status ask(struct show *show, uint16_t partition, struct stage_call *call,
                         const void *request, void *response)
{
    call->command.request  = request;
    call->command.response = response;
    return stage_ask(show->stage, partition, call, NULL);
}

/* --- runs --------------------------------------------------------------------------------------
 */

/* A workflow of one call. */
static inline const struct workflow *show_put(struct show *show, const char *name, const char *task,
                                              const char *metadata)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(SHOW_ARENA_MAX);
    struct diagnostics list                  = {.arena = arena};
    const struct workflow *workflow          = NULL;
    const char *text                         = arena_printf(
                                arena,
                                "document: {dsl: 1.0.3, namespace: default, name: %s, version: 1.0.0%s}\ndo:\n  - a: %s\n",
                                name, metadata, task);
    assert_int_equal(workflow_read(str_from(text), &list, &workflow, NULL), STATUS_OK);
    assert_int_equal(stage_put(show->stage, workflow, NULL), STATUS_OK);
    return workflow;
}

/* `input` is taken. */
static inline void show_start(struct show *show, uint16_t partition,
                              const struct workflow *workflow, json input)
{
    struct stage_call *call  = call_new(show, COMMAND_START, 1);
    Pb__StartRun *request    = stage_call_alloc(call, sizeof *request);
    Pb__StartedRun *response = stage_call_alloc(call, sizeof *response);
    *request                 = (Pb__StartRun)PB__START_RUN__INIT;
    *response                = (Pb__StartedRun)PB__STARTED_RUN__INIT;
    call->command.workflow   = workflow_ref(workflow);
    call->command.values[0]  = input;
    assert_int_equal(ask(show, partition, call, request, response), STATUS_OK);
}

/* --- a worker ----------------------------------------------------------------------------------
 */

static inline const Pb__LeasedJobs *lease_of(struct show *show, uint16_t partition,
                                             const char *queue, uint32_t count_max)
{
    struct stage_call *call  = call_new(show, COMMAND_LEASE, 0);
    Pb__LeaseJobs *request   = stage_call_alloc(call, sizeof *request);
    Pb__LeasedJobs *response = stage_call_alloc(call, sizeof *response);
    const char **queues      = stage_call_alloc(call, sizeof *queues);
    *request                 = (Pb__LeaseJobs)PB__LEASE_JOBS__INIT;
    *response                = (Pb__LeasedJobs)PB__LEASED_JOBS__INIT;
    queues[0]                = queue;
    request->queues          = queues;
    request->n_queues        = 1;
    request->worker          = "w";
    request->count_max       = count_max;
    assert_int_equal(ask(show, partition, call, request, response), STATUS_OK);
    return response;
}

/* The status of the report. */
static inline uint32_t complete_at(struct show *show, uint16_t partition, const Pb__LeasedJob *job)
{
    struct stage_call *call        = call_new(show, COMMAND_REPORT, 2);
    Pb__JobReports *request        = stage_call_alloc(call, sizeof *request);
    Pb__JobReportAnswers *response = stage_call_alloc(call, sizeof *response);
    Pb__JobReport *report          = stage_call_alloc(call, sizeof *report);
    Pb__JobCompleted *completed    = stage_call_alloc(call, sizeof *completed);
    *request                       = (Pb__JobReports)PB__JOB_REPORTS__INIT;
    *response                      = (Pb__JobReportAnswers)PB__JOB_REPORT_ANSWERS__INIT;
    *report                        = (Pb__JobReport)PB__JOB_REPORT__INIT;
    *completed                     = (Pb__JobCompleted)PB__JOB_COMPLETED__INIT;
    report->job                    = job->id;
    report->lease_token            = job->lease_token;
    report->result_case            = PB__JOB_REPORT__RESULT_COMPLETED;
    report->completed              = completed;
    request->worker                = "w";
    request->reports               = stage_call_alloc(call, sizeof *request->reports);
    request->reports[0]            = report;
    request->n_reports             = 1;
    assert_int_equal(ask(show, partition, call, request, response), STATUS_OK);
    return response->reports[0]->status;
}

#endif
