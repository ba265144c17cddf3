/* Small texts of HTTP: percent-encoding, queries, lists, reasons. */
#include "base/utf8.h"
#include "httpd/httpd_internal.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

int64_t percent_decode(str text, bool plus_is_space, char *out)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            if (text.len - i < 3) return -1;
            int high = hex_value(text.ptr[i + 1]);
            int low  = hex_value(text.ptr[i + 2]);
            if (high < 0 || low < 0) return -1;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        out[len++] = c;
    }
    return (int64_t)len;
}

bool httpd_decode(str text, bool plus_is_space, struct buf *buf)
{
    char *out = buf_reserve(buf, text.len);
    if (!out) return false;
    int64_t len = percent_decode(text, plus_is_space, out);
    if (len < 0) return false;
    str decoded   = {.ptr = out, .len = (size_t)len};
    bool has_nul  = memchr(out, '\0', decoded.len) != NULL;
    bool is_valid = !has_nul && utf8_valid_prefix(decoded) == decoded.len;
    if (is_valid) buf_commit(buf, decoded.len);
    return is_valid;
}

bool httpd_query_next(str query, size_t *cursor, str *ret_name, str *ret_value)
{
    while (*cursor < query.len) {
        str rest        = str_slice(query, *cursor, query.len);
        const char *end = memchr(rest.ptr, '&', rest.len);
        str part        = str_slice(rest, 0, end ? (size_t)(end - rest.ptr) : rest.len);
        *cursor += part.len + 1;
        if (part.len == 0) continue;
        const char *equals = memchr(part.ptr, '=', part.len);
        size_t name_len    = equals ? (size_t)(equals - part.ptr) : part.len;
        *ret_name          = str_slice(part, 0, name_len);
        *ret_value         = str_slice(part, name_len + 1, part.len);
        return true;
    }
    return false;
}

const char *httpd_reason(int http_status)
{
    static const struct {
        int http_status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {207, "Multi-Status"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {402, "Payment Required"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {424, "Failed Dependency"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        if (reasons[i].http_status == http_status) return reasons[i].reason;
    }
    return http_status < 400 ? "OK" : "Error";
}
