/**
 * attempts: the tries of a call that did not go well at once: whom each asked, with which key, what
 * became of it, and what it has used. Part of what a job ends with, of the log, and, without keys,
 * of the header Tutti-Tries.
 *
 * Threads: those of the call.
 */
#ifndef LLM_PROXY_ATTEMPTS_H
#define LLM_PROXY_ATTEMPTS_H

#include "base/arena.h"
#include "base/str.h"
#include "json/json_write.h"

#include <stdint.h>

struct llm_call;

/** One try; the next one follows. Texts are the configuration's, or the caller's. */
struct llm_attempt {
    const char *provider;
    str model;
    const char *key;     /* by its name; NULL: it went without one */
    const char *outcome; /* "ok", or the class of its failure */
    int64_t duration_ms;
    int64_t input_tokens, output_tokens; /* as far as its upstream has said */
    int64_t cost_usd_nanos;
    bool is_unpriced;
    struct llm_attempt *next;
};

/** The try under way is over. The last one that may follow is noted, too, if it went well. */
void call_note_attempt(struct llm_call *call);

/** Writes them as an array of {model, key, outcome, duration_ms, input_tokens, output_tokens,
 * cost_usd}. */
void attempts_write(const struct llm_attempt *first, struct json_writer *w);

/** The same as a value: owned; JSON_INVALID: there are none. */
json attempts_value_new(const struct llm_attempt *first);

/** Adds copies of `first` and those behind it at the end of `*list`; they live as long as `arena`.
 * What does not fit into it is left out. */
void attempts_copy(const struct llm_attempt *first, struct arena *arena, struct llm_attempt **list);

/** As the value of a header, of at most `size` bytes: "PROVIDER/MODEL;outcome=timeout;ms=12,
 * ...", with `input`, `output` and `cost` where anything was used; those that do not fit are
 * counted: "more;count=3". */
void attempts_print(const struct llm_attempt *first, size_t size, struct buf *out);

#endif
