/**
 * mcp_pages: the pages of a list of MCP (tools, prompts, resources, templates) as one list.
 *
 * Who asks with a cursor of its own gets that page alone. Pure.
 */
#ifndef TOOL_ADAPTER_MCP_PAGES_H
#define TOOL_ADAPTER_MCP_PAGES_H

#include "json/json.h"

enum {
    MCP_PAGES_MAX = 50,
    MCP_ITEMS_MAX = 10'000, /* over all pages */
};

#define MCP_PAGES_TOO_MANY "the list has more than 50 pages or 10,000 items: ask with a cursor"

/** Begin with zeros; mcp_pages_done(). */
struct mcp_pages {
    json items;
    unsigned count;
};

enum mcp_page {
    MCP_PAGE_LAST, /* there is no further one: mcp_pages_whole() */
    MCP_PAGE_NEXT, /* ask again, with the cursor */
    MCP_PAGE_TOO_MANY,
};

/** Takes a result of `method`, asked with `params`; `*ret_cursor` is a view of it. */
enum mcp_page mcp_pages_turn(struct mcp_pages *pages, const char *method, json params, json result,
                             json *ret_cursor);

/** The last result with the items of all pages, and without what is of the protocol alone. Owned.
 */
json mcp_pages_whole(const struct mcp_pages *pages, const char *method, json result);

void mcp_pages_done(struct mcp_pages *pages);

#endif
