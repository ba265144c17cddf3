/* Programs, definitions and operators. */
#include "expr/parse.h"

#include "base/assert.h"

struct parser parser_init(str source, struct arena *arena)
{
    return (struct parser){.lexer = {.source = source}, .arena = arena};
}

/* --- faults and nodes --------------------------------------------------------------------------
 */

void *parse_fail(struct parser *parser, uint32_t offset, const char *detail, const char *hint)
{
    if (!parser->has_failed) {
        parser->fault = (struct expr_fault){.offset = offset,
                                            .detail = detail ? detail : "out of memory",
                                            .hint   = hint,
                                            .name   = "",
                                            .kind   = EXPR_FAULT_SYNTAX};
    }
    parser->has_failed = true;
    return NULL;
}

/* What people of other languages write. */
static const char *habit_hint(char c)
{
    switch (c) {
    case '\'': return "a text stands in double quotes";
    case '&': return "`and`";
    case '!': return "`… | not`, or `!=`";
    default: return "";
    }
}

void *parse_unexpected(struct parser *parser, const char *hint)
{
    const struct token *token = lexer_peek(&parser->lexer);
    const char *detail        = NULL;
    if (token->kind == TOKEN_NAME || token->kind == TOKEN_INVALID) {
        detail =
            arena_printf(parser->arena, "syntax error, unexpected " STR_FMT, STR_ARG(token->text));
        if (!hint[0] && token->text.len > 0) hint = habit_hint(token->text.ptr[0]);
    } else {
        detail =
            arena_printf(parser->arena, "syntax error, unexpected %s", token_name(token->kind));
    }
    return parse_fail(parser, token->offset, detail, hint);
}

static void *fail_limit(struct parser *parser, uint32_t offset, const char *detail)
{
    if (!parser->has_failed) {
        (void)parse_fail(parser, offset, detail, "split it with def or variables");
        parser->fault.kind = EXPR_FAULT_LIMIT;
    }
    return NULL;
}

bool parse_enter(struct parser *parser)
{
    if (parser->depth == PARSE_DEPTH_MAX) {
        uint32_t offset = lexer_peek(&parser->lexer)->offset;
        (void)fail_limit(parser, offset, "expression nests too deeply");
        return false;
    }
    parser->depth++;
    return true;
}

struct node *node_new(struct parser *parser, enum node_kind kind, uint32_t offset)
{
    struct node *node = arena_alloc(parser->arena, sizeof *node);
    if (!node) return fail_limit(parser, offset, "expression is too large");
    node->kind   = (uint8_t)kind;
    node->offset = offset;
    parser->nodes++;
    return node;
}

static uint16_t height_of(const struct node *node)
{
    return node ? (uint16_t)(node->height + 1) : 0;
}

struct node *node_with(struct parser *parser, struct node *node, struct node *a, struct node *b,
                       struct node *c)
{
    if (!node || parser->has_failed) return NULL;
    node->a = a;
    node->b = b;
    node->c = c;

    const struct node *children[] = {a, b, c};
    for (size_t i = 0; i < ARRAY_LEN(children); i++) {
        uint16_t height = height_of(children[i]);
        if (height > node->height) node->height = height;
    }
    if (node->height > PARSE_HEIGHT_MAX) {
        return fail_limit(parser, node->offset, "expression nests too deeply");
    }
    return node;
}

enum token_kind parse_peek(struct parser *parser)
{
    return lexer_peek(&parser->lexer)->kind;
}

bool parse_accept(struct parser *parser, enum token_kind kind)
{
    if (parse_peek(parser) != kind) return false;
    lexer_take(&parser->lexer);
    return true;
}

bool parse_expect(struct parser *parser, enum token_kind kind)
{
    if (parse_accept(parser, kind)) return true;
    (void)parse_unexpected(parser, arena_printf(parser->arena, "expected %s", token_name(kind)));
    return false;
}

/* --- operators ---------------------------------------------------------------------------------
 */

enum associativity { LEFT, RIGHT, NONE };

