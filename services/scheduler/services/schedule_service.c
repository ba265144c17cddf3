/* Schedules of callers. They live in the system partition, as those of documents do. */
#include "base/clock.h"
#include "base/id.h"
#include "base/random.h"
#include "scheduler/engine/schedules/schedules.h"
#include "scheduler/services/call.h"
#include "scheduler/services/row_page.h"
#include "scheduler/services/schedule_spec.h"
#include "scheduler/services/services.h"

enum {
    UPCOMING_DEFAULT = 10,
    UPCOMING_MAX     = 100,
    ID_MADE_LEN      = 20, /* characters of 5 random bits */
};

static status no_memory(struct error *reterr)
{
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
}

static str namespace_of(const struct rpc_call *call, const char *named)
{
    return namespace_of_keys(call_namespace(call, named));
}

/* A DNS label. */
static bool id_is_good(str id)
{
    if (id.len == 0 || id.len > SCHEDULE_ID_MAX) return false;
    for (size_t i = 0; i < id.len; i++) {
        char c       = id.ptr[i];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!is_word && (c != '-' || i == 0 || i + 1 == id.len)) return false;
    }
    return true;
}

static const char *id_new(struct arena *arena)
{
    static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
    uint8_t bits[ID_MADE_LEN];
    char *text = arena_alloc(arena, sizeof bits + 1);
    if (!text) return NULL;
    random_bytes(bits, sizeof bits);
    for (size_t i = 0; i < sizeof bits; i++) text[i] = digits[bits[i] & 31];
    text[sizeof bits] = '\0';
    return text;
}

static status post(struct rpc_call *call, enum command_kind kind, const void *request,
                   const char *namespace, struct error *reterr)
{
    struct shard *shard = scheduler_shard(call->context, 0);
    if (!shard) return call_moved(call, 0);
    struct command *command = call_command(call, kind, 0);
    if (!command) return no_memory(reterr);
    command->namespace = namespace_of(call, namespace);
    command->request   = request;
    call_post(call, shard, command);
    return STATUS_OK;
}

/* --- put ---------------------------------------------------------------------------------------
 */

/* What it starts must be there, and take the input. */
static status check_workflow(struct rpc_call *call, str namespace, const Pb__ScheduleSpec *spec,
                             struct diagnostics *list, struct error *reterr)
{
    const struct shard *system                               = scheduler_shard(call->context, 0);
    struct workflow_name name                                = {};
    struct error why                                         = {};
    CLEANUP(workflow_unrefp) const struct workflow *workflow = NULL;
    CLEANUP(json_unrefp) json input                          = json_invalid();
    status found       = workflow_name_read(str_from(spec->workflow), namespace, &name, &why);
    bool has_namespace = memchr(spec->workflow, '/', strlen(spec->workflow)) != NULL;
    if (found == STATUS_OK && has_namespace) {
        found = fail(&why, STATUS_INVALID_ARGUMENT, "is of the schedule's namespace: leave it out");
    }
    if (found == STATUS_OK) {
        found = definitions_resolve(scheduler_definitions(call->context), system->partition->store,
                                    &name, &workflow, &why);
    }
    if (found != STATUS_OK) {
        (void)diagnostics_add(list, "", SEVERITY_ERROR, str_from("/workflow"), 0, 0, "%s",
                              why.text);
        return STATUS_OK;
    }
    TRY(json_out(spec->input_json, "input", &input, reterr));
    return run_input_check(call, workflow, input, reterr);
}

static status read_spec(struct rpc_call *call, Pb__PutSchedule *request, struct error *reterr)
{
    CLEANUP(json_unrefp) json value = json_invalid();
    struct diagnostics *list        = diagnostics_new(call->arena);
    Pb__ScheduleSpec *spec          = arena_alloc(call->arena, sizeof *spec);
    bool is_paused                  = false;
    if (!list || !spec) return no_memory(reterr);
    TRY(json_out(request->spec_json, "schedule", &value, reterr));
    int64_t now_us = request->create ? clock_unix_us() : 0;
    bool is_good   = schedule_spec_read(value, now_us, call->arena, list, spec, &is_paused);
    if (is_good) TRY(check_workflow(call, str_from(request->namespace_), spec, list, reterr));
    if (!id_is_good(str_from(request->id))) {
        (void)diagnostics_add(list, "", SEVERITY_ERROR, str_from("/id"), 0, 0,
                              "must be 1 to %d of a-z, 0-9 and - between them", SCHEDULE_ID_MAX);
    }
    request->spec   = spec;
    request->paused = is_paused;
    if (list->errors == 0) return STATUS_OK;
    call_set_findings(call, list);
    const struct diagnostic *first = &list->items[0];
    return fail_code(reterr, STATUS_INVALID_ARGUMENT, "schedule_invalid", "%s: %s",
                     *first->pointer ? first->pointer : "the schedule", first->detail);
}

