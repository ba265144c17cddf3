/* Where a value stands in its file, and where a byte of a scalar does. */
#include "base/assert.h"
#include "base/buf.h"
#include "yaml/yaml_internal.h"

enum { INDEX_DIGITS_MAX = 9 };

/* --- nodes -------------------------------------------------------------------------------------
 */

static bool index_parse(str token, size_t *ret_index)
{
    if (token.len == 0 || token.len > INDEX_DIGITS_MAX) return false;
    size_t index = 0;
    for (size_t i = 0; i < token.len; i++) {
        if (token.ptr[i] < '0' || token.ptr[i] > '9') return false;
        index = index * 10 + (size_t)(token.ptr[i] - '0');
    }
    *ret_index = index;
    return true;
}

/* The name that a token of a pointer stands for: ~1 is a slash, ~0 a tilde. */
static bool name_find(json object, str token, size_t *ret_index)
{
    if (token.len == 0 || !memchr(token.ptr, '~', token.len)) {
        return json_find(object, token, ret_index);
    }
    CLEANUP(buf_done) struct buf name = buf_init(token.len);
    for (size_t i = 0; i < token.len; i++) {
        bool is_escape = token.ptr[i] == '~' && i + 1 < token.len;
        char c         = token.ptr[i];
        if (is_escape) c = token.ptr[++i] == '1' ? '/' : '~';
        (void)buf_put_byte(&name, c);
    }
    return json_find(object, buf_str(&name), ret_index);
}

static bool index_of(json container, str token, size_t *ret_index)
{
    if (json_is(container, JSON_OBJECT)) return name_find(container, token, ret_index);
    return json_is(container, JSON_ARRAY) && index_parse(token, ret_index) &&
           *ret_index < json_count(container);
}

/* The node at `pointer`, or the nearest around it. `*ret_value` is the value there. */
static const struct yaml_node *find(const struct yaml_document *document, str pointer,
                                    json *ret_value)
{
    const struct yaml_node *node = &document->root_node;
    json value                   = document->root;
    size_t from                  = 0;
    while (from < pointer.len && pointer.ptr[from] == '/') {
        size_t to = from + 1;
        while (to < pointer.len && pointer.ptr[to] != '/') to++;
        size_t index = 0;
        if (!index_of(value, str_slice(pointer, from + 1, to), &index)) break;
        node  = &document->nodes[node->children + index];
        value = json_is(value, JSON_ARRAY) ? json_at(value, index) : json_value_at(value, index);
        from  = to;
    }
    *ret_value = from == pointer.len ? value : json_invalid();
    return node;
}

static struct yaml_place place_from(const struct yaml_node *node)
{
    return (struct yaml_place){.line = node->line, .column = node->column, .style = node->style};
}

struct yaml_place yaml_place_of(const struct yaml_document *document, str pointer)
{
    json value = json_invalid();
    return place_from(find(document, pointer, &value));
}

struct yaml_place yaml_key_place(const struct yaml_document *document, str pointer)
{
    json value                   = json_invalid();
    const struct yaml_node *node = find(document, pointer, &value);
    struct yaml_place place      = place_from(node);
    if (node->key_line == 0) return place;
    place.line   = node->key_line;
    place.column = node->key_column;
    return place;
}

/* --- inside a scalar ---------------------------------------------------------------------------
 */

/* A walk over the source, which knows line and column. */
struct cursor {
    str rest;
    uint32_t line;
    uint32_t column;
};

static char peek(const struct cursor *cursor)
{
    return cursor->rest.len ? cursor->rest.ptr[0] : '\0';
}

