/* Terms, with what may follow them: fields, indices, slices and question marks. */
#include "expr/parse.h"

static uint32_t offset_of(struct parser *parser)
{
    return lexer_peek(&parser->lexer)->offset;
}

static struct node *parse_unary(struct parser *parser, enum node_kind kind)
{
    uint32_t offset = offset_of(parser);
    lexer_take(&parser->lexer);
    if (!parse_enter(parser)) return NULL;
    struct node *operand = parse_term(parser);
    parse_leave(parser);
    return operand ? node_with(parser, node_new(parser, kind, offset), operand, NULL, NULL) : NULL;
}

/* --- keywords ----------------------------------------------------------------------------------
 */

static struct node *parse_if(struct parser *parser)
{
    struct node *first = NULL;
    struct node *outer = NULL; /* whose `else` the next one is */
    uint32_t offset    = offset_of(parser);
    lexer_take(&parser->lexer);
    uint16_t height = 0;
    for (bool is_open = true; is_open;) {
        struct node *condition = parse_pipe(parser);
        if (!condition || !parse_expect(parser, TOKEN_THEN)) return NULL;
        struct node *then = parse_pipe(parser);
        struct node *node = then ? node_new(parser, NODE_IF, offset) : NULL;
        if (!node_with(parser, node, condition, then, NULL)) return NULL;
        if (node->height > height) height = node->height;
        if (outer) outer->c = node;
        if (!first) first = node;
        outer   = node;
        offset  = offset_of(parser);
        is_open = parse_accept(parser, TOKEN_ELIF);
    }
    if (parse_accept(parser, TOKEN_ELSE)) {
        outer->c = parse_pipe(parser);
        if (!outer->c) return NULL;
        if (outer->c->height >= height) height = (uint16_t)(outer->c->height + 1);
    }
    first->height = height;
    return parse_expect(parser, TOKEN_END_KEYWORD) ? first : NULL;
}

static struct node *parse_try(struct parser *parser)
{
    uint32_t offset = offset_of(parser);
    lexer_take(&parser->lexer);
    struct node *body    = parse_term(parser);
    struct node *handler = NULL;
    if (body && parse_accept(parser, TOKEN_CATCH)) {
        handler = parse_term(parser);
        if (!handler) return NULL;
    }
    if (!body) return NULL;
    return node_with(parser, node_new(parser, NODE_TRY, offset), body, handler, NULL);
}

/* reduce a as p (b; c), foreach a as p (b; c) or (b; c; d). */
static struct node *parse_fold(struct parser *parser, enum node_kind kind)
{
    uint32_t offset = offset_of(parser);
    lexer_take(&parser->lexer);
    struct node *source = parse_expression(parser);
    if (!source || !parse_expect(parser, TOKEN_AS)) return NULL;
    struct pattern *patterns = parse_patterns(parser);
    if (!patterns || !parse_expect(parser, TOKEN_OPEN_PAREN)) return NULL;
    struct node *start = parse_pipe(parser);
    if (!start || !parse_expect(parser, TOKEN_SEMICOLON)) return NULL;
    struct node *update  = parse_pipe(parser);
    struct node *extract = NULL;
    if (update && kind == NODE_FOREACH && parse_accept(parser, TOKEN_SEMICOLON)) {
        extract = parse_pipe(parser);
        if (!extract) return NULL;
    }
    if (!update || !parse_expect(parser, TOKEN_CLOSE_PAREN)) return NULL;

    struct node *fold = node_with(parser, node_new(parser, kind, offset), source, start, update);
    if (!fold) return NULL;
    fold->patterns = patterns;
    fold->d        = extract;
    if (extract && extract->height >= fold->height) fold->height = (uint16_t)(extract->height + 1);
    return fold;
}

static struct node *parse_break(struct parser *parser)
{
    struct node *node = node_new(parser, NODE_BREAK, offset_of(parser));
    lexer_take(&parser->lexer);
    if (!node) return NULL;
    if (parse_peek(parser) != TOKEN_VARIABLE) {
        return parse_unexpected(parser, "break requires a label to break to");
    }
    node->name = lexer_peek(&parser->lexer)->text;
    lexer_take(&parser->lexer);
    return node;
}

/* --- calls -------------------------------------------------------------------------------------
 */

/* Marks the definitions around the call that it might call again. */
static void note_call(struct parser *parser, const struct node *call)
{
    for (struct def *def = parser->def; def; def = def->outer) {
        if (def->arity == call->count && str_equal(def->name, call->name)) def->is_recursive = true;
    }
}

static struct node *parse_call(struct parser *parser)
{
    struct token token = *lexer_peek(&parser->lexer);
    lexer_take(&parser->lexer);
    struct node *call = node_new(parser, NODE_CALL, token.offset);
    if (!call) return NULL;
    call->name = token.text;
    if (parse_accept(parser, TOKEN_OPEN_PAREN)) {
        struct node **last = &call->list;
        do {
            struct node *argument = parse_pipe(parser);
            if (!argument) return NULL;
            if (argument->height >= call->height) call->height = (uint16_t)(argument->height + 1);
            *last = argument;
            last  = &argument->next;
            call->count++;
        } while (parse_accept(parser, TOKEN_SEMICOLON));
        if (!parse_expect(parser, TOKEN_CLOSE_PAREN)) return NULL;
    }
    note_call(parser, call);
    return call;
}

