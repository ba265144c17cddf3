/* HTML to text and its blocks: common/html reads it, within its limits; the nodes are walked here.
 */
#include "html/document.h"
#include "tool-adapter/documents/blocks_internal.h"

#include <stdlib.h>

/* --- what elements are --------------------------------------------------------------------------
 */

enum element_role {
    ROLE_INLINE, /* what the table does not name */
    ROLE_DROPPED,
    ROLE_BLOCK,
    ROLE_HEADING,
    ROLE_CODE,
    ROLE_ROW,
    ROLE_CELL,
    ROLE_BREAK,
};

struct named_role {
    const char *name;
    enum element_role role;
};

/* In the order of their names. */
static const struct named_role roles[] = {
    {"address", ROLE_BLOCK},    {"article", ROLE_BLOCK},  {"aside", ROLE_BLOCK},
    {"blockquote", ROLE_BLOCK}, {"body", ROLE_BLOCK},     {"br", ROLE_BREAK},
    {"button", ROLE_DROPPED},   {"caption", ROLE_BLOCK},  {"dd", ROLE_BLOCK},
    {"details", ROLE_BLOCK},    {"div", ROLE_BLOCK},      {"dl", ROLE_BLOCK},
    {"dt", ROLE_BLOCK},         {"fieldset", ROLE_BLOCK}, {"figcaption", ROLE_BLOCK},
    {"figure", ROLE_BLOCK},     {"footer", ROLE_BLOCK},   {"form", ROLE_BLOCK},
    {"h1", ROLE_HEADING},       {"h2", ROLE_HEADING},     {"h3", ROLE_HEADING},
    {"h4", ROLE_HEADING},       {"h5", ROLE_HEADING},     {"h6", ROLE_HEADING},
    {"head", ROLE_DROPPED},     {"header", ROLE_BLOCK},   {"hr", ROLE_BLOCK},
    {"iframe", ROLE_DROPPED},   {"legend", ROLE_BLOCK},   {"li", ROLE_BLOCK},
    {"main", ROLE_BLOCK},       {"nav", ROLE_DROPPED},    {"noscript", ROLE_DROPPED},
    {"object", ROLE_DROPPED},   {"ol", ROLE_BLOCK},       {"p", ROLE_BLOCK},
    {"pre", ROLE_CODE},         {"script", ROLE_DROPPED}, {"section", ROLE_BLOCK},
    {"select", ROLE_DROPPED},   {"style", ROLE_DROPPED},  {"summary", ROLE_BLOCK},
    {"svg", ROLE_DROPPED},      {"table", ROLE_BLOCK},    {"td", ROLE_CELL},
    {"template", ROLE_DROPPED}, {"textarea", ROLE_CODE},  {"th", ROLE_CELL},
    {"tr", ROLE_ROW},           {"ul", ROLE_BLOCK},
};

static int compare_names(const void *name, const void *row)
{
    const str *mine    = name;
    const char *theirs = ((const struct named_role *)row)->name;
    int order          = strncmp(mine->ptr, theirs, mine->len);
    return order == 0 && theirs[mine->len] ? -1 : order;
}

static bool is_navigation(const struct html_document *document, uint32_t node)
{
    str role = {};
    return html_attribute(document, node, str_from("role"), &role) && str_is(role, "navigation");
}

static enum element_role role_of(const struct html_document *document, uint32_t node)
{
    const str name = html_name(document, node);
    const struct named_role *row =
        bsearch(&name, roles, ARRAY_LEN(roles), sizeof *roles, compare_names);
    if (is_navigation(document, node)) return ROLE_DROPPED;
    return row ? row->role : ROLE_INLINE;
}

/* --- the text -----------------------------------------------------------------------------------
 */

struct writer {
    const struct html_document *document;
    struct blocks *blocks;
    struct block open; /* its start is where the text was when it began */
    uint32_t locked;   /* the element whose block holds all that is in it; 0: none */
    bool has_space;    /* blanks are due before the next word */
    bool is_full;
};

static void put(struct writer *writer, const char *data, size_t size)
{
    if (!buf_put(&writer->blocks->own, data, size)) writer->is_full = true;
}

/* Ends the block under way; texts of blocks are a blank line apart, those of rows a line. */
static status end_block(struct writer *writer, struct error *reterr)
{
    struct buf *own    = &writer->blocks->own;
    struct block block = writer->open;
    bool is_row        = block.kind == BLOCK_ROW;
    block.end          = own->len;
    writer->has_space  = false;
    if (writer->is_full) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "the text of the document is over %d MiB",
                    BLOCKS_TEXT_MAX >> 20);
    }
    if (block.end > block.start) {
        writer->blocks->text = buf_str(own); /* it may have moved */
        if (block.kind == BLOCK_HEADING) {
            block.title = str_slice(writer->blocks->text, block.start, block.end);
        }
        TRY(blocks_add(writer->blocks, block, reterr));
        put(writer, "\n\n", is_row ? 1 : 2);
    }
    writer->open = (struct block){.start = own->len};
    return STATUS_OK;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\f' || byte == '\r';
}

