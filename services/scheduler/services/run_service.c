/* Runs: starts, cancels, signals, views, ends. Lists and histories: run_list.c, run_history.c. */
#include "base/clock.h"
#include "base/hash.h"
#include "run.pb-c.h"
#include "scheduler/engine/commands/start_key.h"
#include "scheduler/services/call.h"
#include "scheduler/services/run_why.h"
#include "scheduler/services/services.h"
#include "scheduler/tables/run_wire.h"
#include "schema/schema.h"

enum {
    INPUT_SIZE_MAX      = 1 << 20, /* bytes: the HTTP API's body */
    LABELS_MAX          = 16,
    LABEL_KEY_MAX       = 63,  /* characters; checked as bytes */
    LABEL_VALUE_MAX     = 255, /* likewise */
    IDEMPOTENCY_KEY_MAX = 255,
    SIGNAL_NAME_MAX     = 255,
    REASON_MAX          = 1'000,
    WATCHES_PER_CALL    = 10'000,
    PULL_WAIT_MS_MAX    = 60'000,
};

/* --- start: checks -----------------------------------------------------------------------------
 */

static status check_labels(const Pb__StartRun *request, struct error *reterr)
{
    if (request->n_labels > LABELS_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "labels: at most %d", LABELS_MAX);
    }
    for (size_t i = 0; i < request->n_labels; i++) {
        const Pb__Label *label = request->labels[i];
        size_t key_len         = strlen(label->key);
        if (key_len == 0 || key_len > LABEL_KEY_MAX || strlen(label->value) > LABEL_VALUE_MAX) {
            return fail(reterr, STATUS_INVALID_ARGUMENT,
                        "labels: a key of 1 to %d, a value of at most %d characters", LABEL_KEY_MAX,
                        LABEL_VALUE_MAX);
        }
    }
    return STATUS_OK;
}

static status check_start(const Pb__StartRun *request, struct error *reterr)
{
    if (strlen(request->signal) > SIGNAL_NAME_MAX || request->signal_json.len > SIGNAL_DATA_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "signal: a name of at most %d, data of %d bytes", SIGNAL_NAME_MAX,
                    SIGNAL_DATA_MAX);
    }
    if (request->draft && *request->signal) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "signal: not to a draft, which has not started");
    }
    if (*request->client_id && !client_id_is_valid(str_from(request->client_id))) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "client_id: [A-Za-z0-9._:-]{1,128}, and not of the form of a generated id");
    }
    if (request->input_json.len > INPUT_SIZE_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "input: over %d bytes", INPUT_SIZE_MAX);
    }
    if (request->priority > JOB_PRIORITY_MAX + 1) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "priority: 0 to %d", JOB_PRIORITY_MAX);
    }
    if (request->deadline_us < 0 || request->budget_tokens < 0 || request->budget_usd_nanos < 0) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "deadline and budget: not negative");
    }
    if (*request->idempotency_key && (strlen(request->idempotency_key) > IDEMPOTENCY_KEY_MAX ||
                                      request->idempotency_digest.len != SHA256_SIZE)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "Idempotency-Key: at most %d characters, with the digest of its request",
                    IDEMPOTENCY_KEY_MAX);
    }
    return check_labels(request, reterr);
}

/* The partition that must start it; INT32_MAX: any may. */
static int32_t owner_of_start(const struct rpc_call *call, str namespace)
{
    const Pb__StartRun *request = call->request;
    uint16_t count              = scheduler_partition_count(call->context);
    if (*request->client_id) {
        return partition_of_text(namespace, str_from(request->client_id), count);
    }
    if (*request->idempotency_key) {
        char *text =
            arena_printf(call->arena, "%s\x1f%s", request->created_by, request->idempotency_key);
        if (text) return partition_of_text(namespace, str_from(text), count);
    }
    return INT32_MAX;
}

