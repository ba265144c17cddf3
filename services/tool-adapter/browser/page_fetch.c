/*
 * What a page wants is fetched here: each request that its browser has paused (Fetch.requestPaused)
 * becomes one of our client, past the egress rules, and what comes is handed to the browser.
 * Redirects go back to it as they are: where they lead is a new request, paused and checked as any.
 */
#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "tool-adapter/browser/browser_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { BODY_SENT_MAX = 1 << 20 /* bytes that a page may send with a request */ };

struct page_fetch {
    struct page_fetch *previous, *next;
    struct page *page;
    char *session_id, *id; /* owned */
    json request;          /* owned */
    struct buf body;       /* what is sent */
    bool is_document, is_main, is_active;
    struct turn turn;
    struct http_call *call;
    struct http_header headers[HTTP_HEADERS_SENT_MAX];
    size_t header_count;
};

static void fetch_free(struct page_fetch *fetch)
{
    struct page *page = fetch->page;
    if (fetch->call) http_call_cancel(TAKE(fetch->call));
    turn_end(&fetch->turn);
    *(fetch->previous ? &fetch->previous->next : &page->first) = fetch->next;
    *(fetch->next ? &fetch->next->previous : &page->last)      = fetch->previous;
    if (fetch->is_active) page->active--;
    json_unref(fetch->request);
    buf_done(&fetch->body);
    free(fetch->session_id);
    free(fetch->id);
    free(fetch);
}

void page_fetch_cancel_all(struct page *page)
{
    while (page->first) fetch_free(page->first);
}

/* --- answers ---------------------------------------------------------------------------------- */

static void start_next(struct page *page);

static void answer(struct page_fetch *fetch, const char *method, json params)
{
    struct page *page = fetch->page;
    json_object_put_text(&params, "requestId", json_text_from(fetch->id));
    const struct wire_command command = {
        .session = wire_session_of(page->browser->wire, str_from(fetch->session_id)),
        .method  = method,
        .params  = params,
        .context = page};
    bool is_there = command.session != NULL;
    if (is_there) {
        wire_send(page->browser->wire, &command);
    } else {
        json_unref(params);
    }
    fetch_free(fetch);
    page_consider(page);
    start_next(page);
}

/* `reason`: of the protocol's Network.ErrorReason. */
static void refuse(struct page_fetch *fetch, const char *reason)
{
    json params = json_object_new(2);
    json_object_put_text(&params, "errorReason", json_text_from(reason));
    answer(fetch, "Fetch.failRequest", params);
}

/* A document that cannot be had is the end of a page; anything else is for it to live without. */
static void go_without(struct page_fetch *fetch, const char *fault, status code, int http_status,
                       const char *text)
{
    struct page *page = fetch->page;
    if (!fetch->is_main) {
        refuse(fetch, code == STATUS_DEADLINE_EXCEEDED ? "TimedOut" : "BlockedByClient");
        return;
    }
    page->result.http_status = http_status;
    page_fault(page, fault, code, "%s", text);
}

/* The client has undone the encoding, and the length with it. */
static bool is_kept(str name)
{
    static const char *const dropped[] = {"content-encoding", "content-length", "transfer-encoding",
                                          "connection",       "keep-alive",     "alt-svc"};
    for (size_t i = 0; i < ARRAY_LEN(dropped); i++) {
        if (name.len == strlen(dropped[i]) && strncasecmp(name.ptr, dropped[i], name.len) == 0) {
            return false;
        }
    }
    return true;
}

static json header_new(str name, str value)
{
    json header = json_object_new(2);
    json_object_put_text(&header, "name", json_text_lossy(name));
    json_object_put_text(&header, "value", json_text_lossy(value));
    return header;
}

static void fulfil(struct page_fetch *fetch, int http_status, json headers, str body)
{
    json params  = json_object_new(4);
    size_t size  = base64_size(body.len);
    char *base64 = mem_alloc(size + 1);
    base64_encode(body.ptr, body.len, base64);
    json_object_put_text(&params, "responseCode", json_int(http_status));
    json_object_put_text(&params, "responseHeaders", headers);
    json_object_put_text(&params, "body", json_text_new((str){.ptr = base64, .len = size}));
    free(base64);
    answer(fetch, "Fetch.fulfillRequest", params);
}

