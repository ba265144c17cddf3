/*
 * Our selectors for the oracle's tests: a line of standard input is {"html", "selectors"}, a line
 * of the answer an array with, for each selector, the values of `data-n` of what it finds, or what
 * is wrong with it.
 */
#include "html/selector.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINE_MAX = 16 << 20 /* bytes */ };

static json find(const struct html_document *document, str text)
{
    CLEANUP(selector_freep) struct selector *selector = NULL;
    struct error error                                = {};
    if (selector_parse(text, &selector, &error) != STATUS_OK) return json_text_from(error.text);
    struct html_matches matches;
    json found = json_array_new(0);
    selector_match(selector, document, &matches);
    for (size_t i = 0; i < matches.count; i++) {
        str number;
        if (!html_attribute(document, matches.nodes[i], str_from("data-n"), &number)) continue;
        json_array_push(&found, json_text_new(number));
    }
    html_matches_done(&matches);
    return found;
}

static void answer(str line, struct buf *out)
{
    CLEANUP(html_freep) struct html_document *document = NULL;
    CLEANUP(json_unrefp) json asked                    = json_null();
    CLEANUP(json_unrefp) json found                    = json_array_new(0);
    if (json_parse(line, NULL, &asked, NULL, NULL) != STATUS_OK) abort();
    if (html_parse(json_str(json_get_text(asked, "html")), &document, NULL) != STATUS_OK) abort();
    json selectors = json_get_text(asked, "selectors");
    for (size_t i = 0; i < json_count(selectors); i++) {
        json_array_push(&found, find(document, json_str(json_at(selectors, i))));
    }
    buf_clear(out);
    if (!json_print(found, JSON_COMPACT, out)) abort();
    (void)puts(buf_str(out).ptr);
}

int main(void)
{
    CLEANUP(buf_done) struct buf out = buf_init(LINE_MAX);
    char *line                       = NULL;
    size_t size                      = 0;
    ssize_t len;
    while ((len = getline(&line, &size, stdin)) > 0) {
        answer((str){.ptr = line, .len = (size_t)len - 1}, &out);
    }
    free(line);
    return 0;
}
