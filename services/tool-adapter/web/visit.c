#include "tool-adapter/web/visit.h"

#include "base/assert.h"
#include "base/mem.h"
#include "html/charset.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { TYPE_MAX = 200, TEXT_MAX = 16 << 20 /* bytes of a page as UTF-8 */, AGENT_MAX = 300 };

struct visit {
    struct work work;
    const struct visit_means *means;
    void (*done)(const struct visit_result *result, void *context);
    void *context;
    struct buf url; /* of the hop, as the next two */
    struct turn turn;
    struct http_call *call;
    struct page *page; /* in the browser, instead */
    char agent[AGENT_MAX], type[TYPE_MAX], retry_after[TYPE_MAX];
    enum visit_form form;
    struct recipe *recipe;
    char *proxy; /* owned; may be empty */
    bool allow_private, is_cancelled, is_working, is_rendered;
    unsigned redirects;
    struct buf body;
    struct loop_timer timer; /* ends it from the loop when it was over at once */
    struct visit_result result;
};

void recipe_release(struct recipe *recipe)
{
    if (!recipe || --recipe->users > 0) return;
    extraction_free(recipe->extraction);
    free(recipe);
}

static void visit_free(struct visit *visit)
{
    turn_end(&visit->turn);
    loop_timer_clear(visit->means->loop, &visit->timer);
    json_unref(visit->result.data);
    recipe_release(visit->recipe);
    buf_done(&visit->body);
    buf_done(&visit->url);
    free(visit->proxy);
    free(visit);
}

static void finish(struct visit *visit)
{
    turn_end(&visit->turn);
    visit->result.url          = buf_str(&visit->url);
    visit->result.content_type = str_from(visit->type);
    visit->result.retry_after  = str_from(visit->retry_after);
    visit->done(&visit->result, visit->context);
    visit_free(visit);
}

static void fault(struct visit *visit, const char *name, status code)
{
    visit->result.fault = name;
    visit->result.code  = code;
}

/* A fault of the page itself: an answer came, and it is none that we want. */
PRINTF_LIKE(3, 4) static void refuse(struct visit *visit, const char *name, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(visit->result.error.text, sizeof visit->result.error.text, format, args);
    va_end(args);
    fault(visit, name, STATUS_OK);
}

/* --- reading the page, on the pool --------------------------------------------------------------
 */

static void read_page(void *context)
{
    struct visit *visit               = context;
    struct visit_result *result       = &visit->result;
    str page                          = buf_str(&visit->body);
    CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
    const char *charset = visit->is_rendered ? "utf-8" : charset_of(str_from(visit->type), page);
    if (!charset_decode(charset, page, &text)) {
        refuse(visit, "too_large", "the page is too large");
        return;
    }
    buf_done(&visit->body);
    if (visit->form == VISIT_SOURCE) {
        result->data       = json_text_lossy(buf_str(&text));
        result->data_bytes = text.len;
        return;
    }
    CLEANUP(html_freep) struct html_document *document = NULL;
    status code = html_parse(buf_str(&text), &document, &result->error);
    if (code == STATUS_OK && visit->form == VISIT_DATA) {
        code = extraction_run(visit->recipe->extraction, document, buf_str(&visit->url),
                              &result->data, &result->data_bytes, &result->error);
    } else if (code == STATUS_OK) {
        buf_clear(&text);
        (void)html_put_text(document, 0, &text);
        result->data       = json_text_lossy(buf_str(&text));
        result->data_bytes = text.len;
    }
    if (code != STATUS_OK) fault(visit, "too_large", STATUS_OK);
}

static void page_was_read(void *context)
{
    struct visit *visit = context;
    visit->is_working   = false;
    if (visit->is_cancelled) {
        visit_free(visit);
    } else {
        finish(visit);
    }
}

/* --- the answer ------------------------------------------------------------------------------- */

static void keep_header(const struct http_answer *answer, const char *name, char *ret_value)
{
    str value  = {};
    size_t len = 0;
    if (http_answer_header(answer, name, &value)) len = value.len < TYPE_MAX ? value.len : 0;
    if (len > 0) memcpy(ret_value, value.ptr, len);
    ret_value[len] = '\0';
}

static bool has(const char *type, const char *part)
{
    return strcasestr(type, part);
}

static bool is_readable(const struct visit *visit)
{
    const char *type = visit->type;
    if (type[0] == '\0' || has(type, "html") || has(type, "xml")) return true;
    if (visit->form != VISIT_SOURCE) return false;
    return strncasecmp(type, "text/", 5) == 0 || has(type, "json") || has(type, "javascript");
}

static void begin_hop(struct visit *visit);

