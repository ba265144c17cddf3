/**
 * chat: a request to a chat model, in one form for all protocols.
 *
 * Readers of client protocols and of `llm.chat` jobs make it, printers of upstream protocols read
 * it. The body as it came is kept too (`source`): an upstream that speaks the client's protocol is
 * sent that, with another `model`, so nothing is lost that this model does not know. Between two
 * protocols a printer says what it could not carry (loss.h).
 *
 * Everything lives as long as the request's arena and the JSON value it was read from; what a
 * reader had to make anew (`converted`) until chat_request_done().
 */
#ifndef LLM_PROXY_CHAT_H
#define LLM_PROXY_CHAT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "llm-proxy/chat/loss.h"
#include "llm-proxy/stream/event.h"
#include "json/json.h"
#include "json/json_write.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    CHAT_MESSAGES_MAX = 4096,
    CHAT_PARTS_MAX    = 256, /* per message */
    CHAT_TOOLS_MAX    = 128,
    CHAT_STOPS_MAX    = 16,
    CHAT_REPAIRS_MAX  = 10,       /* asks for one answer after the first */
    CHAT_RUNS_MAX     = 5,        /* between the members that are ours (chat_member_is_ours()) */
    CHAT_ARENA_MAX    = 64 << 20, /* bytes */
};

enum chat_role { ROLE_SYSTEM, ROLE_USER, ROLE_ASSISTANT, ROLE_TOOL };

enum chat_part_kind {
    PART_TEXT,        /* text */
    PART_REFUSAL,     /* text */
    PART_IMAGE,       /* url, or data and media_type */
    PART_AUDIO,       /* data and media_type */
    PART_FILE,        /* url, or data and media_type; name */
    PART_TOOL_CALL,   /* id, name, text = arguments as JSON text */
    PART_TOOL_RESULT, /* id, text */
    PART_THINKING,    /* text, signature */
    PART_SEALED,      /* data: thinking that only its upstream can read */
    PART_FOREIGN,     /* raw: what only its own protocol has; name = its type */
};

struct chat_part {
    enum chat_part_kind kind;
    str text;
    str id, name;
    str url, data, media_type;
    str signature;     /* of thinking or a tool call: the upstream knows its own words by it */
    json cache;        /* a cache marker ({type: ephemeral, ttl}), or JSON_INVALID */
    const char *mark;  /* the time to live of one that is put back; NULL: none */
    uint32_t position; /* in the client's list of parts, or of tool calls */
    bool is_error;     /* of a tool result */
    bool is_own;       /* a thought of the very model that is asked: it goes back as it came */
    json raw; /* the part as it came, in the words of the request's protocol, or JSON_INVALID */
};

/* A message of ROLE_TOOL is one tool's result: at least one part, each with the call's id; images
 * and files may stand among the texts. */
struct chat_message {
    enum chat_role role;
    str name;
    struct chat_part *parts;
    uint32_t part_count;
    const char *path; /* JSON pointer in the client's body; NULL: none */
};

struct chat_tool {
    str name, description;
    json schema; /* JSON Schema of the arguments; JSON_INVALID: none */
    bool is_strict;
    const char *path; /* JSON pointer in the client's body; NULL: none */
    json cache;       /* as of a part */
    bool is_foreign;  /* runs at the upstream: `raw` says which, in the request's protocol */
    json raw;
};

enum chat_thinking {
    THINKING_UNSET,
    THINKING_OFF,
    THINKING_BUDGET, /* `thinking_budget` tokens */
    THINKING_AUTO,   /* as much as the model likes */
};

enum chat_choice { CHOICE_UNSET, CHOICE_AUTO, CHOICE_NONE, CHOICE_REQUIRED, CHOICE_FUNCTION };

enum chat_format { FORMAT_TEXT, FORMAT_JSON, FORMAT_SCHEMA };

struct chat_request {
    struct arena *arena;        /* borrowed */
    enum llm_protocol protocol; /* whose words it was made of; jobs use OpenAI's */
    json source;    /* the body as it came in `protocol`; JSON_INVALID: a job's, printed anew */
    json converted; /* an array that owns what the reader made anew, or JSON_INVALID */
    str bytes;      /* of `source`, as it was spelled; empty: nobody knows */
    /* Of one that chat_scan_openai() has read (`run_count` > 0): the members that go on, in runs as
     * they are spelled. Its messages and tools are there, and in `source` they are not. */
    str runs[CHAT_RUNS_MAX];
    uint32_t run_count;
    str model;
    struct chat_message *messages;
    uint32_t message_count;
    uint32_t repair_count; /* of them, at the end: what an answer of the wrong shape was told */
    uint64_t
        stripped_size; /* bytes of the texts it had before chat_request_strip(), or was scanned */
    uint32_t stripped_images; /* likewise */
    struct chat_tool *tools;
    uint32_t tool_count;
    enum chat_choice choice;
    str choice_name; /* CHOICE_FUNCTION */
    str *allowed;    /* names of the tools that may be called; NULL: all of them */
    uint32_t allowed_count;
    json parallel_tools; /* true, false or JSON_INVALID */

