/**
 * mcp_message: requests of the Model Context Protocol as they go out, in both eras.
 *
 * Up to 2025-11-25 a client introduces itself (`initialize`) and may be given a session. From
 * 2026-07-28 on every request says in `_meta` which revision it speaks and who asks, and headers
 * repeat method and name, and those arguments of a tool that its schema marks (`x-mcp-header`).
 *
 * Source: modelcontextprotocol.io, specification 2026-07-28 and 2025-11-25, "Transports". Pure.
 */
#ifndef TOOL_ADAPTER_MCP_MESSAGE_H
#define TOOL_ADAPTER_MCP_MESSAGE_H

#include "base/arena.h"
#include "http/http.h"
#include "json/json.h"

#define MCP_MODERN "2026-07-28"
#define MCP_LEGACY "2025-11-25"

enum {
    MCP_SESSION_MAX         = 256, /* bytes */
    MCP_HEADERS_MAX         = 100, /* that the caller may give */
    MCP_PARAM_HEADERS_MAX   = 16,
    MCP_HEADER_MISMATCH     = -32020,
    MCP_UNSUPPORTED_VERSION = -32022,
    MCP_METHOD_NOT_FOUND    = -32601,
    MCP_INVALID_PARAMS      = -32602,
};

/** Says whether `version` is one that is spoken here, and of which era. */
bool mcp_version_is_known(str version, bool *ret_is_modern);

/** What a person can be asked in the middle of a call (elicitation). */
enum mcp_offer {
    MCP_OFFERS_NOTHING,
    MCP_OFFERS_FORMS,
    MCP_OFFERS_ADDRESSES, /* and forms */
};

/** What can be offered in a revision (NULL: none is agreed upon), if somebody can be asked. */
enum mcp_offer mcp_offer_of(const char *version, bool asks);

struct mcp_outgoing {
    const char *method;
    int64_t id;  /* 0: a notification */
    json params; /* JSON_INVALID: none */
    bool is_modern;
    const char *version; /* NULL: not agreed upon yet */
    const char *session; /* empty: none */
    const char *last_id; /* GET of a stream that was cut, or (empty) of a new one; NULL: POST */
    str client_name, client_version;
    str traceparent; /* empty: none */
    bool asks;       /* a person can be asked for input: mcp_offer_of() */
    json schema;     /* of the tool that is called; JSON_INVALID: not known */
    json headers;    /* the caller's; JSON_INVALID: none */
};

/** The message as JSON text, in the arena. RESOURCE_EXHAUSTED. */
status mcp_body_make(const struct mcp_outgoing *outgoing, struct arena *arena, str *ret_body,
                     struct error *reterr);

/** Its headers, in the arena. INVALID_ARGUMENT: of the caller's; RESOURCE_EXHAUSTED. */
status mcp_headers_make(const struct mcp_outgoing *outgoing, struct arena *arena,
                        struct http_header **ret_headers, size_t *ret_count, struct error *reterr);

/** The params of a request that is made again (2026-07-28, "Multi Round-Trip Requests"): with these
 * responses and this state (JSON_INVALID: none), and with none of before. Takes `params`; owned. */
json mcp_params_again(json params, json responses, json state);

/** Says whether a tool can be called: marks in its schema that no header can carry out make it one
 * that cannot (2026-07-28, "Custom Headers"). */
bool mcp_tool_is_callable(json tool);

/** The name of the list in an answer of a method that has pages ("tools"); NULL: it has none. */
const char *mcp_list_of(const char *method);

#endif
