/**
 * subscriber: one gateway that pulls answers, and what it has not acknowledged yet.
 *
 * Items are numbered by the reply that carried them. A Pull that acknowledges reply n drops what
 * was in replies up to n and takes up again what was in later ones: they were lost.
 *
 * Threads: the loop's.
 */
#ifndef LLM_PROXY_SUBSCRIBER_H
#define LLM_PROXY_SUBSCRIBER_H

#include "llm.pb-c.h"
#include "loop/loop.h"
#include "rpc/rpc.h"

enum {
    SUBSCRIBER_ID_SIZE    = 16,        /* bytes */
    SUBSCRIBER_REPLY_SIZE = 256 << 10, /* bytes of one reply, unless the Pull says less */
    SUBSCRIBER_WAIT_MS    = 10'000,
};

struct chat_call;
struct item;

struct subscriber {
    uint8_t id[SUBSCRIBER_ID_SIZE];
    struct chat_call *calls; /* the service's list */
    struct item *first, *last;
    uint64_t last_reply;
    struct rpc_call *parked; /* a Pull that waits; NULL: none */
    int64_t seen_ms;
    struct loop *loop;
    struct loop_timer timer; /* ends the parked Pull */
};

struct subscriber *subscriber_new(ProtobufCBinaryData id, int64_t now_ms); /* owned */
void subscriber_free(struct subscriber *subscriber); /* answers a parked Pull; not its calls */

str subscriber_id(const struct subscriber *subscriber);

/** A whole answer: becomes head, data and end items. Copied. */
struct subscriber_answer {
    uint64_t call;
    uint32_t http_status;
    Pb__LlmHeader **headers;
    size_t header_count;
    str body;
    const Pb__Usage *usage;
};
void subscriber_send(struct subscriber *subscriber, const struct subscriber_answer *answer);

/** Takes a Pull: answers it now if there is something, else parks it. */
void subscriber_pull(struct subscriber *subscriber, struct rpc_call *call, struct loop *loop);

/** It has not pulled since `since_ms`. */
bool subscriber_is_silent(const struct subscriber *subscriber, int64_t since_ms);

#endif
