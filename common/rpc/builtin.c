/* What every server answers by itself: how it is, what it can, and which calls are given up. */
#include "health.pb-c.h"
#include "rpc/server_internal.h"

static status check(struct rpc_call *call, struct error *)
{
    struct rpc_server *server       = call->context;
    const struct rpc_hooks *hooks   = &server->hooks;
    Pb__HealthCheckResponse *answer = call->response;
    struct rpc_health_state state   = {.is_live = true, .is_started = true, .is_ready = true};
    if (hooks->health) state = hooks->health(hooks->context);

    answer->live     = state.is_live;
    answer->started  = state.is_started;
    answer->ready    = state.is_ready;
    answer->draining = atomic_load(&server->is_draining);
    answer->service  = identity_service(server->identity);
    answer->version  = TUTTI_VERSION;
    answer->detail   = state.detail ? state.detail : "";
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

static size_t count_methods(const struct methods *methods)
{
    size_t count = 0;
    for (unsigned i = 0; i <= RPC_SERVICE_NUMBER_MAX; i++) {
        if (methods->services[i].methods) count += methods->services[i].descriptor->n_methods;
    }
    return count;
}

static status list_methods(struct rpc_call *call, struct error *reterr)
{
    const struct rpc_server *server   = call->context;
    Pb__HealthMethodsResponse *answer = call->response;
    size_t count                      = count_methods(&server->methods);
    Pb__HealthMethod *list            = arena_alloc(call->arena, count * sizeof *list);
    answer->methods                   = arena_alloc(call->arena, count * sizeof(void *));
    if (!list || !answer->methods) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "methods: no memory");
    }
    for (unsigned i = 0; i <= RPC_SERVICE_NUMBER_MAX; i++) {
        const struct method *methods = server->methods.services[i].methods;
        if (!methods) continue;
        for (unsigned j = 0; j < server->methods.services[i].descriptor->n_methods; j++) {
            Pb__HealthMethod *entry = &list[answer->n_methods];
            pb__health_method__init(entry);
            entry->service                       = methods[j].service->name;
            entry->method                        = methods[j].contract->name;
            entry->class_                        = rpc_class_name(methods[j].contract->class);
            entry->idempotent                    = methods[j].contract->is_idempotent;
            entry->implemented                   = methods[j].handler != NULL;
            answer->methods[answer->n_methods++] = entry;
        }
    }
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

static status cancel(struct rpc_call *call, struct error *)
{
    struct rpc_server *server        = call->context;
    const Pb__CancelRequest *request = call->request;
    Pb__CancelResponse *answer       = call->response;
    for (size_t i = 0; i < request->n_call_ids; i++) {
        answer->found += open_calls_cancel(server, request->sender, request->call_ids[i]);
    }
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

const struct rpc_method health_handlers[] = {
    {.name = "Check", .handle = check},
    {.name = "Methods", .handle = list_methods},
    {},
};

const struct rpc_method transport_handlers[] = {
    {.name = "Cancel", .handle = cancel},
    {},
};
