/**
 * tools: the operations of the API that agents get as tools (tools.yaml): their names, schemas, and
 * how arguments become a request.
 *
 * Read once, with the first call; immutable afterwards.
 */
#ifndef GATEWAY_MCP_TOOLS_H
#define GATEWAY_MCP_TOOLS_H

#include "gateway/api/api_inner.h"

struct mcp_tools;
struct mcp_tool;

/** Reads the compiled-in file. Owned: mcp_tools_freep(). INTERNAL: it is broken, or names an
 * operation that the contract has not; a unit test reads it. */
status mcp_tools_read(const struct contract *contract, struct mcp_tools **ret_tools,
                      struct error *reterr);
void mcp_tools_freep(struct mcp_tools **tools);

/** NULL: there is none. */
const struct mcp_tool *mcp_tools_find(const struct mcp_tools *tools, str name);

/** Writes all of them as items of the array under way. `prefix`: of workflows as tools, which their
 * descriptions name. */
void mcp_tools_print(const struct mcp_tools *tools, const char *prefix, struct json_writer *w);

/** A tool as MCP describes it: all texts are views. `schema` is JSON; empty: takes anything. */
struct mcp_description {
    str name, title, description, schema, hints;
};
void mcp_description_print(const struct mcp_description *description, struct json_writer *w);

/**
 * The request for `arguments` (an object or JSON_INVALID), whose texts live as long as the call.
 * INVALID_ARGUMENT names the argument by JSON pointer.
 */
status mcp_tool_request(const struct mcp_tool *tool, struct api_call *call, json arguments,
                        struct api_inner *ret_inner, struct error *reterr);

#endif
