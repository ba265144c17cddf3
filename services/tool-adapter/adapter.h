/** adapter: the parts of a running tool-adapter, started and stopped in order. */
#ifndef TOOL_ADAPTER_ADAPTER_H
#define TOOL_ADAPTER_ADAPTER_H

#include "base/status.h"
#include "tool-adapter/config.h"

struct adapter;

/** Works from now on. Owned: adapter_stopp(). `config` is what `options` come from, borrowed for
 * the call; what is wrong with its connections is written to standard error: INVALID_ARGUMENT. */
status adapter_start(const struct options *options, const struct config *config,
                     struct adapter **ret_adapter, struct error *reterr);

/** Leases no more, waits for what runs (options.drain_ms), frees. NULL is fine. */
void adapter_stopp(struct adapter **adapter);

#endif
