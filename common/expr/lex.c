#include "expr/lex.h"

#include "base/utf8.h"

#include <math.h>
#include <stdlib.h>

/* clang-format off */
static const struct spelling {
    const char     *text;
    enum token_kind kind;
} keywords[] = {
    {"and", TOKEN_AND},         {"as", TOKEN_AS},           {"break", TOKEN_BREAK},
    {"catch", TOKEN_CATCH},     {"def", TOKEN_DEF},         {"elif", TOKEN_ELIF},
    {"else", TOKEN_ELSE},       {"end", TOKEN_END_KEYWORD}, {"foreach", TOKEN_FOREACH},
    {"if", TOKEN_IF},           {"import", TOKEN_IMPORT},   {"include", TOKEN_INCLUDE},
    {"label", TOKEN_LABEL},     {"module", TOKEN_MODULE},   {"or", TOKEN_OR},
    {"reduce", TOKEN_REDUCE},   {"then", TOKEN_THEN},       {"try", TOKEN_TRY},
    {"__loc__", TOKEN_LOC},
};

/* Longer ones before those they begin with. */
static const struct spelling signs[] = {
    {"//=", TOKEN_ALTERNATIVE_ASSIGN}, {"?//", TOKEN_QUESTION_ALTERNATIVE},
    {"//", TOKEN_ALTERNATIVE},  {"==", TOKEN_EQUAL},        {"!=", TOKEN_NOT_EQUAL},
    {"<=", TOKEN_LESS_EQUAL},   {">=", TOKEN_GREATER_EQUAL},{"|=", TOKEN_UPDATE},
    {"+=", TOKEN_PLUS_ASSIGN},  {"-=", TOKEN_MINUS_ASSIGN}, {"*=", TOKEN_STAR_ASSIGN},
    {"/=", TOKEN_SLASH_ASSIGN}, {"%=", TOKEN_PERCENT_ASSIGN}, {"..", TOKEN_DOT_DOT},
    {".", TOKEN_DOT},           {"|", TOKEN_PIPE},          {",", TOKEN_COMMA},
    {":", TOKEN_COLON},         {";", TOKEN_SEMICOLON},     {"(", TOKEN_OPEN_PAREN},
    {")", TOKEN_CLOSE_PAREN},   {"[", TOKEN_OPEN_BRACKET},  {"]", TOKEN_CLOSE_BRACKET},
    {"{", TOKEN_OPEN_BRACE},    {"}", TOKEN_CLOSE_BRACE},   {"?", TOKEN_QUESTION},
    {"+", TOKEN_PLUS},          {"-", TOKEN_MINUS},         {"*", TOKEN_STAR},
    {"/", TOKEN_SLASH},         {"%", TOKEN_PERCENT},       {"<", TOKEN_LESS},
    {">", TOKEN_GREATER},       {"=", TOKEN_ASSIGN},        {"\"", TOKEN_QUOTE},
};
/* clang-format on */

static int char_at(const struct lexer *lexer, size_t at)
{
    return at < lexer->source.len ? (unsigned char)lexer->source.ptr[at] : -1;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_start(int c)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name(int c)
{
    return is_name_start(c) || is_digit(c);
}

/* A backslash at the end of a comment's line continues it, unless it is itself escaped. */
static void skip_comment(struct lexer *lexer)
{
    for (;;) {
        int c = char_at(lexer, lexer->at);
        if (c < 0 || c == '\n') return;
        lexer->at++;
        if (c != '\\') continue;
        if (char_at(lexer, lexer->at) == '\r' && char_at(lexer, lexer->at + 1) == '\n') lexer->at++;
        if (char_at(lexer, lexer->at) >= 0) lexer->at++;
    }
}

static void skip_blanks(struct lexer *lexer)
{
    for (;;) {
        int c = char_at(lexer, lexer->at);
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            lexer->at++;
        } else if (c == '#') {
            skip_comment(lexer);
        } else {
            return;
        }
    }
}

/* Length of the name at `at`, with the parts of a module's name (a::b); 0 if there is none. */
static size_t name_length(const struct lexer *lexer, size_t at)
{
    size_t end = at;
    for (;;) {
        if (!is_name_start(char_at(lexer, end))) return end == at ? 0 : end - 2 - at;
        while (is_name(char_at(lexer, end))) end++;
        if (char_at(lexer, end) != ':' || char_at(lexer, end + 1) != ':') return end - at;
        end += 2;
    }
}

