/**
 * selector: which elements of a document (html/document.h) a selector (css/selector.h) means.
 *
 * How long matching takes: every part of a selector looks at every node once. So nothing that a
 * page or a selector holds makes it slower than parts times nodes.
 *
 * Any thread; matching uses no memory but its own.
 */
#ifndef HTML_SELECTOR_H
#define HTML_SELECTOR_H

#include "css/selector.h"
#include "html/document.h"

struct html_matches {
    uint32_t *nodes; /* owned; ascending: the order of the document */
    size_t count;
};

/** All elements of the document that match. Owned: html_matches_done(). */
void selector_match(const struct selector *selector, const struct html_document *document,
                    struct html_matches *ret_matches);
void html_matches_done(struct html_matches *matches);

/** The part of `matches` below `node`: from the index returned on, `*ret_count` of them. */
size_t html_matches_below(const struct html_matches *matches, const struct html_document *document,
                          uint32_t node, size_t *ret_count);

#endif