static status put(struct rpc_call *call, struct error *reterr)
{
    if (!scheduler_shard(call->context, 0)) return call_moved(call, 0);
    Pb__PutSchedule *request = arena_alloc(call->arena, sizeof *request);
    if (!request) return no_memory(reterr);
    *request            = *(const Pb__PutSchedule *)call->request;
    request->namespace_ = text_in(call->arena, namespace_of(call, request->namespace_));
    if (request->create && !*request->id) request->id = id_new(call->arena);
    if (!request->id || !request->namespace_) return no_memory(reterr);
    TRY(read_spec(call, request, reterr));
    return post(call, COMMAND_PUT_SCHEDULE, request, request->namespace_, reterr);
}

/* --- changes -----------------------------------------------------------------------------------
 */

static status pause_schedule(struct rpc_call *call, struct error *reterr)
{
    const Pb__PauseSchedule *request = call->request;
    return post(call, COMMAND_PAUSE_SCHEDULE, request, request->namespace_, reterr);
}

static status trigger(struct rpc_call *call, struct error *reterr)
{
    const Pb__TriggerSchedule *request = call->request;
    return post(call, COMMAND_TRIGGER_SCHEDULE, request, request->namespace_, reterr);
}

static status backfill(struct rpc_call *call, struct error *reterr)
{
    const Pb__BackfillSchedule *request = call->request;
    return post(call, COMMAND_BACKFILL_SCHEDULE, request, request->namespace_, reterr);
}

static status delete_schedule(struct rpc_call *call, struct error *reterr)
{
    const Pb__DeleteSchedule *request = call->request;
    return post(call, COMMAND_DELETE_SCHEDULE, request, request->namespace_, reterr);
}

/* --- reading -----------------------------------------------------------------------------------
 */

static status read_row(struct rpc_call *call, struct txn *txn, const char *namespace,
                       const char *id, Pb__ScheduleView **ret_row, struct error *reterr)
{
    struct key key;
    const char *name = arena_printf(call->arena, ":%s", id);
    if (!name) return no_memory(reterr);
    status got = STATUS_NOT_FOUND;
    if (id_is_good(str_from(id))) {
        schedule_key(&key, namespace_of(call, namespace), str_from(name));
        got = record_get(txn, TABLE_SCHEDULES, key_bytes(&key), &pb__schedule_view__descriptor,
                         call->arena, ret_row, reterr);
    }
    if (got != STATUS_NOT_FOUND) return got;
    return fail_code(reterr, STATUS_NOT_FOUND, "not_found", "there is no schedule `%.*s`",
                     SCHEDULE_ID_MAX, id);
}

