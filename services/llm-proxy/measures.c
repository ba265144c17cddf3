#include "llm-proxy/measures.h"

#include "base/log.h"
#include "base/mem.h"
#include "llm-proxy/call/call.h"

#include <stdlib.h>

static const struct metric_spec requests_spec = {
    .name   = "tutti_llm_requests_total",
    .help   = "Calls that ended.",
    .kind   = METRIC_COUNTER,
    .labels = {"provider", "model", "operation", "status"}};
static const struct metric_spec duration_spec = {
    .name    = "tutti_llm_request_duration_seconds",
    .help    = "From the start of a call to its end, tries included.",
    .kind    = METRIC_HISTOGRAM,
    .labels  = {"provider", "model"},
    .buckets = METRIC_BUCKETS_REQUEST};
static const struct metric_spec tokens_spec    = {.name   = "tutti_llm_tokens_total",
                                                  .help   = "Tokens of answers.",
                                                  .kind   = METRIC_COUNTER,
                                                  .labels = {"provider", "model", "type"}};
static const struct metric_spec cost_spec      = {.name   = "tutti_llm_cost_usd_total",
                                                  .help   = "Money spent, where prices are known.",
                                                  .kind   = METRIC_COUNTER,
                                                  .labels = {"provider", "model"}};
static const struct metric_spec unpriced_spec  = {.name   = "tutti_llm_unpriced_total",
                                                  .help   = "Answers of models without a price.",
                                                  .kind   = METRIC_COUNTER,
                                                  .labels = {"provider", "model"}};
static const struct metric_spec tries_spec     = {.name   = "tutti_llm_tries_total",
                                                  .help   = "Requests sent upstream.",
                                                  .kind   = METRIC_COUNTER,
                                                  .labels = {"provider", "outcome"}};
static const struct metric_spec cache_spec     = {.name   = "tutti_llm_cache_requests_total",
                                                  .help   = "Calls by where their answer is from.",
                                                  .kind   = METRIC_COUNTER,
                                                  .labels = {"result"}};
static const struct metric_spec saved_spec     = {.name   = "tutti_llm_saved_usd_total",
                                                  .help   = "Cost of what was not asked.",
                                                  .kind   = METRIC_COUNTER,
                                                  .labels = {"provider", "model"}};
static const struct metric_spec cancelled_spec = {.name = "tutti_llm_cancelled_total",
                                                  .help = "Calls given up by their caller.",
                                                  .kind = METRIC_COUNTER};
static const struct metric_spec losses_spec    = {.name   = "tutti_llm_losses_total",
                                                  .help   = "Members that a translation lost.",
                                                  .kind   = METRIC_COUNTER,
                                                  .labels = {"protocol"}};
static const struct metric_spec simulated_spec = {.name = "tutti_llm_simulated_total",
                                                  .help =
                                                      "Answers the simulated provider has made up.",
                                                  .kind = METRIC_COUNTER};

static const struct metric_spec repairs_spec  = {.name   = "tutti_llm_repairs_total",
                                                 .help   = "Answers to repairs of others.",
                                                 .kind   = METRIC_COUNTER,
                                                 .labels = {"result"}};
static const struct metric_spec timeouts_spec = {.name   = "tutti_llm_timeouts_total",
                                                 .help   = "Tries that took too long.",
                                                 .kind   = METRIC_COUNTER,
                                                 .labels = {"kind"}};
static const struct metric_spec first_spec    = {
       .name    = "tutti_llm_time_to_first_token_seconds",
       .help    = "Of streams: from the start of a call to the first meaningful event.",
       .kind    = METRIC_HISTOGRAM,
       .labels  = {"provider", "model"},
       .buckets = METRIC_BUCKETS_REQUEST};
static const struct metric_spec streams_spec = {
    .name = "tutti_llm_streams_open", .help = "Streams under way.", .kind = METRIC_GAUGE};
static const struct metric_spec lease_spec = {
    .name    = "tutti_llm_lease_wait_seconds",
    .help    = "How long tries that had to wait for a limit have waited.",
    .kind    = METRIC_HISTOGRAM,
    .labels  = {"provider"},
    .buckets = METRIC_BUCKETS_REQUEST};
static const struct metric_spec journal_spec = {.name = "tutti_llm_journal_bytes",
                                                .help = "Usage that is not counted, on the disk.",
                                                .kind = METRIC_GAUGE};

struct measures {
    struct metric *timeouts, *first, *repairs, *lease_waits;
    struct series *streams, *journal;
    struct metric *requests, *durations, *tokens, *cost, *unpriced, *tries, *cache, *saved, *losses;
    struct series *cancelled, *simulated;
};

