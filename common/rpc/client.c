/* Opens, closes and calls. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "rpc/client_internal.h"

#include <stdlib.h>

/* --- open and close --------------------------------------------------------------------------- */

static char *copy_text(const char *text)
{
    return text ? mem_dup(text, strlen(text)) : NULL;
}

static status read_endpoints(struct rpc_client *client, const char *endpoints, struct error *reterr)
{
    str list = str_from(endpoints);
    str part;
    client->targets = mem_new(RPC_ENDPOINTS_MAX, sizeof *client->targets);
    while (address_next(&list, &part)) {
        if (client->target_count == RPC_ENDPOINTS_MAX) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "endpoints: over %d", RPC_ENDPOINTS_MAX);
        }
        TRY(address_parse(part, &client->targets[client->target_count++], reterr));
    }
    if (client->target_count == 0) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "endpoints: none is given");
    }
    return STATUS_OK;
}

static status open_endpoints(struct rpc_client *client, struct error *reterr)
{
    for (unsigned i = 0; i < client->target_count; i++) {
        if (client->targets[i].is_dns) {
            if (identity_has_secret(client->identity)) continue;
            return fail(reterr, STATUS_FAILED_PRECONDITION, "connect %s: rpc.secret is missing",
                        client->targets[i].url);
        }
        struct endpoint *endpoint;
        TRY(endpoint_new(client, &client->targets[i], (int)i, &endpoint, reterr));
        client_add(client, endpoint);
    }
    return STATUS_OK;
}

static status add_services(struct rpc_client *client, const struct rpc_client_options *options,
                           struct error *reterr)
{
    const struct rpc_contract_service *contract =
        options->contract ? options->contract : rpc_contract;
    TRY(methods_add(&client->methods, rpc_contract, &pb__transport__descriptor, NULL, NULL,
                    reterr));
    for (const ProtobufCServiceDescriptor *const *service = options->services; service && *service;
         service++) {
        /* Health is in every contract, also in one that does not name it. */
        bool is_named = rpc_contract_service(contract, (*service)->name) != NULL;
        TRY(methods_add(&client->methods, is_named ? contract : rpc_contract, *service, NULL, NULL,
                        reterr));
    }
    return STATUS_OK;
}

status rpc_client_open(const struct rpc_client_options *options, struct rpc_client **ret_client,
                       struct error *reterr)
{
    if (!options->endpoints) return fail(reterr, STATUS_INVALID_ARGUMENT, "endpoints: missing");
    CLEANUP(rpc_client_closep) struct rpc_client *client = mem_new(1, sizeof *client);

    client->choice            = options->choice;
    client->observe           = options->observe;
    client->connected         = options->connected;
    client->context           = options->context;
    client->sender            = random_u64();
    client->tls.ca_file       = copy_text(options->tls.ca_file);
    client->tls.cert_key_file = copy_text(options->tls.cert_key_file);
    client->tls.server_name   = copy_text(options->tls.server_name);
    (void)pthread_mutex_init(&client->mutex, NULL);
    arenas_init(&client->arenas);
    client_clock_start(client);

    TRY(identity_new(&options->identity, &client->identity, reterr));
    TRY(add_services(client, options, reterr));
    TRY(read_endpoints(client, options->endpoints, reterr));
    TRY(open_endpoints(client, reterr));
    resolver_start(client);
    *ret_client = TAKE(client);
    return STATUS_OK;
}

static void free_text(const char *text)
{
    free((void *)(uintptr_t)text);
}

/* Gives all calls up, and waits a moment for what the servers still say: a connection on which
 * something arrives cannot be closed safely (socket_close()). */
static void come_to_rest(struct rpc_client *client)
{
    struct endpoint *held[RPC_ENDPOINTS_MAX];
    unsigned count   = client_hold_all(client, held);
    int64_t until_ms = clock_mono_ms() + QUIET_WAIT_MS;
    bool is_quiet    = false;
    for (unsigned i = 0; i < count; i++) {
        for (struct lane_set *set = atomic_load(&held[i]->sets); set; set = set->next) {
            lane_set_cancel_all(set);
        }
    }
    while (!is_quiet && clock_mono_ms() < until_ms) {
        client_clock_wake(client, 0);
        client_clock_pause(client, QUIET_POLL_MS);
        is_quiet = atomic_load(&client->counters.open) == 0;
        for (unsigned i = 0; i < count; i++) is_quiet = is_quiet && endpoint_is_quiet(held[i]);
    }
    for (unsigned i = 0; i < count; i++) endpoint_let_go(held[i]);
}

