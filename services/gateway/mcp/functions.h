/** functions: what a tool-adapter can do, as tools: ADAPTER.ACTION. */
#ifndef GATEWAY_MCP_FUNCTIONS_H
#define GATEWAY_MCP_FUNCTIONS_H

#include "base/buf.h"
#include "tool.pb-c.h"

/** Appends the newest of each function whose adapter has a connection that lacks no secret: items
 * of an array with commas between them. What does not fit is left out. */
void mcp_functions_print(const Pb__ToolList *list, struct buf *out);

#endif