/* clang-format off */
static const struct operator {
    enum token_kind    token;
    uint8_t            level; /* the higher, the tighter */
    enum associativity associativity;
    enum node_kind     node;
    uint8_t            op;
} operators[] = {
    {TOKEN_ALTERNATIVE,        1, RIGHT, NODE_ALTERNATIVE, 0},
    {TOKEN_ASSIGN,             2, NONE,  NODE_ASSIGN, ASSIGN_SET},
    {TOKEN_UPDATE,             2, NONE,  NODE_ASSIGN, ASSIGN_UPDATE},
    {TOKEN_ALTERNATIVE_ASSIGN, 2, NONE,  NODE_ASSIGN, ASSIGN_ALTERNATIVE},
    {TOKEN_PLUS_ASSIGN,        2, NONE,  NODE_ASSIGN, ASSIGN_ADD + BINARY_ADD},
    {TOKEN_MINUS_ASSIGN,       2, NONE,  NODE_ASSIGN, ASSIGN_ADD + BINARY_SUBTRACT},
    {TOKEN_STAR_ASSIGN,        2, NONE,  NODE_ASSIGN, ASSIGN_ADD + BINARY_MULTIPLY},
    {TOKEN_SLASH_ASSIGN,       2, NONE,  NODE_ASSIGN, ASSIGN_ADD + BINARY_DIVIDE},
    {TOKEN_PERCENT_ASSIGN,     2, NONE,  NODE_ASSIGN, ASSIGN_ADD + BINARY_MODULO},
    {TOKEN_OR,                 3, LEFT,  NODE_OR, 0},
    {TOKEN_AND,                4, LEFT,  NODE_AND, 0},
    {TOKEN_EQUAL,              5, NONE,  NODE_BINARY, BINARY_EQUAL},
    {TOKEN_NOT_EQUAL,          5, NONE,  NODE_BINARY, BINARY_NOT_EQUAL},
    {TOKEN_LESS,               5, NONE,  NODE_BINARY, BINARY_LESS},
    {TOKEN_LESS_EQUAL,         5, NONE,  NODE_BINARY, BINARY_LESS_EQUAL},
    {TOKEN_GREATER,            5, NONE,  NODE_BINARY, BINARY_GREATER},
    {TOKEN_GREATER_EQUAL,      5, NONE,  NODE_BINARY, BINARY_GREATER_EQUAL},
    {TOKEN_PLUS,               6, LEFT,  NODE_BINARY, BINARY_ADD},
    {TOKEN_MINUS,              6, LEFT,  NODE_BINARY, BINARY_SUBTRACT},
    {TOKEN_STAR,               7, LEFT,  NODE_BINARY, BINARY_MULTIPLY},
    {TOKEN_SLASH,              7, LEFT,  NODE_BINARY, BINARY_DIVIDE},
    {TOKEN_PERCENT,            7, LEFT,  NODE_BINARY, BINARY_MODULO},
};
/* clang-format on */

static const struct operator* operator_of(enum token_kind token)
{
    for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
        if (operators[i].token == token) return &operators[i];
    }
    return NULL;
}

/* Everything from `level` up. */
static struct node *parse_operators(struct parser *parser, uint8_t level)
{
    struct node *left = parse_term(parser);
    uint8_t level_max = UINT8_MAX; /* after `a == b` no second `==` may follow */
    while (left) {
        const struct operator* op = operator_of(parse_peek(parser));
        if (!op || op->level < level) return left;
        if (op->level > level_max || (op->level == level_max && op->associativity == NONE)) {
            return parse_unexpected(parser, "put one side in parentheses");
        }
        uint32_t offset = lexer_peek(&parser->lexer)->offset;
        lexer_take(&parser->lexer);
        if (!parse_enter(parser)) return NULL;
        bool is_right       = op->associativity == RIGHT;
        struct node *right  = parse_operators(parser, is_right ? op->level : op->level + 1);
        struct node *binary = right ? node_new(parser, op->node, offset) : NULL;
        parse_leave(parser);
        if (!binary) return NULL;
        binary->op = op->op;
        left       = node_with(parser, binary, left, right, NULL);
        level_max  = op->level;
    }
    return NULL;
}

struct node *parse_expression(struct parser *parser)
{
    if (!parse_enter(parser)) return NULL;
    struct node *expression = parse_operators(parser, 0);
    parse_leave(parser);
    return expression;
}

/* --- pipes, commas and what binds a name for the rest ------------------------------------------
 */

static struct node *parse_label(struct parser *parser)
{
    uint32_t offset = lexer_peek(&parser->lexer)->offset;
    lexer_take(&parser->lexer);
    str name = lexer_peek(&parser->lexer)->text;
    if (!parse_expect(parser, TOKEN_VARIABLE) || !parse_expect(parser, TOKEN_PIPE)) return NULL;
    struct node *body  = parse_pipe(parser);
    struct node *label = body ? node_new(parser, NODE_LABEL, offset) : NULL;
    if (label) label->name = name;
    return node_with(parser, label, body, NULL, NULL);
}

static struct node *parse_definition_and_rest(struct parser *parser)
{
    uint32_t offset  = lexer_peek(&parser->lexer)->offset;
    struct def *def  = parse_def(parser);
    struct node *let = def ? node_new(parser, NODE_DEF, offset) : NULL;
    if (!let) return NULL;
    let->def          = def;
    struct node *rest = parse_pipe(parser);
    if (!rest) return NULL;
    return node_with(parser, let, rest, def->body, NULL);
}

/* One branch of a comma. */
static struct node *parse_branch(struct parser *parser)
{
    if (parse_peek(parser) == TOKEN_DEF) return parse_definition_and_rest(parser);
    if (parse_peek(parser) == TOKEN_LABEL) return parse_label(parser);