void rpc_client_closep(struct rpc_client **client)
{
    struct rpc_client *it = TAKE(*client);
    if (!it) return;
    atomic_store(&it->is_closing, true);
    resolver_stop(it);
    come_to_rest(it);
    client_clock_stop(it);
    /* First all of them are stopped: a callback of one may be giving its calls to another. */
    bool is_stopped = true;
    for (struct endpoint *at = it->endpoints; at; at = at->next) {
        is_stopped = endpoint_stop(at) && is_stopped;
    }
    if (!is_stopped) return; /* callbacks may still come: what they touch must stay */
    while (it->endpoints) {
        struct endpoint *endpoint = it->endpoints;
        it->endpoints             = endpoint->next;
        endpoint_free(endpoint);
    }
    methods_done(&it->methods);
    identity_free(it->identity);
    arenas_done(&it->arenas);
    free(it->targets);
    free_text(it->tls.ca_file);
    free_text(it->tls.cert_key_file);
    free_text(it->tls.server_name);
    (void)pthread_mutex_destroy(&it->mutex);
    (void)pthread_mutex_destroy(&it->clock_mutex);
    (void)pthread_cond_destroy(&it->clock_changed);
    free(it);
}

/* --- calls ------------------------------------------------------------------------------------ */

enum {
    METADATA_TEXTS_MAX  = 2'048,                   /* bytes */
    METADATA_PACKED_MAX = METADATA_TEXTS_MAX + 64, /* with tags and lengths */
};

/* Texts become C strings for protobuf-c; they live in a buffer on the stack of the caller. */
struct metadata_texts {
    char buffer[METADATA_TEXTS_MAX];
    size_t used;
};

static const char *text_of(struct metadata_texts *texts, str text)
{
    if (text.len == 0) return "";
    if (text.len >= sizeof texts->buffer - texts->used) return NULL;
    char *copy = texts->buffer + texts->used;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    texts->used += text.len + 1;
    return copy;
}

static status fill_metadata(const struct rpc_request *request, struct metadata_texts *texts,
                            Pb__CallMetadata *metadata, struct error *reterr)
{
    metadata->request_id  = text_of(texts, request->request_id);
    metadata->namespace_  = text_of(texts, request->namespace);
    metadata->key_id      = text_of(texts, request->key_id);
    metadata->roles       = text_of(texts, request->roles);
    metadata->traceparent = text_of(texts, request->traceparent);
    metadata->action      = text_of(texts, request->deed.action);
    metadata->resource    = text_of(texts, request->deed.resource);
    metadata->address     = text_of(texts, request->deed.address);
    metadata->asked_as    = text_of(texts, request->deed.asked_as);
    if (!metadata->request_id || !metadata->namespace_ || !metadata->key_id || !metadata->roles ||
        !metadata->traceparent || !metadata->action || !metadata->resource || !metadata->address ||
        !metadata->asked_as) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "%s: metadata above %zu bytes",
                    request->method, sizeof texts->buffer);
    }
    return STATUS_OK;
}

static status pack_metadata(const struct rpc_request *request,
                            uint8_t packed[static METADATA_PACKED_MAX], size_t *ret_size,
                            struct error *reterr)
{
    struct metadata_texts texts;
    texts.used                = 0;
    Pb__CallMetadata metadata = PB__CALL_METADATA__INIT;
    TRY(fill_metadata(request, &texts, &metadata, reterr));
    *ret_size = wire_pack(&metadata.base, packed, METADATA_PACKED_MAX);
    ASSERT(*ret_size <= METADATA_PACKED_MAX);
    return STATUS_OK;
}

static int64_t connect_deadline(const struct endpoint *endpoint, const struct link *link,
                                const struct rpc_request *request, int64_t now_ms,
                                int64_t deadline_ms)
{
    if (request->wait_for_ready) return deadline_ms;
    /* Read before the link: a first connection that comes in between is none that was lost. */
    bool was_connected = atomic_load(&endpoint->was_connected);
    if (link_is_up(link)) return 0;
    /* Both links are made together: where one is up, the other will be in a moment. */
    if (link_is_up(&endpoint->main)) {
        return now_ms + CONNECT_WAIT_MS < deadline_ms ? now_ms + CONNECT_WAIT_MS : deadline_ms;
    }
    if (was_connected) return -1;
    int64_t until_ms = endpoint->opened_ms + CONNECT_WAIT_MS;
    return until_ms > now_ms ? until_ms : -1;
}

