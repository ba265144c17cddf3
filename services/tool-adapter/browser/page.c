#include "tool-adapter/browser/page_run.h"

#include "base/assert.h"
#include "base/mem.h"
#include "json/json_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int64_t page_now_ms(const struct page *page)
{
    return loop_now_ms(page->browser->options.loop);
}

void page_send(struct page *page, const struct wire_session *session, const char *method,
               json params, wire_answer_fn *answer)
{
    const struct wire_command command = {
        .session = session, .method = method, .params = params, .answer = answer, .context = page};
    wire_send(page->browser->wire, &command);
}

json page_object_of(const char *key, json value)
{
    json object = json_object_new(4);
    json_object_put_text(&object, key, value);
    return object;
}

/* --- its end ---------------------------------------------------------------------------------- */

static void list_free(struct page *page)
{
    const str *const texts[] = {&page->request.url, &page->request.html, &page->request.user_agent,
                                &page->request.proxy, &page->request.wait_for};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) free((void *)(uintptr_t)texts[i]->ptr);
    json_unref(page->request.hosts);
    json_unref(page->request.settings);
}

void page_free(struct page *page)
{
    struct browser *browser = page->browser;
    page_fetch_cancel_all(page);
    page_run_free(page);
    page_leave_all(page);
    if (browser->wire) wire_forget(browser->wire, page);
    loop_timer_clear(browser->options.loop, &page->deadline);
    loop_timer_clear(browser->options.loop, &page->settle);
    loop_timer_clear(browser->options.loop, &page->poll);
    if (page->list) page_list_remove(page);
    list_free(page);
    free(page->context_id);
    free(page->target_id);
    buf_done(&page->url);
    buf_done(&page->origin);
    free(page);
}

static void is_closed(json, const char *, void *context)
{
    struct page *page       = context;
    struct browser *browser = page->browser;
    page_free(page);
    browser_pump(browser);
}

static void dispose(struct page *page)
{
    page_send(page, NULL, "Target.disposeBrowserContext",
              page_object_of("browserContextId", json_text_from(page->context_id)), is_closed);
}

/* Until its context is gone it keeps its place: what does not go away is a browser that hangs. */
static void close_page(struct page *page)
{
    struct browser *browser = page->browser;
    page->is_closing        = true;
    page_fetch_cancel_all(page);
    page_run_stop(page);
    page_leave_all(page);
    loop_timer_clear(browser->options.loop, &page->settle);
    loop_timer_clear(browser->options.loop, &page->poll);
    loop_timer_set(browser->options.loop, &page->deadline,
                   page_now_ms(page) + browser->options.close_ms);
    if (!page->context_id) return; /* has_context() disposes of it */
    wire_forget(browser->wire, page);
    dispose(page);
}

void page_finish(struct page *page)
{
    void (*done)(const struct page_result *result, void *context) = TAKE(page->done);
    page->result.url                                              = buf_str(&page->url);
    page->result.retry_after                                      = str_from(page->retry_after);
    page->result.has_changed = page->run && page->run->has_changed;
    if (done) done(&page->result, page->context);
    if (!page->is_closing) close_page(page);
}

void page_fault(struct page *page, const char *name, status code, const char *format, ...)
{
    if (page->is_closing || page->result.fault) return;
    char *text  = page->result.error.text;
    size_t size = sizeof page->result.error.text;
    size_t at   = page_run_place(page, text, size);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text + at, size - at, format, args);
    va_end(args);
    page->result.fault = name;
    page->result.code  = code;
    page_finish(page);
}

static void time_is_over(void *context)
{
    struct page *page       = context;
    struct browser *browser = page->browser;
    if (page->is_closing) {
        browser_end(browser, "a page of it did not go away");
    } else if (page->list == &browser->waiting) {
        page->is_closing   = true;
        page->result.fault = "timeout";
        page->result.code =
            fail(&page->result.error, STATUS_DEADLINE_EXCEEDED, "other pages took all the time");
        page_finish(page);
        page_free(page);
    } else if (page->request.wait_for.len > 0 && page->triggered_ms == 0) {
        page_fault(page, "timeout", STATUS_DEADLINE_EXCEEDED, "`wait_for` matched nothing");
    } else {
        page_fault(page, "timeout", STATUS_DEADLINE_EXCEEDED, "the page took too long");
    }
}