    struct node *source = parse_expression(parser);
    uint32_t offset     = lexer_peek(&parser->lexer)->offset;
    if (!source || !parse_accept(parser, TOKEN_AS)) return source;
    struct pattern *patterns = parse_patterns(parser);
    if (!patterns || !parse_expect(parser, TOKEN_PIPE)) return NULL;
    struct node *body = parse_pipe(parser);
    struct node *as   = body ? node_new(parser, NODE_AS, offset) : NULL;
    if (as) as->patterns = patterns;
    return node_with(parser, as, source, body, NULL);
}

/* Chains what `parse_item` returns as long as `separator` follows; a single one stays itself. */
static struct node *parse_list(struct parser *parser, enum token_kind separator,
                               enum node_kind kind,
                               struct node *(*parse_item)(struct parser *parser))
{
    struct node *first = parse_item(parser);
    if (!first || parse_peek(parser) != separator) return first;

    struct node *list = node_new(parser, kind, first->offset);
    if (!list) return NULL;
    list->list        = first;
    list->count       = 1;
    list->height      = height_of(first);
    struct node *last = first;
    while (parse_accept(parser, separator)) {
        struct node *item = parse_item(parser);
        if (!item) return NULL;
        last->next = item;
        last       = item;
        list->count++;
        if (height_of(item) > list->height) list->height = height_of(item);
    }
    if (list->height > PARSE_HEIGHT_MAX) {
        return fail_limit(parser, list->offset, "expression nests too deeply");
    }
    return list;
}

static struct node *parse_comma(struct parser *parser)
{
    return parse_list(parser, TOKEN_COMMA, NODE_COMMA, parse_branch);
}

struct node *parse_pipe(struct parser *parser)
{
    if (!parse_enter(parser)) return NULL;
    struct node *pipe = parse_list(parser, TOKEN_PIPE, NODE_PIPE, parse_comma);
    parse_leave(parser);
    return pipe;
}

/* --- definitions -------------------------------------------------------------------------------
 */

static bool parse_params(struct parser *parser, struct def *def)
{
    struct param **last = &def->params;
    do {
        struct token token  = *lexer_peek(&parser->lexer);
        struct param *param = arena_alloc(parser->arena, sizeof *param);
        if (!param) return fail_limit(parser, token.offset, "expression is too large");
        param->name     = token.text;
        param->is_value = token.kind == TOKEN_VARIABLE;
        if (!param->is_value && !token_is_word(token.kind)) return parse_unexpected(parser, "");
        lexer_take(&parser->lexer);
        *last = param;
        last  = &param->next;
        def->arity++;
    } while (parse_accept(parser, TOKEN_SEMICOLON));
    return parse_expect(parser, TOKEN_CLOSE_PAREN);
}

struct def *parse_def(struct parser *parser)
{
    if (!parse_expect(parser, TOKEN_DEF)) return NULL;
    struct token token = *lexer_peek(&parser->lexer);
    struct def *def    = arena_alloc(parser->arena, sizeof *def);
    if (!def) return fail_limit(parser, token.offset, "expression is too large");
    if (!token_is_word(token.kind)) return parse_unexpected(parser, "expected a name");
    lexer_take(&parser->lexer);
    def->name   = token.text;
    def->offset = token.offset;
    if (parse_accept(parser, TOKEN_OPEN_PAREN) && !parse_params(parser, def)) return NULL;
    if (!parse_expect(parser, TOKEN_COLON)) return NULL;

    uint32_t nodes = parser->nodes;
    def->outer     = parser->def;
    parser->def    = def;
    def->body      = parse_pipe(parser);
    parser->def    = def->outer;
    def->size      = parser->nodes - nodes;
    if (!def->body || !parse_expect(parser, TOKEN_SEMICOLON)) return NULL;
    return def;
}

/* --- whole sources -----------------------------------------------------------------------------
 */

struct node *parse_program(struct parser *parser)
{
    enum token_kind first = parse_peek(parser);
    if (first == TOKEN_IMPORT || first == TOKEN_INCLUDE || first == TOKEN_MODULE) {
        uint32_t offset = lexer_peek(&parser->lexer)->offset;
        (void)parse_fail(parser, offset, "modules are not supported",
                         "an expression reads no files; write the definition into it with def");
        parser->fault.kind = EXPR_FAULT_FUNCTION;
        parser->fault.name = token_name(first);
        return NULL;
    }
    if (first == TOKEN_END) return node_new(parser, NODE_IDENTITY, 0);
    struct node *program = parse_pipe(parser);
    if (program && parse_peek(parser) != TOKEN_END) return parse_unexpected(parser, "");
    return program;
}

struct def *parse_definition(struct parser *parser)
{
    struct def *def = parse_def(parser);
    ASSERT(!def || parse_peek(parser) == TOKEN_END);
    return def;
}
