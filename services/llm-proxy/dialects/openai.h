/** openai: what the two files of OpenAI's dialect share. */
#ifndef LLM_PROXY_DIALECTS_OPENAI_H
#define LLM_PROXY_DIALECTS_OPENAI_H

#include "llm-proxy/dialects/dialect.h"
#include "json/json_write.h"

/** The member `usage`. */
void openai_put_usage(struct json_writer *w, const struct llm_usage *usage);

void openai_print_error(const struct dialect_error *error, struct buf *out);

/* The members of dialect_openai_chat (dialect.h). */
void *openai_stream_new(const struct dialect_about *about);
void openai_stream_event(void *stream, const struct llm_event *event, struct buf *out);
void openai_stream_stop(void *stream);
void openai_stream_end(void *stream, const struct llm_usage *usage, struct buf *out);
void openai_stream_fail(void *stream, const struct dialect_error *error, struct buf *out);
void openai_stream_free(void *stream);

#endif
