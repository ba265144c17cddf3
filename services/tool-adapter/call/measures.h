/** measures: the tool-adapter's metrics (docs/reference/metrics.md). */
#ifndef TOOL_ADAPTER_MEASURES_H
#define TOOL_ADAPTER_MEASURES_H

#include "telemetry/metrics.h"
#include "tool-adapter/call/call_cache.h"

#include <stdint.h>

struct measures;

struct measures *measures_new(struct metrics *metrics); /* owned */
void measures_freep(struct measures **measures);

void measures_call(struct measures *measures, const char *tool, const char *outcome,
                   int64_t duration_ms);

/** What has come of the cache since it was told last. The loop's thread. */
void measures_cache(struct measures *measures, const struct call_cache *cache);

#endif
