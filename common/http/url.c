#include "http/url.h"

#include "base/assert.h"

#include <strings.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* RFC 3986, section 2.3: letters, digits and -._~; asked for each byte. */
static bool is_unreserved(char c)
{
    static const uint64_t bits[2] = {0x03ff600000000000, 0x47fffffe87fffffe};
    unsigned char byte            = (unsigned char)c;
    return byte < 128 && (bits[byte / 64] >> byte % 64 & 1);
}

/* --- Percent-encoding ------------------------------------------------------------------------- */

static bool encode(struct buf *out, str text, bool keeps_slash)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t from                = 0; /* of what stays as it is */
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (is_unreserved(text.ptr[i]) || (keeps_slash && c == '/')) continue;
        const char escaped[] = {'%', digits[c >> 4], digits[c & 0xf]};
        (void)buf_put_str(out, str_slice(text, from, i));
        (void)buf_put(out, escaped, sizeof escaped);
        from = i + 1;
    }
    return buf_put_str(out, str_slice(text, from, text.len)) && !out->is_full;
}

bool url_encode(struct buf *out, str text)
{
    return encode(out, text, false);
}

bool url_encode_path(struct buf *out, str text)
{
    return encode(out, text, true);
}

static int hex_value(char c)
{
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool url_decode(struct buf *out, str text, bool is_query)
{
    size_t from = 0; /* of what stays as it is */
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c != '%' && (c != '+' || !is_query)) continue;
        (void)buf_put_str(out, str_slice(text, from, i));
        if (c == '%') {
            int high = i + 2 < text.len ? hex_value(text.ptr[i + 1]) : -1;
            int low  = i + 2 < text.len ? hex_value(text.ptr[i + 2]) : -1;
            if (high < 0 || low < 0) return false;
            c = (char)(high << 4 | low);
            i += 2;
        } else {
            c = ' ';
        }
        if (!buf_put_byte(out, c)) return false;
        from = i + 1;
    }
    return buf_put_str(out, str_slice(text, from, text.len));
}

bool url_add_query(struct buf *out, str name, str value)
{
    bool has_query = out->len > 0 && memchr(out->ptr, '?', out->len);
    bool has_mark =
        out->len > 0 && (out->ptr[out->len - 1] == '?' || out->ptr[out->len - 1] == '&');
    if (!has_mark) (void)buf_put_byte(out, has_query ? '&' : '?');
    return url_encode(out, name) && buf_put_byte(out, '=') && url_encode(out, value);
}

/* --- Templates -------------------------------------------------------------------------------- */

/* RFC 6570, section 2.3: letters, digits, '_', %XX and inner dots. */
static bool is_variable(str name)
{
    if (name.len == 0 || name.len > URL_NAME_MAX) return false;
    for (size_t i = 0; i < name.len; i++) {
        char c        = name.ptr[i];
        bool is_inner = c == '.' && i > 0 && i + 1 < name.len;
        if (!is_letter(c) && !is_digit(c) && c != '_' && c != '%' && c != '-' && !is_inner) {
            return false;
        }
    }
    return true;
}

/* Expands what stands at `*at`, a '{', and moves behind its '}'. */
static status expand_one(str template, size_t *at, url_value_fn value, void *context,
                         struct buf *out, struct error *reterr)
{
    str rest        = str_slice(template, *at + 1, template.len);
    const char *end = rest.len > 0 ? memchr(rest.ptr, '}', rest.len) : NULL;
    if (!end) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "URI template: '{' at %zu has no '}'", *at);
    }
    str name = str_slice(rest, 0, (size_t)(end - rest.ptr));
    if (!is_variable(name)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT,
                    "URI template: {%.40s at %zu: only {name} is known", rest.ptr, *at);
    }
    str text = {};
    TRY(value(name, &text, reterr, context));
    (void)url_encode(out, text);
    *at += name.len + 2;
    return STATUS_OK;
}

status url_expand(str template, url_value_fn value, void *context, struct buf *out,
                  struct error *reterr)
{
    ASSERT(value);
    for (size_t at = 0; at < template.len && !out->is_full;) {
        char c = template.ptr[at];
        if (c == '{') {
            TRY(expand_one(template, &at, value, context, out, reterr));
        } else if (c == '}') {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "URI template: '}' at %zu has no '{'", at);
        } else {
            (void)buf_put_byte(out, c);
            at++;
        }
    }
    if (!out->is_full) return STATUS_OK;
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "URI template: the result exceeds %zu bytes",
                out->len_max);
}

/* --- Parts ------------------------------------------------------------------------------------ */

