#include "llm-proxy/client/llm_service.h"
#include "llm-proxy/client/llm_models.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"
#include "llm-proxy/answers/subscriber.h"
#include "llm-proxy/client/client_call.h"
#include "llm-proxy/client/provider_trial.h"
#include "llm-proxy/dialects/dialect.h"
#include "llm-proxy/dialects/llm_reply.h"
#include "llm-proxy/jobs/job_output.h"
#include "llm-proxy/keys/provider_keys.h"
#include "llm.pb-c.h"

#include <stdlib.h>

enum {
    SUBSCRIBERS_MAX = 1'000,
    SWEEP_MS        = 5'000,
    SILENT_MS       = 15'000, /* a subscriber that has not pulled for so long is gone */
    CALLS_MAX       = 10'000,
};

struct llm_service {
    struct loop *loop;
    struct client_calls calls;
    struct usage_journal *journal;
    struct job_outputs *outputs;
    struct provider_keys *provider_keys;
    uint32_t era;            /* of the newest subscriber */
    struct map *subscribers; /* id (16 bytes) -> struct subscriber */
    struct provider_trials trials;
    struct loop_timer sweep;
    struct loop_turn_end turn_end;
    bool is_draining;
};

static void on_sweep(void *context);

/* What calls have used whose ends nobody pulls. Then the answers of the turn leave with one wake,
 * and those of the next are held: it begins with waiting, when there are none yet. */
static void on_turn_end(void *context)
{
    struct llm_service *service = context;
    usage_journal_write(service->journal);
    rpc_replies_release();
    rpc_replies_hold();
}

struct llm_service *llm_service_new(const struct llm_service_options *options)
{
    struct llm_service *service = mem_new(1, sizeof *service);
    service->loop               = options->loop;
    service->outputs            = options->outputs;
    service->provider_keys      = options->provider_keys;
    service->calls.pipeline     = options->pipeline;
    service->calls.guard        = options->guard;
    service->journal            = options->journal;
    service->calls.answers      = options->answers;
    service->calls.peers        = options->peers;
    service->calls.recordings = recordings_new(options->loop, options->answers, options->grace_ms);
    service->subscribers      = map_new(SUBSCRIBERS_MAX);
    service->sweep            = (struct loop_timer){.fire = on_sweep, .context = service};
    service->turn_end         = (struct loop_turn_end){.run = on_turn_end, .context = service};
    service->era              = (uint32_t)(random_u64() >> 33); /* far from 0, also in the end */
    loop_turn_end_add(service->loop, &service->turn_end);
    return service;
}

static void forget_subscriber(struct llm_service *service, struct subscriber *subscriber)
{
    while (subscriber->calls) client_call_cancel(subscriber->calls);
    while (subscriber->followers) follower_drop(subscriber->followers);
    (void)map_remove(service->subscribers, subscriber_id(subscriber));
    subscriber_free(subscriber);
}

void llm_service_stop(struct llm_service *service)
{
    size_t cursor = 0;
    str key       = {};
    void *value   = NULL;
    while (map_next(service->subscribers, &cursor, &key, &value)) {
        forget_subscriber(service, value);
    }
    recordings_abandon(service->calls.recordings);
    provider_trials_done(&service->trials);
    loop_timer_clear(service->loop, &service->sweep);
}

void llm_service_freep(struct llm_service **ref)
{
    struct llm_service *service = *ref;
    if (!service) return;
    llm_service_stop(service);
    loop_turn_end_remove(service->loop, &service->turn_end);
    usage_journal_write(service->journal);
    recordings_freep(&service->calls.recordings);
    map_free(service->subscribers);
    free(service);
    *ref = NULL;
}

size_t llm_service_busy(const struct llm_service *service)
{
    return service->calls.count + answers_waiting(service->calls.answers);
}

void llm_service_drain(struct llm_service *service)
{
    size_t cursor        = 0;
    str key              = {};
    void *value          = NULL;
    service->is_draining = true;
    while (map_next(service->subscribers, &cursor, &key, &value)) subscriber_drain(value);
}

void llm_service_cut(struct llm_service *service)
{
    size_t cursor = 0;
    str key       = {};
    void *value   = NULL;
    while (map_next(service->subscribers, &cursor, &key, &value)) {
        struct subscriber *subscriber = value;
        while (subscriber->calls) client_call_cut(subscriber->calls);
    }
    recordings_abandon(service->calls.recordings);
}

