/**
 * mcp_authorize: a client of OAuth 2 that is told by the server itself where its tokens come from.
 *
 * After a 401 the metadata of the server and of its authorization server are read
 * (resource_metadata.h), and the call goes out again with a token (client_credentials). What was
 * found is remembered per client and address, so later calls have it from the start; it is found
 * anew, once per call, when the server refuses such a token.
 *
 * Every request passes the egress guard, private addresses as the call may reach them.
 *
 * Threads: the loop's. Limits: MCP_POLICIES_MAX; MCP_DISCOVERY_MS for each document.
 */
#ifndef TOOL_ADAPTER_MCP_AUTHORIZE_H
#define TOOL_ADAPTER_MCP_AUTHORIZE_H

#include "tool-adapter/peers/mcp_internal.h"

/** What is known already becomes the call's; false: nothing is. */
bool mcp_authorize_known(struct mcp_call *call);

/** What a 401 says, for mcp_authorize(). */
void mcp_authorize_note(struct mcp_call *call, const struct http_answer *answer);

/** Goes and finds out, and sends the call's step again, or fails the call. False: it was done
 * already, or the call has no client. */
bool mcp_authorize(struct mcp_call *call);

/** Nobody waits for it any more. */
void mcp_authorize_cancel(struct mcp_call *call);

#endif
