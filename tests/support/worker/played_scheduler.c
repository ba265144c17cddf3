#include "support/worker/played_scheduler.h"

#include "job.pb-c.h"
#include "support/cmocka.h"
#include "system.pb-c.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* --- what it is asked --------------------------------------------------------------------------
 */

/* Under the mutex. */
static void fill(struct played_scheduler *it, struct arena *arena, Pb__LeasedJobs *answer)
{
    answer->jobs = arena_alloc(arena, it->to_lease * sizeof *answer->jobs);
    for (; it->to_lease > 0; it->to_lease--) {
        Pb__LeasedJob *job = arena_alloc(arena, sizeof *job);
        pb__leased_job__init(job);
        job->id           = arena_printf(arena, "%s-%u", it->job_id, it->to_lease);
        job->run          = "run";
        const char *token = it->next_token ? it->next_token : "token";
        job->lease_token  = (ProtobufCBinaryData){strlen(token), (uint8_t *)(uintptr_t)token};
        answer->jobs[answer->n_jobs++] = job;
        it->leased++;
    }
}

/* Under the mutex. */
static void give(struct played_scheduler *it, struct rpc_call *call)
{
    fill(it, call->arena, call->response);
}

static status lease(struct rpc_call *call, struct error *)
{
    struct played_scheduler *it  = call->context;
    const Pb__LeaseJobs *request = call->request;
    (void)pthread_mutex_lock(&it->mutex);
    it->polls++;
    it->last_count_max = request->count_max;
    bool gives         = it->to_lease > 0;
    if (gives) {
        give(it, call);
    } else {
        it->parked = call;
    }
    (void)pthread_mutex_unlock(&it->mutex);
    if (gives) rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

static void lease_cancel(struct rpc_call *call)
{
    struct played_scheduler *it = call->context;
    (void)pthread_mutex_lock(&it->mutex);
    bool is_parked = it->parked == call;
    if (is_parked) it->parked = NULL;
    (void)pthread_mutex_unlock(&it->mutex);
    if (is_parked) rpc_reply(call, STATUS_CANCELLED, NULL);
}

static bool has_token(const Pb__Heartbeat *beat, const char *token)
{
    return token && beat->lease_token.len == strlen(token) &&
           memcmp(beat->lease_token.data, token, beat->lease_token.len) == 0;
}

static status heartbeat(struct rpc_call *call, struct error *reterr)
{
    struct played_scheduler *it   = call->context;
    const Pb__Heartbeats *request = call->request;
    Pb__HeartbeatAnswers *answer  = call->response;
    if (it->heartbeat) return it->heartbeat(call, reterr, it->context);
    answer->jobs = arena_alloc(call->arena, request->n_jobs * sizeof *answer->jobs);
    (void)pthread_mutex_lock(&it->mutex);
    for (size_t i = 0; i < request->n_jobs; i++) {
        Pb__HeartbeatAnswer *job = arena_alloc(call->arena, sizeof *job);
        pb__heartbeat_answer__init(job);
        job->job                        = request->jobs[i]->job;
        const ProtobufCBinaryData *said = &request->jobs[i]->progress_json;
        if (said->len > 0) {
            (void)snprintf(it->progress, sizeof it->progress, "%.*s", (int)said->len,
                           (const char *)said->data);
        }
        job->cancel  = it->says_cancel;
        bool is_lost = it->says_lost || has_token(request->jobs[i], it->lost_token);
        job->status  = is_lost ? STATUS_FAILED_PRECONDITION : STATUS_OK;
        answer->jobs[answer->n_jobs++] = job;
    }
    it->beats++;
    it->tellings += request->is_all ? 1 : 0;
    it->dead        = request->dead;
    it->dead_before = request->n_dead_before;
    if (it->dead_before > 0) it->oldest = request->dead_before[it->dead_before - 1];
    if (it->dead) it->polls_before = it->polls;
    it->beaten_jobs += (unsigned)request->n_jobs;
    bool is_refused = it->beats_refused > 0;
    if (is_refused) it->beats_refused--;
    bool waits = it->beats_wait;
    if (waits) it->beat = call;
    (void)pthread_mutex_unlock(&it->mutex);
    if (is_refused) return fail(reterr, STATUS_UNAVAILABLE, "not now");
    if (!waits) rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

static void note_result(struct played_scheduler *it, const Pb__JobReport *report)
{
    (void)snprintf(it->token, sizeof it->token, "%.*s", (int)report->lease_token.len,
                   (const char *)report->lease_token.data);
    const ProtobufCBinaryData *text = NULL;
    if (report->result_case == PB__JOB_REPORT__RESULT_COMPLETED) {
        text = &report->completed->output_json;
    } else if (report->result_case == PB__JOB_REPORT__RESULT_FAILED) {
        text = &report->failed->error_json;
    }
    (void)snprintf(it->result, sizeof it->result, "%.*s", text ? (int)text->len : 0,
                   text ? (const char *)text->data : "");
    if (!text) (void)snprintf(it->result, sizeof it->result, "%s", report->released->reason);
}

static status report(struct rpc_call *call, struct error *reterr)
{
    struct played_scheduler *it   = call->context;
    const Pb__JobReports *request = call->request;
    Pb__JobReportAnswers *answer  = call->response;
    answer->reports = arena_alloc(call->arena, request->n_reports * sizeof *answer->reports);
    (void)pthread_mutex_lock(&it->mutex);
    it->report_calls++;
    it->last_next_max = request->next ? request->next->count_max : 0;
    status code       = it->report_answer;
    if (it->refuses_together && request->n_reports > 1) code = STATUS_INVALID_ARGUMENT;
    for (size_t i = 0; i < request->n_reports; i++) {
        Pb__JobReportAnswer *item = arena_alloc(call->arena, sizeof *item);
        pb__job_report_answer__init(item);
        item->job                            = request->reports[i]->job;
        item->status                         = it->item_status;
        answer->reports[answer->n_reports++] = item;
        it->reports++;
        note_result(it, request->reports[i]);
    }
    if (code == STATUS_OK && request->next && it->to_follow > 0) {
        Pb__LeasedJobs leased = PB__LEASED_JOBS__INIT;
        it->to_lease          = it->to_follow;
        it->to_follow         = 0;
        fill(it, call->arena, &leased);
        answer->jobs   = leased.jobs;
        answer->n_jobs = leased.n_jobs;
    }
    (void)pthread_mutex_unlock(&it->mutex);
    if (code != STATUS_OK) return fail(reterr, code, "not now");
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

/* There is one partition. */
static bool owns(uint16_t partition, struct rpc_moved *, void *)
{
    return partition == 0;
}

static status topology(struct rpc_call *call, struct error *reterr)
{
    struct played_scheduler *it = call->context;
    (void)pthread_mutex_lock(&it->mutex);
    bool is_refused = it->topologies_refused > 0;
    if (is_refused) it->topologies_refused--;
    (void)pthread_mutex_unlock(&it->mutex);
    if (is_refused) return fail(reterr, STATUS_UNAVAILABLE, "not now");
    ((Pb__TopologyView *)call->response)->partition_count = 1;
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

static const struct rpc_method job_methods[] = {
    {.name = "Lease", .handle = lease, .cancel = lease_cancel},
    {.name = "Heartbeat", .handle = heartbeat},
    {.name = "Report", .handle = report},
    {}};
static const struct rpc_method system_methods[] = {{.name = "Topology", .handle = topology}, {}};

/* --- the test's side ---------------------------------------------------------------------------
 */

void played_scheduler_start(struct played_scheduler *it)
{
    const struct rpc_service services[]     = {{&pb__jobs__descriptor, job_methods, it},
                                               {&pb__system__descriptor, system_methods, it},
                                               {}};
    const struct rpc_server_options options = {
        .url = it->url, .services = services, .hooks = {.owns = owns}, .drain_ms = 100};
    struct error error = {};
    if (rpc_server_start(&options, &it->server, &error) != STATUS_OK) fail_msg("%s", error.text);
}

void played_scheduler_stop(struct played_scheduler *it)
{
    rpc_server_stopp(&it->server);
    it->parked = NULL;
}

void played_scheduler_init(struct played_scheduler *it)
{
    static atomic_uint number;
    if (!it->job_id) it->job_id = "job";
    (void)pthread_mutex_init(&it->mutex, NULL);
    (void)snprintf(it->url, sizeof it->url, "inproc://played-scheduler-%u", number++);
    played_scheduler_start(it);
}

void played_scheduler_done(struct played_scheduler *it)
{
    played_scheduler_stop(it);
    (void)pthread_mutex_destroy(&it->mutex);
}

void played_scheduler_offer(struct played_scheduler *it, unsigned count, const char *id)
{
    (void)pthread_mutex_lock(&it->mutex);
    it->to_lease          = count;
    it->job_id            = id;
    struct rpc_call *call = it->parked;
    it->parked            = NULL;
    if (call) give(it, call);
    (void)pthread_mutex_unlock(&it->mutex);
    if (call) rpc_reply(call, STATUS_OK, NULL);
}

unsigned played_scheduler_count(struct played_scheduler *it, const unsigned *counter)
{
    (void)pthread_mutex_lock(&it->mutex);
    unsigned now = *counter;
    (void)pthread_mutex_unlock(&it->mutex);
    return now;
}
