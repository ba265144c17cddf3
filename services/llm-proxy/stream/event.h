/**
 * event: what an upstream says, in one vocabulary.
 *
 * Every decoder of an upstream protocol produces these events, every encoder of a client protocol
 * and every job consumes them, so n + m modules serve n x m combinations. An answer that was not
 * streamed becomes the same events, in the same order.
 *
 * Order: one `start`; then text, thinking, tool_start and tool_args as they come; `usage` any
 * number of times; one `finish` per choice; one `end`. An `error` takes the place of all that
 * follows but `end`.
 *
 * A `chunk` goes before the events that were made of it: one event of the upstream's stream as it
 * came (`name`, `raw`, and `chunk` parsed), or the body of a whole answer (`spelled`, and `chunk`
 * parsed, if it was). An encoder of the same
 * protocol hands chunks on, so that members nobody here knows survive, and needs the other events
 * for what it changes only; all others skip them. Upstreams that are simulated make none.
 */
#ifndef LLM_PROXY_EVENT_H
#define LLM_PROXY_EVENT_H

#include "base/str.h"
#include "json/json.h"

#include <stdbool.h>
#include <stdint.h>

/** Whose wire format it is. */
enum llm_protocol { PROTOCOL_NONE, PROTOCOL_OPENAI, PROTOCOL_ANTHROPIC, PROTOCOL_GEMINI };

enum llm_event_kind {
    LLM_CHUNK,      /* protocol, name, chunk, raw, is_alike: see above */
    LLM_START,      /* id, model, created */
    LLM_TEXT,       /* choice, part, bytes */
    LLM_REFUSAL,    /* choice, part, bytes */
    LLM_THINKING,   /* choice, part, bytes */
    LLM_OPAQUE,     /* choice, part, name = kind, bytes: state the upstream wants back */
    LLM_TOOL_START, /* choice, part, id, name */
    LLM_TOOL_ARGS,  /* choice, part, bytes = JSON fragment */
    LLM_VECTOR,     /* bytes = float32 of this machine; vectors come in the order of the inputs */
    LLM_USAGE,      /* usage: cumulative; per counter the last known value counts, never a sum */
    LLM_FINISH,     /* choice, finish, name = the upstream's own word */
    LLM_ERROR,      /* error */
    LLM_END,        /* end */
};

enum llm_finish { FINISH_STOP, FINISH_LENGTH, FINISH_TOOL_CALLS, FINISH_FILTER };

enum llm_end { END_COMPLETE, END_CUT, END_CANCELLED, END_BUDGET };

/** Counters of an upstream; -1: not said. Those that follow `output_tokens` are parts of it or of
 * `input_tokens`, but for `searches`, which are charged by the piece. */
struct llm_usage {
    int64_t input_tokens;          /* cached ones included, read or written */
    int64_t output_tokens;         /* reasoning included */
    int64_t cached_tokens;         /* read from the upstream's cache */
    int64_t cache_write_tokens;    /* written to it, whatever the time to live */
    int64_t cache_write_1h_tokens; /* of those: to live for an hour */
    int64_t reasoning_tokens;
    int64_t input_audio_tokens; /* cached ones included */
    int64_t output_audio_tokens;
    int64_t cached_audio_tokens; /* of `cached_tokens` */
    int64_t searches;            /* tools of the upstream that cost by the call */
};

static inline struct llm_usage llm_usage_unknown(void)
{
    return (struct llm_usage){-1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
}

/** What kind of failure it is decides on retries, fallbacks, breakers and keys
 * (docs/guide/llm.md): a table in call.c. */
enum llm_error_class {
    LLM_ERROR_CONNECT,      /* DNS, connect, TLS; cut; malformed answer */
    LLM_ERROR_TIMEOUT,      /* connect, first event, idle or total */
    LLM_ERROR_SERVER,       /* 408, 500, 502, 503, 504 */
    LLM_ERROR_OVERLOADED,   /* 529, or the word for it inside a stream */
    LLM_ERROR_RATE_LIMITED, /* 429 that passes */
    LLM_ERROR_QUOTA,        /* 429 that does not: a spent account */
    LLM_ERROR_KEY,          /* 401, 403 */
    LLM_ERROR_REQUEST,      /* 400, 404, 413, 422: the caller's fault */
    LLM_ERROR_BREAKER,      /* not called: its circuit breaker is open */
    LLM_ERROR_LIMIT,        /* not called: as many calls as may be are under way */
    LLM_ERROR_CONVERSION,   /* not called: the client is strict, and something would be lost */
    LLM_ERROR_BUDGET,       /* not called: a budget is spent; `http_status` if it is not 429 */
    LLM_ERROR_RUN,          /* not called: the run that it is charged to is not there (`http_status`
                               404), or has ended (409) */
    LLM_ERROR_OUTPUT,       /* answered, but not in the shape that was asked for */
    LLM_ERROR_INTERRUPTED,  /* ended by us: the process was restarted, or nobody reads it */
    LLM_ERROR_CLASS_COUNT,
};

enum llm_timeout {
    TIMEOUT_NONE,
    TIMEOUT_CONNECT,     /* DNS, TCP, TLS */
    TIMEOUT_FIRST_EVENT, /* until the first meaningful event (a whole answer: the first byte) */
    TIMEOUT_IDLE,        /* without a byte, after that */
    TIMEOUT_TOTAL,       /* also the caller's own deadline */
    TIMEOUT_COUNT,
};

struct llm_error {
    enum llm_error_class class;
    enum llm_timeout timeout;    /* of LLM_ERROR_TIMEOUT */
    uint32_t http_status;        /* 0: there was no answer */
    str type, code, param, text; /* the upstream's own words */
    int64_t retry_after_ms;      /* 0: not said */
};

/** Views live until the sink returns. */
struct llm_event {
    enum llm_event_kind kind;
    uint32_t choice;
    uint32_t part; /* counts parts of a choice from 0; fragments of one part share the number */
    str bytes;
    str id, name, model;
    int64_t created_us;
    struct llm_usage usage;
    enum llm_finish finish;
    enum llm_end end;
    struct llm_error error;
    enum llm_protocol protocol;
    json chunk;
    str raw;     /* `chunk` as it was spelled, in one line; empty: in several, or not known */
    str spelled; /* of a whole answer: `chunk` as it came, in any number of lines; empty: not known
                  */
    bool is_alike; /* one that came before, but for its text: it is not parsed, there is only `raw`
                    */
};

/** Takes one event; may not wait. */
typedef void llm_sink(const struct llm_event *event, void *context);

/** Whether the client may be shown the answer now: before the first such event every failure still
 * goes to retry and fallback (the commit rule). */
bool llm_event_is_meaningful(const struct llm_event *event);

/** "connect", "timeout", ...; "stop", "length", ...; static. */
const char *llm_error_class_name(enum llm_error_class class);
const char *llm_finish_name(enum llm_finish finish);
const char *llm_end_name(enum llm_end end);

/** "timeout_first_event"; static. */
const char *llm_timeout_name(enum llm_timeout timeout);

/** The class of an HTTP status of an upstream. */
enum llm_error_class llm_error_class_of(uint32_t http_status);

/** Merges `more` into `total`: counters that `more` knows replace those of `total`. */
void llm_usage_merge(struct llm_usage *total, const struct llm_usage *more);

#endif
