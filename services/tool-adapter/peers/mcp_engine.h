/**
 * mcp_engine: the engine behind `mcp` in manifests: a request is a method of an MCP server.
 *
 * Settings of the connection: `server`, a program of tools.mcp.stdio; or `url`, `headers`; who it
 * is: the secret `token`, or `client_id`, `token_url`, `scopes` with the secret `client_secret`;
 * `input`, whether a person may be asked what the server wants to know (mcp_inquiry.h).
 * The answer's body is the result, or {error: …} of JSON-RPC; its status is that of HTTP.
 * `outputSchema` among the request's `params` is not sent: `structuredContent` is checked against
 * it, and in the place of a result with one that differs stands {mismatch: what and where}.
 */
#ifndef TOOL_ADAPTER_MCP_ENGINE_H
#define TOOL_ADAPTER_MCP_ENGINE_H

#include "tool-adapter/connections/engine.h"
#include "tool-adapter/peers/mcp_client.h"
#include "tool-adapter/peers/mcp_stdio.h"

/** All borrowed. */
struct mcp_means {
    struct mcp_client *client;
    struct mcp_stdio *stdio;
};

struct engine mcp_engine(const struct mcp_means *means);

#endif
