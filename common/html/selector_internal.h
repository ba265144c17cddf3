/*
 * A selector as it was read. selector_scan.c takes its words, selector_read.c makes it of them,
 * selector_match.c runs it.
 *
 * A list holds complex selectors ("a > b"), a complex selector its parts ("a.b:not(c)"), a part its
 * tests. A test may hold a list of its own. All lists of a selector are chained in the order in
 * which they were closed, so inner ones stand before outer ones, and the last is the selector.
 */
#ifndef HTML_SELECTOR_INTERNAL_H
#define HTML_SELECTOR_INTERNAL_H

#include "base/arena.h"
#include "html/selector.h"

enum test_kind {
    TEST_ID,
    TEST_CLASS,
    TEST_HAS_ATTRIBUTE,
    TEST_EQUALS,   /* = */
    TEST_WORD,     /* ~= */
    TEST_DASH,     /* |= */
    TEST_PREFIX,   /* ^= */
    TEST_SUFFIX,   /* $= */
    TEST_CONTAINS, /* *= */
    TEST_ROOT,
    TEST_EMPTY,
    TEST_NTH, /* position = step * n + offset */
    TEST_ONLY,
    TEST_ANY_OF,  /* :is, :where */
    TEST_NONE_OF, /* :not */
    TEST_HAS,
};

struct selector_list;

struct selector_test {
    enum test_kind kind;
    str name;  /* of an attribute, lower case */
    str value; /* of an id, a class, an attribute */
    bool ignores_case;
    bool from_end, of_type; /* of TEST_NTH; of TEST_ONLY the latter */
    int64_t step, offset;
    const struct selector_list *list;
    struct selector_test *next;
};

enum combinator { COMBINE_BELOW, COMBINE_CHILD, COMBINE_NEXT, COMBINE_AFTER };

struct selector_part {
    enum combinator before; /* what stands between the part before and this one */
    str type;               /* lower case; empty: any */
    struct selector_test *tests;
    struct selector_part *next, *previous;
};

struct selector_complex {
    struct selector_part *first, *last;
    struct selector_complex *next;
};

struct selector_list {
    bool is_relative; /* of :has(): its complex selectors begin with a combinator */
    struct selector_complex *first;
    size_t index; /* in the chain */
    struct selector_list *next;
};

struct selector {
    struct arena *arena; /* everything lies here */
    struct selector_list *lists;
    size_t list_count, part_count, test_count;
};

/* --- selector_scan.c ---------------------------------------------------------------------------
 */

struct scanner {
    str text;
    size_t at;
    struct arena *arena; /* of the texts that are kept */
    struct error *reterr;
};

/* INVALID_ARGUMENT with the column. */
status scan_refuse(struct scanner *scanner, const char *what);

/* The next byte, or the one so far ahead; -1 at the end. */
int scan_peek(const struct scanner *scanner);
int scan_peek_at(const struct scanner *scanner, size_t ahead);
bool scan_is_digit(int c);
bool scan_is_name(int c);
bool scan_is_escape(const struct scanner *scanner);

bool scan_space(struct scanner *scanner); /* says whether there was some */
bool scan_take(struct scanner *scanner, char c);

/* Names after `#` may begin with a digit, identifiers may not. */
status scan_name(struct scanner *scanner, bool is_identifier, str *ret_name);
status scan_string(struct scanner *scanner, str *ret_value);
/* An+B, odd, even, and the bracket behind it: CSS Syntax Level 3, section 6. */
status scan_nth(struct scanner *scanner, struct selector_test *test);
void scan_lower(str text);

#endif