status run_input_check(struct rpc_call *call, const struct workflow *workflow, json input,
                       struct error *reterr)
{
    if (!workflow->input_schema) return STATUS_OK;
    CLEANUP(json_unrefp) json nothing = json_object_new(0);
    json checked                      = json_is(input, JSON_INVALID) ? nothing : input;
    struct schema_errors errors       = {};
    struct error why                  = {};
    status ok = schema_check(workflow->input_schema, checked, call->arena, &errors, &why);
    if (ok == STATUS_OK) return STATUS_OK;

    struct diagnostics *list = diagnostics_new(call->arena);
    for (size_t i = 0; list && i < errors.count; i++) {
        const struct schema_error *error = &errors.items[i];
        const char *pointer              = arena_printf(call->arena, "/input%s", error->pointer);
        (void)diagnostics_add(list, "", SEVERITY_ERROR, str_from(pointer ? pointer : ""), 0, 0,
                              "%s", error->sentence);
    }
    if (list) call_set_findings(call, list);
    return fail_code(reterr, ok, "input_invalid", "input: %s", why.text);
}

/* --- start -------------------------------------------------------------------------------------
 */

static status prepare_start(struct rpc_call *call, const struct workflow_name *name,
                            struct command *command, struct error *reterr)
{
    const Pb__StartRun *request = call->request;
    TRY(definitions_resolve(scheduler_definitions(call->context),
                            scheduler_system_store(call->context), name, &command->workflow,
                            reterr));
    TRY(json_out(request->input_json, "input", &command->values[0], reterr));
    TRY(json_out(request->signal_json, "signal", &command->values[1], reterr));
    if (request->draft) return STATUS_OK; /* checked when it is approved */
    TRY(run_input_check(call, command->workflow, command->values[0], reterr));
    return start_key_eval(command->workflow, command->values[0], clock_unix_us(), NULL, call->arena,
                          &command->start_key, reterr);
}

/* A start that names its own id and one that its workflow's key makes the same as another belong to
 * one partition each. */
static status choose_partition(struct rpc_call *call, const struct command *command,
                               uint16_t *partition, struct error *reterr)
{
    const Pb__StartRun *request = call->request;
    if (command->start_key.len == 0) return STATUS_OK;
    uint16_t count = scheduler_partition_count(call->context);
    uint16_t keyed = start_key_partition(command->workflow, command->start_key, count);
    if (*request->client_id && keyed != *partition) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "client_id: the workflow's idempotencyKey says which run this is, and lives in "
                    "another partition than this client_id; leave it out");
    }
    *partition = keyed;
    return STATUS_OK;
}

static status start(struct rpc_call *call, struct error *reterr)
{
    const Pb__StartRun *request = call->request;
    TRY(check_start(request, reterr));
    struct workflow_name name = {};
    TRY(workflow_name_read(str_from(request->workflow), call_namespace(call, request->namespace_),
                           &name, reterr));

    int32_t owner      = owner_of_start(call, name.namespace);
    uint16_t partition = owner == INT32_MAX ? call->partition : (uint16_t)owner;
    if (!scheduler_shard(call->context, partition)) return call_moved(call, partition);

    struct command *command = call_command(call, COMMAND_START, 2);
    if (!command) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    status prepared = prepare_start(call, &name, command, reterr);
    if (prepared == STATUS_OK) prepared = choose_partition(call, command, &partition, reterr);
    struct shard *target = scheduler_shard(call->context, partition);
    if (prepared != STATUS_OK || !target) command_release(command);
    TRY(prepared);
    if (!target) return call_moved(call, partition);
    call_post(call, target, command);
    return STATUS_OK;
}

/* --- cancel and signal -------------------------------------------------------------------------
 */

typedef status run_finder(struct scheduler *scheduler, str text, str namespace, struct arena *arena,
                          struct run_place *ret_place, struct error *reterr);

static status post_to(struct rpc_call *call, run_finder *find, const char *id,
                      const char *namespace, struct command *command, struct error *reterr)
{
    struct run_place place = {};
    status found = find(call->context, str_from(id), call_namespace(call, namespace), call->arena,
                        &place, reterr);
    if (found != STATUS_OK || !place.shard) command_release(command);
    TRY(found);
    if (!place.shard) return call_moved(call, place.partition);
    command->run = place.id;
    call_post(call, place.shard, command);
    return STATUS_OK;
}

