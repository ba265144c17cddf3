/*
 * ECMA-262 patterns (with the u flag) in Oniguruma's words.
 *
 * JSON Schema writes its patterns in ECMA-262, where \d, \w and \b know ASCII only, \s and the dot
 * have lists of their own, and ^ and $ stand at the ends of the text unless told otherwise. Each
 * of these is written out; classes may then hold classes, so the target is the syntax that allows
 * that. Escapes of letters that ECMA-262 does not know are refused (\Z, \a), of punctuation not.
 */
#include "expr/regex_internal.h"

#include <ctype.h>
#include <string.h>

#define SPACES                                                                                     \
    "\\t\\n\\x{b}\\f\\r "                                                                          \
    "\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}"

struct translation {
    str pattern;
    size_t at;
    bool in_class;
    struct buf *out;
    struct error *reterr;
};

static const struct class_escape {
    char letter;
    const char *text; /* the same inside and outside of a class */
} class_escapes[] = {
    {'d', "[0-9]"},         {'D', "[^0-9]"},       {'w', "[0-9A-Za-z_]"},
    {'W', "[^0-9A-Za-z_]"}, {'s', "[" SPACES "]"}, {'S', "[^" SPACES "]"},
};

static int peek(const struct translation *t, size_t ahead)
{
    return t->at + ahead < t->pattern.len ? (unsigned char)t->pattern.ptr[t->at + ahead] : -1;
}

static status refuse(struct translation *t, const char *what)
{
    return fail(t->reterr, STATUS_INVALID_ARGUMENT, "%s at offset %zu", what, t->at);
}

static void put_code_point(struct translation *t, uint32_t code_point)
{
    (void)buf_printf(t->out, "\\x{%x}", code_point);
}

/* Reads exactly `count` hexadecimal digits; UINT32_MAX if they are not there. */
static uint32_t read_hex(struct translation *t, size_t count)
{
    uint32_t value = 0;
    for (size_t i = 0; i < count; i++) {
        int c = peek(t, i);
        if (c < 0 || !isxdigit(c)) return UINT32_MAX;
        value = value * 16 + (uint32_t)(isdigit(c) ? c - '0' : (c | 32) - 'a' + 10);
    }
    t->at += count;
    return value;
}

static status translate_braced_code_point(struct translation *t)
{
    t->at++;
    size_t count = 0;
    while (peek(t, count) >= 0 && peek(t, count) != '}') count++;
    uint32_t value = count > 0 && count <= 6 ? read_hex(t, count) : UINT32_MAX;
    if (value > 0x10FFFF || peek(t, 0) != '}') return refuse(t, "bad \\u{...}");
    t->at++;
    put_code_point(t, value);
    return STATUS_OK;
}

/* After "\u": four digits, two halves of a surrogate pair, or digits in braces. */
static status translate_unicode(struct translation *t)
{
    if (peek(t, 0) == '{') return translate_braced_code_point(t);
    uint32_t value = read_hex(t, 4);
    if (value == UINT32_MAX) return refuse(t, "\\u needs four hexadecimal digits");
    if (value >= 0xD800 && value < 0xDC00 && peek(t, 0) == '\\' && peek(t, 1) == 'u') {
        t->at += 2;
        uint32_t low = read_hex(t, 4);
        if (low < 0xDC00 || low > 0xDFFF) return refuse(t, "bad surrogate pair");
        value = 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00);
    }
    put_code_point(t, value);
    return STATUS_OK;
}

/* After "\p" or "\P": Oniguruma knows the values of the properties, but not their prefixes. */
static status translate_property(struct translation *t, char letter)
{
    static const char *const prefixes[] = {
        "Script_Extensions=", "Script=", "General_Category=", "scx=", "sc=", "gc="};
    const char *open  = t->pattern.ptr + t->at;
    const char *close = peek(t, 0) == '{' ? memchr(open, '}', t->pattern.len - t->at) : NULL;
    if (!close) return refuse(t, "\\p needs a name in braces");

    str name = {.ptr = open + 1, .len = (size_t)(close - open - 1)};
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        str prefix = str_from(prefixes[i]);
        if (str_starts_with(name, prefix)) {
            name = str_slice(name, prefix.len, name.len);
            break;
        }
    }
    t->at += (size_t)(close - open) + 1;
    (void)buf_printf(t->out, "\\%c{" STR_FMT "}", letter, STR_ARG(name));
    return STATUS_OK;
}

static status translate_backreference(struct translation *t, int first)
{
    (void)buf_printf(t->out, "(?:\\%c", first);
    while (peek(t, 0) >= 0 && isdigit(peek(t, 0))) {
        (void)buf_put_byte(t->out, t->pattern.ptr[t->at++]);
    }
    (void)buf_put_byte(t->out, ')');
    return STATUS_OK;
}

