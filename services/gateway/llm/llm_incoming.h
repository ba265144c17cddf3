/**
 * llm_incoming: one answer of a model on its way to its client.
 *
 * A whole answer goes out when it is complete. A stream (a head whose Content-Type is
 * text/event-stream) goes out as it comes; a client that reads slowly is sent no more until it has
 * taken what there is, and its replica is told to keep the rest (llm_incoming_is_slow()). A stream
 * whose replica is lost ends with an error in the client's protocol.
 *
 * Threads: the home loop.
 */
#ifndef GATEWAY_LLM_INCOMING_H
#define GATEWAY_LLM_INCOMING_H

#include "gateway/api/api.h"
#include "llm.pb-c.h"

enum {
    LLM_BODY_MAX        = 64 << 20, /* bytes of one whole answer */
    LLM_HEADERS_MAX     = 16,
    LLM_HEADER_SIZE_MAX = 512,     /* bytes, name or value */
    LLM_PACE_SIZE       = 32 << 10 /* bytes sent to a client before we wait for it to take them */
};

/** Where answers come from; its own members are the owner's (llm_pull.c). What a piece of a stream
 * needs stands together, at the front. */
struct llm_incoming {
    struct api_waiter head; /* first: it is what call->waiter points to */
    struct replica *replica;
    struct api_call *call;      /* a reference; NULL: Open has not answered yet */
    struct httpd_handle handle; /* its */
    uint64_t number;
    uint64_t seq; /* of the last item taken */
    size_t paced; /* bytes sent since the client last had everything */
    bool is_stream, is_started, is_complete;
    bool is_mid_event; /* the last byte that came does not end a line */
    bool is_stopped;   /* its replica keeps what comes */
    bool is_held;      /* among those with something unsent */
    uint32_t http_status;
    struct llm_tap *tap; /* who takes what comes, in place of a call */
    struct buf body;     /* what the client has not been sent */
    struct buf fields;   /* of the head: name NUL value NUL ... */
    int64_t since_ms;
    struct llm_incoming *next_held;
};

void llm_incoming_init(struct llm_incoming *incoming);
void llm_incoming_done(struct llm_incoming *incoming);

/** Takes an item; one that it has already is dropped. */
void llm_incoming_take(struct llm_incoming *incoming, const Pb__LlmItem *item);

/** Sends a piece of a stream on from where it lies. False, and nothing was done: it is no such
 * item, or the client has not taken what came before; then llm_incoming_take(). */
bool llm_incoming_pass(struct llm_incoming *incoming, const Pb__LlmItem *item);

/** An item of it follows soon: its memory is fetched meanwhile. */
void llm_incoming_look_ahead(const struct llm_incoming *incoming);

/** Sends what can be sent now. True: that was all of it, and the call is answered. Only with a
 * call.
 */
bool llm_incoming_send(struct llm_incoming *incoming);

/** Nothing more comes: the client is told what `answer` says. */
void llm_incoming_fail(struct llm_incoming *incoming, const struct rpc_answer *answer);

/** Its client does not take what there is. */
bool llm_incoming_is_slow(const struct llm_incoming *incoming);

#endif
