#include "llm-proxy/llm_reply.h"

#include "base/assert.h"
#include "base/money.h"

#include <stdio.h>
#include <string.h>

int llm_reply_http(const struct llm_error *error)
{
    switch (error->class) {
    case LLM_ERROR_CONNECT:
    case LLM_ERROR_SERVER: return 502;
    case LLM_ERROR_TIMEOUT: return 504;
    case LLM_ERROR_BREAKER:
    case LLM_ERROR_OVERLOADED: return 503;
    case LLM_ERROR_LIMIT:
    case LLM_ERROR_RATE_LIMITED:
    case LLM_ERROR_QUOTA: return 429;
    case LLM_ERROR_BUDGET: return error->http_status > 0 ? (int)error->http_status : 429;
    case LLM_ERROR_KEY: return 502; /* our key, not the caller's */
    case LLM_ERROR_REQUEST: return error->http_status >= 400 ? (int)error->http_status : 400;
    case LLM_ERROR_CONVERSION: return 422;
    case LLM_ERROR_CLASS_COUNT: break;
    }
    return 502;
}

const char *llm_reply_code(int http)
{
    switch (http) {
    case 402: return "price_unknown";
    case 404: return "model_not_found";
    case 429: return "rate_limited";
    case 502: return "upstream_error";
    case 503: return "overloaded";
    case 504: return "upstream_timeout";
    default: return "invalid_request";
    }
}

const char *llm_reply_error_code(const struct llm_error *error)
{
    int http = llm_reply_http(error);
    if (error->class == LLM_ERROR_BREAKER) return "breaker_open";
    if (error->class == LLM_ERROR_CONVERSION) return "conversion_loss";
    if (error->class == LLM_ERROR_TIMEOUT) return llm_timeout_name(error->timeout);
    return error->class == LLM_ERROR_BUDGET && http == 429 ? "budget_exceeded"
                                                           : llm_reply_code(http);
}

static void add_header(struct llm_reply_head *head, const char *name, const char *value)
{
    ASSERT(head->count < LLM_REPLY_HEADERS_MAX);
    Pb__LlmHeader *header = &head->items[head->count];
    pb__llm_header__init(header);
    header->name              = name;
    header->value             = value;
    head->list[head->count++] = header;
}

static void add_losses(struct llm_reply_head *head, const struct losses *losses)
{
    if (!losses || losses->count == 0) return;
    CLEANUP(buf_done) struct buf paths = buf_init(sizeof head->loss - 1);
    losses_print_paths(losses, sizeof head->loss - 1, &paths);
    (void)snprintf(head->loss, sizeof head->loss, "%s", buf_str(&paths).ptr);
    add_header(head, "Tutti-Loss", head->loss);
}

static void begin_head(struct llm_reply_head *head, uint32_t tries, const char *provider,
                       bool is_simulated)
{
    *head = (struct llm_reply_head){.cost = buf_init(MONEY_TEXT_MAX)};
    (void)snprintf(head->tries, sizeof head->tries, "%u", tries);
    add_header(head, "Tutti-Attempts", head->tries);
    if (*provider) add_header(head, "Tutti-Provider", provider);
    if (is_simulated) add_header(head, "Tutti-Simulated", "true");
}

void llm_reply_fill_stream_head(struct llm_reply_head *head, const struct llm_try *shown,
                                const char *content_type)
{
    begin_head(head, shown->number, shown->provider, shown->is_simulated);
    add_header(head, "content-type", content_type);
    add_losses(head, shown->losses);
}

void llm_reply_fill_head(struct llm_reply_head *head, const struct llm_outcome *outcome)
{
    begin_head(head, outcome->tries, outcome->provider, outcome->is_simulated);
    if (outcome->is_ok) add_losses(head, outcome->losses);
    if (outcome->is_ok) {
        bool is_unknown = outcome->usage.cost_source == PB__COST_SOURCE__COST_SOURCE_UNKNOWN;
        (void)money_print(outcome->usage.cost_usd_nanos, &head->cost);
        add_header(head, "Tutti-Cost-Usd", is_unknown ? "unknown" : head->cost.ptr);
    } else if (outcome->error.retry_after_ms > 0) {
        (void)snprintf(head->retry_after, sizeof head->retry_after, "%lld",
                       (long long)(outcome->error.retry_after_ms + 999) / 1000);
        add_header(head, "Retry-After", head->retry_after);
    }
}
