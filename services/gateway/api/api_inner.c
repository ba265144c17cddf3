#include "gateway/api/api_inner.h"

#include "base/assert.h"
#include "base/mem.h"
#include "gateway/server.h"

#include <stdio.h>

static struct api_call *inner_new(struct api_call *outer, const struct api_inner *from)
{
    static const struct httpd_field fields[] = {{{"Content-Type", 12}, {"application/json", 16}}};
    struct api_call *inner                   = mem_new(1, sizeof *inner);
    inner->api                               = outer->api;
    inner->identity                          = outer->identity;
    inner->arena                             = arena_new(API_CALL_ARENA_MAX);
    inner->path                              = mem_dup(from->path.ptr, from->path.len);
    inner->inner_done                        = from->done;
    inner->request = httpd_request_make(method_name(from->method), from->path, from->query, fields,
                                        1, from->body);
    (void)snprintf(inner->request_id, sizeof inner->request_id, "%s", outer->request_id);
    memcpy(inner->traceparent, outer->traceparent, sizeof inner->traceparent);
    memcpy(inner->trace_id, outer->trace_id, sizeof inner->trace_id);
    memcpy(inner->peer, outer->peer, sizeof inner->peer);
    api_new_rpc_id(inner);
    atomic_init(&inner->references, 1);
    atomic_init(&inner->outer, api_call_ref(outer));
    return inner;
}

/* Its outer call and its own first reference, which go together and once. */
static struct api_call *part(struct api_call *inner)
{
    struct api_call *outer = atomic_exchange(&inner->outer, NULL);
    if (outer) api_call_unref(inner);
    return outer;
}

void api_ask_inner(struct api_call *call, const struct api_inner *from)
{
    struct api_call *inner = api_call_ref(inner_new(call, from)); /* while it is served here */
    ASSERT(!atomic_load(&call->inner));
    /* Sequentially consistent, as in api_call_gone(): of the two that look, one finds both. */
    atomic_store(&call->inner, api_call_ref(inner));
    if (api_call_is_gone(call)) api_inner_end(inner);
    server_serve(inner);
    api_call_unref(inner);
}

void api_inner_answer(struct api_call *inner, int http_status, str body)
{
    api_call_ref(inner);
    struct api_call *outer = part(inner);
    if (outer) {
        inner->inner_done(outer, http_status, body);
        api_call_gone(inner); /* what it left waiting */
        api_call_unref(outer);
    }
    api_call_unref(inner);
}

void api_inner_end(struct api_call *inner)
{
    api_call_ref(inner);
    struct api_call *outer = part(inner);
    api_call_gone(inner);
    if (outer) api_call_unref(outer);
    api_call_unref(inner);
}
