/*
 * lex: from source to tokens, one at a time and no further than needed.
 *
 * Strings are not tokens: after TOKEN_QUOTE the parser asks for the parts, because an interpolation
 * is a program of its own. So the lexer needs no stack of states.
 */
#ifndef EXPR_LEX_H
#define EXPR_LEX_H

#include "base/arena.h"
#include "expr/expr.h"

enum token_kind {
    TOKEN_END,
    TOKEN_INVALID,
    TOKEN_NUMBER,
    TOKEN_NAME,
    TOKEN_FIELD,    /* .name; text without the dot */
    TOKEN_VARIABLE, /* $name; text without the dollar */
    TOKEN_FORMAT,   /* @name; text without the at */
    TOKEN_QUOTE,

    TOKEN_DOT,
    TOKEN_DOT_DOT,
    TOKEN_PIPE,
    TOKEN_COMMA,
    TOKEN_COLON,
    TOKEN_SEMICOLON,
    TOKEN_OPEN_PAREN,
    TOKEN_CLOSE_PAREN,
    TOKEN_OPEN_BRACKET,
    TOKEN_CLOSE_BRACKET,
    TOKEN_OPEN_BRACE,
    TOKEN_CLOSE_BRACE,
    TOKEN_QUESTION,
    TOKEN_QUESTION_ALTERNATIVE, /* ?// */

    TOKEN_ALTERNATIVE, /* // */
    TOKEN_PLUS,
    TOKEN_MINUS,
    TOKEN_STAR,
    TOKEN_SLASH,
    TOKEN_PERCENT,
    TOKEN_EQUAL,
    TOKEN_NOT_EQUAL,
    TOKEN_LESS,
    TOKEN_LESS_EQUAL,
    TOKEN_GREATER,
    TOKEN_GREATER_EQUAL,
    TOKEN_ASSIGN,
    TOKEN_UPDATE,
    TOKEN_ALTERNATIVE_ASSIGN,
    TOKEN_PLUS_ASSIGN,
    TOKEN_MINUS_ASSIGN,
    TOKEN_STAR_ASSIGN,
    TOKEN_SLASH_ASSIGN,
    TOKEN_PERCENT_ASSIGN,

    TOKEN_FIRST_KEYWORD,
    TOKEN_AND = TOKEN_FIRST_KEYWORD,
    TOKEN_AS,
    TOKEN_BREAK,
    TOKEN_CATCH,
    TOKEN_DEF,
    TOKEN_ELIF,
    TOKEN_ELSE,
    TOKEN_END_KEYWORD,
    TOKEN_FOREACH,
    TOKEN_IF,
    TOKEN_IMPORT,
    TOKEN_INCLUDE,
    TOKEN_LABEL,
    TOKEN_MODULE,
    TOKEN_OR,
    TOKEN_REDUCE,
    TOKEN_THEN,
    TOKEN_TRY,
    TOKEN_LOC, /* __loc__ */
};

struct token {
    enum token_kind kind;
    uint32_t offset;
    uint32_t end;
    str text;    /* a view of the source */
    json number; /* TOKEN_NUMBER; a double that is not in the text's range is infinite */
};

struct lexer {
    str source;
    uint32_t at;
    bool has_token;
    struct token token;
};

/* The next token, without taking it. */
const struct token *lexer_peek(struct lexer *lexer);

static inline void lexer_take(struct lexer *lexer)
{
    lexer->has_token = false;
}

enum string_stop { STRING_QUOTE, STRING_INTERPOLATION, STRING_BAD_ESCAPE, STRING_UNENDED };

/* Reads on after a quote or an interpolation: the plain text up to what stopped it, escapes
 * resolved, in `arena`. The stop itself is taken. NULL text: no memory left. */
enum string_stop lexer_string_part(struct lexer *lexer, struct arena *arena, str *ret_text);

/* How a token is called in a message. */
const char *token_name(enum token_kind kind);

#endif
