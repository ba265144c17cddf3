/**
 * token_estimate: how many tokens a call of a model may take, by its arguments: those of `llm.chat`
 * and `llm.embed`, and the bodies of the chat and embeddings endpoints, which name them alike.
 *
 * The input: a quarter of the bytes of its texts, rounded up, and a few tokens per message; tokens
 * that are embedded are counted; of pictures and the like only the provider knows. The answer:
 * `max_tokens` of each of `n`; if it says nothing, that is not known (-1). Embeddings have no
 * answer.
 */
#ifndef WORKFLOW_TOKEN_ESTIMATE_H
#define WORKFLOW_TOKEN_ESTIMATE_H

#include "json/json.h"

#include <stddef.h>
#include <stdint.h>

enum { CHAT_BYTES_PER_TOKEN = 4 };

struct token_estimate {
    int64_t input, output; /* output -1: it does not say */
};

struct token_estimate token_estimate_of(json arguments, bool is_embedding);

/** The same of a chat whose messages, and perhaps tools, are not in `rest`: `size` is the bytes of
 * their texts and of the tools as compact JSON. */
struct token_estimate token_estimate_with(json rest, size_t size, size_t message_count);

/** Bytes of the texts of messages. An array, else there are none. */
size_t chat_text_size(json messages);

#endif
