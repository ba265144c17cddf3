/* regex_internal: what the evaluator needs beyond regex.h: the groups of a match. */
#ifndef EXPR_REGEX_INTERNAL_H
#define EXPR_REGEX_INTERNAL_H

#include "base/buf.h"
#include "expr/regex.h"

/* A flag beside regex_flags: no regex_matches() for this one, which compiles in half the time. */
enum { REGEX_SEARCH_ONLY = 1 << 16 };

/* Byte offsets into the text; -1: the group took no part. */
struct regex_group {
    int32_t from;
    int32_t to;
};

struct regex_match {
    uint32_t count; /* groups; 0 is the whole match */
    struct regex_group groups[REGEX_GROUPS_MAX + 1];
};

enum { REGEX_RETRIES_MAX = 1'000'000 /* per search */ };

/* Like regex_search(), with the groups of the match (NULL: not wanted), and with at most `retries`
 * steps back. `text` is valid UTF-8 and `offset` stands at the start of a character. */
status regex_find(const struct regex *regex, str text, size_t offset, uint32_t retries,
                  bool *ret_found, struct regex_match *ret_match);

/* The name of a group from 1; empty if it has none. Lives as long as `regex`. */
str regex_group_name(const struct regex *regex, uint32_t group);

/* Writes an ECMA-262 pattern as Oniguruma reads it. See regex_ecma.c. */
status regex_translate_ecma(str pattern, struct buf *out, struct error *reterr);

#endif
