#include "scheduler/engine/commands/approvals.h"

#include "approval.pb-c.h"
#include "base/clock.h"
#include "base/log.h"
#include "scheduler/decide/approval.h"
#include "scheduler/engine/jobs/job_rows.h"
#include "json/json_pointer.h"
#include "json/json_text.h"

static const char *text_of(struct engine *engine, json value)
{
    return json_is(value, JSON_TEXT) ? text_in(engine->arena, json_str(value)) : "";
}

static status fill_approvers(struct engine *engine, json approvers, Pb__ApprovalView *row,
                             struct error *reterr)
{
    size_t count = json_is(approvers, JSON_ARRAY) ? json_count(approvers) : 0;
    if (count > APPROVAL_APPROVERS_MAX) count = APPROVAL_APPROVERS_MAX;
    const char **list = arena_alloc(engine->arena, (count + 1) * sizeof *list);
    if (!list) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory for an approval");
    for (size_t i = 0; i < count; i++) list[i] = text_of(engine, json_at(approvers, i));
    row->n_approvers = count;
    row->approvers   = list;
    return STATUS_OK;
}

static status put_row(struct engine *engine, const Pb__ApprovalView *row, struct error *reterr)
{
    struct key key;
    id_key(&key, str_from(row->id));
    return record_append(engine->txn, TABLE_APPROVALS, key_bytes(&key), &row->base, reterr);
}

static bool is_of_call(const struct live_run *live, const struct event *event)
{
    return run_workflow(live->run)->tasks[event->task].kind == TASK_CALL;
}

static status request(struct engine *engine, struct live_run *live, const struct event *event,
                      struct error *reterr)
{
    const struct workflow *workflow = run_workflow(live->run);
    json asked                      = event->value;
    Pb__ApprovalView row            = PB__APPROVAL_VIEW__INIT;
    row.id                          = event->id.text;
    row.run                         = live->id.text;
    row.namespace_                  = workflow->namespace_;
    row.workflow                    = workflow->name;
    row.task       = json_is(event->reference, JSON_TEXT) ? text_of(engine, event->reference)
                                                          : workflow->tasks[event->task].reference;
    row.title      = text_of(engine, json_get_text(asked, "title"));
    row.status     = PB__APPROVAL_STATUS__APPROVAL_STATUS_PENDING;
    row.created_us = event->time_us;
    row.due_us     = event->due_us;
    row.asks       = is_of_call(live, event);
    row.editable   = json_is_truthy(json_get_text(asked, "editable"));
    TRY(fill_approvers(engine, json_get_text(asked, "approvers"), &row, reterr));
    TRY(json_in(engine->arena, json_get_text(asked, "form"), &row.form_json, reterr));
    TRY(json_in(engine->arena, json_get_text(asked, "payload"), &row.payload_json, reterr));
    return put_row(engine, &row, reterr);
}

static status decide(struct engine *engine, const struct event *event, Pb__ApprovalView *row,
                     struct error *reterr)
{
    json decision   = event->value;
    bool is_yes     = json_is_truthy(json_get_text(decision, "approved"));
    row->status     = is_yes ? PB__APPROVAL_STATUS__APPROVAL_STATUS_APPROVED
                             : PB__APPROVAL_STATUS__APPROVAL_STATUS_REJECTED;
    row->changed    = json_is_truthy(json_get_text(decision, "changed"));
    row->decided_us = event->time_us;
    row->decided_by = text_of(engine, json_get_text(decision, "decided_by"));
    row->comment    = text_of(engine, json_get_text(decision, "comment"));
    TRY(json_in(engine->arena, json_get_text(decision, "data"), &row->data_json, reterr));
    json payload = json_get_text(decision, "payload");
    if (json_is(payload, JSON_INVALID)) return STATUS_OK;
    return json_in(engine->arena, payload, &row->payload_json, reterr);
}

static status edit(struct engine *engine, const struct event *event, Pb__ApprovalView *row,
                   struct error *reterr)
{
    json payload   = json_get_text(json_get_text(event->value, "payload"), "new");
    json approvers = json_get_text(json_get_text(event->value, "approvers"), "new");
    row->due_us    = event->due_us;
    log_write(LOG_INFO, "approval.edited", LOG_TEXT_OF("approval", row->id),
              LOG_TEXT_OF("by", text_of(engine, json_get_text(event->value, "by"))));
    if (!json_is(approvers, JSON_INVALID)) TRY(fill_approvers(engine, approvers, row, reterr));
    if (json_is(payload, JSON_INVALID)) return STATUS_OK;
    row->changed = true;
    return json_in(engine->arena, payload, &row->payload_json, reterr);
}

