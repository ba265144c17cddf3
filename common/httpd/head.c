/*
 * The head of a request: RFC 9112 sections 2 to 6, without what it merely tolerates. Two servers
 * that read the same bytes differently are how requests are smuggled, so whatever could be read in
 * two ways is refused: bare LF or CR, folded lines, space before a colon, two lengths.
 */
#include "base/assert.h"
#include "httpd/httpd_internal.h"

enum { CONTENT_LENGTH_DIGITS_MAX = 15 };

static bool refuse(struct httpd_refusal *ret_refusal, int http_status, const char *code,
                   const char *detail)
{
    *ret_refusal =
        (struct httpd_refusal){.http_status = http_status, .code = code, .detail = detail};
    return false;
}

static bool bad(struct httpd_refusal *ret_refusal, const char *detail)
{
    return refuse(ret_refusal, 400, "invalid_request", detail);
}

bool is_token_char(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool str_is_nocase(str a, const char *b)
{
    size_t i = 0;
    while (i < a.len && b[i] != '\0' && lower(a.ptr[i]) == lower(b[i])) i++;
    return i == a.len && b[i] == '\0';
}

enum head_scan head_scan(str input, size_t *scanned, size_t *ret_len,
                         struct httpd_refusal *ret_refusal)
{
    ASSERT(input.len > 0);
    if (!is_token_char(input.ptr[0])) {
        (void)bad(ret_refusal, "A request begins with its method.");
        return HEAD_BAD;
    }
    size_t end = input.len < HTTPD_HEAD_MAX ? input.len : HTTPD_HEAD_MAX;
    size_t at  = *scanned;
    while (at < end) {
        const char *newline = memchr(input.ptr + at, '\n', end - at);
        if (!newline) break;
        at = (size_t)(newline - input.ptr);
        if (at == 0 || input.ptr[at - 1] != '\r') {
            (void)bad(ret_refusal, "A line of the head ends with LF instead of CRLF.");
            return HEAD_BAD;
        }
        at++;
        if (at >= 4 && memcmp(input.ptr + at - 4, "\r\n\r\n", 4) == 0) {
            *ret_len = at;
            return HEAD_COMPLETE;
        }
    }
    *scanned = end;
    if (input.len < HTTPD_HEAD_MAX) return HEAD_MORE;
    (void)refuse(ret_refusal, 431, "header_too_large",
                 "Request line and fields are limited to 16 KiB.");
    return HEAD_BAD;
}

/* Takes the line at the front, without its CRLF; the head is complete, so there is one. */
static str take_line(str *rest)
{
    const char *newline = memchr(rest->ptr, '\n', rest->len);
    ASSERT(newline != NULL);
    size_t len = (size_t)(newline - rest->ptr);
    ASSERT(len >= 1);
    str line = str_slice(*rest, 0, len - 1);
    *rest    = str_slice(*rest, len + 1, rest->len);
    return line;
}

static bool parse_version(str text, unsigned *ret_minor, struct httpd_refusal *ret_refusal)
{
    bool is_version = text.len == 8 && memcmp(text.ptr, "HTTP/", 5) == 0 && text.ptr[6] == '.' &&
                      text.ptr[5] >= '0' && text.ptr[5] <= '9' && text.ptr[7] >= '0' &&
                      text.ptr[7] <= '9';
    if (!is_version) return bad(ret_refusal, "The request line ends with HTTP/1.1.");
    if (text.ptr[5] != '1' || text.ptr[7] > '1') {
        return refuse(ret_refusal, 505, "invalid_request", "This server speaks HTTP/1.1.");
    }
    *ret_minor = (unsigned)(text.ptr[7] - '0');
    return true;
}

static bool parse_request_line(str line, struct head *head, struct httpd_refusal *ret_refusal)
{
    size_t method_len = 0;
    while (method_len < line.len && is_token_char(line.ptr[method_len])) method_len++;
    if (method_len == line.len || line.ptr[method_len] != ' ') {
        return bad(ret_refusal, "The method is followed by one space.");
    }
    head->method = str_slice(line, 0, method_len);

    str rest          = str_slice(line, method_len + 1, line.len);
    size_t target_len = 0;
    while (target_len < rest.len && rest.ptr[target_len] > ' ' && rest.ptr[target_len] < 0x7F &&
           rest.ptr[target_len] != '#') {
        target_len++;
    }
    if (target_len == 0 || target_len == rest.len || rest.ptr[target_len] != ' ') {
        return bad(ret_refusal, "The request target holds visible ASCII characters only.");
    }
    if (target_len > HTTPD_TARGET_MAX) {
        return refuse(ret_refusal, 414, "uri_too_long", "The target is limited to 8 KiB.");
    }
    head->target = str_slice(rest, 0, target_len);
    return parse_version(str_slice(rest, target_len + 1, rest.len), &head->minor, ret_refusal);
}

static bool is_value_char(char c)
{
    return c == '\t' || ((unsigned char)c >= ' ' && c != 0x7F);
}

static bool parse_field(str line, struct httpd_field *ret_field, struct httpd_refusal *ret_refusal)
{
    size_t name_len = 0;
    while (name_len < line.len && is_token_char(line.ptr[name_len])) name_len++;
    if (name_len == 0 || name_len == line.len || line.ptr[name_len] != ':') {
        return bad(ret_refusal, "A field is a name, a colon and a value on one line.");
    }
    ret_field->name  = str_slice(line, 0, name_len);
    ret_field->value = str_trim(str_slice(line, name_len + 1, line.len), STR_BLANKS);
    for (size_t i = 0; i < ret_field->value.len; i++) {
        if (!is_value_char(ret_field->value.ptr[i])) {
            return bad(ret_refusal, "A field value holds a control character.");
        }
    }
    return true;
}

/* --- fields that decide how the message is read ----------------------------------------------- */

static bool parse_content_length(str value, int64_t *ret_length, struct httpd_refusal *ret_refusal)
{
    int64_t length = 0;
    if (value.len == 0 || value.len > CONTENT_LENGTH_DIGITS_MAX) {
        return bad(ret_refusal, "Content-Length is a number of 1 to 15 digits.");
    }
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9') {
            return bad(ret_refusal, "Content-Length is a number of 1 to 15 digits.");
        }
        length = length * 10 + (value.ptr[i] - '0');
    }
    *ret_length = length;
    return true;
}

