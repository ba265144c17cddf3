/**
 * tool_service: functions of adapters for somebody who waits (proto/tool.proto).
 *
 * The same way as that of jobs, without a checkpoint: there is no later attempt. Calls come on
 * threads of the library and are answered from the loop.
 */
#ifndef TOOL_ADAPTER_TOOL_SERVICE_H
#define TOOL_ADAPTER_TOOL_SERVICE_H

#include "rpc/rpc.h"
#include "tool-adapter/call/measures.h"
#include "tool-adapter/call/tool_call.h"

enum {
    TOOL_CALLS_MAX       = 256, /* at once */
    TOOL_INVOKE_MS       = 60'000,
    TOOL_INVOKE_MS_MAX   = 600'000,
    TOOL_PARAMS_SIZE_MAX = 8 << 20, /* bytes */
};

struct tool_service;

struct tool_service_options {
    struct exchange_means means; /* what it points to is borrowed */
    struct toolbox *toolbox;     /* borrowed; a reference is kept */
    struct measures *measures;   /* borrowed */
};

/** Owned: tool_service_freep(), after the server has stopped and the loop was joined. */
struct tool_service *tool_service_new(const struct tool_service_options *options);
void tool_service_freep(struct tool_service **service);

/** From now on calls under way come to their end though their callers have gone, or the server is
 * about to stop. Any thread. */
void tool_service_drain(struct tool_service *service);

/** From now on calls use this one; those under way keep theirs. On the loop; borrows, and keeps a
 * reference. */
void tool_service_use(struct tool_service *service, struct toolbox *toolbox);

/** Of the service Tools; their context is the tool_service. */
extern const struct rpc_method tool_service_methods[];

#endif
