#include "llm-proxy/dialects/dialect.h"

#include "llm-proxy/dialects/llm_reply.h"
#include "llm-proxy/guard/llm_charge.h"

const struct dialect *dialect_of(Pb__LlmOperation operation)
{
    switch (operation) {
    case PB__LLM_OPERATION__LLM_OPERATION_OPENAI_CHAT: return &dialect_openai_chat;
    case PB__LLM_OPERATION__LLM_OPERATION_OPENAI_EMBEDDINGS: return &dialect_openai_embeddings;
    case PB__LLM_OPERATION__LLM_OPERATION_ANTHROPIC_MESSAGES:
    case PB__LLM_OPERATION__LLM_OPERATION_ANTHROPIC_COUNT: return &dialect_anthropic;
    case PB__LLM_OPERATION__LLM_OPERATION_GEMINI_CONTENT: return &dialect_gemini;
    default: return NULL;
    }
}

static bool is_true(str text)
{
    return str_is(text, "true") || str_is(text, "1");
}

static void read_headers(const Pb__LlmOpen *open, struct chat_request *request)
{
    request->is_strict    = is_true(llm_open_header(open, "tutti-strict"));
    request->is_validated = is_true(llm_open_header(open, "tutti-validate"));
}

status dialect_read(const struct dialect *dialect, const Pb__LlmOpen *open, json body,
                    struct arena *arena, struct chat_request **ret_request, struct error *reterr)
{
    TRY(dialect->read(open, body, arena, ret_request, reterr));
    read_headers(open, *ret_request);
    return STATUS_OK;
}

bool dialect_scan(const struct dialect *dialect, const Pb__LlmOpen *open, str body,
                  uint32_t values_max, struct arena *arena, struct chat_scanned *ret_scanned)
{
    if (!dialect->scan || !dialect->scan(body, values_max, arena, ret_scanned)) return false;
    read_headers(open, ret_scanned->request);
    return true;
}

void dialect_put_simulated(struct json_writer *w)
{
    json_member(w, "tutti");
    json_begin_object(w);
    json_put_bool(w, "simulated", true);
    json_end_object(w);
}

void dialect_put_count_marks(const struct llm_outcome *outcome, struct json_writer *w)
{
    if (!outcome->is_estimated) return;
    json_member(w, "tutti");
    json_begin_object(w);
    json_put_bool(w, "estimated", true);
    if (outcome->is_simulated) json_put_bool(w, "simulated", true);
    json_end_object(w);
}

void dialect_put_last(bool is_simulated, bool is_stopped, struct json_writer *w)
{
    if (!is_simulated && !is_stopped) return;
    json_member(w, "tutti");
    json_begin_object(w);
    if (is_simulated) json_put_bool(w, "simulated", true);
    if (is_stopped) json_put_text(w, "stopped_by", str_from("budget"));
    json_end_object(w);
}

struct dialect_error dialect_error_of(const struct dialect *dialect, const struct llm_error *error)
{
    return (struct dialect_error){
        .http           = dialect->http_of ? dialect->http_of(error) : llm_reply_http(error),
        .code           = llm_reply_error_code(error),
        .upstream_code  = error->class == LLM_ERROR_REQUEST ? error->code : (str){},
        .upstream_param = error->class == LLM_ERROR_REQUEST ? error->param : (str){},
        .class          = error->class,
        .message        = error->text,
        .retry_after_ms = error->retry_after_ms,
    };
}
