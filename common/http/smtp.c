#include "http/smtp.h"

#include "http/http_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { REPLY_DIGITS = 3, REPLY_BYE = 221 };

/* One mail under way; libcurl's callbacks get it. */
struct conversation {
    const struct smtp_request *request;
    struct smtp_result *result;
    size_t sent; /* bytes of the message that were given to libcurl */
    bool is_refused;
    char reason[EGRESS_REASON_MAX];
};

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct conversation *one = context;
    struct egress_address target;
    bool is_known = egress_address_of(&address->addr, &target);
    if (purpose != CURLSOCKTYPE_IPCXN || !is_known ||
        !egress_allows(one->request->egress, target, one->request->allow_private)) {
        one->is_refused = true;
        egress_explain(one->request->egress, is_known ? &target : NULL, one->request->allow_private,
                       one->reason);
        return CURL_SOCKET_BAD;
    }
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl's type */
static size_t give_message(char *to, size_t size, size_t count, void *context)
{
    struct conversation *one = context;
    size_t len               = one->request->message.len - one->sent;
    if (len > size * count) len = size * count;
    memcpy(to, one->request->message.ptr + one->sent, len);
    one->sent += len;
    /* With the last piece libcurl says that this was all: from here on it may be taken. */
    if (one->sent == one->request->message.len) one->result->was_sent = true;
    return len;
}

/* "250 OK", "250-SIZE 1000": the last line of a reply is the one that counts. */
/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl's type */
static size_t take_reply(char *data, size_t size, size_t count, void *context)
{
    struct conversation *one = context;
    size_t len               = size * count;
    size_t kept              = 0;
    int code                 = 0;
    for (size_t i = 0; i < REPLY_DIGITS && i < len; i++) {
        if (data[i] < '0' || data[i] > '9') return len;
        code = code * 10 + (data[i] - '0');
    }
    if (code == REPLY_BYE) return len; /* to our QUIT: it says nothing about the mail */
    for (size_t i = 0; i < len && kept < SMTP_REPLY_SIZE - 1; i++) {
        bool is_plain = data[i] >= ' ' && data[i] < 0x7f;
        if (is_plain) one->result->text[kept++] = data[i];
    }
    one->result->text[kept] = '\0';
    one->result->reply      = code;
    return len;
}

static size_t drop(char *, size_t size, size_t count, void *)
{
    return size * count;
}

static int look_around(void *context, curl_off_t, curl_off_t, curl_off_t, curl_off_t)
{
    const struct conversation *one = context;
    return one->request->is_cancelled && atomic_load(one->request->is_cancelled);
}

/* --- setting up ------------------------------------------------------------------------------- */

static bool set(bool so_far, CURLcode code)
{
    return so_far && code == CURLE_OK;
}

static bool set_address(CURL *easy, const struct smtp_request *request)
{
    CLEANUP(buf_done) struct buf url = buf_init(HTTP_URL_MAX);
    const char *scheme               = request->security == SMTP_IMPLICIT ? "smtps" : "smtp";
    (void)buf_printf(&url, "%s://%s:%u/%s", scheme, request->host, request->port, request->name);
    (void)buf_put_byte(&url, '\0');
    long security = request->security == SMTP_PLAIN ? CURLUSESSL_NONE : CURLUSESSL_ALL;
    bool is_set   = !url.is_full && set(true, curl_easy_setopt(easy, CURLOPT_URL, url.ptr));
    is_set        = set(is_set, curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps"));
    is_set        = set(is_set, curl_easy_setopt(easy, CURLOPT_USE_SSL, security));
    is_set        = set(is_set, curl_easy_setopt(easy, CURLOPT_PROXY, ""));
    if (request->ca_file) {
        is_set = set(is_set, curl_easy_setopt(easy, CURLOPT_CAINFO, request->ca_file));
    }
    if (!request->user) return is_set;
    is_set = set(is_set, curl_easy_setopt(easy, CURLOPT_USERNAME, request->user));
    return set(is_set, curl_easy_setopt(easy, CURLOPT_PASSWORD,
                                        request->password ? request->password : ""));
}

static bool set_callbacks(CURL *easy, struct conversation *one)
{
    bool is_set = set(true, curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket));
    is_set      = set(is_set, curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, one));
    is_set      = set(is_set, curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_reply));
    is_set      = set(is_set, curl_easy_setopt(easy, CURLOPT_HEADERDATA, one));
    is_set      = set(is_set, curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop));
    is_set      = set(is_set, curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, look_around));
    is_set      = set(is_set, curl_easy_setopt(easy, CURLOPT_XFERINFODATA, one));
    return set(is_set, curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L));
}

