/* Nodes as text, and as HTML. */
#include "base/mem.h"
#include "html/html_internal.h"

#include <stdlib.h>

static bool is_one_of(uint32_t name, const GumboTag *tags, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (name == (uint32_t)tags[i]) return true;
    }
    return false;
}

/* --- text ------------------------------------------------------------------------------------- */

static const GumboTag hidden[] = {
    GUMBO_TAG_SCRIPT, GUMBO_TAG_STYLE,    GUMBO_TAG_NOSCRIPT, GUMBO_TAG_TEMPLATE,
    GUMBO_TAG_HEAD,   GUMBO_TAG_NOFRAMES, GUMBO_TAG_NOEMBED,  GUMBO_TAG_IFRAME,
};

/* What stands within a line; everything else stands apart. */
static const GumboTag inlined[] = {
    GUMBO_TAG_A,    GUMBO_TAG_ABBR,  GUMBO_TAG_ACRONYM, GUMBO_TAG_B,      GUMBO_TAG_BDI,
    GUMBO_TAG_BDO,  GUMBO_TAG_BIG,   GUMBO_TAG_CITE,    GUMBO_TAG_CODE,   GUMBO_TAG_DATA,
    GUMBO_TAG_DEL,  GUMBO_TAG_DFN,   GUMBO_TAG_EM,      GUMBO_TAG_FONT,   GUMBO_TAG_I,
    GUMBO_TAG_IMG,  GUMBO_TAG_INS,   GUMBO_TAG_KBD,     GUMBO_TAG_LABEL,  GUMBO_TAG_MARK,
    GUMBO_TAG_NOBR, GUMBO_TAG_Q,     GUMBO_TAG_RB,      GUMBO_TAG_RUBY,   GUMBO_TAG_S,
    GUMBO_TAG_SAMP, GUMBO_TAG_SMALL, GUMBO_TAG_SPAN,    GUMBO_TAG_STRIKE, GUMBO_TAG_STRONG,
    GUMBO_TAG_SUB,  GUMBO_TAG_SUP,   GUMBO_TAG_TIME,    GUMBO_TAG_TT,     GUMBO_TAG_U,
    GUMBO_TAG_VAR,  GUMBO_TAG_WBR,
};

static bool is_apart(const struct html_node *node)
{
    if (node->kind != HTML_ELEMENT || node->name > GUMBO_TAG_LAST) return false;
    return node->name != GUMBO_TAG_UNKNOWN && !is_one_of(node->name, inlined, ARRAY_LEN(inlined));
}

static bool is_space(char c)
{
    const uint64_t blanks = UINT64_C(1) << ' ' | 1 << '\n' | 1 << '\t' | 1 << '\r' | 1 << '\f';
    return ((unsigned char)c <= ' ') &
           (blanks >> (c & 63)); /* no branch: it is asked of each byte */
}

/* Where writing stands: white space is kept back until something follows it. */
struct text_writer {
    struct buf *out;
    size_t start;
    bool owes_space;
};

/* At most one byte more than `text` has: the space it owes. Where words end nobody can foresee, so
 * that a space is written like a letter, and one behind another is written over. */
static bool put_words(struct text_writer *writer, str text)
{
    char *room      = buf_reserve(writer->out, text.len + 1);
    bool has_before = writer->out->len > writer->start;
    bool was_space  = writer->owes_space || !has_before;
    if (!room) return false;
    char *to = room;
    if (writer->owes_space && has_before) *to++ = ' ';
    for (size_t i = 0; i < text.len; i++) {
        bool is_blank = is_space(text.ptr[i]);
        *to           = is_blank ? ' ' : text.ptr[i];
        to += !(is_blank && was_space);
        was_space = is_blank;
    }
    bool is_at_end = to > room && to[-1] == ' ';
    writer->owes_space |= text.len > 0 && was_space;
    if (!is_at_end && to > room) writer->owes_space = false;
    buf_commit(writer->out, (size_t)(to - room) - is_at_end);
    return true;
}

/* The end of a block is where the next node has another parent; so a block that was left shows as a
 * node that lies above the one before. */
static bool left_block(const struct html_node *nodes, uint32_t before, uint32_t node)
{
    for (uint32_t open = before; open != nodes[node].parent; open = nodes[open].parent) {
        if (is_apart(&nodes[open])) return true;
        if (open == 0) return false;
    }
    return false;
}

bool html_put_text(const struct html_document *document, uint32_t node, struct buf *out)
{
    const struct html_node *nodes = document->nodes;
    struct text_writer writer     = {.out = out, .start = out->len};
    uint32_t end                  = nodes[node].end;
    if (nodes[node].kind == HTML_TEXT) return put_words(&writer, nodes[node].text);
    for (uint32_t i = node + 1; i < end;) {
        const struct html_node *at = &nodes[i];
        writer.owes_space = writer.owes_space || left_block(nodes, i - 1, i) || is_apart(at);
        if (at->kind == HTML_TEXT && !put_words(&writer, at->text)) return false;
        bool is_hidden = at->kind == HTML_ELEMENT && is_one_of(at->name, hidden, ARRAY_LEN(hidden));
        i              = is_hidden ? at->end : i + 1;
    }
    return true;
}

