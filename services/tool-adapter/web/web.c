#include "tool-adapter/web/web.h"

#include "base/assert.h"
#include "base/mem.h"
#include "tool-adapter/connections/agent.h"
#include "tool-adapter/connections/module.h"
#include "tool-adapter/http/page_faults.h"
#include "tool-adapter/web/web_internal.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>

/* What a page says when nobody said what to look for. */
static const char default_selectors[] =
    "{\"title\": {\"first\": \"title\"}, \"description\": {\"first\": \"meta[name=description "
    "i]@content\"}, \"text\": {\"first\": \"body\"}}";

/* --- answers ---------------------------------------------------------------------------------- */

static void call_free(struct web_call *call)
{
    loop_timer_clear(call->web->means.loop, &call->timer);
    turn_end(&call->turn);
    web_batch_cancel(call);
    if (call->visit) visit_cancel(call->visit);
    recipe_release(call->recipe);
    json_unref(call->urls);
    json_unref(call->results);
    json_unref(call->kept);
    json_unref(call->url);
    json_unref(call->wait_for_kept);
    call->web->calls--;
    free(call->proxy);
    free(call);
}

void web_respond(struct web_call *call, int http_status, str retry_after, json body)
{
    CLEANUP(json_unrefp) json response = engine_response_new(http_status, retry_after, body);
    const struct engine_result result = {.code = STATUS_OK, .was_sent = true, .response = response};
    call->handlers.done(&result, call->handlers.context);
    call_free(call);
}

void web_fail(struct web_call *call, status code, const struct error *error)
{
    const struct engine_result result = {.code = code, .was_sent = true, .error = *error};
    call->handlers.done(&result, call->handlers.context);
    call_free(call);
}

json web_fault_new(const struct visit_result *result)
{
    return page_fault_new(result->fault, result->http_status, result->error.text);
}

static json page_new(const struct web_call *call, const struct visit_result *result)
{
    json page = json_object_new(4);
    json_object_put_text(&page, "url", json_text_lossy(result->url));
    if (call->form == VISIT_DATA) {
        json_object_put_text(&page, "data", json_ref(result->data));
        return page;
    }
    json_object_put_text(&page, "status", json_int(result->http_status));
    json_object_put_text(&page, "content_type", json_text_lossy(result->content_type));
    json_object_put_text(&page, "text", json_ref(result->data));
    return page;
}

static void page_came(const struct visit_result *result, void *context)
{
    struct web_call *call = context;
    call->visit           = NULL;
    if (!result->fault) {
        web_respond(call, 200, (str){}, page_new(call, result));
    } else if (page_fault_is_failure(result->fault)) {
        web_fail(call, result->code, &result->error);
    } else {
        json body = json_object_new(1);
        json_object_put_text(&body, "error", web_fault_new(result));
        web_respond(call, page_fault_status(result->fault, result->http_status),
                    result->retry_after, body);
    }
}

static void robots_came(struct turn *turn)
{
    struct web_call *call = turn->context;
    if (turn->verdict == TURN_UNREACHABLE) {
        web_fail(call, turn->code, &turn->why);
        return;
    }
    json body = json_object_new(3);
    json_object_put_text(&body, "url", json_ref(call->url));
    json_object_put_text(&body, "allowed", json_bool(turn->verdict == TURN_GRANTED));
    json_object_put_text(&body, "crawl_delay_ms", json_int(turn->delay_ms));
    web_respond(call, 200, (str){}, body);
}

static void time_is_over(void *context)
{
    struct error error = {};
    status code        = fail(&error, STATUS_DEADLINE_EXCEEDED, "it took too long");
    web_fail(context, code, &error);
}

/* --- calls ------------------------------------------------------------------------------------ */

/* `render`: by a browser, which may wait for something. */
static status read_rendering(struct web_call *call, json settings, struct error *reterr)
{
    json wait_for     = json_get_text(settings, "wait_for");
    int64_t seconds   = 0;
    call->is_rendered = json_is_truthy(json_get_text(settings, "render"));
    TRY(module_int(settings, "timeout", RENDER_S, 1, RENDER_S_MAX, &seconds, reterr));
    call->render_ms = seconds * 1'000;
    if (!json_is(wait_for, JSON_TEXT)) return STATUS_OK;
    if (!call->is_rendered) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`wait_for` needs `render: true`");
    }
    call->wait_for_kept = json_ref(wait_for);
    call->wait_for      = json_str(wait_for);
    return STATUS_OK;
}

static status read_recipe(struct web_call *call, json selectors, struct error *reterr)
{
    CLEANUP(json_unrefp) json defaults = json_null();
    bool is_given = !json_is(selectors, JSON_INVALID) && !json_is(selectors, JSON_NULL);
    if (!is_given) {
        status code = json_parse(str_from(default_selectors), NULL, &defaults, NULL, NULL);
        ASSERT(code == STATUS_OK);
    }
    struct recipe *recipe = mem_new(1, sizeof *recipe);
    recipe->users         = 1;
    call->recipe          = recipe;
    return extraction_read(is_given ? selectors : defaults, &recipe->extraction, reterr);
}

