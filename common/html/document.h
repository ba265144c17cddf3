/**
 * document: HTML as a tree, by the rules that browsers follow (HTML5), so any bytes are a document.
 *
 * The tree is one array of nodes in the order of the text. The nodes below one are those between it
 * and its `end`; so walking is counting, whatever the depth. Node 0 is the document itself. What is
 * inside <template> is no part of it, as in browsers.
 *
 * Pages are written by strangers. Size, depth, nodes, memory and CPU time are bounded; what exceeds
 * one is refused with RESOURCE_EXHAUSTED. Texts of the tree are valid UTF-8.
 *
 * Immutable once read: any thread. Texts live as long as the document.
 */
#ifndef HTML_DOCUMENT_H
#define HTML_DOCUMENT_H

#include "base/buf.h"
#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    HTML_SIZE_MAX   = 10 << 20,  /* bytes of UTF-8 */
    HTML_NODES_MAX  = 1'000'000, /* a page of 2 MB has some 60,000 */
    HTML_DEPTH_MAX  = 2'000,     /* elements within each other */
    HTML_MEMORY_MAX = 512 << 20, /* bytes that the parser may take; 2 MB take 30 MB */
    HTML_PARSE_MS   = 5'000,     /* CPU time of one page; 2 MB take 150 ms */
};

enum html_kind { HTML_DOCUMENT, HTML_ELEMENT, HTML_TEXT, HTML_COMMENT };

enum { HTML_NO_NAME = UINT32_MAX /* no element of the document is called so */ };

struct html_attribute {
    str name; /* lower case */
    str value;
};

/** Numbers of nodes; 0 where there is none (the document is nobody's sibling). */
struct html_node {
    enum html_kind kind;
    uint32_t name; /* of an element; see html_name() */
    uint32_t parent;
    uint32_t end;      /* the first node that is not below this one */
    uint32_t previous; /* the element before it among its siblings */
    uint32_t position; /* of an element among the elements of its parent, from 1 */
    uint32_t elements; /* how many elements it has as children */
    uint32_t attribute_count;
    const struct html_attribute *attributes;
    str text; /* of a text or comment */
};

struct html_document;

/** Reads UTF-8; what is none becomes U+FFFD (html/charset.h converts). Owned: html_freep().
 * RESOURCE_EXHAUSTED: a limit above, by name. */
status html_parse(str utf8, struct html_document **ret_document, struct error *reterr);
void html_free(struct html_document *document);
void html_freep(struct html_document **document);

/** All nodes; the document's `end` is their number. */
const struct html_node *html_nodes(const struct html_document *document);
uint32_t html_node_count(const struct html_document *document);

/** The name of an element, lower case: "div". */
str html_name(const struct html_document *document, uint32_t node);

/** The number by which elements of a name (any case) are found; HTML_NO_NAME: there are none. */
uint32_t html_name_number(const struct html_document *document, str name);

/** The elements that are called by a number, or all of them (HTML_NO_NAME), in the document's
 * order. A view of `ret_count` numbers. */
const uint32_t *html_elements(const struct html_document *document, uint32_t name,
                              uint32_t *ret_count);

/** The value of an attribute (name in lower case); false if there is none. */
bool html_attribute(const struct html_document *document, uint32_t node, str name, str *ret_value);

/** The text of a node as a reader sees it: white space is one space, blocks and line breaks stand
 * apart, nothing at the ends; without scripts, styles and what else is not shown. False if `out` is
 * full. */
bool html_put_text(const struct html_document *document, uint32_t node, struct buf *out);

/** The node as HTML, itself included, by the standard's serialization. False if `out` is full. */
bool html_put_source(const struct html_document *document, uint32_t node, struct buf *out);

#endif
