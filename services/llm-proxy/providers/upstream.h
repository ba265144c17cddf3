/**
 * upstream: what the modules of all upstream protocols do alike: a POST with JSON, an answer that
 * is JSON, and what failures mean.
 */
#ifndef LLM_PROXY_PROVIDERS_UPSTREAM_H
#define LLM_PROXY_PROVIDERS_UPSTREAM_H

#include "llm-proxy/catalog/provider.h"
#include "json/json_write.h"

enum {
    UPSTREAM_BODY_MAX    = 32 << 20, /* bytes sent */
    UPSTREAM_ANSWER_MAX  = 64 << 20, /* bytes received */
    UPSTREAM_HEADERS_MAX = 6,
};

/**
 * Makes a POST of `body` (copied) to `url`. `headers` has room for UPSTREAM_HEADERS_MAX, lives in
 * `arena`, and its first is Content-Type; the caller adds by upstream_add_header().
 * INVALID_ARGUMENT never; RESOURCE_EXHAUSTED: the arena is full.
 */
status upstream_post(const char *url, str body, struct arena *arena, struct http_request *ret_http,
                     struct error *reterr);

/** The same for a GET, without a header. */
status upstream_get(const char *url, struct arena *arena, struct http_request *ret_http,
                    struct error *reterr);

/** A model's name as one segment of an address: clients choose it, and it must not lead anywhere
 * else. INVALID_ARGUMENT: it is no segment. */
status upstream_segment(str model, struct arena *arena, const char **ret_segment,
                        struct error *reterr);

/** `value` is copied. Same status. */
status upstream_add_header(struct http_request *http, const char *name, str value,
                           struct arena *arena, struct error *reterr);

/**
 * Adds the key: in the provider's `key_header` if it is configured, else in `name`; a `name` of
 * NULL is `Authorization: Bearer`. Does nothing without a key. Same status.
 */
status upstream_add_key(const struct provider_request *what, const char *name,
                        struct http_request *http, struct arena *arena, struct error *reterr);

/** Parses what an upstream said; duplicate keys are let pass. False: it is no JSON. Owned. */
bool upstream_parse(str body, json *ret_body);

/** An error, and the end of what was cut by it. */
void upstream_send_error(const struct llm_error *error, llm_sink *sink, void *context);

/** The same for a 200 that is no answer of the protocol. */
void upstream_send_malformed(llm_sink *sink, void *context);

/** Sends what a transfer that failed means, and returns true; false: there is an answer. */
bool upstream_send_failure(const struct http_result *result, llm_sink *sink, void *context);

/** Writes the arguments of a call, JSON as text, as the object they should be; what is none stands
 * in it as `_invalid`. False: it was none. */
bool upstream_put_arguments(struct json_writer *w, const char *key, str arguments);

enum { UPSTREAM_ID_SIZE = 2 * 12 + sizeof "call_" };

/** An id for a call that has none; the same one for the same call of the same answer. */
void upstream_mint_id(str answer, str name, str args, uint32_t choice, uint32_t part,
                      char ret_id[static UPSTREAM_ID_SIZE]);

/** An event that carries bytes of one part; none if there are no bytes. */
void upstream_send_piece(enum llm_event_kind kind, uint32_t choice, uint32_t part, str text,
                         llm_sink *sink, void *context);

/** A vector of an embedding, as numbers or as float32 in base64; false: it is none. */
bool upstream_send_vector(json vector, llm_sink *sink, void *context);

#endif
