/** content: what a model said, as the value the caller asked for. */
#ifndef LLM_PROXY_CONTENT_H
#define LLM_PROXY_CONTENT_H

#include "llm-proxy/chat/chat.h"

/**
 * `text` as the answer to `request`: the text itself, or the JSON in it (code fences and prose
 * around it are taken away), checked against the request's schema. `*ret_value` is owned.
 * INVALID_ARGUMENT: no JSON, or of another shape; the text names the first violations.
 */
status content_read(const struct chat_request *request, str text, json *ret_value,
                    struct error *reterr);

/** Says whether the text is JSON and nothing else. */
bool content_is_bare(str text);

/** What is wrong with such a text, a line for each of the first violations: for the model. */
void content_explain(const struct chat_request *request, str text, struct buf *out);

#endif
