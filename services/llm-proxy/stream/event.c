#include "llm-proxy/stream/event.h"

#include "base/assert.h"

bool llm_event_is_meaningful(const struct llm_event *event)
{
    switch (event->kind) {
    case LLM_TEXT:
    case LLM_REFUSAL:
    case LLM_THINKING: return event->bytes.len > 0;
    case LLM_VECTOR:
    case LLM_TOOL_START:
    case LLM_FINISH: return true;
    case LLM_CHUNK:
    case LLM_START:
    case LLM_OPAQUE:
    case LLM_TOOL_ARGS:
    case LLM_USAGE:
    case LLM_ERROR:
    case LLM_END: return false;
    }
    return false;
}

const char *llm_error_class_name(enum llm_error_class class)
{
    /* clang-format off */
    static const char *const names[LLM_ERROR_CLASS_COUNT] = {
        [LLM_ERROR_CONNECT]      = "connect",
        [LLM_ERROR_TIMEOUT]      = "timeout",
        [LLM_ERROR_SERVER]       = "server",
        [LLM_ERROR_OVERLOADED]   = "overloaded",
        [LLM_ERROR_RATE_LIMITED] = "rate_limited",
        [LLM_ERROR_QUOTA]        = "quota",
        [LLM_ERROR_KEY]          = "key",
        [LLM_ERROR_REQUEST]      = "request",
        [LLM_ERROR_BREAKER]      = "breaker",
        [LLM_ERROR_LIMIT]        = "limit",
        [LLM_ERROR_CONVERSION]   = "conversion",
        [LLM_ERROR_BUDGET]       = "budget",
        [LLM_ERROR_RUN]          = "run",
        [LLM_ERROR_OUTPUT]       = "output",
        [LLM_ERROR_INTERRUPTED]  = "interrupted",
    };
    /* clang-format on */
    ASSERT(class < LLM_ERROR_CLASS_COUNT);
    return names[class];
}

const char *llm_finish_name(enum llm_finish finish)
{
    switch (finish) {
    case FINISH_STOP: return "stop";
    case FINISH_LENGTH: return "length";
    case FINISH_TOOL_CALLS: return "tool_calls";
    case FINISH_FILTER: return "content_filter";
    }
    return "stop";
}

const char *llm_end_name(enum llm_end end)
{
    switch (end) {
    case END_COMPLETE: return "complete";
    case END_CUT: return "cut";
    case END_CANCELLED: return "cancelled";
    case END_BUDGET: return "budget";
    }
    return "cut";
}

const char *llm_timeout_name(enum llm_timeout timeout)
{
    static const char *const names[TIMEOUT_COUNT] = {
        [TIMEOUT_NONE]        = "timeout",
        [TIMEOUT_CONNECT]     = "timeout_connect",
        [TIMEOUT_FIRST_EVENT] = "timeout_first_event",
        [TIMEOUT_IDLE]        = "timeout_idle",
        [TIMEOUT_TOTAL]       = "timeout_total",
    };
    ASSERT(timeout < TIMEOUT_COUNT);
    return names[timeout];
}

enum llm_error_class llm_error_class_of(uint32_t http_status)
{
    switch (http_status) {
    case 0: return LLM_ERROR_CONNECT;
    case 401:
    case 403: return LLM_ERROR_KEY;
    case 408: return LLM_ERROR_SERVER;
    case 429: return LLM_ERROR_RATE_LIMITED;
    case 529: return LLM_ERROR_OVERLOADED;
    default: return http_status >= 500 ? LLM_ERROR_SERVER : LLM_ERROR_REQUEST;
    }
}

static void replace(int64_t *counter, int64_t value)
{
    if (value >= 0) *counter = value;
}

void llm_usage_merge(struct llm_usage *total, const struct llm_usage *more)
{
    replace(&total->input_tokens, more->input_tokens);
    replace(&total->output_tokens, more->output_tokens);
    replace(&total->cached_tokens, more->cached_tokens);
    replace(&total->cache_write_tokens, more->cache_write_tokens);
    replace(&total->cache_write_1h_tokens, more->cache_write_1h_tokens);
    replace(&total->reasoning_tokens, more->reasoning_tokens);
    replace(&total->input_audio_tokens, more->input_audio_tokens);
    replace(&total->output_audio_tokens, more->output_audio_tokens);
    replace(&total->cached_audio_tokens, more->cached_audio_tokens);
    replace(&total->searches, more->searches);
}
