/** tool_service_internal: what the files of tool_service.h share. */
#ifndef TOOL_ADAPTER_TOOL_SERVICE_INTERNAL_H
#define TOOL_ADAPTER_TOOL_SERVICE_INTERNAL_H

#include "tool-adapter/call/tool_service.h"

#include <stdatomic.h>

struct invocation;
struct testing;

struct tool_service {
    struct exchange_means means;
    struct toolbox *toolbox; /* a reference */
    struct measures *measures;
    struct invocation *invocations;
    struct testing *tests;
    unsigned count;
    atomic_bool is_draining; /* calls come to their end, though the server asks them to stop */
};

/** Answers from the loop. OK: it has replied, or will. */
typedef status tool_answer_fn(struct tool_service *service, struct rpc_call *rpc,
                              struct error *reterr);
status tool_service_post(struct rpc_call *rpc, tool_answer_fn *answer, struct error *reterr);

/** A document of the answer; empty for what is none, or does not fit. */
ProtobufCBinaryData tool_service_document(struct rpc_call *rpc, json value);

/** TestConnection, and the end of those under way. */
status tool_service_handle_test(struct rpc_call *rpc, struct error *reterr);
void tool_service_drop_tests(struct tool_service *service);

#endif
