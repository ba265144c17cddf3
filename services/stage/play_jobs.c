/* Jobs and approvals of a play: what workers and people do. */
#include "approval.pb-c.h"
#include "base/assert.h"
#include "base/mem.h"
#include "job.pb-c.h"
#include "scheduler/tables/record.h"
#include "scheduler/tables/run_wire.h"
#include "schema/schema.h"
#include "stage/play_internal.h"
#include "json/json_text.h"

#include <stdlib.h>

enum { APPROVALS_MAX = 10'000, ARENA_MAX = 64 << 20 };

/* --- taking -------------------------------------------------------------------------------------
 */

void play_job_done(struct play_job *job)
{
    free(job->function);
    free(job->task);
    free(job->iteration);
    json_unref(job->input);
    *job = (struct play_job){};
}

static char *copy_of(const char *text)
{
    return mem_dup(text, strlen(text));
}

static status job_of(const Pb__LeasedJob *leased, struct play_job *job, struct error *reterr)
{
    ASSERT(leased->lease_token.len <= sizeof job->token);
    *job = (struct play_job){
        .function    = copy_of(leased->function),
        .task        = copy_of(leased->task),
        .iteration   = copy_of(leased->iteration),
        .attempt     = leased->attempt,
        .is_undo     = strstr(leased->idempotency_key, "/undo/") != NULL,
        .settles     = leased->settles,
        .deadline_us = leased->deadline_us,
        .token_len   = leased->lease_token.len,
    };
    memcpy(job->id.text, leased->id, ID_LEN);
    memcpy(job->token, leased->lease_token.data, job->token_len);
    return json_out(leased->input_json, "input", &job->input, reterr);
}

static status take_from(struct play *play, const struct queue *queue, struct play_job *ret_job,
                        bool *ret_has, struct error *reterr)
{
    CLEANUP(stage_call_freep) struct stage_call *call = stage_call_new(COMMAND_LEASE, 0);
    Pb__LeaseJobs *request                            = stage_call_alloc(call, sizeof *request);
    Pb__LeasedJobs *response                          = stage_call_alloc(call, sizeof *response);
    const char **queues                               = stage_call_alloc(call, sizeof *queues);
    *request                                          = (Pb__LeaseJobs)PB__LEASE_JOBS__INIT;
    *response                                         = (Pb__LeasedJobs)PB__LEASED_JOBS__INIT;
    queues[0]                                         = arena_strdup(call->arena, queue->name);
    request->queues                                   = queues;
    request->n_queues                                 = 1;
    request->worker                                   = "test";
    request->kind                                     = "external";
    request->count_max                                = 1;
    request->lease_ms                                 = LEASE_MS_MAX;
    call->command.request                             = request;
    call->command.response                            = response;
    call->command.namespace                           = queue->namespace;
    TRY(stage_ask(play->stage, 0, call, reterr));
    *ret_has = response->n_jobs > 0;
    return *ret_has ? job_of(response->jobs[0], ret_job, reterr) : STATUS_OK;
}

/* The one that was scheduled first, whatever its queue: as by one worker for all of them. */
static status take(struct play *play, struct play_job *ret_job, bool *ret_has, struct error *reterr)
{
    const struct queue *best        = NULL;
    const struct open_job *best_job = NULL;
    size_t index                    = 0;
    struct queue *queue;
    *ret_has = false;
    while ((queue = stage_queue_next(play->stage, 0, &index))) {
        const struct open_job *first = queue_peek(queue);
        if (!first || (best_job && best_job->sequence < first->sequence)) continue;
        best     = queue;
        best_job = first;
    }
    return best ? take_from(play, best, ret_job, ret_has, reterr) : STATUS_OK;
}

/* Who does not answer does not say what it did either. */
static status stay_silent(struct play *play, struct play_job *job, struct error *reterr)
{
    CLEANUP(json_unrefp) json nothing = json_object_new(0);
    status told                       = play_fail(play, job, nothing, false, reterr);
    play_job_done(job);
    return told;
}

status play_take(struct play *play, struct play_job *ret_job, bool *ret_has, struct error *reterr)
{
    for (;;) {
        TRY(take(play, ret_job, ret_has, reterr));
        if (!*ret_has || !ret_job->settles) return STATUS_OK;
        TRY(stay_silent(play, ret_job, reterr));
    }
}

/* --- answering ----------------------------------------------------------------------------------
 */

static ProtobufCBinaryData token_of(const struct play_job *job)
{
    union {
        const uint8_t *read;
        uint8_t *data;
    } token = {.read = job->token};
    return (ProtobufCBinaryData){.len = job->token_len, .data = token.data};
}

static status report(struct play *play, struct stage_call *call, Pb__JobReport *report,
                     const struct play_job *job, struct error *reterr)
{
    Pb__JobReports *request        = stage_call_alloc(call, sizeof *request);
    Pb__JobReportAnswers *response = stage_call_alloc(call, sizeof *response);
    Pb__JobReport **list           = stage_call_alloc(call, sizeof *list);
    *request                       = (Pb__JobReports)PB__JOB_REPORTS__INIT;
    *response                      = (Pb__JobReportAnswers)PB__JOB_REPORT_ANSWERS__INIT;
    report->job                    = job->id.text;
    report->lease_token            = token_of(job);
    list[0]                        = report;
    request->worker                = "test";
    request->reports               = list;
    request->n_reports             = 1;
    call->command.request          = request;
    call->command.response         = response;
    TRY(stage_ask(play->stage, 0, call, reterr));
    status told = (status)response->reports[0]->status;
    return told == STATUS_OK ? told : fail(reterr, told, "nobody wants the answer any more");
}

status play_complete(struct play *play, const struct play_job *job, json output, json undo,
                     struct error *reterr)
{
    CLEANUP(stage_call_freep) struct stage_call *call = stage_call_new(COMMAND_REPORT, 2);
    Pb__JobReport message                             = PB__JOB_REPORT__INIT;
    Pb__JobCompleted completed                        = PB__JOB_COMPLETED__INIT;
    message.result_case                               = PB__JOB_REPORT__RESULT_COMPLETED;
    message.completed                                 = &completed;
    call->command.values[0] = json_is(output, JSON_INVALID) ? json_null() : json_ref(output);
    call->command.values[1] = json_is(undo, JSON_INVALID) ? undo : json_ref(undo);
    return report(play, call, &message, job, reterr);
}

status play_fail(struct play *play, const struct play_job *job, json failure, bool is_transient,
                 struct error *reterr)
{
    CLEANUP(stage_call_freep) struct stage_call *call = stage_call_new(COMMAND_REPORT, 2);
    Pb__JobReport message                             = PB__JOB_REPORT__INIT;
    Pb__JobFailed failed                              = PB__JOB_FAILED__INIT;
    failed.transient                                  = is_transient;
    message.result_case                               = PB__JOB_REPORT__RESULT_FAILED;
    message.failed                                    = &failed;
    call->command.values[0]                           = json_ref(failure);
    return report(play, call, &message, job, reterr);
}

status play_beat(struct play *play, const struct play_job *job, struct error *reterr)
{
    CLEANUP(stage_call_freep) struct stage_call *call = stage_call_new(COMMAND_HEARTBEAT, 0);
    Pb__Heartbeat beat                                = PB__HEARTBEAT__INIT;
    Pb__Heartbeat *list[]                             = {&beat};
    Pb__Heartbeats request                            = PB__HEARTBEATS__INIT;
    Pb__HeartbeatAnswers *response                    = stage_call_alloc(call, sizeof *response);
    *response              = (Pb__HeartbeatAnswers)PB__HEARTBEAT_ANSWERS__INIT;
    beat.job               = job->id.text;
    beat.lease_token       = token_of(job);
    request.worker         = "test";
    request.jobs           = list;
    request.n_jobs         = 1;
    call->command.request  = &request;
    call->command.response = response;
    TRY(stage_ask(play->stage, 0, call, reterr));
    status told = (status)response->jobs[0]->status;
    return told == STATUS_OK ? told : fail(reterr, told, "nobody wants the answer any more");
}

/* --- approvals ----------------------------------------------------------------------------------
 */

struct search {
    const struct play_decision *decision;
    struct arena *arena;
    Pb__ApprovalView *found; /* the oldest */
};

static bool is_of_task(const Pb__ApprovalView *row, const char *task)
{
    const char *last = strrchr(row->task, '/');
    return !task || strcmp(row->task, task) == 0 || (last && strcmp(last + 1, task) == 0);
}

static status see_approval(bytes, bytes value, struct error *reterr, void *context)
{
    struct search *search = context;
    Pb__ApprovalView *row = NULL;
    TRY(record_read(value, &pb__approval_view__descriptor, search->arena, &row, reterr));
    bool is_open = row->status == PB__APPROVAL_STATUS__APPROVAL_STATUS_PENDING;
    if (is_open && !search->found && is_of_task(row, search->decision->task)) search->found = row;
    return STATUS_OK;
}

static status find_approval(struct play *play, struct search *search, struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    struct page page                    = {};
    const struct scan scan              = {};
    TRY(txn_begin_read(stage_store(play->stage, 0), &txn, reterr));
    TRY(txn_page(txn, TABLE_APPROVALS, &scan, APPROVALS_MAX, &page, see_approval, search, reterr));
    if (search->found) return STATUS_OK;
    const char *task = search->decision->task;
    return fail(reterr, STATUS_FAILED_PRECONDITION, "no approval%s%s is open at this time",
                task ? " of the task " : "", task ? task : "");
}

static status check_form(const Pb__ApprovalView *row, json data, struct arena *arena,
                         struct error *reterr)
{
    if (row->form_json.len == 0 || json_is(data, JSON_INVALID)) return STATUS_OK;
    CLEANUP(json_unrefp) json form              = json_invalid();
    CLEANUP(schema_freep) struct schema *schema = NULL;
    struct error why                            = {};
    TRY(json_out(row->form_json, "form", &form, reterr));
    TRY(schema_compile(form, NULL, NULL, &schema, reterr));
    if (schema_check(schema, data, arena, NULL, &why) == STATUS_OK) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "the data does not fit the form: %s", why.text);
}

status play_decide(struct play *play, const struct play_decision *decision, struct error *reterr)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    struct search search                     = {.decision = decision, .arena = arena};
    TRY(find_approval(play, &search, reterr));
    TRY(check_form(search.found, decision->data, arena, reterr));
    CLEANUP(stage_call_freep) struct stage_call *call = stage_call_new(COMMAND_DECIDE, 1);
    Pb__DecideApproval request                        = PB__DECIDE_APPROVAL__INIT;
    Pb__ApprovalView *response                        = stage_call_alloc(call, sizeof *response);
    *response                                         = (Pb__ApprovalView)PB__APPROVAL_VIEW__INIT;
    request.id                                        = search.found->id;
    request.approve                                   = decision->is_approved;
    request.by                                        = decision->by ? decision->by : "test";
    request.comment                                   = decision->comment ? decision->comment : "";
    call->command.request                             = &request;
    call->command.response                            = response;
    call->command.values[0] =
        json_is(decision->data, JSON_INVALID) ? json_invalid() : json_ref(decision->data);
    memcpy(call->command.run.text, search.found->run, ID_LEN);
    return stage_ask(play->stage, 0, call, reterr);
}
