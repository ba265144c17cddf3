/* Semantic versions (semver.org 2.0.0): reading and order. */
#include "workflow/version.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_identifier_part(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

/* Cuts the text before the first `mark` off; all of it if there is none. */
static str cut(str *rest, char mark)
{
    const char *at = rest->len ? memchr(rest->ptr, mark, rest->len) : NULL;
    size_t len     = at ? (size_t)(at - rest->ptr) : rest->len;
    str part       = str_slice(*rest, 0, len);
    *rest          = str_slice(*rest, at ? len + 1 : len, rest->len);
    return part;
}

static bool is_number(str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.ptr[i])) return false;
    }
    return text.len > 0;
}

static bool is_plain_number(str text)
{
    return is_number(text) && (text.len == 1 || text.ptr[0] != '0');
}

/* Identifiers between points; numeric ones of a pre-release have no leading zero. */
static bool are_identifiers(str text, bool is_prerelease)
{
    for (bool more = true; more;) {
        more     = text.len && memchr(text.ptr, '.', text.len);
        str part = cut(&text, '.');
        if (part.len == 0) return false;
        for (size_t i = 0; i < part.len; i++) {
            if (!is_identifier_part(part.ptr[i])) return false;
        }
        if (is_prerelease && is_number(part) && !is_plain_number(part)) return false;
    }
    return true;
}

bool version_is_valid(str text)
{
    bool has_build = memchr(text.ptr, '+', text.len) != NULL;
    str core       = cut(&text, '+');
    if (has_build && !are_identifiers(text, false)) return false;

    bool has_prerelease = memchr(core.ptr, '-', core.len) != NULL;
    str prerelease      = core;
    core                = cut(&prerelease, '-');
    if (has_prerelease && !are_identifiers(prerelease, true)) return false;

    str major = cut(&core, '.');
    str minor = cut(&core, '.');
    return is_plain_number(major) && is_plain_number(minor) && is_plain_number(core);
}

static int sign(int value)
{
    return (value > 0) - (value < 0);
}

/* Numbers of any length, without leading zeros, by value. */
static int number_compare(str a, str b)
{
    while (a.len > 1 && a.ptr[0] == '0') a = str_slice(a, 1, a.len);
    while (b.len > 1 && b.ptr[0] == '0') b = str_slice(b, 1, b.len);
    if (a.len != b.len) return a.len < b.len ? -1 : 1;
    return a.len ? sign(memcmp(a.ptr, b.ptr, a.len)) : 0;
}

static int text_compare(str a, str b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order  = len ? sign(memcmp(a.ptr, b.ptr, len)) : 0;
    if (order) return order;
    return (a.len > b.len) - (a.len < b.len);
}

static int identifier_compare(str a, str b)
{
    if (is_number(a) && is_number(b)) return number_compare(a, b);
    if (is_number(a) != is_number(b)) return is_number(a) ? -1 : 1;
    return text_compare(a, b);
}

static int prerelease_compare(str a, str b)
{
    if (a.len == 0 || b.len == 0) return (a.len == 0) - (b.len == 0);
    while (a.len > 0 && b.len > 0) {
        int order = identifier_compare(cut(&a, '.'), cut(&b, '.'));
        if (order) return order;
    }
    return (a.len > 0) - (b.len > 0);
}

int version_compare(str a, str b)
{
    a         = cut(&a, '+');
    b         = cut(&b, '+');
    str a_pre = a;
    str b_pre = b;
    a         = cut(&a_pre, '-');
    b         = cut(&b_pre, '-');
    for (int i = 0; i < 3; i++) {
        int order = number_compare(cut(&a, '.'), cut(&b, '.'));
        if (order) return order;
    }
    return prerelease_compare(a_pre, b_pre);
}
