/*
 * Which texts of a definition are expressions. The rule is short: the whole text is `${ ... }`.
 * Most of this file is about what people write instead, because a text that looks like an
 * expression to its author and is a plain text to the engine is the worst of all findings: none.
 */
#include "workflow/compile.h"

#include "base/assert.h"

enum { NESTING_MAX = 256 }; /* braces and interpolated strings within one wrapper */

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name_part(char c)
{
    return is_name_start(c) || (c >= '0' && c <= '9');
}

static bool find(str text, const char *part, size_t *ret_offset)
{
    const char *at = memmem(text.ptr, text.len, part, strlen(part));
    if (!at) return false;
    *ret_offset = (size_t)(at - text.ptr);
    return true;
}

/*
 * Returns the offset of the brace that closes the one before `from`, or text.len if none does.
 * Knows jq's strings, the `\( )` inside them, and comments; nothing else of jq can hold a lone
 * brace.
 */
static size_t closing_brace(str text, size_t from)
{
    char open[NESTING_MAX]; /* '{', '"', or '(' for an interpolation inside a string */
    size_t depth  = 0;
    open[depth++] = '{';
    for (size_t i = from; i < text.len; i++) {
        char c = text.ptr[i];
        if (open[depth - 1] == '"') {
            if (c == '"') {
                depth--;
            } else if (c == '\\' && i + 1 < text.len) {
                i++;
                if (text.ptr[i] == '(' && depth < NESTING_MAX) open[depth++] = '(';
            }
        } else if (c == '"' || c == '{' || c == '(') {
            if (depth == NESTING_MAX) return text.len;
            open[depth++] = c;
        } else if (c == '#') {
            while (i + 1 < text.len && text.ptr[i + 1] != '\n') i++;
        } else if ((c == '}' && open[depth - 1] == '{') || (c == ')' && open[depth - 1] == '(')) {
            if (--depth == 0) return i;
        }
    }
    return text.len;
}

/* `.user.name` or `$input.x` and nothing else. */
static bool is_path(str text)
{
    size_t i = 0;
    if (text.len > 1 && text.ptr[0] == '$') {
        i = 1;
        while (i < text.len && is_name_part(text.ptr[i])) i++;
        str name                         = str_slice(text, 1, i);
        static const char *const known[] = {"context",  "input",   "output", "secrets", "task",
                                            "workflow", "runtime", "steps",  "item",    "error"};
        bool is_known                    = false;
        for (size_t k = 0; k < ARRAY_LEN(known); k++) is_known = is_known || str_is(name, known[k]);
        if (!is_known) return false;
    }
    if (i == text.len) return true;
    while (i < text.len) {
        if (text.ptr[i] != '.' || i + 1 == text.len || !is_name_start(text.ptr[i + 1])) {
            return false;
        }
        i++;
        while (i < text.len && is_name_part(text.ptr[i])) i++;
    }
    return true;
}

static struct text_form refused(void)
{
    return (struct text_form){.kind = TEXT_REFUSED};
}

/* `${{ … }}`, `{{ … }}` and `$.path` are other languages' wrappers. */
static bool is_foreign(struct reader *reader, str core, size_t offset)
{
    struct diagnostic *finding = NULL;
    struct yaml_place where    = text_place(reader, offset);
    size_t len                 = core.len;
    if (str_starts_with(core, str_from("${{")) && len >= 5 && core.ptr[len - 2] == '}') {
        /* `${{ a: 1 }}` is a good jq object; only what cannot be one is a foreign wrapper. */
        str inner = str_trim(str_slice(core, 3, len - 2), " \t\r\n");
        if (inner.len == 0 || (inner.ptr[0] != '.' && !is_path(inner))) return false;
        finding = refuse(reader, "V23", where, "`${{ … }}` is not the wrapper of this language");
        hint(reader, finding, "`${ " STR_FMT " }`", STR_ARG(shown(inner)));
        return true;
    }
    if (str_starts_with(core, str_from("{{")) && len >= 4 && core.ptr[len - 2] == '}' &&
        core.ptr[len - 1] == '}') {
        str inner = str_trim(str_slice(core, 2, len - 2), " \t\r\n");
        finding   = refuse(reader, "V23", where, "`{{ … }}` is not the wrapper of this language");
        hint(reader, finding, "`${ " STR_FMT " }`", STR_ARG(shown(inner)));
        return true;
    }
    if (str_starts_with(core, str_from("$.")) && len > 2 && is_name_start(core.ptr[2])) {
        finding = refuse(reader, "V23", where, "`$.` is not how a path begins here");
        hint(reader, finding, "`${ " STR_FMT " }`", STR_ARG(shown(str_slice(core, 1, len))));
        return true;
    }
    return false;
}