static void on_sweep(void *context)
{
    struct llm_service *service = context;
    int64_t now_ms              = loop_now_ms(service->loop);
    size_t cursor               = 0;
    str key                     = {};
    void *value                 = NULL;
    while (map_next(service->subscribers, &cursor, &key, &value)) {
        struct subscriber *subscriber = value;
        if (subscriber_is_silent(subscriber, now_ms - SILENT_MS)) {
            forget_subscriber(service, subscriber);
        }
    }
    if (map_count(service->subscribers) == 0) return; /* the next one sets it again */
    loop_timer_set(service->loop, &service->sweep, now_ms + SWEEP_MS);
}

/* What its calls have used is kept before their clients get the last byte. */
static void reply_to_pull(struct rpc_call *call, status code, const struct error *error)
{
    const struct llm_service *service = call->context;
    usage_journal_write(service->journal);
    rpc_reply(call, code, error);
}

static struct subscriber *subscriber_of(struct llm_service *service, ProtobufCBinaryData id,
                                        bool may_make)
{
    str key                       = {.ptr = (const char *)id.data, .len = id.len};
    struct subscriber *subscriber = map_get(service->subscribers, key);
    if (subscriber || !may_make) return subscriber;
    subscriber = subscriber_new(id, ++service->era, service->loop, reply_to_pull);
    if (service->is_draining) subscriber_drain(subscriber);
    if (!map_put(service->subscribers, key, subscriber)) {
        subscriber_free(subscriber);
        return NULL;
    }
    if (!loop_timer_is_set(&service->sweep)) {
        loop_timer_set(service->loop, &service->sweep, loop_now_ms(service->loop) + SWEEP_MS);
    }
    return subscriber;
}

/* --- Open --------------------------------------------------------------------------------------
 */

/* A method carried to the loop. */
struct arrived {
    struct llm_service *service;
    struct rpc_call *call;
};

static status carry(struct rpc_call *call, loop_post_fn *run, struct error *reterr)
{
    struct llm_service *service = call->context;
    struct arrived *arrived     = mem_new(1, sizeof *arrived);
    *arrived                    = (struct arrived){.service = service, .call = call};
    if (loop_post(service->loop, run, arrived) == STATUS_OK) return STATUS_OK;
    free(arrived);
    return fail_code(reterr, STATUS_RESOURCE_EXHAUSTED, "overloaded", "too many calls wait");
}

/* `ret_answer`: of the call's response. */
static void refuse_with(struct rpc_call *call, Pb__LlmOperation operation, int http,
                        const struct error *cause, Pb__LlmAnswer **ret_answer)
{
    CLEANUP(buf_done) struct buf body = buf_init(CLIENT_CALL_BODY_MAX);
    llm_reply_print_refusal(dialect_of(operation), http, cause, &body);
    Pb__LlmAnswer answer     = PB__LLM_ANSWER__INIT;
    answer.http_status       = (uint32_t)http;
    answer.body              = (ProtobufCBinaryData){.data = (uint8_t *)body.ptr, .len = body.len};
    Pb__LlmHeader retry      = PB__LLM_HEADER__INIT;
    Pb__LlmHeader *headers[] = {&retry};
    retry.name               = "x-should-retry";
    retry.value              = http == 503 || http == 409 ? "true" : "false";
    answer.headers           = headers;
    answer.n_headers         = 1;
    *ret_answer              = &answer;
    rpc_reply(call, STATUS_OK, NULL);
}

static void refuse(struct rpc_call *call, int http, const struct error *cause)
{
    const Pb__LlmOpen *open = call->request;
    Pb__LlmOpened *opened   = call->response;
    refuse_with(call, open->operation, http, cause, &opened->answer);
}

static void on_open(void *context)
{
    struct arrived *arrived       = context;
    struct llm_service *service   = arrived->service;
    struct rpc_call *call         = arrived->call;
    const Pb__LlmOpen *open       = call->request;
    struct subscriber *subscriber = subscriber_of(service, open->subscriber, true);
    struct error error            = {};
    free(arrived);
    if (service->is_draining || !subscriber || service->calls.count >= CALLS_MAX) {
        (void)fail(&error, STATUS_RESOURCE_EXHAUSTED, "this llm-proxy takes no more calls now");
        refuse(call, 503, &error);
        return;
    }
    Pb__LlmOpened *opened = call->response;
    int http = client_call_start(&service->calls, subscriber, open, &opened->call, &error);
    if (http != 200) {
        opened->call = 0;
        refuse(call, http, &error);
        return;
    }
    rpc_reply(call, STATUS_OK, NULL);
}

