/* Jobs: what workers ask for and hand back. */
#include "base/mem.h"
#include "job.pb-c.h"
#include "scheduler/engine/jobs/poll.h"
#include "scheduler/run/undo.h"
#include "scheduler/services/call.h"
#include "scheduler/services/services.h"
#include "scheduler/tables/run_wire.h"

#include <stdlib.h>

enum {
    QUEUE_NAME_MAX   = 127,   /* bytes: two DNS labels and a dot */
    FUNCTIONS_MAX    = 32,    /* of one poll */
    FUNCTION_MAX     = 127,   /* bytes */
    REPORTS_MAX      = 1'000, /* of one call */
    HEARTBEATS_MAX   = 10'000,
    REASON_MAX       = 1'000,
    REPORT_VALUE_MAX = 16 << 20, /* bytes of one output */
};

/* --- lease -------------------------------------------------------------------------------------
 */

static status check_functions(const Pb__LeaseJobs *request, struct error *reterr)
{
    if (request->n_functions > FUNCTIONS_MAX ||
        request->n_functions * request->n_queues > POLL_PLACES_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "functions: at most %d, times queues %d",
                    FUNCTIONS_MAX, POLL_PLACES_MAX);
    }
    for (size_t i = 0; i < request->n_functions; i++) {
        size_t len = strlen(request->functions[i]);
        if (len == 0 || len > FUNCTION_MAX) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "functions: names of 1 to %d bytes",
                        FUNCTION_MAX);
        }
    }
    for (size_t i = 0; i < request->n_queues && request->n_functions > 0; i++) {
        if (!queue_is_own(str_from(request->queues[i]))) continue;
        return fail(reterr, STATUS_INVALID_ARGUMENT, "functions: not of tutti's own queues");
    }
    return STATUS_OK;
}

static status check_lease(const Pb__LeaseJobs *request, struct error *reterr)
{
    if (request->n_queues == 0 || request->n_queues > POLL_QUEUES_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "queues: 1 to %d", POLL_QUEUES_MAX);
    }
    for (size_t i = 0; i < request->n_queues; i++) {
        size_t len = strlen(request->queues[i]);
        if (len == 0 || len > QUEUE_NAME_MAX) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "queues: names of 1 to %d bytes",
                        QUEUE_NAME_MAX);
        }
    }
    return check_functions(request, reterr);
}

static status lease(struct rpc_call *call, struct error *reterr)
{
    struct shard *shard = scheduler_shard(call->context, call->partition);
    if (!shard) return call_moved(call, call->partition);
    TRY(check_lease(call->request, reterr));
    struct command *command = call_command(call, COMMAND_LEASE, 0);
    if (!command) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    call_post(call, shard, command);
    return STATUS_OK;
}

static void on_gave_up(struct command *command)
{
    free(command);
}

/* The call itself is the engine's; this only tells the engine that nobody waits any more. */
static void lease_cancel(struct rpc_call *call)
{
    struct shard *shard = scheduler_shard(call->context, call->partition);
    if (!shard) return;
    struct command *command = mem_new(1, sizeof *command);
    *command                = (struct command){.mail = {.size_bytes = sizeof *command},
                                               .kind = COMMAND_LEASE_GIVE_UP,
                                               .id   = call->id,
                                               .done = on_gave_up};
    /* A full mailbox: the poll ends by its own wait. */
    if (engine_post(shard->engine, command, NULL) != STATUS_OK) free(command);
}

/* --- heartbeat and report ----------------------------------------------------------------------
 */

static status heartbeat(struct rpc_call *call, struct error *reterr)
{
    const Pb__Heartbeats *request = call->request;
    struct shard *shard           = scheduler_shard(call->context, call->partition);
    if (!shard) return call_moved(call, call->partition);
    if (request->n_jobs > HEARTBEATS_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "jobs: at most %d", HEARTBEATS_MAX);
    }
    struct command *command = call_command(call, COMMAND_HEARTBEAT, 0);
    if (!command) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    call_post(call, shard, command);
    return STATUS_OK;
}

