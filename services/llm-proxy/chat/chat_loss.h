/**
 * chat_loss: losses by what of a request they are about. The places are those of the client's own
 * body, whatever protocol it spoke.
 */
#ifndef LLM_PROXY_CHAT_LOSS_H
#define LLM_PROXY_CHAT_LOSS_H

#include "llm-proxy/chat/chat.h"

enum chat_member {
    CHAT_TEMPERATURE,
    CHAT_TOP_P,
    CHAT_TOP_K,
    CHAT_SEED,
    CHAT_COUNT,
    CHAT_MAX_TOKENS,
    CHAT_STOP,
    CHAT_USER,
    CHAT_EFFORT,
    CHAT_THINKING,
    CHAT_FORMAT,
    CHAT_TOOLS,
    CHAT_TOOL_CHOICE,
    CHAT_PARALLEL,
    CHAT_MEMBER_COUNT,
};

/** What became of a member of the request; none of them does anything if `losses` is NULL. */
void chat_lose(const struct chat_request *request, struct losses *losses, enum chat_member member,
               enum loss_action action, const char *note);

/** Of a part; `suffix` ("", "/cache_control") is added to its place. */
void chat_lose_part(const struct chat_request *request, struct losses *losses,
                    const struct chat_message *message, const struct chat_part *part,
                    const char *suffix, enum loss_action action, const char *note);

/** Of a system message that stands alone, and is sent as the user's. */
void chat_lose_message(struct losses *losses, const struct chat_message *message);

/** Of the tool at `position`. */
void chat_lose_tool(const struct chat_request *request, struct losses *losses, uint32_t position,
                    const char *suffix, enum loss_action action, const char *note);

/** Every member of the body and of its messages that is not translated, with its reason. */
void chat_lose_extra(const struct chat_request *request, struct losses *losses);

/** A member of a request's body: "/seed", "/generationConfig/topK". */
struct chat_member_fact {
    const char *name;
    const char *reason; /* why it is lost between protocols; NULL: the request model holds it */
};

/** What is known about the members of that protocol's requests; the list ends with a NULL name. */
const struct chat_member_fact *chat_member_facts(enum llm_protocol protocol);

#endif
