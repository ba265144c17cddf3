/**
 * llm_item: a piece of an answer that lives until its gateway has it: head and end are copied from
 * whoever says them. By hand, since packing and unpacking both costs more than the rest of a reply.
 */
#ifndef LLM_PROXY_LLM_ITEM_H
#define LLM_PROXY_LLM_ITEM_H

#include "llm.pb-c.h"

#include <stddef.h>

/** A copy of a head or an end, with its texts, in one piece of memory: free() it. It has no data.
 * `ret_size`: bytes of all texts. */
Pb__LlmItem *llm_item_copy(const Pb__LlmItem *item, size_t *ret_size);

#endif
