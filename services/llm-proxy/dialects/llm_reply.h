/** llm_reply: what all clients are told of the outcome of a call: status, code, headers. */
#ifndef LLM_PROXY_LLM_REPLY_H
#define LLM_PROXY_LLM_REPLY_H

#include "base/buf.h"
#include "llm-proxy/call/call.h"
#include "llm-proxy/dialects/dialect.h"
#include "llm.pb-c.h"

enum {
    LLM_REPLY_HEADERS_MAX = 12,  /* Tutti-Stream and Idempotent-Replayed come on top */
    LLM_REPLY_NUMBER_MAX  = 32,  /* bytes */
    LLM_REPLY_LOSS_MAX    = 500, /* bytes: what gateways keep of a header */
    LLM_REPLY_MODEL_MAX   = 256, /* bytes */
};

/** The status of a failure, and its code; the code of a status where that says it all. */
int llm_reply_http(const struct llm_error *error);
const char *llm_reply_error_code(const struct llm_error *error);
const char *llm_reply_code(int http);

/** Says whether the same request may be answered later: what the SDKs go by (`x-should-retry`). */
bool llm_reply_should_retry(enum llm_error_class class);

/** The body of a refusal without an outcome: with the code of `cause`, or that of the status. */
void llm_reply_print_refusal(const struct dialect *dialect, int http, const struct error *cause,
                             struct buf *body);

/** Headers of an answer. Not to be copied; `cost` is owned. */
struct llm_reply_head {
    Pb__LlmHeader items[LLM_REPLY_HEADERS_MAX];
    Pb__LlmHeader *list[LLM_REPLY_HEADERS_MAX];
    size_t count;
    char tries[LLM_REPLY_NUMBER_MAX], retry_after[LLM_REPLY_NUMBER_MAX], age[LLM_REPLY_NUMBER_MAX];
    char retry_after_ms[LLM_REPLY_NUMBER_MAX];
    char loss[LLM_REPLY_LOSS_MAX];
    char attempts[LLM_REPLY_LOSS_MAX];
    char model[LLM_REPLY_MODEL_MAX];
    struct buf cost;
};
void llm_reply_fill_head(struct llm_reply_head *head, const struct llm_outcome *outcome);

/** Who has asked; `key` is an id, `run` that of the run that is charged, as
 * it was named until it is found; empty: none. Borrowed. */
struct llm_reply_caller {
    const char *namespace, *key, *request_id, *run;
};

/** One line of the log about a call that has ended, and one of its tries if there were others. */
void llm_reply_log(const struct llm_outcome *outcome, const struct chat_request *request,
                   const struct llm_reply_caller *caller);

/** What it is asked, and what it has answered: lines of the log, if those are wanted. */
void llm_reply_log_request(json body, const struct chat_request *request,
                           const struct llm_reply_caller *caller);
void llm_reply_log_answer(const struct answer *answer, const struct chat_request *request,
                          const struct llm_reply_caller *caller);

/** Those of a stream that has just begun, by the try that is shown: what it costs nobody knows. */
void llm_reply_fill_stream_head(struct llm_reply_head *head, const struct llm_try *shown,
                                const char *content_type);

#endif
