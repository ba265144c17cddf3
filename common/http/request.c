/* What may be asked for, and where a redirect may lead. */
#include "base/assert.h"
#include "base/mem.h"
#include "http/http_internal.h"

#include <stdio.h>
#include <strings.h>

static status invalid(struct error *reterr, const char *what)
{
    return fail(reterr, STATUS_INVALID_ARGUMENT, "http request: %s", what);
}

/* --- Names and values ------------------------------------------------------------------------- */

/* RFC 9110, section 5.6.2. */
static bool is_token(str text)
{
    if (text.len == 0) return false;
    for (size_t i = 0; i < text.len; i++) {
        char c         = text.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_letter && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c))) return false;
    }
    return true;
}

/* No line can begin in a value: that would be a header of somebody else's choice. */
static bool is_value(str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if ((c < ' ' && c != '\t') || c == 0x7f) return false;
    }
    return true;
}

static bool is_named(str name, const char *const *names)
{
    for (; *names; names++) {
        if (strlen(*names) == name.len && strncasecmp(*names, name.ptr, name.len) == 0) return true;
    }
    return false;
}

static status check_header(const struct http_header *header, struct error *reterr)
{
    static const char *const ours[] = {"Host",       "Content-Length", "Transfer-Encoding",
                                       "Connection", "Expect",         "Accept-Encoding",
                                       NULL};
    if (!is_token(header->name)) return invalid(reterr, "a header's name is not one");
    if (is_named(header->name, ours)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "http request: the header " STR_FMT " is set by the client itself",
                    STR_ARG(header->name));
    }
    if (is_value(header->value)) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "http request: control characters in the value of " STR_FMT, STR_ARG(header->name));
}

/* --- Where to --------------------------------------------------------------------------------- */

static bool is_host_listed(const char *const *hosts, str host)
{
    return !hosts || is_named(host, hosts);
}

static status refuse_host(const struct url *target, struct error *reterr)
{
    CLEANUP(buf_done) struct buf origin = buf_init(URL_HOST_MAX + 32);
    (void)url_put_origin(&origin, target);
    return fail(reterr, STATUS_PERMISSION_DENIED,
                "egress: " STR_FMT " is refused; it takes the host in `hosts` of the connection",
                STR_ARG(buf_str(&origin)));
}

static status refuse_http(const struct egress_rules *rules, const struct url *target,
                          struct error *reterr)
{
    const char *section = egress_section(rules);
    return fail(reterr, STATUS_PERMISSION_DENIED,
                "egress: http://" STR_FMT " is refused; it takes https%s%s%s",
                STR_ARG(target->host), section ? ", or the host in " : "", section ? section : "",
                section ? ".http_hosts" : "");
}

status request_check_target(const struct http_call *call, const struct url *target,
                            struct error *reterr)
{
    const struct egress_rules *rules = call->client->egress;
    if (target->user_info.len > 0) {
        return fail(reterr, STATUS_PERMISSION_DENIED,
                    "egress: credentials in a URL are refused; send a header");
    }
    if (!is_host_listed(call->request.hosts, target->host)) {
        return refuse_host(target, reterr);
    }
    if (!target->is_https && !egress_allows_http(rules, target->host)) {
        return refuse_http(rules, target, reterr);
    }
    struct egress_address address;
    if (egress_address_parse(target->host, &address) &&
        !egress_allows(rules, address, call->request.allow_private)) {
        char reason[EGRESS_REASON_MAX];
        egress_explain(rules, &address, call->request.allow_private, reason);
        return fail(reterr, STATUS_PERMISSION_DENIED, "egress: " STR_FMT " is refused: %s",
                    STR_ARG(target->host), reason);
    }
    return STATUS_OK;
}

static bool allows(struct http_call *call, const struct egress_address *address, bool allow_private,
                   const char *whose)
{
    if (address && egress_allows(call->client->egress, *address, allow_private)) return true;
    char reason[EGRESS_REASON_MAX];
    call->is_refused = true;
    egress_explain(call->client->egress, address, allow_private, reason);
    (void)snprintf(call->reason, sizeof call->reason, "%s%s", whose, reason);
    return false;
}

bool request_allows(struct http_call *call, const struct egress_address *address)
{
    return allows(call, address, call->request.allow_private, "");
}

bool request_may_dial(struct http_call *call, const struct egress_address *address)
{
    return call->request.proxy ? allows(call, address, true, "the proxy has a ")
                               : request_allows(call, address);
}

/* --- Copying ---------------------------------------------------------------------------------- */

