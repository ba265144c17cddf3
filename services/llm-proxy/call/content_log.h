/**
 * content_log: what models are asked and answer, as lines of the log: `llm.log_content: masked`.
 *
 * A request is its body as JSON, an answer its texts and the calls of tools that it wants, without
 * thoughts. Personal data of all kinds is masked before anything is cut off, whatever `llm.pii`
 * says of the route; secrets are hidden as in all lines (base/log.h).
 */
#ifndef LLM_PROXY_CONTENT_LOG_H
#define LLM_PROXY_CONTENT_LOG_H

#include "llm-proxy/call/call_log.h"

enum { CONTENT_LOG_MAX = 2'000 /* bytes shown of each; the line says how many there are */ };

/** Writes `llm.request`; `ids` say whose it is, as those of call_log(). */
void content_log_request(json body, const struct log_field ids[static CALL_LOG_IDS]);

/** Writes `llm.answer`. NULL: there is none. */
void content_log_answer(const struct answer *answer,
                        const struct log_field ids[static CALL_LOG_IDS]);

#endif
