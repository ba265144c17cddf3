/* Queues: what waits in them, and the hand of an operator. */
#include "base/clock.h"
#include "gateway/fleet.h"
#include "gateway/handlers.h"
#include "gateway/view.h"

/* --- what there is -----------------------------------------------------------------------------
 */

static void on_queues(struct api_call *call, const Pb__QueueList *list)
{
    struct api_answer response;
    api_answer_begin(&response, call);
    int64_t now_us = clock_unix_us();
    json_begin_object(&response.json);
    json_member(&response.json, "items");
    json_begin_array(&response.json);
    for (size_t i = 0; i < list->n_queues; i++) {
        view_queue(&response.json, list->queues[i], now_us);
    }
    json_end_array(&response.json);
    json_end_object(&response.json);
    api_answer_send(&response, 200, NULL);
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

static void on_set(struct api_call *call, const struct rpc_answer *answer)
{
    send_settings(call, answer->message, 200);
}

static void on_accepted(struct api_call *call, const struct rpc_answer *answer)
{
    send_settings(call, answer->message, 202);
}

static Pb__SetQueue message_of(struct api_call *call, Pb__QueueAction action)
{
    Pb__SetQueue message = PB__SET_QUEUE__INIT;
    message.namespace_   = api_namespace(call);
    message.name         = api_text(call, call->params[0]);
    message.action       = action;
    return message;
}

/* A process changes its own partitions only: with several of them it would be half a change. */
static void change(struct api_call *call, const Pb__SetQueue *message, api_then *then)
{
    if (fleet_count(call->api) > 1) {
        api_fail_with(call, "not_implemented", (str){},
                      "queues cannot be changed over several scheduler processes yet");
        return;
    }
    const struct api_ask ask = {.service = &pb__system__descriptor,
                                .method  = "ChangeQueue",
                                .message = message,
                                .then    = then};
    api_ask_scheduler(call, &ask);
}

static void act(struct api_call *call, Pb__QueueAction action, api_then *then)
{
    const Pb__SetQueue message = message_of(call, action);
    change(call, &message, then);
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

/* The schema of the body has checked types and bounds: only the text of `per` is open. */
void queues_set(struct api_call *call)
{
    Pb__SetQueue message     = message_of(call, PB__QUEUE_ACTION__QUEUE_ACTION_LIMIT);
    json concurrency         = json_get_text(call->body, "concurrency");
    json rate                = json_get_text(call->body, "rate");
    int64_t number           = 0;
    message.sets_concurrency = !json_is(concurrency, JSON_INVALID);
    message.sets_rate        = !json_is(rate, JSON_INVALID);
    if (json_to_int(concurrency, &number)) message.concurrency = (uint32_t)number;
    if (json_is(rate, JSON_OBJECT)) {
        if (json_to_int(json_get_text(rate, "count"), &number)) {
            message.rate_count = (uint32_t)number;
        }
        if (!duration_parse(json_str(json_get_text(rate, "per")), &message.rate_period_us)) {
            api_fail_with(call, "invalid_request", (str){}, "rate.per: a duration such as `1m`");
            return;
        }
    }
    change(call, &message, on_set);
}