/* --- source ----------------------------------------------------------------------------------- */

static const GumboTag voids[] = {
    GUMBO_TAG_AREA,  GUMBO_TAG_BASE,  GUMBO_TAG_BASEFONT, GUMBO_TAG_BGSOUND, GUMBO_TAG_BR,
    GUMBO_TAG_COL,   GUMBO_TAG_EMBED, GUMBO_TAG_FRAME,    GUMBO_TAG_HR,      GUMBO_TAG_IMG,
    GUMBO_TAG_INPUT, GUMBO_TAG_LINK,  GUMBO_TAG_META,     GUMBO_TAG_PARAM,   GUMBO_TAG_SOURCE,
    GUMBO_TAG_TRACK, GUMBO_TAG_WBR,   GUMBO_TAG_KEYGEN,
};

/* Whose text is not escaped. */
static const GumboTag raw[] = {
    GUMBO_TAG_STYLE,   GUMBO_TAG_SCRIPT,   GUMBO_TAG_XMP,       GUMBO_TAG_IFRAME,
    GUMBO_TAG_NOEMBED, GUMBO_TAG_NOFRAMES, GUMBO_TAG_PLAINTEXT,
};

static bool put_escaped(struct buf *out, str text, bool is_attribute)
{
    size_t from = 0;
    for (size_t i = 0; i < text.len; i++) {
        const char *instead = NULL;
        size_t taken        = 1;
        switch (text.ptr[i]) {
        case '&': instead = "&amp;"; break;
        case '<': instead = is_attribute ? NULL : "&lt;"; break;
        case '>': instead = is_attribute ? NULL : "&gt;"; break;
        case '"': instead = is_attribute ? "&quot;" : NULL; break;
        case '\xc2':
            if (i + 1 < text.len && text.ptr[i + 1] == '\xa0') instead = "&nbsp;";
            taken = 2;
            break;
        default: break;
        }
        if (!instead) continue;
        (void)buf_put_str(out, str_slice(text, from, i));
        (void)buf_put_text(out, instead);
        from = i + taken;
        i += taken - 1;
    }
    return buf_put_str(out, str_slice(text, from, text.len));
}

static bool put_start(const struct html_document *document, uint32_t number, struct buf *out)
{
    const struct html_node *node = &document->nodes[number];
    (void)buf_put_byte(out, '<');
    (void)buf_put_str(out, html_name(document, number));
    for (uint32_t i = 0; i < node->attribute_count; i++) {
        (void)buf_put_byte(out, ' ');
        (void)buf_put_str(out, node->attributes[i].name);
        (void)buf_put_text(out, "=\"");
        (void)put_escaped(out, node->attributes[i].value, true);
        (void)buf_put_byte(out, '"');
    }
    return buf_put_byte(out, '>');
}

static bool put_node(const struct html_document *document, uint32_t number, struct buf *out)
{
    const struct html_node *node   = &document->nodes[number];
    const struct html_node *parent = &document->nodes[node->parent];
    switch (node->kind) {
    case HTML_DOCUMENT: return true;
    case HTML_ELEMENT: return put_start(document, number, out);
    case HTML_COMMENT:
        return buf_put_text(out, "<!--") && buf_put_str(out, node->text) &&
               buf_put_text(out, "-->");
    case HTML_TEXT:
        if (parent->kind == HTML_ELEMENT && is_one_of(parent->name, raw, ARRAY_LEN(raw))) {
            return buf_put_str(out, node->text);
        }
        return put_escaped(out, node->text, false);
    }
    return true;
}

static bool put_end(const struct html_document *document, uint32_t number, struct buf *out)
{
    const struct html_node *node = &document->nodes[number];
    if (node->kind != HTML_ELEMENT || is_one_of(node->name, voids, ARRAY_LEN(voids))) return true;
    return buf_put_text(out, "</") && buf_put_str(out, html_name(document, number)) &&
           buf_put_byte(out, '>');
}

bool html_put_source(const struct html_document *document, uint32_t node, struct buf *out)
{
    const struct html_node *nodes = document->nodes;
    for (uint32_t i = node; i < nodes[node].end; i++) {
        if (!put_node(document, i, out)) return false;
        /* Those that end behind it, from the inside out. */
        for (uint32_t open = i; nodes[open].end == i + 1; open = nodes[open].parent) {
            if (!put_end(document, open, out)) return false;
            if (open == node) break;
        }
    }
    return true;
}
