/**
 * message: one JSON-RPC message of the Model Context Protocol over HTTP, and what answers it.
 *
 * Two eras. Up to 2025-11-25 a client introduces itself (`initialize`); a session is optional, and
 * we have none. From 2026-07-28 on every request says in `_meta` which revision it speaks and what
 * its client can do, and headers repeat method and name so that proxies need not read bodies. Which
 * one a message is of: the header MCP-Protocol-Version, or its `_meta`.
 *
 * Errors are JSON-RPC's with the codes of the protocol. In the newer era the HTTP status says the
 * same; in the older one it is 200, once a message could be read.
 *
 * Source: modelcontextprotocol.io, specification 2026-07-28 and 2025-11-25, "Transports".
 */
#ifndef GATEWAY_MCP_MESSAGE_H
#define GATEWAY_MCP_MESSAGE_H

#include "gateway/api/api.h"

#define MCP_NEWEST        "2026-07-28"
#define MCP_NEWEST_LEGACY "2025-11-25"

/** All that are spoken, newest first; ends with NULL. */
extern const char *const mcp_versions[];

enum mcp_error {
    MCP_PARSE_ERROR         = -32700,
    MCP_INVALID_REQUEST     = -32600,
    MCP_METHOD_NOT_FOUND    = -32601,
    MCP_INVALID_PARAMS      = -32602,
    MCP_INTERNAL_ERROR      = -32603,
    MCP_HEADER_MISMATCH     = -32020,
    MCP_UNSUPPORTED_VERSION = -32022,
};

enum {
    MCP_BODY_MAX   = 1 << 20, /* bytes */
    MCP_ID_MAX     = 256,     /* bytes of an id as JSON */
    MCP_ANSWER_MAX = 32 << 20,
};

struct mcp_message {
    const char *id;     /* as JSON, in the call's arena; "null" where there is none */
    bool is_silent;     /* a notification, or a response: it is not answered */
    bool is_modern;     /* of 2026-07-28 and later */
    const char *method; /* in the arena */
    json params;        /* a view of the body; JSON_INVALID: none */
};

/** Reads `body` and what the headers say beside it. False: the call was answered with an error. */
bool mcp_message_read(struct api_call *call, json body, struct mcp_message *ret_message);

/** Begins a result: the object's members follow in `json`. */
void mcp_result_begin(struct api_answer *answer, struct api_call *call,
                      const struct mcp_message *message);
void mcp_result_send(struct api_answer *answer, const struct mcp_message *message);

/** A result that may be kept so long by its caller alone; to be said inside of it. */
void mcp_put_private(struct api_answer *answer, const struct mcp_message *message, int64_t ttl_ms);

PRINTF_LIKE(4, 5)
void mcp_fail(struct api_call *call, const struct mcp_message *message, enum mcp_error code,
              const char *format, ...);

#endif
