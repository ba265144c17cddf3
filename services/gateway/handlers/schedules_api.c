/* Schedules: when workflows start by themselves, as callers say it. */
#include "schedule.pb-c.h"

#include "base/clock.h"
#include "gateway/api/view.h"
#include "gateway/handlers/handlers.h"
#include "json/json_text.h"

#include <inttypes.h>
#include <stdio.h>

enum { SPEC_MAX = 512 << 10 /* bytes */, TAG_SIZE = 32, COUNT_DIGITS = 3 };

/* --- views -------------------------------------------------------------------------------------
 */

static const char *const overlaps[] = {"skip", "queue", "allow", "replace"};
static const char *const outcomes[] = {"started", "queued", "skipped", "replaces"};

static void put_duration(struct json_writer *w, const char *key, int64_t us)
{
    char text[TIME_TEXT_SIZE];
    duration_format(us, text);
    json_put_text(w, key, str_from(text));
}

static void put_spec(struct json_writer *w, const Pb__ScheduleSpec *spec)
{
    json_put_text(w, "workflow", str_from(spec->workflow));
    view_json_if(w, "input", spec->input_json);
    view_text_if(w, "cron", spec->cron);
    if (*spec->cron) {
        json_put_text(w, "time_zone", str_from(*spec->time_zone ? spec->time_zone : "UTC"));
    }
    if (spec->every_us > 0) put_duration(w, "every", spec->every_us);
    view_time_if(w, "at", spec->at_us);
    json_put_text(w, "overlap", str_from(overlaps[(unsigned)spec->overlap % ARRAY_LEN(overlaps)]));
    put_duration(w, "catch_up", spec->catch_up_us);
    put_duration(w, "jitter", spec->jitter_us);
    json_member(w, "labels");
    json_begin_object(w);
    for (size_t i = 0; i < spec->n_labels; i++) {
        json_member(w, spec->labels[i]->key);
        json_write_text(w, str_from(spec->labels[i]->value));
    }
    json_end_object(w);
}

static void put_schedule(struct json_writer *w, const Pb__ScheduleView *row)
{
    const char *state = row->next_us > 0 ? "active" : "ended";
    json_begin_object(w);
    json_put_text(w, "id", str_from(row->name + 1)); /* behind the colon of a caller's */
    json_put_text(w, "namespace", str_from(row->namespace_));
    json_put_text(w, "status", str_from(row->paused ? "paused" : state));
    if (row->spec) put_spec(w, row->spec);
    json_member(w, "paused");
    json_write_bool(w, row->paused);
    view_time_if(w, "next_at", row->next_us);
    view_time_if(w, "last_at", row->last_us);
    view_text_if(w, "last_run", row->last_run);
    view_text_if(w, "last_error", row->last_error);
    if (row->running) view_text_if(w, "running", row->running_run);
    json_put_int(w, "waiting", (int64_t)row->n_waiting_us);
    json_put_int(w, "skipped", (int64_t)row->skipped);
    json_put_time(w, "created_at", row->created_us);
    json_put_time(w, "updated_at", row->updated_us);
    view_text_if(w, "created_by", row->created_by);
    json_end_object(w);
}

static void ask(struct api_call *call, const char *method, const void *message, api_then *then)
{
    const struct api_ask asked = {
        .service = &pb__schedules__descriptor, .method = method, .message = message, .then = then};
    api_ask_scheduler(call, &asked);
}

static void send(struct api_call *call, const Pb__ScheduleView *row, int http_status)
{
    char tag[TAG_SIZE];
    (void)snprintf(tag, sizeof tag, "\"%" PRIu64 "\"", row->revision);
    const char *place = arena_printf(call->arena, "/v1/schedules/%s", row->name + 1);
    const struct httpd_field fields[] = {{str_from("ETag"), str_from(tag)},
                                         {str_from("Location"), str_from(place ? place : "")}};
    struct api_answer response;
    api_answer_begin(&response, call);
    put_schedule(&response.json, row);
    api_answer_send_fields(&response, http_status, fields, http_status == 201 ? 2 : 1);
}

static void on_schedule(struct api_call *call, const struct rpc_answer *answer)
{
    send(call, answer->message, 200);
}

static void on_created(struct api_call *call, const struct rpc_answer *answer)
{
    send(call, answer->message, 201);
}

/* --- create, change, delete --------------------------------------------------------------------
 */

static void put(struct api_call *call, const char *id, uint64_t revision, bool create)
{
    CLEANUP(buf_done) struct buf spec = buf_init(SPEC_MAX);
    Pb__PutSchedule message           = PB__PUT_SCHEDULE__INIT;
    if (!api_print(call, call->body, &spec)) return;
    message.namespace_ = api_namespace(call);
    message.id         = id;
    message.spec_json  = (ProtobufCBinaryData){.data = (uint8_t *)spec.ptr, .len = spec.len};
    message.by         = call->identity.key_id;
    message.create     = create;
    message.revision   = revision;
    ask(call, "Put", &message, create ? on_created : on_schedule);
}

void schedules_create(struct api_call *call)
{
    if (api_make_repeatable(call)) put(call, api_member(call, call->body, "id"), 0, true);
}

void schedules_put(struct api_call *call)
{
    uint64_t revision = 0;
    if (!api_match(call, "schedule", &revision)) return;
    put(call, api_text(call, call->params[0]), revision, false);
}

