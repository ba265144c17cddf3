#include "scheduler/services/job_history.h"

#include "scheduler/run/event_codec.h"
#include "scheduler/run/state.h"
#include "scheduler/services/call.h"
#include "scheduler/tables/run_store.h"
#include "scheduler/tables/run_wire.h"
#include "scheduler/tables/tables.h"
#include "store/store.h"
#include "workflow/workflow.h"

enum {
    ENTRIES_MAX = 20'000, /* of one millisecond, that are looked through */
    US_PER_MS   = 1'000,
};

/* --- the entry ---------------------------------------------------------------------------------
 */

static bytes bytes_of(const struct key_u64 *key)
{
    return key_u64_bytes(key);
}

/* The first entry with this number or a greater one, of those that can be read: what is damaged is
 * somebody else's trouble. NOT_FOUND: there is none. */
static status entry_from(struct txn *txn, uint64_t number, uint64_t *ret_number,
                         struct entry_header *ret_header, struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct key_u64 from                    = key_of_u64(number);
    const struct scan scan                       = {.from = bytes_of(&from)};
    bytes key                                    = {};
    bytes entry                                  = {};
    TRY(cursor_open(txn, TABLE_JOURNAL, &scan, &cursor, reterr));
    do {
        TRY(cursor_next(cursor, &key, &entry, NULL));
    } while (key.len != sizeof(uint64_t) ||
             entry_read_header(entry, ret_header, NULL) != STATUS_OK);
    *ret_number = u64_from(key.ptr);
    return STATUS_OK;
}

/* The number from which on entries are of `time_us` or later. */
static status first_at(struct txn *txn, int64_t time_us, uint64_t *ret_number, struct error *reterr)
{
    uint64_t low = 1;
    bytes last   = {};
    bytes entry  = {};
    TRY(txn_last(txn, TABLE_JOURNAL, &last, &entry, NULL));
    if (last.len != sizeof(uint64_t)) return fail(reterr, STATUS_DATA_LOSS, "table journal: a key");
    uint64_t high = u64_from(last.ptr) + 1;
    while (low < high) {
        uint64_t middle            = low + (high - low) / 2;
        uint64_t number            = 0;
        struct entry_header header = {};
        status got                 = entry_from(txn, middle, &number, &header, reterr);
        if (got == STATUS_OK && header.time_us < time_us) {
            low = number + 1;
        } else if (got == STATUS_OK || got == STATUS_NOT_FOUND) {
            high = middle;
        } else {
            return got;
        }
    }
    *ret_number = low;
    return STATUS_OK;
}

struct seeking {
    str job;
    bool is_found;
};

static void look_at(const struct event *event, void *context)
{
    struct seeking *seeking = context;
    bool is_schedule        = event->kind == EVENT_JOB_SCHEDULED;
    if (is_schedule && str_is(seeking->job, event->id.text)) seeking->is_found = true;
}

static void pass_over(uint64_t, void *)
{
    /* A payload: it is not what is sought. */
}

/* The run whose entry scheduled the job. */
static status find_run(struct txn *txn, str job, struct id *ret_run, struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    struct seeking seeking                       = {.job = job};
    const struct entry_scanner scanner           = {
                  .payload = pass_over, .event = look_at, .context = &seeking};
    int64_t begin_us = id_unix_ms(job) * US_PER_MS;
    uint64_t first   = 0;
    TRY(first_at(txn, begin_us, &first, reterr));
    const struct key_u64 from = key_of_u64(first);
    const struct scan scan    = {.from = bytes_of(&from)};
    TRY(cursor_open(txn, TABLE_JOURNAL, &scan, &cursor, reterr));
    for (unsigned i = 0; i < ENTRIES_MAX; i++) {
        bytes key                  = {};
        bytes entry                = {};
        struct entry_header header = {};
        TRY(cursor_next(cursor, &key, &entry, NULL));
        if (entry_read_header(entry, &header, NULL) != STATUS_OK) continue;
        if (header.time_us >= begin_us + US_PER_MS) break;
        (void)entry_scan(entry, &scanner, NULL); /* of one that is damaged what can be read */
        if (!seeking.is_found) continue;
        *ret_run = id_unpack(header.run);
        return STATUS_OK;
    }
    return STATUS_NOT_FOUND;
}

