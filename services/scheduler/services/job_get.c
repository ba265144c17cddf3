/*
 * One job: while it is open, as its rows say, and how it stands in its queue as the engine knows; a
 * dead letter by its row; afterwards as the history of its run has it.
 */
#include "job.pb-c.h"
#include "scheduler/engine/breakers/job_wait.h"
#include "scheduler/engine/jobs/job_progress.h"
#include "scheduler/engine/jobs/job_rows.h"
#include "scheduler/engine/queues/board.h"
#include "scheduler/services/call.h"
#include "scheduler/services/job_history.h"
#include "scheduler/services/services.h"
#include "scheduler/tables/dead_letters.h"
#include "scheduler/tables/record.h"

#include "base/clock.h"

static status not_found(const char *id, struct error *reterr)
{
    return fail_code(reterr, STATUS_NOT_FOUND, "not_found",
                     "there is no job %.40s, nor a run that is kept and had it", id);
}

/* Its place in the queue says whether somebody has it; without one it is a dead letter. */
status job_state_fill(struct txn *txn, const Pb__JobRecord *record, struct arena *arena,
                      Pb__JobView *view, struct error *reterr)
{
    Pb__ReadyRecord *ready = NULL;
    str target             = {};
    int64_t now_us         = clock_unix_us();
    TRY(ready_row_of(txn, record, arena, &ready, reterr));
    view->state = "dead";
    if (!ready) return STATUS_OK;
    TRY(job_wait_target(txn, ready, record->due_us, now_us, arena, &target, reterr));
    view->state        = record->due_us > now_us ? "delayed" : "queued";
    const char *budget = job_wait_budget(ready, record->due_us, now_us);
    bool asks          = record->job->asked_json.len > 0 && record->job->answer_json.len == 0;
    if (ready->is_held || target.len > 0 || budget || asks) view->state = "held";
    if (ready->is_leased) {
        view->state  = "leased";
        view->holder = ready->holder;
    }
    return STATUS_OK;
}

struct reading {
    struct arena *arena;
    Pb__JobView *view;
};

static status take_error(bytes, const Pb__DeadLetterRecord *row, struct error *, void *context)
{
    const struct reading *reading = context;
    str text                      = {(const char *)row->error_json.data, row->error_json.len};
    reading->view->error_json     = bytes_in(reading->arena, text);
    return STATUS_OK;
}

/* Why a dead letter is one. */
static status fill_error(struct txn *txn, const Pb__JobRecord *record, struct arena *arena,
                         Pb__JobView *view, struct error *reterr)
{
    struct reading reading            = {.arena = arena, .view = view};
    const struct letter_filter filter = {.namespace = str_from("*"),
                                         .job       = str_from(record->job->id),
                                         .run       = str_from(record->job->run)};
    if (strcmp(view->state, "dead") != 0) return STATUS_OK;
    return letters_visit(txn, &filter, take_error, &reading, reterr);
}

/* By its rows. NOT_FOUND: there are none. */
static status row_fill(struct rpc_call *call, const struct shard *shard, str id, str namespace,
                       struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    Pb__JobView *view                   = call->response;
    Pb__JobRecord *record               = NULL;
    struct key key;
    TRY(txn_begin_read(shard->partition->store, &txn, reterr));
    id_key(&key, id);
    status got   = record_get(txn, TABLE_JOBS, key_bytes(&key), &pb__job_record__descriptor,
                              call->arena, &record, NULL);
    bool is_ours = got == STATUS_OK && record->job &&
                   (str_is(namespace, "*") || str_is(namespace, record->job->namespace_));
    if (!is_ours) return STATUS_NOT_FOUND;
    TRY(job_state_fill(txn, record, call->arena, view, reterr));
    TRY(fill_error(txn, record, call->arena, view, reterr));
    record->job->input_json      = (ProtobufCBinaryData){};
    record->job->checkpoint_json = (ProtobufCBinaryData){};
    record->job->asked_json      = (ProtobufCBinaryData){};
    record->job->answer_json     = (ProtobufCBinaryData){};
    record->job->lease_token     = (ProtobufCBinaryData){};
    view->job                    = record->job;
    if (record->due_us < JOB_ASKS_US) view->due_us = record->due_us;
    view->queued_us = record->queued_us;
    str said        = job_progress_of(board_progress(shard->board), id, call->arena);
    view->progress_json =
        (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)said.ptr, .len = said.len};
    return STATUS_OK;
}

status job_get_handle(struct rpc_call *call, struct error *reterr)
{
    const Pb__GetJob *request = call->request;
    const Pb__JobView *view   = call->response;
    str id                    = str_from(request->id);
    str namespace             = call_namespace(call, request->namespace_);
    if (!id_is_valid(id)) return not_found(request->id, reterr);
    struct shard *shard = scheduler_shard(call->context, id_partition(id));
    if (!shard) return call_moved(call, id_partition(id));

    status found = row_fill(call, shard, id, namespace, reterr);
    if (found == STATUS_NOT_FOUND) {
        found = job_history_fill(shard, id, namespace, call->arena, call->response, reterr);
        if (found == STATUS_NOT_FOUND) return not_found(request->id, reterr);
        TRY(found);
        rpc_reply(call, STATUS_OK, NULL);
        return STATUS_OK;
    }
    TRY(found);
    if (strcmp(view->state, "dead") == 0) {
        rpc_reply(call, STATUS_OK, NULL);
        return STATUS_OK;
    }
    struct command *command = call_command(call, COMMAND_LOOK_AT_JOB, 0);
    if (!command) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    call_post(call, shard, command);
    return STATUS_OK;
}
