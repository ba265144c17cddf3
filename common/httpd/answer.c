/* Answers and pieces of streams, encoded on the thread that gives them. */
#include "base/assert.h"
#include "base/mem.h"
#include "httpd/httpd_internal.h"

#include <stdlib.h>

enum { ANSWER_HEAD_MAX = 64 << 10, PROBLEM_MAX = 1024, SIZE_LINE_MAX = 20 }; /* bytes */

enum { HEAD_FIRST = 500 /* bytes: room that most heads need */ };

struct httpd_buffer *buffer_raw(size_t size)
{
    ASSERT(size < SIZE_MAX - sizeof(struct httpd_buffer));
    struct httpd_buffer *buffer = malloc(sizeof *buffer + size);
    ASSERT(buffer != NULL);
    atomic_init(&buffer->refs, 1);
    buffer->text_start = 0;
    buffer->text_len   = size;
    buffer->size       = size;
    return buffer;
}

/* The size of a chunk with the end of its line, at the end of `line`; returns where it begins. */
static const char *put_size(size_t size, char line[static SIZE_LINE_MAX])
{
    char *at = line + SIZE_LINE_MAX;
    *--at    = '\n';
    *--at    = '\r';
    for (; size > 0; size >>= 4) *--at = "0123456789abcdef"[size & 0xf];
    return at;
}

struct httpd_buffer *httpd_buffer_new(str text)
{
    ASSERT(text.len > 0); /* an empty chunk would end the stream */
    char line[SIZE_LINE_MAX];
    const char *size            = put_size(text.len, line);
    size_t start                = (size_t)(line + SIZE_LINE_MAX - size);
    struct httpd_buffer *buffer = buffer_raw(start + text.len + 2);
    memcpy(buffer->data, size, start);
    memcpy(buffer->data + start, text.ptr, text.len);
    memcpy(buffer->data + start + text.len, "\r\n", 2);
    buffer->text_start = start;
    buffer->text_len   = text.len;
    return buffer;
}

struct httpd_buffer *httpd_buffer_ref(struct httpd_buffer *buffer)
{
    (void)atomic_fetch_add_explicit(&buffer->refs, 1, memory_order_relaxed);
    return buffer;
}

void httpd_buffer_unref(struct httpd_buffer *buffer)
{
    if (buffer && atomic_fetch_sub(&buffer->refs, 1) == 1) free(buffer);
}

void httpd_buffer_unrefp(struct httpd_buffer **buffer)
{
    httpd_buffer_unref(*buffer);
    *buffer = NULL;
}

static bool is_own_field(str name)
{
    static const char *const own[] = {"content-length", "transfer-encoding", "connection", "date"};
    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        if (str_is_nocase(name, own[i])) return true;
    }
    return false;
}

static bool is_clean(str value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c == '\r' || c == '\n' || c == '\0') return false;
    }
    return true;
}

static bool put_field(struct buf *buf, const struct httpd_field *field)
{
    size_t size = field->name.len + field->value.len + sizeof ": \r\n" - 1;
    char *at    = buf_reserve(buf, size);
    if (!at) return false;
    memcpy(at, field->name.ptr, field->name.len);
    at += field->name.len;
    *at++ = ':';
    *at++ = ' ';
    if (field->value.len > 0) memcpy(at, field->value.ptr, field->value.len);
    at += field->value.len;
    *at++ = '\r';
    *at   = '\n';
    buf_commit(buf, size);
    return true;
}

static bool put_fields(struct buf *buf, const struct httpd_response *response)
{
    for (size_t i = 0; i < response->field_count; i++) {
        const struct httpd_field *field = &response->fields[i];
        ASSERT(field->name.len > 0);
        for (size_t at = 0; at < field->name.len; at++) {
            ASSERT(is_token_char(field->name.ptr[at]));
        }
        ASSERT(!is_own_field(field->name));
        if (!is_clean(field->value) || !put_field(buf, field)) return false;
    }
    return !buf->is_full;
}

struct answer answer_encode(const struct httpd_response *response, bool is_stream)
{
    int http_status = response->http_status;
    ASSERT(http_status >= 200 && http_status <= 599);
    CLEANUP(buf_done) struct buf head = buf_init(ANSWER_HEAD_MAX);
    (void)buf_reserve(&head, HEAD_FIRST);
    (void)buf_put_text(&head, "HTTP/1.1 ");
    (void)buf_put_number(&head, (uint64_t)http_status);
    (void)buf_put_byte(&head, ' ');
    (void)buf_put_text(&head, httpd_reason(http_status));
    (void)buf_put_text(&head, "\r\n");
    if (!put_fields(&head, response)) {
        const struct httpd_refusal refusal = {
            .http_status = 500, .code = "internal", .detail = "The answer could not be encoded."};
        return answer_refusal(&refusal, (str){});
    }
    str body = status_has_body(http_status) ? response->body : (str){};
    if (!is_stream && status_has_body(http_status)) {
        (void)buf_put_text(&head, "Content-Length: ");
        (void)buf_put_number(&head, body.len);
        (void)buf_put_text(&head, "\r\n");
    }
    ASSERT(!head.is_full);
    struct httpd_buffer *buffer = buffer_raw(head.len + body.len);
    memcpy(buffer->data, head.ptr, head.len);
    if (body.len > 0) memcpy(buffer->data + head.len, body.ptr, body.len);
    return (struct answer){.http_status  = http_status,
                           .buffer       = buffer,
                           .head_len     = head.len,
                           .needs_client = response->needs_client};
}

struct answer answer_refusal(const struct httpd_refusal *refusal, str body)
{
    CLEANUP(buf_done) struct buf problem = buf_init(PROBLEM_MAX);
    if (body.len == 0) {
        /* All of these are constants of this server without characters that JSON escapes. */
        (void)buf_printf(&problem,
                         "{\"type\":\"urn:tutti:problem:%s\",\"title\":\"%s\",\"status\":%d,"
                         "\"code\":\"%s\",\"detail\":\"%s\"}",
                         refusal->code, httpd_reason(refusal->http_status), refusal->http_status,
                         refusal->code, refusal->detail);
        body = buf_str(&problem);
    }
    const struct httpd_field fields[] = {
        {str_from("Content-Type"), str_from("application/problem+json")},
        {str_from("Retry-After"), str_from("1")},
    };
    bool is_transient                    = refusal->http_status == 503;
    const struct httpd_response response = {
        .http_status = refusal->http_status,
        .fields      = fields,
        .field_count = is_transient ? 2 : 1,
        .body        = body,
    };
    return answer_encode(&response, false);
}
