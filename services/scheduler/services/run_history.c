/*
 * Runs.History. Events are shown by replaying the journal onto the run's state, because an entry
 * holds only what the state does not. The replay begins at the snapshot if that is old enough, so
 * whoever follows a run pays for its newest entries only.
 */
#include "scheduler/services/run_history.h"

#include "base/clock.h"
#include "run.pb-c.h"
#include "scheduler/engine/jobs/job_progress.h"
#include "scheduler/engine/queues/board.h"
#include "scheduler/services/call.h"
#include "scheduler/services/services.h"
#include "scheduler/tables/run_wire.h"

enum {
    EVENTS_DEFAULT      = 500,
    EVENTS_PER_CALL_MAX = 5'000,
    EVENTS_SIZE_MAX     = 8 << 20, /* bytes of data in one answer, but for its first event */
    WAIT_MS_MAX         = 60'000,
};

struct gathering {
    struct arena *arena;
    Pb__RunHistory *answer;
    uint64_t after; /* events with a larger sequence */
    uint32_t count_max;
    size_t size_bytes;
    bool is_full;
};

static void gather(const struct run *run, const struct event *event, void *context)
{
    struct gathering *gathering = context;
    if (event->sequence <= gathering->after || gathering->is_full) return;

    Pb__HistoryEvent *shown = arena_alloc(gathering->arena, sizeof *shown);
    if (!shown) {
        gathering->is_full = true;
        return;
    }
    struct event_view view = {};
    event_view_make(run, event, &view);
    *shown           = (Pb__HistoryEvent)PB__HISTORY_EVENT__INIT;
    shown->sequence  = view.sequence;
    shown->time_us   = view.time_us;
    shown->type      = view.type;
    shown->task      = text_in(gathering->arena, str_from(view.reference));
    shown->iteration = text_in(gathering->arena, buf_str(&view.iteration));
    shown->job       = text_in(gathering->arena, str_from(view.job.text));
    shown->attempt   = view.attempt;
    shown->data_json = bytes_in(gathering->arena, buf_str(&view.data));
    gathering->size_bytes += view.data.len;
    event_view_done(&view);

    Pb__RunHistory *answer             = gathering->answer;
    answer->events[answer->n_events++] = shown;
    gathering->is_full =
        answer->n_events == gathering->count_max || gathering->size_bytes >= EVENTS_SIZE_MAX;
}

static void reverse(Pb__RunHistory *answer)
{
    for (size_t i = 0; i < answer->n_events / 2; i++) {
        size_t j                 = answer->n_events - 1 - i;
        Pb__HistoryEvent *before = answer->events[i];
        answer->events[i]        = answer->events[j];
        answer->events[j]        = before;
    }
}

static uint32_t count_of(const Pb__ReadHistory *request)
{
    if (request->count_max == 0) return EVENTS_DEFAULT;
    return request->count_max < EVENTS_PER_CALL_MAX ? request->count_max : EVENTS_PER_CALL_MAX;
}

/* Fills the answer from what is committed now. */
static status fill(struct rpc_call *call, const struct run_place *place, struct error *reterr)
{
    const Pb__ReadHistory *request      = call->request;
    Pb__RunHistory *answer              = call->response;
    str id                              = str_from(place->id.text);
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    Pb__RunHead *head                   = NULL;
    Pb__RunView *row                    = NULL;
    TRY(txn_begin_read(place->shard->partition->store, &txn, reterr));
    TRY(run_rows_get(txn, id, call->arena, &row, &head, reterr));

    struct gathering gathering = {.arena     = call->arena,
                                  .answer    = answer,
                                  .after     = request->after,
                                  .count_max = count_of(request)};
    bool is_long               = head->last_sequence > gathering.count_max;
    if (request->newest_first && is_long) {
        uint64_t first = head->last_sequence - gathering.count_max;
        if (first > gathering.after) gathering.after = first;
    }
    answer->n_events          = 0;
    answer->run_id            = text_in(call->arena, id);
    answer->status            = (Pb__RunStatus)head->status;
    answer->last_sequence     = head->last_sequence;
    answer->progress_permille = head->progress_permille;
    answer->phase             = head->phase;
    answer->events = arena_alloc(call->arena, gathering.count_max * sizeof *answer->events);
    if (!answer->events) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    if (request->wants_jobs) {
        struct job_progress *progress = board_progress(place->shard->board);
        answer->n_jobs =
            job_progress_of_run(progress, id, request->jobs_after, call->arena, &answer->jobs);
    }
    if (head->last_sequence <= gathering.after) return STATUS_OK;

    CLEANUP(run_freep) struct run *run = NULL;
    bool from_start                    = gathering.after < head->snapshot_sequence;
    const struct run_visit visit       = {
              .visit = gather, .context = &gathering, .is_done = &gathering.is_full};
    TRY(run_load(txn, scheduler_definitions(place->shard->scheduler), id, head,
                 (bytes){row->digest.data, row->digest.len}, from_start, &visit, &run, reterr));
    if (request->newest_first) reverse(answer);
    return STATUS_OK;
}

static bool has_something_to_say(const Pb__RunHistory *answer)
{
    return answer->n_events > 0 || run_status_wire_is_final(answer->status);
}

/* The place was found when the call came, and is found again: cheaper than keeping it. */
static status find(struct rpc_call *call, struct run_place *ret_place, struct error *reterr)
{
    const Pb__ReadHistory *request = call->request;
    return run_find(call->context, str_from(request->id), call_namespace(call, request->namespace_),
                    call->arena, ret_place, reterr);
}

bool run_history_answer(struct rpc_call *call, bool is_last)
{
    struct run_place place = {};
    struct error error     = {};
    status code            = find(call, &place, &error);
    if (code == STATUS_OK) code = fill(call, &place, &error);
    if (code == STATUS_OK && !has_something_to_say(call->response) && !is_last) return false;
    rpc_reply(call, code, code == STATUS_OK ? NULL : &error);
    return true;
}

status run_history_handle(struct rpc_call *call, struct error *reterr)
{
    const Pb__ReadHistory *request = call->request;
    struct run_place place         = {};
    TRY(find(call, &place, reterr));
    if (!place.shard) return call_moved(call, place.partition);
    TRY(fill(call, &place, reterr));
    if (request->wait_ms == 0 || has_something_to_say(call->response)) {
        rpc_reply(call, STATUS_OK, NULL);
        return STATUS_OK;
    }
    uint32_t wait_ms = request->wait_ms < WAIT_MS_MAX ? request->wait_ms : WAIT_MS_MAX;
    return history_wait(scheduler_history_waits(call->context), call, str_from(place.id.text),
                        clock_mono_ms() + wait_ms, reterr);
}

void run_history_cancel(struct rpc_call *call)
{
    history_cancel(scheduler_history_waits(call->context), call);
}