static bool set_times(CURL *easy, const struct smtp_request *request)
{
    bool is_set = set(true, curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L));
    is_set =
        set(is_set, curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_ms));
    return set(is_set, curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->total_ms));
}

static void list_freep(struct curl_slist **list)
{
    curl_slist_free_all(*list);
}

/* `*list` is freed by the caller; libcurl keeps a pointer. */
static bool set_mail(CURL *easy, struct conversation *one, struct curl_slist **list)
{
    const struct smtp_request *request = one->request;
    if (!request->from) return set(true, curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "NOOP"));
    for (size_t i = 0; i < request->to_count; i++) {
        struct curl_slist *longer = curl_slist_append(*list, request->to[i]);
        if (!longer) return false;
        *list = longer;
    }
    curl_off_t size = (curl_off_t)request->message.len;
    bool is_set     = set(true, curl_easy_setopt(easy, CURLOPT_MAIL_FROM, request->from));
    is_set          = set(is_set, curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, *list));
    is_set          = set(is_set, curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_message));
    is_set          = set(is_set, curl_easy_setopt(easy, CURLOPT_READDATA, one));
    is_set          = set(is_set, curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, size));
    return set(is_set, curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L));
}

static void easy_freep(CURL **easy)
{
    curl_easy_cleanup(*easy);
}

/* --- what became of it ------------------------------------------------------------------------ */

static status outcome(const struct conversation *one, CURLcode code, struct error *reterr)
{
    const struct smtp_request *request = one->request;
    struct smtp_result *result         = one->result;
    bool is_error                      = result->reply >= 400;
    if (one->is_refused && result->reply == 0) {
        return fail(reterr, STATUS_PERMISSION_DENIED, "%s: the egress rules forbid it: %s",
                    request->host, one->reason);
    }
    if (code == CURLE_OK || is_error) return STATUS_OK;
    /* Its last word was yes to something else, so there is none about the mail. */
    result->reply = 0;
    if (code == CURLE_ABORTED_BY_CALLBACK) return fail(reterr, STATUS_CANCELLED, "cancelled");
    if (code == CURLE_OPERATION_TIMEDOUT) {
        return fail(reterr, STATUS_DEADLINE_EXCEEDED, "%s: no answer in time", request->host);
    }
    return fail(reterr, STATUS_UNAVAILABLE, "%s: %s", request->host, curl_easy_strerror(code));
}

static bool has_break(const char *text)
{
    return text && strpbrk(text, "\r\n");
}

static status check(const struct smtp_request *request, struct error *reterr)
{
    bool is_good = request->host[0] && !strpbrk(request->host, "/@?#\\ \r\n") &&
                   !strpbrk(request->name, "/?#\\ \r\n") && !has_break(request->from) &&
                   !has_break(request->user) && !has_break(request->password) &&
                   request->to_count <= SMTP_RECIPIENTS_MAX;
    for (size_t i = 0; i < request->to_count; i++) is_good = is_good && !has_break(request->to[i]);
    if (!is_good) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "smtp: host, name, sender, recipients or credentials are none");
    }
    if (request->security == SMTP_PLAIN &&
        !egress_allows_http(request->egress, str_from(request->host))) {
        const char *section = egress_section(request->egress);
        return fail(reterr, STATUS_PERMISSION_DENIED,
                    "%s: mail without TLS goes to hosts of `%s.http_hosts` only", request->host,
                    section ? section : "egress");
    }
    return STATUS_OK;
}

status smtp_perform(const struct smtp_request *request, struct smtp_result *ret_result,
                    struct error *reterr)
{
    CLEANUP(list_freep) struct curl_slist *list = NULL;
    CLEANUP(easy_freep) CURL *easy              = NULL; /* before the list, which it points to */
    struct conversation one                     = {.request = request, .result = ret_result};
    *ret_result                                 = (struct smtp_result){};
    TRY(check(request, reterr));
    easy = curl_easy_init();
    if (!easy || !set_address(easy, request) || !set_callbacks(easy, &one) ||
        !set_times(easy, request) || !set_mail(easy, &one, &list)) {
        return fail(reterr, STATUS_UNAVAILABLE, "smtp: libcurl does not do it");
    }
    return outcome(&one, curl_easy_perform(easy), reterr);
}