    json temperature, top_p, top_k; /* numbers or JSON_INVALID */
    int64_t max_tokens;             /* 0: not given */
    str stops[CHAT_STOPS_MAX];
    uint32_t stop_count;
    int64_t count; /* n; 0: not given */
    json seed;     /* number or JSON_INVALID */
    str effort;    /* reasoning effort in OpenAI's words; empty: not given */
    enum chat_thinking thinking;
    int64_t thinking_budget; /* tokens */
    bool shows_thoughts;     /* the client asked to see them */
    str user;
    str version; /* of the protocol, as the client's header names it; empty: not given */
    str betas;   /* likewise */

    enum chat_format format;
    str schema_name;
    json schema; /* FORMAT_SCHEMA */
    bool is_schema_strict;
    bool is_strict;    /* what a translation would lose is refused */
    bool is_validated; /* an answer that has not the shape which is asked for is no answer */
    bool is_count;     /* only how many tokens it has is asked: nobody answers it */
    bool is_unchecked; /* the caller looks at the shape of the answer itself */
    int64_t repairs;   /* how often a wrong shape is asked for again; -1: as the route says */

    /* Embeddings instead of a chat, if there are any (embed.h). */
    str *inputs;
    uint32_t input_count;
    bool has_tokens;    /* they are arrays of tokens, as JSON has them */
    int64_t dimensions; /* 0: the model's own */
    bool wants_base64;

    bool is_stream;
    json stream_options; /* OpenAI's, as they came; JSON_INVALID: none */
    bool wants_usage;    /* in the stream, as OpenAI's clients ask for it */
    json extra;          /* the source, if it has members not known here (chat_member_is_known()) */
};

/**
 * Reads the body of OpenAI's `POST /v1/chat/completions`. `source` is borrowed and must outlive the
 * request. INVALID_ARGUMENT names the member by JSON pointer.
 */
status chat_from_openai(json source, struct arena *arena, struct chat_request **ret_request,
                        struct error *reterr);

/** The same of a body whose messages and tools were read already (chat_scan.h): of `rest`, the
 * other members. */
status chat_from_openai_rest(json rest, struct arena *arena, struct chat_request **ret_request,
                             struct error *reterr);

/**
 * Reads the arguments of the function `llm.chat`: model, system?, prompt or messages (OpenAI's
 * shape), json?, schema?, tools?, repair_attempts?, and OpenAI's sampling members. Statuses as
 * above.
 */
status chat_from_job(json arguments, struct arena *arena, struct chat_request **ret_request,
                     struct error *reterr);

/** The same for Anthropic's `POST /v1/messages`; with `needs_limit`, `max_tokens` has to be there,
 * as it has for everything but counting tokens. */
status chat_from_anthropic(json source, bool needs_limit, struct arena *arena,
                           struct chat_request **ret_request, struct error *reterr);

/** The same for Gemini's `:generateContent`, whose path names the model and asks for a stream. The
 * request is to be given to chat_request_done(). */
status chat_from_gemini(json source, str model, bool is_stream, struct arena *arena,
                        struct chat_request **ret_request, struct error *reterr);

/** Frees what the reader has made anew; not the request, which is its arena's. NULL is fine. */
void chat_request_done(struct chat_request *request);

/** It is not sent again, nor is its answer checked: only what an answer is written and charged by
 * is left. What it was read from may go then, if `model` is not a view of that. */
void chat_request_strip(struct chat_request *request);

/** Bytes of all texts of its messages, also of a stripped one. */
uint64_t chat_request_size(const struct chat_request *request);

/** How many pictures they have, likewise. */
uint32_t chat_request_images(const struct chat_request *request);

/** A copy of `arena` whose messages, parts, tools and `allowed` may be changed; all they point to
 * is the original's. NULL: out of memory. */
struct chat_request *chat_copy(const struct chat_request *request, struct arena *arena);

/** Says whether a message has nothing to say: only empty texts. */
bool chat_is_silent(const struct chat_message *message);

/** Says whether there is anything but system messages, which upstreams other than OpenAI's want. */
bool chat_has_turns(const struct chat_request *request);

/** Says whether the tool of that name is among those that may be called. */
bool chat_may_call(const struct chat_request *request, str name);

/** Says whether a member of a request is one that this model holds; the others are `extra`. */
bool chat_member_is_known(str key);

/** Says whether a member does not go on as it came: the model, what asks for a stream, and what is
 * said to us alone. */
bool chat_member_is_ours(str key);

/** The members of the body as it came, as they are spelled, but for the model, which is `model`
 * (empty: none), and for those that ask for a stream, which the caller adds. */
void chat_print_source(const struct chat_request *request, str model, struct json_writer *w);

/** OpenAI itself wants `max_completion_tokens`; those that imitate it know `max_tokens` all. */
enum chat_flavor { FLAVOR_COMPATIBLE, FLAVOR_OPENAI };

/**
 * The request as the body of OpenAI's chat completions, with `model` in place of its own. What it
 * could not carry is added to `losses`, which may be NULL. False: `out` is full.
 */
bool chat_print_openai(const struct chat_request *request, str model, enum chat_flavor flavor,
                       struct losses *losses, struct buf *out);

#endif
