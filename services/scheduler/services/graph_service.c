/*
 * Workflows.Graph: a workflow as a picture, with the states of a run if one is named. What became
 * of each task is read out of the run's journal, as its history is.
 */
#include "base/assert.h"
#include "scheduler/run/event.h"
#include "scheduler/run/state.h"
#include "scheduler/services/call.h"
#include "scheduler/services/run_reader.h"
#include "scheduler/services/services.h"
#include "workflow.pb-c.h"
#include "workflow/graph.h"

/* --- states ----------------------------------------------------------------------------------- */

/* Executions of one task, in loops and after a `then`: an open one says more than those before. */
struct task_record {
    uint32_t open;
    enum graph_state last;
};

struct folding {
    struct task_record *records; /* by task */
    uint32_t count;
};

static void begin(struct task_record *record, enum graph_state state)
{
    record->open++;
    record->last = state;
}

static void end(struct task_record *record, enum graph_state state)
{
    if (record->open > 0) record->open--;
    record->last = record->open > 0 ? GRAPH_RUNNING : state;
}

/* What a task does while it is open. */
static enum graph_state open_state(const struct task *task)
{
    return task->kind == TASK_WAIT || task->kind == TASK_LISTEN ? GRAPH_WAITING : GRAPH_RUNNING;
}

static void fold(const struct run *run, const struct event *event, void *context)
{
    struct folding *folding = context;
    bool is_start = event->kind == EVENT_TASK_STARTED || event->kind == EVENT_TASK_SKIPPED;
    const struct activation *activation = is_start ? NULL : run_activation(run, event->activation);
    task_index task = is_start ? event->task : activation ? activation->task : TASK_NONE;
    if (task >= folding->count) return;
    struct task_record *record = &folding->records[task];
    switch ((int)event->kind) { /* all others change no state of a task */
    case EVENT_TASK_STARTED: begin(record, open_state(&run->workflow->tasks[task])); break;
    case EVENT_TASK_SKIPPED:
        if (record->open == 0) record->last = GRAPH_SKIPPED;
        break;
    case EVENT_TASK_COMPLETED: end(record, GRAPH_COMPLETED); break;
    case EVENT_TASK_FAULTED: end(record, GRAPH_FAULTED); break;
    case EVENT_TASK_CANCELLED: end(record, GRAPH_CANCELLED); break;
    case EVENT_TASK_RETRIED:
    case EVENT_JOB_RETRIED: record->last = GRAPH_RETRYING; break;
    default: break;
    }
}

/* --- of a run --------------------------------------------------------------------------------- */

static status check_is_of(const struct workflow *workflow, const Pb__GetGraph *request,
                          struct error *reterr)
{
    bool is_name    = !*request->name || strcmp(request->name, workflow->name) == 0;
    bool is_version = !*request->version || strcmp(request->version, "latest") == 0 ||
                      strcmp(request->version, workflow->version) == 0;
    if (is_name && is_version) return STATUS_OK;
    return fail_code(reterr, STATUS_NOT_FOUND, "not_found", "run %s is one of %s:%s", request->run,
                     workflow->name, workflow->version);
}

static status print(struct rpc_call *call, const struct workflow *workflow,
                    const enum graph_state *states, struct error *reterr)
{
    const Pb__GetGraph *request = call->request;
    Pb__WorkflowGraph *answer   = call->response;
    enum graph_format format;
    if (!graph_format_find(str_from(request->format), &format)) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "not_acceptable",
                         "format: one of json, mermaid, svg");
    }
    CLEANUP(buf_done) struct buf text = buf_init(GRAPH_SIZE_MAX);
    TRY(graph_print(workflow, format, states, &text, reterr));
    answer->content_type = graph_content_type(format);
    answer->text         = bytes_in(call->arena, buf_str(&text));
    if (!answer->text.data) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    return STATUS_OK;
}

static status print_run(struct rpc_call *call, const struct run_place *place, struct error *reterr)
{
    str id                              = str_from(place->id.text);
    struct definitions *definitions     = scheduler_definitions(place->shard->scheduler);
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    Pb__RunHead *head                   = NULL;
    Pb__RunView *row                    = NULL;
    TRY(txn_begin_read(place->shard->partition->store, &txn, reterr));
    TRY(run_rows_get(txn, id, call->arena, &row, &head, reterr));
    bytes digest                                             = {row->digest.data, row->digest.len};
    CLEANUP(workflow_unrefp) const struct workflow *workflow = NULL;
    TRY(definitions_get(definitions, txn, digest, &workflow, reterr));
    TRY(check_is_of(workflow, call->request, reterr));

    uint32_t count           = workflow->task_count;
    struct folding folding   = {.count = count};
    folding.records          = arena_alloc(call->arena, (count + 1) * sizeof *folding.records);
    enum graph_state *states = arena_alloc(call->arena, (count + 1) * sizeof *states);
    if (!folding.records || !states) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    const struct run_visit visit       = {.visit = fold, .context = &folding};
    CLEANUP(run_freep) struct run *run = NULL;
    TRY(run_load(txn, definitions, id, head, digest, true, &visit, &run, reterr));
    for (uint32_t i = 0; i < count; i++) states[i] = folding.records[i].last;
    return print(call, workflow, states, reterr);
}

/* --- of a definition -------------------------------------------------------------------------- */

static status print_definition(struct rpc_call *call, struct shard *shard, struct error *reterr)
{
    const Pb__GetGraph *request     = call->request;
    bool is_newest                  = strcmp(request->version, "latest") == 0;
    const struct workflow_name name = {
        .namespace = namespace_of_keys(call_namespace(call, request->namespace_)),
        .name      = str_from(request->name),
        .version   = str_from(is_newest ? "" : request->version),
    };
    CLEANUP(workflow_unrefp) const struct workflow *workflow = NULL;
    TRY(definitions_resolve(scheduler_definitions(call->context), shard->partition->store, &name,
                            &workflow, reterr));
    return print(call, workflow, NULL, reterr);
}

status graph_handle(struct rpc_call *call, struct error *reterr)
{
    const Pb__GetGraph *request = call->request;
    if (*request->run) {
        struct run_place place = {};
        TRY(run_find(call->context, str_from(request->run),
                     call_namespace(call, request->namespace_), call->arena, &place, reterr));
        if (!place.shard) return call_moved(call, place.partition);
        TRY(print_run(call, &place, reterr));
    } else {
        struct shard *shard = scheduler_shard(call->context, 0);
        if (!shard) return call_moved(call, 0);
        TRY(print_definition(call, shard, reterr));
    }
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}