static bool is_host(str value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c <= ' ' || c >= 0x7F || strchr("/?#@\\,\"<>^`{|}", c)) return false;
    }
    return true;
}

/* How often the fields occur that may occur once. */
struct counts {
    unsigned host;
    unsigned content_length;
    unsigned transfer_encoding;
    bool is_chunked;
    bool has_close;
    bool has_keep_alive;
};

static bool note_field(struct head *head, const struct httpd_field *field, struct counts *counts,
                       struct httpd_refusal *ret_refusal)
{
    if (str_is_nocase(field->name, "host")) {
        counts->host++;
        return is_host(field->value) || bad(ret_refusal, "Host is not a host name and a port.");
    }
    if (str_is_nocase(field->name, "content-length")) {
        counts->content_length++;
        return parse_content_length(field->value, &head->content_length, ret_refusal);
    }
    if (str_is_nocase(field->name, "transfer-encoding")) {
        counts->transfer_encoding++;
        counts->is_chunked = str_is_nocase(field->value, "chunked");
        return true;
    }
    if (str_is_nocase(field->name, "connection")) {
        counts->has_close |= httpd_list_has(field->value, "close");
        counts->has_keep_alive |= httpd_list_has(field->value, "keep-alive");
        return true;
    }
    if (str_is_nocase(field->name, "expect") && head->minor > 0) {
        head->is_expecting = str_is_nocase(field->value, "100-continue");
        return head->is_expecting || refuse(ret_refusal, 417, "expectation_failed",
                                            "The only expectation met is 100-continue.");
    }
    return true;
}

static bool check_framing(struct head *head, const struct counts *counts,
                          struct httpd_refusal *ret_refusal)
{
    if (counts->host > 1 || (counts->host == 0 && head->minor > 0)) {
        return bad(ret_refusal, "A request has exactly one Host field.");
    }
    if (counts->content_length > 1) return bad(ret_refusal, "Content-Length occurs twice.");
    if (counts->content_length > 0 && counts->transfer_encoding > 0) {
        return bad(ret_refusal, "Content-Length and Transfer-Encoding exclude each other.");
    }
    if (counts->transfer_encoding > 0 &&
        (counts->transfer_encoding > 1 || !counts->is_chunked || head->minor == 0)) {
        return refuse(ret_refusal, 501, "not_implemented",
                      "The only transfer coding is chunked, once, in HTTP/1.1.");
    }
    head->is_chunked    = counts->transfer_encoding == 1;
    head->is_kept_alive = !counts->has_close && (head->minor > 0 || counts->has_keep_alive);
    return true;
}

bool head_parse(str raw, struct head *ret_head, struct httpd_refusal *ret_refusal)
{
    struct head *head    = ret_head;
    head->raw            = raw;
    head->field_count    = 0;
    head->content_length = -1;
    head->is_expecting   = false;
    struct counts counts = {};
    str rest             = raw;
    if (!parse_request_line(take_line(&rest), head, ret_refusal)) return false;
    for (str line = take_line(&rest); line.len > 0; line = take_line(&rest)) {
        if (head->field_count == HTTPD_FIELDS_MAX) {
            return refuse(ret_refusal, 431, "header_too_large",
                          "A request has at most 100 fields.");
        }
        struct httpd_field *field = &head->fields[head->field_count++];
        if (!parse_field(line, field, ret_refusal)) return false;
        if (!note_field(head, field, &counts, ret_refusal)) return false;
    }
    ASSERT(rest.len == 0);
    return check_framing(head, &counts, ret_refusal);
}
