#include "llm-proxy/llm_service.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "llm-proxy/dialect.h"
#include "llm-proxy/embed.h"
#include "llm-proxy/llm_charge.h"
#include "llm-proxy/llm_reply.h"
#include "llm-proxy/subscriber.h"
#include "llm.pb-c.h"
#include "json/json_text.h"
#include "json/json_write.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    SUBSCRIBERS_MAX = 1'000,
    BODY_MAX        = 64 << 20, /* bytes of an answer */
    BODY_DEPTH_MAX  = 64,
    BODY_VALUES_MAX = 1'000'000,
    SWEEP_MS        = 5'000,
    SILENT_MS       = 15'000, /* a subscriber that has not pulled for so long is gone */
    CALLS_MAX       = 10'000,
};

struct llm_service {
    struct loop *loop;
    struct pipeline *pipeline;
    struct guard *guard;
    const struct catalog *catalog;
    struct map *subscribers; /* id (16 bytes) -> struct subscriber */
    struct loop_timer sweep;
    uint64_t last_call;
    size_t busy;
    bool is_draining;
};

/* One call of a gateway. */
struct chat_call {
    struct llm_service *service;
    struct subscriber *subscriber;
    uint64_t number;
    struct arena *arena;
    json body; /* the request's texts are views of it */
    struct chat_request *request;
    struct llm_route scratch;
    const struct llm_route *route;
    int64_t deadline_ms;
    struct guard_fund fund;
    const struct dialect *dialect;
    struct llm_call *call;    /* of a chat */
    struct embed_call *embed; /* of embeddings */
    struct chat_call *next;   /* of the subscriber */
};

static void on_sweep(void *context);

struct llm_service *llm_service_new(struct loop *loop, struct pipeline *pipeline,
                                    struct guard *guard, const struct catalog *catalog)
{
    struct llm_service *service = mem_new(1, sizeof *service);
    service->loop               = loop;
    service->pipeline           = pipeline;
    service->guard              = guard;
    service->catalog            = catalog;
    service->subscribers        = map_new(SUBSCRIBERS_MAX);
    service->sweep              = (struct loop_timer){.fire = on_sweep, .context = service};
    return service;
}

/* Its budgets have back what it was to cost. */
static void chat_call_cancel(struct chat_call *chat)
{
    guard_settle(chat->service->guard, &chat->fund, NULL);
    if (chat->call) llm_call_cancel(chat->call);
    if (chat->embed) embed_cancel(chat->embed);
}

static void chat_call_free(struct chat_call *chat)
{
    struct chat_call **link = (struct chat_call **)&chat->subscriber->calls;
    while (*link && *link != chat) link = &(*link)->next;
    if (*link) *link = chat->next;
    chat->service->busy--;
    json_unref(chat->body);
    arena_free(chat->arena);
    free(chat);
}

static void forget_subscriber(struct llm_service *service, struct subscriber *subscriber)
{
    for (struct chat_call *chat = subscriber->calls; chat;) {
        struct chat_call *next = chat->next;
        chat_call_cancel(chat);
        chat_call_free(chat);
        chat = next;
    }
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
    return service->busy;
}

void llm_service_drain(struct llm_service *service)
{
    service->is_draining = true;
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
    subscriber = subscriber_new(id, loop_now_ms(service->loop));
    if (!map_put(service->subscribers, key, subscriber)) {
        subscriber_free(subscriber);
        return NULL;
    }
    if (!loop_timer_is_set(&service->sweep)) {
        loop_timer_set(service->loop, &service->sweep, loop_now_ms(service->loop) + SWEEP_MS);
    }
    return subscriber;
}

/* --- answers -----------------------------------------------------------------------------------
 */

static void log_call(const struct chat_call *chat, const struct llm_outcome *outcome)
{
    log_write(outcome->is_ok ? LOG_INFO : LOG_WARN, "llm.response",
              LOG_STR("model", chat->request->model),
              LOG_STR("provider", str_from(outcome->provider)), LOG_INT("tries", outcome->tries),
              LOG_INT("duration_ms", outcome->duration_ms),
              LOG_INT("input_tokens", outcome->usage.input_tokens),
              LOG_INT("output_tokens", outcome->usage.output_tokens),
              LOG_BOOLEAN("simulated", outcome->is_simulated),
              LOG_STR("error.message", outcome->is_ok ? (str){} : outcome->error.text));
}