/* A value that does not parse stays invalid: the engine then refuses that one report. */
static json report_value(const Pb__JobReport *report)
{
    ProtobufCBinaryData text = {};
    if (report->result_case == PB__JOB_REPORT__RESULT_COMPLETED) {
        text = report->completed->output_json;
    } else if (report->result_case == PB__JOB_REPORT__RESULT_FAILED) {
        text = report->failed->error_json;
    } else if (report->result_case == PB__JOB_REPORT__RESULT_RELEASED) {
        text = report->released->question_json;
    }
    json value = json_invalid();
    if (text.len > REPORT_VALUE_MAX) return value;
    if (json_out(text, "result", &value, NULL) != STATUS_OK) return json_invalid();
    return value;
}

/* The calls that undo it. What cannot be read stands for one that cannot be made: it becomes a dead
 * letter when it is due, and the work itself counts. */
static json report_undo(const Pb__JobReport *report)
{
    ProtobufCBinaryData text = {};
    json value               = json_invalid();
    if (report->result_case == PB__JOB_REPORT__RESULT_COMPLETED) {
        text = report->completed->undo_json;
    } else if (report->result_case == PB__JOB_REPORT__RESULT_FAILED) {
        text = report->failed->undo_json;
    }
    if (text.len == 0) return value;
    bool is_read = text.len <= REPORT_VALUE_MAX &&
                   json_out(text, "undo", &value, NULL) == STATUS_OK &&
                   json_is(value, JSON_ARRAY) && json_count(value) <= UNDO_CALLS_MAX;
    if (is_read) return value;
    json_unref(value);
    value = json_array_new(1);
    json_array_push(&value, json_null());
    return value;
}

static status report(struct rpc_call *call, struct error *reterr)
{
    const Pb__JobReports *request = call->request;
    struct shard *shard           = scheduler_shard(call->context, call->partition);
    if (!shard) return call_moved(call, call->partition);
    if (request->n_reports > REPORTS_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "reports: at most %d", REPORTS_MAX);
    }
    if (request->next) TRY(check_lease(request->next, reterr));
    if (request->next && request->next->n_functions > 0) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "next: takes jobs of all functions");
    }
    struct command *command = call_command(call, COMMAND_REPORT, 2 * request->n_reports);
    if (!command) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    command->mail.parts = request->n_reports;
    for (size_t i = 0; i < request->n_reports; i++) {
        command->values[2 * i]     = report_value(request->reports[i]);
        command->values[2 * i + 1] = report_undo(request->reports[i]);
    }
    call_post(call, shard, command);
    return STATUS_OK;
}

/* --- cancel ------------------------------------------------------------------------------------
 */

static status cancel(struct rpc_call *call, struct error *reterr)
{
    const Pb__CancelJob *request = call->request;
    str id                       = str_from(request->id);
    if (!id_is_valid(id)) {
        return fail_code(reterr, STATUS_NOT_FOUND, "not_found", "there is no open job %.40s",
                         request->id);
    }
    if (strlen(request->reason) > REASON_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "reason: at most %d bytes", REASON_MAX);
    }
    struct shard *shard = scheduler_shard(call->context, id_partition(id));
    if (!shard) return call_moved(call, id_partition(id));
    struct command *command = call_command(call, COMMAND_CANCEL_JOB, 0);
    if (!command) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    command->namespace = call_namespace(call, request->namespace_);
    call_post(call, shard, command);
    return STATUS_OK;
}

const struct rpc_method job_service_methods[] = {
    {.name = "Lease", .handle = lease, .cancel = lease_cancel},
    {.name = "Heartbeat", .handle = heartbeat},
    {.name = "Report", .handle = report},
    {.name = "Get", .handle = job_get_handle},
    {.name = "Cancel", .handle = cancel},
    {},
};