/* --- the job -----------------------------------------------------------------------------------
 */

struct telling {
    str job;
    struct arena *arena;
    Pb__JobView *view;
    bool is_scheduled;
    status failed;
};

static void schedule(struct telling *telling, const struct run *run, const struct event *event)
{
    struct event_view shown             = {};
    Pb__LeasedJob *job                  = telling->view->job;
    const struct activation *activation = run_activation(run, event->activation);
    if (!activation) return;
    const struct task *task = activation_task(run, activation);
    event_view_make(run, event, &shown);
    if (task->kind == TASK_CALL) {
        job->queue    = text_in(telling->arena, str_from(task->call.queue));
        job->function = text_in(telling->arena, str_from(task->call.function));
    }
    job->task                = text_in(telling->arena, str_from(shown.reference));
    job->iteration           = text_in(telling->arena, buf_str(&shown.iteration));
    job->attempts_max        = event->attempts_max;
    job->priority            = event->priority;
    job->attempt             = event->attempt;
    telling->view->queued_us = event->time_us;
    telling->view->state     = "queued";
    telling->is_scheduled    = true;
    event_view_done(&shown);
}

static const char *state_of(const struct event *event)
{
    switch (event->kind) {
    case EVENT_JOB_COMPLETED: return "completed";
    case EVENT_JOB_FAILED: return event_says_cancelled(event) ? "cancelled" : "failed";
    case EVENT_JOB_DEAD: return "dead";
    case EVENT_JOB_CANCELLED: return "cancelled";
    default: return NULL;
    }
}

static void tell(const struct run *run, const struct event *event, void *context)
{
    struct telling *telling = context;
    bool is_its             = str_is(telling->job, event->id.text);
    if (!is_its) return;
    if (event->kind == EVENT_JOB_SCHEDULED) {
        schedule(telling, run, event);
        return;
    }
    const char *state = state_of(event);
    bool is_attempt   = event->kind == EVENT_JOB_RETRIED || state;
    if (is_attempt && event->attempt > 0) telling->view->job->attempt = event->attempt;
    if (state) telling->view->state = state;
    telling->view->error_json = (ProtobufCBinaryData){}; /* of an attempt before */
    if (event->error.kind == JSON_INVALID || telling->failed != STATUS_OK) return;
    telling->failed = json_in(telling->arena, event->error, &telling->view->error_json, NULL);
}

status job_history_fill(const struct shard *shard, str id, str namespace, struct arena *arena,
                        Pb__JobView *view, struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    CLEANUP(run_freep) struct run *run  = NULL;
    Pb__RunHead *head                   = NULL;
    Pb__RunView *row                    = NULL;
    struct id run_id                    = {};
    struct telling telling              = {.job = id, .arena = arena, .view = view};
    view->job                           = arena_alloc(arena, sizeof *view->job);
    if (!view->job) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    *view->job = (Pb__LeasedJob)PB__LEASED_JOB__INIT;
    TRY(txn_begin_read(shard->partition->store, &txn, reterr));
    TRY(find_run(txn, id, &run_id, reterr));
    TRY(run_rows_get(txn, str_from(run_id.text), arena, &row, &head, NULL));
    bool is_ours = str_is(namespace, "*") || str_is(namespace, row->namespace_);
    if (!is_ours) return STATUS_NOT_FOUND;
    const struct run_visit visit = {.visit = tell, .context = &telling};
    TRY(run_load(txn, scheduler_definitions(shard->scheduler), str_from(run_id.text), head,
                 (bytes){row->digest.data, row->digest.len}, true, &visit, &run, reterr));
    view->job->id         = text_in(arena, id);
    view->job->run        = text_in(arena, str_from(run_id.text));
    view->job->namespace_ = row->namespace_;
    view->job->workflow   = row->workflow;
    return telling.is_scheduled ? telling.failed : STATUS_NOT_FOUND;
}
