#include "llm-proxy/measures.h"

#include "base/log.h"
#include "base/mem.h"
#include "llm-proxy/call.h"

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
static const struct metric_spec cancelled_spec = {.name = "tutti_llm_cancelled_total",
                                                  .help = "Calls given up by their caller.",
                                                  .kind = METRIC_COUNTER};
static const struct metric_spec simulated_spec = {.name = "tutti_llm_simulated_total",
                                                  .help =
                                                      "Answers the simulated provider has made up.",
                                                  .kind = METRIC_COUNTER};

struct measures {
    struct metric *requests, *durations, *tokens, *cost, *unpriced, *tries;
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
    measures->cancelled       = metric_series(metric_add(metrics, &cancelled_spec), NULL);
    measures->simulated       = metric_series(metric_add(metrics, &simulated_spec), NULL);
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

void measures_call(struct measures *measures, const struct llm_outcome *outcome)
{
    str provider       = str_from(outcome->provider);
    const str values[] = {provider, outcome->model, str_from("chat"),
                          str_from(outcome->is_ok ? "ok" : "error")};
    series_inc(metric_series(measures->requests, values));
    series_observe(metric_series(measures->durations, values), (double)outcome->duration_ms / 1000);
    if (!outcome->is_ok) return;
    add_tokens(measures, provider, outcome->model, "input", outcome->usage.input_tokens);
    add_tokens(measures, provider, outcome->model, "output", outcome->usage.output_tokens);
    if (outcome->usage.cost_source == PB__COST_SOURCE__COST_SOURCE_UNKNOWN) {
        series_inc(metric_series(measures->unpriced, values));
        log_write(LOG_WARN, "llm.unpriced", LOG_STR("provider", provider),
                  LOG_STR("model", outcome->model));
    } else if (outcome->usage.cost_usd_nanos > 0) {
        series_add(metric_series(measures->cost, values),
                   (double)outcome->usage.cost_usd_nanos / 1e9);
    }
}

void measures_try(struct measures *measures, const char *provider, const char *outcome)
{
    const str values[] = {str_from(provider), str_from(outcome)};
    series_inc(metric_series(measures->tries, values));
}

void measures_cancelled(struct measures *measures)
{
    series_inc(measures->cancelled);
}

void measures_simulated(struct measures *measures)
{
    series_inc(measures->simulated);
}