/* --- strings -----------------------------------------------------------------------------------
 */

/* After the quote. */
struct node *parse_string(struct parser *parser, str format)
{
    uint32_t offset     = parser->lexer.token.offset;
    struct node *string = node_new(parser, NODE_STRING, offset);
    if (!string) return NULL;
    string->name       = format;
    struct node **last = &string->list;
    for (;;) {
        str text              = {};
        enum string_stop stop = lexer_string_part(&parser->lexer, parser->arena, &text);
        if (stop == STRING_UNENDED) {
            return parse_fail(parser, offset, "syntax error, unexpected end of the expression",
                              "the string has no closing quote");
        }
        if (stop == STRING_BAD_ESCAPE) {
            return parse_fail(parser, parser->lexer.at, "Invalid escape",
                              "known are \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX and \\( )");
        }
        struct node *part = node_new(parser, NODE_TEXT, offset);
        if (!part) return NULL;
        part->name = text;
        if (stop == STRING_QUOTE && !string->list) return part;
        *last = part;
        last  = &part->next;
        if (stop == STRING_QUOTE) return string;

        struct node *inner = parse_pipe(parser);
        if (!inner || parse_peek(parser) != TOKEN_CLOSE_PAREN) {
            return inner ? parse_unexpected(parser, "expected )") : NULL;
        }
        lexer_take(&parser->lexer);
        *last = inner;
        last  = &inner->next;
        if (inner->height >= string->height) string->height = (uint16_t)(inner->height + 1);
    }
}

static struct node *parse_format(struct parser *parser)
{
    struct token token = *lexer_peek(&parser->lexer);
    lexer_take(&parser->lexer);
    if (parse_accept(parser, TOKEN_QUOTE)) return parse_string(parser, token.text);
    struct node *format = node_new(parser, NODE_FORMAT, token.offset);
    if (format) format->name = token.text;
    return format;
}

/* --- what may follow a term --------------------------------------------------------------------
 */

static struct node *text_node(struct parser *parser, str text, uint32_t offset)
{
    struct node *node = node_new(parser, NODE_TEXT, offset);
    if (node) node->name = text;
    return node;
}

static struct node *index_node(struct parser *parser, struct node *term, struct node *key,
                               uint32_t offset)
{
    if (!term || !key) return NULL;
    return node_with(parser, node_new(parser, NODE_INDEX, offset), term, key, NULL);
}

/* After the bracket: [], [i], [i:], [:j], [i:j]. */
static struct node *parse_bracket(struct parser *parser, struct node *term, uint32_t offset)
{
    if (parse_accept(parser, TOKEN_CLOSE_BRACKET)) {
        return node_with(parser, node_new(parser, NODE_EACH, offset), term, NULL, NULL);
    }
    struct node *from = NULL;
    struct node *to   = NULL;
    if (parse_peek(parser) != TOKEN_COLON) {
        from = parse_pipe(parser);
        if (!from) return NULL;
        if (parse_accept(parser, TOKEN_CLOSE_BRACKET)) {
            return index_node(parser, term, from, offset);
        }
    }
    if (!parse_expect(parser, TOKEN_COLON)) return NULL;
    if (parse_peek(parser) != TOKEN_CLOSE_BRACKET) {
        to = parse_pipe(parser);
        if (!to) return NULL;
    }
    if (!from && !to) return parse_unexpected(parser, "a slice needs a start or an end");
    if (!parse_expect(parser, TOKEN_CLOSE_BRACKET)) return NULL;
    return node_with(parser, node_new(parser, NODE_SLICE, offset), term, from, to);
}

/* After a dot: a string or a bracket. */
static struct node *parse_after_dot(struct parser *parser, struct node *term, uint32_t offset)
{
    if (parse_accept(parser, TOKEN_QUOTE)) {
        struct node *key = parse_string(parser, (str){});
        return index_node(parser, term, key, offset);
    }
    if (parse_peek(parser) == TOKEN_FORMAT) {
        return index_node(parser, term, parse_format(parser), offset);
    }
    if (parse_accept(parser, TOKEN_OPEN_BRACKET)) return parse_bracket(parser, term, offset);
    return parse_unexpected(parser,
                            "try .[\"field\"] instead of .field for unusually named fields");
}

