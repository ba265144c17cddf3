/**
 * answer_shelf: answers from before over restarts, and beyond what fits into memory: they are kept
 * beside those that are not bought twice (shelf.h), for ANSWER_SHELF_DAYS at most.
 *
 * Threads: the loop's.
 */
#ifndef LLM_PROXY_ANSWER_SHELF_H
#define LLM_PROXY_ANSWER_SHELF_H

#include "llm-proxy/answers/answers.h"
#include "llm-proxy/call/answer_cache.h"

enum { ANSWER_SHELF_DAYS = 30 };

/** `answers` is borrowed. */
struct answer_keeper answer_shelf_keeper(struct answers *answers);

#endif
