/* The words that selectors are made of. */
#include "base/assert.h"
#include "base/buf.h"
#include "base/utf8.h"
#include "css/selector_internal.h"

/* --- characters ------------------------------------------------------------------------------- */

status scan_refuse(struct scanner *scanner, const char *what)
{
    return fail(scanner->reterr, STATUS_INVALID_ARGUMENT, "selector, column %zu: %s",
                scanner->at + 1, what);
}

int scan_peek_at(const struct scanner *scanner, size_t ahead)
{
    size_t at = scanner->at + ahead;
    return at < scanner->text.len ? (unsigned char)scanner->text.ptr[at] : -1;
}

int scan_peek(const struct scanner *scanner)
{
    return scan_peek_at(scanner, 0);
}

static bool is_space(int c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

bool scan_is_digit(int c)
{
    return c >= '0' && c <= '9';
}

bool scan_is_name(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || scan_is_digit(c) || c == '-' ||
           c == '_' || c >= 0x80;
}

static int hex_value(int c)
{
    if (scan_is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool scan_space(struct scanner *scanner)
{
    size_t from = scanner->at;
    while (is_space(scan_peek(scanner))) scanner->at++;
    return scanner->at > from;
}

bool scan_take(struct scanner *scanner, char c)
{
    if (scan_peek(scanner) != c) return false;
    scanner->at++;
    return true;
}

/* Behind a backslash: up to six hexadecimal digits and a space, or any character as it is. */
static void take_escape(struct scanner *scanner, struct buf *out)
{
    if (hex_value(scan_peek(scanner)) < 0) {
        (void)buf_put_byte(out, scanner->text.ptr[scanner->at++]);
        return;
    }
    uint32_t code_point = 0;
    for (int i = 0; i < 6 && hex_value(scan_peek(scanner)) >= 0; i++) {
        code_point = code_point * 16 + (uint32_t)hex_value(scan_peek(scanner));
        scanner->at++;
    }
    if (is_space(scan_peek(scanner))) scanner->at++;
    char encoded[UTF8_BYTES_MAX];
    if (code_point == 0) code_point = 0xfffd;
    (void)buf_put(out, encoded, utf8_encode(code_point, encoded));
}

bool scan_is_escape(const struct scanner *scanner)
{
    int next = scan_peek_at(scanner, 1);
    return scan_peek(scanner) == '\\' && next >= 0 && next != '\n' && next != '\r' && next != '\f';
}

static str keep(struct scanner *scanner, const struct buf *text)
{
    char *copy = arena_strdup(scanner->arena, buf_str(text));
    ASSERT(copy);
    return (str){.ptr = copy, .len = text->len};
}

void scan_lower(str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c >= 'A' && c <= 'Z') ((char *)(uintptr_t)text.ptr)[i] = (char)(c - 'A' + 'a');
    }
}

/* Names after `#` may begin with a digit, identifiers may not. */
status scan_name(struct scanner *scanner, bool is_identifier, str *ret_name)
{
    CLEANUP(buf_done) struct buf name = buf_init(SELECTOR_SIZE_MAX);
    bool has_dash                     = scan_peek(scanner) == '-';
    if (is_identifier && scan_is_digit(scan_peek_at(scanner, has_dash ? 1 : 0))) {
        return scan_refuse(scanner,
                           "a name cannot begin with a digit; write \\3 and a space for 3");
    }
    while (scan_is_name(scan_peek(scanner)) || scan_is_escape(scanner)) {
        if (scan_peek(scanner) != '\\') {
            (void)buf_put_byte(&name, scanner->text.ptr[scanner->at++]);
            continue;
        }
        scanner->at++;
        take_escape(scanner, &name);
    }
    if (name.len == 0) return scan_refuse(scanner, "a name is missing");
    *ret_name = keep(scanner, &name);
    return STATUS_OK;
}

status scan_string(struct scanner *scanner, str *ret_value)
{
    CLEANUP(buf_done) struct buf value = buf_init(SELECTOR_SIZE_MAX);
    char quote                         = scanner->text.ptr[scanner->at];
    size_t from                        = scanner->at++;
    while (!scan_take(scanner, quote)) {
        int c = scan_peek(scanner);
        if (c < 0 || c == '\n') {
            scanner->at = from;
            return scan_refuse(scanner, "this text has no end");
        }
        if (c == '\\' && scan_peek_at(scanner, 1) == '\n') {
            scanner->at += 2; /* a line goes on */
        } else if (scan_is_escape(scanner)) {
            scanner->at++;
            take_escape(scanner, &value);
        } else {
            (void)buf_put_byte(&value, scanner->text.ptr[scanner->at++]);
        }
    }
    *ret_value = keep(scanner, &value);
    return STATUS_OK;
}

enum { NTH_MAX = 1'000'000'000 };

static bool take_number(struct scanner *scanner, int64_t *ret_number)
{
    size_t from    = scanner->at;
    int64_t number = 0;
    for (; scan_is_digit(scan_peek(scanner)); scanner->at++) {
        number = number * 10 + (scan_peek(scanner) - '0');
        if (number > NTH_MAX) number = NTH_MAX;
    }
    *ret_number = number;
    return scanner->at > from;
}

static bool take_word(struct scanner *scanner, const char *word)
{
    size_t len = strlen(word);
    for (size_t i = 0; i < len; i++) {
        int c = scan_peek_at(scanner, i);
        if (c >= 'A' && c <= 'Z') c += 'a' - 'A';
        if (c != word[i]) return false;
    }
    if (scan_is_name(scan_peek_at(scanner, len))) return false;
    scanner->at += len;
    return true;
}

/* What follows `n`: " + 3", "-3", nothing. */
static status read_offset(struct scanner *scanner, struct selector_test *test)
{
    scan_space(scanner);
    int sign = scan_peek(scanner);
    if (sign != '+' && sign != '-') return STATUS_OK;
    scanner->at++;
    scan_space(scanner);
    if (!take_number(scanner, &test->offset)) return scan_refuse(scanner, "a number is missing");
    if (sign == '-') test->offset = -test->offset;
    return STATUS_OK;
}

/* An+B, odd, even: CSS Syntax Level 3, section 6. */
status scan_nth(struct scanner *scanner, struct selector_test *test)
{
    scan_space(scanner);
    if (take_word(scanner, "odd")) {
        test->step   = 2;
        test->offset = 1;
    } else if (take_word(scanner, "even")) {
        test->step = 2;
    } else {
        int sign = scan_peek(scanner);
        if (sign == '+' || sign == '-') scanner->at++;
        int64_t number  = 0;
        bool has_number = take_number(scanner, &number);
        if (sign == '-') number = -number;
        if (scan_take(scanner, 'n') || scan_take(scanner, 'N')) {
            test->step = has_number ? number : (sign == '-' ? -1 : 1);
            TRY(read_offset(scanner, test));
        } else if (has_number) {
            test->offset = number;
        } else {
            return scan_refuse(scanner, "a position is missing: 3, odd, even, 2n+1");
        }
    }
    bool has_space = scan_space(scanner);
    if (has_space && take_word(scanner, "of")) {
        return scan_refuse(scanner, "\"of\" in :nth-child() is not supported");
    }
    return scan_take(scanner, ')') ? STATUS_OK
                                   : scan_refuse(scanner, ") is missing behind the position");
}
