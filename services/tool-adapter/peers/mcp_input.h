/**
 * mcp_input: what an MCP server asks a person in the middle of a call (elicitation), as an approval
 * shows it, and what the person said, as the server wants to hear it.
 *
 * Requests are a map of names, which the server chose, to {method: "elicitation/create", params}.
 * There are two modes: a form, whose schema is flat (texts, numbers, truth values, choices), and
 * an address that the person is to open. What is no such thing is refused, with what it is instead.
 *
 * The words of a server are a stranger's. Schemas are built anew from the keywords that forms may
 * have; texts for people are cut, and characters that control a screen or turn the direction of
 * writing are left out; names and choices that hold such characters are refused. An address is of
 * http or https and shown as a whole; nothing here opens it.
 *
 * Defaults of a form stand in for what was left out of its answer (SEP-1034).
 *
 * Source: modelcontextprotocol.io, specification 2026-07-28 and 2025-11-25, "Elicitation"; for maps
 * of requests 2026-07-28, "Multi Round-Trip Requests". Pure.
 */
#ifndef TOOL_ADAPTER_MCP_INPUT_H
#define TOOL_ADAPTER_MCP_INPUT_H

#include "base/buf.h"
#include "base/status.h"
#include "json/json.h"

enum {
    MCP_INPUTS_MAX        = 8, /* requests at a time */
    MCP_INPUT_FIELDS_MAX  = 64,
    MCP_INPUT_CHOICES_MAX = 200,   /* of a field */
    MCP_INPUT_NAME_MAX    = 100,   /* bytes: of a field, of a request */
    MCP_INPUT_CHOICE_MAX  = 500,   /* bytes */
    MCP_INPUT_LABEL_MAX   = 1'000, /* bytes of a title or description; what is longer is cut */
    MCP_INPUT_MESSAGE_MAX = 4'000, /* bytes; likewise */
    MCP_INPUT_URL_MAX     = 2'000, /* bytes */
};

/** Who asks, for people. */
struct mcp_asker {
    str server; /* connection, address or program */
    str tool;   /* or prompt or resource; empty: none */
};

/** `*ret_question` is {title, payload: {server, tool?, ...}, form}, owned. The payload of a single
 * request is {message, mode, url?, host?, warning?} besides; of several it has `requests`, an array
 * of these with their `name`, and the form asks for an object of answers by name. INVALID_ARGUMENT:
 * it cannot be asked. */
status mcp_input_question(json requests, const struct mcp_asker *asker, json *ret_question,
                          struct error *reterr);

/** `answer` is {approved, data}: data as the form asked, or of a refusal {action}. `*ret_responses`
 * has {action, content?} by the names of the requests, owned. INVALID_ARGUMENT: the answer does not
 * fit, or it cannot be asked. */
status mcp_input_responses(json requests, json answer, json *ret_responses, struct error *reterr);

/** Of a result `input_required`: {requests, state?}, owned, and what is asked in a sentence. */
json mcp_input_asked_new(json result, struct error *ret_why);

#endif
