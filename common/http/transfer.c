/*
 * One libcurl handle: how it is set up, and what it calls back.
 *
 * A handle whose call ended well waits for the next one that needs the same options (easy_shape):
 * making and freeing one costs a third of a small request. What belongs to one call, its headers,
 * body, certificates, never stays in it.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "http/http_internal.h"
#include "http/inflation.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- The guard -------------------------------------------------------------------------------- */

/* Called for every new connection, with the address that will really be used. */
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct http_call *call = context;
    struct egress_address target;
    bool is_known = egress_address_of(&address->addr, &target);
    if (purpose != CURLSOCKTYPE_IPCXN || !request_may_dial(call, is_known ? &target : NULL)) {
        return CURL_SOCKET_BAD;
    }
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0) return CURL_SOCKET_BAD;
    client_opened(call->client, fd);
    origin_opened(call, fd);
    return fd;
}

/* `context` is the client: a connection outlives the call that opened it. */
static int close_socket(void *context, curl_socket_t fd)
{
    client_closing(context, fd);
    origin_closed(context, fd);
    return close(fd);
}

/*
 * Called when a connection stands, new or pooled, right before the request goes out. A pooled one
 * may have been opened by a call with other rights, so the address is checked again. A second time
 * within a hop means that libcurl found the pooled connection dead and wants to repeat the request.
 */
static int before_request(void *context, char *ip, char *, int, int)
{
    struct http_call *call = context;
    struct egress_address target;
    bool is_known = egress_address_parse(str_from(ip), &target);
    if (!request_may_dial(call, is_known ? &target : NULL)) {
        call->failure = HTTP_REFUSED;
        return CURL_PREREQFUNC_ABORT;
    }
    if (call->transfer->sends > 0 && (!call->sent || !request_is_repeatable(&call->request))) {
        call->failure = HTTP_CUT;
        return CURL_PREREQFUNC_ABORT;
    }
    call->transfer->sends++;
    call_goes_out(call);
    return CURL_PREREQFUNC_OK;
}

/* --- The answer ------------------------------------------------------------------------------- */

/* A prompt may be large, and its answer take minutes. libcurl has pointers to it. */
static void let_go_of_request(struct http_call *call)
{
    curl_off_t uploaded = 0;
    (void)curl_easy_getinfo(call->transfer->easy, CURLINFO_SIZE_UPLOAD_T, &uploaded);
    if (!call->sent || (uint64_t)uploaded < call->request.body.len) return;
    CURLcode code = curl_easy_setopt(call->transfer->easy, CURLOPT_HTTPHEADER, NULL);
    if (code == CURLE_OK && request_has_body(&call->request)) {
        code = curl_easy_setopt(call->transfer->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)0);
        if (code == CURLE_OK) code = curl_easy_setopt(call->transfer->easy, CURLOPT_POSTFIELDS, "");
    }
    if (code != CURLE_OK) return;
    curl_slist_free_all(TAKE(call->transfer->sent_headers));
    request_let_go(call);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl's type */
static size_t take_header(char *data, size_t size, size_t count, void *context)
{
    struct http_call *call = context;
    size_t len             = size * count;
    bool was_complete      = call->answer.is_complete;
    if (call->is_cancelled) return 0;
    intake_note(call);
    if (!intake_line(call, (str){.ptr = data, .len = len})) return 0;
    if (call->answer.is_complete && !was_complete && !call->redirect_url) let_go_of_request(call);
    return len;
}

