/* What the readers of blocks share. */
#ifndef TOOL_ADAPTER_DOCUMENTS_BLOCKS_INTERNAL_H
#define TOOL_ADAPTER_DOCUMENTS_BLOCKS_INTERNAL_H

#include "tool-adapter/documents/blocks.h"

/** Adds a block, without the blanks at its ends; an empty one is none. */
status blocks_add(struct blocks *blocks, struct block block, struct error *reterr);

status blocks_read_lines(bool is_markdown, struct blocks *blocks, struct error *reterr);
status blocks_read_html(str source, struct blocks *blocks, struct error *reterr);

#endif
