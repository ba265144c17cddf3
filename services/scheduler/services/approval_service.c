/* Approvals: what waits for people, and their decisions. */
#include "approval.pb-c.h"
#include "base/clock.h"
#include "scheduler/decide/approval.h"
#include "scheduler/services/call.h"
#include "scheduler/services/row_page.h"
#include "scheduler/services/services.h"
#include "scheduler/tables/run_wire.h"
#include "schema/schema.h"

enum {
    COMMENT_MAX = 10'000,    /* bytes */
    DATA_MAX    = 256 << 10, /* bytes */
};

/* --- one ---------------------------------------------------------------------------------------
 */

struct approval_place {
    struct shard *shard; /* NULL: another owner's */
    uint16_t partition;
    Pb__ApprovalView *row;
};

static status find(struct rpc_call *call, const char *text, const char *namespace,
                   struct approval_place *ret_place, struct error *reterr)
{
    str id                      = str_from(text);
    struct approval_place place = {};
    bool is_id                  = id_is_valid(id);
    if (is_id) place.partition = id_partition(id);
    if (!is_id || place.partition >= scheduler_partition_count(call->context)) {
        return fail_code(reterr, STATUS_NOT_FOUND, "not_found", "there is no such approval");
    }
    *ret_place  = place;
    place.shard = scheduler_shard(call->context, place.partition);
    if (!place.shard) return STATUS_OK;

    CLEANUP(txn_abortp) struct txn *txn = NULL;
    TRY(txn_begin_read(place.shard->partition->store, &txn, reterr));
    struct key key;
    id_key(&key, id);
    status got = record_get(txn, TABLE_APPROVALS, key_bytes(&key), &pb__approval_view__descriptor,
                            call->arena, &place.row, NULL);
    if (got != STATUS_OK && got != STATUS_NOT_FOUND) {
        return fail(reterr, got, "approval " STR_FMT " cannot be read", STR_ARG(id));
    }
    str wanted = call_namespace(call, namespace);
    bool is_seen =
        got == STATUS_OK && (str_is(wanted, "*") || str_is(wanted, place.row->namespace_));
    if (!is_seen) {
        return fail_code(reterr, STATUS_NOT_FOUND, "not_found", "there is no approval " STR_FMT,
                         STR_ARG(id));
    }
    *ret_place = place;
    return STATUS_OK;
}

static status get(struct rpc_call *call, struct error *reterr)
{
    const Pb__GetApproval *request = call->request;
    struct approval_place place    = {};
    TRY(find(call, request->id, request->namespace_, &place, reterr));
    if (!place.shard) return call_moved(call, place.partition);
    *(Pb__ApprovalView *)call->response = *place.row;
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

/* --- decide ------------------------------------------------------------------------------------
 */

/* Whose key it is. */
struct person {
    const char *by; /* name of the key */
    Pb__Label *const *labels;
    size_t label_count;
};

/* "key:<name>", or "<label>:<value>" of the key. */
static bool is_approver(const char *approver, const struct person *person)
{
    const char *colon = strchr(approver, ':');
    if (!colon) return false;
    str name          = {approver, (size_t)(colon - approver)};
    const char *value = colon + 1;
    if (str_is(name, "key")) return strcmp(value, person->by) == 0;
    for (size_t i = 0; i < person->label_count; i++) {
        const Pb__Label *label = person->labels[i];
        if (str_is(name, label->key) && strcmp(value, label->value) == 0) return true;
    }
    return false;
}

static status check_right(const Pb__ApprovalView *row, const struct person *person,
                          struct error *reterr)
{
    if (row->n_approvers == 0) return STATUS_OK;
    for (size_t i = 0; i < row->n_approvers; i++) {
        if (is_approver(row->approvers[i], person)) return STATUS_OK;
    }
    return fail_code(reterr, STATUS_PERMISSION_DENIED, "not_assignee",
                     "`%s` is not among the approvers", person->by);
}

/* approvals.four_eyes: who started the run does not approve what it asks. */
static status check_four_eyes(struct rpc_call *call, const struct shard *shard,
                              const Pb__ApprovalView *row, struct error *reterr)
{
    const Pb__DecideApproval *request = call->request;
    if (!scheduler_has_four_eyes(call->context) || !request->approve) return STATUS_OK;
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    Pb__RunView *run                    = NULL;
    TRY(txn_begin_read(shard->partition->store, &txn, reterr));
    TRY(run_row_get(txn, str_from(row->run), call->arena, &run, reterr));
    if (!*request->by_id || strcmp(run->created_by, request->by_id) != 0) return STATUS_OK;
    return fail_code(reterr, STATUS_PERMISSION_DENIED, "self_approval",
                     "`%s` has started the run; somebody else is to approve", request->by);
}

/* What a call asks for is given or declined: nothing is {}, and who declines may say how. */
static status check_answer(const Pb__DecideApproval *request, json *data, struct error *reterr)
{
    json action = json_get_text(*data, "action");
    if (request->approve) {
        if (json_is(*data, JSON_INVALID)) *data = json_object_new(0);
        return STATUS_OK;
    }
    bool is_known = json_is(action, JSON_TEXT) &&
                    (str_is(json_str(action), "decline") || str_is(json_str(action), "cancel"));
    if (json_is(*data, JSON_INVALID) || (is_known && json_count(*data) == 1)) return STATUS_OK;
    return fail_code(reterr, STATUS_INVALID_ARGUMENT, "input_invalid",
                     "data: nothing, or {\"action\": \"decline\"}, or {\"action\": \"cancel\"}");
}

/* Who approves and gives nothing has left out all that the form requires. */
static status check_form(struct rpc_call *call, const Pb__ApprovalView *row, json data,
                         struct error *reterr)
{
    const Pb__DecideApproval *request = call->request;
    bool is_left_out                  = json_is(data, JSON_INVALID);
    if (row->form_json.len == 0 || (is_left_out && !request->approve)) return STATUS_OK;
    CLEANUP(json_unrefp) json nothing = json_object_new(0);
    if (is_left_out) data = nothing;
    /* Whoever asked by a call refuses what has another format, and nobody could answer anew. */
    const struct schema_options options = {.assert_formats = row->asks};
    CLEANUP(json_unrefp) json form      = json_invalid();
    TRY(json_out(row->form_json, "form", &form, reterr));
    CLEANUP(schema_freep) struct schema *schema = NULL;
    struct error why                            = {};
    if (schema_compile(form, &options, NULL, &schema, &why) != STATUS_OK) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "input_invalid",
                         "the workflow's form is no usable schema: %s", why.text);
    }
    struct schema_errors errors = {};
    status ok                   = schema_check(schema, data, call->arena, &errors, &why);
    if (ok == STATUS_OK) return STATUS_OK;
    struct diagnostics *list = diagnostics_new(call->arena);
    for (size_t i = 0; list && i < errors.count; i++) {
        const char *pointer = arena_printf(call->arena, "/data%s", errors.items[i].pointer);
        (void)diagnostics_add(list, "", SEVERITY_ERROR, str_from(pointer ? pointer : ""), 0, 0,
                              "%s", errors.items[i].sentence);
    }
    if (list) call_set_findings(call, list);
    return fail_code(reterr, ok, "input_invalid", "data: %s", why.text);
}

