/* The methods of tools, and what a call remembers while it asks. */
#ifndef GATEWAY_MCP_METHODS_H
#define GATEWAY_MCP_METHODS_H

#include "gateway/mcp/message.h"

enum {
    MCP_NAME_MAX   = 128,     /* characters of a tool's name */
    MCP_TEXT_MAX   = 8 << 20, /* bytes of what a tool says */
    MCP_DEPTH_MAX  = 64,
    MCP_VALUES_MAX = 100'000,
};

/* call->state while a question is on its way. */
struct mcp_call {
    struct mcp_message message; /* without its params, which are a view of what is gone by then */
    const char *cursor;         /* of the page that is asked for; "": the first */
    struct buf functions;       /* of adapters, as items with commas between; owned */
};

struct mcp_call *mcp_keep(struct api_call *call, const struct mcp_message *message);

void mcp_list_tools(struct api_call *call, const struct mcp_message *message);
void mcp_call_tool(struct api_call *call, const struct mcp_message *message);

/** So long a list of tools may be kept by a client, ms. */
enum { MCP_LIST_TTL_MS = 5'000 };

#endif
