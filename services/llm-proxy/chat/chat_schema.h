/** chat_schema: Gemini's dialect of schemas, as JSON Schema. */
#ifndef LLM_PROXY_CHAT_SCHEMA_H
#define LLM_PROXY_CHAT_SCHEMA_H

#include "base/status.h"
#include "json/json.h"

enum { CHAT_SCHEMA_DEPTH_MAX = 24 };

/**
 * Types in capitals become small, `nullable` one more type, counts that are texts become numbers;
 * what only orders members is left out. Everything else stays. `*ret_schema` is owned.
 * INVALID_ARGUMENT: deeper than CHAT_SCHEMA_DEPTH_MAX; RESOURCE_EXHAUSTED: too large.
 */
status chat_schema_from_gemini(json schema, json *ret_schema, struct error *reterr);

#endif
