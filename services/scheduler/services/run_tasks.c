/*
 * Runs.Tasks: every execution of a task of a run, from its history: the journal is replayed, and
 * each event put down with the task it is about.
 */
#include "run.pb-c.h"
#include "scheduler/services/call.h"
#include "scheduler/services/run_reader.h"
#include "scheduler/services/services.h"
#include "scheduler/tables/run_wire.h"
#include "json/json_text.h"

enum {
    TASKS_DEFAULT  = 50,
    TASKS_MAX      = 500,
    TASKS_SIZE_MAX = 8 << 20, /* bytes of values in one answer, but for its first task */
};

struct gathering {
    struct arena *arena;
    const Pb__ListTasks *asked;
    Pb__TaskList *answer;
    uint32_t count_max;
    size_t size_bytes;
    status failed;
};

/* --- rows --------------------------------------------------------------------------------------
 */

/* By the event with which it began; NULL: it is not on this page. */
static Pb__TaskView *row_of(const struct gathering *gathering, uint64_t began)
{
    const Pb__TaskList *list = gathering->answer;
    size_t low               = 0;
    size_t high              = list->n_tasks;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->tasks[middle]->sequence < began) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool is_found = low < list->n_tasks && list->tasks[low]->sequence == began;
    return is_found ? list->tasks[low] : NULL;
}

static void put(struct gathering *gathering, ProtobufCBinaryData *place, json value)
{
    if (value.kind == JSON_INVALID || gathering->failed != STATUS_OK) return;
    gathering->failed = json_in(gathering->arena, value, place, NULL);
    gathering->size_bytes += place->len;
}

static void begin(struct gathering *gathering, const struct event_view *view, bool is_skipped)
{
    Pb__TaskList *list = gathering->answer;
    bool is_wanted =
        view->sequence > gathering->asked->after &&
        (!*gathering->asked->task || strcmp(gathering->asked->task, view->reference) == 0);
    if (!is_wanted || list->has_more) return;
    bool is_full = list->n_tasks == gathering->count_max || gathering->size_bytes > TASKS_SIZE_MAX;
    Pb__TaskView *row = is_full ? NULL : arena_alloc(gathering->arena, sizeof *row);
    list->has_more    = !row;
    if (!row) return;
    *row                         = (Pb__TaskView)PB__TASK_VIEW__INIT;
    row->sequence                = view->sequence;
    row->task                    = text_in(gathering->arena, str_from(view->reference));
    row->iteration               = text_in(gathering->arena, buf_str(&view->iteration));
    row->state                   = is_skipped ? "skipped" : "running";
    row->attempts                = is_skipped ? 0 : 1;
    row->started_us              = view->time_us;
    row->ended_us                = is_skipped ? view->time_us : 0;
    list->tasks[list->n_tasks++] = row;
}

/* What an event says of the task it is about. */
static void change(struct gathering *gathering, Pb__TaskView *row, const struct event_view *view)
{
    CLEANUP(json_unrefp) json data = json_invalid();
    const char *type               = view->type;
    if (view->data.len > 0) (void)json_parse(buf_str(&view->data), NULL, &data, NULL, NULL);
    if (view->job.text[0]) row->job = text_in(gathering->arena, str_from(view->job.text));
    if (view->attempt > 0) row->attempts = view->attempt;
    put(gathering, &row->error_json, json_get_text(data, "error"));
    bool is_end = strcmp(type, "task.completed") == 0 || strcmp(type, "task.faulted") == 0 ||
                  strcmp(type, "task.cancelled") == 0;
    if (!is_end) return;
    row->state    = type + strlen("task.");
    row->ended_us = view->time_us;
    put(gathering, &row->output_json, json_get_text(data, "output"));
}

static void gather(const struct run *run, const struct event *event, void *context)
{
    struct gathering *gathering = context;
    struct task_look look       = {};
    bool is_skip                = event->kind == EVENT_TASK_SKIPPED;
    bool is_start               = event->kind == EVENT_TASK_STARTED || is_skip;
    bool is_of_task             = is_start || (event->kind >= EVENT_TASK_COMPLETED &&
                                   run_look_at_task(run, event->activation, &look));
    Pb__TaskView *row           = is_of_task && !is_start ? row_of(gathering, look.began) : NULL;
    if (!is_start && !row) return;
    struct event_view view = {};
    event_view_make(run, event, &view);
    bool is_about_task = *view.reference != '\0';
    if (is_start) {
        begin(gathering, &view, is_skip);
    } else if (is_about_task) {
        if (row->input_json.len == 0) put(gathering, &row->input_json, look.input);
        change(gathering, row, &view);
    }
    event_view_done(&view);
}

/* --- the answer --------------------------------------------------------------------------------
 */

static void look_at_open(struct gathering *gathering, const struct run *run)
{
    for (uint32_t i = 0; i < run_task_slots(run); i++) {
        struct task_look look = {};
        if (!run_look_at_task(run, i, &look)) continue;
        Pb__TaskView *row = row_of(gathering, look.began);
        if (!row) continue;
        row->state = look.state;
        if (row->input_json.len == 0) put(gathering, &row->input_json, look.input);
    }
}

static status fill(struct rpc_call *call, const struct run_place *place, struct error *reterr)
{
    const Pb__ListTasks *request        = call->request;
    Pb__TaskList *answer                = call->response;
    str id                              = str_from(place->id.text);
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    CLEANUP(run_freep) struct run *run  = NULL;
    Pb__RunHead *head                   = NULL;
    Pb__RunView *row                    = NULL;
    struct gathering gathering          = {};
    gathering.arena                     = call->arena;
    gathering.asked                     = request;
    gathering.answer                    = answer;
    gathering.count_max                 = TASKS_DEFAULT;
    if (request->count_max > 0) gathering.count_max = request->count_max;
    if (gathering.count_max > TASKS_MAX) gathering.count_max = TASKS_MAX;
    answer->tasks = arena_alloc(call->arena, gathering.count_max * sizeof *answer->tasks);
    if (!answer->tasks) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    TRY(txn_begin_read(place->shard->partition->store, &txn, reterr));
    TRY(run_rows_get(txn, id, call->arena, &row, &head, reterr));
    const struct run_visit visit = {.visit = gather, .context = &gathering};
    TRY(run_load(txn, scheduler_definitions(call->context), id, head,
                 (bytes){row->digest.data, row->digest.len}, true, &visit, &run, reterr));
    look_at_open(&gathering, run);
    if (gathering.failed == STATUS_OK) return STATUS_OK;
    return fail(reterr, gathering.failed, "the answer is too large: ask for fewer tasks");
}

status run_tasks_handle(struct rpc_call *call, struct error *reterr)
{
    const Pb__ListTasks *request = call->request;
    struct run_place place       = {};
    TRY(run_find(call->context, str_from(request->id), call_namespace(call, request->namespace_),
                 call->arena, &place, reterr));
    if (!place.shard) return call_moved(call, place.partition);
    TRY(fill(call, &place, reterr));
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}