/* `step` is the last step of the path so far; NULL if there is none outside of parentheses. */
static struct node *parse_suffixes(struct parser *parser, struct node *term, struct node *step)
{
    while (term) {
        struct token token    = *lexer_peek(&parser->lexer);
        struct node *optional = step;
        switch (token.kind) {
        case TOKEN_FIELD:
            lexer_take(&parser->lexer);
            term =
                index_node(parser, term, text_node(parser, token.text, token.offset), token.offset);
            break;
        case TOKEN_DOT:
            lexer_take(&parser->lexer);
            term = parse_after_dot(parser, term, token.offset);
            break;
        case TOKEN_OPEN_BRACKET:
            lexer_take(&parser->lexer);
            term = parse_bracket(parser, term, token.offset);
            break;
        case TOKEN_QUESTION:
            lexer_take(&parser->lexer);
            term = optional ? parse_optional(parser, optional, token.offset)
                            : node_with(parser, node_new(parser, NODE_TRY, token.offset), term,
                                        NULL, NULL);
            break;
        default: return term;
        }
        step = token.kind == TOKEN_QUESTION ? NULL : term;
    }
    return NULL;
}

/* --- terms -------------------------------------------------------------------------------------
 */

static struct node *parse_dot(struct parser *parser)
{
    struct token token    = *lexer_peek(&parser->lexer);
    struct node *identity = node_new(parser, NODE_IDENTITY, token.offset);
    lexer_take(&parser->lexer);
    if (!identity) return NULL;
    if (token.kind == TOKEN_FIELD) {
        return index_node(parser, identity, text_node(parser, token.text, token.offset),
                          token.offset);
    }
    enum token_kind next = parse_peek(parser);
    if (next == TOKEN_QUOTE || next == TOKEN_FORMAT) {
        return parse_after_dot(parser, identity, token.offset);
    }
    return identity;
}

static struct node *parse_recurse(struct parser *parser)
{
    struct node *call = node_new(parser, NODE_CALL, offset_of(parser));
    lexer_take(&parser->lexer);
    if (call) call->name = str_from("recurse");
    return call;
}

static struct node *parse_variable(struct parser *parser)
{
    struct token token = *lexer_peek(&parser->lexer);
    lexer_take(&parser->lexer);
    bool is_location  = str_is(token.text, "__loc__");
    struct node *node = node_new(parser, is_location ? NODE_LOCATION : NODE_VARIABLE, token.offset);
    if (!node) return NULL;
    node->name   = token.text;
    int64_t line = 1;
    for (size_t i = 0; i < token.offset; i++) line += parser->lexer.source.ptr[i] == '\n';
    node->number = json_int(line);
    return node;
}

static struct node *parse_number(struct parser *parser)
{
    struct token token = *lexer_peek(&parser->lexer);
    lexer_take(&parser->lexer);
    struct node *node = node_new(parser, NODE_NUMBER, token.offset);
    if (node) node->number = token.number;
    return node;
}

static struct node *parse_paren(struct parser *parser)
{
    lexer_take(&parser->lexer);
    struct node *inner = parse_pipe(parser);
    return inner && parse_expect(parser, TOKEN_CLOSE_PAREN) ? inner : NULL;
}

static struct node *parse_array(struct parser *parser)
{
    uint32_t offset = offset_of(parser);
    lexer_take(&parser->lexer);
    struct node *body = NULL;
    if (!parse_accept(parser, TOKEN_CLOSE_BRACKET)) {
        body = parse_pipe(parser);
        if (!body || !parse_expect(parser, TOKEN_CLOSE_BRACKET)) return NULL;
    }
    return node_with(parser, node_new(parser, NODE_ARRAY, offset), body, NULL, NULL);
}

static struct node *parse_quoted(struct parser *parser)
{
    lexer_take(&parser->lexer);
    return parse_string(parser, (str){});
}

static struct node *parse_head(struct parser *parser)
{
    switch (parse_peek(parser)) {
    case TOKEN_DOT:
    case TOKEN_FIELD: return parse_dot(parser);
    case TOKEN_DOT_DOT: return parse_recurse(parser);
    case TOKEN_NUMBER: return parse_number(parser);
    case TOKEN_QUOTE: return parse_quoted(parser);
    case TOKEN_FORMAT: return parse_format(parser);
    case TOKEN_OPEN_PAREN: return parse_paren(parser);
    case TOKEN_OPEN_BRACKET: return parse_array(parser);
    case TOKEN_OPEN_BRACE: return parse_object(parser);
    case TOKEN_VARIABLE: return parse_variable(parser);
    case TOKEN_NAME: return parse_call(parser);
    case TOKEN_IF: return parse_if(parser);
    case TOKEN_REDUCE: return parse_fold(parser, NODE_REDUCE);
    case TOKEN_FOREACH: return parse_fold(parser, NODE_FOREACH);
    case TOKEN_BREAK: return parse_break(parser);
    default: return parse_unexpected(parser, "");
    }
}

struct node *parse_term(struct parser *parser)
{
    enum token_kind kind = parse_peek(parser);
    if (kind == TOKEN_MINUS) return parse_unary(parser, NODE_NEGATE);
    if (kind == TOKEN_TRY) {
        if (!parse_enter(parser)) return NULL;
        struct node *node = parse_try(parser);
        parse_leave(parser);
        return node;
    }
    struct node *head = parse_head(parser);
    bool is_path      = kind == TOKEN_DOT || kind == TOKEN_FIELD;
    return parse_suffixes(parser, head, is_path && head && head->kind == NODE_INDEX ? head : NULL);
}
