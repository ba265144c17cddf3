/**
 * cache_wish: whether a call may be served by an answer from before, and which request is equal.
 *
 * Asked for by `Cache-Control: max-age=SECONDS`, or by `cache.max_age` of its route; `no-store`
 * asks for nothing, `no-cache` for a new answer that others may get. Equal are requests of one
 * namespace to one target, or route of several, that ask for the same but for the model's name and
 * for `stream`, `stream_options`, `user`, `metadata`, `cache` and `repair_attempts`: in whatever
 * protocol they came, if all have words for what they say (chat_plain.h), else in one protocol, if
 * their bodies say the same. A request with members that are not known here is nobody's equal: what
 * they change in an answer is not kept.
 *
 * Pure functions: any thread.
 */
#ifndef LLM_PROXY_CACHE_WISH_H
#define LLM_PROXY_CACHE_WISH_H

#include "llm-proxy/call/answer_cache.h"
#include "llm-proxy/catalog/catalog.h"
#include "llm-proxy/chat/chat.h"

/** How old an answer may be: of the header's value ("" : none) and the route. -1: no answer but a
 * new one, which is not kept. */
int64_t cache_wish_age_ms(str cache_control, const struct llm_route *route);

/** The same of a job's `cache`: a duration such as "1h", or false. INVALID_ARGUMENT: neither. */
status cache_wish_of_job(json arguments, const struct llm_route *route, int64_t *ret_age_ms,
                         struct error *reterr);

/** The key of a request. False: it has no equal. */
bool cache_wish_key(const struct chat_request *request, json body, const struct llm_route *route,
                    const char *namespace, struct answer_key *ret_key);

#endif
