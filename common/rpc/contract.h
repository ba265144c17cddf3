/**
 * contract: what both sides of a call know about its method, in one table.
 *
 * The class decides how a call travels, so client and server must agree on it; the same holds for
 * the number of a method on the wire (number of its service * 256 + its index in the .proto file)
 * and for the question whether a lost call may be repeated. A test compares the table with the
 * .proto files: no method may be missing here, and none may be here that is not there.
 *
 * Numbers are never reused, methods of a service only ever appended.
 */
#ifndef RPC_CONTRACT_H
#define RPC_CONTRACT_H

#include <stdbool.h>
#include <stdint.h>

/* Calls share a batch, and so each other's waiting time, only within a class. Values are on the
 * wire. */
enum rpc_class {
    RPC_FAST   = 1, /* answered from memory, before the handler returns */
    RPC_COMMIT = 2, /* answered after a commit */
    RPC_LONG   = 3, /* parked or slow; travels alone, on the service's second socket */
    RPC_BULK   = 4, /* never in the table: a fast or commit call whose body is above 64 KiB */
};

/* Who may call a method where callers prove who they are (security.h). */
enum {
    RPC_BY_GATEWAY   = 1,
    RPC_BY_WORKER    = 2, /* tool-adapter and llm-proxy */
    RPC_BY_SCHEDULER = 4,
    RPC_BY_CLI       = 8,
    RPC_BY_ALL       = 15,
};

enum {
    RPC_SERVICE_NUMBER_MAX = 63, /* fits the table of a server */
    RPC_METHODS_MAX        = 64, /* per service */
};

struct rpc_contract_method {
    const char *name; /* as in the .proto file: "Start" */
    enum rpc_class class;
    bool is_idempotent; /* a repetition does no harm even without a request id */
    unsigned callers;   /* RPC_BY_... */
};

struct rpc_contract_service {
    const char *name;                          /* with its package: "tutti.v1.Health" */
    uint8_t number;                            /* 1..RPC_SERVICE_NUMBER_MAX */
    const struct rpc_contract_method *methods; /* ends with a NULL name */
};

/** All services of the suite; ends with a NULL name. */
extern const struct rpc_contract_service rpc_contract[];

/** Returns the service or method of that name, or NULL. */
const struct rpc_contract_service *rpc_contract_service(const struct rpc_contract_service *contract,
                                                        const char *name);
const struct rpc_contract_method *rpc_contract_method(const struct rpc_contract_service *service,
                                                      const char *name);

/** Returns "fast", "commit", "long" or "bulk"; static. */
const char *rpc_class_name(enum rpc_class class);

/** Returns the RPC_BY_... of a service name such as "llm-proxy"; 0 if it is none of ours. */
unsigned rpc_caller_kind(const char *service);

#endif
