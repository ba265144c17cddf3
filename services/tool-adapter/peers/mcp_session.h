/**
 * mcp_session: the session that a connection has with a server of the older era, which its calls
 * share.
 *
 * The first call introduces itself, and others wait until it has. Who is told that the server has
 * forgotten the session begins another one, for all. It is given back (DELETE) when nobody has used
 * it for MCP_SESSION_IDLE_MS, when it was forgotten, or at the end of the process.
 *
 * A call that answers questions has a session of its own: what the server asks beside the answers
 * (mcp_ear.h) could be any call's.
 *
 * Threads: the loop's. Limits: MCP_SESSIONS_MAX; a call above has a session of its own.
 */
#ifndef TOOL_ADAPTER_MCP_SESSION_H
#define TOOL_ADAPTER_MCP_SESSION_H

#include "tool-adapter/peers/mcp_internal.h"

enum mcp_joining {
    MCP_JOINING_OPENS, /* nobody has one yet, so this call opens it; or the session is its own */
    MCP_JOINING_WAITS, /* it goes on when it is open, or opens it in the place of another */
    MCP_JOINING_HAS,   /* it is open, and the call's */
};

/** A call of the older era begins. */
enum mcp_joining mcp_session_join(struct mcp_call *call);

/** The call that opens it has introduced itself. */
void mcp_session_open(struct mcp_call *call);

/** The server does not know it any more. */
void mcp_session_lose(struct mcp_call *call);

/** Says whether nobody else uses it: it is not shared, or not open yet. */
bool mcp_session_is_own(const struct mcp_call *call);

/** Says whether the call uses one that another call has opened. */
bool mcp_session_is_shared(const struct mcp_call *call);

/** The call is over. */
void mcp_session_leave(struct mcp_call *call);

/** Gives back those that nobody uses. */
void mcp_sessions_end(struct mcp_client *client);

/** Forgets all; no call is under way. */
void mcp_sessions_forget(struct mcp_client *client);

#endif