/* --- the command -------------------------------------------------------------------------------
 */

static status row_get(struct engine *engine, const char *id, Pb__ApprovalView **ret_row,
                      struct error *reterr)
{
    struct key key;
    id_key(&key, str_from(id));
    return record_get(engine->txn, TABLE_APPROVALS, key_bytes(&key), &pb__approval_view__descriptor,
                      engine->arena, ret_row, reterr);
}

/* `*ret_row` NULL: its run was deleted since the caller saw it, and the command is refused. */
static status row_find(struct engine *engine, struct command *command, const char *id,
                       Pb__ApprovalView **ret_row, struct error *reterr)
{
    *ret_row   = NULL;
    status got = row_get(engine, id, ret_row, reterr);
    if (got != STATUS_NOT_FOUND) return got;
    return command_refuse(command, STATUS_NOT_FOUND, "not_found", "there is no approval %s", id);
}

/* What a merge patch makes of the row; what it leaves alone stays invalid. */
struct edited {
    json payload, approvers, approvers_before; /* owned */
};

static void edited_done(struct edited *edited)
{
    json_unref(edited->payload);
    json_unref(edited->approvers);
    json_unref(edited->approvers_before);
}

static status patch_apply(const Pb__ApprovalView *row, json patch, struct edited *ret_edited,
                          struct error *reterr)
{
    json payload = json_get_text(patch, "payload");
    if (payload.kind != JSON_INVALID) {
        CLEANUP(json_unrefp) json before = json_invalid();
        TRY(json_out(row->payload_json, "payload", &before, reterr));
        ret_edited->payload = json_merge_patch_new(before, payload);
    }
    json approvers = json_get_text(patch, "approvers");
    if (approvers.kind == JSON_INVALID) return STATUS_OK;
    ret_edited->approvers        = json_ref(approvers);
    ret_edited->approvers_before = json_array_new(row->n_approvers);
    for (size_t i = 0; i < row->n_approvers; i++) {
        json_array_push(&ret_edited->approvers_before, json_text_from(row->approvers[i]));
    }
    return STATUS_OK;
}

static status edit_run(struct engine *engine, struct command *command, struct live_run *live,
                       const Pb__ApprovalView *row, struct error *reterr)
{
    const Pb__EditApproval *request           = command->request;
    json patch                                = command->values[0];
    json due                                  = json_get_text(patch, "due_at");
    CLEANUP(edited_done) struct edited edited = {};
    TRY(patch_apply(row, patch, &edited, reterr));
    CLEANUP(buf_done) struct buf text = buf_init(APPROVAL_PAYLOAD_MAX);
    bool fits =
        edited.payload.kind == JSON_INVALID || json_print(edited.payload, JSON_COMPACT, &text);
    if (!fits) {
        return command_refuse(command, STATUS_INVALID_ARGUMENT, "input_invalid",
                              "payload: over 256 KiB");
    }
    struct approval_edit edit = {
        .approval         = str_from(request->id),
        .by               = str_from(request->by),
        .payload          = edited.payload,
        .approvers        = edited.approvers,
        .approvers_before = edited.approvers_before,
        .has_due          = due.kind != JSON_INVALID,
    };
    if (json_is(due, JSON_TEXT) && !time_parse(json_str(due), &edit.due_us)) edit.has_due = false;
    const struct decide_env env = engine_env(engine);
    engine_work_begin(engine, str_from(live->id.text));
    command->code = run_approval_edit(live->run, &env, &edit, &engine->events, &command->error);
    status kept   = command->code == STATUS_OK ? engine_keep(engine, live, reterr) : STATUS_OK;
    engine_work_end(engine);
    return kept;
}

static status answer(struct engine *engine, struct command *command, const char *id,
                     struct error *reterr)
{
    Pb__ApprovalView *row = NULL;
    TRY(row_find(engine, command, id, &row, reterr));
    if (row) *(Pb__ApprovalView *)command->response = *row;
    return STATUS_OK;
}

/* It has changed the approval; whoever repeats it gets the same answer, also after a restart. */
static status changed(struct engine *engine, struct command *command, const char *id,
                      struct error *reterr)
{
    if (command->code != STATUS_OK) return STATUS_OK;
    TRY(answer(engine, command, id, reterr));
    return engine_request_keep(engine, command->request_id, str_from(command->run.text), (str){},
                               reterr);
}

