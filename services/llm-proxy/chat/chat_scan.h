/**
 * chat_scan: OpenAI's chat completions for an upstream that speaks them, too.
 *
 * Messages and tools, which make a request large, are looked at where they stand (json_scan.h) and
 * go on as they are spelled; only the other members become values. The request is as one after
 * chat_request_strip(), with `runs`: it is for who passes it on, and answers and charges by it.
 *
 * What is taken here chat_from_openai() would have taken, too, and have read alike. The other way
 * round it is not so: what it does not know for sure (a mistake, ids of the vault, a key with
 * escapes) is for chat_from_openai() to read.
 */
#ifndef LLM_PROXY_CHAT_SCAN_H
#define LLM_PROXY_CHAT_SCAN_H

#include "llm-proxy/chat/chat.h"
#include "workflow/token_estimate.h"

/** What a body is found to be. */
struct chat_scanned {
    struct chat_request *request;   /* of the arena; views of the body and of `rest` */
    json rest;                      /* owned: the members without messages and tools */
    struct token_estimate estimate; /* token_estimate_of() the body */
};

/** False: it is not known, and nothing is kept. `body` outlives the request. */
bool chat_scan_openai(str body, uint32_t values_max, struct arena *arena,
                      struct chat_scanned *ret_scanned);

#endif
