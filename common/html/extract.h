/**
 * extract: what a page says, as a map: names and selectors go in, names and values come out.
 *
 *     title: {first: h1}                          # the first match, or null
 *     tags: .tag                                  # all matches: a list
 *     links: a.more@href                          # an attribute; addresses become absolute
 *     body: {first: "article::html"}              # as HTML, the element itself included
 *     products:
 *       all: .product                             # one record for each match
 *       fields: {name: {first: h2}, price: {first: .price}, id: "@data-id"}
 *
 * `::text` is what there is without a suffix: the text as a reader sees it. Inside `fields`, a
 * selector is looked for below the record's element, and one that is empty but for its suffix
 * (`@data-id`, `::text`) is that element; it yields one value, no list. An attribute that is
 * missing is left out of a list, and null otherwise. Selectors: html/selector.h.
 *
 * An extraction is immutable: any thread, also beside others that use it.
 */
#ifndef HTML_EXTRACT_H
#define HTML_EXTRACT_H

#include "html/document.h"
#include "json/json.h"

enum {
    EXTRACT_FIELDS_MAX = 256,     /* in all */
    EXTRACT_DEPTH_MAX  = 8,       /* records within each other */
    EXTRACT_VALUES_MAX = 500'000, /* of the result, with nulls, lists and records */
    EXTRACT_VISITS_MAX =
        50'000'000, /* nodes that texts are made of; each counts once per match that it is below */
    EXTRACT_SIZE_MAX = 8 << 20, /* bytes of its texts */
    EXTRACT_WORK_MAX = 1 << 30, /* parts of selectors times nodes: some seconds */
};

struct extraction;

/** Reads `fields`, an object as above. Owned: extraction_freep(). INVALID_ARGUMENT names the field
 * and, of a selector, the column. */
status extraction_read(json fields, struct extraction **ret_extraction, struct error *reterr);
void extraction_free(struct extraction *extraction);
void extraction_freep(struct extraction **extraction);

/** Runs it. `url` is where the document came from (empty: addresses stay as they are written).
 * `*ret_data` is owned; `*ret_bytes` are those of its texts. RESOURCE_EXHAUSTED: a limit above, by
 * name. */
status extraction_run(const struct extraction *extraction, const struct html_document *document,
                      str url, json *ret_data, size_t *ret_bytes, struct error *reterr);

/** The address that relative ones of a page count from: its <base>, or `url`. Appends it. */
bool html_put_base(const struct html_document *document, str url, struct buf *out);

#endif