static size_t digits_length(const struct lexer *lexer, size_t at)
{
    size_t end = at;
    while (is_digit(char_at(lexer, end))) end++;
    return end - at;
}

/* 12, 1.5, 1., .5, each with an exponent: more than JSON has. 0 if there is no number. */
static size_t number_length(const struct lexer *lexer, size_t at)
{
    size_t whole    = digits_length(lexer, at);
    size_t end      = at + whole;
    size_t fraction = 0;
    if (char_at(lexer, end) == '.') {
        fraction = digits_length(lexer, end + 1);
        if (whole == 0 && fraction == 0) return 0;
        end += 1 + fraction;
    }
    if (whole == 0 && fraction == 0) return 0;
    int c = char_at(lexer, end);
    if (c == 'e' || c == 'E') {
        c             = char_at(lexer, end + 1);
        size_t sign   = c == '+' || c == '-' ? 1 : 0;
        size_t digits = digits_length(lexer, end + 1 + sign);
        if (digits > 0) end += 1 + sign + digits;
    }
    return end - at;
}

/* Digits only and in range: an integer. Everything else is a double. */
static json number_value(str text)
{
    int64_t value = 0;
    bool is_int   = true;
    for (size_t i = 0; i < text.len && is_int; i++) {
        is_int = is_digit((unsigned char)text.ptr[i]) &&
                 !__builtin_mul_overflow(value, 10, &value) &&
                 !__builtin_add_overflow(value, text.ptr[i] - '0', &value);
    }
    if (is_int) return json_int(value);
    return json_real(strtod(text.ptr, NULL)); /* stops where the number stops */
}

static void set_token(struct lexer *lexer, enum token_kind kind, size_t skip, size_t len)
{
    lexer->token.kind = kind;
    lexer->token.text = (str){.ptr = lexer->source.ptr + lexer->at + skip, .len = len};
    lexer->at += (uint32_t)(skip + len);
    lexer->token.end = lexer->at;
}

static enum token_kind name_kind(str name)
{
    for (size_t i = 0; i < ARRAY_LEN(keywords); i++) {
        if (str_is(name, keywords[i].text)) return keywords[i].kind;
    }
    return TOKEN_NAME;
}

static void lex_sign(struct lexer *lexer)
{
    str rest = str_slice(lexer->source, lexer->at, lexer->source.len);
    for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
        str sign = str_from(signs[i].text);
        if (str_starts_with(rest, sign)) {
            set_token(lexer, signs[i].kind, 0, sign.len);
            return;
        }
    }
    size_t len = 1; /* a whole character: it is shown */
    while (len < rest.len && ((unsigned char)rest.ptr[len] & 0xc0) == 0x80) len++;
    set_token(lexer, TOKEN_INVALID, 0, len < UTF8_BYTES_MAX ? len : UTF8_BYTES_MAX);
}

static void lex(struct lexer *lexer)
{
    skip_blanks(lexer);
    lexer->token = (struct token){.offset = lexer->at, .end = lexer->at};
    int c        = char_at(lexer, lexer->at);
    size_t len   = 0;
    if (c < 0) {
        lexer->token.kind = TOKEN_END;
    } else if ((len = number_length(lexer, lexer->at)) > 0) {
        set_token(lexer, TOKEN_NUMBER, 0, len);
        lexer->token.number = number_value(lexer->token.text);
    } else if ((len = name_length(lexer, lexer->at)) > 0) {
        set_token(lexer, TOKEN_NAME, 0, len);
        lexer->token.kind = name_kind(lexer->token.text);
    } else if (c == '.' && is_name_start(char_at(lexer, lexer->at + 1))) {
        for (len = 1; is_name(char_at(lexer, lexer->at + 1 + len));) len++;
        set_token(lexer, TOKEN_FIELD, 1, len);
    } else if (c == '$' && (len = name_length(lexer, lexer->at + 1)) > 0) {
        set_token(lexer, TOKEN_VARIABLE, 1, len);
    } else if (c == '@' && is_name(char_at(lexer, lexer->at + 1))) {
        for (len = 1; is_name(char_at(lexer, lexer->at + 1 + len));) len++;
        set_token(lexer, TOKEN_FORMAT, 1, len);
    } else {
        lex_sign(lexer);
    }
}

