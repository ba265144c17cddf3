/* Upstreams of models: what the llm-proxies and the scheduler say of them, whether they can be
 * called, and their keys. */
#include "base/assert.h"
#include "base/clock.h"
#include "breaker.pb-c.h"
#include "gateway/api/view.h"
#include "gateway/fleet.h"
#include "gateway/handlers/handlers.h"
#include "gateway/llm/llm_ask.h"
#include "llm.pb-c.h"
#include "provider_key.pb-c.h"

enum { SPEND_DAYS = 30 /* as GET /v1/usage says */ };
#define DAY_US INT64_C(86'400'000'000)

struct breaker {
    const char *provider;
    Pb__BreakerState state;
};

struct spending {
    const char *provider;
    Pb__UsageCounters counters;
};

/* call->state: what the scheduler knows of providers, in the call's arena. */
struct known {
    struct breaker *breakers;
    size_t breaker_count;
    struct spending *spendings;
    size_t spending_count;
    const char *unknown; /* why nobody knows what was spent; NULL: it is known */
};

static Pb__BreakerState breaker_of(const struct known *known, const char *provider)
{
    for (size_t i = 0; i < known->breaker_count; i++) {
        const struct breaker *one = &known->breakers[i];
        if (strcmp(one->provider, provider) == 0) return one->state;
    }
    return PB__BREAKER_STATE__BREAKER_STATE_CLOSED;
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

static void put_spending(struct json_writer *w, const char *provider, const struct known *known)
{
    const Pb__UsageCounters none  = PB__USAGE_COUNTERS__INIT;
    const Pb__UsageCounters *used = &none;
    for (size_t i = 0; i < known->spending_count; i++) {
        const struct spending *one = &known->spendings[i];
        if (strcmp(one->provider, provider) == 0) used = &one->counters;
    }
    json_member(w, "spend");
    if (known->unknown) {
        json_write_null(w);
        json_put_text(w, "spend_note", str_from(known->unknown));
        return;
    }
    json_begin_object(w);
    json_put_int(w, "days", SPEND_DAYS);
    json_put_int(w, "calls", used->calls);
    view_money(w, "cost_usd", used->cost_usd_nanos);
    json_put_int(w, "unpriced_calls", used->unpriced_calls);
    json_end_object(w);
}

static void put_keys(struct json_writer *w, const Pb__LlmProvider *provider)
{
    json_member(w, "keys");
    json_begin_array(w);
    for (size_t i = 0; i < provider->n_keys; i++) {
        const Pb__LlmProviderKey *key = provider->keys[i];
        json_begin_object(w);
        json_put_text(w, "id", str_from(key->id));
        view_text_if(w, "last4", key->last4);
        json_put_text(w, "source", str_from(key->is_set ? "api" : "config"));
        view_text_if(w, "fingerprint", key->fingerprint);
        json_put_int(w, "weight", key->weight);
        put_limit(w, "requests_per_minute", key->requests_per_minute);
        put_limit(w, "tokens_per_minute", key->tokens_per_minute);
        put_limit(w, "parallel", key->parallel);
        json_end_object(w);
    }
    json_end_array(w);
}

static void put_provider(struct json_writer *w, const Pb__LlmProvider *provider,
                         const struct known *known)
{
    json_begin_object(w);
    json_put_text(w, "id", str_from(provider->id));
    json_put_text(w, "type", str_from(provider->type));
    view_text_if(w, "base_url", provider->base_url);
    json_put_bool(w, "configured", true);
    put_keys(w, provider);
    json_put_texts(w, "models", provider->models, provider->n_models);
    json_put_text(w, "breaker", str_from(view_breaker_state(breaker_of(known, provider->id))));
    view_text_if(w, "prices_of", provider->vendor);
    json_put_bool(w, "free", provider->free);
    json_put_bool(w, "simulated", provider->simulated);
    put_latency(w, provider);
    put_spending(w, provider->id, known);
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
                  "there is no provider of that name in the configuration");
}

