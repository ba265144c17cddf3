/** measures: the llm-proxy's metrics (docs/reference/metrics.md). */
#ifndef LLM_PROXY_MEASURES_H
#define LLM_PROXY_MEASURES_H

#include "common.pb-c.h"
#include "llm-proxy/stream/event.h"
#include "telemetry/metrics.h"

struct llm_outcome;
struct measures;

struct measures *measures_new(struct metrics *metrics); /* owned */
void measures_freep(struct measures **measures);

/** `operation`: "chat", "embeddings" or "count"; `protocol`: its provider's. */
void measures_call(struct measures *measures, const struct llm_outcome *outcome,
                   const char *operation, const char *protocol);
void measures_try(struct measures *measures, const char *provider, const char *outcome);
/** Whether an answer from before has served it (enum llm_cached). */
void measures_cached(struct measures *measures, int cached);
/** What a request for embeddings did not have to pay. */
void measures_saved(struct measures *measures, const Pb__Usage *usage);
/** What a call has used that ended otherwise. */
void measures_usage(struct measures *measures, const Pb__Usage *usage);

void measures_timeout(struct measures *measures, enum llm_timeout timeout);
void measures_first_token(struct measures *measures, const char *provider, str model,
                          int64_t after_ms);

/** An answer has come whose ask said what was wrong with the one before. */
void measures_repair(struct measures *measures, bool is_valid);

/** A stream more (1), or one less (-1). */
void measures_stream(struct measures *measures, int more);

/** A try has waited for a limit of its provider, of one of its models or of a key, whether it was
 * let pass then or not. */
void measures_lease_wait(struct measures *measures, const char *provider, int64_t waited_ms);

/** Bytes of the usage journal. Any thread. */
void measures_journal(struct measures *measures, size_t size);

void measures_cancelled(struct measures *measures);

/** One answer of the simulated provider: the upstream's own counter. */
void measures_simulated(struct measures *measures);

#endif
