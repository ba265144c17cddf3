/* Objects, and the patterns that take values apart. */
#include "expr/parse.h"

/* --- objects -----------------------------------------------------------------------------------
 */

static struct node *word_node(struct parser *parser, enum node_kind kind)
{
    struct token token = *lexer_peek(&parser->lexer);
    lexer_take(&parser->lexer);
    struct node *node = node_new(parser, kind, token.offset);
    if (node) node->name = token.text;
    return node;
}

/* The value of a member: terms, joined by nothing but operators (1.8), not by commas. */
static struct node *parse_value(struct parser *parser)
{
    struct node *value = parse_expression(parser);
    if (!value || parse_peek(parser) != TOKEN_PIPE) return value;
    struct node *pipe = node_new(parser, NODE_PIPE, value->offset);
    if (!pipe) return NULL;
    pipe->list        = value;
    pipe->count       = 1;
    pipe->height      = (uint16_t)(value->height + 1);
    struct node *last = value;
    while (parse_accept(parser, TOKEN_PIPE)) {
        last->next = parse_expression(parser);
        last       = last->next;
        if (!last) return NULL;
        pipe->count++;
        if (last->height >= pipe->height) pipe->height = (uint16_t)(last->height + 1);
    }
    return pipe;
}

/* {$name} and {$__loc__}: the variable is the value. */
static struct node *variable_member(struct parser *parser, struct node *member)
{
    struct node *value = parse_term(parser);
    if (!value) return NULL;
    if (value->kind != NODE_VARIABLE && value->kind != NODE_LOCATION) {
        return parse_unexpected(parser, "write (expression): value");
    }
    struct node *key = node_new(parser, NODE_TEXT, value->offset);
    if (!key) return NULL;
    key->name = value->name;
    return node_with(parser, member, key, value, NULL);
}

/* {a}, {"a"}, {@base64 "a"}: no value of its own, the field of that name is it. */
static struct node *field_member(struct parser *parser, struct node *member, struct node *key)
{
    return node_with(parser, member, key, NULL, NULL);
}

static struct node *parse_key(struct parser *parser)
{
    enum token_kind kind = parse_peek(parser);
    if (token_is_word(kind)) return word_node(parser, NODE_TEXT);
    if (kind == TOKEN_NUMBER) {
        return parse_fail(parser, lexer_peek(&parser->lexer)->offset,
                          "May need parentheses around object key expression", "");
    }
    if (parse_accept(parser, TOKEN_QUOTE)) return parse_string(parser, (str){});
    if (kind == TOKEN_FORMAT) {
        str format = lexer_peek(&parser->lexer)->text;
        lexer_take(&parser->lexer);
        if (parse_accept(parser, TOKEN_QUOTE)) return parse_string(parser, format);
    }
    return parse_unexpected(parser, "write (expression): value for a computed key");
}

/* A constant that is no string is refused at once: it could never work. */
static struct node *parse_computed_key(struct parser *parser)
{
    uint32_t offset = lexer_peek(&parser->lexer)->offset;
    lexer_take(&parser->lexer);
    struct node *key = parse_pipe(parser);
    if (!key || !parse_expect(parser, TOKEN_CLOSE_PAREN)) return NULL;
    const char *kind = NULL;
    if (key->kind == NODE_NUMBER) kind = "number";
    if (key->kind == NODE_CALL && key->count == 0) {
        if (str_is(key->name, "true") || str_is(key->name, "false")) kind = "boolean";
        if (str_is(key->name, "null")) kind = "null";
    }
    if (!kind) return key;
    return parse_fail(parser, offset + 1,
                      arena_printf(parser->arena, "Cannot use %s as object key", kind), "");
}

static struct node *parse_member(struct parser *parser)
{
    struct node *member = node_new(parser, NODE_MEMBER, lexer_peek(&parser->lexer)->offset);
    if (!member) return NULL;
    enum token_kind kind = parse_peek(parser);
    if (kind == TOKEN_VARIABLE) {
        member = variable_member(parser, member);
        if (!member || !parse_accept(parser, TOKEN_COLON)) return member;
        struct node *value = parse_value(parser); /* {$x: 1} has the value of $x as its key */
        return value ? node_with(parser, member, member->b, value, NULL) : NULL;
    }
    bool is_computed = kind == TOKEN_OPEN_PAREN;
    struct node *key = is_computed ? parse_computed_key(parser) : parse_key(parser);
    if (!key) return NULL;
    if (!is_computed && parse_peek(parser) != TOKEN_COLON) {
        return field_member(parser, member, key);
    }
    if (!parse_expect(parser, TOKEN_COLON)) return NULL;
    struct node *value = parse_value(parser);
    return value ? node_with(parser, member, key, value, NULL) : NULL;
}