static void on_done(const struct llm_outcome *outcome, void *context)
{
    struct chat_call *chat            = context;
    CLEANUP(buf_done) struct buf body = buf_init(BODY_MAX);
    int http                          = 200;
    guard_settle(chat->service->guard, &chat->fund, &outcome->usage);
    if (outcome->is_ok) {
        chat->dialect->print_answer(outcome, chat->request, &body);
    } else {
        const struct dialect_error error = dialect_error_of(chat->dialect, &outcome->error);
        chat->dialect->print_error(&error, &body);
        http = error.http;
    }
    struct llm_reply_head head;
    llm_reply_fill_head(&head, outcome);
    const struct subscriber_answer answer = {.call         = chat->number,
                                             .http_status  = (uint32_t)http,
                                             .headers      = head.list,
                                             .header_count = head.count,
                                             .body         = buf_str(&body),
                                             .usage        = &outcome->usage};
    subscriber_send(chat->subscriber, &answer);
    log_call(chat, outcome);
    buf_done(&head.cost);
    chat_call_free(chat);
}

/* --- the beginning -----------------------------------------------------------------------------
 */

static void start(struct chat_call *chat)
{
    struct pipeline *pipeline = chat->service->pipeline;
    if (chat->dialect == &dialect_openai_embeddings) {
        chat->embed =
            embed_start(pipeline, chat->request, chat->route, chat->deadline_ms, on_done, chat);
    } else {
        chat->call =
            llm_call_start(pipeline, chat->request, chat->route, chat->deadline_ms, on_done, chat);
    }
}

/* Its budgets have said whether it may go. */
static void on_funded(enum guard_verdict verdict, const struct guard_refusal *refusal,
                      void *context)
{
    struct chat_call *chat = context;
    if (verdict == GUARD_GO) {
        start(chat);
        return;
    }
    const struct llm_outcome outcome = {
        .error    = llm_charge_error(verdict, refusal),
        .provider = "",
        .usage    = PB__USAGE__INIT,
    };
    on_done(&outcome, chat);
}

/* Goes, or asks its budgets first; what they say comes later. The HTTP status that refuses it, or
 * 200. */
