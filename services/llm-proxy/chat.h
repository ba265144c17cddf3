/**
 * chat: a request to a chat model, in one form for all protocols.
 *
 * Decoders of client protocols and of `llm.chat` jobs make it, encoders of upstream protocols read
 * it. Members this model does not know are kept in `extra`, as they came.
 *
 * Everything lives as long as the request's arena and the JSON value it was read from (`source`).
 */
#ifndef LLM_PROXY_CHAT_H
#define LLM_PROXY_CHAT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "json/json.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    CHAT_MESSAGES_MAX = 4096,
    CHAT_PARTS_MAX    = 256, /* per message */
    CHAT_TOOLS_MAX    = 128,
    CHAT_STOPS_MAX    = 16,
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
    PART_THINKING,    /* text */
};

struct chat_part {
    enum chat_part_kind kind;
    str text;
    str id, name;
    str url, data, media_type;
    bool is_error; /* of a tool result */
    json raw;      /* the part as it came, for members not known here; JSON_INVALID: none */
};

struct chat_message {
    enum chat_role role;
    str name;
    struct chat_part *parts;
    uint32_t part_count;
};

struct chat_tool {
    str name, description;
    json schema; /* JSON Schema of the arguments; JSON_INVALID: none */
    bool is_strict;
};

enum chat_choice { CHOICE_UNSET, CHOICE_AUTO, CHOICE_NONE, CHOICE_REQUIRED, CHOICE_FUNCTION };

enum chat_format { FORMAT_TEXT, FORMAT_JSON, FORMAT_SCHEMA };

struct chat_request {
    struct arena *arena; /* borrowed */
    str model;
    struct chat_message *messages;
    uint32_t message_count;
    struct chat_tool *tools;
    uint32_t tool_count;
    enum chat_choice choice;
    str choice_name;     /* CHOICE_FUNCTION */
    json parallel_tools; /* true, false or JSON_INVALID */

    json temperature, top_p, top_k; /* numbers or JSON_INVALID */
    int64_t max_tokens;             /* 0: not given */
    str stops[CHAT_STOPS_MAX];
    uint32_t stop_count;
    int64_t count; /* n; 0: not given */
    json seed;     /* number or JSON_INVALID */
    str effort;    /* reasoning effort; empty: not given */
    str user;

    enum chat_format format;
    str schema_name;
    json schema; /* FORMAT_SCHEMA */
    bool is_schema_strict;
    bool is_unchecked; /* the caller looks at the shape of the answer itself */

    /* Embeddings instead of a chat, if there are any (embed.h). */
    str *inputs;
    uint32_t input_count;
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

/**
 * Reads the arguments of the function `llm.chat`: model, system?, prompt or messages (OpenAI's
 * shape), json?, schema?, tools?, and OpenAI's sampling members. Statuses as above.
 */
status chat_from_job(json arguments, struct arena *arena, struct chat_request **ret_request,
                     struct error *reterr);

/** Says whether a member of a request is one that this model holds; the others are `extra`. */
bool chat_member_is_known(str key);

/** The request as the body of OpenAI's chat completions, with `model` in place of its own. */
bool chat_print_openai(const struct chat_request *request, str model, struct buf *out);

#endif
