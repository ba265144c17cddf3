/** call_log: the line of the log about a call that has ended, for clients and jobs alike. */
#ifndef LLM_PROXY_CALL_LOG_H
#define LLM_PROXY_CALL_LOG_H

#include "base/log.h"
#include "llm-proxy/call/call.h"

enum { CALL_LOG_IDS = 5 };

/** Writes `llm.response`: `ids` say whose it was; `model` is what was asked for. */
void call_log(const struct llm_outcome *outcome, str model,
              const struct log_field ids[static CALL_LOG_IDS]);

#endif
