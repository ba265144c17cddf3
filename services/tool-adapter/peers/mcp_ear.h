/**
 * mcp_ear: the stream (GET) on which a server of the older era may speak beside the answers to
 * calls (2025-11-25, "Listening for Messages from the Server").
 *
 * It is open for as long as a call that answers what the server asks, of a session of its own. What
 * comes there is taken as on the stream of the answer. A server that has no such stream says so
 * (405), and nobody minds; one that is cut is not opened again.
 *
 * Threads: the loop's. Limits: those of rpc_reply.h.
 */
#ifndef TOOL_ADAPTER_MCP_EAR_H
#define TOOL_ADAPTER_MCP_EAR_H

#include "tool-adapter/peers/mcp_internal.h"

enum { MCP_EAR_MS = 2'000 /* the call waits no longer for its beginning */ };

/** The session is there. True: the request itself goes out when the stream has begun, or was
 * refused: what is said before would be lost. False: none is wanted. */
bool mcp_ear_open(struct mcp_call *call);

/** Does nothing if none is open. */
void mcp_ear_close(struct mcp_call *call);

#endif
