/* What is made of a page that is there: its HTML, a picture, a PDF. */
#include "tool-adapter/browser/browser_internal.h"

#include <math.h>
#include <stdio.h>

enum { SIDE_MIN = 1, TEXT_MAX = 400 };

static void deliver(struct page *page, json content)
{
    if (!json_is(content, JSON_TEXT)) {
        page_fault(page, "too_large", STATUS_OK, "the page is too large");
        return;
    }
    if (page->run) {
        page_run_take(page, json_str(content));
        return;
    }
    page->result.content = json_str(content);
    page_finish(page);
}

/* Between steps a page may go elsewhere while it is read: then it is read where it is. */
static void cannot_read(struct page *page, const char *error)
{
    if (page->run) {
        page_run_settle(page);
    } else {
        page_went_wrong(page, error);
    }
}

static void has_html(json result, const char *error, void *context)
{
    struct page *page = context;
    json pair         = json_get_text(json_get_text(result, "result"), "value");
    json url          = json_at(pair, 0);
    struct url parts;
    if (error) {
        cannot_read(page, error);
        return;
    }
    if (json_is(url, JSON_TEXT) && url_parse(json_str(url), &parts)) {
        buf_clear(&page->url);
        (void)buf_put_str(&page->url, json_str(url));
    }
    deliver(page, json_at(pair, 1));
}

static void has_data(json result, const char *error, void *context)
{
    struct page *page = context;
    json data         = json_get_text(result, "data");
    if (error) {
        page_went_wrong(page, error);
    } else if (json_is(data, JSON_TEXT) && json_str(data).len > PAGE_ANSWER_MAX) {
        page_fault(page, "too_large", STATUS_OK, "what it makes has more than %d bytes",
                   PAGE_ANSWER_MAX);
    } else {
        deliver(page, data);
    }
}

/* In a world of its own: what the page made of its objects does not show there. */
void page_evaluate(struct page *page, json world, const char *expression, wire_answer_fn *answer)
{
    json id = json_get_text(world, "executionContextId");
    if (!json_is_number(id)) {
        page_went_wrong(page, "no world");
        return;
    }
    json params = page_object_of("contextId", json_ref(id));
    json_object_put_text(&params, "expression", json_text_from(expression));
    json_object_put_text(&params, "returnByValue", json_bool(true));
    json_object_put_text(&params, "timeout", json_int(PAGE_EVALUATE_MS));
    page_send(page, &page->session, "Runtime.evaluate", params, answer);
}

void page_enter_world(struct page *page, wire_answer_fn *answer)
{
    json params = page_object_of("frameId", json_text_from(page->target_id));
    json_object_put_text(&params, "worldName", json_text_from("tutti"));
    page_send(page, &page->session, "Page.createIsolatedWorld", params, answer);
}

static void read_html(json result, const char *error, void *context)
{
    char expression[TEXT_MAX];
    (void)snprintf(expression, sizeof expression,
                   "(()=>{const h=(document.doctype?'<!DOCTYPE html>':'')+(document."
                   "documentElement?document.documentElement.outerHTML:'');"
                   "return[location.href,h.length>%d?null:h]})()",
                   PAGE_HTML_MAX);
    if (error) {
        cannot_read(context, error);
    } else {
        page_evaluate(context, result, expression, has_html);
    }
}

static void take_picture(struct page *page, double width, double height)
{
    json params = json_ref(page->request.settings);
    if (width > 0) {
        json clip = page_object_of("x", json_int(0));
        json_object_put_text(&clip, "y", json_int(0));
        json_object_put_text(&clip, "width", json_real(width));
        json_object_put_text(&clip, "height", json_real(height));
        json_object_put_text(&clip, "scale", json_int(1));
        json_object_put_text(&params, "clip", clip);
        json_object_put_text(&params, "captureBeyondViewport", json_bool(true));
    }
    page_send(page, &page->session, "Page.captureScreenshot", params, has_data);
}

bool page_fits(const struct page *page, double width, double height)
{
    double scale = page->request.scale;
    width *= scale;
    height *= scale;
    return width >= SIDE_MIN && width <= PAGE_SIDE_MAX && height >= SIDE_MIN &&
           height <= PAGE_SIDE_MAX && width * height <= PAGE_PIXELS_MAX;
}

static void has_size(json result, const char *error, void *context)
{
    struct page *page = context;
    json size         = json_get_text(result, "cssContentSize");
    json width        = json_get_text(size, "width");
    json height       = json_get_text(size, "height");
    bool is_size      = json_is_number(width) && json_is_number(height);
    if (error || !is_size) {
        page_went_wrong(page, error ? error : "it has no size");
    } else if (!page_fits(page, json_number(width), json_number(height))) {
        page_fault(page, "too_large", STATUS_OK, "the page has %.0f x %.0f pixels",
                   json_number(width), json_number(height));
    } else {
        take_picture(page, ceil(json_number(width)), ceil(json_number(height)));
    }
}

void page_capture(struct page *page)
{
    page->is_capturing = true;
    if (page->request.product == PAGE_HTML) {
        page_enter_world(page, read_html);
    } else if (page->request.product == PAGE_PDF) {
        page_send(page, &page->session, "Page.printToPDF", json_ref(page->request.settings),
                  has_data);
    } else if (page->request.is_whole) {
        page_send(page, &page->session, "Page.getLayoutMetrics", json_invalid(), has_size);
    } else {
        take_picture(page, 0, 0);
    }
}
