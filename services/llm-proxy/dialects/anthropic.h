/** anthropic: what the two files of Anthropic's dialect share. */
#ifndef LLM_PROXY_DIALECTS_ANTHROPIC_H
#define LLM_PROXY_DIALECTS_ANTHROPIC_H

#include "llm-proxy/dialects/dialect.h"
#include "json/json_write.h"

/** The member `usage`; input without what was read from or written to a cache. */
void anthropic_put_usage(struct json_writer *w, const struct llm_usage *usage);

const char *anthropic_stop_reason(enum llm_finish finish, bool has_calls);
void anthropic_print_error(const struct dialect_error *error, struct buf *out);

/* The members of dialect_anthropic (dialect.h). */
void *anthropic_stream_new(const struct dialect_about *about);
void anthropic_stream_event(void *stream, const struct llm_event *event, struct buf *out);
void anthropic_stream_stop(void *stream);
void anthropic_stream_end(void *stream, const struct llm_usage *usage, struct buf *out);
void anthropic_stream_fail(void *stream, const struct dialect_error *error, struct buf *out);
void anthropic_stream_free(void *stream);

#endif
