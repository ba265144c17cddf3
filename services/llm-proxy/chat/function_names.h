/**
 * function_names: names of functions that an upstream does not take, and back again.
 *
 * Each protocol has rules of its own for them. A name that does not fit goes out as another one
 * that does, the same in every request, so that a conversation and a cached prompt stay whole; what
 * the model then calls has its own name again. Where a body is passed on as it came nothing is
 * renamed.
 */
#ifndef LLM_PROXY_FUNCTION_NAMES_H
#define LLM_PROXY_FUNCTION_NAMES_H

#include "llm-proxy/chat/chat.h"

enum {
    FUNCTION_NAMES_MAX     = 512, /* different ones that do not fit; more go as they are */
    FUNCTION_NAME_SIZE_MAX = 129,
};

/** Those of a request that were changed. Zeroed: none. */
struct function_names {
    struct {
        str own, sent;
    } * items;
    uint32_t count;
};

/** Says whether a function may have that name there. */
bool function_name_fits(str name, enum llm_protocol protocol);

/** Says whether a name of the request does not fit. */
bool function_names_are_needed(const struct chat_request *request, enum llm_protocol protocol);

/**
 * Renames in `request`, a copy (chat_copy()) that is ours to change, and adds a loss ("renamed")
 * for each tool. `ret_names` lives in `arena`, with its texts. False: out of memory.
 */
[[nodiscard]] bool function_names_change(struct chat_request *request, enum llm_protocol protocol,
                                         struct arena *arena, struct losses *losses,
                                         struct function_names *ret_names);

/** The name that the client knows it by. */
str function_name_own(const struct function_names *names, str sent);

#endif
