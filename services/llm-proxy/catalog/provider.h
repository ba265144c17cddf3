/**
 * provider: an upstream that models are reached at.
 *
 * A kind of provider is a table of functions: it writes a request as HTTP and reads what comes back
 * as events. What a provider is configured to be (base URL, keys, prices) is data. A new protocol
 * is one more table in providers/.
 */
#ifndef LLM_PROXY_PROVIDER_H
#define LLM_PROXY_PROVIDER_H

#include "base/arena.h"
#include "base/status.h"
#include "http/http.h"
#include "llm-proxy/chat/chat.h"
#include "llm-proxy/stream/decoder.h"
#include "llm-proxy/stream/event.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    PROVIDER_KEYS_MAX  = 16,
    PROVIDER_NAME_MAX  = 63,
    PROVIDER_LIMIT_MAX = 1'000'000'000, /* tokens or requests a minute of a key */
};

struct provider_kind;

/** What sets those apart that speak OpenAI's protocol. */
struct provider_flavor {
    const char *name;         /* `flavor` in the configuration */
    enum chat_flavor words;   /* those of OpenAI itself, or of those that imitate it */
    const char *key_header;   /* NULL: Authorization: Bearer */
    bool has_deployments;     /* with `api_version`: /openai/deployments/MODEL/...?api-version= */
    const char *ignores_user; /* why `user` and `parallel_tool_calls` mean nothing there; NULL */
};

/** The flavor of that name, or NULL; the first one is `generic`. */
const struct provider_flavor *provider_flavor_of(str name);

/** A key is named by its secret's name in logs and metrics, or by its fingerprint, never by its
 * value. */
struct provider_key {
    const char *name;
    str value;
    uint32_t weight;
    uint32_t requests_per_minute, tokens_per_minute, parallel; /* of each 0: no limit */
    bool is_set;             /* by the API (provider_keys.h), not by the configuration */
    const char *fingerprint; /* of one whose value was set there; NULL or "": of no other */
};

/** How the simulated provider behaves. */
struct simulation {
    uint64_t seed;
    int64_t first_event_ms;
    int64_t tokens_per_second; /* 0: at once */
    int64_t jitter_ms;         /* 0..this is added, from the request's hash */
    int64_t fail_every;        /* every n-th call fails with 500; 0: none */
    int64_t cut_after;         /* tokens after which every answer is cut; 0: never */
};

enum {
    EMBED_BATCH           = 64,        /* unless the configuration says otherwise */
    EMBED_BATCH_LOCAL     = 32,        /* of an openai-compatible one: smaller machines */
    EMBED_BATCH_BYTES_MAX = 1'200'000, /* OpenAI's 300,000 tokens, of four bytes */
    EMBED_PARALLEL        = 4,
    EMBED_PARALLEL_MAX    = 256,
    EMBED_RATE_MAX        = 1'000,
};

/** How texts go to it (embed_pool.h). */
struct embed_limits {
    uint32_t batch;       /* texts of one call */
    uint32_t concurrency; /* calls at a time of one model */
    uint32_t rate;        /* calls a second of one model; 0: as they come */
};

struct provider {
    const char *name;
    const struct provider_kind *kind;
    const char *base_url;                 /* without a slash at the end */
    const char *plain_host;               /* of a base_url with http:; NULL: it is https */
    const char *key_header;               /* NULL: as the protocol has it */
    const char *version;                  /* of Anthropic's API; NULL: by what a request carries */
    const struct provider_flavor *flavor; /* of an openai-compatible one; NULL: it has none */
    const char *api_version; /* of flavor azure's older addresses; NULL: those without one */
    struct provider_key keys[PROVIDER_KEYS_MAX];
    uint32_t key_count;
    bool is_free;       /* price: free */
    const char *vendor; /* whose public prices hold there (price_table.h); NULL: nobody's */
    struct embed_limits embed;
    struct simulation simulation;
};

/** Says whether its `api_version` is one, and its flavor has such. */
bool provider_takes_version(const struct provider *provider);

/** What a provider is asked. */
struct provider_request {
    const struct provider *provider;
    const struct provider_key *key; /* NULL: the provider has none */
    const struct chat_request *chat;
    str model;
    struct losses *losses; /* what the protocol cannot carry is added; NULL: nobody asks */
};

struct provider_kind {
    const char *name; /* "openai-compatible": `type` in the configuration */
    bool is_simulated;
    enum llm_protocol protocol;   /* a client that speaks it is passed on as it came */
    const char *default_base_url; /* NULL: `base_url` is required */

    /** How a streamed answer is read; NULL: it cannot stream. */
    const struct decoder_kind *stream;

    /**
     * Writes a request as HTTP; a streamed answer is asked for if it wants one, and then usage too,
     * whether the client wants it or not. All of `ret_http` lives as long as `arena`.
     * INVALID_ARGUMENT: the provider cannot express it.
     */
    status (*encode)(const struct provider_request *what, struct arena *arena,
                     struct http_request *ret_http, struct error *reterr);

    /** Turns a whole answer into events, LLM_CHUNK of the body first, LLM_END last. What is no
     * answer of this protocol becomes an error event. Also asked, of a call that wanted a stream,
     * for every answer that is none: another status than 200, another type, no answer at all. */
    void (*decode)(const struct http_result *result, llm_sink *sink, void *context);

    /** Writes the request for the list of models, of which nothing but provider and key counts; as
     * encode(). NULL: nobody is to be asked. */
    status (*list)(const struct provider_request *what, struct arena *arena,
                   struct http_request *ret_http, struct error *reterr);

    /** Asked in its place how many tokens a request has (`is_count`); NULL: it cannot say. */
    const struct provider_kind *counter;
};

extern const struct provider_kind provider_openai;
extern const struct provider_kind provider_compatible;
extern const struct provider_kind provider_anthropic;
extern const struct provider_kind provider_gemini;
extern const struct provider_kind provider_simulated;

/** What a transfer that gave no whole answer means: `result->code` is not OK. The text is its. */
struct llm_error provider_transfer_error(const struct http_result *result);

/** How long an upstream asks to be left alone: retry-after-ms, else retry-after; 0: it does not. */
int64_t provider_retry_after_ms(const struct http_answer *answer);

/** The kind of that name, or NULL. */
const struct provider_kind *provider_kind_of(str name);

#endif
