#include "rpc/contract.h"

#include "base/attr.h"

#include <string.h>

/* clang-format off */
static const struct rpc_contract_method health_methods[] = {
    {"Check",   RPC_FAST, true, RPC_BY_ALL},
    {"Methods", RPC_FAST, true, RPC_BY_ALL},
    {},
};

static const struct rpc_contract_method transport_methods[] = {
    {"Cancel", RPC_FAST, true, RPC_BY_ALL},
    {},
};

const struct rpc_contract_service rpc_contract[] = {
    {"tutti.v1.Health",    1, health_methods},
    {"tutti.v1.Transport", 2, transport_methods},
    {},
};
/* clang-format on */

const struct rpc_contract_service *rpc_contract_service(const struct rpc_contract_service *contract,
                                                        const char *name)
{
    for (; contract->name; contract++) {
        if (strcmp(contract->name, name) == 0) return contract;
    }
    return NULL;
}

const struct rpc_contract_method *rpc_contract_method(const struct rpc_contract_service *service,
                                                      const char *name)
{
    for (const struct rpc_contract_method *method = service->methods; method->name; method++) {
        if (strcmp(method->name, name) == 0) return method;
    }
    return NULL;
}

const char *rpc_class_name(enum rpc_class class)
{
    switch (class) {
    case RPC_FAST: return "fast";
    case RPC_COMMIT: return "commit";
    case RPC_LONG: return "long";
    case RPC_BULK: return "bulk";
    }
    return "unknown";
}

unsigned rpc_caller_kind(const char *service)
{
    for (size_t i = 0; i < ARRAY_LEN(caller_kinds); i++) {
        if (strcmp(caller_kinds[i].service, service) == 0) return caller_kinds[i].kind;
    }
    return 0;
}
