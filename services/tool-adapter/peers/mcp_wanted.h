/**
 * mcp_wanted: what a server of the older era asks of us in the middle of a call, on its stream or
 * its pipe, and what it hears at once: a ping is answered, and so is what somebody has said before.
 * Else it hears `cancel`, and what it asked for is noted: the result of its call does not count,
 * and says what is wanted instead.
 *
 * A server may also refuse the call until a person has opened some addresses; then these are what
 * is wanted. They are asked for again until it refuses no more, unless somebody has declined one:
 * then its refusal is the result.
 *
 * Source: modelcontextprotocol.io, specification 2025-11-25, "Elicitation". Pure.
 */
#ifndef TOOL_ADAPTER_MCP_WANTED_H
#define TOOL_ADAPTER_MCP_WANTED_H

#include "tool-adapter/peers/mcp_client.h"
#include "tool-adapter/peers/mcp_message.h"

enum { MCP_ADDRESS_REQUIRED = -32042 /* URLElicitationRequiredError */ };

/** What is noted, while a call lasts. */
struct mcp_wanted {
    json requests; /* as in results of the newer era; owned; JSON_INVALID: none */
};
void mcp_wanted_done(struct mcp_wanted *wanted);

/** JSON-RPC's answer to a request of the server, an object with an `id`; owned. `handlers` and
 * `wanted` are of the call that is under way; NULL, both: there is none. */
json mcp_wanted_answer(struct mcp_wanted *wanted, json message, enum mcp_offer offer,
                       const struct mcp_handlers *handlers);

/** The call has ended with `result`: if it was asked for something in vain, that is in `asked`, and
 * `*ret_asked` owns it. */
void mcp_wanted_settle(const struct mcp_wanted *wanted, enum mcp_offer offer,
                       const struct mcp_handlers *handlers, struct mcp_result *result,
                       json *ret_asked);

#endif
