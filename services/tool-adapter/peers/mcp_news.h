/**
 * mcp_news: what a server tells while a call is under way: how far it is, and what it notes.
 *
 * Both are a stranger's words: cut, and good for nothing but to be looked at.
 */
#ifndef TOOL_ADAPTER_MCP_NEWS_H
#define TOOL_ADAPTER_MCP_NEWS_H

#include "json/json.h"

/** What a `notifications/progress` says of the request `id`, whose token that is: {progress,
 * total?, message?}, owned; JSON_INVALID: nothing new. `*last` is what was said before, -HUGE_VAL
 * at first: a number that does not grow is no news (2026-07-28 and 2025-11-25, "Progress": it MUST
 * increase).
 */
json mcp_news_progress(json params, int64_t id, double *last);

/** Notes a `notifications/message`, or that what an address was opened for is done
 * (`notifications/elicitation/complete`), at the level debug; of others nothing. */
void mcp_news_log(str method, json params);

#endif
