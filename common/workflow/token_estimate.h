/**
 * token_estimate: how many tokens a call of a model may take, by its arguments: those of `llm.chat`
 * and `llm.embed`, and the bodies of the chat and embeddings endpoints, which name them alike.
 *
 * The input: a quarter of the bytes of its texts, rounded up, a few tokens per message, and
 * CHAT_IMAGE_TOKENS for each picture; tokens that are embedded are counted; of sounds and files
 * only the provider knows. The answer: `max_tokens` of each of `n`; if it says nothing, that is not
 * known (-1). Embeddings have no answer.
 */
#ifndef WORKFLOW_TOKEN_ESTIMATE_H
#define WORKFLOW_TOKEN_ESTIMATE_H

#include "json/json.h"

#include <stddef.h>
#include <stdint.h>

enum {
    CHAT_BYTES_PER_TOKEN = 4,
    CHAT_IMAGE_TOKENS =
        1'000, /* one of 1024 x 1024 is 765 of OpenAI's, 1,398 of Anthropic's (pixels
                * by 750), and 1,032 of Gemini's (258 for each of four tiles) */
};

struct token_estimate {
    int64_t input, output; /* output -1: it does not say */
};

struct token_estimate token_estimate_of(json arguments, bool is_embedding);

/** The messages of a chat. */
struct token_messages {
    size_t count;
    size_t size; /* bytes of their texts */
    size_t images;
};

/** The same of a chat whose messages, and perhaps tools, are not in `rest`: `messages` says how
 * much they are, the tools as compact JSON among their texts. */
struct token_estimate token_estimate_with(json rest, const struct token_messages *messages);

/** Bytes of the texts of messages. An array, else there are none. */
size_t chat_text_size(json messages);

#endif
