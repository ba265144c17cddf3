/*
 * Polls of the users' own workers. Results that a poll hands in are committed first, partition by
 * partition; then it asks for jobs until there are some or its time is over. It asks in slices, so
 * that one whose client has gone ends soon; what it still leases is handed back at once.
 */
#include "base/assert.h"
#include "base/clock.h"
#include "gateway/handlers/handlers.h"
#include "gateway/runs/job_wire.h"

#include <stdio.h>

enum {
    POLL_MS_MAX      = 60'000,
    SLICE_ONE_MS     = 5'000, /* one partition: a poll parks there */
    SLICE_OF_MANY_MS = 1'000, /* several: it goes round */
    JOBS_MAX         = 100,
    FUNCTIONS_MAX    = 32,
    RESULTS_MAX      = 100,
};

struct poll {
    const char *queue;
    const char *worker; /* with its namespace */
    const char *functions[FUNCTIONS_MAX];
    size_t function_count; /* 0: all */
    uint32_t count_max, slots;
    int64_t until_ms; /* monotonic */
    unsigned partitions;
    unsigned asked; /* leases so far */
    unsigned first; /* partition that is asked first */

    Pb__JobReport *reports[RESULTS_MAX]; /* of results; then those that hand the leases back */
    size_t report_count;
    Pb__JobReleased released;
    uint16_t report_partition;
    struct outcome {
        const char *job;
        bool is_lost;
    } outcomes[RESULTS_MAX];
    size_t outcome_count;
};

static void lease_next(struct api_call *call);

/* --- the answer ---------------------------------------------------------------------------------
 */

static void send_answer(struct api_call *call, const Pb__LeasedJobs *leased)
{
    const struct poll *poll = call->state;
    size_t count            = leased ? leased->n_jobs : 0;
    bool is_draining        = leased && leased->draining;
    if (count == 0 && poll->outcome_count == 0 && !is_draining) {
        api_respond(call, 204, NULL, (str){}, NULL, 0);
        return;
    }
    struct api_answer response;
    api_answer_begin(&response, call);
    struct json_writer *w = &response.json;
    json_begin_object(w);
    json_member(w, "jobs");
    json_begin_array(w);
    for (size_t i = 0; i < count; i++) job_leased_view(call, w, leased->jobs[i], poll->worker);
    json_end_array(w);
    json_member(w, "results");
    json_begin_array(w);
    for (size_t i = 0; i < poll->outcome_count; i++) {
        json_begin_object(w);
        json_put_text(w, "job", str_from(poll->outcomes[i].job));
        json_put_bool(w, "accepted", !poll->outcomes[i].is_lost);
        if (poll->outcomes[i].is_lost) json_put_text(w, "code", str_from("lease_lost"));
        json_end_object(w);
    }
    json_end_array(w);
    if (is_draining) json_put_bool(w, "draining", true);
    json_end_object(w);
    api_answer_send(&response, 200, NULL);
}

/* --- jobs ---------------------------------------------------------------------------------------
 */

/* The reports that hand these jobs back. */
static void keep_leases(struct api_call *call, const Pb__LeasedJobs *leased)
{
    struct poll *poll      = call->state;
    size_t count           = leased->n_jobs < JOBS_MAX ? leased->n_jobs : JOBS_MAX;
    Pb__JobReport *reports = arena_alloc(call->arena, count * sizeof *reports);
    ASSERT(reports);
    for (size_t i = 0; i < count; i++) {
        const ProtobufCBinaryData *token = &leased->jobs[i]->lease_token;
        pb__job_report__init(&reports[i]);
        reports[i].job              = api_text(call, str_from(leased->jobs[i]->id));
        reports[i].lease_token.len  = token->len;
        reports[i].lease_token.data = arena_alloc(call->arena, token->len);
        ASSERT(reports[i].lease_token.data);
        memcpy(reports[i].lease_token.data, token->data, token->len);
        reports[i].result_case = PB__JOB_REPORT__RESULT_RELEASED;
        reports[i].released    = &poll->released;
        poll->reports[i]       = &reports[i];
    }
    poll->report_count = count;
}

static void on_handed_back(struct api_call *, const struct rpc_answer *)
{
    /* If the scheduler was not reached, their leases run out. */
}

/* The client has gone: nobody knows of these. */
static void hand_back(struct api_call *call)
{
    struct poll *poll  = call->state;
    uint16_t partition = api_partition_of(call, str_from(poll->reports[0]->job));
    job_reports_send(call, partition, poll->worker, poll->reports, poll->report_count,
                     on_handed_back, on_handed_back);
}

static void on_leased(struct api_call *call, const struct rpc_answer *answer)
{
    const struct poll *poll      = call->state;
    const Pb__LeasedJobs *leased = answer->message;
    if (leased->n_jobs > 0) {
        keep_leases(call, leased);
        api_call_hands_over(call, hand_back);
        send_answer(call, leased);
    } else if (clock_mono_ms() >= poll->until_ms || api_call_is_gone(call)) {
        send_answer(call, leased);
    } else {
        lease_next(call);
    }
}