struct visit_request web_visit_request(const struct web_call *call, str url)
{
    return (struct visit_request){.url           = url,
                                  .user_agent    = str_from(call->agent),
                                  .form          = call->form,
                                  .recipe        = call->recipe,
                                  .allow_private = call->allow_private,
                                  .proxy         = str_from(call->proxy),
                                  .is_rendered   = call->is_rendered,
                                  .wait_for      = call->wait_for,
                                  .render_ms     = call->render_ms};
}

static status read_url(struct web_call *call, json settings, struct error *reterr)
{
    json url = json_get_text(settings, "url");
    if (!json_is(url, JSON_TEXT)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`url` must be a text");
    }
    call->url = json_ref(url);
    return STATUS_OK;
}

static status start_page(struct web_call *call, json settings, struct error *reterr)
{
    TRY(read_url(call, settings, reterr));
    TRY(read_rendering(call, settings, reterr));
    if (call->form == VISIT_DATA) {
        TRY(read_recipe(call, json_get_text(settings, "selectors"), reterr));
    }
    const struct visit_request request = web_visit_request(call, json_str(call->url));
    call->visit                        = visit_start(&call->web->means, &request, page_came, call);
    return STATUS_OK;
}

static status start_fetch(struct web_call *call, json settings, struct error *reterr)
{
    static const char *const forms[] = {"source", "text", NULL};
    unsigned form                    = 0;
    TRY(module_choice(settings, "form", forms, &form, reterr));
    call->form = form == 0 ? VISIT_SOURCE : VISIT_TEXT;
    return start_page(call, settings, reterr);
}

static status start_robots(struct web_call *call, json settings, struct error *reterr)
{
    struct url url;
    TRY(read_url(call, settings, reterr));
    if (!url_parse(json_str(call->url), &url)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`url` is no http or https URL");
    }
    call->turn                    = (struct turn){.ready = robots_came, .context = call};
    const struct turn_rules rules = {.user_agent    = str_from(call->agent),
                                     .proxy         = str_from(call->proxy),
                                     .allow_private = call->allow_private};
    return turn_begin(call->web->means.hosts, &call->turn, &url, &rules, reterr);
}

static status start_batch(struct web_call *call, json settings, struct error *reterr)
{
    TRY(web_batch_read(call, settings, reterr));
    TRY(read_rendering(call, settings, reterr));
    TRY(read_recipe(call, json_get_text(settings, "selectors"), reterr));
    if (json_count(call->urls) == 0) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`urls` is empty");
    }
    web_batch_start(call);
    return STATUS_OK;
}

static status start_function(struct web_call *call, const struct engine_request *request,
                             struct error *reterr)
{
    static const struct {
        const char *name;
        status (*start)(struct web_call *call, json settings, struct error *reterr);
    } functions[] = {
        {"web.fetch", start_fetch},
        {"web.scrape", start_page},
        {"web.robots", start_robots},
        {"web.scrape_many", start_batch},
    };
    TRY(user_agent_read(request->config, call->agent, reterr));
    for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
        if (strcmp(functions[i].name, request->function) != 0) continue;
        return functions[i].start(call, request->settings, reterr);
    }
    return fail(reterr, STATUS_UNIMPLEMENTED, "there is no function `%s`", request->function);
}

static status web_start(void *self, const struct engine_request *request,
                        const struct engine_handlers *handlers, struct engine_call **ret_call,
                        struct error *reterr)
{
    struct web *web = self;
    if (web->calls == WEB_CALLS_MAX) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "%d calls are under way", WEB_CALLS_MAX);
    }
    struct web_call *call = mem_new(1, sizeof *call);
    web->calls++;
    *call               = (struct web_call){.web = web, .handlers = *handlers};
    call->timer         = (struct loop_timer){.fire = time_is_over, .context = call};
    call->allow_private = request->allow_private;
    call->proxy         = mem_dup(request->proxy.ptr, request->proxy.len);
    call->progress      = request->progress;
    status code         = start_function(call, request, reterr);
    if (code != STATUS_OK) {
        call_free(call);
        return code;
    }
    int64_t now_ms = loop_now_ms(web->means.loop);
    loop_timer_set(web->means.loop, &call->timer, now_ms + request->total_ms);
    *ret_call = (struct engine_call *)call;
    return STATUS_OK;
}

static void web_cancel(struct engine_call *call)
{
    call_free((struct web_call *)call);
}

/* --- the module ------------------------------------------------------------------------------- */

struct web *web_new(const struct visit_means *means)
{
    struct web *web = mem_new(1, sizeof *web);
    web->means      = *means;
    return web;
}

void web_freep(struct web **web)
{
    if (!*web) return;
    ASSERT((*web)->calls == 0);
    free(*web);
}

struct engine web_engine(struct web *web)
{
    return (struct engine){.kind   = REQUEST_BUILTIN,
                           .module = "web",
                           .start  = web_start,
                           .cancel = web_cancel,
                           .self   = web};
}
