/* A request in one block: the struct, its fields, the bytes of its head, the decoded path. */
#include "base/assert.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "httpd/httpd_internal.h"

#include <stdlib.h>

struct httpd_budget *budget_new(size_t max)
{
    struct httpd_budget *budget = mem_new(1, sizeof *budget);
    budget->max                 = max;
    atomic_init(&budget->refs, 1);
    return budget;
}

void budget_unref(struct httpd_budget *budget)
{
    if (budget && atomic_fetch_sub(&budget->refs, 1) == 1) free(budget);
}

static bool bad_target(struct httpd_refusal *ret_refusal, const char *detail)
{
    *ret_refusal =
        (struct httpd_refusal){.http_status = 400, .code = "invalid_request", .detail = detail};
    return false;
}

/* Splits origin-form, absolute-form and "*" into path and query (RFC 9112 section 3.2). */
static bool split_target(struct httpd_request *request, struct httpd_refusal *ret_refusal)
{
    str rest = request->target;
    if (str_is(rest, "*") && str_is(request->method, "OPTIONS")) {
        request->raw_path = rest;
        return true;
    }
    size_t scheme_len = str_starts_with(rest, str_from("http://"))    ? 7
                        : str_starts_with(rest, str_from("https://")) ? 8
                                                                      : 0;
    if (scheme_len > 0) {
        size_t at = scheme_len;
        while (at < rest.len && rest.ptr[at] != '/' && rest.ptr[at] != '?') at++;
        if (at == scheme_len) return bad_target(ret_refusal, "The target names no host.");
        rest = str_slice(rest, at, rest.len);
    } else if (rest.ptr[0] != '/') {
        return bad_target(ret_refusal, "The target is a path that begins with a slash.");
    }
    const char *mark  = rest.len > 0 ? memchr(rest.ptr, '?', rest.len) : NULL;
    size_t path_len   = mark ? (size_t)(mark - rest.ptr) : rest.len;
    request->raw_path = path_len > 0 ? str_slice(rest, 0, path_len) : str_from("/");
    request->query    = str_slice(rest, path_len + 1, rest.len);
    return true;
}

static bool decode_path(struct httpd_request *request, char *out, struct httpd_refusal *ret_refusal)
{
    int64_t len = percent_decode(request->raw_path, false, out);
    if (len < 0) return bad_target(ret_refusal, "The path holds a broken %XX escape.");
    request->path = (str){.ptr = out, .len = (size_t)len};
    for (size_t i = 0; i < request->path.len; i++) {
        if ((unsigned char)out[i] < ' ' || out[i] == 0x7F) {
            return bad_target(ret_refusal, "The path holds a control character.");
        }
    }
    if (utf8_valid_prefix(request->path) < request->path.len) {
        return bad_target(ret_refusal, "The path is not UTF-8.");
    }
    return true;
}

/* The same view in the copy of the head. */
static str moved(str view, const struct head *head, const char *copy)
{
    return (str){.ptr = copy + (view.ptr - head->raw.ptr), .len = view.len};
}

struct httpd_request *request_new(const struct head *head, const char *peer,
                                  struct httpd_budget *budget, struct httpd_refusal *ret_refusal)
{
    size_t fields_size = head->field_count * sizeof(struct httpd_field);
    size_t size = sizeof(struct httpd_request) + fields_size + head->raw.len + head->target.len;
    CLEANUP(httpd_request_freep) struct httpd_request *request = mem_new(1, size);

    struct httpd_field *fields = (struct httpd_field *)(request + 1);
    char *text                 = (char *)(fields + head->field_count);
    memcpy(text, head->raw.ptr, head->raw.len);
    for (size_t i = 0; i < head->field_count; i++) {
        fields[i].name  = moved(head->fields[i].name, head, text);
        fields[i].value = moved(head->fields[i].value, head, text);
    }
    request->method      = moved(head->method, head, text);
    request->target      = moved(head->target, head, text);
    request->minor       = head->minor;
    request->has_body    = head->is_chunked || head->content_length > 0;
    request->fields      = fields;
    request->field_count = head->field_count;
    request->budget      = budget;
    (void)atomic_fetch_add(&budget->refs, 1);
    memcpy(request->peer, peer, strnlen(peer, HTTPD_PEER_SIZE - 1));

    if (!split_target(request, ret_refusal)) return NULL;
    if (!decode_path(request, text + head->raw.len, ret_refusal)) return NULL;
    return TAKE(request);
}

bool request_add_body(struct httpd_request *request, str data)
{
    struct httpd_budget *budget = request->budget;
    size_t used                 = atomic_fetch_add(&budget->used, data.len) + data.len;
    request->charged += data.len;
    if (used > budget->max) return false; /* given back when the request is freed */
    bool is_put = buf_put_str(&request->body, data);
    ASSERT(is_put);
    return true;
}

static size_t parts_size(const char *method, str path, str query, const struct httpd_field *fields,
                         size_t field_count)
{
    size_t size = strlen(method) + path.len + query.len;
    for (size_t i = 0; i < field_count; i++) size += fields[i].name.len + fields[i].value.len;
    return size;
}

static str put(char **at, str text)
{
    str copy = {.ptr = *at, .len = text.len};
    if (text.len > 0) memcpy(*at, text.ptr, text.len);
    *at += text.len;
    return copy;
}

struct httpd_request *httpd_request_make(const char *method, str path, str query,
                                         const struct httpd_field *fields, size_t field_count,
                                         str body)
{
    size_t fields_size            = field_count * sizeof *fields;
    size_t texts_size             = parts_size(method, path, query, fields, field_count);
    struct httpd_request *request = mem_new(1, sizeof *request + fields_size + texts_size);
    struct httpd_field *copies    = (struct httpd_field *)(request + 1);
    char *at                      = (char *)(copies + field_count);
    for (size_t i = 0; i < field_count; i++) {
        copies[i].name  = put(&at, fields[i].name);
        copies[i].value = put(&at, fields[i].value);
    }
    request->method      = put(&at, str_from(method));
    request->path        = put(&at, path);
    request->target      = request->path;
    request->raw_path    = request->path;
    request->query       = put(&at, query);
    request->minor       = 1;
    request->has_body    = body.len > 0;
    request->fields      = copies;
    request->field_count = field_count;
    request->body        = buf_init(body.len);
    (void)buf_put_str(&request->body, body);
    return request;
}

void httpd_request_free(struct httpd_request *request)
{
    if (!request) return;
    if (request->budget) { /* a client's, not one of httpd_request_make() */
        (void)atomic_fetch_sub(&request->budget->used, request->charged);
        budget_unref(request->budget);
    }
    buf_done(&request->body);
    free(request);
}

void httpd_request_freep(struct httpd_request **request)
{
    httpd_request_free(*request);
    *request = NULL;
}

str httpd_request_field(const struct httpd_request *request, const char *name)
{
    for (size_t i = 0; i < request->field_count; i++) {
        if (str_is_nocase(request->fields[i].name, name)) return request->fields[i].value;
    }
    return (str){};
}
