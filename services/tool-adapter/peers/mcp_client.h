/**
 * mcp_client: calls of servers of the Model Context Protocol over streamable HTTP.
 *
 * Speaks 2026-07-28, where each request stands for itself, and 2025-11-25, 2025-06-18 and
 * 2025-03-26, where a client introduces itself and may be given a session. Which era a server is
 * of: it is asked in the newer one, and introduced to if it refuses that with a 4xx that the newer
 * one does not have; what was found is remembered per origin. A session lasts for one call, or is
 * that of its owner (mcp_session.h); one that the server has forgotten is opened anew, once.
 *
 * Answers come as JSON or as a stream. Of a stream of the older era that is cut before the answer
 * the rest is asked for (Last-Event-ID). Lists are followed over their pages. What a server asks of
 * us on its stream is answered: a ping is, and all else is refused, as we said we can do nothing.
 * Arguments that a tool's schema wants in headers are put there; the schema is asked for when a
 * server misses them.
 *
 * A server of the newer era that asks for input ends the call: what it asks is in the result, and
 * the caller makes the call again with what was said. One of the older era asks while it is called:
 * it is answered at once, or hears `cancel`, and the call has failed when it ends (mcp_wanted.h).
 * It may ask on the stream of the answer, or on one of its own, which is open while it is called.
 *
 * Every request passes the egress guard. Nothing is repeated that may have been done. What a server
 * says is data of a stranger: limits of rpc_reply.h.
 *
 * Threads: belongs to the loop of its HTTP client.
 */
#ifndef TOOL_ADAPTER_MCP_CLIENT_H
#define TOOL_ADAPTER_MCP_CLIENT_H

#include "http/http.h"
#include "tool-adapter/authorization/tokens.h"
#include "json/json.h"

enum {
    MCP_ERAS_MAX        = 1'000,   /* origins whose era is remembered */
    MCP_SESSIONS_MAX    = 1'000,   /* that are shared */
    MCP_SESSION_IDLE_MS = 300'000, /* after its last call it is given back */
    MCP_POLICIES_MAX    = 1'000,   /* clients whose authorization server is known */
    MCP_DISCOVERY_MS    = 10'000,
    MCP_FAREWELL_MS     = 2'000,
    MCP_ANSWER_MAX      = 10 << 20,
    MCP_RESUMES_MAX     = 5,     /* of one call */
    MCP_ASIDES_MAX      = 1'000, /* answers and farewells under way; what is more is dropped */
    MCP_ASIDES_EACH     = 64,    /* of one origin: who answers none of them holds up nobody else */
    MCP_ASIDE_MS        = 10'000,
    MCP_SAID_MAX        = 500, /* bytes of a message about progress, and of one for the log */
};

struct mcp_client;
struct mcp_call;

struct mcp_client *mcp_client_new(struct http_client *http, struct loop *loop,
                                  struct tokens *tokens); /* borrowed; owned */
void mcp_client_freep(struct mcp_client **client);        /* calls end before */

/** Sessions are given back, as soon as nobody uses them, and none is kept from now on. Returns how
 * many farewells are under way: while the loop runs, until it is 0, or one has no time. */
size_t mcp_client_leave(struct mcp_client *client);

/** All borrowed until `done` or cancel, but for the values. */
struct mcp_request {
    json endpoint;          /* {uri, authentication?} */
    json client;            /* of OAuth 2, {id, secret, scopes?, issuer?}, in place of
                             * `authentication`: the server says where its tokens come from, of
                             * `issuer` if that is given. JSON_INVALID: none */
    json headers;           /* a map of more headers; JSON_INVALID: none */
    str version;            /* revision to be spoken, and no other; empty: whichever it knows */
    str name, name_version; /* whom we say we are; empty: tutti */
    str traceparent;        /* W3C trace context of who asks; empty: none */
    const char *method;     /* "tools/call" */
    json params;            /* JSON_INVALID: none */
    bool asks;         /* a person can be asked for input: a server of the newer era is told so */
    bool answers;      /* likewise of the older one, where a server asks while it is called */
    json input;        /* what was said to what it asked before: {responses, state?, round}, the
                        * first round being 1; JSON_INVALID: it has not asked */
    json schema;       /* the input schema of the tool that is called; JSON_INVALID: not known */
    str owner;         /* whose calls share a session; empty: it has one of its own */
    int64_t until_ms;  /* on clock_mono_ms() */
    size_t answer_max; /* bytes of a message; 0: MCP_ANSWER_MAX */
    str proxy;         /* as of http.h; empty: none */
    bool keeps_private_out; /* not even those that the egress rules open */
};

struct mcp_result {
    status code;      /* OK: it was answered: `result` or `error` */
    json result;      /* views for the callback; all pages of a list */
    json error;       /* JSON-RPC's {code, message, data?} */
    json asked;       /* FAILED_PRECONDITION: it asks for input, {requests, state?, replay?}; else
                       * JSON_INVALID. `replay`: it was called, and heard `cancel` */
    int http_status;  /* of the last answer; 0: there was none */
    int64_t wait_ms;  /* it said when to come back; 0: it did not */
    bool was_sent;    /* of a failure: the other side may have acted */
    struct error why; /* without paths, queries, values */
    str token;        /* that it proved itself with, for masks; empty: none */
};

struct mcp_handlers {
    /* How far the server says it is: {progress, total?, message?}, a view; `progress` only grows.
     * Optional. */
    void (*progress)(json said, void *context);
    /* A server of the older era asks for input, by a form {message, requestedSchema} or an address
     * {message, mode: "url", url}, a view: returns the response, owned; JSON_INVALID: there is none
     * yet, so it hears `cancel`, and what it asks is in the result. Optional: there is never one.
     */
    json (*answer)(json params, void *context);
    /* Exactly once, last, unless cancelled; the call is gone when it returns. May come from inside
     * mcp_call_start(). */
    void (*done)(const struct mcp_result *result, void *context);
    void *context;
};

/** NULL: it is over already. */
struct mcp_call *mcp_call_start(struct mcp_client *client, const struct mcp_request *request,
                                const struct mcp_handlers *handlers);

/** The server is told, where its era has words for it. */
void mcp_call_cancel(struct mcp_call *call);

#endif