struct measures *measures_new(struct metrics *metrics)
{
    struct measures *measures = mem_new(1, sizeof *measures);
    measures->requests        = metric_add(metrics, &requests_spec);
    measures->durations       = metric_add(metrics, &duration_spec);
    measures->tokens          = metric_add(metrics, &tokens_spec);
    measures->cost            = metric_add(metrics, &cost_spec);
    measures->unpriced        = metric_add(metrics, &unpriced_spec);
    measures->tries           = metric_add(metrics, &tries_spec);
    measures->cache           = metric_add(metrics, &cache_spec);
    measures->saved           = metric_add(metrics, &saved_spec);
    measures->losses          = metric_add(metrics, &losses_spec);
    measures->cancelled       = metric_series(metric_add(metrics, &cancelled_spec), NULL);
    measures->simulated       = metric_series(metric_add(metrics, &simulated_spec), NULL);
    measures->timeouts        = metric_add(metrics, &timeouts_spec);
    measures->first           = metric_add(metrics, &first_spec);
    measures->repairs         = metric_add(metrics, &repairs_spec);
    measures->streams         = metric_series(metric_add(metrics, &streams_spec), NULL);
    measures->lease_waits     = metric_add(metrics, &lease_spec);
    measures->journal         = metric_series(metric_add(metrics, &journal_spec), NULL);
    return measures;
}

void measures_freep(struct measures **measures)
{
    free(*measures);
    *measures = NULL;
}

static void add_tokens(struct measures *measures, str provider, str model, const char *type,
                       int64_t tokens)
{
    const str values[] = {provider, model, str_from(type)};
    if (tokens > 0) series_add(metric_series(measures->tokens, values), (double)tokens);
}

void measures_call(struct measures *measures, const struct llm_outcome *outcome,
                   const char *operation, const char *protocol)
{
    const str values[]  = {str_from(outcome->provider), outcome->model, str_from(operation),
                           str_from(outcome->is_ok ? "ok" : "error")};
    const str spoken[]  = {str_from(protocol)};
    uint32_t loss_count = outcome->losses ? outcome->losses->count : 0;
    if (loss_count > 0) series_add(metric_series(measures->losses, spoken), loss_count);
    series_inc(metric_series(measures->requests, values));
    series_observe(metric_series(measures->durations, values), (double)outcome->duration_ms / 1000);
    measures_cached(measures, (int)outcome->cached);
    measures_usage(measures, &outcome->usage);
}

void measures_cached(struct measures *measures, int cached)
{
    static const char *const words[] = {
        [CACHED_MISS] = "miss", [CACHED_HIT] = "hit", [CACHED_JOINED] = "joined"};
    if (cached == CACHED_NO) return;
    const str result[] = {str_from(words[cached])};
    series_inc(metric_series(measures->cache, result));
}

static void add_saved(struct measures *measures, const str *values, const Pb__Usage *usage)
{
    if (usage->saved_usd_nanos <= 0) return;
    series_add(metric_series(measures->saved, values), (double)usage->saved_usd_nanos / 1e9);
}

void measures_saved(struct measures *measures, const Pb__Usage *usage)
{
    const str values[] = {str_from(usage->provider), str_from(usage->model)};
    add_saved(measures, values, usage);
}

void measures_usage(struct measures *measures, const Pb__Usage *usage)
{
    if (usage->calls == 0) return; /* nobody has answered */
    str provider       = str_from(usage->provider);
    str model          = str_from(usage->model);
    const str values[] = {provider, model};
    add_saved(measures, values, usage);
    add_tokens(measures, provider, model, "input", usage->input_tokens);
    add_tokens(measures, provider, model, "output", usage->output_tokens);
    if (usage->cost_source == PB__COST_SOURCE__COST_SOURCE_UNKNOWN) {
        series_inc(metric_series(measures->unpriced, values));
    } else if (usage->cost_usd_nanos > 0) {
        series_add(metric_series(measures->cost, values), (double)usage->cost_usd_nanos / 1e9);
    }
}

void measures_timeout(struct measures *measures, enum llm_timeout timeout)
{
    static const char *const kinds[TIMEOUT_COUNT] = {"other", "connect", "first_event", "idle",
                                                     "total"};
    const str values[]                            = {str_from(kinds[timeout])};
    series_inc(metric_series(measures->timeouts, values));
}

void measures_repair(struct measures *measures, bool is_valid)
{
    const str values[] = {str_from(is_valid ? "valid" : "invalid")};
    series_inc(metric_series(measures->repairs, values));
}

void measures_first_token(struct measures *measures, const char *provider, str model,
                          int64_t after_ms)
{
    const str values[] = {str_from(provider), model};
    series_observe(metric_series(measures->first, values), (double)after_ms / 1000);
}

void measures_stream(struct measures *measures, int more)
{
    series_add(measures->streams, more);
}

void measures_try(struct measures *measures, const char *provider, const char *outcome)
{
    const str values[] = {str_from(provider), str_from(outcome)};
    series_inc(metric_series(measures->tries, values));
}

void measures_lease_wait(struct measures *measures, const char *provider, int64_t waited_ms)
{
    const str values[] = {str_from(provider)};
    series_observe(metric_series(measures->lease_waits, values), (double)waited_ms / 1000);
}

void measures_journal(struct measures *measures, size_t size)
{
    series_set(measures->journal, (double)size);
}

void measures_cancelled(struct measures *measures)
{
    series_inc(measures->cancelled);
}

void measures_simulated(struct measures *measures)
{
    series_inc(measures->simulated);
}