static void follow(struct visit *visit, str location)
{
    CLEANUP(buf_done) struct buf target = buf_init(HTTP_URL_MAX);
    if (visit->redirects++ == HTTP_REDIRECTS_MAX) {
        refuse(visit, "redirects", "more than %d redirects", HTTP_REDIRECTS_MAX);
        finish(visit);
        return;
    }
    if (!url_resolve(buf_str(&visit->url), location, &target)) {
        refuse(visit, "redirects", "a redirect leads nowhere");
        finish(visit);
        return;
    }
    const char *fragment = memchr(target.ptr, '#', target.len);
    str url              = buf_str(&target);
    if (fragment) url.len = (size_t)(fragment - target.ptr);
    turn_end(&visit->turn);
    buf_clear(&visit->body);
    buf_clear(&visit->url);
    (void)buf_put_str(&visit->url, url);
    begin_hop(visit);
}

static const char *fault_name(enum http_failure failure)
{
    switch (failure) {
    case HTTP_REFUSED: return "refused";
    case HTTP_TOO_LARGE: return "too_large";
    case HTTP_TIMEOUT_CONNECT:
    case HTTP_TIMEOUT_FIRST_BYTE:
    case HTTP_TIMEOUT_IDLE:
    case HTTP_TIMEOUT_TOTAL: return "timeout";
    default: return "network";
    }
}

static bool is_redirect(int http_status)
{
    return http_status == 301 || http_status == 302 || http_status == 303 || http_status == 307 ||
           http_status == 308;
}

static void answered(const struct http_result *http, void *context)
{
    struct visit *visit         = context;
    struct visit_result *result = &visit->result;
    str location                = {};
    visit->call                 = NULL;
    result->http_status         = http->answer.http_status;
    keep_header(&http->answer, "content-type", visit->type);
    keep_header(&http->answer, "retry-after", visit->retry_after);
    if (http->code != STATUS_OK) {
        result->error = http->error;
        fault(visit, fault_name(http->failure), http->code);
    } else if (is_redirect(result->http_status) &&
               http_answer_header(&http->answer, "location", &location)) {
        follow(visit, location);
        return;
    } else if (result->http_status < 200 || result->http_status > 299) {
        refuse(visit, "status", "the page answered %d", result->http_status);
    } else if (!is_readable(visit)) {
        refuse(visit, "content", "it is no page but %.80s", visit->type);
    } else {
        turn_end(&visit->turn); /* others may go while it is read */
        visit->is_working = true;
        (void)buf_put_str(&visit->body, http->body);
        work_pool_run(visit->means->pool, &visit->work);
        return;
    }
    finish(visit);
}

/* --- hops ------------------------------------------------------------------------------------- */

static void no_turn(struct visit *visit)
{
    const struct turn *turn = &visit->turn;
    struct error *error     = &visit->result.error;
    if (turn->verdict == TURN_FORBIDDEN) {
        refuse(visit, "robots", "the host's robots.txt does not allow it");
    } else if (turn->verdict == TURN_UNREADABLE) {
        visit->result.http_status = 503;
        refuse(visit, "robots", "the host's robots.txt cannot be had, so nothing may be");
    } else {
        *error          = turn->why;
        bool is_late    = turn->code == STATUS_DEADLINE_EXCEEDED;
        bool is_refused = turn->code == STATUS_PERMISSION_DENIED;
        fault(visit, is_refused ? "refused" : is_late ? "timeout" : "network", turn->code);
    }
    finish(visit);
}

static void has_turn(struct turn *turn)
{
    struct visit *visit = turn->context;
    if (turn->verdict != TURN_GRANTED) {
        no_turn(visit);
        return;
    }
    const struct http_header headers[] = {
        {.name = str_from("User-Agent"), .value = str_from(visit->agent)},
        {.name  = str_from("Accept"),
         .value = str_from("text/html,application/xhtml+xml,*/*;q=0.5")},
    };
    const struct http_handlers handlers = {.on_done = answered, .context = visit};
    const struct http_request request   = {
          .url           = buf_str(&visit->url),
          .headers       = headers,
          .header_count  = ARRAY_LEN(headers),
          .timeouts      = {.idle_ms = VISIT_IDLE_MS, .total_ms = VISIT_TOTAL_MS},
          .body_max      = VISIT_SIZE_MAX,
          .allow_private = visit->allow_private,
          .proxy         = str_from(visit->proxy),
          .is_compressed = true};
    status code = http_call_start(visit->means->http, &request, &handlers, &visit->call,
                                  &visit->result.error);
    if (code == STATUS_OK) return;
    fault(visit, code == STATUS_PERMISSION_DENIED ? "refused" : "url", code);
    finish(visit);
}

