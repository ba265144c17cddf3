/* Subscriptions: made, listed, deleted. They live in the system partition. */
#include "base/hash.h"
#include "base/random.h"
#include "scheduler/services/call.h"
#include "scheduler/services/services.h"
#include "scheduler/tables/subscriptions.h"

enum { SECRET_MADE = 32 /* bytes */ };

static status check_url(const char *url, struct error *reterr)
{
    str text = str_from(url);
    bool has_kind =
        str_starts_with(text, str_from("https://")) || str_starts_with(text, str_from("http://"));
    bool is_good = has_kind && text.len <= SUBSCRIPTION_URL_MAX;
    for (size_t i = 0; is_good && i < text.len; i++) {
        is_good = text.ptr[i] > ' ' && text.ptr[i] < 0x7f && text.ptr[i] != '@';
    }
    if (is_good) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "url: an https URL of at most %d bytes, without user or password",
                SUBSCRIPTION_URL_MAX);
}

static status check(const Pb__Subscription *request, struct error *reterr)
{
    TRY(check_url(request->url, reterr));
    if (request->n_types > SUBSCRIPTION_TYPES_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "types: at most %d", SUBSCRIPTION_TYPES_MAX);
    }
    for (size_t i = 0; i < request->n_types; i++) {
        str type     = str_from(request->types[i]);
        bool is_ours = str_starts_with(type, str_from("io.serverlessworkflow.")) ||
                       str_starts_with(type, str_from("dev.tutti.")) || str_is(type, "*");
        if (is_ours && type.len <= 255) continue;
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "types: `" STR_FMT "` is none: io.serverlessworkflow.* or dev.tutti.*, also "
                    "with a `*` at the end",
                    STR_ARG(type));
    }
    bool has_secret = request->secret.len > 0;
    if (has_secret && (request->secret.len < SUBSCRIPTION_SECRET_MIN ||
                       request->secret.len > SUBSCRIPTION_SECRET_MAX)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "secret: %d to %d bytes",
                    SUBSCRIPTION_SECRET_MIN, SUBSCRIPTION_SECRET_MAX);
    }
    return STATUS_OK;
}

static status post(struct rpc_call *call, enum command_kind kind, const void *request,
                   str namespace, struct error *reterr)
{
    struct shard *shard = scheduler_shard(call->context, 0);
    if (!shard) return call_moved(call, 0);
    struct command *command = call_command(call, kind, 0);
    if (!command) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    command->namespace = namespace;
    command->request   = request;
    call_post(call, shard, command);
    return STATUS_OK;
}

static status create(struct rpc_call *call, struct error *reterr)
{
    const Pb__Subscription *given = call->request;
    str namespace                 = call_namespace(call, given->namespace_);
    TRY(check(given, reterr));
    if (str_is(namespace, "*")) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "a subscription belongs to a namespace: name one with Tutti-Namespace");
    }
    Pb__Subscription *request = arena_alloc(call->arena, sizeof *request);
    if (!request) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the request is too large");
    *request            = *given;
    request->namespace_ = text_in(call->arena, namespace);
    if (request->secret.len == 0) {
        uint8_t made[SECRET_MADE];
        random_bytes(made, sizeof made);
        request->secret = bytes_in(call->arena, (str){(const char *)made, sizeof made});
    }
    return post(call, COMMAND_SUBSCRIBE, request, namespace, reterr);
}

static status delete (struct rpc_call *call, struct error *reterr)
{
    const Pb__DeleteSubscription *request = call->request;
    if (!id_is_valid(str_from(request->id))) {
        return fail_code(reterr, STATUS_NOT_FOUND, "not_found", "there is no such subscription");
    }
    return post(call, COMMAND_UNSUBSCRIBE, request, call_namespace(call, request->namespace_),
                reterr);
}

/* --- list --------------------------------------------------------------------------------------
 */

struct listing {
    struct rpc_call *call;
    str namespace;
    Pb__SubscriptionList *answer;
};

static status list_row(bytes, bytes row, struct error *reterr, void *context)
{
    struct listing *list                 = context;
    const Pb__ListSubscriptions *request = list->call->request;
    Pb__Subscription *read               = NULL;
    TRY(record_read(row, &pb__subscription__descriptor, list->call->arena, &read, reterr));
    bool is_its = str_is(list->namespace, "*") || str_is(list->namespace, read->namespace_);
    if (!is_its || (*request->id && strcmp(request->id, read->id) != 0)) return STATUS_OK;
    read->secret = (ProtobufCBinaryData){}; /* told once, when it was made */
    list->answer->subscriptions[list->answer->n_subscriptions++] = read;
    return STATUS_OK;
}

static status list(struct rpc_call *call, struct error *reterr)
{
    const Pb__ListSubscriptions *request = call->request;
    struct shard *shard                  = scheduler_shard(call->context, 0);
    if (!shard) return call_moved(call, 0);
    struct listing listing        = {.call      = call,
                                     .namespace = call_namespace(call, request->namespace_),
                                     .answer    = call->response};
    listing.answer->subscriptions = arena_alloc(call->arena, SUBSCRIPTIONS_MAX * sizeof(void *));
    if (!listing.answer->subscriptions) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    }
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    struct page page                    = {};
    const struct scan scan              = {};
    TRY(txn_begin_read(shard->partition->store, &txn, reterr));
    TRY(txn_page(txn, TABLE_SUBSCRIPTIONS, &scan, SUBSCRIPTIONS_MAX, &page, list_row, &listing,
                 reterr));
    if (*request->id && listing.answer->n_subscriptions == 0) {
        return fail_code(reterr, STATUS_NOT_FOUND, "not_found", "there is no such subscription");
    }
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

const struct rpc_method subscription_service_methods[] = {
    {.name = "Create", .handle = create},
    {.name = "List", .handle = list},
    {.name = "Delete", .handle = delete},
    {},
};