const struct token *lexer_peek(struct lexer *lexer)
{
    if (!lexer->has_token) {
        lex(lexer);
        lexer->has_token = true;
    }
    return &lexer->token;
}

/* --- strings ------------------------------------------------------------------------------------
 */

/* Four hexadecimal digits; UINT32_MAX if they are not there. */
static uint32_t read_hex(const struct lexer *lexer, size_t at)
{
    uint32_t value = 0;
    for (size_t i = at; i < at + 4; i++) {
        int c = char_at(lexer, i);
        if (is_digit(c)) {
            value = value * 16 + (uint32_t)(c - '0');
        } else if ((c | 32) >= 'a' && (c | 32) <= 'f') {
            value = value * 16 + (uint32_t)((c | 32) - 'a' + 10);
        } else {
            return UINT32_MAX;
        }
    }
    return value;
}

/* At the u of an escape: the bytes of the character. Half a surrogate pair becomes U+FFFD. */
static size_t read_unicode_escape(struct lexer *lexer, char *out)
{
    uint32_t value = read_hex(lexer, lexer->at + 1);
    if (value == UINT32_MAX) return 0;
    lexer->at += 5;
    bool is_pair = value >= 0xD800 && value < 0xDC00 && char_at(lexer, lexer->at) == '\\' &&
                   char_at(lexer, lexer->at + 1) == 'u';
    uint32_t low = is_pair ? read_hex(lexer, lexer->at + 2) : 0;
    if (is_pair && low >= 0xDC00 && low <= 0xDFFF) {
        lexer->at += 6;
        value = 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00);
    }
    return utf8_encode(value, out);
}

/* After a backslash. Returns the bytes written, 0 if there is no such escape. */
static size_t read_escape(struct lexer *lexer, char *out)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char values[]  = "\"\\/\b\f\n\r\t";
    int c                       = char_at(lexer, lexer->at);
    if (c == 'u') return read_unicode_escape(lexer, out);
    const char *letter = c > 0 ? strchr(letters, c) : NULL;
    if (!letter) return 0;
    *out = values[letter - letters];
    lexer->at++;
    return 1;
}

enum string_stop lexer_string_part(struct lexer *lexer, struct arena *arena, str *ret_text)
{
    size_t end = lexer->at;
    for (int c = 0; (c = char_at(lexer, end)) >= 0 && c != '"'; end++) {
        if (c == '\\' && char_at(lexer, end + 1) >= 0) end++;
    }
    /* No escape is shorter than what it stands for; a character takes at most 4 bytes. */
    char *text = arena_alloc(arena, end - lexer->at + UTF8_BYTES_MAX);
    size_t len = 0;
    *ret_text  = (str){.ptr = text};
    if (!text) return STRING_UNENDED;

    for (;;) {
        int c = char_at(lexer, lexer->at);
        if (c < 0) return STRING_UNENDED;
        lexer->at++;
        if (c == '"' || (c == '\\' && char_at(lexer, lexer->at) == '(')) {
            if (c == '\\') lexer->at++;
            ret_text->len = len;
            return c == '"' ? STRING_QUOTE : STRING_INTERPOLATION;
        }
        if (c != '\\') {
            text[len++] = (char)c;
            continue;
        }
        size_t size = read_escape(lexer, text + len);
        if (size == 0) return STRING_BAD_ESCAPE;
        len += size;
    }
}

const char *token_name(enum token_kind kind)
{
    for (size_t i = 0; i < ARRAY_LEN(keywords); i++) {
        if (keywords[i].kind == kind) return keywords[i].text;
    }
    for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
        if (signs[i].kind == kind) return signs[i].text;
    }
    switch (kind) {
    case TOKEN_END: return "end of the expression";
    case TOKEN_NUMBER: return "a number";
    case TOKEN_NAME: return "a name";
    case TOKEN_FIELD: return "a field";
    case TOKEN_VARIABLE: return "a variable";
    case TOKEN_FORMAT: return "a format";
    default: return "an invalid character";
    }
}
