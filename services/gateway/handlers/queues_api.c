/* Queues: what waits in them, and the hand of an operator. */
#include "base/assert.h"
#include "base/clock.h"
#include "gateway/api/view.h"
#include "gateway/fleet.h"
#include "gateway/handlers/handlers.h"

/* --- what there is -----------------------------------------------------------------------------
 */

static void on_queues(struct api_call *call, const Pb__QueueList *list)
{
    struct api_answer response;
    int64_t now_us = clock_unix_us();
    api_list_begin(&response, call);
    for (size_t i = 0; i < list->n_queues; i++) {
        view_queue(&response.json, list->queues[i], now_us);
    }
    api_list_send(&response, "");
}

static void on_queue(struct api_call *call, const Pb__QueueList *list)
{
    if (list->n_queues == 0) {
        api_fail_with(call, "not_found", (str){}, "there is no such queue");
        return;
    }
    struct api_answer response;
    api_answer_begin(&response, call);
    view_queue(&response.json, list->queues[0], clock_unix_us());
    api_answer_send(&response, 200, NULL);
}

void queues_list(struct api_call *call)
{
    fleet_ask_queues(call, "", on_queues);
}

void queues_get(struct api_call *call)
{
    fleet_ask_queues(call, api_text(call, call->params[0]), on_queue);
}

/* --- what is set -------------------------------------------------------------------------------
 */

static void send_settings(struct api_call *call, const Pb__QueueView *queue, int http_status)
{
    struct api_answer response;
    api_answer_begin(&response, call);
    json_begin_object(&response.json);
    json_put_text(&response.json, "name", str_from(queue->name));
    view_queue_settings(&response.json, queue);
    json_end_object(&response.json);
    api_answer_send(&response, http_status, NULL);
}

static void on_set(struct api_call *call, const Pb__QueueView *queue)
{
    send_settings(call, queue, 200);
}

static void on_accepted(struct api_call *call, const Pb__QueueView *queue)
{
    send_settings(call, queue, 202);
}

static Pb__SetQueue message_of(struct api_call *call, Pb__QueueAction action)
{
    Pb__SetQueue message = PB__SET_QUEUE__INIT;
    message.namespace_   = api_namespace(call);
    message.name         = api_text(call, call->params[0]);
    message.action       = action;
    return message;
}

static void act(struct api_call *call, Pb__QueueAction action, fleet_then_queue *then)
{
    if (!api_make_repeatable(call)) return;
    const Pb__SetQueue message = message_of(call, action);
    fleet_change_queue(call, &message, then);
}

void queues_pause(struct api_call *call)
{
    act(call, PB__QUEUE_ACTION__QUEUE_ACTION_PAUSE, on_set);
}

void queues_resume(struct api_call *call)
{
    act(call, PB__QUEUE_ACTION__QUEUE_ACTION_RESUME, on_set);
}

void queues_purge(struct api_call *call)
{
    act(call, PB__QUEUE_ACTION__QUEUE_ACTION_PURGE, on_accepted);
}

/* The schema of the body has checked types and bounds: only the texts of times are open. False: the
 * call has been answered. */
static bool read_redrive(struct api_call *call, json body, Pb__RedriveRule *rule)
{
    json errors    = json_get_text(body, "errors");
    json closes    = json_get_text(body, "on_breaker_close");
    int64_t number = 0;
    rule->n_errors = json_count(errors);
    rule->errors   = arena_alloc(call->arena, (rule->n_errors + 1) * sizeof *rule->errors);
    ASSERT(rule->errors);
    for (size_t i = 0; i < rule->n_errors; i++) {
        rule->errors[i] = api_text(call, json_str(json_at(errors, i)));
    }
    if (!duration_parse(json_str(json_get_text(body, "after")), &rule->after_us)) {
        api_fail_with(call, "invalid_request", (str){}, "redrive.after: a duration such as `10m`");
        return false;
    }
    if (json_to_int(json_get_text(body, "times"), &number)) rule->times = (uint32_t)number;
    rule->ignores_breakers = json_is(closes, JSON_FALSE);
    return queue_rate_read(call, json_get_text(body, "rate"), "redrive.rate", &rule->rate_count,
                           &rule->rate_period_us);
}

bool queue_rate_read(struct api_call *call, json rate, const char *name, uint32_t *ret_count,
                     int64_t *ret_period_us)
{
    if (view_rate_read(rate, ret_count, ret_period_us)) return true;
    api_fail_with(call, "invalid_request", (str){}, "%s.per: a duration such as `1m`", name);
    return false;
}

/* The limits of keys; false: the call has been answered. */
static bool read_keys(struct api_call *call, json limits, Pb__SetQueue *message)
{
    int64_t number    = 0;
    message->sets_key = !json_is(limits, JSON_INVALID);
    if (json_to_int(json_get_text(limits, "concurrency"), &number)) {
        message->key_concurrency = (uint32_t)number;
    }
    return queue_rate_read(call, json_get_text(limits, "rate"), "per_key.rate",
                           &message->key_rate_count, &message->key_rate_period_us);
}

void queues_set(struct api_call *call)
{
    Pb__SetQueue message     = message_of(call, PB__QUEUE_ACTION__QUEUE_ACTION_LIMIT);
    Pb__RedriveRule rule     = PB__REDRIVE_RULE__INIT;
    json concurrency         = json_get_text(call->body, "concurrency");
    json rate                = json_get_text(call->body, "rate");
    json redrive             = json_get_text(call->body, "redrive");
    int64_t number           = 0;
    message.sets_concurrency = !json_is(concurrency, JSON_INVALID);
    message.sets_rate        = !json_is(rate, JSON_INVALID);
    message.sets_redrive     = !json_is(redrive, JSON_INVALID);
    if (json_to_int(concurrency, &number)) message.concurrency = (uint32_t)number;
    if (!queue_rate_read(call, rate, "rate", &message.rate_count, &message.rate_period_us)) return;
    if (!read_keys(call, json_get_text(call->body, "per_key"), &message)) return;
    if (json_is(redrive, JSON_OBJECT)) {
        if (!read_redrive(call, redrive, &rule)) return;
        message.redrive = &rule;
    }
    fleet_change_queue(call, &message, on_set);
}
