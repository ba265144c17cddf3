/* Blocks: texts that were made together, in one piece of memory. */
#include "base/mem.h"
#include "json/json_internal.h"

/* --- constants ---------------------------------------------------------------------------------
 */

struct json_block *json_block_image(const json *texts, size_t count, uint32_t *ret_offsets)
{
    size_t size = sizeof(struct json_block);
    for (size_t i = 0; i < count; i++) size += json_size_in_block(json_str(texts[i]).len);
    ASSERT(size <= JSON_TEXT_LEN_MAX);
    struct json_block *block = mem_new(1, size);
    block->live              = (uint32_t)count + 1;
    block->count             = (uint32_t)count;
    block->size              = (uint32_t)size;

    uint32_t offset = sizeof *block;
    for (size_t i = 0; i < count; i++) {
        str text                                  = json_str(texts[i]);
        json_block_put(block, offset, text)->hash = json_text_hash(texts[i].text);
        ret_offsets[i]                            = offset;
        offset += (uint32_t)json_size_in_block(text.len);
    }
    return block;
}

struct json_block *json_block_copy(const struct json_block *image)
{
    struct json_block *block = json_node_new(image->size);
    memcpy(block, image, image->size);
    return block;
}

void json_block_unref(struct json_block *block)
{
    uint32_t offset = sizeof *block;
    for (uint32_t i = 0; i < block->count; i++) {
        struct json_text *text = json_block_text(block, offset);
        offset += (uint32_t)json_size_in_block(text->len);
        json_text_node_unref(text);
    }
    json_block_drop(block);
}

/* --- batches -----------------------------------------------------------------------------------
 */

json json_batch_other(struct json_batch *batch, str text)
{
    enum { SHORT_MAX = 64 /* bytes: a longer text has a node of its own */ };
    if (text.len > SHORT_MAX) return json_text_new(text);
    json_batch_done(batch);
    struct json_block *block = json_node_new(JSON_BATCH_SIZE);
    block->size              = JSON_BATCH_SIZE;
    *batch                   = (struct json_batch){.block = block, .used = sizeof *block};
    return json_batch_text(batch, text);
}

void json_batch_done(struct json_batch *batch)
{
    if (!batch->block) return;
    batch->block->live  = batch->count;
    batch->block->count = batch->count;
}
