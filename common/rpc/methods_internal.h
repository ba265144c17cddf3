/** methods: the methods that one server serves, or one client calls, with all that is known. */
#ifndef RPC_METHODS_INTERNAL_H
#define RPC_METHODS_INTERNAL_H

#include "rpc/rpc.h"

/** One method; constant after the start. */
struct method {
    const struct rpc_contract_service *service;
    const struct rpc_contract_method *contract;
    const ProtobufCMessageDescriptor *input;
    const ProtobufCMessageDescriptor *output;
    uint16_t number;                  /* on the wire */
    const struct rpc_method *handler; /* servers; NULL: UNIMPLEMENTED */
    void *context;
};

struct service_methods {
    const ProtobufCServiceDescriptor *descriptor;
    struct method *methods; /* owned; as many as the descriptor has */
};

struct methods {
    struct service_methods services[RPC_SERVICE_NUMBER_MAX + 1]; /* by number */
    struct service_methods added[RPC_SERVICE_NUMBER_MAX + 1];    /* those there are; borrowed */
    unsigned count;
};

/** Adds a service. `handlers` is NULL for clients. FAILED_PRECONDITION: the contract does not know
 * it, or misses one of its methods; INVALID_ARGUMENT: added before, a handler for no method. */
status methods_add(struct methods *methods, const struct rpc_contract_service *contract,
                   const ProtobufCServiceDescriptor *descriptor, const struct rpc_method *handlers,
                   void *context, struct error *reterr);
void methods_done(struct methods *methods);

/** NULL: there is none. */
const struct method *methods_by_number(const struct methods *methods, uint16_t number);
const struct method *methods_by_name(const struct methods *methods,
                                     const ProtobufCServiceDescriptor *descriptor,
                                     const char *name);

#endif
