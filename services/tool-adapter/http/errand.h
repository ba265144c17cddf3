/**
 * errand: one HTTP request that proves who makes it (authorization.h), and its answer.
 *
 * It gets a token where one is needed, and tries once more where a refusal (401) may be lifted: a
 * challenge is answered, a token replaced. What the first try was refused with is heard of by
 * nobody then. Who sends it makes the request anew for each try.
 *
 * Threads: belongs to the loop of its HTTP client.
 */
#ifndef TOOL_ADAPTER_ERRAND_H
#define TOOL_ADAPTER_ERRAND_H

#include "http/http.h"
#include "tool-adapter/authorization/authorization.h"
#include "tool-adapter/authorization/tokens.h"

struct errand;

struct errand_result {
    /* NULL: it came to no answer and no transfer, for the reason in `code` and `error`. */
    const struct http_result *http;
    status code;
    struct error error; /* without paths, queries, values */
    str token;          /* that it proved itself with; empty: none */
};

/** All borrowed until `done` or cancel. */
struct errand_options {
    struct http_client *http;
    struct tokens *tokens;
    const struct authorization *authorization; /* NULL: as AUTHORIZATION_NONE */
    struct arena *arena;
    /* Makes the request, without its header Authorization; `token` is what stands for the
     * authorization's placeholder. Its texts live until `done`. */
    status (*prepare)(str token, struct http_request *ret_request, void *context,
                      struct error *reterr);
    /* As of http.h; both optional. */
    enum http_flow (*on_headers)(const struct http_answer *answer, void *context);
    enum http_flow (*on_data)(str data, void *context);
    /* Exactly once, last, unless cancelled; the errand is gone when it returns. May come from
     * inside errand_start(). */
    void (*done)(const struct errand_result *result, void *context);
    void *context;
};

/** NULL: it is over already. */
struct errand *errand_start(const struct errand_options *options);

bool errand_was_sent(const struct errand *errand); /* its request may have reached the peer */
void errand_cancel(struct errand *errand);         /* `done` does not come */

#endif