static bool is_redirect(const struct http_answer *http)
{
    str location = {};
    int code     = http->http_status;
    bool is_one  = code == 301 || code == 302 || code == 303 || code == 307 || code == 308;
    return is_one && http_answer_header(http, "location", &location);
}

static bool is_page(const struct http_answer *http)
{
    static const char *const types[] = {"html", "xml", "text/plain", "image/"};
    str type                         = {};
    str disposition                  = {};
    if (http_answer_header(http, "content-disposition", &disposition) && disposition.len >= 10 &&
        strncasecmp(disposition.ptr, "attachment", 10) == 0) {
        return false;
    }
    if (!http_answer_header(http, "content-type", &type) || type.len == 0) return true;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (memmem(type.ptr, type.len, types[i], strlen(types[i]))) return true;
    }
    return false;
}

/* False: it is the end of the page. */
static bool take_document(struct page_fetch *fetch, const struct http_answer *http)
{
    struct page *page        = fetch->page;
    page->result.http_status = http->http_status;
    str retry_after          = {};
    str type                 = {};
    if (http_answer_header(http, "retry-after", &retry_after)) {
        (void)snprintf(page->retry_after, sizeof page->retry_after, STR_FMT, STR_ARG(retry_after));
    }
    if (is_redirect(http)) {
        if (page->redirects++ < HTTP_REDIRECTS_MAX) return true;
        page_fault(page, "redirects", STATUS_OK, "more than %d redirects", HTTP_REDIRECTS_MAX);
        return false;
    }
    bool is_led = page->run && !page_run_is_going(page); /* by a step: it may say what is wrong */
    if (is_led && (http->http_status == 204 || http->http_status == 205)) {
        page->is_loaded = true; /* where it was */
        return true;
    }
    if (!is_led && (http->http_status < 200 || http->http_status > 299)) {
        page_fault(page, "status", STATUS_OK, "the page answered %d", http->http_status);
        return false;
    }
    if (!is_page(http)) {
        (void)http_answer_header(http, "content-type", &type);
        page_fault(page, "content", STATUS_OK, "it is no page but " STR_FMT,
                   STR_ARG(str_slice(type, 0, 80)));
        return false;
    }
    page->redirects = 0;
    buf_clear(&page->url);
    (void)buf_put_str(&page->url, http->url);
    return true;
}

static const char *fault_of(const struct http_result *http)
{
    if (http->failure == HTTP_REFUSED) return "refused";
    if (http->failure == HTTP_TOO_LARGE) return "too_large";
    return http->code == STATUS_DEADLINE_EXCEEDED ? "timeout" : "network";
}

static void answered(const struct http_result *http, void *context)
{
    struct page_fetch *fetch = context;
    struct page *page        = fetch->page;
    fetch->call              = NULL;
    page->bytes += http->body.len;
    if (http->code != STATUS_OK) {
        /* The answer's limit is a fault of the page, not of the network. */
        bool is_ours = http->failure == HTTP_TOO_LARGE;
        go_without(fetch, fault_of(http), is_ours ? STATUS_OK : http->code,
                   http->answer.http_status, http->error.text);
        return;
    }
    if (page->bytes > PAGE_BYTES_MAX) {
        page_fault(page, "too_large", STATUS_OK, "what it loads has more than %d bytes",
                   PAGE_BYTES_MAX);
        return;
    }
    if (fetch->is_main && !take_document(fetch, &http->answer)) return;
    json headers = json_array_new(http->answer.header_count);
    for (size_t i = 0; i < http->answer.header_count; i++) {
        const struct http_header *one = &http->answer.headers[i];
        if (is_kept(one->name)) json_array_push(&headers, header_new(one->name, one->value));
    }
    fulfil(fetch, http->answer.http_status, headers, http->body);
}

/* --- requests --------------------------------------------------------------------------------- */

static str text_of(json request, const char *name)
{
    json text = json_get_text(request, name);
    return json_is(text, JSON_TEXT) ? json_str(text) : (str){};
}

static bool is_forwarded(str name)
{
    static const char *const dropped[] = {"host", "content-length", "connection", "accept-encoding",
                                          "te",   "upgrade"};
    if (name.len == 0 || name.ptr[0] == ':') return false;
    if (name.len > 6 && strncasecmp(name.ptr, "sec-ch", 6) == 0) return false;
    if (name.len > 6 && strncasecmp(name.ptr, "proxy-", 6) == 0) return false;
    for (size_t i = 0; i < ARRAY_LEN(dropped); i++) {
        if (name.len == strlen(dropped[i]) && strncasecmp(name.ptr, dropped[i], name.len) == 0) {
            return false;
        }
    }
    return true;
}

