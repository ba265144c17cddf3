/* Circuit breakers: whom jobs may call, and the hand of an operator. */
#include "breaker.pb-c.h"
#include "gateway/api/view.h"
#include "gateway/handlers/handlers.h"

static void ask(struct api_call *call, const char *method, const void *message, api_then *then)
{
    const struct api_ask request = {
        .service = &pb__breakers__descriptor, .method = method, .message = message, .then = then};
    api_ask_scheduler(call, &request);
}

/* --- views -------------------------------------------------------------------------------------
 */

static void put_settings(struct json_writer *w, const Pb__BreakerView *breaker)
{
    json_member(w, "settings");
    json_begin_object(w);
    json_put_int(w, "failures", breaker->failures_max);
    json_put_int(w, "window_ms", breaker->window_us / 1000);
    json_put_int(w, "open_ms", breaker->open_us / 1000);
    json_put_int(w, "successes", breaker->successes_max);
    json_end_object(w);
}

static void put_breaker(struct json_writer *w, const Pb__BreakerView *breaker)
{
    json_begin_object(w);
    json_put_text(w, "name", str_from(breaker->name));
    json_put_text(w, "state", str_from(view_breaker_state(breaker->state)));
    json_put_bool(w, "forced", breaker->forced);
    if (breaker->since_us > 0) json_put_time(w, "since", breaker->since_us);
    if (breaker->until_us > 0) json_put_time(w, "until", breaker->until_us);
    if (breaker->held_until_us > 0) json_put_time(w, "rests_until", breaker->held_until_us);
    json_put_int(w, "failures", breaker->failures);
    json_put_int(w, "successes", breaker->successes);
    json_put_int(w, "held", (int64_t)breaker->held);
    json_put_int(w, "failures_total", (int64_t)breaker->failed);
    json_put_int(w, "opened_total", (int64_t)breaker->opened);
    put_settings(w, breaker);
    json_end_object(w);
}

static void on_listed(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__BreakerList *list = answer->message;
    struct api_answer response;
    api_list_begin(&response, call);
    for (size_t i = 0; i < list->n_breakers; i++) put_breaker(&response.json, list->breakers[i]);
    api_list_send(&response, "");
}

static void on_got(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__BreakerList *list = answer->message;
    struct api_answer response;
    if (list->n_breakers == 0) {
        api_fail_with(call, "not_found", (str){}, "there is no such circuit breaker");
        return;
    }
    api_answer_begin(&response, call);
    put_breaker(&response.json, list->breakers[0]);
    api_answer_send(&response, 200, NULL);
}

static void on_set(struct api_call *call, const struct rpc_answer *answer)
{
    struct api_answer response;
    api_answer_begin(&response, call);
    put_breaker(&response.json, answer->message);
    api_answer_send(&response, 200, NULL);
}

/* --- operations --------------------------------------------------------------------------------
 */

void breakers_list(struct api_call *call)
{
    const Pb__ListBreakers message = PB__LIST_BREAKERS__INIT;
    ask(call, "List", &message, on_listed);
}

void breakers_get(struct api_call *call)
{
    Pb__ListBreakers message = PB__LIST_BREAKERS__INIT;
    message.name             = api_text(call, call->params[0]);
    ask(call, "List", &message, on_got);
}

static void set(struct api_call *call, Pb__BreakerAction action)
{
    if (!api_make_repeatable(call)) return;
    Pb__SetBreaker message = PB__SET_BREAKER__INIT;
    message.name           = api_text(call, call->params[0]);
    message.action         = action;
    message.by             = call->identity.name;
    ask(call, "Set", &message, on_set);
}

void breakers_reset(struct api_call *call)
{
    set(call, PB__BREAKER_ACTION__BREAKER_ACTION_RESET);
}

void breakers_open(struct api_call *call)
{
    set(call, PB__BREAKER_ACTION__BREAKER_ACTION_OPEN);
}
