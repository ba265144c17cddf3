/**
 * a2a_call: one call of an agent by the Agent2Agent protocol, JSON-RPC over HTTP (0.3).
 *
 * Where it is called says `server`, or its card: the `url` of an interface that is JSON-RPC. The
 * credentials of the card's endpoint go along to the card's own origin only. A message that has
 * none gets an id (made of the job's key, so the same in each attempt), the role `user` and its
 * `kind`.
 *
 * Source: a2a-protocol.org, specification 0.3.0, sections 5, 7. Threads: belongs to the loop.
 */
#ifndef TOOL_ADAPTER_A2A_CALL_H
#define TOOL_ADAPTER_A2A_CALL_H

#include "tool-adapter/http/api_documents.h"

enum {
    A2A_ANSWER_MAX = 10 << 20, /* bytes of one message */
    A2A_EVENTS_MAX = 10'000,   /* of a stream */
};

struct a2a_call;

/** All borrowed until `done` or cancel. */
struct a2a_request {
    json arguments;   /* {method, server | agentCard, parameters?} */
    str key;          /* the job's */
    int64_t until_ms; /* on clock_mono_ms() */
};

struct a2a_result {
    status code;     /* OK: it was answered: `result` or `error` */
    json result;     /* views for the callback; of a stream an array */
    json error;      /* JSON-RPC's */
    int http_status; /* 0: there was no answer */
    int64_t wait_ms;
    bool was_sent;
    bool is_write; /* of its method: twice is not the same as once */
    const char *why;
    str token;
};

/** Says whether twice is not the same as once. */
bool a2a_is_write(const char *method);

struct a2a_means {
    struct http_client *http;
    struct tokens *tokens;
    struct api_documents *documents;
};

/** `done` comes exactly once, unless cancelled; may come from inside. NULL: it is over already. */
struct a2a_call *a2a_call_start(const struct a2a_means *means, const struct a2a_request *request,
                                void (*done)(const struct a2a_result *result, void *context),
                                void *context);
void a2a_call_cancel(struct a2a_call *call);

#endif
