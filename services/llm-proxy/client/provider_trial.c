#include "llm-proxy/client/provider_trial.h"

#include "base/mem.h"
#include "llm-proxy/providers/upstream.h"
#include "llm.pb-c.h"

#include <stdlib.h>
#include <string.h>

enum { LIST_MAX = 8 << 20 /* bytes of a list of models */, CONNECT_MS = 5'000 };

struct key_trial {
    struct provider_trial *trial;
    const struct provider_key *key; /* NULL: the provider has none */
    struct http_call *http;
    int64_t started_ms;
    Pb__LlmKeyTest result;
};

struct provider_trial {
    struct provider_trials *trials;
    struct pipeline *pipeline; /* held */
    const struct provider *provider;
    struct rpc_call *call; /* what is said lives in its arena */
    struct key_trial keys[PROVIDER_KEYS_MAX];
    size_t count, left;
    struct provider_trial *previous, *next;
};

/* --- life --------------------------------------------------------------------------------------
 */

static struct provider_trial *trial_new(struct provider_trials *trials, struct pipeline *pipeline)
{
    struct provider_trial *trial = mem_new(1, sizeof *trial);
    trial->trials                = trials;
    trial->pipeline              = pipeline_hold(pipeline);
    trial->next                  = trials->first;
    if (trial->next) trial->next->previous = trial;
    trials->first = trial;
    trials->count++;
    return trial;
}

static void trial_free(struct provider_trial *trial)
{
    struct provider_trials *trials = trial->trials;
    for (size_t i = 0; i < trial->count; i++) {
        if (trial->keys[i].http) http_call_cancel(trial->keys[i].http);
    }
    if (trial->next) trial->next->previous = trial->previous;
    if (trial->previous) trial->previous->next = trial->next;
    if (trials->first == trial) trials->first = trial->next;
    trials->count--;
    pipeline_release(trial->pipeline);
    free(trial);
}

void provider_trials_done(struct provider_trials *trials)
{
    while (trials->first) trial_free(trials->first);
}

static void answer(struct provider_trial *trial)
{
    Pb__LlmTestedProvider *answer = trial->call->response;
    struct rpc_call *call         = trial->call;
    Pb__LlmKeyTest *copies        = arena_alloc(call->arena, trial->count * sizeof *copies);
    answer->tests                 = arena_alloc(call->arena, trial->count * sizeof *answer->tests);
    for (size_t i = 0; copies && answer->tests && i < trial->count; i++) {
        copies[i]                        = trial->keys[i].result;
        answer->tests[answer->n_tests++] = &copies[i];
    }
    trial_free(trial);
    rpc_reply(call, STATUS_OK, NULL);
}

/* --- what came of it ---------------------------------------------------------------------------
 */

/* What somebody can do about it. */
static const char *hint_of(const struct llm_error *error)
{
    switch (error->class) {
    case LLM_ERROR_KEY:
        return "the upstream does not take this key: set another one (`tutti provider NAME key "
               "set`), or put it into the secret and have that read again (SIGHUP)";
    case LLM_ERROR_CONNECT:
        return "see whether `base_url` is right, and can be reached from the llm-proxy";
    case LLM_ERROR_TIMEOUT: return "it does not answer in time: see whether `base_url` is right";
    case LLM_ERROR_RATE_LIMITED: return "the key is known: wait, or give the provider another one";
    case LLM_ERROR_QUOTA:
        return "the key is known and has nothing left to spend: raise its quota at the vendor, or "
               "give the provider another one";
    case LLM_ERROR_SERVER:
    case LLM_ERROR_OVERLOADED: return "the upstream is in trouble: try again later";
    default:
        return "it has no list of models there: `base_url` may lack its path, such as /v1; calls "
               "of models may work all the same";
    }
}

static const char *text_of(struct key_trial *tried, str text)
{
    const char *copy = arena_strdup(tried->trial->call->arena, text);
    return copy ? copy : "";
}

static void fail_with(struct key_trial *tried, const struct llm_error *error)
{
    if (*tried->result.problem) return; /* the first one is the cause */
    str key         = tried->key ? tried->key->value : (str){};
    bool has_secret = key.len > 0 && memmem(error->text.ptr, error->text.len, key.ptr, key.len);
    tried->result.problem = llm_error_class_name(error->class);
    tried->result.detail =
        has_secret ? "the upstream repeats the key" : text_of(tried, error->text);
    tried->result.hint = hint_of(error);
}

static void on_event(const struct llm_event *event, void *context)
{
    if (event->kind == LLM_ERROR) fail_with(context, &event->error);
}

/* The list, in the words of any protocol; false: it is none. */
static bool count_models(str body, int64_t *ret_count)
{
    CLEANUP(json_unrefp) json said = json_invalid();
    if (!upstream_parse(body, &said)) return false;
    json list = json_get_text(said, "data");
    if (!json_is(list, JSON_ARRAY)) list = json_get_text(said, "models");
    *ret_count = (int64_t)json_count(list);
    return json_is(list, JSON_ARRAY);
}

static void on_done(const struct http_result *result, void *context)
{
    struct key_trial *tried      = context;
    struct provider_trial *trial = tried->trial;
    const struct llm_error other = {.class = LLM_ERROR_REQUEST,
                                    .text  = str_from("the answer is no list of models")};
    tried->http                  = NULL;
    tried->result.duration_ms    = loop_now_ms(pipeline_loop(trial->pipeline)) - tried->started_ms;
    if (result->code == STATUS_OK) tried->result.http_status = (uint32_t)result->answer.http_status;
    tried->result.ok = result->code == STATUS_OK && result->answer.http_status == 200 &&
                       count_models(result->body, &tried->result.models);
    if (!tried->result.ok) {
        bool is_answer = result->code == STATUS_OK && result->answer.http_status == 200;
        if (!is_answer) trial->provider->kind->decode(result, on_event, tried);
        fail_with(tried, &other);
    }
    if (--trial->left == 0) answer(trial);
}

/* --- asking ------------------------------------------------------------------------------------
 */

static status send(struct key_trial *tried, struct error *reterr)
{
    struct provider_trial *trial       = tried->trial;
    struct http_request http           = {};
    const struct http_handlers done    = {.on_done = on_done, .context = tried};
    const struct provider_request what = {.provider = trial->provider, .key = tried->key};
    TRY(trial->provider->kind->list(&what, trial->call->arena, &http, reterr));
    http.timeouts =
        (struct http_timeouts){.connect_ms = CONNECT_MS, .total_ms = PROVIDER_TRIAL_TOTAL_MS};
    http.body_max      = LIST_MAX;
    http.allow_private = true; /* base URLs come from the configuration, never from a request */
    tried->started_ms  = loop_now_ms(pipeline_loop(trial->pipeline));
    return http_call_start(pipeline_http(trial->pipeline), &http, &done, &tried->http, reterr);
}

static void ask(struct key_trial *tried)
{
    struct error error    = {};
    status code           = send(tried, &error);
    const bool is_refused = code == STATUS_PERMISSION_DENIED;
    if (code == STATUS_OK) return;
    const struct llm_error failed = {.class = is_refused ? LLM_ERROR_CONNECT : LLM_ERROR_REQUEST,
                                     .text  = str_from(error.text)};
    fail_with(tried, &failed);
    tried->trial->left--;
}

static void add_key(struct provider_trial *trial, const struct provider_key *key)
{
    struct key_trial *tried = &trial->keys[trial->count++];
    tried->trial            = trial;
    tried->key              = key;
    pb__llm_key_test__init(&tried->result);
    if (key) tried->result.key = text_of(tried, str_from(key->name));
}

status provider_trial_start(struct provider_trials *trials, struct pipeline *pipeline,
                            struct rpc_call *call, struct error *reterr)
{
    const Pb__LlmTestProvider *request = call->request;
    const struct provider *provider =
        catalog_provider(pipeline_catalog(pipeline), str_from(request->provider));
    if (!provider) {
        return fail_code(reterr, STATUS_NOT_FOUND, "not_found",
                         "there is no provider of that name in the configuration");
    }
    if (trials->count == PROVIDER_TRIALS_MAX) {
        return fail_code(reterr, STATUS_RESOURCE_EXHAUSTED, "overloaded",
                         "too many providers are tried at the same time");
    }
    struct provider_trial *trial = trial_new(trials, pipeline);
    trial->provider              = provider;
    trial->call                  = call;
    for (uint32_t i = 0; i < provider->key_count; i++) add_key(trial, &provider->keys[i]);
    if (provider->key_count == 0) add_key(trial, NULL);
    trial->left = trial->count;
    for (size_t i = 0; i < trial->count; i++) {
        trial->keys[i].result.ok = !provider->kind->list; /* the simulated one is always there */
        if (provider->kind->list) ask(&trial->keys[i]);
    }
    if (trial->left == 0 || !provider->kind->list) answer(trial);
    return STATUS_OK;
}
