/**
 * api_inner: a call that asks the API itself, as a client would: for protocols that are another
 * door to the same operations.
 *
 * The inner call has the identity of the outer one; its route, role, parameters and body are
 * checked as any other's. Its answer comes to the outer call instead of a client, problems too. If
 * the outer call's client goes, what the inner one waits for is forgotten, and no answer comes.
 *
 * One per call; streams cannot be asked for.
 */
#ifndef GATEWAY_API_INNER_H
#define GATEWAY_API_INNER_H

#include "gateway/api/api.h"

struct api_inner {
    enum method method;
    str path;  /* not encoded */
    str query; /* encoded */
    str body;  /* JSON; empty: none */
    api_inner_done *done;
};

/** Asks. All of `inner` is copied. `done` may come before this returns. */
void api_ask_inner(struct api_call *call, const struct api_inner *inner);

/** api.c's: an inner call is answered; its outer one has ended. */
void api_inner_answer(struct api_call *inner, int http_status, str body);
void api_inner_end(struct api_call *inner);

#endif
