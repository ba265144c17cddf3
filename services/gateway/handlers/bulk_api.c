/* POST /v1/runs/bulk and GET /v1/operations/{id}: work on many runs, a part of it per partition. */
#include "auth/role.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/id.h"
#include "gateway/api/labels.h"
#include "gateway/api/view.h"
#include "gateway/handlers/handlers.h"
#include "run.pb-c.h"

enum { FILTERS_MAX = 16, REFUSALS_MAX = 20, REASONS_MAX = 40 };

static const char *const actions[] = {
    [PB__BULK_ACTION__BULK_ACTION_UNSPECIFIED] = "unspecified",
    [PB__BULK_ACTION__BULK_ACTION_CANCEL]      = "cancel",
    [PB__BULK_ACTION__BULK_ACTION_TERMINATE]   = "terminate",
    [PB__BULK_ACTION__BULK_ACTION_RETRY]       = "retry",
    [PB__BULK_ACTION__BULK_ACTION_DELETE]      = "delete",
    [PB__BULK_ACTION__BULK_ACTION_ERASE]       = "erase",
};

/* One partition is asked after the other; what they say is added up. */
struct parts {
    Pb__StartBulk asked; /* of a start */
    Pb__ListRuns filter;
    const char *id; /* "": of the first answer */
    unsigned next, count;
    bool is_start;
    Pb__OperationView sum;
    struct refusal {
        const char *run, *code, *detail;
    } refusals[REFUSALS_MAX];
    size_t refusal_count;
    struct reason {
        const char *code;
        uint64_t count;
    } reasons[REASONS_MAX];
    size_t reason_count;
};

static void ask_next(struct api_call *call);

static void send(struct api_call *call)
{
    const struct parts *parts    = call->state;
    const Pb__OperationView *sum = &parts->sum;
    struct api_answer answer;
    api_answer_begin(&answer, call);
    struct json_writer *w = &answer.json;
    json_begin_object(w);
    json_put_text(w, "id", str_from(parts->id));
    json_put_text(w, "action", str_from(actions[(unsigned)sum->action % ARRAY_LEN(actions)]));
    json_put_text(w, "status", str_from(sum->is_over ? "done" : "running"));
    json_put_bool(w, "dry_run", sum->dry_run);
    json_put_time(w, "created_at", sum->created_us);
    if (sum->is_over) json_put_time(w, "ended_at", sum->ended_us);
    json_put_int(w, "matched", (int64_t)sum->matched);
    json_put_int(w, "done", (int64_t)sum->done);
    json_put_int(w, "refused", (int64_t)sum->refused);
    json_member(w, "reasons");
    json_begin_object(w);
    for (size_t i = 0; i < parts->reason_count; i++) {
        json_put_int(w, parts->reasons[i].code, (int64_t)parts->reasons[i].count);
    }
    json_end_object(w);
    json_member(w, "refusals");
    json_begin_array(w);
    for (size_t i = 0; i < parts->refusal_count; i++) {
        json_begin_object(w);
        json_put_text(w, "run", str_from(parts->refusals[i].run));
        json_put_text(w, "code", str_from(parts->refusals[i].code));
        json_put_text(w, "detail", str_from(parts->refusals[i].detail));
        json_end_object(w);
    }
    json_end_array(w);
    json_end_object(w);
    api_answer_send(&answer, parts->is_start ? 202 : 200, NULL);
}

static void add_reason(struct api_call *call, const Pb__OperationReason *reason)
{
    struct parts *parts = call->state;
    size_t i            = 0;
    while (i < parts->reason_count && strcmp(parts->reasons[i].code, reason->code) != 0) i++;
    if (i == REASONS_MAX) return;
    if (i == parts->reason_count) {
        parts->reasons[i] = (struct reason){.code = api_text(call, str_from(reason->code))};
        parts->reason_count++;
    }
    parts->reasons[i].count += reason->count;
}

static void add_up(struct api_call *call, const Pb__OperationView *view)
{
    struct parts *parts    = call->state;
    Pb__OperationView *sum = &parts->sum;
    if (!*parts->id) parts->id = api_text(call, str_from(view->id));
    sum->action     = view->action;
    sum->dry_run    = view->dry_run;
    sum->created_us = view->created_us;
    sum->is_over &= view->is_over;
    if (view->ended_us > sum->ended_us) sum->ended_us = view->ended_us;
    sum->matched += view->matched;
    sum->done += view->done;
    sum->refused += view->refused;
    for (size_t i = 0; i < view->n_reasons; i++) add_reason(call, view->reasons[i]);
    for (size_t i = 0; i < view->n_refusals && parts->refusal_count < REFUSALS_MAX; i++) {
        const Pb__OperationRefusal *one         = view->refusals[i];
        parts->refusals[parts->refusal_count++] = (struct refusal){
            api_text(call, str_from(one->run)), api_text(call, str_from(one->code)),
            api_text(call, str_from(one->detail))};
    }
}

