/**
 * llm_resume: a durable stream of a model, taken up where its client was.
 *
 * The same POST again, with the id of the last frame as Last-Event-ID; the body is not looked at.
 * The stream is at one replica of the llm-proxy, which says its name in the id; each is asked until
 * one knows it. No model is called.
 */
#ifndef GATEWAY_LLM_RESUME_H
#define GATEWAY_LLM_RESUME_H

#include "gateway/api/api.h"
#include "llm.pb-c.h"

/** Answers the call, in the words of `operation`: 410 `stream_expired` if no replica has the
 * stream, 503 if one that may have it is away. */
void llm_resume(struct api_call *call, Pb__LlmOperation operation);

/** An answer that an llm-proxy gives at once (llm_api.c). */
void llm_send_final(struct api_call *call, const Pb__LlmAnswer *answer);

/** Reads <stream>:<sequence>; false if it is not of that form. `*ret_stream` is a view. */
bool llm_resume_read_id(str text, str *ret_stream, uint64_t *ret_sequence);

#endif
