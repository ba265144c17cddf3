/** chat_read: what all readers of requests do alike. Errors name the place by JSON pointer. */
#ifndef LLM_PROXY_CHAT_READ_H
#define LLM_PROXY_CHAT_READ_H

#include "llm-proxy/chat/chat.h"

/** A request of `arena` that says nothing yet. INVALID_ARGUMENT: `source` is no object. */
status chat_request_new(json source, struct arena *arena, struct chat_request **ret_request,
                        struct error *reterr);

/** `count` zeroed items of the request's arena; NULL if they do not fit. */
void *chat_allocate(struct chat_request *request, size_t count, size_t size);

/** A copy in the arena of what is printed in `text`, or of `value` as JSON; false: no room. */
bool chat_keep_json(struct chat_request *request, json value, str *ret_text);

/** The JSON pointer `list`/`index`, in the request's arena; NULL: it does not fit. */
const char *chat_place(struct chat_request *request, const char *list, size_t index);

status chat_invalid(struct error *reterr, const char *pointer, const char *expected);
status chat_no_memory(struct error *reterr);

/** A number at `key` of `source`, or JSON_INVALID; a whole number from 1. INVALID_ARGUMENT. */
status chat_read_number(json source, const char *key, json *ret_number, struct error *reterr);
status chat_read_count(json source, const char *key, int64_t *ret_count, struct error *reterr);

/** The cache marker of a block or a tool: `cache_control`; JSON_INVALID: none. OpenAI's clients
 * have it too, where they know that Claude may answer. */
json chat_read_cache(json block);

/** Makes room for as many tools as the list `tools` has; `*ret_count` is 0 if it is not there.
 * INVALID_ARGUMENT: it is none, or has more than CHAT_TOOLS_MAX. */
status chat_make_tools(struct chat_request *request, json tools, size_t *ret_count,
                       struct error *reterr);

/** A text or texts to stop at. INVALID_ARGUMENT names `pointer`. */
status chat_read_stops(struct chat_request *request, json stop, const char *pointer,
                       struct error *reterr);

/** "data:image/png;base64,AAAA" becomes media type and data; any other URL stays one. */
void chat_split_data_url(str url, struct chat_part *part);

#endif
