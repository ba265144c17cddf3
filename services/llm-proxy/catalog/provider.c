#include "llm-proxy/catalog/provider.h"

#include "base/attr.h"

#include <string.h>

enum { RETRY_AFTER_MS_MAX = 86'400'000 };

static const struct provider_kind *const kinds[] = {&provider_openai, &provider_compatible,
                                                    &provider_anthropic, &provider_gemini,
                                                    &provider_simulated};

/*
 * vLLM passes over `parallel_tool_calls` and `user` (its page "OpenAI-Compatible Server"). Azure:
 * learn.microsoft.com, "Azure OpenAI REST API reference": the header api-key, and below
 * /openai/deployments/{deployment-id}/ a date in the query; its newer addresses, below /openai/v1/,
 * are as OpenAI's own. The others are as the protocol has it.
 */
static const struct provider_flavor flavors[] = {
    {.name = "generic", .words = FLAVOR_COMPATIBLE},
    {.name = "vllm", .words = FLAVOR_COMPATIBLE, .ignores_user = "vLLM passes it over"},
    {.name = "llamacpp", .words = FLAVOR_COMPATIBLE},
    {.name = "ollama", .words = FLAVOR_COMPATIBLE},
    {.name = "openrouter", .words = FLAVOR_COMPATIBLE},
    {.name = "azure", .words = FLAVOR_OPENAI, .key_header = "api-key", .has_deployments = true},
};

const struct provider_flavor *provider_flavor_of(str name)
{
    for (size_t i = 0; i < ARRAY_LEN(flavors); i++) {
        if (str_is(name, flavors[i].name)) return &flavors[i];
    }
    return NULL;
}

/* "2024-10-21", "2025-04-01-preview": it goes into an address. */
bool provider_takes_version(const struct provider *provider)
{
    static const char safe[] = "0123456789abcdefghijklmnopqrstuvwxyz-";
    size_t length            = strlen(provider->api_version);
    bool is_date             = strspn(provider->api_version, safe) == length;
    return provider->flavor && provider->flavor->has_deployments && is_date && length > 0;
}

const struct provider_kind *provider_kind_of(str name)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (str_is(name, kinds[i]->name)) return kinds[i];
    }
    return NULL;
}

static int64_t parse_number(str text)
{
    int64_t value = 0;
    size_t i      = 0;
    for (; i < text.len && i < 9 && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++) {
        value = value * 10 + (text.ptr[i] - '0');
    }
    return i > 0 ? value : -1;
}

/* retry-after-ms wins, since it is the finer one. A date is not worth reading: seconds are what
 * these services send. */
int64_t provider_retry_after_ms(const struct http_answer *answer)
{
    str value  = {};
    int64_t ms = -1;
    if (http_answer_header(answer, "retry-after-ms", &value)) ms = parse_number(value);
    if (ms < 0 && http_answer_header(answer, "retry-after", &value)) {
        ms = parse_number(value);
        if (ms > 0) ms *= 1000;
    }
    if (ms < 0) return 0;
    return ms < RETRY_AFTER_MS_MAX ? ms : RETRY_AFTER_MS_MAX;
}

struct llm_error provider_transfer_error(const struct http_result *result)
{
    struct llm_error error = {.class = LLM_ERROR_CONNECT, .text = str_from(result->error.text)};
    switch (result->failure) {
    case HTTP_TIMEOUT_CONNECT: error.timeout = TIMEOUT_CONNECT; break;
    case HTTP_TIMEOUT_FIRST_BYTE: error.timeout = TIMEOUT_FIRST_EVENT; break;
    case HTTP_TIMEOUT_IDLE: error.timeout = TIMEOUT_IDLE; break;
    case HTTP_TIMEOUT_TOTAL: error.timeout = TIMEOUT_TOTAL; break;
    case HTTP_REFUSED:
    case HTTP_TOO_LARGE:
    case HTTP_REDIRECTS: error.class = LLM_ERROR_REQUEST; break; /* again would be the same */
    default: break;
    }
    if (error.timeout != TIMEOUT_NONE) error.class = LLM_ERROR_TIMEOUT;
    return error;
}
