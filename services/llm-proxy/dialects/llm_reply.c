#include "llm-proxy/dialects/llm_reply.h"

#include "base/assert.h"
#include "base/log.h"
#include "base/money.h"
#include "llm-proxy/call/call_log.h"
#include "llm-proxy/call/content_log.h"
#include "json/json_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ATTEMPTS_TEXT_MAX = 16'384 /* bytes, in the log */ };

int llm_reply_http(const struct llm_error *error)
{
    switch (error->class) {
    case LLM_ERROR_CONNECT:
    case LLM_ERROR_OUTPUT:
    case LLM_ERROR_SERVER: return 502;
    case LLM_ERROR_TIMEOUT: return 504;
    case LLM_ERROR_BREAKER:
    case LLM_ERROR_INTERRUPTED:
    case LLM_ERROR_OVERLOADED: return 503;
    case LLM_ERROR_LIMIT:
    case LLM_ERROR_RATE_LIMITED:
    case LLM_ERROR_QUOTA: return 429;
    case LLM_ERROR_BUDGET: return 402;
    case LLM_ERROR_RUN: return error->http_status == 409 ? 409 : 404;
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
    case 422: return "pii_blocked";
    case 409: return "idempotency_in_progress";
    case 410: return "stream_expired";
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
    if (error->class == LLM_ERROR_INTERRUPTED) return "interrupted";
    if (error->class == LLM_ERROR_CONVERSION) return "conversion_loss";
    if (error->class == LLM_ERROR_RUN) return http == 409 ? "run_finished" : "not_found";
    if (error->class == LLM_ERROR_OUTPUT) return "output_invalid";
    if (error->class == LLM_ERROR_TIMEOUT) return llm_timeout_name(error->timeout);
    /* One that needs a price says the status itself. */
    bool is_spent = error->class == LLM_ERROR_BUDGET && error->http_status == 0;
    return is_spent ? "budget_exceeded" : llm_reply_code(http);
}

bool llm_reply_should_retry(enum llm_error_class class)
{
    switch (class) {
    case LLM_ERROR_CONNECT:
    case LLM_ERROR_TIMEOUT:
    case LLM_ERROR_SERVER:
    case LLM_ERROR_OVERLOADED:
    case LLM_ERROR_RATE_LIMITED:
    case LLM_ERROR_BREAKER:
    case LLM_ERROR_LIMIT: return true;
    default: return false;
    }
}

void llm_reply_print_refusal(const struct dialect *dialect, int http, const struct error *cause,
                             struct buf *body)
{
    const char *code                 = cause->code ? cause->code : llm_reply_code(http);
    const struct dialect_error error = {
        .http = http, .code = code, .class = LLM_ERROR_REQUEST, .message = str_from(cause->text)};
    dialect->print_error(&error, body);
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

static void add_attempts(struct llm_reply_head *head, const struct llm_attempt *attempts)
{
    if (!attempts) return;
    CLEANUP(buf_done) struct buf text = buf_init(sizeof head->attempts - 1);
    attempts_print(attempts, sizeof head->attempts - 1, &text);
    (void)snprintf(head->attempts, sizeof head->attempts, "%s", buf_str(&text).ptr);
    add_header(head, "Tutti-Tries", head->attempts);
}

static void add_cached(struct llm_reply_head *head, enum llm_cached cached, int64_t age_ms)
{
    static const char *const words[] = {
        [CACHED_MISS] = "miss", [CACHED_HIT] = "hit", [CACHED_JOINED] = "joined"};
    if (cached == CACHED_NO) return;
    add_header(head, "Tutti-Cache", words[cached]);
    if (cached == CACHED_MISS) return;
    (void)snprintf(head->age, sizeof head->age, "%" PRId64, age_ms / 1'000);
    add_header(head, "Age", head->age);
}

/* Clients may have chosen the name: what is no word of ASCII is not said again. */
static void add_model(struct llm_reply_head *head, str model)
{
    bool is_word = model.len > 0 && model.len < sizeof head->model;
    for (size_t i = 0; i < model.len && is_word; i++) {
        is_word = model.ptr[i] > ' ' && model.ptr[i] <= '~';
    }
    if (!is_word) return;
    memcpy(head->model, model.ptr, model.len);
    head->model[model.len] = '\0';
    add_header(head, "Tutti-Model", head->model);
}

static void begin_head(struct llm_reply_head *head, uint32_t tries, const char *provider, str model,
                       bool is_simulated)
{
    *head = (struct llm_reply_head){.cost = buf_init(MONEY_TEXT_MAX)};
    (void)snprintf(head->tries, sizeof head->tries, "%u", tries);
    add_header(head, "Tutti-Attempts", head->tries);
    if (provider && *provider) add_header(head, "Tutti-Provider", provider);
    add_model(head, model);
    if (is_simulated) add_header(head, "Tutti-Simulated", "true");
}

void llm_reply_fill_stream_head(struct llm_reply_head *head, const struct llm_try *shown,
                                const char *content_type)
{
    begin_head(head, shown->number, shown->provider, shown->model, shown->is_simulated);
    add_header(head, "content-type", content_type);
    add_losses(head, shown->losses);
    add_attempts(head, shown->attempts);
    add_cached(head, shown->cached, shown->age_ms);
}

void llm_reply_fill_head(struct llm_reply_head *head, const struct llm_outcome *outcome)
{
    begin_head(head, outcome->tries, outcome->provider, outcome->model, outcome->is_simulated);
    if (outcome->is_ok && outcome->is_estimated) add_header(head, "Tutti-Estimated", "true");
    if (outcome->is_ok) add_losses(head, outcome->losses);
    add_attempts(head, outcome->attempts);
    add_cached(head, outcome->cached, outcome->age_ms);
    if (outcome->is_ok) {
        bool is_unknown = outcome->usage.cost_source == PB__COST_SOURCE__COST_SOURCE_UNKNOWN;
        (void)money_print(outcome->usage.cost_usd_nanos, &head->cost);
        add_header(head, "Tutti-Cost-Usd", is_unknown ? "unknown" : head->cost.ptr);
        return;
    }
    bool may_come_again = llm_reply_should_retry(outcome->error.class);
    add_header(head, "x-should-retry", may_come_again ? "true" : "false");
    if (outcome->error.retry_after_ms <= 0) return;
    (void)snprintf(head->retry_after, sizeof head->retry_after, "%lld",
                   (long long)(outcome->error.retry_after_ms + 999) / 1000);
    (void)snprintf(head->retry_after_ms, sizeof head->retry_after_ms, "%lld",
                   (long long)outcome->error.retry_after_ms);
    add_header(head, "Retry-After", head->retry_after);
    add_header(head, "retry-after-ms", head->retry_after_ms);
}

/* Whom it has asked, where the first one did not do. */
static void log_attempts(const struct llm_outcome *outcome, const struct chat_request *request,
                         const char *namespace)
{
    if (!outcome->attempts) return;
    CLEANUP(json_unrefp) json attempts = attempts_value_new(outcome->attempts);
    CLEANUP(buf_done) struct buf text  = buf_init(ATTEMPTS_TEXT_MAX);
    if (!json_is(attempts, JSON_INVALID)) (void)json_print(attempts, JSON_COMPACT, &text);
    log_write(LOG_INFO, "llm.tries", LOG_TEXT_OF("namespace", namespace),
              LOG_STR("model", request->model), LOG_STR("attempts", buf_str(&text)));
}

static const char *operation_of(const struct chat_request *request)
{
    if (request->is_count) return "count";
    if (request->input_count > 0) return "embeddings";
    return request->is_stream ? "stream" : "chat";
}

static void fill_ids(const struct chat_request *request, const struct llm_reply_caller *caller,
                     struct log_field ret_ids[static CALL_LOG_IDS])
{
    ret_ids[0] = LOG_TEXT_OF("namespace", caller->namespace);
    ret_ids[1] = LOG_TEXT_OF("key", caller->key);
    ret_ids[2] = LOG_TEXT_OF("request_id", caller->request_id);
    ret_ids[3] = LOG_TEXT_OF("operation", operation_of(request));
    ret_ids[4] = LOG_TEXT_OF("run", caller->run);
}

void llm_reply_log_request(json body, const struct chat_request *request,
                           const struct llm_reply_caller *caller)
{
    struct log_field ids[CALL_LOG_IDS];
    fill_ids(request, caller, ids);
    content_log_request(body, ids);
}

void llm_reply_log_answer(const struct answer *answer, const struct chat_request *request,
                          const struct llm_reply_caller *caller)
{
    struct log_field ids[CALL_LOG_IDS];
    fill_ids(request, caller, ids);
    content_log_answer(answer, ids);
}

void llm_reply_log(const struct llm_outcome *outcome, const struct chat_request *request,
                   const struct llm_reply_caller *caller)
{
    struct log_field ids[CALL_LOG_IDS];
    fill_ids(request, caller, ids);
    if (log_is_written(LOG_INFO)) log_attempts(outcome, request, caller->namespace);
    call_log(outcome, request->model, ids);
}