status run_post(struct rpc_call *call, const char *id, const char *namespace,
                struct command *command, struct error *reterr)
{
    return post_to(call, run_find, id, namespace, command, reterr);
}

static status cancel(struct rpc_call *call, struct error *reterr)
{
    const Pb__CancelRun *request = call->request;
    if (strlen(request->reason) > REASON_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "reason: over %d bytes", REASON_MAX);
    }
    struct command *command = call_command(call, COMMAND_CANCEL, 0);
    if (!command) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    return run_post(call, request->id, request->namespace_, command, reterr);
}

static status stop_run(struct rpc_call *call, enum command_kind kind, struct error *reterr)
{
    const Pb__StopRun *request = call->request;
    if (strlen(request->reason) > REASON_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "reason: over %d bytes", REASON_MAX);
    }
    struct command *command = call_command(call, kind, 0);
    if (!command) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    return run_post(call, request->id, request->namespace_, command, reterr);
}

static status terminate(struct rpc_call *call, struct error *reterr)
{
    return stop_run(call, COMMAND_TERMINATE, reterr);
}

static status suspend(struct rpc_call *call, struct error *reterr)
{
    return stop_run(call, COMMAND_SUSPEND, reterr);
}

static status resume(struct rpc_call *call, struct error *reterr)
{
    return stop_run(call, COMMAND_RESUME, reterr);
}

static status delete_run(struct rpc_call *call, struct error *reterr)
{
    const Pb__DeleteRun *request = call->request;
    struct command *command      = call_command(call, COMMAND_DELETE_RUN, 0);
    if (!command) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    return post_to(call, run_find_left, request->id, request->namespace_, command, reterr);
}

static status erase(struct rpc_call *call, struct error *reterr)
{
    const Pb__EraseRun *request = call->request;
    struct command *command     = call_command(call, COMMAND_ERASE_RUN, 0);
    if (!command) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    return post_to(call, run_find_left, request->id, request->namespace_, command, reterr);
}

static status compensate(struct rpc_call *call, struct error *reterr)
{
    return stop_run(call, COMMAND_COMPENSATE, reterr);
}

static status retry(struct rpc_call *call, struct error *reterr)
{
    const Pb__RetryRun *request = call->request;
    if (request->patch_json.len > SIGNAL_DATA_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "input_patch: over %d bytes", SIGNAL_DATA_MAX);
    }
    struct command *command = call_command(call, COMMAND_RETRY, 1);
    if (!command) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    status parsed = json_out(request->patch_json, "input_patch", &command->values[0], reterr);
    if (parsed != STATUS_OK) {
        command_release(command);
        return parsed;
    }
    return run_post(call, request->id, request->namespace_, command, reterr);
}

static status fail_run(struct rpc_call *call, struct error *reterr)
{
    const Pb__FailRun *request = call->request;
    struct command *command    = call_command(call, COMMAND_FAIL_RUN, 0);
    if (!command) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    return run_post(call, request->id, request->namespace_, command, reterr);
}

static status signal_run(struct rpc_call *call, struct error *reterr)
{
    const Pb__SignalRun *request = call->request;
    size_t name_len              = strlen(request->name);
    if (name_len == 0 || name_len > SIGNAL_NAME_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "signal: a name of 1 to %d bytes",
                    SIGNAL_NAME_MAX);
    }
    if (request->data_json.len > SIGNAL_DATA_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "data: over %d bytes", SIGNAL_DATA_MAX);
    }
    struct command *command = call_command(call, COMMAND_SIGNAL, 1);
    if (!command) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    status parsed = json_out(request->data_json, "data", &command->values[0], reterr);
    if (parsed != STATUS_OK) {
        command_release(command);
        return parsed;
    }
    return run_post(call, request->id, request->namespace_, command, reterr);
}

/* --- get ---------------------------------------------------------------------------------------
 */