static void put_words(struct writer *writer, str text)
{
    for (size_t at = 0; at < text.len;) {
        size_t end = at;
        while (end < text.len && !is_blank(text.ptr[end])) end++;
        if (end == at) {
            writer->has_space = true;
            at++;
            continue;
        }
        if (writer->has_space && writer->blocks->own.len > writer->open.start) put(writer, " ", 1);
        writer->has_space = false;
        put(writer, text.ptr + at, end - at);
        at = end;
    }
}

static void take_text(struct writer *writer, str text)
{
    if (writer->locked && writer->open.kind == BLOCK_CODE) {
        put(writer, text.ptr, text.len);
    } else {
        put_words(writer, text);
    }
}

/* A block that holds all that is in its element. */
static status lock(struct writer *writer, uint32_t node, enum block_kind kind, struct error *reterr)
{
    if (writer->locked) return STATUS_OK;
    TRY(end_block(writer, reterr));
    writer->locked    = node;
    writer->open.kind = kind;
    if (kind == BLOCK_HEADING) { /* "h1" */
        writer->open.level = (uint8_t)(html_name(writer->document, node).ptr[1] - '0');
    }
    return STATUS_OK;
}

static void next_cell(struct writer *writer)
{
    if (writer->open.kind != BLOCK_ROW) {
        writer->has_space = true;
        return;
    }
    if (writer->blocks->own.len > writer->open.start) put(writer, " | ", 3);
    writer->has_space = false;
}

static status enter(struct writer *writer, uint32_t node, enum element_role role,
                    struct error *reterr)
{
    switch (role) {
    case ROLE_HEADING: return lock(writer, node, BLOCK_HEADING, reterr);
    case ROLE_CODE: return lock(writer, node, BLOCK_CODE, reterr);
    case ROLE_ROW: return lock(writer, node, BLOCK_ROW, reterr);
    case ROLE_CELL: next_cell(writer); return STATUS_OK;
    case ROLE_BREAK:
        if (!writer->locked || writer->open.kind == BLOCK_CODE) put(writer, "\n", 1);
        writer->has_space = writer->locked && writer->open.kind != BLOCK_CODE;
        return STATUS_OK;
    case ROLE_BLOCK:
        writer->has_space = true;
        return writer->locked ? STATUS_OK : end_block(writer, reterr);
    case ROLE_INLINE:
    case ROLE_DROPPED: return STATUS_OK;
    }
    return STATUS_OK;
}

static status leave(struct writer *writer, uint32_t node, struct error *reterr)
{
    if (html_nodes(writer->document)[node].kind != HTML_ELEMENT) return STATUS_OK;
    if (writer->locked == node) {
        writer->locked = 0;
        return end_block(writer, reterr);
    }
    if (role_of(writer->document, node) != ROLE_BLOCK) return STATUS_OK;
    writer->has_space = true;
    return writer->locked ? STATUS_OK : end_block(writer, reterr);
}

/* --- the walk -----------------------------------------------------------------------------------
 */

/* `*ret_is_dropped`: it does not count, nor does what is below it. */
static status visit(struct writer *writer, uint32_t number, bool *ret_is_dropped,
                    struct error *reterr)
{
    const struct html_node *node = &html_nodes(writer->document)[number];
    *ret_is_dropped              = false;
    if (node->kind == HTML_TEXT) take_text(writer, node->text);
    if (node->kind != HTML_ELEMENT) return STATUS_OK;
    enum element_role role = role_of(writer->document, number);
    *ret_is_dropped        = role == ROLE_DROPPED;
    return enter(writer, number, role, reterr);
}

static status walk(struct writer *writer, struct error *reterr)
{
    const struct html_node *nodes = html_nodes(writer->document);
    for (uint32_t i = 1; i < nodes->end;) {
        bool is_dropped;
        TRY(visit(writer, i, &is_dropped, reterr));
        uint32_t next = is_dropped ? nodes[i].end : i + 1;
        /* Those that end here, from the inside out. */
        uint32_t open = is_dropped ? nodes[i].parent : i;
        for (; open != 0 && nodes[open].end == next; open = nodes[open].parent) {
            TRY(leave(writer, open, reterr));
        }
        i = next;
    }
    return end_block(writer, reterr);
}

/* Titles are views of a text that has moved as it grew. */
static void place_titles(struct blocks *blocks)
{
    blocks->text = buf_str(&blocks->own);
    for (size_t i = 0; i < blocks->count; i++) {
        struct block *block = &blocks->items[i];
        if (block->kind == BLOCK_HEADING) {
            block->title = str_slice(blocks->text, block->start, block->end);
        }
    }
}

status blocks_read_html(str source, struct blocks *blocks, struct error *reterr)
{
    CLEANUP(html_freep) struct html_document *document = NULL;
    TRY(html_parse(source, &document, reterr));
    struct writer writer = {.document = document, .blocks = blocks};
    TRY(walk(&writer, reterr));
    place_titles(blocks);
    return STATUS_OK;
}