static status handle_open(struct rpc_call *call, struct error *reterr)
{
    const Pb__LlmOpen *open = call->request;
    if (open->subscriber.len != SUBSCRIBER_ID_SIZE) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "subscriber: %d bytes", SUBSCRIBER_ID_SIZE);
    }
    if (!dialect_of(open->operation)) {
        return fail(reterr, STATUS_UNIMPLEMENTED, "this llm-proxy does not know operation %d",
                    (int)open->operation);
    }
    return carry(call, on_open, reterr);
}

/* --- Attach ------------------------------------------------------------------------------------
 */

static enum attach_verdict listen_to(struct llm_service *service, struct subscriber *subscriber,
                                     uint64_t number, const char *run)
{
    if (!service->outputs) return ATTACH_ELSEWHERE;
    bool is_heard =
        job_outputs_listen(service->outputs, service->calls.recordings, subscriber, number, run);
    return is_heard ? ATTACH_OK : ATTACH_FULL;
}

static void on_attach(void *context)
{
    struct arrived *arrived       = context;
    struct llm_service *service   = arrived->service;
    struct rpc_call *call         = arrived->call;
    const Pb__LlmAttach *attach   = call->request;
    Pb__LlmAttached *attached     = call->response;
    struct subscriber *subscriber = subscriber_of(service, attach->subscriber, true);
    uint64_t number               = subscriber ? subscriber_next_call(subscriber) : 0;
    struct error error            = {};
    free(arrived);
    enum attach_verdict verdict = ATTACH_FULL;
    if (subscriber && *attach->run) {
        verdict = listen_to(service, subscriber, number, attach->run);
    } else if (subscriber) {
        verdict = recordings_attach(service->calls.recordings, subscriber, number, attach);
    }
    switch (verdict) {
    case ATTACH_OK: attached->call = number; break;
    case ATTACH_ELSEWHERE: attached->elsewhere = true; break;
    case ATTACH_GONE:
        (void)fail(&error, STATUS_NOT_FOUND,
                   "there is no such stream, or its time is over: ask anew without Last-Event-ID");
        refuse_with(call, attach->operation, 410, &error, &attached->answer);
        return;
    case ATTACH_FULL:
        (void)fail(&error, STATUS_RESOURCE_EXHAUSTED, "this llm-proxy takes no more calls now");
        refuse_with(call, attach->operation, 503, &error, &attached->answer);
        return;
    }
    rpc_reply(call, STATUS_OK, NULL);
}

static status handle_attach(struct rpc_call *call, struct error *reterr)
{
    const Pb__LlmAttach *attach = call->request;
    if (attach->subscriber.len != SUBSCRIBER_ID_SIZE) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "subscriber: %d bytes", SUBSCRIBER_ID_SIZE);
    }
    if (!dialect_of(attach->operation)) {
        return fail(reterr, STATUS_UNIMPLEMENTED, "this llm-proxy does not know operation %d",
                    (int)attach->operation);
    }
    return carry(call, on_attach, reterr);
}

/* --- Pull, Resume, Cancel, lists ---------------------------------------------------------------
 */

static void on_pull(void *context)
{
    struct arrived *arrived       = context;
    struct rpc_call *call         = arrived->call;
    const Pb__LlmPull *pull       = call->request;
    struct subscriber *subscriber = subscriber_of(arrived->service, pull->subscriber, true);
    if (subscriber) {
        subscriber_pull(subscriber, call);
    } else {
        rpc_reply(call, STATUS_RESOURCE_EXHAUSTED, NULL);
    }
    free(arrived);
}

static status handle_pull(struct rpc_call *call, struct error *reterr)
{
    const Pb__LlmPull *pull = call->request;
    if (pull->subscriber.len != SUBSCRIBER_ID_SIZE) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "subscriber: %d bytes", SUBSCRIBER_ID_SIZE);
    }
    return carry(call, on_pull, reterr);
}

