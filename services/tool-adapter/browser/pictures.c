#include "tool-adapter/browser/pictures.h"

#include "base/mem.h"
#include "tool-adapter/browser/picture_file.h"
#include "tool-adapter/connections/agent.h"
#include "tool-adapter/connections/module.h"
#include "tool-adapter/http/page_faults.h"

#include <stdlib.h>

enum {
    TIMEOUT_S     = 30, /* seconds */
    TIMEOUT_S_MAX = 50,
    SIDE_MIN      = 16,
    QUALITY       = 80,
    MARGIN_MAX    = 10, /* centimetres */
};

struct picture {
    struct browser *browser;
    struct engine_handlers handlers;
    struct page *page;
    char agent[AGENT_SIZE];
    enum picture_format format;
};

/* --- answers ---------------------------------------------------------------------------------- */

static json body_new(const struct page_result *page, json file) /* takes `file` */
{
    json body = json_object_new(2);
    json_object_put_text(&body, "url", json_text_lossy(page->url));
    json_object_put_text(&body, "file", file);
    return body;
}

static void finish(struct picture *picture, const struct engine_result *result)
{
    picture->handlers.done(result, picture->handlers.context);
    free(picture);
}

static void respond(struct picture *picture, int http_status, str retry_after, json body)
{
    CLEANUP(json_unrefp) json response = engine_response_new(http_status, retry_after, body);
    const struct engine_result result = {.code = STATUS_OK, .was_sent = true, .response = response};
    finish(picture, &result);
}

static void page_came(const struct page_result *page, void *context)
{
    struct picture *picture     = context;
    struct engine_result result = {.code = page->code, .was_sent = true, .error = page->error};
    if (page->fault && page_fault_is_failure(page->fault)) {
        finish(picture, &result);
    } else if (page->fault) {
        json body = json_object_new(1);
        json_object_put_text(&body, "error",
                             page_fault_new(page->fault, page->http_status, page->error.text));
        respond(picture, page_fault_status(page->fault, page->http_status), page->retry_after,
                body);
    } else {
        json file = picture_file_new(picture->format, page->content);
        if (!json_is(file, JSON_INVALID)) {
            respond(picture, 200, (str){}, body_new(page, file));
            return;
        }
        result.code = fail(&result.error, STATUS_UNAVAILABLE, "the browser made something else");
        finish(picture, &result);
    }
}

/* --- settings --------------------------------------------------------------------------------- */

static str text_of(json settings, const char *name)
{
    json value = json_get_text(settings, name);
    return json_is(value, JSON_TEXT) ? json_str(value) : (str){};
}

static status read_number(json settings, const char *name, double fallback, double min, double max,
                          double *ret_number, struct error *reterr)
{
    json value  = json_get_text(settings, name);
    *ret_number = fallback;
    if (json_is(value, JSON_INVALID) || json_is(value, JSON_NULL)) return STATUS_OK;
    if (json_is_number(value)) *ret_number = json_number(value);
    if (json_is_number(value) && *ret_number >= min && *ret_number <= max) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "`%s` must be a number from %g to %g", name, min,
                max);
}

static status read_picture(struct picture *picture, json settings, struct page_request *page,
                           struct error *reterr)
{
    static const char *const names[] = {"png", "jpeg", "webp", NULL};
    unsigned format                  = 0;
    int64_t quality                  = 0;
    TRY(module_int(settings, "width", PAGE_VIEW_WIDTH, SIDE_MIN, PAGE_SIDE_MAX, &page->width,
                   reterr));
    TRY(module_int(settings, "height", PAGE_VIEW_HEIGHT, SIDE_MIN, PAGE_SIDE_MAX, &page->height,
                   reterr));
    TRY(read_number(settings, "scale", 1, 0.25, 4, &page->scale, reterr));
    TRY(module_choice(settings, "format", names, &format, reterr));
    TRY(module_int(settings, "quality", QUALITY, 1, 100, &quality, reterr));
    picture->format = (enum picture_format)format;
    page->is_whole  = json_is_truthy(json_get_text(settings, "whole"));
    page->product   = PAGE_PICTURE;
    json_object_put_text(&page->settings, "format", json_text_from(names[format]));
    if (format > 0) json_object_put_text(&page->settings, "quality", json_int(quality));
    return STATUS_OK;
}

