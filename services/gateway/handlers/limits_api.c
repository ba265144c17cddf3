/* Limits of targets and keys, and the hand of an operator. */
#include "gateway/api/view.h"
#include "gateway/handlers/handlers.h"
#include "limit.pb-c.h"

static void ask(struct api_call *call, const char *method, const void *message, api_then *then)
{
    const struct api_ask request = {
        .service = &pb__limits__descriptor, .method = method, .message = message, .then = then};
    api_ask_scheduler(call, &request);
}

/* --- views -------------------------------------------------------------------------------------
 */

static void put_limit(struct json_writer *w, const Pb__LimitView *limit)
{
    const Pb__LimitRule *rule = limit->rule;
    json_begin_object(w);
    json_put_text(w, "name", str_from(limit->name));
    if (rule && rule->concurrency > 0) json_put_int(w, "concurrency", rule->concurrency);
    if (rule) view_rate(w, rule->rate_count, rule->rate_period_us);
    if (rule && rule->token_count > 0) {
        view_count_per(w, "tokens", rule->token_count, rule->token_period_us);
        json_put_int(w, "tokens_used", (int64_t)limit->tokens_used);
    }
    json_put_text(w, "source", str_from(limit->source));
    json_put_int(w, "running", (int64_t)limit->used);
    json_put_int(w, "waiting", (int64_t)limit->waiting);
    if (limit->opens_us > 0) json_put_time(w, "opens", limit->opens_us);
    json_end_object(w);
}

static void on_listed(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__LimitList *list = answer->message;
    struct api_answer response;
    api_list_begin(&response, call);
    for (size_t i = 0; i < list->n_limits; i++) put_limit(&response.json, list->limits[i]);
    api_list_send(&response, "");
}

static void on_got(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__LimitList *list = answer->message;
    struct api_answer response;
    if (list->n_limits == 0) {
        api_fail_with(call, "not_found", (str){}, "there is no such limit");
        return;
    }
    api_answer_begin(&response, call);
    put_limit(&response.json, list->limits[0]);
    api_answer_send(&response, 200, NULL);
}

static void on_set(struct api_call *call, const struct rpc_answer *answer)
{
    struct api_answer response;
    api_answer_begin(&response, call);
    put_limit(&response.json, answer->message);
    api_answer_send(&response, 200, NULL);
}

/* --- operations --------------------------------------------------------------------------------
 */

void limits_list(struct api_call *call)
{
    const Pb__ListLimits message = PB__LIST_LIMITS__INIT;
    ask(call, "List", &message, on_listed);
}

void limits_get(struct api_call *call)
{
    Pb__ListLimits message = PB__LIST_LIMITS__INIT;
    message.name           = api_text(call, call->params[0]);
    ask(call, "List", &message, on_got);
}

/* The schema of the body has checked types and bounds: only the text of `per` is open. */
void limits_set(struct api_call *call)
{
    Pb__SetLimit message = PB__SET_LIMIT__INIT;
    Pb__LimitRule rule   = PB__LIMIT_RULE__INIT;
    int64_t number       = 0;
    json rate            = json_get_text(call->body, "rate");
    json tokens          = json_get_text(call->body, "tokens");
    message.name         = api_text(call, call->params[0]);
    message.rule         = &rule;
    message.by           = call->identity.name;
    if (json_to_int(json_get_text(call->body, "concurrency"), &number)) {
        rule.concurrency = (uint32_t)number;
    }
    if (!view_rate_read(rate, &rule.rate_count, &rule.rate_period_us)) {
        api_fail_with(call, "invalid_request", (str){}, "rate.per: a duration such as `1m`");
        return;
    }
    if (!view_rate_read(tokens, &rule.token_count, &rule.token_period_us)) {
        api_fail_with(call, "invalid_request", (str){}, "tokens.per: a duration such as `1m`");
        return;
    }
    ask(call, "Set", &message, on_set);
}

void limits_delete(struct api_call *call)
{
    Pb__SetLimit message = PB__SET_LIMIT__INIT;
    Pb__LimitRule rule   = PB__LIMIT_RULE__INIT;
    message.name         = api_text(call, call->params[0]);
    message.rule         = &rule;
    message.by           = call->identity.name;
    ask(call, "Set", &message, api_send_nothing);
}
