/**
 * chat_plain: requests that say nothing but what every client protocol has words for.
 *
 * Two of them that are the same in the request model ask for the same answer, whatever protocols
 * they came in. Of others, as one that asks for thoughts or has cache markers, nobody says so.
 *
 * Pure functions: any thread.
 */
#ifndef LLM_PROXY_CHAT_PLAIN_H
#define LLM_PROXY_CHAT_PLAIN_H

#include "llm-proxy/chat/chat.h"

/** Appends one text for all that ask for the same: without model, stream, user and metadata. False:
 * it is no plain request of a client, or `out` is full; what was appended means nothing then. */
bool chat_plain_print(const struct chat_request *request, struct buf *out);

#endif