static status read_pdf(struct picture *picture, json settings, struct page_request *page,
                       struct error *reterr)
{
    static const char *const papers[] = {"a4", "a3", "a5", "letter", "legal", NULL};
    static const double inches[][2]   = {
          {8.27, 11.69}, {11.69, 16.54}, {5.83, 8.27}, {8.5, 11}, {8.5, 14}};
    static const char *const sides[] = {"marginTop", "marginBottom", "marginLeft", "marginRight"};
    unsigned paper                   = 0;
    double margin                    = 0;
    json background                  = json_get_text(settings, "background");
    TRY(module_choice(settings, "paper", papers, &paper, reterr));
    TRY(read_number(settings, "margin", 1, 0, MARGIN_MAX, &margin, reterr));
    picture->format = PICTURE_PDF;
    page->product   = PAGE_PDF;
    json *ret       = &page->settings;
    json_object_put_text(ret, "paperWidth", json_real(inches[paper][0]));
    json_object_put_text(ret, "paperHeight", json_real(inches[paper][1]));
    json_object_put_text(ret, "landscape",
                         json_bool(json_is_truthy(json_get_text(settings, "landscape"))));
    json_object_put_text(ret, "printBackground", json_bool(!json_is(background, JSON_FALSE)));
    for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
        json_object_put_text(ret, sides[i], json_real(margin / 2.54));
    }
    return STATUS_OK;
}

static status read_page(const struct engine_request *request, bool is_given,
                        struct page_request *page, struct error *reterr)
{
    json settings   = request->settings;
    int64_t seconds = 0;
    TRY(module_int(settings, "timeout", TIMEOUT_S, 1, TIMEOUT_S_MAX, &seconds, reterr));
    page->url           = text_of(settings, "url");
    page->html          = is_given ? text_of(settings, "html") : (str){};
    page->hosts         = json_get_text(request->config, "template_hosts");
    page->wait_for      = text_of(settings, "wait_for");
    page->allow_private = request->allow_private;
    page->proxy         = request->proxy;
    page->total_ms      = seconds * 1'000;
    if (page->total_ms > request->total_ms) page->total_ms = request->total_ms;
    if (is_given ? page->html.len > 0 : page->url.len > 0) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "`%s` must be a text", is_given ? "html" : "url");
}

/* --- calls ------------------------------------------------------------------------------------ */

static status open_page(struct picture *picture, const struct engine_request *request,
                        struct error *reterr)
{
    static const struct {
        const char *name;
        bool is_given;
        status (*read)(struct picture *picture, json settings, struct page_request *page,
                       struct error *reterr);
    } functions[]                  = {{"screenshot", false, read_picture},
                                      {"pdf", false, read_pdf},
                                      {"template", true, read_picture}};
    CLEANUP(json_unrefp) json made = json_invalid();
    struct page_request page       = {};
    TRY(user_agent_read(request->config, picture->agent, reterr));
    for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
        if (strcmp(functions[i].name, request->function) != 0) continue;
        page.settings = json_object_new(8);
        status code   = read_page(request, functions[i].is_given, &page, reterr);
        if (code == STATUS_OK) {
            code = functions[i].read(picture, request->settings, &page, reterr);
        }
        made            = page.settings;
        page.user_agent = str_from(picture->agent);
        TRY(code);
        return page_start(picture->browser, &page, page_came, picture, &picture->page, reterr);
    }
    return fail(reterr, STATUS_UNIMPLEMENTED, "there is no function `%s`", request->function);
}

static status start(void *self, const struct engine_request *request,
                    const struct engine_handlers *handlers, struct engine_call **ret_call,
                    struct error *reterr)
{
    struct picture *picture = mem_new(1, sizeof *picture);
    *picture                = (struct picture){.browser = self, .handlers = *handlers};
    status code             = open_page(picture, request, reterr);
    if (code != STATUS_OK) {
        free(picture);
        return code;
    }
    *ret_call = (struct engine_call *)picture;
    return STATUS_OK;
}

static void cancel(struct engine_call *call)
{
    struct picture *picture = (struct picture *)call;
    page_cancel(picture->page);
    free(picture);
}

struct engine pictures_engine(struct browser *browser)
{
    return (struct engine){
        .kind = REQUEST_BROWSER, .start = start, .cancel = cancel, .self = browser};
}
