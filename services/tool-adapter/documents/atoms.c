#include "tool-adapter/documents/atoms.h"

#include "base/utf8.h"

size_t atoms_weight(enum split_unit unit, str text)
{
    return unit == SPLIT_TOKENS ? text.len : utf8_length(text);
}

struct atoms atoms_of(const struct blocks *blocks, const struct split_options *options)
{
    size_t factor = options->unit == SPLIT_TOKENS ? SPLIT_TOKEN : 1;
    return (struct atoms){.blocks = blocks, .options = options, .size = options->size * factor};
}

static bool is_blank(uint32_t code_point)
{
    return code_point == ' ' || code_point == '\n' || code_point == '\t' || code_point == '\r' ||
           code_point == 0xA0 || code_point == 0x3000;
}

/* --- sentences: where one ends, by its mark and what follows ------------------------------------
 */

static bool is_wide_end(uint32_t code_point)
{
    return code_point == 0x3002 || code_point == 0xFF01 || code_point == 0xFF1F;
}

static bool is_end(uint32_t code_point)
{
    return code_point == '.' || code_point == '!' || code_point == '?' || code_point == 0x2026;
}

/* Quotes and brackets that close belong to the sentence before them. */
static bool closes(uint32_t code_point)
{
    return code_point == '"' || code_point == '\'' || code_point == ')' || code_point == ']' ||
           code_point == 0x201D || code_point == 0x2019 || code_point == 0xBB ||
           code_point == 0x300D;
}

/* "J. S. Bach": a single letter before a full stop. */
static bool is_initial(str text, size_t stop)
{
    if (stop == 0) return false;
    char letter    = text.ptr[stop - 1];
    bool is_letter = (letter >= 'A' && letter <= 'Z') || (letter >= 'a' && letter <= 'z');
    return is_letter && (stop == 1 || text.ptr[stop - 2] == ' ' || text.ptr[stop - 2] == '.');
}

/* Whether another sentence begins at `at`, behind an end mark. */
static bool begins_next(str text, size_t at)
{
    if (at == text.len) return true;
    uint32_t code_point = utf8_next(text, &at);
    if (!is_blank(code_point)) return false;
    while (at < text.len && is_blank(code_point)) code_point = utf8_next(text, &at);
    return !(code_point >= 'a' && code_point <= 'z');
}

static size_t skip_marks(str text, size_t at)
{
    for (size_t next = at; next < text.len; at = next) {
        uint32_t code_point = utf8_next(text, &next);
        if (!is_end(code_point) && !closes(code_point)) break;
        if (next == text.len) return next;
    }
    return at;
}

/* The end of the first sentence of `text`. */
static size_t sentence_end(str text)
{
    for (size_t at = 0; at < text.len;) {
        size_t start        = at;
        uint32_t code_point = utf8_next(text, &at);
        if (is_wide_end(code_point)) return at;
        if (!is_end(code_point) || (code_point == '.' && is_initial(text, start))) continue;
        at = skip_marks(text, at);
        if (begins_next(text, at)) return at;
    }
    return text.len;
}

static size_t line_end(str text)
{
    const char *end = memchr(text.ptr, '\n', text.len);
    return end ? (size_t)(end - text.ptr) + 1 : text.len;
}

/* --- cutting ------------------------------------------------------------------------------------
 */

/* The longest prefix within `size` that ends before a word, if there is one; at least a character.
 */
static size_t cut(enum split_unit unit, str text, size_t size)
{
    size_t weight = 0;
    size_t word   = 0;
    size_t at     = 0;
    while (at < text.len) {
        size_t next         = at;
        uint32_t code_point = utf8_next(text, &next);
        weight += unit == SPLIT_TOKENS ? next - at : 1;
        if (weight > size && at > 0) break;
        if (is_blank(code_point)) word = at;
        at = next;
    }
    if (at == text.len) return at;
    return word > 0 ? word : at;
}

/* As many whole pieces as fit, but at least one. */
static size_t pack_lines(const struct atoms *atoms, str text)
{
    size_t end    = 0;
    size_t weight = 0;
    while (end < text.len) {
        str rest = str_slice(text, end, text.len);
        str line = str_slice(rest, 0, line_end(rest));
        weight += atoms_weight(atoms->options->unit, line);
        if (weight > atoms->size && end > 0) break;
        end += line.len;
        if (weight > atoms->size) break;
    }
    return end;
}

static bool fits(const struct atoms *atoms, str text)
{
    if (text.len <= atoms->size) return true; /* a character has a byte at least */
    return text.len <= atoms->size * UTF8_BYTES_MAX &&
           atoms_weight(atoms->options->unit, text) <= atoms->size;
}

/* As much of a text as may fit, and a little more: what is behind it decides nothing. */
static str window_of(const struct atoms *atoms, str text)
{
    size_t end = (atoms->size + 1) * UTF8_BYTES_MAX;
    if (end >= text.len) return text;
    while (end > 0 && ((uint8_t)text.ptr[end] & 0xC0) == 0x80) end--;
    return str_slice(text, 0, end);
}

/* The end of the next piece of a block's rest. */
static size_t piece_end(const struct atoms *atoms, enum block_kind kind, str rest, bool is_whole)
{
    bool is_prose = kind == BLOCK_PARAGRAPH;
    bool is_fine  = is_prose && (!is_whole || atoms->options->by == SPLIT_SENTENCES);
    if (!is_fine && fits(atoms, rest)) return rest.len;
    size_t end = is_prose ? sentence_end(window_of(atoms, rest)) : pack_lines(atoms, rest);
    str piece  = str_slice(rest, 0, end);
    return fits(atoms, piece) ? end : cut(atoms->options->unit, piece, atoms->size);
}

static size_t skip_blanks(str text, size_t at, size_t end)
{
    while (at < end) {
        size_t next = at;
        if (!is_blank(utf8_next(text, &next))) break;
        at = next;
    }
    return at;
}

bool atoms_next(struct atoms *atoms, struct atom *ret_atom)
{
    const struct blocks *blocks = atoms->blocks;
    while (atoms->block < blocks->count) {
        const struct block *block = &blocks->items[atoms->block];
        bool is_whole             = atoms->at <= block->start;
        size_t start              = is_whole ? block->start : atoms->at;
        bool keeps_blanks         = block->kind == BLOCK_CODE && !is_whole;
        if (!keeps_blanks) start = skip_blanks(blocks->text, start, block->end);
        if (start >= block->end) {
            atoms->block++;
            atoms->at = 0;
            continue;
        }
        str rest   = str_slice(blocks->text, start, block->end);
        size_t end = start + piece_end(atoms, block->kind, rest, is_whole);
        atoms->at  = end;
        if (skip_blanks(blocks->text, start, end) == end) continue;
        *ret_atom = (struct atom){.start = start, .end = end, .block = atoms->block};
        return true;
    }
    return false;
}
