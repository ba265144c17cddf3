#include "base/mem.h"
#include "base/utf8.h"
#include "tool-adapter/documents/blocks_internal.h"

#include <stdlib.h>

enum { BLOCKS_FIRST = 64 };

void blocks_done(struct blocks *blocks)
{
    buf_done(&blocks->own);
    free(blocks->items);
    *blocks = (struct blocks){};
}

status blocks_add(struct blocks *blocks, struct block block, struct error *reterr)
{
    str whole = str_trim(str_slice(blocks->text, block.start, block.end), STR_SPACE);
    if (whole.len == 0) return STATUS_OK;
    if (blocks->count == BLOCKS_MAX) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED,
                    "the document has more than %d paragraphs and headings", BLOCKS_MAX);
    }
    if (blocks->count == blocks->capacity) {
        blocks->capacity = blocks->capacity ? blocks->capacity * 2 : BLOCKS_FIRST;
        blocks->items    = mem_resize(blocks->items, blocks->capacity, sizeof *blocks->items);
    }
    block.start                    = (size_t)(whole.ptr - blocks->text.ptr);
    block.end                      = block.start + whole.len;
    block.title                    = str_trim(block.title, STR_SPACE);
    blocks->items[blocks->count++] = block;
    return STATUS_OK;
}

status blocks_read(enum document_form form, str source, struct blocks *blocks, struct error *reterr)
{
    size_t size_max = form == DOCUMENT_HTML ? BLOCKS_HTML_MAX : BLOCKS_TEXT_MAX;
    *blocks         = (struct blocks){.own = buf_init(BLOCKS_TEXT_MAX)};
    if (source.len > size_max) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "the document is over %zu MiB",
                    size_max >> 20);
    }
    if (utf8_valid_prefix(source) != source.len) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "the document is not UTF-8 at byte %zu",
                    utf8_valid_prefix(source));
    }
    if (form == DOCUMENT_HTML) return blocks_read_html(source, blocks, reterr);
    blocks->text = source;
    return blocks_read_lines(form == DOCUMENT_MARKDOWN, blocks, reterr);
}
