#include "llm-proxy/llm_service.h"
#include "llm-proxy/llm_models.h"

#include "base/map.h"
#include "base/mem.h"
#include "llm-proxy/client_call.h"
#include "llm-proxy/dialect.h"
#include "llm-proxy/llm_reply.h"
#include "llm-proxy/subscriber.h"
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
    struct map *subscribers; /* id (16 bytes) -> struct subscriber */
    struct loop_timer sweep;
    bool is_draining;
};

static void on_sweep(void *context);

struct llm_service *llm_service_new(struct loop *loop, struct pipeline *pipeline,
                                    struct guard *guard, const struct catalog *catalog)
{
    struct llm_service *service = mem_new(1, sizeof *service);
    service->loop               = loop;
    service->calls =
        (struct client_calls){.pipeline = pipeline, .guard = guard, .catalog = catalog};
    service->subscribers = map_new(SUBSCRIBERS_MAX);
    service->sweep       = (struct loop_timer){.fire = on_sweep, .context = service};
    return service;
}

static void forget_subscriber(struct llm_service *service, struct subscriber *subscriber)
{
    while (subscriber->calls) client_call_cancel(subscriber->calls);
    (void)map_remove(service->subscribers, subscriber_id(subscriber));
    subscriber_free(subscriber);
}

void llm_service_freep(struct llm_service **ref)
{
    struct llm_service *service = *ref;
    if (!service) return;
    size_t cursor = 0;
    str key       = {};
    void *value   = NULL;
    while (map_next(service->subscribers, &cursor, &key, &value)) {
        forget_subscriber(service, value);
    }
    loop_timer_clear(service->loop, &service->sweep);
    map_free(service->subscribers);
    free(service);
    *ref = NULL;
}

size_t llm_service_busy(const struct llm_service *service)
{
    return service->calls.count;
}

void llm_service_drain(struct llm_service *service)
{
    size_t cursor        = 0;
    str key              = {};
    void *value          = NULL;
    service->is_draining = true;
    while (map_next(service->subscribers, &cursor, &key, &value)) subscriber_drain(value);
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

static struct subscriber *subscriber_of(struct llm_service *service, ProtobufCBinaryData id,
                                        bool may_make)
{
    str key                       = {.ptr = (const char *)id.data, .len = id.len};
    struct subscriber *subscriber = map_get(service->subscribers, key);
    if (subscriber || !may_make) return subscriber;
    subscriber = subscriber_new(id, service->loop, rpc_reply);
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

static void refuse(struct rpc_call *call, int http, const char *text)
{
    const Pb__LlmOpen *open           = call->request;
    CLEANUP(buf_done) struct buf body = buf_init(CLIENT_CALL_BODY_MAX);
    const struct dialect_error error  = {.http    = http,
                                         .code    = llm_reply_code(http),
                                         .class   = LLM_ERROR_REQUEST,
                                         .message = str_from(text)};
    dialect_of(open->operation)->print_error(&error, &body);
    Pb__LlmOpened *opened = call->response;
    Pb__LlmAnswer answer  = PB__LLM_ANSWER__INIT;
    answer.http_status    = (uint32_t)http;
    answer.body           = (ProtobufCBinaryData){.data = (uint8_t *)body.ptr, .len = body.len};
    opened->answer        = &answer;
    rpc_reply(call, STATUS_OK, NULL);
}

static void on_open(void *context)
{
    struct arrived *arrived       = context;
    struct llm_service *service   = arrived->service;
    struct rpc_call *call         = arrived->call;
    const Pb__LlmOpen *open       = call->request;
    struct subscriber *subscriber = subscriber_of(service, open->subscriber, true);
    free(arrived);
    if (service->is_draining || !subscriber || service->calls.count >= CALLS_MAX) {
        refuse(call, 503, "this llm-proxy takes no more calls now");
        return;
    }
    struct error error    = {};
    Pb__LlmOpened *opened = call->response;
    int http = client_call_start(&service->calls, subscriber, open, &opened->call, &error);
    if (http != 200) {
        opened->call = 0;
        refuse(call, http, error.text);
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

/* --- Pull, Resume, Cancel,
 * ListModels---------------------------------------------------------------
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
        if (given_up) client_call_cancel(given_up);
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
    return service->calls.catalog;
}

const struct rpc_method llm_service_methods[] = {
    {.name = "Open", .handle = handle_open},
    {.name = "Pull", .handle = handle_pull},
    {.name = "Resume", .handle = handle_resume},
    {.name = "Cancel", .handle = handle_cancel},
    {.name = "ListModels", .handle = llm_models_handle},
    {.name = "ListProviders", .handle = llm_providers_handle},
    {},
};