void page_cancel(struct page *page)
{
    page->done = NULL;
    if (page->list == &page->browser->waiting) {
        page_free(page);
    } else if (!page->is_closing) {
        close_page(page);
    }
}

void page_went_wrong(struct page *page, const char *error)
{
    page_fault(page, "browser", STATUS_UNAVAILABLE, "the browser refused: %.120s", error);
}

/* --- its beginning ---------------------------------------------------------------------------- */

static void has_navigated(json result, const char *error, void *context)
{
    struct page *page = context;
    json text         = json_get_text(result, "errorText");
    if (error) {
        page_went_wrong(page, error);
    } else if (json_is(text, JSON_TEXT) && json_str(text).len > 0 && !page->first) {
        page_fault(page, "network", STATUS_UNAVAILABLE, "the page cannot be shown: %.80s",
                   json_str(text).ptr);
    }
}

/* Parts of a page's process answer when they like: who does not wait for all of them may have no
 * word of its load. */
static void is_set_up(json, const char *error, void *context)
{
    struct page *page = context;
    if (error) {
        page_went_wrong(page, error);
        return;
    }
    if (--page->set_up_left > 0) return;
    if (page->run) {
        page_run_begin(page);
        return;
    }
    page_send(page, &page->session, "Page.navigate",
              page_object_of("url", json_text_lossy(page->request.url)), has_navigated);
    if (page->request.wait_for.len > 0) page_look_again(page);
}

static void set_up_by(struct page *page, const char *method, json params)
{
    page->set_up_left++;
    page_send(page, &page->session, method, params, is_set_up);
}

static void set_up(struct page *page)
{
    const struct page_request *asked = &page->request;
    json metrics                     = page_object_of("width", json_int(asked->width));
    json_object_put_text(&metrics, "height", json_int(asked->height));
    json_object_put_text(&metrics, "deviceScaleFactor", json_real(asked->scale));
    json_object_put_text(&metrics, "mobile", json_bool(false));
    set_up_by(page, "Emulation.setDeviceMetricsOverride", metrics);
    set_up_by(page, "Emulation.setUserAgentOverride",
              page_object_of("userAgent", json_text_lossy(asked->user_agent)));
    set_up_by(page, "Network.setBypassServiceWorker", page_object_of("bypass", json_bool(true)));
    if (page->run) { /* fields take what is written as if their window were in front */
        set_up_by(page, "Emulation.setFocusEmulationEnabled",
                  page_object_of("enabled", json_bool(true)));
    }
    set_up_by(page, "Page.enable", json_invalid());
    set_up_by(page, "Inspector.enable", json_invalid());
    set_up_by(page, "Target.setAutoAttach", page_attachment_new());
    set_up_by(page, "Fetch.enable", page_interception_new());
    page->set_up_left++;
    json downloads = page_object_of("behavior", json_text_from("deny"));
    json_object_put_text(&downloads, "browserContextId", json_text_from(page->context_id));
    page_send(page, NULL, "Browser.setDownloadBehavior", downloads, is_set_up);
}

static void has_session(json result, const char *error, void *context)
{
    struct page *page = context;
    json id           = json_get_text(result, "sessionId");
    if (error || !json_is(id, JSON_TEXT) ||
        !wire_listen(page->browser->wire, &page->session, json_str(id))) {
        page_went_wrong(page, error ? error : "no session");
        return;
    }
    set_up(page);
}

static void has_target(json result, const char *error, void *context)
{
    struct page *page = context;
    json id           = json_get_text(result, "targetId");
    if (error || !json_is(id, JSON_TEXT)) {
        page_went_wrong(page, error ? error : "no page");
        return;
    }
    page->target_id = mem_dup(json_str(id).ptr, json_str(id).len);
    json params     = page_object_of("targetId", json_ref(id));
    json_object_put_text(&params, "flatten", json_bool(true));
    page_send(page, NULL, "Target.attachToTarget", params, has_session);
}

