/* Webhooks: who subscribes, a stand-in for the receivers, and by the simulation's own count which
 * events each of them must be told of, in which order, and that none is told again after it said
 * that it has it. */
#include "base/assert.h"
#include "scheduler/engine/engine_internal.h"
#include "scheduler/engine/events/webhooks.h"
#include "sim.h"
#include "json/json_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    NOTICES_MAX     = 100'000,
    KEY_MAX         = 160,
    FAILING_MAX     = 2, /* attempts of one delivery that its receiver fails at */
    HTTP_GONE       = 410,
    HTTP_NOT_READY  = 503,
    PERCENT_FAILING = 25,
};

/* The types that receivers want: each event of the journal gives at most one of each. */
#define RUN_EVENT  "io.serverlessworkflow.workflow."
#define TASK_EVENT "io.serverlessworkflow.task."
static const char *const run_types[]  = {RUN_EVENT "started.v1",   RUN_EVENT "completed.v1",
                                         RUN_EVENT "faulted.v1",   RUN_EVENT "cancelled.v1",
                                         RUN_EVENT "suspended.v1", RUN_EVENT "resumed.v1"};
static const char *const task_types[] = {TASK_EVENT "completed.v1", TASK_EVENT "faulted.v1"};

/* An event for a receiver. */
struct sim_notice {
    struct sim_notice *next;
    char key[KEY_MAX];
    char run[ID_LEN + 1];
    uint64_t first;   /* its place among all that were heard for the first time; 0: it was not */
    bool is_settled;  /* the receiver has said that it has it, and that was accepted */
    bool is_expected; /* the journal has it */
};

static const char *type_of(enum event_kind kind)
{
    switch (kind) {
    case EVENT_RUN_STARTED: return run_types[0];
    case EVENT_RUN_COMPLETED: return run_types[1];
    case EVENT_RUN_FAULTED: return run_types[2];
    case EVENT_RUN_CANCELLED:
    case EVENT_RUN_TERMINATED: return run_types[3];
    case EVENT_RUN_SUSPENDED: return run_types[4];
    case EVENT_RUN_RESUMED: return run_types[5];
    case EVENT_TASK_COMPLETED: return task_types[0];
    case EVENT_TASK_FAULTED: return task_types[1];
    default: return NULL;
    }
}

/* --- drawing and setting ------------------------------------------------------------------------
 */

void sim_webhooks_draw(struct sim *sim)
{
    struct sim_webhooks *webhooks = &sim->webhooks;
    webhooks->notices             = map_new(NOTICES_MAX);
    webhooks->jobs                = map_new(NOTICES_MAX);
    if (sim_draw(sim, 4) > 0) return;
    webhooks->count = 1 + sim_draw(sim, RECEIVERS_MAX);
    for (size_t i = 0; i < webhooks->count; i++) {
        struct sim_receiver *receiver = &webhooks->items[i];
        receiver->wants_tasks         = sim_draw(sim, 3) == 0;
        receiver->is_of_one           = sim_draw(sim, 4) == 0;
        (void)snprintf(receiver->url, sizeof receiver->url, "https://sim.test/%zu", i);
    }
    if (webhooks->count < RECEIVERS_MAX) return;
    webhooks->items[RECEIVERS_MAX - 1].leaves = sim_draw(sim, 3) == 0;
    webhooks->items[RECEIVERS_MAX - 1].goes   = sim_draw(sim, 3) == 0;
}

/* In the step that made it: what it says lives no longer. */
static void on_subscribed(struct stage_call *call)
{
    struct sim_receiver *receiver = call->context;
    const Pb__Subscription *made  = call->command.response;
    if (call->command.code == STATUS_OK) {
        (void)snprintf(receiver->id, sizeof receiver->id, "%s", made->id);
    }
}

