/*
 * Selectors from workflows, and how a field of an extraction is written: whatever is accepted runs,
 * and finds elements in their order.
 */
#include "base/assert.h"
#include "html/extract.h"
#include "html/selector.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char page[] =
    "<div id=a class='x y'><p lang=en>1<b>2</b></p><p>3</p></div><ul><li>1<li>2<li>3</ul>";

static void run_selector(const struct html_document *document, str text)
{
    CLEANUP(selector_freep) struct selector *selector = NULL;
    if (selector_parse(text, &selector, NULL) != STATUS_OK) return;
    struct html_matches matches;
    selector_match(selector, document, &matches);
    for (size_t i = 0; i < matches.count; i++) {
        ASSERT(html_nodes(document)[matches.nodes[i]].kind == HTML_ELEMENT);
        ASSERT(i == 0 || matches.nodes[i - 1] < matches.nodes[i]);
    }
    html_matches_done(&matches);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text                                           = {.ptr = (const char *)data, .len = size};
    CLEANUP(html_freep) struct html_document *document = NULL;
    status code = html_parse(str_from(page), &document, NULL);
    ASSERT(code == STATUS_OK);
    run_selector(document, text);

    CLEANUP(json_unrefp) json fields                        = json_object_new(1);
    CLEANUP(json_unrefp) json found                         = json_null();
    size_t size_found                                       = 0;
    CLEANUP(extraction_freep) struct extraction *extraction = NULL;
    json_object_put_text(&fields, "a", json_text_lossy(text));
    if (extraction_read(fields, &extraction, NULL) == STATUS_OK) {
        (void)extraction_run(extraction, document, str_from("https://a.test/"), &found, &size_found,
                             NULL);
    }
    return 0;
}
