/**
 * mcp_inquiry: what an MCP server asks in the middle of a call of a run, put to a person by way of
 * the job, and what came back. Of both kinds of calls: `call: mcp` and those of connections.
 *
 * What is noted with a question is {requests, state?, replay?, round, answered?}: the server's own
 * words, which it hears again with the answer, and what was answered in rounds before.
 *
 * A server of the older era cannot wait. Only where the setting says `replay`, it hears `cancel`,
 * and the call is made anew when somebody has answered: what it asks then is answered at once, the
 * n-th time that it asks the same with the n-th answer. Who agreed to open an address has agreed to
 * that one; who refused has refused whatever is asked with the same words.
 */
#ifndef TOOL_ADAPTER_MCP_INQUIRY_H
#define TOOL_ADAPTER_MCP_INQUIRY_H

#include "tool-adapter/connections/engine.h"
#include "tool-adapter/peers/mcp_client.h"
#include "tool-adapter/peers/mcp_input.h"

enum {
    MCP_ROUNDS_MAX  = 20, /* of questions of one call */
    MCP_REPLAYS_MAX = MCP_ROUNDS_MAX * MCP_INPUTS_MAX,
};

/** Whether calls ask, as `input` says: "ask" (also if it says nothing), "replay", or "refuse". */
bool mcp_inquiry_is_wanted(json setting);
bool mcp_inquiry_replays(json setting);
/** INVALID_ARGUMENT: it says something else. */
status mcp_inquiry_check(json setting, struct error *reterr);

/** For struct mcp_request, owned; JSON_INVALID: it is the first round. `respondent` may be NULL.
 * INVALID_ARGUMENT: what was said does not fit what was asked. */
status mcp_inquiry_input(const struct respondent *respondent, json *ret_input,
                         struct error *reterr);

/** What was answered, for one call of a server of the older era. */
struct mcp_replay {
    json answered; /* owned; {request, response} of each */
    bool used[MCP_REPLAYS_MAX];
};

/** Reads what is known; mcp_replay_done(). Fails as mcp_inquiry_input() does. */
status mcp_replay_init(struct mcp_replay *replay, const struct respondent *respondent,
                       struct error *reterr);
void mcp_replay_done(struct mcp_replay *replay);

/** The response to what it asks now, owned; JSON_INVALID: nobody has said that yet. */
json mcp_replay_answer(struct mcp_replay *replay, json params);

/** Puts what the server has asked (`asked` of struct mcp_result) to the respondent. Else `*ret_why`
 * says why it cannot be asked. */
status mcp_inquiry_put(const struct respondent *respondent, json asked,
                       const struct mcp_asker *asker, struct error *ret_why);

#endif