static void take_headers(struct page_fetch *fetch)
{
    json headers = json_get_text(fetch->request, "headers");
    for (size_t i = 0; i < json_count(headers); i++) {
        json value = json_value_at(headers, i);
        str name   = json_key_at(headers, i);
        if (!json_is(value, JSON_TEXT) || !is_forwarded(name)) continue;
        if (fetch->header_count == HTTP_HEADERS_SENT_MAX) return;
        fetch->headers[fetch->header_count++] =
            (struct http_header){.name = name, .value = json_str(value)};
    }
}

/* False: it is too large, or not shown. */
static bool take_body(struct page_fetch *fetch)
{
    json entries = json_get_text(fetch->request, "postDataEntries");
    fetch->body  = buf_init(BODY_SENT_MAX);
    if (json_count(entries) == 0) {
        return !json_is_truthy(json_get_text(fetch->request, "hasPostData"));
    }
    for (size_t i = 0; i < json_count(entries); i++) {
        str base64  = text_of(json_at(entries, i), "bytes");
        size_t size = 0;
        char *room  = base64.len > 0 ? buf_reserve(&fetch->body, base64.len) : NULL;
        if (!room || !base64_decode(base64, room, &size)) return false;
        buf_commit(&fetch->body, size);
    }
    return true;
}

/* A page may load what is public; what is not, only where it was asked to be itself. */
static bool may_be_private(const struct page *page, const struct url *url)
{
    struct url origin;
    if (!page->request.allow_private) return false;
    if (page->request.html.len > 0) return true; /* to its hosts, which were named */
    if (page->run) return page_run_names(page, url);
    return url_parse(buf_str(&page->origin), &origin) && url_same_host(&origin, url);
}

static bool is_template_host(const struct page *page, const struct url *url)
{
    json hosts = page->request.hosts;
    for (size_t i = 0; i < json_count(hosts); i++) {
        json host = json_at(hosts, i);
        if (!json_is(host, JSON_TEXT) || json_str(host).len != url->host.len) continue;
        if (strncasecmp(json_str(host).ptr, url->host.ptr, url->host.len) == 0) return true;
    }
    return false;
}

static void send(struct page_fetch *fetch, const struct url *url)
{
    struct page *page                 = fetch->page;
    struct error error                = {};
    const bool is_sent                = fetch->body.len > 0;
    str method                        = text_of(fetch->request, "method");
    struct http_handlers handlers     = {.on_done = answered, .context = fetch};
    const struct http_request request = {.method       = method,
                                         .url          = text_of(fetch->request, "url"),
                                         .headers      = fetch->headers,
                                         .header_count = fetch->header_count,
                                         .body         = is_sent ? bytes_from(buf_str(&fetch->body))
                                                                 : (bytes){},
                                         .timeouts     = {.total_ms = PAGE_REQUEST_MS},
                                         .body_max     = PAGE_RESOURCE_MAX,
                                         .allow_private = may_be_private(page, url),
                                         .proxy         = page->request.proxy,
                                         .is_compressed = true};
    status code =
        http_call_start(page->browser->options.http, &request, &handlers, &fetch->call, &error);
    if (code == STATUS_OK) {
        page_run_sends(page, method);
        return;
    }
    bool is_refused = code == STATUS_PERMISSION_DENIED;
    go_without(fetch, is_refused ? "refused" : "url", code, 0, error.text);
}

static void has_turn(struct turn *turn)
{
    struct page_fetch *fetch = turn->context;
    struct url url;
    if (turn->verdict == TURN_FORBIDDEN) {
        go_without(fetch, "robots", STATUS_OK, 0, "the host's robots.txt does not allow it");
    } else if (turn->verdict == TURN_UNREADABLE) {
        go_without(fetch, "robots", STATUS_OK, 503,
                   "the host's robots.txt cannot be had, so nothing may be");
    } else if (turn->verdict != TURN_GRANTED) {
        bool is_late    = turn->code == STATUS_DEADLINE_EXCEEDED;
        bool is_refused = turn->code == STATUS_PERMISSION_DENIED;
        go_without(fetch,
                   is_refused ? "refused"
                   : is_late  ? "timeout"
                              : "network",
                   turn->code, 0, turn->why.text);
    } else {
        bool is_url = url_parse(text_of(fetch->request, "url"), &url);
        ASSERT(is_url);
        send(fetch, &url);
    }
}

