/*
 * parse: from tokens to a tree. The grammar is that of jq 1.8.
 *
 * Recursive descent, because it reads like the grammar; a counter bounds it, and the height of the
 * tree is bounded too, so that whoever walks it may recurse.
 */
#ifndef EXPR_PARSE_H
#define EXPR_PARSE_H

#include "base/arena.h"
#include "expr/ast.h"
#include "expr/expr.h"
#include "expr/lex.h"

enum {
    PARSE_DEPTH_MAX  = 1'000, /* rules of the grammar inside each other: some two for a bracket */
    PARSE_HEIGHT_MAX = 400,   /* of the tree */
};

struct parser {
    struct lexer lexer;
    struct arena *arena;
    struct expr_fault fault;
    bool has_failed;
    uint32_t depth;
    uint32_t nodes;  /* made so far */
    struct def *def; /* the one being parsed */
};

struct parser parser_init(str source, struct arena *arena);

/* The whole source as one program; NULL: see `fault`. */
struct node *parse_program(struct parser *parser);

/* A source that is one definition. */
struct def *parse_definition(struct parser *parser);

/* --- shared by the files of the parser ---------------------------------------------------------
 */

struct node *parse_pipe(struct parser *parser);
struct node *parse_expression(struct parser *parser); /* operators, no pipe and no comma */
struct node *parse_term(struct parser *parser);
struct def *parse_def(struct parser *parser);
struct pattern *parse_patterns(struct parser *parser);
struct node *parse_string(struct parser *parser, str format);
struct node *parse_object(struct parser *parser);

struct node *node_new(struct parser *parser, enum node_kind kind, uint32_t offset);

/* Sets the children of `node` and its height; NULL if the tree gets too high or a child is
 * missing. */
struct node *node_with(struct parser *parser, struct node *node, struct node *a, struct node *b,
                       struct node *c);

/* `step` (an index, a slice, or all members) followed by `?`: parse_optional.c. */
struct node *parse_optional(struct parser *parser, struct node *step, uint32_t offset);

/* Around each rule that may contain itself. False: too deep, a fault is noted. */
bool parse_enter(struct parser *parser);
static inline void parse_leave(struct parser *parser)
{
    parser->depth--;
}

/* Notes the first fault and returns NULL. */
void *parse_fail(struct parser *parser, uint32_t offset, const char *detail, const char *hint);
void *parse_unexpected(struct parser *parser, const char *hint);

enum token_kind parse_peek(struct parser *parser);
bool parse_accept(struct parser *parser, enum token_kind kind);

/* Takes a token of that kind; false: a fault is noted. */
bool parse_expect(struct parser *parser, enum token_kind kind);

static inline bool token_is_word(enum token_kind kind)
{
    return kind == TOKEN_NAME || kind >= TOKEN_FIRST_KEYWORD;
}

#endif