static bool subscribe(struct sim *sim, struct sim_receiver *receiver)
{
    static uint8_t secret[]                           = "0123456789abcdef";
    CLEANUP(stage_call_freep) struct stage_call *call = stage_call_new(COMMAND_SUBSCRIBE, 0);
    struct error error                                = {};
    Pb__Subscription request                          = PB__SUBSCRIPTION__INIT;
    Pb__Subscription response                         = PB__SUBSCRIPTION__INIT;
    const char *types[ARRAY_LEN(run_types) + ARRAY_LEN(task_types)];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(run_types); i++) types[count++] = run_types[i];
    for (size_t i = 0; receiver->wants_tasks && i < ARRAY_LEN(task_types); i++) {
        types[count++] = task_types[i];
    }
    request.namespace_      = "sim";
    request.url             = receiver->url;
    request.types           = types;
    request.n_types         = count;
    request.workflow        = receiver->is_of_one ? sim->programs.items[0].name : "";
    request.secret          = (ProtobufCBinaryData){sizeof secret - 1, secret};
    call->command.request   = &request;
    call->command.response  = &response;
    call->command.namespace = str_from("sim");
    call->done              = on_subscribed;
    call->context           = receiver;
    if (stage_ask(sim->stage, 0, call, &error) != STATUS_OK) {
        sim_fail(sim, "a subscription is refused: %s", error.text);
        return false;
    }
    return true;
}

bool sim_webhooks_set_up(struct sim *sim)
{
    for (size_t i = 0; i < sim->webhooks.count; i++) {
        if (!subscribe(sim, &sim->webhooks.items[i])) return false;
    }
    return true;
}

void sim_webhooks_done(struct sim *sim)
{
    map_free(sim->webhooks.notices);
    map_free(sim->webhooks.jobs);
}

