/**
 * selector: CSS selectors as they are written; html/selector.h runs them over a document.
 *
 * Known: type and `*`, `.class`, `#id`, attributes (`[a]`, `=`, `~=`, `|=`, `^=`, `$=`, `*=`, with
 * `i` or `s`), the combinators ` `, `>`, `+`, `~`, lists, `:not()`, `:is()`, `:where()`, `:has()`,
 * `:root`, `:empty`,
 * `:first-child`, `:last-child`, `:only-child`, `:nth-child()`, `:nth-last-child()` and the same
 * `-of-type`. What depends on a person or a layout (`:hover`, `::before`), namespaces, `:scope` and
 * `:nth-child(... of ...)` are refused by name. Sources: Selectors Level 4 (W3C), and the
 * HTML standard for attributes whose values ignore case. Classes and ids are compared exactly, also
 * in documents without doctype, where browsers ignore case.
 *
 * A selector is immutable: any thread.
 */
#ifndef CSS_SELECTOR_H
#define CSS_SELECTOR_H

#include "base/status.h"
#include "base/str.h"

#include <stddef.h>

enum {
    SELECTOR_SIZE_MAX  = 4'096, /* bytes */
    SELECTOR_PARTS_MAX = 64,    /* simple selectors joined by combinators and commas */
    SELECTOR_TESTS_MAX = 256,   /* classes, ids, attributes, pseudo-classes */
    SELECTOR_DEPTH_MAX = 8,     /* `:not(:is(...))` */
};

struct selector;

/** Reads a list of selectors. Owned: selector_freep(). INVALID_ARGUMENT: the text says what is
 * wrong, and at which column (bytes, from 1). */
status selector_parse(str text, struct selector **ret_selector, struct error *reterr);
void selector_free(struct selector *selector);
void selector_freep(struct selector **selector);

/** How many passes over a document it takes to match it: what work to expect. */
size_t selector_parts(const struct selector *selector);

#endif