static void on_part(struct api_call *call, const struct rpc_answer *answer)
{
    struct parts *parts = call->state;
    add_up(call, answer->message);
    if (++parts->next == parts->count) {
        send(call);
    } else {
        ask_next(call);
    }
}

static void ask_next(struct api_call *call)
{
    struct parts *parts      = call->state;
    Pb__GetOperation get     = PB__GET_OPERATION__INIT;
    get.id                   = parts->id;
    get.namespace_           = api_namespace(call);
    parts->asked.id          = parts->id;
    parts->asked.filter      = &parts->filter;
    const struct api_ask ask = {.service   = &pb__runs__descriptor,
                                .method    = parts->is_start ? "Bulk" : "Operation",
                                .message   = parts->is_start ? (const void *)&parts->asked : &get,
                                .partition = (uint16_t)parts->next,
                                .then      = on_part};
    api_ask_scheduler(call, &ask);
}

static struct parts *parts_new(struct api_call *call)
{
    struct parts *parts = arena_alloc(call->arena, sizeof *parts);
    unsigned count      = atomic_load(&call->api->partitions);
    ASSERT(parts);
    parts->count       = count > 0 ? count : 1;
    parts->id          = "";
    parts->sum.is_over = true;
    call->state        = parts;
    return parts;
}

void operations_get(struct api_call *call)
{
    struct parts *parts = parts_new(call);
    parts->id           = api_text(call, call->params[0]);
    ask_next(call);
}

/* --- start -------------------------------------------------------------------------------------
 */

static status read_time(struct api_call *call, json filter, const char *name, int64_t *ret_us,
                        struct error *reterr)
{
    const char *text = api_member(call, filter, name);
    if (!*text || time_parse(str_from(text), ret_us)) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "/filter/%s: a time such as 2026-11-22T10:00:00Z",
                name);
}

static void read_statuses(struct api_call *call, json list, Pb__ListRuns *filter)
{
    size_t count   = json_count(list); /* the schema knows how many, and which */
    filter->status = arena_alloc(call->arena, (count + 1) * sizeof *filter->status);
    ASSERT(filter->status);
    for (size_t i = 0; i < count; i++) {
        bool is_known = run_status_parse(json_str(json_at(list, i)), &filter->status[i]);
        ASSERT(is_known);
    }
    filter->n_status = count;
}

static status read_filter(struct api_call *call, Pb__ListRuns *filter, struct error *reterr)
{
    json from            = json_get_text(call->body, "filter");
    struct labels labels = labels_of_body(call, json_get_text(from, "labels"));
    filter->labels       = labels.items;
    filter->n_labels     = labels.count;
    filter->workflow     = api_member(call, from, "workflow");
    filter->version      = api_member(call, from, "version");
    filter->parent       = api_member(call, from, "parent");
    read_statuses(call, json_get_text(from, "status"), filter);
    TRY(read_time(call, from, "created_after", &filter->created_after_us, reterr));
    return read_time(call, from, "created_before", &filter->created_before_us, reterr);
}

void runs_bulk(struct api_call *call)
{
    struct error error  = {};
    struct parts *parts = parts_new(call);
    str action          = str_from(api_member(call, call->body, "action"));
    if (!api_make_repeatable(call)) return;
    parts->is_start = true;
    pb__start_bulk__init(&parts->asked);
    pb__list_runs__init(&parts->filter);
    for (unsigned i = 1; i < ARRAY_LEN(actions); i++) {
        if (str_is(action, actions[i])) parts->asked.action = (Pb__BulkAction)i;
    }
    bool is_for_good = parts->asked.action == PB__BULK_ACTION__BULK_ACTION_DELETE ||
                       parts->asked.action == PB__BULK_ACTION__BULK_ACTION_ERASE;
    if (is_for_good && !(call->identity.roles & ROLE_ADMIN)) {
        api_fail_with(call, "forbidden", (str){}, "action %s: the role X (admin) is required",
                      actions[parts->asked.action]);
        return;
    }
    if (read_filter(call, &parts->filter, &error) != STATUS_OK) {
        api_fail(call, STATUS_INVALID_ARGUMENT, &error);
        return;
    }
    parts->asked.namespace_ = api_namespace(call);
    parts->asked.dry_run    = json_is_truthy(json_get_text(call->body, "dry_run"));
    parts->asked.force      = json_is_truthy(json_get_text(call->body, "force"));
    parts->asked.reason     = api_member(call, call->body, "reason");
    parts->asked.by         = call->identity.name;
    ask_next(call);
}
