/* HTML of a page that is read on the pool, for a step that extracts something of it. */
#include "tool-adapter/browser/page_run.h"

#include "base/mem.h"

#include <stdlib.h>

struct page_reading {
    struct work work;
    struct page *page;        /* NULL: it is gone */
    struct page_steps *steps; /* held: the extraction is theirs */
    const struct extraction *extraction;
    struct buf html, url;
    json data; /* owned */
    size_t bytes;
    status code;
    struct error error;
};

static void reading_free(struct page_reading *reading)
{
    page_steps_unref(reading->steps);
    json_unref(reading->data);
    buf_done(&reading->html);
    buf_done(&reading->url);
    free(reading);
}

static void read_html(void *context)
{
    struct page_reading *reading                       = context;
    CLEANUP(html_freep) struct html_document *document = NULL;
    reading->code = html_parse(buf_str(&reading->html), &document, &reading->error);
    if (reading->code != STATUS_OK) return;
    reading->code = extraction_run(reading->extraction, document, buf_str(&reading->url),
                                   &reading->data, &reading->bytes, &reading->error);
}

static void was_read(void *context)
{
    struct page_reading *reading = context;
    struct page *page            = reading->page;
    if (page) page->run->reading = NULL;
    if (page && reading->code != STATUS_OK) {
        page_fault(page, "too_large", STATUS_OK, "%s", reading->error.text);
    } else if (page) {
        page_run_take_data(page, reading->data, reading->bytes);
    }
    reading_free(reading);
}

void page_read(struct page *page, const struct extraction *extraction, str html)
{
    struct page_reading *reading = mem_new(1, sizeof *reading);
    *reading =
        (struct page_reading){.work  = {.run = read_html, .done = was_read, .context = reading},
                              .page  = page,
                              .steps = page_steps_ref(page->run->steps),
                              .extraction = extraction,
                              .html       = buf_init(HTML_SIZE_MAX + 1),
                              .url        = buf_init(HTTP_URL_MAX)};
    page->run->reading = reading;
    (void)buf_put_str(&reading->url, buf_str(&page->url));
    if (!buf_put_str(&reading->html, html)) {
        page->run->reading = NULL;
        reading_free(reading);
        page_fault(page, "too_large", STATUS_OK, "the page has more than %d bytes", HTML_SIZE_MAX);
        return;
    }
    work_pool_run(page->browser->options.pool, &reading->work);
}

void page_read_cancel(struct page *page)
{
    struct page_reading *reading = page->run->reading;
    if (!reading) return;
    page->run->reading = NULL;
    reading->page      = NULL;
    if (work_pool_take_back(page->browser->options.pool, &reading->work)) reading_free(reading);
}
