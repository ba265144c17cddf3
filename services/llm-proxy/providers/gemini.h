/**
 * gemini: what the files of Google's Gemini API share. Shapes: the type files of @google/genai, in
 * the nesting of the REST API.
 */
#ifndef LLM_PROXY_PROVIDERS_GEMINI_H
#define LLM_PROXY_PROVIDERS_GEMINI_H

#include "llm-proxy/catalog/provider.h"
#include "llm-proxy/stream/answer.h"

/** The request as the body of `:generateContent`; `model` decides on what it needs. Losses are
 * added as by chat_print_openai(). False: `out` is full. */
bool gemini_print(const struct chat_request *request, str model, struct losses *losses,
                  struct buf *out);

/** Texts to vectors, as the body of `:batchEmbedContents`. */
bool gemini_print_inputs(const struct chat_request *request, str model, struct buf *out);

/** Of one candidate: which part is being written. */
struct gemini_candidate {
    uint32_t next_part;
    enum llm_event_kind kind; /* LLM_TEXT or LLM_THINKING: the part before `next_part` is open */
    bool is_open;
    bool has_tool, has_finished, is_seen;
};

/** What is known of an answer so far. Zeroed at first. */
struct gemini_state {
    struct gemini_candidate candidates[ANSWER_CHOICES_MAX];
    bool has_begun;
};

/**
 * Sends what one event of a stream, or a whole answer, says; no LLM_CHUNK and no LLM_END. False: it
 * is an error, which is in `ret_error` (views of `data`).
 */
bool gemini_send(struct gemini_state *state, json data, llm_sink *sink, void *context,
                 struct llm_error *ret_error);

/** Says whether every candidate has finished, and there is one. */
bool gemini_is_whole(const struct gemini_state *state);

/** What {"error": {code, message, status}} means. Views of `body`. */
struct llm_error gemini_error_of(json body, uint32_t http_status);

extern const struct decoder_kind gemini_stream;

#endif