/* Takes the part of `*rest` in front of the first of `ends` off it. */
static str take_until(str *rest, const char *ends)
{
    size_t len = rest->len;
    for (; *ends; ends++) {
        const char *found = len > 0 ? memchr(rest->ptr, *ends, len) : NULL;
        if (found) len = (size_t)(found - rest->ptr);
    }
    str part = str_slice(*rest, 0, len);
    *rest    = str_slice(*rest, len, rest->len);
    return part;
}

static bool is_printable(str text)
{
    for (size_t i = 0; i < text.len; i++) {
        /* A backslash is a slash to some readers of URLs and a letter to others. */
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~' || text.ptr[i] == '\\') return false;
    }
    return true;
}

static bool is_scheme(str scheme, const char *name)
{
    return scheme.len == strlen(name) && strncasecmp(scheme.ptr, name, scheme.len) == 0;
}

static bool parse_port(str text, uint16_t *ret_port)
{
    unsigned port = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.ptr[i])) return false;
        port = port * 10 + (unsigned)(text.ptr[i] - '0');
        if (port > UINT16_MAX) return false;
    }
    if (text.len == 0 || port == 0) return false;
    *ret_port = (uint16_t)port;
    return true;
}

static bool is_host(str host, bool is_bracketed)
{
    if (host.len == 0 || host.len > URL_HOST_MAX) return false;
    for (size_t i = 0; i < host.len; i++) {
        char c     = host.ptr[i];
        bool is_ok = is_bracketed ? hex_value(c) >= 0 || c == ':' || c == '.' : is_unreserved(c);
        if (!is_ok) return false;
    }
    return true;
}

/* [user-info@]host[:port], the host perhaps in brackets. */
static bool parse_authority(str authority, struct url *parts)
{
    for (size_t i = authority.len; i > 0; i--) {
        if (authority.ptr[i - 1] != '@') continue;
        parts->user_info = str_slice(authority, 0, i - 1);
        authority        = str_slice(authority, i, authority.len);
        break;
    }
    bool is_bracketed = authority.len > 0 && authority.ptr[0] == '[';
    if (is_bracketed) authority = str_slice(authority, 1, authority.len);
    parts->host = take_until(&authority, is_bracketed ? "]" : ":");
    if (is_bracketed && authority.len == 0) return false;
    if (is_bracketed) authority = str_slice(authority, 1, authority.len);
    if (!is_host(parts->host, is_bracketed)) return false;
    if (authority.len == 0) return true;
    return authority.ptr[0] == ':' &&
           parse_port(str_slice(authority, 1, authority.len), &parts->port);
}

bool url_parse(str url, struct url *ret_url)
{
    struct url parts = {};
    if (!is_printable(url)) return false;
    str rest       = url;
    parts.scheme   = take_until(&rest, ":");
    parts.is_https = is_scheme(parts.scheme, "https");
    if (!parts.is_https && !is_scheme(parts.scheme, "http")) return false;
    if (!str_starts_with(rest, str_from("://"))) return false;
    rest       = str_slice(rest, 3, rest.len);
    parts.port = parts.is_https ? 443 : 80;
    if (!parse_authority(take_until(&rest, "/?#"), &parts)) return false;

    parts.path = take_until(&rest, "?#");
    if (rest.len > 0 && rest.ptr[0] == '?') {
        rest        = str_slice(rest, 1, rest.len);
        parts.query = take_until(&rest, "#");
    }
    if (rest.len > 0) parts.fragment = str_slice(rest, 1, rest.len);
    *ret_url = parts;
    return true;
}

bool url_same_host(const struct url *a, const struct url *b)
{
    return a->host.len == b->host.len && strncasecmp(a->host.ptr, b->host.ptr, a->host.len) == 0;
}

bool url_is_disguised(const struct url *url)
{
    bool is_start = true;
    for (str rest = url->host; rest.len > 0; rest = str_slice(rest, 1, rest.len)) {
        if (is_start && rest.len >= 4 && strncasecmp(rest.ptr, "xn--", 4) == 0) return true;
        is_start = rest.ptr[0] == '.';
    }
    return false;
}

bool url_same_origin(const struct url *a, const struct url *b)
{
    return a->is_https == b->is_https && a->port == b->port && a->host.len == b->host.len &&
           strncasecmp(a->host.ptr, b->host.ptr, a->host.len) == 0;
}

bool url_put_origin(struct buf *out, const struct url *parts)
{
    bool is_v6 = memchr(parts->host.ptr, ':', parts->host.len);
    return buf_printf(out, "%s://%s" STR_FMT "%s:%u", parts->is_https ? "https" : "http",
                      is_v6 ? "[" : "", STR_ARG(parts->host), is_v6 ? "]" : "", parts->port);
}
