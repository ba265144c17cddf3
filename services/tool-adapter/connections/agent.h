/** agent: how those whose pages we read see who comes: one name for all, with an address to
 * complain to. Any thread. */
#ifndef TOOL_ADAPTER_AGENT_H
#define TOOL_ADAPTER_AGENT_H

#include "base/status.h"
#include "json/json.h"

enum { AGENT_SIZE = 300 /* bytes, with its NUL */ };

/** The User-Agent of a connection with these settings (`contact`). INVALID_ARGUMENT. */
status user_agent_read(json config, char ret_agent[AGENT_SIZE], struct error *reterr);

#endif
