/**
 * mcp_inquiry: what an MCP server asks in the middle of a call of a run, put to a person by way of
 * the job, and what came back. Of both kinds of calls: `call: mcp` and those of connections.
 *
 * What is noted with a question is {requests, state?, round}: the server's own words, which it
 * hears again with the answer.
 */
#ifndef TOOL_ADAPTER_MCP_INQUIRY_H
#define TOOL_ADAPTER_MCP_INQUIRY_H

#include "tool-adapter/connections/engine.h"
#include "tool-adapter/peers/mcp_client.h"
#include "tool-adapter/peers/mcp_input.h"

enum { MCP_ROUNDS_MAX = 20 /* of questions of one call */ };

/** Whether calls ask, as `input` says: "ask" (also if it says nothing) or "refuse". */
bool mcp_inquiry_is_wanted(json setting);
/** INVALID_ARGUMENT: it says something else. */
status mcp_inquiry_check(json setting, struct error *reterr);

/** For struct mcp_request, owned; JSON_INVALID: it is the first round. `respondent` may be NULL.
 * INVALID_ARGUMENT: what was said does not fit what was asked. */
status mcp_inquiry_input(const struct respondent *respondent, json *ret_input,
                         struct error *reterr);

/** Puts what the server has asked (`asked` of struct mcp_result) to the respondent. Else `*ret_why`
 * says why it cannot be asked. */
status mcp_inquiry_put(const struct respondent *respondent, json asked,
                       const struct mcp_asker *asker, struct error *ret_why);

#endif
