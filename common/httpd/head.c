/*
 * The head of a request: RFC 9112 sections 2 to 6, without what it merely tolerates. Two servers
 * that read the same bytes differently are how requests are smuggled, so whatever could be read in
 * two ways is refused: bare LF or CR, folded lines, space before a colon, two lengths.
 */
#include "base/assert.h"
#include "httpd/httpd_internal.h"

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

enum head_scan head_scan(str input, size_t *scanned, size_t *ret_len,
                         struct httpd_refusal *ret_refusal)
{
    ASSERT(input.len > 0);
    if (!is_token_char(input.ptr[0])) {
        (void)bad(ret_refusal, "A request begins with its method.");
        return HEAD_BAD;
    }
    switch (fields_find_end(str_slice(input, 0, HTTPD_HEAD_MAX), scanned, ret_len)) {
    case FIELDS_COMPLETE: return HEAD_COMPLETE;
    case FIELDS_BARE_LF:
        (void)bad(ret_refusal, "A line of the head ends with LF instead of CRLF.");
        return HEAD_BAD;
    case FIELDS_MORE: break;
    }
    if (input.len < HTTPD_HEAD_MAX) return HEAD_MORE;
    (void)refuse(ret_refusal, 431, "header_too_large",
                 "Request line and fields are limited to 16 KiB.");
    return HEAD_BAD;
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

static bool parse_field(str line, struct httpd_field *ret_field, struct httpd_refusal *ret_refusal)
{
    switch (fields_split(line, &ret_field->name, &ret_field->value)) {
    case FIELD_IS_FINE: return true;
    case FIELD_HAS_NO_NAME: break;
    case FIELD_HAS_BAD_VALUE: return bad(ret_refusal, "A field value holds a control character.");
    }
    return bad(ret_refusal, "A field is a name, a colon and a value on one line.");
}

/* --- fields that decide how the message is read ----------------------------------------------- */

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
        return fields_read_length(field->value, &head->content_length) ||
               bad(ret_refusal, "Content-Length is a number of 1 to 15 digits.");
    }
    if (str_is_nocase(field->name, "transfer-encoding")) {
        counts->transfer_encoding++;
        counts->is_chunked = str_is_nocase(field->value, "chunked");
        return true;
    }
    if (str_is_nocase(field->name, "connection")) {
        counts->has_close |= fields_list_has(field->value, "close");
        counts->has_keep_alive |= fields_list_has(field->value, "keep-alive");
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
    if (!parse_request_line(fields_take_line(&rest), head, ret_refusal)) return false;
    for (str line = fields_take_line(&rest); line.len > 0; line = fields_take_line(&rest)) {
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
