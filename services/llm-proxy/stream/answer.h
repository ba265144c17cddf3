/**
 * answer: the events of one call, collected into the whole of what was said.
 *
 * Used where nothing is streamed: jobs, and interactive calls without `stream`.
 */
#ifndef LLM_PROXY_ANSWER_H
#define LLM_PROXY_ANSWER_H

#include "base/arena.h"
#include "base/buf.h"
#include "llm-proxy/stream/event.h"
#include "json/json_write.h"

enum {
    ANSWER_CHOICES_MAX    = 16,
    ANSWER_TOOL_CALLS_MAX = 128,      /* per choice */
    ANSWER_TEXT_MAX       = 16 << 20, /* bytes per text */
    ANSWER_VECTORS_MAX    = 64 << 20, /* bytes of all vectors of a call */
};

struct answer_tool_call {
    uint32_t part;
    struct buf id, name, arguments;
};

struct answer_choice {
    struct buf text, refusal, thinking;
    struct answer_tool_call *tool_calls; /* owned */
    uint32_t tool_call_count;
    bool is_finished;
    enum llm_finish finish;
};

struct answer {
    bool is_counted_only;  /* texts are counted, not kept: somebody else has them */
    uint64_t output_bytes; /* of texts, thoughts and arguments */
    struct buf id, model;
    int64_t created_us;
    struct answer_choice *choices; /* owned */
    uint32_t choice_count;
    struct buf vectors; /* of embeddings: float32, one vector after the other */
    uint32_t vector_count, dimensions;
    struct llm_usage usage;
    bool is_failed;
    struct llm_error error; /* its words are in `error_text`, but for its type */
    struct buf error_text;
    enum llm_end end;
    enum llm_protocol protocol; /* of `whole` */
    /* The answer as it came in one piece (owned; JSON_INVALID: it came in several, or only its
     * spelling is known), and as it was spelled (empty: not known). */
    json whole;
    struct buf spelled;
    bool is_too_large;
};

void answer_init(struct answer *answer);
void answer_done(struct answer *answer);

/** A sink: `context` is the answer. */
void answer_take(const struct llm_event *event, void *context);

/** Whether it came in one piece, in that protocol. */
bool answer_has_whole(const struct answer *answer, enum llm_protocol protocol);

/** `whole`, which there is, for a client of its protocol: as it came, where that is known. */
void answer_print_whole(const struct answer *answer, struct json_writer *w);

/** `message` of the first choice: {role, content, refusal?, tool_calls?}. */
void answer_print_message(const struct answer_choice *choice, struct json_writer *w);

/** `tool_calls` as an array, possibly empty. */
void answer_print_tool_calls(const struct answer_choice *choice, struct json_writer *w);

#endif