static status get(struct rpc_call *call, struct error *reterr)
{
    const Pb__GetSchedule *request      = call->request;
    struct shard *shard                 = scheduler_shard(call->context, 0);
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    Pb__ScheduleView *row               = NULL;
    if (!shard) return call_moved(call, 0);
    TRY(txn_begin_read(shard->partition->store, &txn, reterr));
    TRY(read_row(call, txn, request->namespace_, request->id, &row, reterr));
    *(Pb__ScheduleView *)call->response = *row;
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

static status upcoming(struct rpc_call *call, struct error *reterr)
{
    const Pb__GetUpcoming *request      = call->request;
    Pb__UpcomingTimes *answer           = call->response;
    uint32_t count                      = request->count ? request->count : UPCOMING_DEFAULT;
    struct shard *shard                 = scheduler_shard(call->context, 0);
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    Pb__ScheduleView *row               = NULL;
    struct timetable timetable          = {};
    if (!shard) return call_moved(call, 0);
    if (count > UPCOMING_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "count: 1 to %d", UPCOMING_MAX);
    }
    TRY(txn_begin_read(shard->partition->store, &txn, reterr));
    TRY(read_row(call, txn, request->namespace_, request->id, &row, reterr));
    Pb__UpcomingTime *items = arena_alloc(call->arena, count * sizeof *items);
    answer->times           = arena_alloc(call->arena, count * sizeof *answer->times);
    if (!items || !answer->times) return no_memory(reterr);
    TRY(schedule_timetable(row->spec, &timetable, reterr));
    int64_t due_us = row->next_us > 0 ? row->next_us : timetable_next(&timetable, clock_unix_us());
    for (uint32_t i = 0; i < count && due_us < INT64_MAX; i++) {
        pb__upcoming_time__init(&items[i]);
        items[i].due_us   = due_us;
        items[i].start_us = due_us + schedule_jitter(row, due_us);
        answer->times[i]  = &items[i];
        answer->n_times   = i + 1;
        due_us            = timetable_next(&timetable, due_us);
    }
    timetable_done(&timetable);
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

/* --- list --------------------------------------------------------------------------------------
 */

struct listing {
    const Pb__ListSchedules *request;
    str namespace; /* "*": all */
    struct arena *arena;
    Pb__ScheduleList *answer;
    struct row_page page;
};

static bool is_of(const Pb__ScheduleView *row, const char *workflow)
{
    size_t len = strlen(workflow);
    if (len == 0) return true;
    return strncmp(row->spec->workflow, workflow, len) == 0 &&
           (row->spec->workflow[len] == '\0' || row->spec->workflow[len] == ':');
}

static status take_row(struct txn *, bytes value, void *context, bool *ret_is_full,
                       struct error *reterr)
{
    struct listing *list  = context;
    Pb__ScheduleList *to  = list->answer;
    Pb__ScheduleView *row = NULL;
    TRY(record_read(value, &pb__schedule_view__descriptor, list->arena, &row, reterr));
    if (!row->spec || !is_of(row, list->request->workflow)) return STATUS_OK; /* a document's */
    *ret_is_full = to->n_schedules == list->page.size;
    if (!*ret_is_full) to->schedules[to->n_schedules++] = row;
    return STATUS_OK;
}

static status list(struct rpc_call *call, struct error *reterr)
{
    const Pb__ListSchedules *request    = call->request;
    struct shard *shard                 = scheduler_shard(call->context, 0);
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    if (!shard) return call_moved(call, 0);
    struct listing listing = {.request   = request,
                              .namespace = call_namespace(call, request->namespace_),
                              .arena     = call->arena,
                              .answer    = call->response};
    const char *filters =
        arena_printf(call->arena, STR_FMT "\x1f%s", STR_ARG(listing.namespace), request->workflow);
    if (!filters) return no_memory(reterr);
    TRY(row_page_begin(request->page, str_from(filters), call->arena, &listing.page, reterr));
    listing.answer->schedules = arena_alloc(call->arena, listing.page.size * sizeof(void *));
    if (!listing.answer->schedules) return no_memory(reterr);
    struct key prefix;
    struct scan scan = {};
    if (!str_is(listing.namespace, "*")) {
        key_begin(&prefix);
        key_put_text(&prefix, listing.namespace);
        scan.prefix = key_bytes(&prefix);
    }
    TRY(txn_begin_read(shard->partition->store, &txn, reterr));
    TRY(row_page_walk(&listing.page, txn, TABLE_SCHEDULES, scan, take_row, &listing, reterr));
    listing.answer->next_token = row_page_next(&listing.page, call->arena);
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

const struct rpc_method schedule_service_methods[] = {
    {.name = "Put", .handle = put},
    {.name = "Get", .handle = get},
    {.name = "List", .handle = list},
    {.name = "Upcoming", .handle = upcoming},
    {.name = "Pause", .handle = pause_schedule},
    {.name = "Trigger", .handle = trigger},
    {.name = "Backfill", .handle = backfill},
    {.name = "Delete", .handle = delete_schedule},
    {},
};