/* Whoever decides or edits one that is closed repeats what he did, or is told so by the engine,
 * which remembers. */
static bool is_pending(const Pb__ApprovalView *row)
{
    return row->status == PB__APPROVAL_STATUS__APPROVAL_STATUS_PENDING;
}

static status check_decision(struct rpc_call *call, const struct approval_place *place,
                             json *ret_data, struct error *reterr)
{
    const Pb__DecideApproval *request = call->request;
    const Pb__ApprovalView *row       = place->row;
    const struct person person        = {request->by, request->by_labels, request->n_by_labels};
    if (strlen(request->comment) > COMMENT_MAX || request->data_json.len > DATA_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "comment: at most %d bytes; data: %d",
                    COMMENT_MAX, DATA_MAX);
    }
    if (!is_pending(row)) return STATUS_OK;
    TRY(check_right(row, &person, reterr));
    TRY(check_four_eyes(call, place->shard, row, reterr));
    TRY(json_out(request->data_json, "data", ret_data, reterr));
    if (row->asks) TRY(check_answer(request, ret_data, reterr));
    if (row->asks && !request->approve) return STATUS_OK;
    return check_form(call, row, *ret_data, reterr);
}

static status decide(struct rpc_call *call, struct error *reterr)
{
    const Pb__DecideApproval *request = call->request;
    struct approval_place place       = {};
    TRY(find(call, request->id, request->namespace_, &place, reterr));
    if (!place.shard) return call_moved(call, place.partition);

    struct command *command = call_command(call, COMMAND_DECIDE, 1);
    if (!command) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    status checked = check_decision(call, &place, &command->values[0], reterr);
    if (checked != STATUS_OK) {
        command_release(command);
        return checked;
    }
    (void)memcpy(command->run.text, place.row->run, ID_LEN);
    call_post(call, place.shard, command);
    return STATUS_OK;
}

/* --- edit --------------------------------------------------------------------------------------
 */

static status check_approvers(json approvers, struct error *reterr)
{
    bool ok = json_is(approvers, JSON_ARRAY) && json_count(approvers) <= APPROVAL_APPROVERS_MAX;
    for (size_t i = 0; ok && i < json_count(approvers); i++) {
        json one = json_at(approvers, i);
        ok       = json_is(one, JSON_TEXT) && json_str(one).len <= APPROVER_MAX &&
             memchr(json_str(one).ptr, ':', json_str(one).len);
    }
    if (ok) return STATUS_OK;
    return fail_code(reterr, STATUS_INVALID_ARGUMENT, "input_invalid",
                     "approvers: at most %d texts such as key:<name> or <label>:<value>",
                     APPROVAL_APPROVERS_MAX);
}