static str copy_to(struct arena *arena, str text)
{
    char *copied = arena_strdup(arena, text);
    ASSERT(copied); /* the arena is as large as all limits together */
    return (str){.ptr = copied, .len = text.len};
}

static str copy(struct http_call *call, str text)
{
    return copy_to(call->arena, text);
}

static void copy_hosts(struct http_call *call, const char *const *hosts)
{
    if (!hosts) return;
    size_t count = 0;
    while (hosts[count]) count++;
    ASSERT(count <= EGRESS_RULES_MAX);
    const char **copied = arena_alloc(call->arena, (count + 1) * sizeof *copied);
    ASSERT(copied);
    for (size_t i = 0; i < count; i++) copied[i] = copy(call, str_from(hosts[i])).ptr;
    call->request.hosts = copied;
}

static status copy_headers(struct http_call *call, const struct http_request *from,
                           struct error *reterr)
{
    if (from->header_count > HTTP_HEADERS_SENT_MAX) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "http request: more than %d headers",
                    HTTP_HEADERS_SENT_MAX);
    }
    size_t size = 0;
    struct http_header *headers =
        arena_alloc(call->sent, (from->header_count + 1) * sizeof *headers);
    ASSERT(headers);
    for (size_t i = 0; i < from->header_count; i++) {
        const struct http_header *header = &from->headers[i];
        size += header->name.len + header->value.len;
        if (size > HTTP_HEADERS_MAX) {
            return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "http request: headers exceed %d bytes",
                        HTTP_HEADERS_MAX);
        }
        TRY(check_header(header, reterr));
        headers[i] = (struct http_header){.name      = copy_to(call->sent, header->name),
                                          .value     = copy_to(call->sent, header->value),
                                          .is_secret = header->is_secret};
    }
    call->request.headers      = headers;
    call->request.header_count = from->header_count;
    return STATUS_OK;
}

static int64_t timeout_of(int64_t asked_ms, int64_t default_ms)
{
    if (asked_ms < 0) return INT64_MAX;
    return asked_ms == 0 ? default_ms : asked_ms;
}

static void copy_limits(struct request *request, const struct http_request *from)
{
    request->timeouts = (struct http_timeouts){
        .connect_ms    = timeout_of(from->timeouts.connect_ms, HTTP_CONNECT_MS),
        .first_byte_ms = timeout_of(from->timeouts.first_byte_ms, HTTP_FIRST_BYTE_MS),
        .idle_ms       = timeout_of(from->timeouts.idle_ms, HTTP_IDLE_MS),
        .total_ms      = timeout_of(from->timeouts.total_ms, HTTP_TOTAL_MS),
    };
    request->headers_max   = from->headers_max ? from->headers_max : HTTP_HEADERS_MAX;
    request->body_max      = from->body_max ? from->body_max : HTTP_BODY_MAX;
    request->redirects_max = from->redirects_max;
    request->allow_private = from->allow_private;
    request->is_compressed = from->is_compressed;
    request->is_stream     = from->is_stream;
    request->is_repeatable = from->is_repeatable;
}

static void copy_tls(struct http_call *call, const struct http_tls *tls)
{
    if (!tls) return;
    call->request.has_tls = true;
    call->request.tls     = (struct http_tls){.ca   = copy_to(call->sent, tls->ca),
                                              .cert = copy_to(call->sent, tls->cert),
                                              .key  = copy_to(call->sent, tls->key)};
}

static status copy_url(struct http_call *call, str url, struct error *reterr)
{
    if (url.len > HTTP_URL_MAX) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "http request: the URL exceeds %d bytes",
                    HTTP_URL_MAX);
    }
    call->request.url = copy(call, url);
    if (!url_parse(call->request.url, &call->request.target)) {
        return invalid(reterr, "the URL is not an absolute http or https URL");
    }
    return request_check_target(call, &call->request.target, reterr);
}

/* What most requests need: calls wait by thousands for answers that take minutes. */
static size_t sent_size(const struct http_request *from)
{
    bool is_refused = from->header_count > HTTP_HEADERS_SENT_MAX;
    size_t count    = is_refused ? 0 : from->header_count;
    size_t size     = from->body.len + 1 + (count + 1) * sizeof(struct http_header);
    for (size_t i = 0; i < count; i++) {
        size += from->headers[i].name.len + from->headers[i].value.len + 2;
    }
    return size;
}

