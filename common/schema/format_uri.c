/* URIs and IRIs by RFC 3986 and 3987: which characters may stand where. */
#include "schema/schema_internal.h"

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Unreserved and sub-delimiter characters, `more`, escapes, and beyond ASCII where `is_iri`. */
static bool all_allowed(str text, const char *more, bool is_iri)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            if (text.len - i < 3 || !is_hex(text.ptr[i + 1]) || !is_hex(text.ptr[i + 2])) {
                return false;
            }
            i += 2;
            continue;
        }
        if ((unsigned char)c >= 0x80) {
            if (!is_iri) return false;
            continue;
        }
        bool is_common = is_letter(c) || is_digit(c) || (c && strchr("-._~!$&'()*+,;=", c));
        if (!is_common && !(c && strchr(more, c))) return false;
    }
    return true;
}

static bool is_port(str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.ptr[i])) return false;
    }
    return true;
}

static bool is_authority(str text, bool is_iri)
{
    const char *user = text.len ? memchr(text.ptr, '@', text.len) : NULL;
    if (user) {
        size_t len = (size_t)(user - text.ptr);
        if (!all_allowed(str_slice(text, 0, len), ":", is_iri)) return false;
        text = str_slice(text, len + 1, text.len);
    }
    if (text.len > 0 && text.ptr[0] == '[') {
        const char *end = memchr(text.ptr, ']', text.len);
        if (!end) return false;
        size_t len     = (size_t)(end - text.ptr);
        str inside     = str_slice(text, 1, len);
        bool is_future = inside.len > 0 && (inside.ptr[0] == 'v' || inside.ptr[0] == 'V');
        const struct schema_format *ipv6 = schema_format_find(str_from("ipv6"));
        if (is_future ? !all_allowed(inside, ":", false) : !ipv6->check(inside)) return false;
        text = str_slice(text, len + 1, text.len);
        return text.len == 0 || (text.ptr[0] == ':' && is_port(str_slice(text, 1, text.len)));
    }
    size_t colon = 0;
    while (colon < text.len && text.ptr[colon] != ':') colon++;
    if (!all_allowed(str_slice(text, 0, colon), "", is_iri)) return false;
    return colon == text.len || is_port(str_slice(text, colon + 1, text.len));
}

/* Bytes of the scheme, or 0 if there is none. */
static size_t scheme_len(str text)
{
    if (text.len == 0 || !is_letter(text.ptr[0])) return 0;
    size_t len = 1;
    while (len < text.len && (is_letter(text.ptr[len]) || is_digit(text.ptr[len]) ||
                              (text.ptr[len] && strchr("+-.", text.ptr[len])))) {
        len++;
    }
    return len < text.len && text.ptr[len] == ':' ? len : 0;
}

static str cut(str *text, char mark)
{
    const char *at = text->len ? memchr(text->ptr, mark, text->len) : NULL;
    if (!at) return (str){};
    size_t len = (size_t)(at - text->ptr);
    str after  = str_slice(*text, len + 1, text->len);
    *text      = str_slice(*text, 0, len);
    return after;
}

static bool is_reference(str text, bool is_iri, bool needs_scheme)
{
    str fragment = cut(&text, '#');
    str query    = cut(&text, '?');
    if (!all_allowed(fragment, ":@/?", is_iri) || !all_allowed(query, ":@/?", is_iri)) return false;
    size_t scheme = scheme_len(text);
    if (needs_scheme && scheme == 0) return false;
    if (scheme > 0) text = str_slice(text, scheme + 1, text.len);
    if (str_starts_with(text, str_from("//"))) {
        text       = str_slice(text, 2, text.len);
        size_t end = 0;
        while (end < text.len && text.ptr[end] != '/') end++;
        if (!is_authority(str_slice(text, 0, end), is_iri)) return false;
        text = str_slice(text, end, text.len);
    } else if (scheme == 0) {
        size_t end = 0; /* a colon in the first part would be a scheme's */
        while (end < text.len && text.ptr[end] != '/') end++;
        if (end > 0 && memchr(text.ptr, ':', end)) return false;
    }
    return all_allowed(text, ":@/", is_iri);
}

bool schema_is_uri(str text)
{
    return is_reference(text, false, true);
}

bool schema_is_uri_reference(str text)
{
    return is_reference(text, false, false);
}

bool schema_is_iri(str text)
{
    return is_reference(text, true, true);
}

bool schema_is_iri_reference(str text)
{
    return is_reference(text, true, false);
}