struct node *parse_object(struct parser *parser)
{
    struct node *object = node_new(parser, NODE_OBJECT, lexer_peek(&parser->lexer)->offset);
    lexer_take(&parser->lexer);
    if (!object) return NULL;
    struct node **last = &object->list;
    while (!parse_accept(parser, TOKEN_CLOSE_BRACE)) {
        if (object->list && !parse_expect(parser, TOKEN_COMMA)) return NULL;
        if (object->list && parse_accept(parser, TOKEN_CLOSE_BRACE)) break;
        struct node *member = parse_member(parser);
        if (!member) return NULL;
        if (member->height >= object->height) object->height = (uint16_t)(member->height + 1);
        *last = member;
        last  = &member->next;
        object->count++;
    }
    return object;
}

/* --- patterns ----------------------------------------------------------------------------------
 */

static struct pattern *parse_pattern(struct parser *parser);

static struct pattern *pattern_new(struct parser *parser, enum pattern_kind kind)
{
    struct pattern *pattern = arena_alloc(parser->arena, sizeof *pattern);
    if (!pattern) return parse_fail(parser, 0, "expression is too large", "");
    pattern->kind   = kind;
    pattern->offset = lexer_peek(&parser->lexer)->offset;
    parser->nodes++;
    return pattern;
}

static struct pattern *parse_array_pattern(struct parser *parser)
{
    struct pattern *array = pattern_new(parser, PATTERN_ARRAY);
    lexer_take(&parser->lexer);
    if (!array) return NULL;
    struct pattern **last = &array->list;
    do {
        struct pattern *element = parse_pattern(parser);
        if (!element) return NULL;
        *last = element;
        last  = &element->next;
    } while (parse_accept(parser, TOKEN_COMMA));
    return parse_expect(parser, TOKEN_CLOSE_BRACKET) ? array : NULL;
}

static struct member *parse_pattern_member(struct parser *parser)
{
    struct member *member = arena_alloc(parser->arena, sizeof *member);
    if (!member) return parse_fail(parser, 0, "expression is too large", "");
    struct token token = *lexer_peek(&parser->lexer);
    member->offset     = token.offset;
    if (token.kind == TOKEN_VARIABLE) {
        member->variable = token.text;
        member->key      = word_node(parser, NODE_TEXT);
        if (!member->key || !parse_accept(parser, TOKEN_COLON)) return member->key ? member : NULL;
    } else {
        bool is_computed = token.kind == TOKEN_OPEN_PAREN;
        member->key      = is_computed ? parse_computed_key(parser) : parse_key(parser);
        if (!member->key || !parse_expect(parser, TOKEN_COLON)) return NULL;
    }
    member->value = parse_pattern(parser);
    return member->value ? member : NULL;
}

static struct pattern *parse_object_pattern(struct parser *parser)
{
    struct pattern *object = pattern_new(parser, PATTERN_OBJECT);
    lexer_take(&parser->lexer);
    if (!object) return NULL;
    struct member **last = &object->members;
    do {
        struct member *member = parse_pattern_member(parser);
        if (!member) return NULL;
        *last = member;
        last  = &member->next;
    } while (parse_accept(parser, TOKEN_COMMA));
    return parse_expect(parser, TOKEN_CLOSE_BRACE) ? object : NULL;
}

static struct pattern *parse_pattern(struct parser *parser)
{
    if (!parse_enter(parser)) return NULL;
    struct pattern *pattern = NULL;
    switch (parse_peek(parser)) {
    case TOKEN_VARIABLE:
        pattern = pattern_new(parser, PATTERN_VARIABLE);
        if (pattern) pattern->name = lexer_peek(&parser->lexer)->text;
        lexer_take(&parser->lexer);
        break;
    case TOKEN_OPEN_BRACKET: pattern = parse_array_pattern(parser); break;
    case TOKEN_OPEN_BRACE: pattern = parse_object_pattern(parser); break;
    default: (void)parse_unexpected(parser, "expected $name, [ or {"); break;
    }
    parse_leave(parser);
    return pattern;
}

struct pattern *parse_patterns(struct parser *parser)
{
    struct pattern *first = parse_pattern(parser);
    struct pattern *last  = first;
    while (last && parse_accept(parser, TOKEN_QUESTION_ALTERNATIVE)) {
        last->next = parse_pattern(parser);
        last       = last->next;
    }
    return last ? first : NULL;
}
