/* Asking the scheduler on behalf of a call, and where. */
#include "auth/role.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/mem.h"
#include "gateway/api/audit.h"
#include "loop/loop.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROLES_MAX = 128 /* bytes */ };

struct asking {
    struct api_call *call; /* a reference */
    api_then *then;
    api_then *failed;
    api_then_item *then_item;
    size_t item;
};

static void on_answer(const struct rpc_answer *answer, void *context)
{
    struct asking *asking = context;
    bool is_keyed         = asking->call->rpc_id[API_RPC_ID_LEN] == ':';
    if (answer->is_replayed && is_keyed) atomic_store(&asking->call->is_replayed, true);
    if (asking->then_item) {
        asking->then_item(asking->call, asking->item, answer);
    } else if (answer->code == STATUS_OK) {
        asking->then(asking->call, answer);
    } else if (asking->failed) {
        asking->failed(asking->call, answer);
    } else {
        api_fail_answer(asking->call, answer);
    }
    api_call_unref(asking->call);
    free(asking);
}

static bool is_on_loop(const struct api *api)
{
    for (size_t i = 0; i < api->loop_count; i++) {
        if (loop_is_own_thread(api->loops[i])) return true;
    }
    return false;
}

/* What a turn of a loop asks leaves together: it ends with a flush. */
static status call_service(const struct api *api, struct rpc_client *service,
                           const struct rpc_request *request, struct error *reterr)
{
    struct rpc_request flushed = *request;
    flushed.more_follow        = is_on_loop(api);
    if (service) return rpc_client_call(service, &flushed, NULL, reterr);
    return fail_code(reterr, STATUS_UNAVAILABLE, "draining", "this gateway is stopping");
}

status api_call_scheduler(const struct api *api, const struct rpc_request *request,
                          struct error *reterr)
{
    return call_service(api, api->scheduler, request, reterr);
}

status api_call_llm(const struct api *api, const struct rpc_request *request, struct error *reterr)
{
    return call_service(api, api->llm, request, reterr);
}

/* The scheduler was not reached: told as if it had answered so. */
static void not_asked(struct asking *asking, status code, const struct error *error)
{
    const struct rpc_answer answer = {
        .code = code, .detail = error->text, .error_code = error->code ? error->code : ""};
    if (asking->then_item) {
        asking->then_item(asking->call, asking->item, &answer);
    } else if (asking->failed) {
        asking->failed(asking->call, &answer);
    } else {
        api_fail_answer(asking->call, &answer);
    }
}

void api_ask_scheduler(struct api_call *call, const struct api_ask *ask)
{
    struct asking *asking              = mem_new(1, sizeof *asking);
    *asking                            = (struct asking){.call      = api_call_ref(call),
                                                         .then      = ask->then,
                                                         .failed    = ask->failed,
                                                         .then_item = ask->then_item,
                                                         .item      = ask->item};
    CLEANUP(buf_done) struct buf roles = buf_init(ROLES_MAX);
    role_list(call->identity.roles, &roles);
    const struct rpc_request request = {
        .service     = ask->service,
        .method      = ask->method,
        .message     = ask->message,
        .partition   = ask->partition,
        .timeout_ms  = ask->timeout_ms,
        .request_id  = str_from(ask->request_id ? ask->request_id : call->rpc_id),
        .namespace   = str_from(api_namespace(call)),
        .key_id      = str_from(call->identity.key_id),
        .roles       = buf_str(&roles),
        .traceparent = str_from(call->traceparent),
        .deed        = audit_deed(call),
        .done        = on_answer,
        .context     = asking,
    };
    struct error error = {};
    status code        = api_call_scheduler(call->api, &request, &error);
    if (code == STATUS_OK) return;
    not_asked(asking, code, &error);
    free(asking);
    api_call_unref(call);
}

void api_hash_id(const char *text, size_t index, char ret_id[static API_RPC_ID_LEN + 1])
{
    uint8_t digest[SHA256_SIZE];
    char number[24];
    (void)snprintf(number, sizeof number, "\x1f%zu", index);
    const bytes parts[] = {bytes_from(str_from(text)), bytes_from(str_from(number))};
    sha256_parts(parts, ARRAY_LEN(parts), digest);
    hex_encode(digest, API_RPC_ID_LEN / 2, ret_id);
}

void api_item_id(const struct api_call *call, size_t index, char ret_id[static API_RPC_ID_LEN + 1])
{
    api_hash_id(call->rpc_id, index, ret_id);
    memcpy(ret_id, call->rpc_id, API_RPC_ID_TIME_LEN);
}

uint16_t api_partition_of_text(const struct api *api, str namespace, str text)
{
    unsigned partitions = atomic_load_explicit(&api->partitions, memory_order_relaxed);
    if (partitions <= 1) return 0;
    uint8_t digest[SHA256_SIZE];
    const bytes parts[] = {bytes_from(namespace), {.ptr = "\x1f", .len = 1}, bytes_from(text)};
    sha256_parts(parts, ARRAY_LEN(parts), digest);
    return (uint16_t)(u64_from(digest) % partitions);
}

uint16_t api_partition_of(struct api_call *call, str id)
{
    unsigned partitions = atomic_load(&call->api->partitions);
    /* An id of a partition that is not there was made up; any partition says so. */
    bool is_made_up = partitions > 0 && id_is_valid(id) && id_partition(id) >= partitions;
    if (id_is_valid(id) && !is_made_up) return id_partition(id);
    return api_partition_of_text(call->api, str_from(api_namespace(call)), id);
}