status request_copy(struct http_call *call, const struct http_request *from, struct error *reterr)
{
    struct request *request = &call->request;
    str method              = from->method;
    if (method.len == 0) method = str_from(from->body.len > 0 ? "POST" : "GET");
    if (!is_token(method) || method.len > 32) return invalid(reterr, "the method is not one");
    if (from->body.len > HTTP_BODY_SENT_MAX) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "http request: the body exceeds %d bytes",
                    HTTP_BODY_SENT_MAX);
    }
    arena_expect(call->arena, method.len + from->url.len + 2); /* proxies are rare */
    arena_expect(call->sent, sent_size(from));
    request->method = copy(call, method);
    copy_limits(request, from);
    copy_hosts(call, from->hosts);
    copy_tls(call, from->tls);
    TRY(proxy_read(from->proxy, call->arena, &request->proxy, reterr));
    TRY(copy_headers(call, from, reterr));
    TRY(copy_url(call, from->url, reterr));
    request->body =
        bytes_from(copy_to(call->sent, (str){.ptr = from->body.ptr, .len = from->body.len}));
    return STATUS_OK;
}

bool request_is_repeatable(const struct request *request)
{
    static const char *const harmless[] = {"GET", "HEAD", "OPTIONS", NULL};
    return request->is_repeatable || is_named(request->method, harmless);
}

bool request_has_body(const struct request *request)
{
    static const char *const with_body[] = {"POST", "PUT", "PATCH"};
    bool has_one                         = request->body.len > 0;
    for (size_t i = 0; i < ARRAY_LEN(with_body); i++) {
        has_one = has_one || str_is(request->method, with_body[i]);
    }
    return has_one && !str_is(request->method, "HEAD");
}

void request_let_go(struct http_call *call)
{
    struct request *request = &call->request;
    request->headers        = NULL;
    request->header_count   = 0;
    request->body           = (bytes){};
    request->tls            = (struct http_tls){};
    arena_free(TAKE(call->sent));
}

/* --- Redirects -------------------------------------------------------------------------------- */

static void urlp_cleanup(CURLU **url)
{
    curl_url_cleanup(*url);
}

/* Resolves `location` against where we are; NULL if that is no URL. In the arena. */
static char *resolve(struct http_call *call, str location)
{
    if (location.len > HTTP_URL_MAX || location.len == 0) return NULL;
    CLEANUP(urlp_cleanup) CURLU *url = curl_url();
    const char *relative             = copy(call, location).ptr;
    char *absolute                   = NULL;
    if (!url || curl_url_set(url, CURLUPART_URL, call->request.url.ptr, 0) != CURLUE_OK ||
        curl_url_set(url, CURLUPART_URL, relative, CURLU_PATH_AS_IS) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_URL, &absolute, 0) != CURLUE_OK) {
        return NULL;
    }
    size_t len   = strlen(absolute);
    char *copied = len <= HTTP_URL_MAX ? arena_strdup(call->arena, (str){absolute, len}) : NULL;
    curl_free(absolute);
    return copied;
}

static bool is_followed(const struct http_call *call, const struct url *target)
{
    static const char *const reading[] = {"GET", "HEAD", NULL};
    int http_status                    = call->answer.http_status;
    bool is_at_home                    = url_same_origin(&call->request.target, target);
    if (is_named(call->request.method, reading)) {
        return is_at_home || !request_has_body(&call->request);
    }
    return (http_status == 307 || http_status == 308) && is_at_home;
}

static void give_up(struct http_call *call, enum http_failure failure, const char *reason)
{
    call->failure = failure;
    (void)snprintf(call->reason, sizeof call->reason, "%s", reason);
}

void request_follow(struct http_call *call)
{
    int http_status = call->answer.http_status;
    bool redirects  = http_status == 301 || http_status == 302 || http_status == 303 ||
                     http_status == 307 || http_status == 308;
    struct http_answer answer = answer_view(call);
    str location;
    if (!redirects || call->request.redirects_max == 0) return;
    if (!http_answer_header(&answer, "Location", &location)) return;

    char *url = resolve(call, location);
    struct url target;
    if (!url || !url_parse(str_from(url), &target)) {
        give_up(call, HTTP_REDIRECTS, "the redirect leads nowhere");
        return;
    }
    if (!is_followed(call, &target)) return;
    if (call->redirects == call->request.redirects_max) {
        give_up(call, HTTP_REDIRECTS, "too many redirects");
        return;
    }
    struct error why = {};
    if (request_check_target(call, &target, &why) != STATUS_OK) {
        char reason[EGRESS_REASON_MAX];
        (void)snprintf(reason, sizeof reason, "a redirect, %.170s", why.text);
        give_up(call, HTTP_REFUSED, reason);
        return;
    }
    call->redirect_url = url;
}
