/** compatible: OpenAI's wire format, as whole answers and streams of upstreams share it. */
#ifndef LLM_PROXY_PROVIDERS_COMPATIBLE_H
#define LLM_PROXY_PROVIDERS_COMPATIBLE_H

#include "llm-proxy/catalog/provider.h"

#define COMPATIBLE_CREATED_S_MAX INT64_C(1'000'000'000'000) /* a later `created` says nothing */

enum llm_finish compatible_finish(str reason);

/** What a member `usage` says; false: it is no object. */
bool compatible_usage(json usage, struct llm_usage *ret_usage);

/** What an `error` says that came with the status 200. Its texts are those of `error`. */
struct llm_error compatible_error_of(json error);

/** What a message or a delta says: its thoughts, in the words of several servers; its texts, also
 * as a list of parts; its refusal. */
void compatible_send_texts(json message, uint32_t choice, llm_sink *sink, void *context);

/** The arguments of a call: a text that is JSON; some servers give the object itself, which is put
 * into `room`. */
str compatible_arguments(json function, struct buf *room);

/** Whether an `error` is of the kind that does not pass by waiting: the account is spent. */
bool compatible_is_quota(json error);

/** Sends a whole answer that is an ordinary one, without making values of it: its LLM_CHUNK has no
 * `chunk`. False: it is to be parsed, and nothing was sent. */
bool compatible_scan(str body, llm_sink *sink, void *context);

extern const struct decoder_kind compatible_stream;

#endif
