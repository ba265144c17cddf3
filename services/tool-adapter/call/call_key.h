/** call_key: equal calls of a connection have equal keys: by the function with its version, and the
 * parameters or what `cache.key` makes of them. Pure. */
#ifndef TOOL_ADAPTER_CALL_KEY_H
#define TOOL_ADAPTER_CALL_KEY_H

#include "tool-adapter/call/call_cache.h"
#include "tool-adapter/connections/toolbox.h"

/** Fails as `cache.key` does. */
status call_key_make(const struct tool *tool, json scope, struct call_key *ret_key,
                     struct error *reterr);

#endif