static status get(struct rpc_call *call, struct error *reterr)
{
    const Pb__GetRun *request = call->request;
    struct run_place place    = {};
    TRY(run_find(call->context, str_from(request->id), call_namespace(call, request->namespace_),
                 call->arena, &place, reterr));
    if (!place.shard) return call_moved(call, place.partition);

    Pb__RunView *view = NULL;
    TRY(run_read_view(place.shard, str_from(place.id.text), request->full, call->arena, &view,
                      reterr));
    if (request->explain) TRY(run_explain(place.shard, view, call->arena, reterr));
    *(Pb__RunView *)call->response = *view;
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

/* --- pull --------------------------------------------------------------------------------------
 */

/* Watches a run; one that has ended already is told at once. */
static status watch_run(struct rpc_call *call, struct shard *shard, const char *run,
                        struct error *reterr)
{
    const Pb__PullRuns *request = call->request;
    str id                      = str_from(run);
    bool is_here                = id_is_valid(id) && id_partition(id) == shard->index;
    if (!is_here) return STATUS_OK; /* nobody's end: it will never come */
    TRY(run_watch_add(shard->watches, (bytes){request->subscriber.data, request->subscriber.len},
                      id, reterr));

    Pb__RunView *view = NULL;
    status read       = run_read_view(shard, id, true, call->arena, &view, NULL);
    if (read == STATUS_OK && run_status_wire_is_final(view->status)) {
        run_watch_ended(shard->watches, view);
        run_watches_tell(shard->watches);
    }
    return STATUS_OK;
}

static status pull(struct rpc_call *call, struct error *reterr)
{
    const Pb__PullRuns *request = call->request;
    struct shard *shard         = scheduler_shard(call->context, call->partition);
    if (!shard) return call_moved(call, call->partition);
    if (request->n_watch > WATCHES_PER_CALL || request->wait_ms > PULL_WAIT_MS_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "watch: at most %d; wait_ms: at most %d",
                    WATCHES_PER_CALL, PULL_WAIT_MS_MAX);
    }
    for (size_t i = 0; i < request->n_unwatch; i++) {
        run_watch_remove(shard->watches, (bytes){request->subscriber.data, request->subscriber.len},
                         str_from(request->unwatch[i]));
    }
    for (size_t i = 0; i < request->n_watch; i++) {
        TRY(watch_run(call, shard, request->watch[i], reterr));
    }
    return run_watch_pull(shard->watches, call, reterr);
}

static void pull_cancel(struct rpc_call *call)
{
    struct shard *shard = scheduler_shard(call->context, call->partition);
    if (shard) run_watch_cancel(shard->watches, call);
}

const struct rpc_method run_service_methods[] = {
    {.name = "Start", .handle = start},
    {.name = "Get", .handle = get},
    {.name = "List", .handle = run_list_handle},
    {.name = "History", .handle = run_history_handle, .cancel = run_history_cancel},
    {.name = "Cancel", .handle = cancel},
    {.name = "Terminate", .handle = terminate},
    {.name = "Suspend", .handle = suspend},
    {.name = "Resume", .handle = resume},
    {.name = "Retry", .handle = retry},
    {.name = "Fail", .handle = fail_run},
    {.name = "Erase", .handle = erase},
    {.name = "Delete", .handle = delete_run},
    {.name = "Edit", .handle = run_edit_handle},
    {.name = "Tasks", .handle = run_tasks_handle},
    {.name = "Variables", .handle = run_variables_handle},
    {.name = "SetVariable", .handle = run_variable_set_handle},
    {.name = "Approve", .handle = run_approve_handle},
    {.name = "Compensate", .handle = compensate},
    {.name = "Reset", .handle = run_reset_handle},
    {.name = "Export", .handle = run_export_handle},
    {.name = "Import", .handle = run_import_handle},
    {.name = "Bulk", .handle = run_bulk_handle},
    {.name = "Operation", .handle = run_operation_handle},
    {.name = "Signal", .handle = signal_run},
    {.name = "Pull", .handle = pull, .cancel = pull_cancel},
    {},
};
