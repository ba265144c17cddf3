/* Which models there are, and whose: what the llm-proxy is configured with. */
#include "base/assert.h"
#include "base/clock.h"
#include "breaker.pb-c.h"
#include "gateway/fleet.h"
#include "gateway/handlers.h"
#include "gateway/llm_pull.h"
#include "gateway/view.h"
#include "llm.pb-c.h"
#include "provider_key.pb-c.h"

enum { ASK_TIMEOUT_MS = 10'000, SPEND_DAYS = 30 /* as GET /v1/usage says */ };
#define DAY_US INT64_C(86'400'000'000)

/* A question to one of the proxies: all have the same configuration. */
static void ask_proxy(struct api_call *call, const char *method, const void *message,
                      void (*done)(const struct rpc_answer *answer, void *context))
{
    struct api *api = call->api;
    if (!api->llm) {
        api_fail_with(call, "unavailable", (str){},
                      "this gateway has no llm-proxy: set gateway.llm");
        return;
    }
    const struct rpc_request request = {.service    = &pb__llm__descriptor,
                                        .method     = method,
                                        .message    = message,
                                        .partition  = llm_pull_choose(api->llm_pull),
                                        .timeout_ms = ASK_TIMEOUT_MS,
                                        .request_id = str_from(call->rpc_id),
                                        .namespace  = str_from(api_namespace(call)),
                                        .key_id     = str_from(call->identity.key_id),
                                        .done       = done,
                                        .context    = api_call_ref(call)};
    struct error error               = {};
    status code                      = rpc_client_call(api->llm, &request, NULL, &error);
    if (code == STATUS_OK) return;
    api_fail(call, code, &error);
    api_call_unref(call);
}

/* --- models: one shape for clients of OpenAI and of Anthropic ------------------------------------
 */

static void put_model(struct json_writer *w, const Pb__LlmModel *model)
{
    json_begin_object(w);
    json_put_text(w, "id", str_from(model->id));
    json_put_text(w, "object", str_from("model"));
    json_put_text(w, "type", str_from("model"));
    json_put_int(w, "created", model->created_us / 1'000'000);
    json_put_time(w, "created_at", model->created_us);
    json_put_text(w, "display_name", str_from(model->id));
    json_put_text(w, "owned_by", str_from(model->is_route ? "tutti" : model->provider));
    if (model->context_tokens > 0) json_put_int(w, "context_window", model->context_tokens);
    if (model->simulated) json_put_bool(w, "simulated", true);
    json_end_object(w);
}

static void on_models(const struct rpc_answer *answer, void *context)
{
    struct api_call *call       = context;
    const Pb__LlmModels *models = answer->message;
    if (answer->code != STATUS_OK) {
        api_fail_answer(call, answer);
        api_call_unref(call);
        return;
    }
    struct api_answer response;
    api_answer_begin(&response, call);
    struct json_writer *w = &response.json;
    size_t count          = models->n_models;
    json_begin_object(w);
    json_put_text(w, "object", str_from("list"));
    json_member(w, "data");
    json_begin_array(w);
    for (size_t i = 0; i < count; i++) put_model(w, models->models[i]);
    json_end_array(w);
    json_put_bool(w, "has_more", false);
    if (count > 0) {
        json_put_text(w, "first_id", str_from(models->models[0]->id));
        json_put_text(w, "last_id", str_from(models->models[count - 1]->id));
    }
    json_end_object(w);
    api_answer_send(&response, 200, NULL);
    api_call_unref(call);
}

void models_list(struct api_call *call)
{
    Pb__LlmListModels message = PB__LLM_LIST_MODELS__INIT;
    call->error_shape         = SHAPE_OPENAI;
    ask_proxy(call, "ListModels", &message, on_models);
}

static void on_model(const struct rpc_answer *answer, void *context)
{
    struct api_call *call       = context;
    const Pb__LlmModels *models = answer->message;
    const Pb__LlmModel *found   = NULL;
    for (size_t i = 0; answer->code == STATUS_OK && i < models->n_models; i++) {
        if (str_is(call->params[0], models->models[i]->id)) found = models->models[i];
    }
    if (answer->code != STATUS_OK) {
        api_fail_answer(call, answer);
    } else if (!found) {
        api_fail_with(call, "model_not_found", (str){}, "there is no model `%.*s` in the list",
                      (int)call->params[0].len, call->params[0].ptr);
    } else {
        struct api_answer response;
        api_answer_begin(&response, call);
        put_model(&response.json, found);
        api_answer_send(&response, 200, NULL);
    }
    api_call_unref(call);
}

void models_get(struct api_call *call)
{
    Pb__LlmListModels message = PB__LLM_LIST_MODELS__INIT;
    call->error_shape         = SHAPE_OPENAI;
    ask_proxy(call, "ListModels", &message, on_model);
}

/* --- providers ---------------------------------------------------------------------------------
 */

/* call->state: what the scheduler said of breakers and of spending, in the call's arena. */
struct breakers {
    const char **names; /* "llm:openai" */
    Pb__BreakerState *states;
    size_t count;
    struct spending *spending;
    size_t spending_count;
};

/* Of a provider. */
struct spending {
    const char *provider;
    Pb__UsageCounters counters;
};

static const char *breaker_of(const struct breakers *breakers, const char *provider)
{
    for (size_t i = 0; i < breakers->count; i++) {
        if (strcmp(breakers->names[i] + sizeof "llm:" - 1, provider) == 0) {
            return view_breaker_state(breakers->states[i]);
        }
    }
    return view_breaker_state(PB__BREAKER_STATE__BREAKER_STATE_CLOSED);
}

static void put_limit(struct json_writer *w, const char *name, uint32_t most)
{
    if (most > 0) json_put_int(w, name, most);
}

static void put_latency(struct json_writer *w, const Pb__LlmProvider *provider)
{
    if (provider->answer_ms < 0 && provider->first_event_ms < 0) return;
    json_member(w, "latency");
    json_begin_object(w);
    json_put_int(w, "calls", provider->answered);
    if (provider->answer_ms >= 0) json_put_int(w, "answer_ms", provider->answer_ms);
    if (provider->first_event_ms >= 0) json_put_int(w, "first_event_ms", provider->first_event_ms);
    json_end_object(w);
}

static void put_spending(struct json_writer *w, const char *provider,
                         const struct breakers *breakers)
{
    const Pb__UsageCounters none  = PB__USAGE_COUNTERS__INIT;
    const Pb__UsageCounters *used = &none;
    for (size_t i = 0; i < breakers->spending_count; i++) {
        const struct spending *one = &breakers->spending[i];
        if (strcmp(one->provider, provider) == 0) used = &one->counters;
    }
    json_member(w, "spend");
    json_begin_object(w);
    json_put_int(w, "days", SPEND_DAYS);
    json_put_int(w, "calls", used->calls);
    view_money(w, "cost_usd", used->cost_usd_nanos);
    json_put_int(w, "unpriced_calls", used->unpriced_calls);
    json_end_object(w);
}

static void put_provider(struct json_writer *w, const Pb__LlmProvider *provider,
                         const struct breakers *breakers)
{
    json_begin_object(w);
    json_put_text(w, "id", str_from(provider->id));
    json_put_text(w, "type", str_from(provider->type));
    view_text_if(w, "base_url", provider->base_url);
    json_put_bool(w, "configured", true);
    json_member(w, "keys");
    json_begin_array(w);
    for (size_t i = 0; i < provider->n_keys; i++) {
        json_begin_object(w);
        json_put_text(w, "id", str_from(provider->keys[i]->id));
        view_text_if(w, "last4", provider->keys[i]->last4);
        json_put_text(w, "source", str_from(provider->keys[i]->is_set ? "api" : "config"));
        view_text_if(w, "fingerprint", provider->keys[i]->fingerprint);
        json_put_int(w, "weight", provider->keys[i]->weight);
        put_limit(w, "requests_per_minute", provider->keys[i]->requests_per_minute);
        put_limit(w, "tokens_per_minute", provider->keys[i]->tokens_per_minute);
        put_limit(w, "parallel", provider->keys[i]->parallel);
        json_end_object(w);
    }
    json_end_array(w);
    json_put_texts(w, "models", provider->models, provider->n_models);
    json_put_text(w, "breaker", str_from(breaker_of(breakers, provider->id)));
    view_text_if(w, "prices_of", provider->vendor);
    json_put_bool(w, "free", provider->free);
    json_put_bool(w, "simulated", provider->simulated);
    put_latency(w, provider);
    put_spending(w, provider->id, breakers);
    json_end_object(w);
}

static void put_one(struct api_call *call, const Pb__LlmProviders *all)
{
    for (size_t i = 0; i < all->n_providers; i++) {
        if (!str_is(call->params[0], all->providers[i]->id)) continue;
        struct api_answer response;
        api_answer_begin(&response, call);
        put_provider(&response.json, all->providers[i], call->state);
        api_answer_send(&response, 200, NULL);
        return;
    }
    api_fail_with(call, "not_found", (str){},
                  "there is no provider of that name in the "
                  "configuration");
}

static void on_providers(const struct rpc_answer *answer, void *context)
{
    struct api_call *call       = context;
    const Pb__LlmProviders *all = answer->message;
    if (answer->code != STATUS_OK) {
        api_fail_answer(call, answer);
    } else if (call->route->param_count > 0) {
        put_one(call, all);
    } else {
        struct api_answer response;
        api_list_begin(&response, call);
        for (size_t i = 0; i < all->n_providers; i++) {
            put_provider(&response.json, all->providers[i], call->state);
        }
        json_end_array(&response.json);
        view_text_if(&response.json, "prices_as_of", all->prices_as_of);
        json_end_object(&response.json);
        api_answer_send(&response, 200, NULL);
    }
    api_call_unref(call);
}

static void on_spending(struct api_call *call, const struct usage_sum *sum)
{
    struct breakers *breakers    = call->state;
    Pb__LlmListProviders message = PB__LLM_LIST_PROVIDERS__INIT;
    breakers->spending = arena_alloc(call->arena, (sum->count + 1) * sizeof *breakers->spending);
    for (size_t i = 0; breakers->spending && i < sum->count; i++) {
        breakers->spending[breakers->spending_count++] = (struct spending){
            api_text(call, str_from(sum->groups[i].value)), sum->groups[i].counters};
    }
    ask_proxy(call, "ListProviders", &message, on_providers);
}

static void on_breakers(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__BreakerList *list = answer->message;
    struct breakers *breakers   = arena_alloc(call->arena, sizeof *breakers);
    ASSERT(breakers);
    *breakers = (struct breakers){
        .names  = arena_alloc(call->arena, (list->n_breakers + 1) * sizeof *breakers->names),
        .states = arena_alloc(call->arena, (list->n_breakers + 1) * sizeof *breakers->states)};
    for (size_t i = 0; breakers->names && breakers->states && i < list->n_breakers; i++) {
        str name = str_from(list->breakers[i]->name);
        if (!str_starts_with(name, str_from("llm:"))) continue;
        breakers->names[breakers->count]    = api_text(call, name);
        breakers->states[breakers->count++] = list->breakers[i]->state;
    }
    Pb__SumUsage sum = PB__SUM_USAGE__INIT;
    sum.namespace_   = api_namespace(call);
    sum.group        = PB__USAGE_GROUP__USAGE_GROUP_PROVIDER;
    sum.until_day    = (uint32_t)(clock_unix_us() / DAY_US);
    sum.from_day     = sum.until_day - (SPEND_DAYS - 1);
    fleet_ask_usage(call, &sum, breakers, on_spending);
}

void providers_list(struct api_call *call)
{
    Pb__ListBreakers message = PB__LIST_BREAKERS__INIT;
    const struct api_ask ask = {.service = &pb__breakers__descriptor,
                                .method  = "List",
                                .message = &message,
                                .then    = on_breakers};
    api_ask_scheduler(call, &ask);
}

/* --- trying one out ----------------------------------------------------------------------------
 */

static void put_test(struct json_writer *w, const Pb__LlmKeyTest *test)
{
    json_begin_object(w);
    view_text_if(w, "key", test->key);
    json_put_bool(w, "ok", test->ok);
    json_put_int(w, "duration_ms", test->duration_ms);
    if (test->ok) json_put_int(w, "models", test->models);
    if (!test->ok) {
        json_member(w, "error");
        json_begin_object(w);
        json_put_text(w, "class", str_from(test->problem));
        if (test->http_status > 0) json_put_int(w, "http_status", test->http_status);
        json_put_text(w, "detail", str_from(test->detail));
        json_put_text(w, "hint", str_from(test->hint));
        json_end_object(w);
    }
    json_end_object(w);
}

static void on_tested(const struct rpc_answer *answer, void *context)
{
    struct api_call *call           = context;
    const Pb__LlmTestedProvider *of = answer->message;
    bool is_ok                      = true;
    if (answer->code != STATUS_OK) {
        api_fail_answer(call, answer);
        api_call_unref(call);
        return;
    }
    struct api_answer response;
    api_answer_begin(&response, call);
    struct json_writer *w = &response.json;
    for (size_t i = 0; i < of->n_tests; i++) is_ok = is_ok && of->tests[i]->ok;
    json_begin_object(w);
    json_put_text(w, "provider", call->params[0]);
    json_put_bool(w, "ok", is_ok);
    json_member(w, "checks");
    json_begin_array(w);
    for (size_t i = 0; i < of->n_tests; i++) put_test(w, of->tests[i]);
    json_end_array(w);
    json_end_object(w);
    api_answer_send(&response, 200, NULL);
    api_call_unref(call);
}

void provider_test(struct api_call *call)
{
    Pb__LlmTestProvider message = PB__LLM_TEST_PROVIDER__INIT;
    message.provider            = api_text(call, call->params[0]);
    ask_proxy(call, "TestProvider", &message, on_tested);
}

/* --- its key -----------------------------------------------------------------------------------
 */

static void on_key_set(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__ProviderKey *key = answer->message;
    struct api_answer response;
    api_answer_begin(&response, call);
    struct json_writer *w = &response.json;
    json_begin_object(w);
    json_put_text(w, "provider", str_from(key->provider));
    json_put_text(w, "source", str_from("api"));
    view_text_if(w, "secret", key->secret);
    view_text_if(w, "fingerprint", key->fingerprint);
    json_put_time(w, "set_at", key->set_us);
    json_end_object(w);
    api_answer_send(&response, 200, NULL);
}

/* The llm-proxy has sealed it; the scheduler keeps it, and all llm-proxies ask for it there. */
static void on_sealed(const struct rpc_answer *answer, void *context)
{
    struct api_call *call = context;
    if (answer->code != STATUS_OK) {
        api_fail_answer(call, answer);
    } else {
        Pb__ProviderKey key      = *(const Pb__ProviderKey *)answer->message;
        const struct api_ask ask = {.service = &pb__provider_keys__descriptor,
                                    .method  = "Put",
                                    .message = &key,
                                    .then    = on_key_set};
        key.by                   = call->identity.key_id;
        api_ask_scheduler(call, &ask);
    }
    api_call_unref(call);
}

void provider_key_put(struct api_call *call)
{
    Pb__LlmSealKey message = PB__LLM_SEAL_KEY__INIT;
    json given             = json_get_text(call->body, "value");
    message.provider       = api_text(call, call->params[0]);
    message.secret         = api_member(call, call->body, "secret");
    if (json_is(given, JSON_TEXT)) {
        str value = json_str(given);
        message.value =
            (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)value.ptr, .len = value.len};
    }
    ask_proxy(call, "SealKey", &message, on_sealed);
}

void provider_key_delete(struct api_call *call)
{
    Pb__DeleteProviderKey message = PB__DELETE_PROVIDER_KEY__INIT;
    message.provider              = api_text(call, call->params[0]);
    message.by                    = call->identity.key_id;
    const struct api_ask ask      = {.service = &pb__provider_keys__descriptor,
                                     .method  = "Delete",
                                     .message = &message,
                                     .then    = api_send_nothing};
    api_ask_scheduler(call, &ask);
}