/* NULL: the command is answered, also because it is a repetition. */
static status find_pending(struct engine *engine, struct command *command, const char *id,
                           Pb__ApprovalView **ret_row, struct error *reterr)
{
    const struct made_by_request *made = NULL;
    *ret_row                           = NULL;
    engine_answer(engine, command);
    TRY(engine_request_find(engine, command->request_id, &made, reterr));
    if (made) return answer(engine, command, id, reterr);
    TRY(row_find(engine, command, id, ret_row, reterr));
    Pb__ApprovalView *row = *ret_row;
    if (!row || row->status == PB__APPROVAL_STATUS__APPROVAL_STATUS_PENDING) return STATUS_OK;
    *ret_row = NULL;
    return command_refuse(command, STATUS_FAILED_PRECONDITION, "approval_closed",
                          "approval %s is not pending any more", id);
}

status engine_edit_approval(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__EditApproval *request = command->request;
    struct live_run *live           = NULL;
    Pb__ApprovalView *row           = NULL;
    TRY(find_pending(engine, command, request->id, &row, reterr));
    if (!row) return STATUS_OK;
    if (row->revision != request->revision) {
        return command_refuse(command, STATUS_FAILED_PRECONDITION, "precondition_failed",
                              "approval %s was changed meanwhile; read it again", request->id);
    }
    TRY(engine_run(engine, str_from(command->run.text), command, &live, reterr));
    if (!live) return STATUS_OK;
    TRY(edit_run(engine, command, live, row, reterr));
    return changed(engine, command, request->id, reterr);
}

status engine_decide_approval(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__DecideApproval *request = command->request;
    struct live_run *live             = NULL;
    Pb__ApprovalView *row             = NULL;
    TRY(find_pending(engine, command, request->id, &row, reterr));
    if (!row) return STATUS_OK;
    TRY(engine_run(engine, str_from(command->run.text), command, &live, reterr));
    if (!live) return STATUS_OK;

    const struct approval_decision decision = {
        .approval    = str_from(request->id),
        .is_approved = request->approve,
        .comment     = str_from(request->comment),
        .by          = str_from(request->by),
        .data        = command->values[0],
    };
    const struct decide_env env = engine_env(engine);
    engine_work_begin(engine, str_from(live->id.text));
    command->code =
        run_approval_decide(live->run, &env, &decision, &engine->events, &command->error);
    status kept = command->code == STATUS_OK ? engine_keep(engine, live, reterr) : STATUS_OK;
    engine_work_end(engine);
    TRY(kept);
    return changed(engine, command, request->id, reterr);
}

/* --- events ------------------------------------------------------------------------------------
 */

status engine_approval_event(struct engine *engine, struct live_run *live,
                             const struct event *event, struct error *reterr)
{
    if (event->kind == EVENT_APPROVAL_REQUESTED) return request(engine, live, event, reterr);
    if (event->kind == EVENT_APPROVAL_DECIDED && is_of_call(live, event)) {
        TRY(engine_answer_job(engine, live, event, reterr));
    }

    struct key key;
    id_key(&key, str_from(event->id.text));
    Pb__ApprovalView *row = NULL;
    status got            = record_get(engine->txn, TABLE_APPROVALS, key_bytes(&key),
                                       &pb__approval_view__descriptor, engine->arena, &row, NULL);
    if (got == STATUS_NOT_FOUND) { /* the journal is the truth; a list lacks an entry */
        log_write(LOG_ERROR, "approval.row_missing", LOG_TEXT_OF("approval", event->id.text));
        return STATUS_OK;
    }
    if (got != STATUS_OK) return fail(reterr, got, "the row of an approval cannot be read");

    row->revision++;
    if (event->kind == EVENT_APPROVAL_EDITED) {
        TRY(edit(engine, event, row, reterr));
    } else if (event->kind == EVENT_APPROVAL_DECIDED) {
        TRY(decide(engine, event, row, reterr));
    } else {
        row->decided_us = event->time_us;
        row->status     = event->kind == EVENT_APPROVAL_EXPIRED
                              ? PB__APPROVAL_STATUS__APPROVAL_STATUS_EXPIRED
                              : PB__APPROVAL_STATUS__APPROVAL_STATUS_CANCELLED;
    }
    return put_row(engine, row, reterr);
}
