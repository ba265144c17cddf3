/** adapter: the parts of a running tool-adapter, started and stopped in order. */
#ifndef TOOL_ADAPTER_ADAPTER_H
#define TOOL_ADAPTER_ADAPTER_H

#include "base/status.h"
#include "tool-adapter/connections/config.h"

struct adapter;

/** Works from now on. Owned: adapter_stopp(). `config` is what `options` come from, borrowed for
 * the call; what is wrong with its connections is written to standard error: INVALID_ARGUMENT. */
status adapter_start(const struct options *options, const struct config *config,
                     struct adapter **ret_adapter, struct error *reterr);

/** Manifests and connections as `options` say now; calls under way keep theirs. With a mistake in
 * any of them (standard error or the log says which) all stays as it is. Both are borrowed for the
 * call. On the thread that started it. */
void adapter_reload(struct adapter *adapter, const struct options *options,
                    const struct config *config);

/** The same for a configuration that cannot be read at all, and why. */
void adapter_refuse_reload(struct adapter *adapter, const char *text);

/** Leases no more, waits for what runs (options.drain_ms), frees. NULL is fine. */
void adapter_stopp(struct adapter **adapter);

#endif
