/**
 * mcp_stdio: calls of MCP servers that are programs on this machine, over their standard input and
 * output: those of `tools.mcp.stdio`, and no others (stdio_servers.h).
 *
 * A process serves one owner: a connection, or the workflows of one namespace; calls that answer
 * what a server of the older era asks have another one, which is sent one call at a time, as nobody
 * could say which call it asks for, and which is stopped when that is given up. It is started for
 * the first call, kept, and shared by calls, whose answers are told apart by their ids; stopped
 * when nobody needed it for `idle`, and at the end; started anew after it died, after a rest that
 * grows from STDIO_REST_MS to STDIO_REST_MAX_MS while it answers nothing. Calls that it had been
 * sent fail then; those it had not wait, but fail when it dies before it is ready.
 *
 * Which era it is of: `server/discover` is sent first. Unless it is answered in words of the newer
 * era, or with nothing for STDIO_PROBE_MS, the older one's introduction follows. What was found
 * holds for the processes after it. A call that is cancelled, or whose time is over, is told to the
 * server as `notifications/cancelled`.
 *
 * What the server says to people is logged, STDIO_LINES_MAX lines a minute. A message that breaks a
 * limit of line_frames.h ends the process.
 *
 * Threads: belongs to the loop.
 */
#ifndef TOOL_ADAPTER_MCP_STDIO_H
#define TOOL_ADAPTER_MCP_STDIO_H

#include "loop/loop.h"
#include "tool-adapter/peers/mcp_client.h"
#include "tool-adapter/peers/stdio_servers.h"

enum {
    STDIO_PROCESSES_MAX = 64,
    STDIO_CALLS_MAX     = 1'000, /* of one process, waiting or sent */
    STDIO_PROBE_MS      = 5'000,
    STDIO_INTRODUCE_MS  = 30'000,
    STDIO_REST_MS       = 250,
    STDIO_REST_MAX_MS   = 30'000,
    STDIO_LINE_MAX      = 400, /* bytes of a line in the log */
    STDIO_LINES_MAX     = 60,  /* a minute */
    STDIO_LINES_SPAN_MS = 60'000,
    STDIO_UNREAD_MAX    = 64 << 20, /* bytes that wait for it to read them */
};

struct mcp_stdio;
struct mcp_stdio_call;

/** Both borrowed. Owned: mcp_stdio_freep(). */
struct mcp_stdio *mcp_stdio_new(const struct stdio_servers *servers, struct loop *loop);

/** Stops what runs: SIGTERM, and SIGKILL for what is left after CHILD_STOP_MS, for which it waits.
 * After the loop was joined; no call is under way. */
void mcp_stdio_freep(struct mcp_stdio **stdio);

struct mcp_stdio_request {
    str server;     /* of the list: its name, or its command */
    json arguments; /* which that must have; JSON_INVALID: any */
    str owner;      /* the connection; empty: workflows of the namespace */
    str namespace;
    /* As of calls over HTTP; what is of HTTP alone is passed over. Borrowed until the end. */
    struct mcp_request call;
};

/** `done` comes exactly once, never from inside, unless cancelled. `http_status` is 200 if there is
 * an answer. FAILED_PRECONDITION: it is not on the list; PERMISSION_DENIED: not for this namespace;
 * RESOURCE_EXHAUSTED: of processes, of calls. */
status mcp_stdio_start(struct mcp_stdio *stdio, const struct mcp_stdio_request *request,
                       const struct mcp_handlers *handlers, struct mcp_stdio_call **ret_call,
                       struct error *reterr);
void mcp_stdio_cancel(struct mcp_stdio_call *call);

#endif
