/**
 * dialect: the protocol that a client speaks.
 *
 * A dialect reads the body of a request into the request model (chat.h) and writes what comes back:
 * a whole answer, a stream event by event, errors before and inside a stream. It knows nothing of
 * providers: those are decoders of the other side, and the events between them are all that both
 * know. A new client protocol is one more table in dialects/.
 *
 * A stream is written by an object of its own per call. It gets the events of one try from
 * LLM_START on, also those before anything meaningful has come: what it writes of them is held
 * back, or dropped with the object if the try fails. It never gets LLM_ERROR or LLM_END: the caller
 * ends by `stream_end` or `stream_fail`, one of them once. Events of a dialect's own protocol come
 * with the LLM_CHUNK they were made of, which is to be handed on (event.h).
 *
 * Writers append to `out`. They never fail; what does not fit makes `out` full, which the caller
 * sees.
 *
 * Threads: tables are constant; a stream belongs to the loop of its call.
 */
#ifndef LLM_PROXY_DIALECT_H
#define LLM_PROXY_DIALECT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "llm-proxy/call/call.h"
#include "llm-proxy/chat/chat.h"
#include "llm-proxy/chat/chat_scan.h"
#include "llm-proxy/stream/event.h"
#include "llm.pb-c.h"
#include "json/json.h"
#include "json/json_write.h"

/** An error as every dialect words it its own way. */
struct dialect_error {
    int http;                   /* what the client gets or, inside a stream, would have got */
    const char *code;           /* ours: "rate_limited", "timeout_idle" */
    str upstream_code;          /* its own word for what is wrong with the request; empty: none */
    str upstream_param;         /* the member of the request that it names; empty: none */
    enum llm_error_class class; /* LLM_ERROR_REQUEST if the upstream was not asked */
    str message;
    int64_t retry_after_ms; /* 0: not said */
};

/** What a stream needs to know besides its events. Views that live longer than the stream. */
struct dialect_about {
    const struct chat_request *request;
    str id;             /* of the answer, if its upstream gives none */
    int64_t created_us; /* likewise */
    bool is_simulated;  /* to be said in the last words: "tutti": {"simulated": true} */
};

struct dialect {
    const char *name;
    enum llm_protocol protocol;

    /**
     * Reads a request. `open` has path and headers, and is gone soon: what is needed of it later is
     * to be copied into `arena`, where the request lives. `body` is its body, parsed, and outlives
     * the request. `is_stream`, and `model` if it stands in the path,
     * are the dialect's to set. INVALID_ARGUMENT names the member by JSON pointer; UNIMPLEMENTED:
     * the protocol has it, but it is not there yet.
     */
    status (*read)(const Pb__LlmOpen *open, json body, struct arena *arena,
                   struct chat_request **ret_request, struct error *reterr);

    /** The same of a body that is not parsed, for an upstream of the same protocol (chat_scan.h).
     * NULL: bodies are always parsed. */
    bool (*scan)(str body, uint32_t values_max, struct arena *arena,
                 struct chat_scanned *ret_scanned);

    /** The status that a failure has. NULL: that of llm_reply.h. */
    int (*http_of)(const struct llm_error *error);

    /** The body of an answer that is no stream. `outcome->is_ok`. */
    void (*print_answer)(const struct llm_outcome *outcome, const struct chat_request *request,
                         struct buf *out);

    /** The body of an error that came before anything else. */
    void (*print_error)(const struct dialect_error *error, struct buf *out);

    /* Streams. All NULL: there are none, and `read` never gives a request with `is_stream`. */
    const char *stream_type;                                /* Content-Type */
    void *(*stream_new)(const struct dialect_about *about); /* owned: stream_free */
    void (*stream_event)(void *stream, const struct llm_event *event, struct buf *out);
    /* Its budget has stopped it: the end that follows is to be written, also where chunks were
     * handed on until now. */
    void (*stream_stop)(void *stream);
    /* `usage`: of the whole answer, estimated if the upstream said nothing. */
    void (*stream_end)(void *stream, const struct llm_usage *usage, struct buf *out);
    void (*stream_fail)(void *stream, const struct dialect_error *error, struct buf *out);
    void (*stream_free)(void *stream);
};

extern const struct dialect dialect_openai_chat;
extern const struct dialect dialect_openai_embeddings;
extern const struct dialect dialect_anthropic;
extern const struct dialect dialect_gemini;

/** `dialect->read` and what every dialect's requests say in our own headers. */
status dialect_read(const struct dialect *dialect, const Pb__LlmOpen *open, json body,
                    struct arena *arena, struct chat_request **ret_request, struct error *reterr);

/** `dialect->scan` likewise. False: the body is to be parsed. */
bool dialect_scan(const struct dialect *dialect, const Pb__LlmOpen *open, str body,
                  uint32_t values_max, struct arena *arena, struct chat_scanned *ret_scanned);

/** The member "tutti": {"simulated": true}. */
void dialect_put_simulated(struct json_writer *w);

/** The end of an answer to how many tokens a request has: "tutti" with what is not as it seems. */
void dialect_put_count_marks(const struct llm_outcome *outcome, struct json_writer *w);

/** The same of a stream's last words, with "stopped_by": "budget" if it was. Nothing, if neither is
 * so. */
void dialect_put_last(bool is_simulated, bool is_stopped, struct json_writer *w);

/** What a client of that dialect is told of a failure, whose text it borrows. */
struct dialect_error dialect_error_of(const struct dialect *dialect, const struct llm_error *error);

/** The dialect of an operation; NULL: this llm-proxy does not know it. */
const struct dialect *dialect_of(Pb__LlmOperation operation);

#endif
