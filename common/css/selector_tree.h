/**
 * selector_tree: a selector as it was read, for those who match it (html/selector.h).
 *
 * A list holds complex selectors ("a > b"), a complex selector its parts ("a.b:not(c)"), a part its
 * tests. A test may hold a list of its own. All lists of a selector are chained in the order in
 * which they were closed, so inner ones stand before outer ones, and the last is the selector.
 */
#ifndef CSS_SELECTOR_TREE_H
#define CSS_SELECTOR_TREE_H

#include "base/arena.h"
#include "css/selector.h"

#include <stdbool.h>
#include <stdint.h>

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

#endif