static status check_due(json due, struct error *reterr)
{
    int64_t due_us = 0;
    if (json_is(due, JSON_NULL)) return STATUS_OK;
    if (json_is(due, JSON_TEXT) && time_parse(json_str(due), &due_us) && due_us > clock_unix_us()) {
        return STATUS_OK;
    }
    return fail_code(reterr, STATUS_INVALID_ARGUMENT, "input_invalid",
                     "due_at: a time to come, such as 2030-01-31T12:00:00Z, or null for never");
}

static status check_patch(const Pb__ApprovalView *row, json patch, struct error *reterr)
{
    if (!json_is(patch, JSON_OBJECT) || json_count(patch) == 0) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "a merge patch with payload, approvers or due_at");
    }
    for (size_t i = 0; i < json_count(patch); i++) {
        str name   = json_key_at(patch, i);
        json value = json_value_at(patch, i);
        if (str_is(name, "approvers")) {
            TRY(check_approvers(value, reterr));
        } else if (str_is(name, "due_at")) {
            TRY(check_due(value, reterr));
        } else if (!str_is(name, "payload")) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "`" STR_FMT "` cannot be changed",
                        STR_ARG(name));
        } else if (!row->editable || json_is(value, JSON_NULL)) {
            return fail_code(reterr, STATUS_INVALID_ARGUMENT, "input_invalid",
                             row->editable ? "payload: it cannot be taken away"
                                           : "payload: the workflow does not say `editable: true`");
        }
    }
    return STATUS_OK;
}

static status check_edit(struct rpc_call *call, const Pb__ApprovalView *row, json *ret_patch,
                         struct error *reterr)
{
    const Pb__EditApproval *request = call->request;
    const struct person person      = {request->by, request->by_labels, request->n_by_labels};
    if (!is_pending(row)) return STATUS_OK;
    TRY(check_right(row, &person, reterr));
    if (request->patch_json.len > 2 * DATA_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "the patch is too large");
    }
    TRY(json_out(request->patch_json, "patch", ret_patch, reterr));
    return check_patch(row, *ret_patch, reterr);
}

static status edit(struct rpc_call *call, struct error *reterr)
{
    const Pb__EditApproval *request = call->request;
    struct approval_place place     = {};
    TRY(find(call, request->id, request->namespace_, &place, reterr));
    if (!place.shard) return call_moved(call, place.partition);

    struct command *command = call_command(call, COMMAND_EDIT, 1);
    if (!command) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    status checked = check_edit(call, place.row, &command->values[0], reterr);
    if (checked != STATUS_OK) {
        command_release(command);
        return checked;
    }
    (void)memcpy(command->run.text, place.row->run, ID_LEN);
    call_post(call, place.shard, command);
    return STATUS_OK;
}

/* --- list --------------------------------------------------------------------------------------
 */

static bool matches(const Pb__ListApprovals *request, str namespace, const Pb__ApprovalView *row)
{
    if (!str_is(namespace, "*") && !str_is(namespace, row->namespace_)) return false;
    if (*request->run && strcmp(request->run, row->run) != 0) return false;
    return request->status == PB__APPROVAL_STATUS__APPROVAL_STATUS_UNSPECIFIED ||
           request->status == row->status;
}

struct listing {
    const Pb__ListApprovals *request;
    str namespace;
    struct arena *arena;
    Pb__ApprovalList *answer;
    struct row_page page;
};

static status take_row(struct txn *, bytes row, void *context, bool *ret_is_full,
                       struct error *reterr)
{
    struct listing *list   = context;
    Pb__ApprovalList *to   = list->answer;
    Pb__ApprovalView *view = NULL;
    TRY(record_read(row, &pb__approval_view__descriptor, list->arena, &view, reterr));
    if (!matches(list->request, list->namespace, view)) return STATUS_OK;
    *ret_is_full = to->n_approvals == list->page.size;
    if (!*ret_is_full) to->approvals[to->n_approvals++] = view;
    return STATUS_OK;
}

static status list(struct rpc_call *call, struct error *reterr)
{
    const Pb__ListApprovals *request = call->request;
    struct shard *shard              = scheduler_shard(call->context, call->partition);
    if (!shard) return call_moved(call, call->partition);
    struct listing listing = {.request   = request,
                              .namespace = call_namespace(call, request->namespace_),
                              .arena     = call->arena,
                              .answer    = call->response};
    const char *filters =
        arena_printf(call->arena, STR_FMT "\x1f%d\x1f%s", STR_ARG(listing.namespace),
                     (int)request->status, request->run);
    if (!filters) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    TRY(row_page_begin(request->page, str_from(filters), call->arena, &listing.page, reterr));
    listing.answer->approvals = arena_alloc(call->arena, listing.page.size * sizeof(void *));
    if (!listing.answer->approvals) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    TRY(txn_begin_read(shard->partition->store, &txn, reterr));
    TRY(row_page_walk(&listing.page, txn, TABLE_APPROVALS, (struct scan){.backward = true},
                      take_row, &listing, reterr));
    listing.answer->next_token = row_page_next(&listing.page, call->arena);
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

const struct rpc_method approval_service_methods[] = {
    {.name = "List", .handle = list},
    {.name = "Get", .handle = get},
    {.name = "Decide", .handle = decide},
    {.name = "Edit", .handle = edit},
    {},
};
