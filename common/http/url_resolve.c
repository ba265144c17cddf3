/* References of pages and of `Location`, made absolute. */
#include "http/url.h"

enum { RESOLVED_MAX = 64 << 10 /* bytes */ };

static bool is_scheme_char(char c, bool is_first)
{
    bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return is_letter || (!is_first && ((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.'));
}

/* Bytes of "mailto:"; 0: the reference is relative. */
static size_t scheme_len(str text)
{
    size_t at = 0;
    while (at < text.len && is_scheme_char(text.ptr[at], at == 0)) at++;
    return at > 0 && at < text.len && text.ptr[at] == ':' ? at + 1 : 0;
}

/* As browsers do: no control characters and spaces at the ends, no tabs and line ends at all, and
 * what no URL holds as %XX. */
static void put_clean(struct buf *out, str text)
{
    while (text.len > 0 && (unsigned char)text.ptr[0] <= ' ') text = str_slice(text, 1, text.len);
    while (text.len > 0 && (unsigned char)text.ptr[text.len - 1] <= ' ') text.len--;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '\t' || c == '\n' || c == '\r') continue;
        if (c <= ' ' || c >= 0x7f || strchr("\"<>\\^`{|}", c)) {
            (void)buf_printf(out, "%%%02X", c);
        } else {
            (void)buf_put_byte(out, (char)c);
        }
    }
}

/* RFC 3986, section 5.2.4: the segments of `path`, without . and .. */
static void put_path(struct buf *out, str path)
{
    size_t root = out->len;
    size_t at   = 0;
    while (at < path.len) {
        size_t to = at + 1; /* a segment with its slash before it */
        while (to < path.len && path.ptr[to] != '/') to++;
        str segment  = str_slice(path, at + 1, to);
        bool is_last = to == path.len;
        if (str_is(segment, "..")) {
            while (out->len > root && out->ptr[out->len - 1] != '/') out->len--;
            if (out->len > root) out->len--;
            if (is_last) (void)buf_put_byte(out, '/');
        } else if (!str_is(segment, ".")) {
            (void)buf_put_byte(out, '/');
            (void)buf_put_str(out, segment);
        } else if (is_last) {
            (void)buf_put_byte(out, '/');
        }
        at = to;
    }
}

/* The path a relative one counts from: the base's up to its last slash. */
static str folder_of(const struct url *base)
{
    size_t len = base->path.len;
    while (len > 0 && base->path.ptr[len - 1] != '/') len--;
    return len == 0 ? str_from("/") : str_slice(base->path, 0, len);
}

/* Without user and password, which no page gives away. */
static void put_authority(struct buf *out, const struct url *base)
{
    bool is_v6 = memchr(base->host.ptr, ':', base->host.len);
    (void)buf_printf(out, "%s" STR_FMT "%s", is_v6 ? "[" : "", STR_ARG(base->host),
                     is_v6 ? "]" : "");
    if (base->port != (base->is_https ? 443 : 80)) (void)buf_printf(out, ":%u", base->port);
}

static void put_tail(struct buf *out, str path, str tail)
{
    CLEANUP(buf_done) struct buf clean = buf_init(RESOLVED_MAX);
    put_path(&clean, path);
    (void)buf_put_str(out, buf_str(&clean));
    (void)buf_put_str(out, tail);
}

/* A relative reference, clean, against a base that was parsed. */
static void put_relative(struct buf *out, const struct url *base, str reference)
{
    size_t path_len = 0;
    while (path_len < reference.len && reference.ptr[path_len] != '?' &&
           reference.ptr[path_len] != '#') {
        path_len++;
    }
    str path = str_slice(reference, 0, path_len);
    str tail = str_slice(reference, path_len, reference.len);
    (void)buf_put_str(out, base->scheme);
    (void)buf_put_byte(out, ':');
    if (str_starts_with(reference, str_from("//"))) {
        size_t slash = 2;
        while (slash < path.len && path.ptr[slash] != '/') slash++;
        (void)buf_put_str(out, str_slice(path, 0, slash));
        put_tail(out, str_slice(path, slash, path.len), tail);
        return;
    }
    (void)buf_put_text(out, "//");
    put_authority(out, base);
    if (path.len > 0 && path.ptr[0] == '/') {
        put_tail(out, path, tail);
        return;
    }
    if (path.len == 0) {
        put_tail(out, base->path.len > 0 ? base->path : str_from("/"), (str){});
        if ((tail.len == 0 || tail.ptr[0] == '#') && base->query.ptr && base->query.len > 0) {
            (void)buf_put_byte(out, '?');
            (void)buf_put_str(out, base->query);
        }
        (void)buf_put_str(out, tail);
        return;
    }
    CLEANUP(buf_done) struct buf joined = buf_init(RESOLVED_MAX);
    (void)buf_put_str(&joined, folder_of(base));
    (void)buf_put_str(&joined, path);
    put_tail(out, buf_str(&joined), tail);
}

bool url_resolve(str base, str reference, struct buf *out)
{
    struct url parsed;
    CLEANUP(buf_done) struct buf clean    = buf_init(RESOLVED_MAX);
    CLEANUP(buf_done) struct buf resolved = buf_init(RESOLVED_MAX);
    if (!url_parse(base, &parsed)) return false;
    put_clean(&clean, reference);
    if (scheme_len(buf_str(&clean)) > 0) {
        (void)buf_put_str(&resolved, buf_str(&clean));
    } else {
        put_relative(&resolved, &parsed, buf_str(&clean));
    }
    return !clean.is_full && !resolved.is_full && buf_put_str(out, buf_str(&resolved));
}