static void has_context(json result, const char *error, void *context)
{
    struct page *page = context;
    json id           = json_get_text(result, "browserContextId");
    if (error || !json_is(id, JSON_TEXT)) {
        page_went_wrong(page,
                        error ? error : "no context"); /* and its end: there is none to close */
        browser_end(page->browser, "it makes no contexts");
        return;
    }
    page->context_id = mem_dup(json_str(id).ptr, json_str(id).len);
    if (page->is_closing) {
        dispose(page);
        return;
    }
    json params = page_object_of("url", json_text_from("about:blank"));
    json_object_put_text(&params, "browserContextId", json_ref(id));
    page_send(page, NULL, "Target.createTarget", params, has_target);
}

void page_open(struct page *page)
{
    page_send(page, NULL, "Target.createBrowserContext", json_invalid(), has_context);
}

static str copy_of(str text)
{
    return (str){.ptr = text.len > 0 ? mem_dup(text.ptr, text.len) : NULL, .len = text.len};
}

static status check(const struct page_request *request, struct error *reterr)
{
    struct url url;
    if (request->html.len > PAGE_TEMPLATE_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`html` has more than %d bytes",
                    PAGE_TEMPLATE_MAX);
    }
    if (request->html.len == 0 && (!url_parse(request->url, &url) || url.user_info.len > 0 ||
                                   request->url.len > HTTP_URL_MAX)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "`url` is no http or https URL without user and password");
    }
    return STATUS_OK;
}

static struct page *page_new(struct browser *browser, const struct page_request *request)
{
    struct page *page = mem_new(1, sizeof *page);
    bool is_given     = request->html.len > 0;
    *page             = (struct page){.browser  = browser,
                                      .request  = *request,
                                      .deadline = {.fire = time_is_over, .context = page},
                                      .session  = {.event = page_heard, .context = page},
                                      .settle   = {.fire = page_has_settled, .context = page},
                                      .poll     = {.fire = page_poll, .context = page},
                                      .url      = buf_init(HTTP_URL_MAX),
                                      .origin   = buf_init(HTTP_URL_MAX)};

    page->request.url        = copy_of(is_given ? str_from(TEMPLATE_URL) : request->url);
    page->request.html       = copy_of(request->html);
    page->request.user_agent = copy_of(request->user_agent);
    page->request.proxy      = copy_of(request->proxy);
    page->request.wait_for   = copy_of(request->wait_for);
    page->request.hosts      = json_copy_new(request->hosts); /* it may close after a reload */
    page->request.settings =
        json_is(request->settings, JSON_OBJECT) ? json_ref(request->settings) : json_object_new(0);
    if (page->request.width == 0) page->request.width = PAGE_VIEW_WIDTH;
    if (page->request.height == 0) page->request.height = PAGE_VIEW_HEIGHT;
    if (page->request.scale == 0) page->request.scale = 1;
    if (request->steps) page->run = page_run_new(page, request->steps);
    (void)buf_put_str(&page->url, page->request.url);
    (void)buf_put_str(&page->origin, page->request.url);
    return page;
}

status page_start(struct browser *browser, const struct page_request *request,
                  void (*done)(const struct page_result *result, void *context), void *context,
                  struct page **ret_page, struct error *reterr)
{
    TRY(browser_check(browser, reterr));
    TRY(check(request, reterr));
    if (browser->waiting.count == BROWSER_WAITING_MAX) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "%d pages wait for the browser",
                    BROWSER_WAITING_MAX);
    }
    struct page *page = page_new(browser, request);
    if (!page_fits(page, (double)page->request.width, (double)page->request.height)) {
        page_free(page);
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "a window has at most %d pixels a side and %d in all", PAGE_SIDE_MAX,
                    PAGE_PIXELS_MAX);
    }
    page->done    = done;
    page->context = context;
    page_list_put(&browser->waiting, page);
    loop_timer_set(browser->options.loop, &page->deadline, page_now_ms(page) + request->total_ms);
    browser_pump(browser);
    *ret_page = page;
    return STATUS_OK;
}