void schedules_delete(struct api_call *call)
{
    Pb__DeleteSchedule message = PB__DELETE_SCHEDULE__INIT;
    message.namespace_         = api_namespace(call);
    message.id                 = api_text(call, call->params[0]);
    ask(call, "Delete", &message, api_send_nothing);
}

static void pause_or_resume(struct api_call *call, bool paused)
{
    if (!api_make_repeatable(call)) return;
    Pb__PauseSchedule message = PB__PAUSE_SCHEDULE__INIT;
    message.namespace_        = api_namespace(call);
    message.id                = api_text(call, call->params[0]);
    message.paused            = paused;
    ask(call, "Pause", &message, on_schedule);
}

void schedules_pause(struct api_call *call)
{
    pause_or_resume(call, true);
}

void schedules_resume(struct api_call *call)
{
    pause_or_resume(call, false);
}

/* --- starts ------------------------------------------------------------------------------------
 */

static void on_triggered(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__TriggeredSchedule *triggered = answer->message;
    unsigned outcome                       = (unsigned)triggered->outcome % ARRAY_LEN(outcomes);
    struct api_answer response;
    api_answer_begin(&response, call);
    json_begin_object(&response.json);
    json_put_text(&response.json, "outcome", str_from(outcomes[outcome]));
    json_put_time(&response.json, "due_at", triggered->due_us);
    json_put_text(&response.json, "client_id", str_from(triggered->client_id));
    json_end_object(&response.json);
    api_answer_send(&response, 202, NULL);
}

void schedules_trigger(struct api_call *call)
{
    if (!api_make_repeatable(call)) return;
    Pb__TriggerSchedule message = PB__TRIGGER_SCHEDULE__INIT;
    message.namespace_          = api_namespace(call);
    message.id                  = api_text(call, call->params[0]);
    ask(call, "Trigger", &message, on_triggered);
}

static void on_backfilled(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__BackfilledSchedule *filled = answer->message;
    struct api_answer response;
    api_answer_begin(&response, call);
    json_begin_object(&response.json);
    json_put_int(&response.json, "count", filled->count);
    json_end_object(&response.json);
    api_answer_send(&response, 202, NULL);
}

/* False: the call was answered. */
static bool read_time(struct api_call *call, const char *name, int64_t *ret_us)
{
    if (time_parse(str_from(api_member(call, call->body, name)), ret_us)) return true;
    api_fail_with(call, "schedule_invalid", (str){}, "%s: a time such as 2030-01-31T12:00:00Z",
                  name);
    return false;
}

void schedules_backfill(struct api_call *call)
{
    Pb__BackfillSchedule message = PB__BACKFILL_SCHEDULE__INIT;
    if (!api_make_repeatable(call) || !read_time(call, "from", &message.from_us) ||
        !read_time(call, "to", &message.to_us)) {
        return;
    }
    message.namespace_ = api_namespace(call);
    message.id         = api_text(call, call->params[0]);
    message.allow      = strcmp(api_member(call, call->body, "overlap"), "allow") == 0;
    ask(call, "Backfill", &message, on_backfilled);
}

/* --- read --------------------------------------------------------------------------------------
 */

void schedules_get(struct api_call *call)
{
    Pb__GetSchedule message = PB__GET_SCHEDULE__INIT;
    message.namespace_      = api_namespace(call);
    message.id              = api_text(call, call->params[0]);
    ask(call, "Get", &message, on_schedule);
}

static void on_listed(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__ScheduleList *list = answer->message;
    struct api_answer response;
    api_list_begin(&response, call);
    for (size_t i = 0; i < list->n_schedules; i++) {
        put_schedule(&response.json, list->schedules[i]);
    }
    api_list_send(&response, list->next_token);
}

void schedules_list(struct api_call *call)
{
    Pb__ListSchedules message = PB__LIST_SCHEDULES__INIT;
    Pb__Page page             = PB__PAGE__INIT;
    str workflow              = {};
    if (!api_read_page(call, &page.size, &page.token)) return;
    (void)api_query(call, "workflow", &workflow);
    message.namespace_ = api_namespace(call);
    message.workflow   = api_text(call, workflow);
    message.page       = &page;
    ask(call, "List", &message, on_listed);
}

static void on_upcoming(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__UpcomingTimes *times = answer->message;
    struct api_answer response;
    api_list_begin(&response, call);
    for (size_t i = 0; i < times->n_times; i++) {
        json_begin_object(&response.json);
        json_put_time(&response.json, "due_at", times->times[i]->due_us);
        json_put_time(&response.json, "start_at", times->times[i]->start_us);
        json_end_object(&response.json);
    }
    api_list_send(&response, "");
}

void schedules_upcoming(struct api_call *call)
{
    Pb__GetUpcoming message = PB__GET_UPCOMING__INIT;
    str count               = {};
    bool is_good            = true;
    if (api_query(call, "count", &count)) {
        is_good = count.len > 0 && count.len <= COUNT_DIGITS;
        for (size_t i = 0; i < count.len && is_good; i++) {
            is_good       = count.ptr[i] >= '0' && count.ptr[i] <= '9';
            message.count = message.count * 10 + (uint32_t)(count.ptr[i] - '0');
        }
        is_good = is_good && message.count > 0;
    }
    if (!is_good) {
        api_fail_with(call, "invalid_request", (str){}, "count: 1 to 100");
        return;
    }
    message.namespace_ = api_namespace(call);
    message.id         = api_text(call, call->params[0]);
    ask(call, "Upcoming", &message, on_upcoming);
}
