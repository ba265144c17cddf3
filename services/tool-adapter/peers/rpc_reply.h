/**
 * rpc_reply: what a program answers to a JSON-RPC request over HTTP: one JSON document, or a stream
 * of events with messages, of which one is the answer (MCP's streamable HTTP, A2A's streams).
 *
 * Fed with pieces cut anywhere. Messages that are no answer (notifications, requests of the other
 * side) go to a callback in their order. A document may be a batch. What is no JSON-RPC, answers to
 * other requests, and everything behind the answer count for nothing.
 *
 * Bytes of strangers: limits on one message, on their number and on all of them. Pure; not
 * thread-safe.
 */
#ifndef TOOL_ADAPTER_RPC_REPLY_H
#define TOOL_ADAPTER_RPC_REPLY_H

#include "base/status.h"
#include "http/sse.h"
#include "json/json.h"

enum {
    RPC_MESSAGES_MAX = 10'000,   /* in one answer */
    RPC_STREAM_MAX   = 64 << 20, /* bytes of one answer */
    RPC_DEPTH_MAX    = 64,
    RPC_VALUES_MAX   = 1'000'000, /* of one message */
};

enum rpc_form {
    RPC_DOCUMENT,
    RPC_STREAM,
    RPC_FOREIGN, /* another media type: nobody's message */
};

struct rpc_reply;

/** A notification or a request: an object with a `method`; a view. */
typedef void rpc_message_fn(json message, void *context);

struct rpc_reply {
    json result; /* of the answer; JSON_INVALID: none has come; owned, as the next */
    json error;  /* {code, message, data?}; JSON_INVALID: it is no error */
    bool is_answered;
    bool takes_all; /* the stream goes on behind an answer: each of them goes to on_answer */

    /* its own */
    int64_t id;
    size_t message_max, bytes;
    unsigned messages;
    enum rpc_form form;
    struct buf document;
    struct sse sse;
    bool has_sse;
    rpc_message_fn *on_message; /* may be NULL */
    rpc_message_fn *on_answer;  /* of `takes_all`: the whole message */
    void *context;
    struct buf last_id; /* of the streams before */
};

/** In place; rpc_reply_done(). `id` is that of the request; `message_max` in bytes. */
void rpc_reply_init(struct rpc_reply *reply, int64_t id, size_t message_max,
                    rpc_message_fn *on_message, void *context);
void rpc_reply_done(struct rpc_reply *reply);

/** The media type of the answer, before its first piece. Also begins a further stream, which goes
 * on where the one before was cut off. */
void rpc_reply_begin(struct rpc_reply *reply, str content_type);

/** RESOURCE_EXHAUSTED: a limit, by name; DATA_LOSS: an event that is no JSON. Feed nothing after a
 * failure, and nothing more is needed once `is_answered` is set. */
status rpc_reply_feed(struct rpc_reply *reply, str piece, struct error *reterr);

/** At the end of the answer. DATA_LOSS: a document that is no JSON. */
status rpc_reply_end(struct rpc_reply *reply, struct error *reterr);

/** Where the stream was when it ended: the last id of its events; empty: it had none. */
str rpc_reply_last_id(const struct rpc_reply *reply);

/** The code of an error, 0 if it has none. */
int64_t rpc_error_code(json error);

/** Its message, cut, with the code: "-32602 Invalid params". */
void rpc_error_put(json error, struct buf *out);

#endif
