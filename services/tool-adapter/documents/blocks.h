/**
 * blocks: what a document is made of, before it is split: paragraphs, headings, code, rows of
 * tables, each a range of one text.
 *
 * Plain text has paragraphs only, which blank lines part. Markdown (CommonMark's leaf blocks, the
 * pipe tables of GFM) has headings with `#` or an underline, fences of backticks or tildes, and
 * rows that begin with `|`; indented code counts as a paragraph. HTML is parsed as HTML5 and
 * becomes text: elements that are blocks become paragraphs, `pre` code, `tr` a row whose cells are
 * joined by " | "; scripts, styles and navigation are dropped.
 *
 * Pure and without recursion; any thread.
 */
#ifndef TOOL_ADAPTER_DOCUMENTS_BLOCKS_H
#define TOOL_ADAPTER_DOCUMENTS_BLOCKS_H

#include "base/buf.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    BLOCKS_MAX      = 1'000'000,
    BLOCKS_TEXT_MAX = 8 << 20, /* bytes of a text, and of what HTML becomes */
    BLOCKS_HTML_MAX = 4 << 20, /* bytes; html/document.h bounds what they become */
    HEADING_LEVELS  = 6,
};

enum document_form { DOCUMENT_TEXT, DOCUMENT_MARKDOWN, DOCUMENT_HTML };

enum block_kind {
    BLOCK_PARAGRAPH,
    BLOCK_HEADING,
    BLOCK_CODE, /* kept whole, as the next one */
    BLOCK_ROW,
};

/** [start, end) without blanks at either end; never empty. */
struct block {
    size_t start, end; /* bytes */
    enum block_kind kind;
    uint8_t level; /* of a heading: 1 to 6 */
    str title;     /* of a heading, without its marks; a view of the text */
};

struct blocks {
    struct buf own; /* the text of HTML */
    str text;       /* a view of the source, or of `own` */
    struct block *items;
    size_t count, capacity;
};

void blocks_done(struct blocks *blocks);

/**
 * Reads a source, which is borrowed as long as the blocks live. Release: blocks_done(), also after
 * a failure. INVALID_ARGUMENT: no UTF-8, or too large; RESOURCE_EXHAUSTED: more than BLOCKS_MAX, or
 * HTML beyond the limits of html_parse().
 */
status blocks_read(enum document_form form, str source, struct blocks *blocks,
                   struct error *reterr);

#endif