void sim_webhooks_begin(struct sim *sim)
{
    for (size_t i = 0; i < sim->webhooks.count; i++) {
        struct sim_receiver *receiver = &sim->webhooks.items[i];
        if (!receiver->leaves) continue;
        struct op *op = client_op(sim, OP_UNSUBSCRIBE, NULL);
        op->receiver  = receiver;
        sim_at(sim, (int64_t)sim_draw(sim, 60'000) * MS, client_send, op);
    }
}

struct stage_call *sim_webhooks_make(const struct op *op)
{
    struct stage_call *call         = stage_call_new(COMMAND_UNSUBSCRIBE, 0);
    Pb__DeleteSubscription *request = stage_call_alloc(call, sizeof *request);
    Pb__SubscriptionGone *response  = stage_call_alloc(call, sizeof *response);
    *request                        = (Pb__DeleteSubscription)PB__DELETE_SUBSCRIPTION__INIT;
    *response                       = (Pb__SubscriptionGone)PB__SUBSCRIPTION_GONE__INIT;
    request->id                     = op->receiver->id;
    call->command.request           = request;
    call->command.response          = response;
    op->receiver->is_off            = true; /* from the first time that it is asked for */
    return call;
}

/* --- the books ----------------------------------------------------------------------------------
 */

bool sim_is_webhook(const Pb__LeasedJob *job)
{
    return strcmp(job->function, WEBHOOK_FUNCTION) == 0;
}

static struct sim_notice *notice_at(struct sim *sim, const struct sim_receiver *receiver,
                                    const char *run, uint64_t sequence, const char *type)
{
    char key[KEY_MAX];
    (void)snprintf(key, sizeof key, "%zu %s/%" PRIu64 " %s",
                   (size_t)(receiver - sim->webhooks.items), run, sequence, type);
    struct sim_notice *notice = map_get(sim->webhooks.notices, str_from(key));
    if (notice) return notice;
    notice = arena_alloc(sim->arena, sizeof *notice);
    ASSERT(notice);
    *notice = (struct sim_notice){.next = sim->webhooks.all};
    memcpy(notice->key, key, sizeof key);
    (void)snprintf(notice->run, sizeof notice->run, "%s", run);
    sim->webhooks.all = notice;
    bool is_put       = map_put(sim->webhooks.notices, str_from(notice->key), notice);
    ASSERT(is_put);
    return notice;
}

static struct sim_receiver *receiver_of(struct sim *sim, json input)
{
    json url = json_get_text(input, "url");
    for (size_t i = 0; json_is(url, JSON_TEXT) && i < sim->webhooks.count; i++) {
        if (str_is(json_str(url), sim->webhooks.items[i].url)) return &sim->webhooks.items[i];
    }
    return NULL;
}

/* What a delivery is about; NULL: it makes no sense. */
static struct sim_notice *read_delivery(struct sim *sim, const Pb__LeasedJob *job,
                                        struct sim_receiver **ret_receiver)
{
    CLEANUP(json_unrefp) json input = json_invalid();
    const str text                  = {(const char *)job->input_json.data, job->input_json.len};
    if (json_parse(text, NULL, &input, NULL, NULL) != STATUS_OK) return NULL;
    json id       = json_get_text(input, "id");
    json type     = json_get_text(input, "type");
    json subject  = json_get_text(input, "subject");
    *ret_receiver = receiver_of(sim, input);
    bool is_whole = *ret_receiver && json_is(id, JSON_TEXT) && json_is(type, JSON_TEXT) &&
                    json_is(subject, JSON_TEXT) && json_str(subject).len == ID_LEN &&
                    str_starts_with(json_str(id), json_str(subject));
    if (!is_whole) return NULL;
    uint64_t sequence = strtoull(json_str(id).ptr + ID_LEN + 1, NULL, 10);
    return notice_at(sim, *ret_receiver, json_str(subject).ptr, sequence, json_str(type).ptr);
}

void sim_webhooks_leased(struct sim *sim, const Pb__LeasedJob *job)
{
    struct sim_receiver *receiver = NULL;
    struct sim_notice *notice     = read_delivery(sim, job, &receiver);
    if (!notice) {
        sim_fail(sim, "webhook job %s is about nothing", job->id);
        return;
    }
    if (notice->is_settled) {
        sim_fail(sim, "webhook %s is delivered again, and its receiver has it", notice->key);
    }
    if (map_get(sim->webhooks.jobs, str_from(job->id))) return;
    char *id = arena_strdup(sim->arena, str_from(job->id));
    ASSERT(id);
    bool is_put = map_put(sim->webhooks.jobs, str_from(id), notice);
    ASSERT(is_put);
}

void sim_webhooks_reported(struct sim *sim, const Pb__JobReport *report)
{
    struct sim_notice *notice = map_get(sim->webhooks.jobs, str_from(report->job));
    if (notice && report->result_case == PB__JOB_REPORT__RESULT_COMPLETED) {
        notice->is_settled = true;
    }
}

/* --- the receiver -------------------------------------------------------------------------------
 */

void sim_webhooks_receive(struct sim *sim, struct task_in_hand *task, const Pb__LeasedJob *job)
{
    struct sim_receiver *receiver = NULL;
    struct sim_notice *notice     = read_delivery(sim, job, &receiver);
    ASSERT(notice); /* it was when it was leased */
    if (notice->first == 0) notice->first = ++sim->webhooks.received;
    task->ending = ENDS_COMPLETED;
    if (sim_chance(sim, 3)) task->ending = ENDS_RELEASED;
    bool fails = job->attempt <= FAILING_MAX && sim_chance(sim, PERCENT_FAILING);
    if (fails) task->ending = ENDS_TRANSIENT;
    if (receiver->goes && sim_draw(sim, 8) == 0) {
        task->ending     = ENDS_GONE;
        receiver->is_off = true;
    }
}

/* --- what came of it ----------------------------------------------------------------------------
 */

void sim_webhooks_expect(struct sim *sim, uint64_t *heard, const struct run *run,
                         const struct event *event)
{
    const char *type = type_of(event->kind);
    for (size_t i = 0; type && i < sim->webhooks.count; i++) {
        const struct sim_receiver *receiver = &sim->webhooks.items[i];
        bool is_task                        = type == task_types[0] || type == task_types[1];
        bool is_its                         = (!is_task || receiver->wants_tasks) &&
                      (!receiver->is_of_one ||
                       strcmp(run_workflow(run)->name, sim->programs.items[0].name) == 0);
        if (!is_its) continue;
        struct sim_notice *notice = notice_at(sim, receiver, run_id(run), event->sequence, type);
        notice->is_expected       = true;
        uint64_t *last            = &heard[i];
        if (notice->first == 0) {
            if (!receiver->is_off) sim_fail(sim, "webhook %s was never delivered", notice->key);
        } else if (notice->first < *last) {
            sim_fail(sim, "webhook %s was delivered before one of an earlier event", notice->key);
        } else {
            *last = notice->first;
        }
    }
}

void sim_webhooks_check(struct sim *sim)
{
    for (const struct sim_notice *notice = sim->webhooks.all; notice; notice = notice->next) {
        if (notice->is_expected || run_may_be_gone(sim, notice->run)) continue;
        sim_fail(sim, "webhook %s tells of something that never happened", notice->key);
    }
}