static void start_template(struct page_fetch *fetch)
{
    json headers = json_array_new(1);
    json_array_push(&headers,
                    header_new(str_from("content-type"), str_from("text/html; charset=utf-8")));
    fulfil(fetch, 200, headers, fetch->page->request.html);
}

static void start(struct page_fetch *fetch)
{
    struct page *page  = fetch->page;
    struct error error = {};
    struct url url;
    bool is_given = page->request.html.len > 0;
    str address   = text_of(fetch->request, "url");
    if (is_given && fetch->is_main && str_is(address, TEMPLATE_URL)) {
        start_template(fetch);
    } else if (!url_parse(address, &url) || url.user_info.len > 0 || address.len > HTTP_URL_MAX) {
        go_without(fetch, "url", STATUS_OK, 0, "it is no http or https URL");
    } else if (is_given && (!is_template_host(page, &url) || fetch->is_main)) {
        go_without(fetch, "refused", STATUS_PERMISSION_DENIED, 0, "the page wants to go elsewhere");
    } else if (!take_body(fetch)) {
        go_without(fetch, "too_large", STATUS_OK, 0, "it sends too much");
    } else if (is_given) {
        take_headers(fetch);
        send(fetch, &url);
    } else {
        const struct turn_rules rules = {.user_agent    = page->request.user_agent,
                                         .proxy         = page->request.proxy,
                                         .allow_private = may_be_private(page, &url),
                                         .wants_slot    = fetch->is_document};
        take_headers(fetch);
        if (turn_begin(page->browser->options.hosts, &fetch->turn, &url, &rules, &error) !=
            STATUS_OK) {
            go_without(fetch, "network", STATUS_UNAVAILABLE, 0, error.text);
        }
    }
}

static struct page_fetch *first_waiting(const struct page *page)
{
    struct page_fetch *one = page->first;
    while (one && one->is_active) one = one->next;
    return one;
}

/* Those that end at once come back here: the outer call goes on for them. */
static void start_next(struct page *page)
{
    struct page_fetch *next = NULL;
    if (page->is_starting) return;
    page->is_starting = true;
    while (!page->is_closing && page->active < PAGE_CONCURRENT && (next = first_waiting(page))) {
        next->is_active = true;
        page->active++;
        start(next);
    }
    page->is_starting = false;
}

void page_fetch_begin(struct page *page, struct wire_session *session, json params)
{
    str id    = text_of(params, "requestId");
    json kind = json_get_text(params, "resourceType");
    json what = json_get_text(params, "request");
    if (id.len == 0 || !json_is(what, JSON_OBJECT)) return;
    if (++page->requests > PAGE_REQUESTS_MAX) {
        page_fault(page, "too_large", STATUS_OK, "it makes more than %d requests",
                   PAGE_REQUESTS_MAX);
        return;
    }
    struct page_fetch *fetch = mem_new(1, sizeof *fetch);
    fetch->page              = page;
    fetch->previous          = page->last;
    fetch->session_id        = mem_dup(session->id, strlen(session->id));
    fetch->id                = mem_dup(id.ptr, id.len);
    fetch->request           = json_ref(what);
    fetch->turn              = (struct turn){.ready = has_turn, .context = fetch};
    fetch->is_document       = json_is(kind, JSON_TEXT) && str_is(json_str(kind), "Document");
    fetch->is_main           = fetch->is_document &&
                     str_is(text_of(params, "frameId"), page->target_id ? page->target_id : "");
    *(page->last ? &page->last->next : &page->first) = fetch;
    page->last                                       = fetch;
    if (fetch->is_main) page->is_loaded = page->is_found = false;
    if (fetch->is_main && page->run) page_run_has_left(page);
    if (fetch->is_main && page->request.wait_for.len > 0 && !loop_timer_is_set(&page->poll)) {
        loop_timer_set(page->browser->options.loop, &page->poll,
                       loop_now_ms(page->browser->options.loop) + PAGE_POLL_MS);
    }
    page_consider(page);
    start_next(page);
}