static status translate_letter_escape(struct translation *t, int c)
{
    for (size_t i = 0; i < ARRAY_LEN(class_escapes); i++) {
        if (class_escapes[i].letter != c) continue;
        (void)buf_put_text(t->out, class_escapes[i].text);
        return STATUS_OK;
    }
    switch (c) {
    case 'n':
    case 'r':
    case 't':
    case 'f': (void)buf_printf(t->out, "\\%c", c); return STATUS_OK;
    case 'v': put_code_point(t, 0x0B); return STATUS_OK;
    case 'u': return translate_unicode(t);
    case 'p':
    case 'P': return translate_property(t, (char)c);
    case 'x': {
        uint32_t value = read_hex(t, 2);
        if (value == UINT32_MAX) return refuse(t, "\\x needs two hexadecimal digits");
        put_code_point(t, value);
        return STATUS_OK;
    }
    case 'c': {
        int letter = peek(t, 0);
        if (letter < 0 || !isalpha(letter)) return refuse(t, "\\c needs a letter");
        t->at++;
        put_code_point(t, (uint32_t)letter & 31);
        return STATUS_OK;
    }
    default: return refuse(t, "unknown escape");
    }
}

/* After the backslash. */
static status translate_escape(struct translation *t)
{
    int c = peek(t, 0);
    if (c < 0) return refuse(t, "backslash at the end");
    t->at++;
    if (c == 'b' && t->in_class) {
        put_code_point(t, 8);
        return STATUS_OK;
    }
    if ((c == 'b' || c == 'B') && !t->in_class) {
        (void)buf_printf(t->out, "(?W:\\%c)", c);
        return STATUS_OK;
    }
    if (c == 'k' && peek(t, 0) == '<' && !t->in_class) {
        (void)buf_put_text(t->out, "\\k");
        return STATUS_OK;
    }
    if (c == '0') {
        put_code_point(t, 0);
        return STATUS_OK;
    }
    if (isdigit(c) && !t->in_class) return translate_backreference(t, c);
    if (isalnum(c)) return translate_letter_escape(t, c);
    (void)buf_put_byte(t->out, '\\');
    (void)buf_put_byte(t->out, (char)c);
    return STATUS_OK;
}

/* At a bracket outside of a class. */
static void open_class(struct translation *t)
{
    if (peek(t, 1) == ']') {
        (void)buf_put_text(t->out, "(?!)"); /* nothing is in [] */
        t->at += 2;
    } else if (peek(t, 1) == '^' && peek(t, 2) == ']') {
        (void)buf_put_text(t->out, "(?m:.)"); /* everything is in [^] */
        t->at += 3;
    } else {
        bool is_negated = peek(t, 1) == '^';
        (void)buf_put_text(t->out, is_negated ? "[^" : "[");
        t->at += is_negated ? 2 : 1;
        t->in_class = true;
    }
}

static status translate_group(struct translation *t)
{
    static const char *const kinds[] = {"(?:", "(?=", "(?!", "(?<"};
    if (peek(t, 1) == '?') {
        bool is_known = false;
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++) is_known |= peek(t, 2) == kinds[i][2];
        if (!is_known) return refuse(t, "unknown kind of group");
        (void)buf_printf(t->out, "(?%c", peek(t, 2));
        t->at += 3;
        return STATUS_OK;
    }
    (void)buf_put_byte(t->out, '(');
    t->at++;
    return STATUS_OK;
}

static void translate_in_class(struct translation *t, char c)
{
    if (c == ']') t->in_class = false;
    /* A class in a class and && are Oniguruma's, not ECMA-262's. */
    if (c == '[' || c == '&') (void)buf_put_byte(t->out, '\\');
    (void)buf_put_byte(t->out, c);
    t->at++;
}

static void translate_plain(struct translation *t, char c)
{
    switch (c) {
    case '^': (void)buf_put_text(t->out, "\\A"); break;
    case '$': (void)buf_put_text(t->out, "\\z"); break;
    case '.': (void)buf_put_text(t->out, "[^\\n\\r\\x{2028}\\x{2029}]"); break;
    default: (void)buf_put_byte(t->out, c); break;
    }
    t->at++;
}

status regex_translate_ecma(str pattern, struct buf *out, struct error *reterr)
{
    struct translation t = {.pattern = pattern, .out = out, .reterr = reterr};
    while (t.at < pattern.len) {
        char c = pattern.ptr[t.at];
        if (c == '\\') {
            t.at++;
            TRY(translate_escape(&t));
        } else if (t.in_class) {
            translate_in_class(&t, c);
        } else if (c == '[') {
            open_class(&t);
        } else if (c == '(') {
            TRY(translate_group(&t));
        } else {
            translate_plain(&t, c);
        }
    }
    if (out->is_full) return fail(reterr, STATUS_INVALID_ARGUMENT, "pattern is too long");
    return STATUS_OK;
}