/* Says whether what came would be blown up to more than is reasonable. */
static bool is_bomb(const struct http_call *call, size_t len)
{
    if (!call->request.is_compressed || call->redirect_url) return false;
    curl_off_t received = 0;
    (void)curl_easy_getinfo(call->transfer->easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
    return inflation_is_bomb((uint64_t)received, call->body_bytes + len);
}

/* Of gzip out of which nothing comes take_body() would never hear. A stop ends the transfer. */
static int look_at_waste(void *context, curl_off_t, curl_off_t received, curl_off_t, curl_off_t)
{
    struct http_call *call = context;
    bool is_waste          = call->answer.is_complete && !call->redirect_url &&
                    inflation_is_waste((uint64_t)received, call->body_bytes);
    if (is_waste && !call->is_cancelled) call->failure = HTTP_TOO_LARGE;
    return is_waste;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl's type */
static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct http_call *call = context;
    size_t len             = size * count;
    if (call->is_cancelled) return 0;
    intake_note(call);
    if (is_bomb(call, len)) {
        call->failure = HTTP_TOO_LARGE;
        return 0;
    }
    switch (intake_body(call, (str){.ptr = data, .len = len})) {
    case INTAKE_TAKEN: return len;
    case INTAKE_PAUSED: call_arm(call); return CURL_WRITEFUNC_PAUSE;
    case INTAKE_ENDS: break;
    }
    return 0;
}

/* --- Setting up ------------------------------------------------------------------------------- */

/* libcurl copies what it is told, but for the body and the list of headers. */
static bool set(bool so_far, CURLcode code)
{
    return so_far && code == CURLE_OK;
}

static bool add_line(struct http_call *call, const char *line)
{
    struct curl_slist *longer = curl_slist_append(call->transfer->sent_headers, line);
    if (longer) call->transfer->sent_headers = longer;
    return longer;
}

static bool is_named(const struct http_header *header, const char *name)
{
    return header->name.len == strlen(name) &&
           strncasecmp(header->name.ptr, name, header->name.len) == 0;
}

static bool set_headers(struct http_call *call)
{
    const struct request *request     = &call->request;
    CLEANUP(buf_done) struct buf line = buf_init(2 * (size_t)HTTP_HEADERS_MAX);
    bool has_type                     = false;
    bool is_set                       = add_line(call, "Expect:");
    for (size_t i = 0; i < request->header_count && is_set; i++) {
        const struct http_header *header = &request->headers[i];
        has_type                         = has_type || is_named(header, "Content-Type");
        buf_clear(&line);
        /* A header without value is written with a semicolon, or libcurl would leave it out. */
        (void)buf_put_str(&line, header->name);
        (void)buf_put_text(&line, header->value.len > 0 ? ": " : ";");
        (void)buf_put_str(&line, header->value);
        is_set = !line.is_full && add_line(call, line.ptr);
    }
    if (!has_type) is_set = is_set && add_line(call, "Content-Type:"); /* no guesses */
    return set(is_set, curl_easy_setopt(call->transfer->easy, CURLOPT_HTTPHEADER,
                                        call->transfer->sent_headers));
}

static bool set_method(struct http_call *call)
{
    const struct request *request = &call->request;
    CURL *easy                    = call->transfer->easy;
    if (str_is(request->method, "HEAD")) {
        return set(true, curl_easy_setopt(easy, CURLOPT_NOBODY, 1L));
    }
    bool is_set = set(true, curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method.ptr));
    if (!request_has_body(request)) return is_set;
    curl_off_t size = (curl_off_t)request->body.len;
    is_set          = set(is_set, curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, size));
    return set(is_set, curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.ptr));
}

static bool set_blob(CURL *easy, CURLoption option, str text)
{
    if (text.len == 0) return true;
    struct curl_blob blob = {.data  = (void *)(uintptr_t)text.ptr, /* copied, not written to */
                             .len   = text.len,
                             .flags = CURL_BLOB_COPY};
    return curl_easy_setopt(easy, option, &blob) == CURLE_OK;
}

static bool set_tls(struct http_call *call)
{
    const struct http_client *client = call->client;
    bool is_set                      = true;
    if (client->ca_file) {
        is_set =
            set(is_set, curl_easy_setopt(call->transfer->easy, CURLOPT_CAINFO, client->ca_file));
    }
    if (!call->request.has_tls) return is_set;
    return is_set && set_blob(call->transfer->easy, CURLOPT_CAINFO_BLOB, call->request.tls.ca) &&
           set_blob(call->transfer->easy, CURLOPT_SSLCERT_BLOB, call->request.tls.cert) &&
           set_blob(call->transfer->easy, CURLOPT_SSLKEY_BLOB, call->request.tls.key);
}

/* A tunnel was opened with the proxy's password of one call: libcurl before 8.19 would take it for
 * others of another password (proxy_info_matches() in its lib/url.c looks at type, host and port),
 * so it serves this one alone; by HTTP/1.1, since other calls could join while it is open in
 * HTTP/2. CONNECT's own answer is nobody's. */
static bool set_proxy(struct http_call *call)
{
    const struct proxy *proxy = call->request.proxy;
    CURL *easy                = call->transfer->easy;
    if (!proxy) return true;
    bool is_set = set(true, curl_easy_setopt(easy, CURLOPT_PROXY, proxy->url));
    is_set      = set(is_set, curl_easy_setopt(easy, CURLOPT_NOPROXY, "")); /* nor of it */
    is_set      = set(is_set, curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L));
    is_set      = set(is_set, curl_easy_setopt(easy, CURLOPT_CONNECT_TO, NULL));
    if (!proxy->user) return is_set;
    if (call->request.target.is_https) {
        is_set = set(is_set, curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L));
        is_set = set(is_set, curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L));
        is_set = set(is_set, curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1));
    }
    is_set = set(is_set, curl_easy_setopt(easy, CURLOPT_PROXYAUTH, CURLAUTH_BASIC));
    is_set = set(is_set, curl_easy_setopt(easy, CURLOPT_PROXYUSERNAME, proxy->user));
    return set(is_set, curl_easy_setopt(easy, CURLOPT_PROXYPASSWORD, proxy->password));
}

