/*
 * Findings of the YAML reader, in words for the author of a workflow.
 *
 * libyaml says what its grammar missed; authors need to know which habit led there. The table below
 * names, for each of its messages, the usual cause and the fix.
 */
#include "base/assert.h"
#include "yaml/yaml_internal.h"

#include <stdarg.h>
#include <stdio.h>

enum { DETAIL_MAX = 512 }; /* bytes */

void yaml_found(struct yaml_report *report, str pointer, uint32_t line, uint32_t column,
                const char *hint, const char *format, ...)
{
    char detail[DETAIL_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(detail, sizeof detail, format, args);
    va_end(args);

    if (!report->has_error) {
        (void)fail(&report->first, STATUS_INVALID_ARGUMENT, "line %u, column %u: %.180s", line,
                   column, detail);
    }
    report->has_error = true;
    if (!report->list) return;
    struct diagnostic *finding =
        diagnostics_add(report->list, "V01", SEVERITY_ERROR, pointer, line, column, "%s", detail);
    if (*hint) diagnostic_hint(report->list, finding, "%s", hint);
}

str yaml_line(str source, uint32_t line)
{
    size_t from = 0;
    for (uint32_t i = 1; i < line && from < source.len; i++) {
        const char *end = memchr(source.ptr + from, '\n', source.len - from);
        from            = end ? (size_t)(end - source.ptr) + 1 : source.len;
    }
    str rest        = str_slice(source, from, source.len);
    const char *end = rest.len ? memchr(rest.ptr, '\n', rest.len) : NULL;
    return end ? str_slice(rest, 0, (size_t)(end - rest.ptr)) : rest;
}

/* The character of the source at a mark; NUL at the end of its line. */
static char char_at(str source, yaml_mark_t mark)
{
    str line  = yaml_line(source, (uint32_t)mark.line + 1);
    size_t at = 0;
    for (size_t column = 0; at < line.len; at++) {
        if (((unsigned char)line.ptr[at] & 0xc0) == 0x80) continue; /* inside a character */
        if (column++ == mark.column) return line.ptr[at];
    }
    return '\0';
}

struct explanation {
    const char *problem; /* what libyaml says */
    const char *context; /* only after this, if not NULL */
    const char *detail;
    const char *hint;
    bool at_context; /* the place is where the construct begins */
};

static const struct explanation explanations[] = {
    {"mapping values are not allowed in this context", NULL,
     "`: ` inside a plain text starts a map",
     "put the text in quotes, or write it as a block with `>-`", false},
    {"block sequence entries are not allowed in this context", NULL,
     "a list cannot begin with `- ` on the line of its key or of another value",
     "begin the list on a line of its own, indented", false},
    {"mapping keys are not allowed in this context", NULL,
     "`? ` starts a map key, which cannot stand here", "put the text in quotes", false},
    {"could not find expected ':'", NULL,
     "this line is neither `key: value` nor part of the text above",
     "write `key: value`; indent a text of several lines and begin it with `|` or `>-`", true},
    {"did not find expected key", "while parsing a block mapping",
     "expected the next `key:` of the map that begins above",
     "align it with the other keys; text after a quoted value belongs inside the quotes", false},
    {"did not find expected '-' indicator", NULL,
     "expected the next `- ` of the list that begins above", "align it with the other entries",
     false},
    {"did not find expected ',' or '}'", NULL,
     "a value that begins with `{` is a map in one line, and this one is not closed by `}`",
     "put the text in quotes, or separate the members by commas", false},
    {"did not find expected ',' or ']'", NULL,
     "a value that begins with `[` is a list in one line, and this one is not closed by `]`",
     "put the text in quotes, or separate the entries by commas", false},
    {"did not find expected node content", NULL, "expected a value here",
     "put the text in quotes if it is meant to be one", false},
    {"did not find expected <document start>", NULL, "the document is over before this line",
     "indent it, or remove what stands before the first key", false},
    {"did not find expected comment or line break", "while scanning a block scalar",
     "nothing may follow `|` or `>` on its line",
     "begin the text on the next line, or put it in quotes", false},
    {"found a tab character that violates indentation", NULL, "a tab cannot indent",
     "indent with blanks", false},
    {"found a tab character where an indentation space is expected", NULL, "a tab cannot indent",
     "indent with blanks", false},
    {"found unexpected end of stream", "while scanning a quoted scalar",
     "the quoted text that begins here is not closed", "add the closing quote", true},
    {"found unexpected document indicator", "while scanning a quoted scalar",
     "the quoted text that begins here is not closed", "add the closing quote", true},
    {"found unknown escape character", NULL, "there is no such escape in double quotes",
     "write `\\\\` for a backslash, or use single quotes", false},
    {"found invalid Unicode character escape code", NULL, "this escape is no character",
     "write the character itself, or `\\U` and eight digits", false},
    {"did not find expected whitespace or line break", NULL,
     "`!` begins a tag, which is not used here", "put the text in quotes", false},
    {"found undefined tag handle", NULL, "`!` begins a tag, which is not used here",
     "put the text in quotes", false},
    {"did not find expected alphabetic or numeric character", NULL,
     "`*` begins an alias and `&` an anchor", "put the text in quotes", false},
    {"found incompatible YAML document", NULL, "this version of YAML is not read",
     "remove the line with %YAML", false},
};

static const struct explanation *explanation_of(const yaml_parser_t *parser)
{
    for (size_t i = 0; i < ARRAY_LEN(explanations); i++) {
        const struct explanation *entry = &explanations[i];
        if (strcmp(parser->problem, entry->problem) != 0) continue;
        if (entry->context && (!parser->context || strcmp(parser->context, entry->context) != 0)) {
            continue;
        }
        return entry;
    }
    return NULL;
}

/* "cannot start any token" means one of few characters, each with its own story. */
static void explain_character(struct yaml_report *report, yaml_mark_t mark)
{
    uint32_t line   = (uint32_t)mark.line + 1;
    uint32_t column = (uint32_t)mark.column + 1;
    char c          = char_at(report->source, mark);
    if (c == '\t') {
        yaml_found(report, (str){}, line, column, "indent with blanks", "a tab cannot indent");
    } else {
        yaml_found(report, (str){}, line, column, "put the text in quotes",
                   "a plain text cannot begin with `%c`", c ? c : ' ');
    }
}

/* The reader knows bytes, not lines. */
static void explain_encoding(struct yaml_report *report, const yaml_parser_t *parser)
{
    uint32_t line   = 1;
    uint32_t column = 1;
    size_t end      = parser->problem_offset;
    for (size_t i = 0; i < end && i < report->source.len; i++) {
        if (report->source.ptr[i] == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)report->source.ptr[i] & 0xc0) != 0x80) {
            column++;
        }
    }
    bool is_control = strcmp(parser->problem, "control characters are not allowed") == 0;
    yaml_found(report, (str){}, line, column,
               is_control ? "write it as an escape in double quotes" : "save the file as UTF-8",
               is_control ? "a control character" : "not UTF-8");
}

void yaml_explain(struct yaml_report *report, const yaml_parser_t *parser)
{
    if (parser->error == YAML_READER_ERROR) {
        explain_encoding(report, parser);
        return;
    }
    ASSERT(parser->problem && "out of memory"); /* YAML_MEMORY_ERROR has none */
    const char *problem = parser->problem;
    if (strcmp(problem, "found character that cannot start any token") == 0) {
        explain_character(report, parser->problem_mark);
        return;
    }
    const struct explanation *entry = explanation_of(parser);
    yaml_mark_t mark = entry && entry->at_context ? parser->context_mark : parser->problem_mark;
    yaml_found(report, (str){}, (uint32_t)mark.line + 1, (uint32_t)mark.column + 1,
               entry ? entry->hint : "", "%s", entry ? entry->detail : problem);
}