static void on_resume(void *context)
{
    struct arrived *arrived       = context;
    struct rpc_call *call         = arrived->call;
    const Pb__LlmResume *resume   = call->request;
    struct subscriber *subscriber = subscriber_of(arrived->service, resume->subscriber, false);
    if (subscriber) subscriber_resume(subscriber, resume->calls, resume->n_calls);
    rpc_reply(call, STATUS_OK, NULL);
    free(arrived);
}

static status handle_resume(struct rpc_call *call, struct error *reterr)
{
    return carry(call, on_resume, reterr);
}

static void on_cancel(void *context)
{
    struct arrived *arrived       = context;
    struct rpc_call *call         = arrived->call;
    const Pb__LlmCancel *cancel   = call->request;
    struct subscriber *subscriber = subscriber_of(arrived->service, cancel->subscriber, false);
    for (size_t i = 0; subscriber && i < cancel->n_calls; i++) {
        struct client_call *given_up = client_call_of(subscriber, cancel->calls[i]);
        struct follower *leaver      = follower_of(subscriber, cancel->calls[i]);
        if (given_up) {
            client_call_cancel(given_up);
        } else if (leaver) {
            follower_drop(leaver);
        }
    }
    rpc_reply(call, STATUS_OK, NULL);
    free(arrived);
}

static status handle_cancel(struct rpc_call *call, struct error *reterr)
{
    return carry(call, on_cancel, reterr);
}

const struct catalog *llm_service_catalog(const struct llm_service *service)
{
    return pipeline_catalog(service->calls.pipeline);
}

const struct pulse *llm_service_pulse(const struct llm_service *service)
{
    return pipeline_pulse(service->calls.pipeline);
}

void llm_service_use(struct llm_service *service, struct pipeline *pipeline)
{
    service->calls.pipeline = pipeline;
}

/* Lists are made on the loop: the catalog may be another one in a moment. */
typedef status list_fn(struct rpc_call *call, struct error *reterr);

static void answer_list(struct arrived *arrived, list_fn *list)
{
    struct error error    = {};
    struct rpc_call *call = arrived->call;
    free(arrived);
    status code = list(call, &error);
    if (code != STATUS_OK) rpc_reply(call, code, &error);
}

static void on_list_models(void *context)
{
    answer_list(context, llm_models_handle);
}

static void on_list_providers(void *context)
{
    answer_list(context, llm_providers_handle);
}

static void on_test_provider(void *context)
{
    struct arrived *arrived     = context;
    struct llm_service *service = arrived->service;
    struct rpc_call *call       = arrived->call;
    struct error error          = {};
    free(arrived);
    status code = provider_trial_start(&service->trials, service->calls.pipeline, call, &error);
    if (code != STATUS_OK) rpc_reply(call, code, &error);
}

static void on_seal_key(void *context)
{
    struct arrived *arrived     = context;
    struct llm_service *service = arrived->service;
    struct rpc_call *call       = arrived->call;
    struct error error          = {};
    free(arrived);
    status code = provider_keys_seal(service->provider_keys, llm_service_catalog(service),
                                     call->request, call->response, call->arena, &error);
    rpc_reply(call, code, &error);
}

static status handle_seal_key(struct rpc_call *call, struct error *reterr)
{
    return carry(call, on_seal_key, reterr);
}

static status handle_test_provider(struct rpc_call *call, struct error *reterr)
{
    return carry(call, on_test_provider, reterr);
}

static status handle_list_models(struct rpc_call *call, struct error *reterr)
{
    return carry(call, on_list_models, reterr);
}

static status handle_list_providers(struct rpc_call *call, struct error *reterr)
{
    return carry(call, on_list_providers, reterr);
}

const struct rpc_method llm_service_methods[] = {
    {.name = "Open", .handle = handle_open},
    {.name = "Pull", .handle = handle_pull},
    {.name = "Resume", .handle = handle_resume},
    {.name = "Cancel", .handle = handle_cancel},
    {.name = "ListModels", .handle = handle_list_models},
    {.name = "ListProviders", .handle = handle_list_providers},
    {.name = "Attach", .handle = handle_attach},
    {.name = "TestProvider", .handle = handle_test_provider},
    {.name = "SealKey", .handle = handle_seal_key},
    {},
};