/* What every call sets. */
static bool set_connection(struct http_call *call)
{
    CURL *easy         = call->transfer->easy;
    int64_t connect_ms = call->request.timeouts.connect_ms;
    bool is_set        = set(true, curl_easy_setopt(easy, CURLOPT_URL, call->request.url.ptr));
    /* Our own timer decides; this one makes libcurl go on to a host's next address in time. */
    if (connect_ms > INT32_MAX) connect_ms = INT32_MAX;
    is_set = set(is_set, curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms));
    /* Else libcurl would look at each of thousands for one that it can use again. */
    long is_fresh = origin_is_busy(call) ? 1 : 0;
    is_set        = set(is_set, curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, is_fresh));
    is_set        = set(is_set, curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, call));
    is_set        = set(is_set, curl_easy_setopt(easy, CURLOPT_PREREQDATA, call));
    is_set        = set(is_set, curl_easy_setopt(easy, CURLOPT_PRIVATE, call));
    is_set = set(is_set, curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->transfer->curl_error));
    is_set = set(is_set, curl_easy_setopt(easy, CURLOPT_HEADERDATA, call));
    is_set = set(is_set, curl_easy_setopt(easy, CURLOPT_XFERINFODATA, call));
    return set(is_set, curl_easy_setopt(easy, CURLOPT_WRITEDATA, call));
}

/* What calls of one shape have in common. */
static bool set_shape(struct http_client *client, CURL *easy, const struct easy_shape *shape)
{
    bool is_https = shape->is_https;
    long version  = is_https ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1;
    bool is_set =
        set(true, curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, is_https ? "https" : "http"));
    is_set = set(is_set, curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version));
    is_set = set(is_set, curl_easy_setopt(easy, CURLOPT_PIPEWAIT, is_https ? 1L : 0L));
    is_set = set(is_set, curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L));
    is_set = set(is_set, curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L));
    is_set = set(is_set, curl_easy_setopt(easy, CURLOPT_PROXY, "")); /* not the environment's */
    if (client->rewrites) {
        is_set = set(is_set, curl_easy_setopt(easy, CURLOPT_CONNECT_TO, client->rewrites));
    }
    is_set = set(is_set, curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L));
    is_set = set(is_set, curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L));
    if (!shape->is_repeatable) {
        is_set = set(is_set, curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)HTTP_POOLED_IDLE_S));
    }
    is_set = set(is_set, curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket));
    is_set = set(is_set, curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket));
    is_set = set(is_set, curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, client));
    is_set = set(is_set, curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, before_request));
    is_set = set(is_set, curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header));
    is_set = set(is_set, curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body));
    is_set = set(is_set, curl_easy_setopt(easy, CURLOPT_USERAGENT, client->user_agent));
    if (shape->is_stream) {
        is_set = set(is_set, curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 1024L));
    }
    if (shape->is_compressed) {
        is_set = set(is_set, curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip"));
        is_set = set(is_set, curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, look_at_waste));
        is_set = set(is_set, curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L));
    }
    return is_set;
}

/* --- Handles ---------------------------------------------------------------------------------- */

static bool is_alike(const struct easy_shape *a, const struct easy_shape *b)
{
    return a->is_https == b->is_https && a->is_stream == b->is_stream &&
           a->is_compressed == b->is_compressed && a->is_repeatable == b->is_repeatable;
}

/* One that waits; NULL: none of this shape. */
static CURL *take_spare(struct http_client *client, const struct easy_shape *shape)
{
    for (unsigned i = client->spare_count; i > 0; i--) {
        if (!is_alike(&client->spares[i - 1].shape, shape)) continue;
        CURL *easy            = client->spares[i - 1].easy;
        client->spares[i - 1] = client->spares[--client->spare_count];
        return easy;
    }
    return NULL;
}

static bool get_easy(struct http_call *call)
{
    const struct request *request = &call->request;
    call->transfer->shape         = (struct easy_shape){
                .is_https      = request->target.is_https,
                .is_stream     = request->is_stream,
                .is_compressed = request->is_compressed,
                .is_repeatable = request_is_repeatable(request),
    };
    /* There are many with a body; the options of others would have to be undone. */
    call->transfer->is_common = request_has_body(request) && !request->has_tls && !request->proxy;
    call->transfer->easy =
        call->transfer->is_common ? take_spare(call->client, &call->transfer->shape) : NULL;
    if (call->transfer->easy) return true;
    call->transfer->easy = curl_easy_init();
    return call->transfer->easy &&
           set_shape(call->client, call->transfer->easy, &call->transfer->shape);
}