static void lease_next(struct api_call *call)
{
    struct poll *poll     = call->state;
    const char *queues[]  = {poll->queue};
    int64_t left_ms       = poll->until_ms - clock_mono_ms();
    bool is_first_round   = poll->asked < poll->partitions;
    int64_t slice_ms      = poll->partitions == 1 ? SLICE_ONE_MS : SLICE_OF_MANY_MS;
    bool asks_only        = poll->partitions > 1 && is_first_round;
    Pb__LeaseJobs message = PB__LEASE_JOBS__INIT;
    message.queues        = queues;
    message.n_queues      = 1;
    message.worker        = poll->worker;
    message.kind          = "external";
    message.functions     = poll->functions;
    message.n_functions   = poll->function_count;
    message.count_max     = poll->count_max;
    message.slots         = poll->slots;
    if (left_ms < 0 || asks_only) left_ms = 0;
    message.wait_ms = (uint32_t)(left_ms < slice_ms ? left_ms : slice_ms);

    const struct api_ask ask = {.service = &pb__jobs__descriptor,
                                .method  = "Lease",
                                .message = &message,
                                .partition =
                                    (uint16_t)((poll->first + poll->asked) % poll->partitions),
                                .timeout_ms = message.wait_ms + RPC_LONG_SLACK_MS,
                                .then       = on_leased};
    poll->asked++;
    /* Each lease is a question of its own: none may be answered from memory. */
    (void)snprintf(call->rpc_id, sizeof call->rpc_id, "%s", "");
    api_ask_scheduler(call, &ask);
}

/* --- results ------------------------------------------------------------------------------------
 */

static void report_next(struct api_call *call);

static void on_reported(struct api_call *call, const struct rpc_answer *answer)
{
    struct poll *poll                   = call->state;
    const Pb__JobReportAnswers *answers = answer->message;
    for (size_t i = 0; i < answers->n_reports && poll->outcome_count < RESULTS_MAX; i++) {
        poll->outcomes[poll->outcome_count++] = (struct outcome){
            .job     = api_text(call, str_from(answers->reports[i]->job)),
            .is_lost = answers->reports[i]->status != 0,
        };
    }
    report_next(call);
}

/* Those of the next partition that has some; when there are none left, jobs. */
static void report_next(struct api_call *call)
{
    struct poll *poll = call->state;
    Pb__JobReport *list[RESULTS_MAX];
    size_t count = 0;
    while (count == 0 && poll->report_partition < poll->partitions) {
        for (size_t i = 0; i < poll->report_count; i++) {
            str job = str_from(poll->reports[i]->job);
            if (api_partition_of(call, job) == poll->report_partition) {
                list[count++] = poll->reports[i];
            }
        }
        poll->report_partition++;
    }
    if (count == 0) {
        lease_next(call);
        return;
    }
    /* A repetition of the poll reports under the same ids again; the tokens make that harmless. */
    (void)snprintf(call->rpc_id, sizeof call->rpc_id, "%s", "");
    job_reports_send(call, (uint16_t)(poll->report_partition - 1), poll->worker, list, count,
                     on_reported, NULL);
}

static bool results_read(struct api_call *call, struct poll *poll)
{
    json results = json_get_text(call->body, "results");
    for (size_t i = 0; i < json_count(results) && i < RESULTS_MAX; i++) {
        json one              = json_at(results, i);
        bool has_error        = !json_is(json_get_text(one, "error"), JSON_INVALID);
        Pb__JobReport *report = arena_alloc(call->arena, sizeof *report);
        const char *worker    = NULL;
        const char *job       = api_text(call, json_str(json_get_text(one, "job")));
        ASSERT(report);
        enum job_result result = has_error ? JOB_RESULT_ERROR : JOB_RESULT_OUTPUT;
        if (!job_report_read(call, one, result, job, report, &worker)) return false;
        poll->reports[poll->report_count++] = report;
    }
    return true;
}

/* --- the poll -----------------------------------------------------------------------------------
 */

static bool is_suite_queue(str name)
{
    return str_is(name, "tools") || str_is(name, "llm") || memchr(name.ptr, '.', name.len);
}

static bool wait_read(struct api_call *call, int64_t *ret_ms)
{
    json wait       = json_get_text(call->body, "wait");
    int64_t wait_us = 0;
    *ret_ms         = 0;
    if (json_is(wait, JSON_INVALID)) return true;
    if (!duration_parse(json_str(wait), &wait_us)) {
        api_fail_with(call, "invalid_request", (str){}, "wait: a duration such as `30s`");
        return false;
    }
    *ret_ms = wait_us / 1000 < POLL_MS_MAX ? wait_us / 1000 : POLL_MS_MAX;
    return true;
}

static void functions_read(struct api_call *call, struct poll *poll)
{
    json functions = json_get_text(call->body, "functions"); /* the schema has checked them */
    for (size_t i = 0; i < json_count(functions) && i < FUNCTIONS_MAX; i++) {
        poll->functions[i] = api_text(call, json_str(json_at(functions, i)));
        poll->function_count++;
    }
}

void queues_poll(struct api_call *call)
{
    str queue       = call->params[0];
    int64_t wait_ms = 0;
    int64_t count   = 1;
    int64_t slots   = 0;
    if (is_suite_queue(queue)) {
        api_fail_with(call, "forbidden", (str){},
                      "the queue `" STR_FMT "` is for tutti's own workers", STR_ARG(queue));
        return;
    }
    if (!wait_read(call, &wait_ms)) return;
    (void)json_to_int(json_get_text(call->body, "max"), &count); /* the schema has checked it */
    (void)json_to_int(json_get_text(call->body, "slots"), &slots);

    struct poll *poll   = arena_alloc(call->arena, sizeof *poll);
    unsigned partitions = atomic_load(&call->api->partitions);
    ASSERT(poll);
    *poll = (struct poll){
        .queue      = api_text(call, queue),
        .worker     = worker_name_of(call, json_str(json_get_text(call->body, "worker"))),
        .count_max  = (uint32_t)count,
        .slots      = (uint32_t)slots,
        .until_ms   = clock_mono_ms() + wait_ms,
        .partitions = partitions > 0 ? partitions : 1,
        .first      = (unsigned)clock_mono_ms(),
        .released   = PB__JOB_RELEASED__INIT,
    };
    poll->released.reason = "the worker has gone";
    call->state           = poll;
    functions_read(call, poll);
    if (results_read(call, poll)) report_next(call);
}