static void on_providers(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__LlmProviders *all = answer->message;
    if (call->route->param_count > 0) {
        put_one(call, all);
        return;
    }
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

static void keep_spending(struct api_call *call, const struct usage_sum *sum)
{
    struct known *known = call->state;
    known->spendings    = arena_alloc(call->arena, (sum->count + 1) * sizeof *known->spendings);
    ASSERT(known->spendings);
    for (size_t i = 0; i < sum->count; i++) {
        const char *provider = api_text(call, str_from(sum->groups[i].value));
        known->spendings[known->spending_count++] =
            (struct spending){provider, sum->groups[i].counters};
    }
}

/* A part of the scheduler that does not answer is no reason to say nothing of providers. */
static void on_spending(struct api_call *call, const struct usage_sum *sum,
                        const struct rpc_answer *failed)
{
    struct known *known          = call->state;
    Pb__LlmListProviders message = PB__LLM_LIST_PROVIDERS__INIT;
    if (failed) {
        known->unknown = "a part of the scheduler does not answer, so the sum is not known";
    } else {
        keep_spending(call, sum);
    }
    llm_ask(call, "ListProviders", &message, on_providers);
}

static void on_breakers(struct api_call *call, const struct rpc_answer *answer)
{
    static const char prefix[]  = "llm:";
    const Pb__BreakerList *list = answer->message;
    struct known *known         = arena_alloc(call->arena, sizeof *known);
    Pb__SumUsage sum            = PB__SUM_USAGE__INIT;
    ASSERT(known);
    *known = (struct known){
        .breakers = arena_alloc(call->arena, (list->n_breakers + 1) * sizeof *known->breakers)};
    ASSERT(known->breakers);
    for (size_t i = 0; i < list->n_breakers; i++) {
        str name = str_from(list->breakers[i]->name);
        if (!str_starts_with(name, str_from(prefix))) continue;
        const char *provider = api_text(call, str_slice(name, sizeof prefix - 1, name.len));
        known->breakers[known->breaker_count++] =
            (struct breaker){provider, list->breakers[i]->state};
    }
    sum.namespace_ = api_namespace(call);
    sum.group      = PB__USAGE_GROUP__USAGE_GROUP_PROVIDER;
    sum.until_day  = (uint32_t)(clock_unix_us() / DAY_US);
    sum.from_day   = sum.until_day - (SPEND_DAYS - 1);
    fleet_ask_usage(call, &sum, known, on_spending);
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

static void on_tested(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__LlmTestedProvider *of = answer->message;
    bool is_ok                      = true;
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
}

void provider_test(struct api_call *call)
{
    Pb__LlmTestProvider message = PB__LLM_TEST_PROVIDER__INIT;
    message.provider            = api_text(call, call->params[0]);
    llm_ask(call, "TestProvider", &message, on_tested);
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
static void on_sealed(struct api_call *call, const struct rpc_answer *answer)
{
    Pb__ProviderKey key      = *(const Pb__ProviderKey *)answer->message;
    const struct api_ask ask = {.service = &pb__provider_keys__descriptor,
                                .method  = "Put",
                                .message = &key,
                                .then    = on_key_set};
    key.by                   = call->identity.key_id;
    api_ask_scheduler(call, &ask);
}

/* Calls of all namespaces go out with it. False: the call was answered. */
static bool may_change(struct api_call *call)
{
    if (strcmp(api_namespace(call), "*") == 0) return true;
    api_fail_with(call, "forbidden", (str){},
                  "the key of a provider serves all namespaces: it takes a key of all of them, and "
                  "no Tutti-Namespace");
    return false;
}

void provider_key_put(struct api_call *call)
{
    Pb__LlmSealKey message = PB__LLM_SEAL_KEY__INIT;
    json given             = json_get_text(call->body, "value");
    if (!may_change(call)) return;
    message.provider = api_text(call, call->params[0]);
    message.secret   = api_member(call, call->body, "secret");
    if (json_is(given, JSON_TEXT)) {
        str value = json_str(given);
        message.value =
            (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)value.ptr, .len = value.len};
    }
    llm_ask(call, "SealKey", &message, on_sealed);
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
    if (!may_change(call)) return;
    api_ask_scheduler(call, &ask);
}