/* Nothing of the call is left in it. */
static bool keep_spare(struct http_call *call)
{
    struct http_client *client = call->client;
    bool is_fine               = call->transfer->is_common && call->transfer->is_settled;
    if (!is_fine || client->spare_count == SPARE_EASIES_MAX) return false;
    bool is_set = set(true, curl_easy_setopt(call->transfer->easy, CURLOPT_HTTPHEADER, NULL));
    is_set      = set(is_set, curl_easy_setopt(call->transfer->easy, CURLOPT_POSTFIELDS, NULL));
    is_set      = set(is_set, curl_easy_setopt(call->transfer->easy, CURLOPT_ERRORBUFFER, NULL));
    if (!is_set) return false;
    client->spares[client->spare_count++] =
        (struct spare_easy){call->transfer->easy, call->transfer->shape};
    return true;
}

void transfer_free_spares(struct http_client *client)
{
    while (client->spare_count > 0) curl_easy_cleanup(client->spares[--client->spare_count].easy);
}

bool transfer_start(struct http_call *call)
{
    call->transfer = mem_new(1, sizeof *call->transfer);
    origin_enter(call);
    return get_easy(call) && set_connection(call) && set_proxy(call) && set_tls(call) &&
           set_method(call) && set_headers(call) &&
           curl_multi_add_handle(call->client->multi, call->transfer->easy) == CURLM_OK;
}

void transfer_stop(struct http_call *call)
{
    struct transfer *transfer = call->transfer;
    if (!transfer) return;
    if (transfer->easy) {
        client_enter(call->client); /* closing makes libcurl forget its sockets and timers */
        (void)curl_multi_remove_handle(call->client->multi, transfer->easy);
        if (!keep_spare(call)) curl_easy_cleanup(transfer->easy);
        client_leave(call->client);
    }
    origin_leave(call);
    curl_slist_free_all(transfer->sent_headers);
    free(TAKE(call->transfer));
}

bool transfer_resume(struct http_call *call)
{
    client_enter(call->client);
    CURLcode code = curl_easy_pause(call->transfer->easy, CURLPAUSE_CONT);
    client_leave(call->client);
    /* A failing write shows here only; the transfer itself would hang. */
    if (code != CURLE_OK) transfer_ended(call, code);
    return code == CURLE_OK;
}

/* --- What went wrong -------------------------------------------------------------------------- */

static enum http_failure failure_of(const struct http_call *call, CURLcode curl_code)
{
    bool is_connected = call->phase == CALL_SENDING || call->phase == CALL_RECEIVING;
    switch (curl_code) {
    case CURLE_OK: return HTTP_NO_FAILURE;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY: return HTTP_DNS;
    case CURLE_PROXY: return HTTP_CONNECT;
    case CURLE_COULDNT_CONNECT: return call->is_refused ? HTTP_REFUSED : HTTP_CONNECT;
    case CURLE_OPERATION_TIMEDOUT: return is_connected ? HTTP_TIMEOUT_TOTAL : HTTP_TIMEOUT_CONNECT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_ENGINE_INITFAILED: return HTTP_TLS;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2_STREAM: return is_connected ? HTTP_CUT : HTTP_CONNECT;
    case CURLE_OUT_OF_MEMORY: return HTTP_TOO_LARGE; /* how 7.88 calls a header line > 100 KB */
#if LIBCURL_VERSION_NUM >= 0x080600
    case CURLE_TOO_LARGE: return HTTP_TOO_LARGE; /* how it is called since 8.6 */
#endif
    default: return HTTP_PROTOCOL;
    }
}

static bool is_reused(const struct http_call *call)
{
    long opened = 1;
    if (!call->transfer->easy || call->transfer->sends == 0) return false;
    (void)curl_easy_getinfo(call->transfer->easy, CURLINFO_NUM_CONNECTS, &opened);
    return opened == 0;
}

/* What libcurl says of connections, for the error's text. */
static void take_reason(struct http_call *call)
{
    if (call->failure != HTTP_DNS && call->failure != HTTP_CONNECT && call->failure != HTTP_TLS) {
        return;
    }
    (void)snprintf(call->reason, sizeof call->reason, "%.90s", call->transfer->curl_error);
}

void transfer_ended(struct http_call *call, CURLcode curl_code)
{
    call->is_reused            = is_reused(call);
    call->transfer->is_settled = curl_code == CURLE_OK && call->failure == HTTP_NO_FAILURE;
    if (call->failure != HTTP_NO_FAILURE) return;
    if (call->redirect_url && !call->is_cancelled) return; /* whatever became of its own body */
    call->failure = failure_of(call, curl_code);
    take_reason(call);
}
