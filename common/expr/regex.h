/**
 * regex: regular expressions with limits, for expressions, schemas and event filters.
 *
 * Oniguruma in its Perl-NT syntax, as jq uses it, behind one door. Each match has its own limits;
 * a pattern that explodes fails instead of holding the thread. A compiled pattern is immutable and
 * may be used by many threads.
 */
#ifndef EXPR_REGEX_H
#define EXPR_REGEX_H

#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { REGEX_PATTERN_MAX = 16 << 10 /* bytes */, REGEX_GROUPS_MAX = 64 };

struct regex;

enum regex_flags {
    REGEX_IGNORE_CASE = 1,
    REGEX_EXTENDED    = 2,
    REGEX_SINGLE_LINE = 4,
    REGEX_DOT_ALL     = 8, /* dot matches line ends */
    REGEX_LONGEST     = 16,
    REGEX_NOT_EMPTY   = 32,
    REGEX_ECMA        = 64, /* as JSON Schema reads patterns: ECMA-262 with Unicode, unanchored */
};

/** Owned: regex_free(). Fails with INVALID_ARGUMENT: the text says what is wrong with the pattern.
 */
status regex_compile(str pattern, unsigned flags, struct regex **ret_regex, struct error *reterr);
void regex_free(struct regex *regex);
void regex_freep(struct regex **regex);

/** Searches from `offset`, the start of a character of `text`, which is valid UTF-8. OK and
 * `*ret_found`; RESOURCE_EXHAUSTED if a limit was reached. */
status regex_search(const struct regex *regex, str text, size_t offset, bool *ret_found,
                    struct error *reterr);

/** Says whether the whole of `text` matches. */
status regex_matches(const struct regex *regex, str text, bool *ret_matches, struct error *reterr);

#endif
