/** measures: the llm-proxy's metrics (docs/reference/metrics.md). */
#ifndef LLM_PROXY_MEASURES_H
#define LLM_PROXY_MEASURES_H

#include "telemetry/metrics.h"

struct llm_outcome;
struct measures;

struct measures *measures_new(struct metrics *metrics); /* owned */
void measures_freep(struct measures **measures);

void measures_call(struct measures *measures, const struct llm_outcome *outcome);
void measures_try(struct measures *measures, const char *provider, const char *outcome);
void measures_cancelled(struct measures *measures);

/** One answer of the simulated provider: the upstream's own counter. */
void measures_simulated(struct measures *measures);

#endif