static status add_packed(struct endpoint *endpoint, struct call *call,
                         const struct rpc_request *request, const struct frame_source *source,
                         struct error *reterr)
{
    enum rpc_class class = call->method->contract->class;
    size_t size          = source->body.len;
    if (size > RPC_MESSAGE_SIZE_MAX - FRAME_METADATA_MAX) {
        return fail_code(reterr, STATUS_RESOURCE_EXHAUSTED, "body_too_large",
                         "%s.%s: %zu bytes, at most 18 MiB can be sent",
                         call->method->service->name, request->method, size);
    }
    if (class != RPC_LONG && size > BULK_BODY_SIZE_MIN) class = RPC_BULK;

    struct lane_set *set = endpoint_set(endpoint, class, call->partition);
    call->connect_by_ms =
        connect_deadline(endpoint, set->link, request, call->started_us / 1000, call->deadline_ms);
    if (call->connect_by_ms < 0) {
        return fail_code(reterr, STATUS_UNAVAILABLE, RPC_NOT_SENT, "%s: not connected",
                         endpoint->address.url);
    }
    return lane_set_add(set, call, source, reterr);
}

static status add_call(struct endpoint *endpoint, struct call *call,
                       const struct rpc_request *request, struct error *reterr)
{
    uint8_t metadata[METADATA_PACKED_MAX];
    size_t metadata_size;
    struct wire_body body;
    TRY(pack_metadata(request, metadata, &metadata_size, reterr));
    wire_body_begin(&body, request->message);
    const struct frame_source source = {
        .metadata = {metadata, metadata_size},
        .body     = request->message ? body.packed : request->packed,
    };
    status code = add_packed(endpoint, call, request, &source, reterr);
    wire_body_done(&body);
    return code;
}

static void fill_call(struct rpc_client *client, const struct rpc_request *request,
                      const struct method *method, struct call *ret_call)
{
    int64_t timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : RPC_TIMEOUT_MS_DEFAULT;
    int64_t now_us     = clock_mono_us();
    /* Where anybody may answer, fast calls of all partitions may share a batch. */
    bool is_shared = client->choice == RPC_LEAST_BUSY && method->contract->class == RPC_FAST;
    *ret_call      = (struct call){
             .method        = method,
             .done          = request->done,
             .context       = request->context,
             .id            = atomic_fetch_add(&client->next_call_id, 1) + 1,
             .started_us    = now_us,
             .deadline_ms   = now_us / 1000 + timeout_ms,
             .partition     = is_shared ? 0 : request->partition,
             .repeats_left  = REPEATS_MAX,
             .moves_left    = MOVES_MAX,
             .is_repeatable = method->contract->is_idempotent || request->request_id.len > 0,
             .is_held       = request->more_follow,
    };
}

status rpc_client_call(struct rpc_client *client, const struct rpc_request *request,
                       uint64_t *ret_id, struct error *reterr)
{
    ASSERT(request->done);
    const struct method *method =
        methods_by_name(&client->methods, request->service, request->method);
    if (!method) {
        return fail(reterr, STATUS_NOT_FOUND, "%s: not among the services of this client",
                    request->method);
    }
    if (atomic_load(&client->is_closing)) {
        return fail(reterr, STATUS_UNAVAILABLE, "%s: the client is being closed", request->method);
    }
    struct endpoint *endpoint = client_choose(client, request->partition, NULL);
    if (!endpoint) {
        return fail_code(reterr, STATUS_UNAVAILABLE, RPC_NOT_SENT,
                         "%s.%s: no address for partition %u", method->service->name,
                         request->method, (unsigned)request->partition);
    }
    struct call call;
    fill_call(client, request, method, &call);
    atomic_fetch_add(&client->counters.open, 1);
    atomic_fetch_add(&client->counters.calls, 1);
    status code = add_call(endpoint, &call, request, reterr);
    if (code != STATUS_OK) {
        atomic_fetch_sub(&client->counters.open, 1);
        endpoint_release(endpoint);
        if (code == STATUS_RESOURCE_EXHAUSTED) atomic_fetch_add(&client->counters.refused, 1);
    }
    endpoint_let_go(endpoint);
    if (code == STATUS_OK && ret_id) *ret_id = call.id;
    return code;
}