static void finish_from_loop(void *context)
{
    finish(context);
}

static void finish_soon(struct visit *visit)
{
    loop_timer_set(visit->means->loop, &visit->timer, loop_now_ms(visit->means->loop));
}

/* --- in the browser --------------------------------------------------------------------------- */

static void was_rendered(const struct page_result *page, void *context)
{
    struct visit *visit         = context;
    struct visit_result *result = &visit->result;
    visit->page                 = NULL;
    result->http_status         = page->http_status;
    (void)snprintf(visit->retry_after, sizeof visit->retry_after, STR_FMT,
                   STR_ARG(page->retry_after));
    buf_clear(&visit->url);
    (void)buf_put_str(&visit->url, page->url);
    bool fits = page->fault || buf_put_str(&visit->body, page->content);
    if (fits && !page->fault) {
        visit->is_working = true;
        work_pool_run(visit->means->pool, &visit->work);
        return;
    }
    result->error = page->error;
    if (page->fault) {
        fault(visit, page->fault, page->code);
    } else {
        refuse(visit, "too_large", "the page is too large");
    }
    finish(visit);
}

static void render(struct visit *visit, const struct visit_request *request)
{
    const struct page_request page = {.product       = PAGE_HTML,
                                      .url           = buf_str(&visit->url),
                                      .user_agent    = str_from(visit->agent),
                                      .wait_for      = request->wait_for,
                                      .allow_private = request->allow_private,
                                      .proxy         = request->proxy,
                                      .total_ms      = request->render_ms};
    status code = page_start(visit->means->browser, &page, was_rendered, visit, &visit->page,
                             &visit->result.error);
    if (code == STATUS_OK) return;
    fault(visit, code == STATUS_INVALID_ARGUMENT ? "url" : "browser", code);
    finish_soon(visit);
}

/* --- the beginning ---------------------------------------------------------------------------- */

static void begin_hop(struct visit *visit)
{
    struct url url;
    struct error *error = &visit->result.error;
    if (visit->url.is_full || !url_parse(buf_str(&visit->url), &url)) {
        refuse(visit, "url", "it is no http or https URL");
        finish_soon(visit);
        return;
    }
    if (url.user_info.len > 0) {
        refuse(visit, "url", "it holds a user or password");
        finish_soon(visit);
        return;
    }
    const struct turn_rules rules = {.user_agent    = str_from(visit->agent),
                                     .proxy         = str_from(visit->proxy),
                                     .allow_private = visit->allow_private,
                                     .wants_slot    = true};
    status code = turn_begin(visit->means->hosts, &visit->turn, &url, &rules, error);
    if (code == STATUS_OK) return;
    fault(visit, "network", STATUS_UNAVAILABLE);
    finish_soon(visit);
}

struct visit *visit_start(const struct visit_means *means, const struct visit_request *request,
                          void (*done)(const struct visit_result *result, void *context),
                          void *context)
{
    struct visit *visit = mem_new(1, sizeof *visit);
    *visit = (struct visit){.work    = {.run = read_page, .done = page_was_read, .context = visit},
                            .means   = means,
                            .done    = done,
                            .context = context,
                            .url     = buf_init(HTTP_URL_MAX),
                            .turn    = {.ready = has_turn, .context = visit},
                            .form    = request->form,
                            .recipe  = request->recipe,
                            .is_rendered   = request->is_rendered,
                            .allow_private = request->allow_private,
                            .proxy         = mem_dup(request->proxy.ptr, request->proxy.len),
                            .body          = buf_init(VISIT_SIZE_MAX),
                            .timer         = {.fire = finish_from_loop, .context = visit}};
    if (visit->recipe) visit->recipe->users++;
    size_t len = request->user_agent.len < AGENT_MAX ? request->user_agent.len : AGENT_MAX - 1;
    memcpy(visit->agent, request->user_agent.ptr, len);
    str url              = request->url;
    const char *fragment = url.len > 0 ? memchr(url.ptr, '#', url.len) : NULL;
    if (fragment) url.len = (size_t)(fragment - url.ptr);
    (void)buf_put_str(&visit->url, url);
    if (request->is_rendered) {
        render(visit, request);
    } else {
        begin_hop(visit);
    }
    return visit;
}

void visit_cancel(struct visit *visit)
{
    if (visit->call) http_call_cancel(TAKE(visit->call));
    if (visit->page) page_cancel(TAKE(visit->page));
    visit->is_cancelled = true;
    if (visit->is_working && !work_pool_take_back(visit->means->pool, &visit->work)) return;
    visit_free(visit);
}
