#include "schema/uri.h"

struct uri {
    str scheme;
    str authority; /* with its // */
    str path;
    str query; /* with its ? */
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_scheme_char(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
}

static size_t find_any(str text, size_t from, const char *set)
{
    size_t at = from;
    while (at < text.len && !strchr(set, text.ptr[at])) at++;
    return at;
}

static struct uri split(str text)
{
    bool has_fragment = false;
    str fragment      = uri_fragment(text, &has_fragment);
    if (has_fragment) text = str_slice(text, 0, text.len - fragment.len - 1);

    struct uri uri = {};
    size_t at      = 0;
    while (at < text.len && is_scheme_char(text.ptr[at])) at++;
    if (at > 0 && at < text.len && text.ptr[at] == ':' && is_letter(text.ptr[0])) {
        uri.scheme = str_slice(text, 0, at);
        text       = str_slice(text, at + 1, text.len);
    }
    if (str_starts_with(text, str_from("//"))) {
        size_t end    = find_any(text, 2, "/?");
        uri.authority = str_slice(text, 0, end);
        text          = str_slice(text, end, text.len);
    }
    size_t end = find_any(text, 0, "?");
    uri.path   = str_slice(text, 0, end);
    uri.query  = str_slice(text, end, text.len);
    return uri;
}

/* Appends a path without its segments `.` and `..`, which a leading part may take away. */
static bool put_path(str path, struct buf *out)
{
    size_t floor = out->len;
    while (path.len > 0) {
        size_t end  = path.ptr[0] == '/' ? find_any(path, 1, "/") : find_any(path, 0, "/");
        str segment = str_slice(path, 0, end);
        str name    = path.ptr[0] == '/' ? str_slice(segment, 1, segment.len) : segment;
        bool is_up  = str_is(name, "..");
        bool is_dot = is_up || str_is(name, ".");
        path        = str_slice(path, end, path.len);
        if (is_up) {
            while (out->len > floor && out->ptr[--out->len] != '/') {
            }
        }
        if (!is_dot) (void)buf_put_str(out, segment);
        if (is_dot && path.len == 0) (void)buf_put_byte(out, '/'); /* "a/.." is a folder */
    }
    return !out->is_full;
}

bool uri_resolve(str base, str reference, struct buf *out)
{
    struct uri from = split(base);
    struct uri to   = split(reference);
    bool is_foreign = to.scheme.len > 0;
    bool has_host   = is_foreign || to.authority.len > 0;

    str scheme = is_foreign ? to.scheme : from.scheme;
    if (scheme.len > 0) {
        (void)buf_put_str(out, scheme);
        (void)buf_put_byte(out, ':');
    }
    (void)buf_put_str(out, has_host ? to.authority : from.authority);
    if (has_host || (to.path.len > 0 && to.path.ptr[0] == '/')) {
        (void)put_path(to.path, out);
        return buf_put_str(out, to.query);
    }
    if (to.path.len == 0) {
        (void)buf_put_str(out, from.path); /* as it is: it may be no hierarchy (urn:) */
        return buf_put_str(out, to.query.len > 0 ? to.query : from.query);
    }
    size_t folder = from.path.len;
    while (folder > 0 && from.path.ptr[folder - 1] != '/') folder--;
    CLEANUP(buf_done) struct buf path = buf_init(out->len_max);
    if (folder == 0 && from.authority.len > 0) (void)buf_put_byte(&path, '/');
    (void)buf_put_str(&path, str_slice(from.path, 0, folder));
    if (!buf_put_str(&path, to.path)) return false;
    (void)put_path(buf_str(&path), out);
    return buf_put_str(out, to.query);
}

str uri_fragment(str reference, bool *ret_has)
{
    const char *mark = reference.len ? memchr(reference.ptr, '#', reference.len) : NULL;
    *ret_has         = mark != NULL;
    if (!mark) return (str){};
    return str_slice(reference, (size_t)(mark - reference.ptr) + 1, reference.len);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool uri_decode(str text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '%') {
            (void)buf_put_byte(out, text.ptr[i]);
            continue;
        }
        if (text.len - i < 3) return false;
        int high = hex_value(text.ptr[i + 1]);
        int low  = hex_value(text.ptr[i + 2]);
        if (high < 0 || low < 0) return false;
        (void)buf_put_byte(out, (char)(high * 16 + low));
        i += 2;
    }
    return !out->is_full;
}
