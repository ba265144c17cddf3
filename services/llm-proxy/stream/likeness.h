/**
 * likeness: events of a stream that differ from each other in one text only.
 *
 * A model says most of its answer in events that are the same, byte for byte, but for the piece of
 * text they bring. An event that is like one that was read as JSON need not be read so again: what
 * stands around its text is compared, and the text taken as it stands. A text with escapes is like
 * none: it has to be decoded.
 *
 * Threads: one.
 */
#ifndef LLM_PROXY_LIKENESS_H
#define LLM_PROXY_LIKENESS_H

#include "base/buf.h"
#include "base/str.h"

enum { LIKENESS_SIZE_MAX = 2'048 /* bytes around a text; larger events are read as JSON */ };

struct likeness {
    struct buf around; /* what stands before and after the text; empty: nothing is known yet */
    size_t before;     /* bytes of it */
};

void likeness_init(struct likeness *likeness);
void likeness_done(struct likeness *likeness);

/**
 * Learns from `data`, an event that was read as JSON and meant `text` alone, a member with one of
 * the names `keys` (NULL at the end). False, and nothing is learnt: it holds escapes, or several
 * members with such names, so that nobody can tell which one it is.
 */
bool likeness_learn(struct likeness *likeness, str data, const char *const *keys, str text);

/** What likeness_find() needs is fetched meanwhile. */
static inline void likeness_look_ahead(const struct likeness *likeness)
{
    for (size_t at = 0; at < likeness->around.len; at += 64) {
        __builtin_prefetch(likeness->around.ptr + at);
    }
}

/** Says whether `data` is like what was learnt. Then it is JSON, and `ret_text` (a view of it, not
 * empty) is its text. */
bool likeness_find(const struct likeness *likeness, str data, str *ret_text);

#endif
