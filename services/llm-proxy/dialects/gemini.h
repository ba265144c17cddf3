/** gemini: what the two files of Gemini's dialect share. */
#ifndef LLM_PROXY_DIALECTS_GEMINI_H
#define LLM_PROXY_DIALECTS_GEMINI_H

#include "llm-proxy/dialects/dialect.h"
#include "json/json_write.h"

/** The member `usageMetadata`. */
void gemini_put_usage(struct json_writer *w, const struct llm_usage *usage);

const char *gemini_finish_reason(enum llm_finish finish);

/** The part of a tool call; arguments that are no object are wrapped. */
void gemini_print_call(struct json_writer *w, const struct answer_tool_call *call);

/** The part of a text or a thought; none if it is empty. */
void gemini_print_text(struct json_writer *w, str text, bool is_thought);

void gemini_print_error(const struct dialect_error *error, struct buf *out);

/* The members of dialect_gemini (dialect.h). */
void *gemini_stream_new(const struct dialect_about *about);
void gemini_stream_event(void *stream, const struct llm_event *event, struct buf *out);
void gemini_stream_stop(void *stream);
void gemini_stream_end(void *stream, const struct llm_usage *usage, struct buf *out);
void gemini_stream_fail(void *stream, const struct dialect_error *error, struct buf *out);
void gemini_stream_free(void *stream);

#endif
