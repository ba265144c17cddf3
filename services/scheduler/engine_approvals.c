#include "scheduler/engine_approvals.h"

#include "approval.pb-c.h"
#include "base/log.h"

enum { APPROVERS_MAX = 64 };

static const char *text_of(struct engine *engine, json value)
{
    return json_is(value, JSON_TEXT) ? text_in(engine->arena, json_str(value)) : "";
}

static status fill_approvers(struct engine *engine, json approvers, Pb__ApprovalView *row,
                             struct error *reterr)
{
    size_t count = json_is(approvers, JSON_ARRAY) ? json_count(approvers) : 0;
    if (count > APPROVERS_MAX) count = APPROVERS_MAX;
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
    row.task                        = workflow->tasks[event->task].reference;
    row.title                       = text_of(engine, json_get_text(asked, "title"));
    row.status                      = PB__APPROVAL_STATUS__APPROVAL_STATUS_PENDING;
    row.created_us                  = event->time_us;
    row.due_us                      = event->due_us;
    row.editable                    = json_is_truthy(json_get_text(asked, "editable"));
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
    row->decided_us = event->time_us;
    row->decided_by = text_of(engine, json_get_text(decision, "decided_by"));
    row->comment    = text_of(engine, json_get_text(decision, "comment"));
    TRY(json_in(engine->arena, json_get_text(decision, "data"), &row->data_json, reterr));
    json payload = json_get_text(decision, "payload");
    if (json_is(payload, JSON_INVALID)) return STATUS_OK;
    return json_in(engine->arena, payload, &row->payload_json, reterr);
}

status engine_approval_event(struct engine *engine, struct live_run *live,
                             const struct event *event, struct error *reterr)
{
    if (event->kind == EVENT_APPROVAL_REQUESTED) return request(engine, live, event, reterr);

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

    if (event->kind == EVENT_APPROVAL_DECIDED) {
        TRY(decide(engine, event, row, reterr));
    } else {
        row->decided_us = event->time_us;
        row->status     = event->kind == EVENT_APPROVAL_EXPIRED
                              ? PB__APPROVAL_STATUS__APPROVAL_STATUS_EXPIRED
                              : PB__APPROVAL_STATUS__APPROVAL_STATUS_CANCELLED;
    }
    return put_row(engine, row, reterr);
}
