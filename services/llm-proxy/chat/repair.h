/**
 * repair: an answer that does not have the shape its caller asks for is asked for again.
 *
 * The same conversation goes on with the answer and with what is wrong about it. What is said here
 * is what jobs (job_repair.h) and clients' calls (client_check.h) have in common; who asks, when
 * and at whose cost is theirs. How often: the job says, else the route, else REPAIRS_DEFAULT.
 *
 * Threads: none of its own.
 */
#ifndef LLM_PROXY_REPAIR_H
#define LLM_PROXY_REPAIR_H

#include "common.pb-c.h"
#include "llm-proxy/chat/chat.h"

enum {
    REPAIRS_DEFAULT = 2,
    REPAIR_TEXT_MAX = 8'192, /* bytes of what is wrong with one answer */
};

/** Appends what the model is told of an answer of the wrong shape. */
void repair_explain(const struct chat_request *request, str answer, struct buf *out);

/** The conversation of the request goes on with `answer` and `problems`, which are borrowed as long
 * as the request; so does the body as it came, if there is one. The arena of the request grows.
 * RESOURCE_EXHAUSTED: it is full, or there are over CHAT_MESSAGES_MAX messages. */
status repair_go_on(struct chat_request *request, str answer, str problems, struct error *reterr);

/** Adds what asks before have used. Provider and model stay those of the last one. */
void repair_add_usage(Pb__Usage *usage, const Pb__Usage *before);

#endif