static void step(struct cursor *cursor)
{
    if (cursor->rest.len == 0) return;
    char c       = cursor->rest.ptr[0];
    cursor->rest = str_slice(cursor->rest, 1, cursor->rest.len);
    if (c == '\n') {
        cursor->line++;
        cursor->column = 1;
    } else if (((unsigned char)peek(cursor) & 0xc0) != 0x80) {
        cursor->column++;
    }
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void skip_blanks(struct cursor *cursor)
{
    while (is_blank(peek(cursor))) step(cursor);
}

static struct cursor cursor_at(const struct yaml_document *document, const struct yaml_node *node)
{
    str source           = {.ptr = document->source, .len = document->source_len};
    size_t near          = document->offsets[node->index / YAML_STRIDE];
    struct cursor cursor = {.rest = str_slice(source, near, source.len)};
    for (uint32_t i = 0; i < node->index % YAML_STRIDE; i++) {
        do {
            step(&cursor); /* a byte */
        } while (((unsigned char)peek(&cursor) & 0xc0) == 0x80);
    }
    cursor.line   = node->line;
    cursor.column = node->column;
    while (peek(&cursor) == '&' || peek(&cursor) == '!') { /* anchor, tag */
        while (cursor.rest.len > 0 && !is_blank(peek(&cursor)) && peek(&cursor) != '\n') {
            step(&cursor);
        }
        while (is_blank(peek(&cursor)) || peek(&cursor) == '\n') step(&cursor);
    }
    return cursor;
}

/* Says whether the line ends here, blanks aside. */
static bool is_line_end(const struct cursor *cursor)
{
    struct cursor ahead = *cursor;
    skip_blanks(&ahead);
    if (peek(&ahead) == '\r') step(&ahead);
    return peek(&ahead) == '\n';
}

/* Plain and single-quoted texts over several lines: blanks around a line end become one blank, and
 * each further line end a line end of the text. */
static void walk_flow(struct cursor *cursor, str text, size_t offset, bool is_quoted)
{
    if (is_quoted) step(cursor);
    for (size_t i = 0; i < offset && cursor->rest.len > 0; i++) {
        if ((text.ptr[i] == ' ' || text.ptr[i] == '\n') && is_line_end(cursor)) {
            skip_blanks(cursor);
            if (peek(cursor) == '\r') step(cursor);
            step(cursor);
            if (text.ptr[i] == '\n' && (i == 0 || text.ptr[i - 1] != '\n')) {
                /* The first of several line ends is the fold; it has no byte in the text. */
                skip_blanks(cursor);
                if (peek(cursor) == '\r') step(cursor);
                step(cursor);
            }
            skip_blanks(cursor);
            continue;
        }
        if (is_quoted && text.ptr[i] == '\'') step(cursor); /* '' */
        step(cursor);
    }
}

static void skip_line_end(struct cursor *cursor)
{
    if (peek(cursor) == '\r') step(cursor);
    step(cursor);
}

/* Bytes of the character that begins with `lead`. */
static size_t character_len(char lead)
{
    unsigned char c = (unsigned char)lead;
    return c < 0xC0 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
}

/* Steps over an escape. \\x, \\u and \\U have digits; a pair of surrogates is one character. */
static void skip_escape(struct cursor *cursor)
{
    step(cursor);
    char kind     = peek(cursor);
    size_t digits = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
    step(cursor);
    str hex      = cursor->rest;
    bool is_high = kind == 'u' && hex.len >= 2 && (hex.ptr[0] == 'd' || hex.ptr[0] == 'D') &&
                   strchr("89abAB", hex.ptr[1]);
    for (size_t i = 0; i < digits; i++) step(cursor);
    if (is_high && peek(cursor) == '\\') skip_escape(cursor);
}

/* Behind an escaped line end the text goes on as if it were one line. */
static void skip_continuation(struct cursor *cursor)
{
    for (;;) {
        struct cursor ahead = *cursor;
        if (peek(&ahead) != '\\') return;
        step(&ahead);
        if (peek(&ahead) != '\n' && peek(&ahead) != '\r') return;
        skip_line_end(&ahead);
        skip_blanks(&ahead);
        *cursor = ahead;
    }
}

/* Double-quoted texts: escapes, and lines that are folded like those of other flow texts. */
static void walk_escaped(struct cursor *cursor, str text, size_t offset)
{
    step(cursor);
    skip_continuation(cursor);
    for (size_t i = 0; i < offset && cursor->rest.len > 0;) {
        if (peek(cursor) == '\\') {
            skip_escape(cursor);
            i += character_len(text.ptr[i]);
        } else if ((text.ptr[i] == ' ' || text.ptr[i] == '\n') && is_line_end(cursor)) {
            skip_blanks(cursor);
            skip_line_end(cursor);
            if (text.ptr[i] == '\n' && (i == 0 || text.ptr[i - 1] != '\n')) {
                skip_blanks(cursor);
                skip_line_end(cursor);
            }
            skip_blanks(cursor);
            i++;
        } else {
            step(cursor);
            i++;
        }
        skip_continuation(cursor);
    }
}

static void next_line(struct cursor *cursor)
{
    while (cursor->rest.len > 0 && peek(cursor) != '\n') step(cursor);
    step(cursor);
}

/* By how much a literal text is indented: as much as its first line that is not empty. `cursor` is
 * at the first line. */
static uint32_t indent_of(struct cursor cursor, str text)
{
    size_t from = 0;
    for (; from < text.len && text.ptr[from] == '\n'; from++) next_line(&cursor);
    uint32_t own = 0; /* blanks that belong to the text */
    while (from + own < text.len && is_blank(text.ptr[from + own])) own++;
    skip_blanks(&cursor);
    return cursor.column - 1 - own;
}

/* A literal text: its lines stand below each other, and below the line of its `|`. */
static void walk_literal(struct cursor *cursor, str text, size_t offset)
{
    next_line(cursor);
    uint32_t indent = indent_of(*cursor, text);
    size_t start    = 0; /* of the line in the text */
    for (size_t i = 0; i < offset; i++) {
        if (text.ptr[i] != '\n') continue;
        next_line(cursor);
        start = i + 1;
    }
    for (uint32_t i = 0; i < indent && is_blank(peek(cursor)); i++) step(cursor);
    for (size_t i = start; i < offset; i++) step(cursor);
}
/* How many line ends follow each other, lines of blanks included. */
static size_t line_ends(struct cursor cursor)
{
    size_t count = 0;
    while (is_line_end(&cursor)) {
        skip_blanks(&cursor);
        skip_line_end(&cursor);
        count++;
    }
    return count;
}

static size_t run_of_line_ends(str text, size_t from)
{
    size_t to = from;
    while (to < text.len && text.ptr[to] == '\n') to++;
    return to - from;
}

static void skip_indent(struct cursor *cursor, uint32_t indent)
{
    for (uint32_t i = 0; i < indent && is_blank(peek(cursor)); i++) step(cursor);
}

/* A folded text: one line end is a blank, several are one less; those around lines that are
 * indented further stay as they are. */
static void walk_folded(struct cursor *cursor, str text, size_t offset)
{
    next_line(cursor);
    uint32_t indent = indent_of(*cursor, text);
    skip_indent(cursor, indent);
    for (size_t i = 0; i < offset && cursor->rest.len > 0; i++) {
        bool is_end = peek(cursor) == '\n' || peek(cursor) == '\r';
        if (!is_end) {
            step(cursor);
            continue;
        }
        size_t in_text = text.ptr[i] == '\n' ? run_of_line_ends(text, i) : 0;
        bool is_first  = in_text > 0 && (i == 0 || text.ptr[i - 1] != '\n');
        bool is_folded = is_first && line_ends(*cursor) == in_text + 1;
        skip_line_end(cursor);
        if (is_folded) {
            skip_blanks(cursor);
            skip_line_end(cursor);
        }
        skip_indent(cursor, indent);
    }
}

struct yaml_place yaml_place_in(const struct yaml_document *document, str pointer, size_t offset)
{
    json value                   = json_invalid();
    const struct yaml_node *node = find(document, pointer, &value);
    struct yaml_place place      = place_from(node);
    if (!json_is(value, JSON_TEXT)) return place;
    str text = json_str(value);
    if (offset > text.len) offset = text.len;

    struct cursor cursor = cursor_at(document, node);
    switch (node->style) {
    case YAML_PLAIN: walk_flow(&cursor, text, offset, false); break;
    case YAML_SINGLE_QUOTED: walk_flow(&cursor, text, offset, true); break;
    case YAML_LITERAL: walk_literal(&cursor, text, offset); break;
    case YAML_DOUBLE_QUOTED: walk_escaped(&cursor, text, offset); break;
    case YAML_FOLDED: walk_folded(&cursor, text, offset); break;
    case YAML_NOT_SCALAR: return place;
    }
    place.line   = cursor.line;
    place.column = cursor.column;
    return place;
}
