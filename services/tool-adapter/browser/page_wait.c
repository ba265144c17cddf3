/* Waiting until a page is there: loaded, or showing what was waited for, and quiet. */
#include "tool-adapter/browser/browser_internal.h"

#include "json/json_text.h"

enum { EXPRESSION_MAX = 64 << 10 };

void page_has_settled(void *context)
{
    struct page *page = context;
    if (!page->is_closing && !page->is_capturing) page_capture(page);
}

/* A page that is given wants nothing more, and of another what was waited for may be enough. */
static bool is_complete(const struct page *page)
{
    bool has_waited = page->request.wait_for.len > 0 && page->request.product == PAGE_HTML;
    return page->request.html.len > 0 || has_waited || page_run_has_waited(page);
}

/* It is there when it is loaded, or shows what was waited for, and wants nothing for a while. */
void page_consider(struct page *page)
{
    struct loop *loop = page->browser->options.loop;
    bool is_there     = page->request.wait_for.len > 0 ? page->is_found : page->is_loaded;
    if (page->is_closing || page->is_capturing) return;
    if (page->run && !page_run_takes(page)) {
        page_run_consider(page);
        return;
    }
    if (!is_there) {
        page->triggered_ms = 0;
        loop_timer_clear(loop, &page->settle);
        return;
    }
    int64_t now_ms = page_now_ms(page);
    if (page->triggered_ms == 0) page->triggered_ms = now_ms;
    int64_t quiet_ms = is_complete(page) ? 0 : page->browser->options.quiet_ms;
    int64_t last_ms  = page->triggered_ms + PAGE_SETTLE_MS;
    bool is_busy     = page->first && quiet_ms > 0;
    int64_t due_ms   = is_busy || now_ms + quiet_ms > last_ms ? last_ms : now_ms + quiet_ms;
    loop_timer_set(loop, &page->settle, due_ms);
}

void page_look_again(struct page *page)
{
    loop_timer_set(page->browser->options.loop, &page->poll, page_now_ms(page) + PAGE_POLL_MS);
}

static void has_looked(json result, const char *error, void *context)
{
    struct page *page = context;
    int64_t found     = 0;
    json value        = json_get_text(json_get_text(result, "result"), "value");
    if (!error && json_is_number(value)) (void)json_to_int(value, &found);
    if (found < 0) {
        page_fault(page, "url", STATUS_OK, "`wait_for` is no CSS selector");
    } else if (found > 0) {
        page->is_found = true;
        page_consider(page);
    } else {
        page_look_again(page); /* also if it has just gone elsewhere */
    }
}

static void look_for(json result, const char *error, void *context)
{
    struct page *page                       = context;
    CLEANUP(buf_done) struct buf expression = buf_init(EXPRESSION_MAX);
    (void)buf_put_text(&expression, "(()=>{try{return document.querySelector(");
    (void)json_print_text(page->request.wait_for, &expression);
    (void)buf_put_text(&expression, ")?1:0}catch(e){return -1}})()");
    if (error || expression.is_full) {
        page_look_again(page);
    } else {
        page_evaluate(page, result, expression.ptr, has_looked);
    }
}

void page_poll(void *context)
{
    struct page *page = context;
    if (page->run) {
        page_run_look(page);
    } else {
        page_enter_world(page, look_for);
    }
}