static struct text_form literal_form(struct reader *reader, str text, str core, size_t offset)
{
    size_t at;
    if (is_foreign(reader, core, offset)) return refused();
    if (find(text, "${", &at)) {
        struct diagnostic *finding =
            refuse(reader, "V23", text_place(reader, at),
                   "`${` inside a text is not an expression: only a whole text can be one");
        hint(reader, finding, "`${ \"… \\( … ) …\" }`; the text itself: `${ \"${…\" }`");
        return refused();
    }
    if (core.len > 0 && is_path(core)) {
        struct diagnostic *finding =
            warn(reader, "V40", text_place(reader, offset),
                 "`" STR_FMT "` is a plain text here, although it looks like a path",
                 STR_ARG(shown(core)));
        hint(reader, finding, "`${ " STR_FMT " }`", STR_ARG(shown(core)));
    }
    return (struct text_form){.kind = TEXT_LITERAL};
}

static struct text_form unclosed(struct reader *reader, size_t offset)
{
    struct yaml_place where    = text_place(reader, offset);
    struct diagnostic *finding = NULL;
    if (where.style == YAML_PLAIN) {
        finding = refuse(reader, "V25", where,
                         "this `${` is not closed: YAML cuts a plain text off at ` #`");
        hint(reader, finding, "put the whole expression in quotes");
    } else {
        finding = refuse(reader, "V25", where, "this `${` is not closed");
        hint(reader, finding, "end the text with ` }`");
    }
    return refused();
}

/* Takes the wrapper off; TEXT_LITERAL if there is none. */
static struct text_form unwrapped(struct reader *reader, str text, str core, size_t offset)
{
    if (!str_starts_with(core, str_from("${"))) {
        return (struct text_form){.kind = TEXT_LITERAL};
    }
    if (is_foreign(reader, core, offset)) return refused();
    size_t end = closing_brace(core, 2);
    if (end == core.len) {
        /* A brace at the very end may close the wrapper of a program that is wrong otherwise, say
         * with an open string: then the compiler has the better message. */
        if (core.len < 3 || core.ptr[core.len - 1] != '}') return unclosed(reader, offset);
        end = core.len - 1;
    }
    if (end + 1 < core.len) return literal_form(reader, text, core, offset);
    return (struct text_form){
        .kind = TEXT_EXPRESSION, .source = str_slice(core, 2, end), .offset = offset + 2};
}

static const char *one_line_hint(enum yaml_style style)
{
    switch (style) {
    case YAML_LITERAL: return "`>-` instead of `|`, and all lines equally far in";
    case YAML_FOLDED: return "all lines equally far in: `>-` keeps the end of a line before others";
    default: return "write it without line ends, or as a block that begins with `>-`";
    }
}

struct text_form text_form_of(struct reader *reader, str text)
{
    str core              = str_trim(text, " \t\r\n");
    size_t offset         = core.len ? (size_t)(core.ptr - text.ptr) : 0;
    struct text_form form = unwrapped(reader, text, core, offset);
    if (form.kind == TEXT_LITERAL) return literal_form(reader, text, core, offset);
    if (form.kind != TEXT_EXPRESSION) return form;
    if (memchr(form.source.ptr, '\n', form.source.len)) {
        struct yaml_place where    = text_place(reader, offset);
        struct diagnostic *finding = refuse(
            reader, "V24", where,
            "this expression holds line ends: other tools of the language do not see it as one");
        hint(reader, finding, "%s", one_line_hint(where.style));
        return refused();
    }
    return form;
}

struct text_form text_form_always(struct reader *reader, str text)
{
    str core              = str_trim(text, " \t\r\n");
    size_t offset         = core.len ? (size_t)(core.ptr - text.ptr) : 0;
    struct text_form form = unwrapped(reader, text, core, offset);
    if (form.kind != TEXT_LITERAL) return form;
    if (is_foreign(reader, core, offset)) return refused();
    return (struct text_form){.kind = TEXT_EXPRESSION, .source = core, .offset = offset};
}

bool is_expression(json value)
{
    if (!json_is(value, JSON_TEXT)) return false;
    str core = str_trim(json_str(value), " \t\r\n");
    return str_starts_with(core, str_from("${")) && core.ptr[core.len - 1] == '}';
}

bool holds_expression(json value)
{
    struct {
        json container;
        size_t next;
    } stack[YAML_DEPTH_MAX];
    if (!json_is(value, JSON_OBJECT) && !json_is(value, JSON_ARRAY)) return is_expression(value);
    size_t depth       = 1;
    stack[0].container = value;
    stack[0].next      = 0;
    while (depth > 0) {
        json container = stack[depth - 1].container;
        size_t next    = stack[depth - 1].next++;
        if (next >= json_count(container)) {
            depth--;
            continue;
        }
        json member = json_is(container, JSON_OBJECT) ? json_value_at(container, next)
                                                      : json_at(container, next);
        if (is_expression(member)) return true;
        if (json_is(member, JSON_OBJECT) || json_is(member, JSON_ARRAY)) {
            ASSERT(depth < YAML_DEPTH_MAX);
            stack[depth].container = member;
            stack[depth++].next    = 0;
        }
    }
    return false;
}