void rpc_client_flush(struct rpc_client *client)
{
    if (!atomic_load(&client->has_held) || !atomic_exchange(&client->has_held, false)) return;
    struct endpoint *held[RPC_ENDPOINTS_MAX];
    unsigned count = client_hold_all(client, held);
    for (unsigned i = 0; i < count; i++) {
        for (struct lane_set *set = atomic_load(&held[i]->sets); set; set = set->next) {
            lane_set_flush(set);
        }
        endpoint_let_go(held[i]);
    }
}

static void ignore(const struct rpc_answer *, void *)
{
    /* Whether the server found the calls does not matter: they are over here. */
}

void client_send_cancel(struct endpoint *endpoint, const uint64_t *wire_ids, size_t count)
{
    struct rpc_client *client        = endpoint->client;
    Pb__CancelRequest message        = PB__CANCEL_REQUEST__INIT;
    message.sender                   = client->sender;
    message.n_call_ids               = count;
    message.call_ids                 = (uint64_t *)(uintptr_t)wire_ids; /* only read */
    const struct rpc_request request = {
        .service = &pb__transport__descriptor,
        .method  = "Cancel",
        .message = &message,
        .done    = ignore,
    };
    struct call call;
    fill_call(client, &request, methods_by_name(&client->methods, request.service, "Cancel"),
              &call);
    atomic_fetch_add(&client->counters.open, 1);
    atomic_fetch_add(&endpoint->open, 1);
    if (add_call(endpoint, &call, &request, NULL) == STATUS_OK) return;
    /* Not connected: then the server notices by itself. */
    atomic_fetch_sub(&client->counters.open, 1);
    endpoint_release(endpoint);
}

typedef bool mark_call(struct lane_set *set, uint64_t id);

static bool mark_at(struct endpoint *endpoint, mark_call *mark, uint64_t id)
{
    for (struct lane_set *set = atomic_load(&endpoint->sets); set; set = set->next) {
        if (mark(set, id)) return true;
    }
    return false;
}

static void mark_anywhere(struct rpc_client *client, mark_call *mark, uint64_t id)
{
    struct endpoint *held[RPC_ENDPOINTS_MAX];
    unsigned count = client_hold_all(client, held);
    bool is_found  = false;
    for (unsigned i = 0; i < count; i++) {
        is_found = is_found || mark_at(held[i], mark, id);
        endpoint_let_go(held[i]);
    }
    if (is_found) client_clock_wake(client, 0);
}

void rpc_client_cancel(struct rpc_client *client, uint64_t id)
{
    mark_anywhere(client, lane_set_cancel, id);
}

void rpc_client_stop(struct rpc_client *client, uint64_t id)
{
    mark_anywhere(client, lane_set_end, id);
}

unsigned rpc_client_target_count(const struct rpc_client *client)
{
    return client->target_count; /* constant after the open */
}

bool rpc_client_is_connected(const struct rpc_client *client, uint16_t partition)
{
    /* Only the count of holds changes, and back. */
    struct rpc_client *it     = (struct rpc_client *)(uintptr_t)client;
    struct endpoint *endpoint = client_choose(it, partition, NULL);
    if (!endpoint) return false;
    bool is_up = link_is_up(&endpoint->main);
    endpoint_release(endpoint);
    endpoint_let_go(endpoint);
    return is_up;
}

void rpc_client_stats(const struct rpc_client *client, struct rpc_client_stats *ret_stats)
{
    const struct client_counters *counters = &client->counters;
    *ret_stats                             = (struct rpc_client_stats){
                                    .calls       = atomic_load(&counters->calls),
                                    .messages    = atomic_load(&counters->messages),
                                    .repeated    = atomic_load(&counters->repeated),
                                    .moved       = atomic_load(&counters->moved),
                                    .timeouts    = atomic_load(&counters->timeouts),
                                    .refused     = atomic_load(&counters->refused),
                                    .connects    = atomic_load(&counters->connects),
                                    .disconnects = atomic_load(&counters->disconnects),
                                    .connected   = atomic_load(&counters->connected),
                                    .open        = atomic_load(&counters->open),
    };
}