static int begin(struct chat_call *chat, const Pb__LlmOpen *open, struct error *reterr)
{
    Pb__ReserveBudgets asked = PB__RESERVE_BUDGETS__INIT;
    Pb__ModelPrice price     = PB__MODEL_PRICE__INIT;
    llm_charge_fill(open, chat->body, chat->dialect == &dialect_openai_embeddings, &asked);
    if (!llm_charge_labels(open, chat->arena, &asked)) {
        (void)fail(reterr, STATUS_INVALID_ARGUMENT,
                   "Tutti-Labels: at most %d of KEY=VALUE, with commas between them",
                   LLM_CHARGE_LABELS_MAX);
        return 400;
    }
    bool is_priced = catalog_dearest(chat->service->catalog, chat->route, &price.input_picos,
                                     &price.output_picos);
    if (is_priced) asked.price = &price;
    asked.model                = arena_printf(chat->arena, STR_FMT, STR_ARG(chat->request->model));
    chat->fund                 = (struct guard_fund){.decided = on_funded, .context = chat};
    enum guard_verdict verdict = guard_reserve(chat->service->guard, &asked, &chat->fund);
    if (verdict == GUARD_UNKNOWN) {
        (void)fail(reterr, STATUS_UNAVAILABLE, "the budgets cannot be asked now");
        return 503;
    }
    if (verdict == GUARD_GO) start(chat);
    return 200;
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
    CLEANUP(buf_done) struct buf body = buf_init(BODY_MAX);
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

/* Reads the body and finds the route: the HTTP status that refuses it, or 200. */
static int admit(struct chat_call *chat, const Pb__LlmOpen *open, struct error *reterr)
{
    str text                        = {.ptr = (const char *)open->body.data, .len = open->body.len};
    const struct json_limits limits = {.depth_max = BODY_DEPTH_MAX, .values_max = BODY_VALUES_MAX};
    if (json_parse(text, &limits, &chat->body, NULL, reterr) != STATUS_OK) return 400;
    status code = chat->dialect->read(open, chat->body, chat->arena, &chat->request, reterr);
    if (code != STATUS_OK) return code == STATUS_UNIMPLEMENTED ? 501 : 400;
    if (chat->request->is_stream) {
        (void)fail(reterr, STATUS_UNIMPLEMENTED,
                   "/stream: streaming is not there yet; leave it out");
        return 501;
    }
    const char *near = NULL;
    chat->route = catalog_find(chat->service->catalog, chat->request->model, &chat->scratch, &near);
    if (chat->route) return 200;
    (void)fail(reterr, STATUS_NOT_FOUND, "there is no model `" STR_FMT "`%s%s%s",
               STR_ARG(chat->request->model), near ? "; did you mean `" : "", near ? near : "",
               near ? "`?" : "");
    return 404;
}

static struct chat_call *chat_call_new(struct llm_service *service, struct subscriber *subscriber)
{
    struct chat_call *chat = mem_new(1, sizeof *chat);
    chat->service          = service;
    chat->subscriber       = subscriber;
    chat->arena            = arena_new(CHAT_ARENA_MAX);
    chat->number           = ++service->last_call;
    chat->next             = subscriber->calls;
    subscriber->calls      = chat;
    service->busy++;
    ASSERT(chat->arena);
    return chat;
}

static void on_open(void *context)
{
    struct arrived *arrived       = context;
    struct llm_service *service   = arrived->service;
    struct rpc_call *call         = arrived->call;
    const Pb__LlmOpen *open       = call->request;
    struct subscriber *subscriber = subscriber_of(service, open->subscriber, true);
    free(arrived);
    if (service->is_draining || !subscriber || service->busy >= CALLS_MAX) {
        refuse(call, 503, "this llm-proxy takes no more calls now");
        return;
    }
    struct error error     = {};
    struct chat_call *chat = chat_call_new(service, subscriber);
    chat->dialect          = dialect_of(open->operation);
    chat->deadline_ms      = llm_deadline_ms(open->deadline_us);
    int http               = admit(chat, open, &error);
    if (http == 200) http = begin(chat, open, &error);
    if (http != 200) {
        refuse(call, http, error.text);
        chat_call_free(chat);
        return;
    }
    Pb__LlmOpened *opened = call->response;
    opened->call          = chat->number;
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

/* --- Pull, Cancel, ListModels ------------------------------------------------------------------
 */

static void on_pull(void *context)
{
    struct arrived *arrived       = context;
    struct rpc_call *call         = arrived->call;
    const Pb__LlmPull *pull       = call->request;
    struct subscriber *subscriber = subscriber_of(arrived->service, pull->subscriber, true);
    if (subscriber) {
        subscriber_pull(subscriber, call, arrived->service->loop);
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

static void cancel_one(struct subscriber *subscriber, uint64_t number)
{
    for (struct chat_call *chat = subscriber->calls; chat; chat = chat->next) {
        if (chat->number != number) continue;
        chat_call_cancel(chat);
        chat_call_free(chat);
        return;
    }
}

static void on_cancel(void *context)
{
    struct arrived *arrived       = context;
    struct rpc_call *call         = arrived->call;
    const Pb__LlmCancel *cancel   = call->request;
    struct subscriber *subscriber = subscriber_of(arrived->service, cancel->subscriber, false);
    for (size_t i = 0; subscriber && i < cancel->n_calls; i++) {
        cancel_one(subscriber, cancel->calls[i]);
    }
    rpc_reply(call, STATUS_OK, NULL);
    free(arrived);
}

static status handle_cancel(struct rpc_call *call, struct error *reterr)
{
    return carry(call, on_cancel, reterr);
}

static status handle_list(struct rpc_call *call, struct error *reterr)
{
    struct llm_service *service   = call->context;
    const struct catalog *catalog = service->catalog; /* immutable: any thread */
    Pb__LlmModels *models         = call->response;
    Pb__LlmModel *items = arena_alloc(call->arena, (catalog->route_count + 1) * sizeof *items);
    Pb__LlmModel **list = arena_alloc(call->arena, (catalog->route_count + 1) * sizeof *list);
    if (!items || !list) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "too many models");
    for (uint32_t i = 0; i < catalog->route_count; i++) {
        pb__llm_model__init(&items[i]);
        items[i].id        = catalog->routes[i].name.ptr;
        items[i].provider  = catalog->routes[i].targets[0].provider->name;
        items[i].simulated = catalog->routes[i].is_simulated;
        list[i]            = &items[i];
    }
    models->models   = list;
    models->n_models = catalog->route_count;
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

const struct rpc_method llm_service_methods[] = {
    {.name = "Open", .handle = handle_open},
    {.name = "Pull", .handle = handle_pull},
    {.name = "Cancel", .handle = handle_cancel},
    {.name = "ListModels", .handle = handle_list},
    {},
};
