/*
 * Pages: any bytes are a document whose tree holds together, in every encoding; and what is found
 * in it is text.
 */
#include "base/assert.h"
#include "base/utf8.h"
#include "html/charset.h"
#include "html/extract.h"
#include "http/url.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_MAX = 8 << 20 /* bytes */ };

static void check_tree(const struct html_document *document)
{
    const struct html_node *nodes = html_nodes(document);
    uint32_t count                = html_node_count(document);
    for (uint32_t i = 1; i < count; i++) {
        ASSERT(nodes[i].parent < i);
        ASSERT(nodes[i].end > i && nodes[i].end <= nodes[nodes[i].parent].end);
        ASSERT(nodes[i].kind != HTML_ELEMENT || html_name(document, i).len > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str page                                           = {.ptr = (const char *)data, .len = size};
    CLEANUP(buf_done) struct buf text                  = buf_init(OUT_MAX);
    CLEANUP(buf_done) struct buf out                   = buf_init(OUT_MAX);
    CLEANUP(html_freep) struct html_document *document = NULL;
    if (!charset_decode(charset_of((str){}, page), page, &text)) return 0;
    if (html_parse(buf_str(&text), &document, NULL) != STATUS_OK) return 0;
    check_tree(document);
    if (html_put_text(document, 0, &out)) {
        ASSERT(utf8_valid_prefix(buf_str(&out)) == out.len);
    }
    (void)html_put_source(document, 0, &out);

    CLEANUP(json_unrefp) json fields                        = json_object_new(2);
    CLEANUP(json_unrefp) json found                         = json_null();
    size_t size_found                                       = 0;
    CLEANUP(extraction_freep) struct extraction *extraction = NULL;
    json_object_put_text(&fields, "links", json_text_from("a@href"));
    json_object_put_text(&fields, "all", json_text_from("body :not(a):has(+ *)"));
    status code = extraction_read(fields, &extraction, NULL);
    ASSERT(code == STATUS_OK);
    (void)extraction_run(extraction, document, str_from("https://a.test/x"), &found, &size_found,
                         NULL);
    return 0;
}
