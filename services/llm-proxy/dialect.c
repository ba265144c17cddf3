#include "llm-proxy/dialect.h"

#include "llm-proxy/llm_reply.h"

const struct dialect *dialect_of(Pb__LlmOperation operation)
{
    switch (operation) {
    case PB__LLM_OPERATION__LLM_OPERATION_OPENAI_CHAT: return &dialect_openai_chat;
    case PB__LLM_OPERATION__LLM_OPERATION_OPENAI_EMBEDDINGS: return &dialect_openai_embeddings;
    default: return NULL;
    }
}

struct dialect_error dialect_error_of(const struct dialect *dialect, const struct llm_error *error)
{
    return (struct dialect_error){
        .http           = dialect->http_of ? dialect->http_of(error) : llm_reply_http(error),
        .code           = llm_reply_error_code(error),
        .class          = error->class,
        .message        = error->text,
        .retry_after_ms = error->retry_after_ms,
    };
}
