#include "tool-adapter/browser/runs.h"

#include "base/mem.h"
#include "tool-adapter/connections/agent.h"
#include "tool-adapter/connections/module.h"
#include "tool-adapter/http/page_faults.h"

#include <stdlib.h>

enum {
    TIMEOUT_S     = 120, /* seconds */
    TIMEOUT_S_MAX = 290,
    SIDE_MIN      = 16,
};

struct run {
    struct browser *browser;
    struct engine_handlers handlers;
    struct page *page;
    char agent[AGENT_SIZE];
};

static void finish(struct run *run, const struct engine_result *result)
{
    run->handlers.done(result, run->handlers.context);
    free(run);
}

static void respond(struct run *run, int http_status, str retry_after, json body)
{
    CLEANUP(json_unrefp) json response = engine_response_new(http_status, retry_after, body);
    const struct engine_result result = {.code = STATUS_OK, .was_sent = true, .response = response};
    finish(run, &result);
}

static json body_new(const struct page_result *page)
{
    json body = json_object_new(3);
    json_object_put_text(&body, "url", json_text_lossy(page->url));
    json_object_put_text(&body, "data", json_ref(page->data));
    json_object_put_text(&body, "images", json_ref(page->images));
    return body;
}

static void page_came(const struct page_result *page, void *context)
{
    struct run *run = context;
    if (!page->fault) {
        respond(run, 200, (str){}, body_new(page));
    } else if (page->has_changed || page_fault_is_failure(page->fault)) {
        const struct engine_result result = {.code = page->code == STATUS_OK ? STATUS_UNAVAILABLE
                                                                             : page->code,
                                             .was_sent = page->has_changed,
                                             .error    = page->error};
        finish(run, &result);
    } else {
        json body = json_object_new(1);
        json_object_put_text(&body, "error",
                             page_fault_new(page->fault, page->http_status, page->error.text));
        respond(run, page_fault_status(page->fault, page->http_status), page->retry_after, body);
    }
}

static status read_settings(const struct engine_request *request, struct page_request *page,
                            struct error *reterr)
{
    static const char *const answers[] = {"dismiss", "accept", NULL};
    json settings                      = request->settings;
    unsigned answer                    = 0;
    int64_t seconds                    = 0;
    TRY(module_int(settings, "timeout", TIMEOUT_S, 1, TIMEOUT_S_MAX, &seconds, reterr));
    TRY(module_int(settings, "width", PAGE_VIEW_WIDTH, SIDE_MIN, PAGE_SIDE_MAX, &page->width,
                   reterr));
    TRY(module_int(settings, "height", PAGE_VIEW_HEIGHT, SIDE_MIN, PAGE_SIDE_MAX, &page->height,
                   reterr));
    TRY(module_choice(settings, "dialogs", answers, &answer, reterr));
    page->product         = PAGE_STEPS;
    page->accepts_dialogs = answer == 1;
    page->allow_private   = request->allow_private;
    page->proxy           = request->proxy;
    page->mask            = request->mask;
    page->total_ms        = seconds * 1'000;
    if (page->total_ms > request->total_ms) page->total_ms = request->total_ms;
    return STATUS_OK;
}

static status open_page(struct run *run, const struct engine_request *request, struct error *reterr)
{
    struct page_request page = {};
    TRY(user_agent_read(request->config, run->agent, reterr));
    TRY(read_settings(request, &page, reterr));
    TRY(page_steps_read(json_get_text(request->settings, "steps"),
                        json_get_text(request->config, "secret_hosts"), request->secrets,
                        &page.steps, reterr));
    page.user_agent = str_from(run->agent);
    page.url        = page.steps->items[0].text;
    status code     = page_start(run->browser, &page, page_came, run, &run->page, reterr);
    page_steps_unref(page.steps);
    return code;
}

static status start(void *self, const struct engine_request *request,
                    const struct engine_handlers *handlers, struct engine_call **ret_call,
                    struct error *reterr)
{
    struct run *run = mem_new(1, sizeof *run);
    *run            = (struct run){.browser = self, .handlers = *handlers};
    status code     = open_page(run, request, reterr);
    if (code != STATUS_OK) {
        free(run);
        return code;
    }
    *ret_call = (struct engine_call *)run;
    return STATUS_OK;
}

static void cancel(struct engine_call *call)
{
    struct run *run = (struct run *)call;
    page_cancel(run->page);
    free(run);
}

struct engine runs_engine(struct browser *browser)
{
    return (struct engine){.kind   = REQUEST_BROWSER,
                           .module = "run",
                           .start  = start,
                           .cancel = cancel,
                           .self   = browser};
}
