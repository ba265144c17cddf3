#include "llm-proxy/vault/vault_row.h"

static ProtobufCBinaryData data_of(str text)
{
    return (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)text.ptr, .len = text.len};
}

/* NULL: no memory. */
static Pb__VaultBlock **blocks_of(const struct vault_entry *entry, struct arena *arena)
{
    Pb__VaultBlock *items = arena_alloc(arena, (entry->block_count + 1) * sizeof *items);
    Pb__VaultBlock **list = arena_alloc(arena, (entry->block_count + 1) * sizeof *list);
    for (uint32_t i = 0; items && list && i < entry->block_count; i++) {
        pb__vault_block__init(&items[i]);
        items[i].is_sealed = entry->blocks[i].is_sealed;
        items[i].is_early  = entry->blocks[i].is_early;
        items[i].text      = data_of(entry->blocks[i].text);
        items[i].signature = data_of(entry->blocks[i].signature);
        list[i]            = &items[i];
    }
    return items ? list : NULL;
}

Pb__VaultRow *vault_row_of(const struct vault_entry *entry, str id, int64_t now_ms,
                           struct arena *arena)
{
    Pb__VaultRow *row       = arena_alloc(arena, sizeof *row);
    Pb__VaultBlock **blocks = blocks_of(entry, arena);
    if (!row || !blocks) return NULL;
    pb__vault_row__init(row);
    row->id          = id.ptr;
    row->provider    = data_of(entry->provider);
    row->model       = data_of(entry->model);
    row->upstream_id = data_of(entry->id);
    row->signature   = data_of(entry->signature);
    row->blocks      = blocks;
    row->n_blocks    = entry->block_count;
    row->call_mark   = entry->call_mark;
    row->result_mark = entry->result_mark;
    row->age_ms      = now_ms - entry->put_ms;
    return row;
}

static str text_of(ProtobufCBinaryData data)
{
    return (str){.ptr = (const char *)data.data, .len = data.len};
}

static enum vault_mark mark_of(uint32_t mark)
{
    return mark <= VAULT_MARK_1H ? (enum vault_mark)mark : VAULT_MARK_NONE;
}

void vault_row_take(struct vault *vault, str namespace, const Pb__VaultRow *row, int64_t now_ms)
{
    struct vault_block blocks[VAULT_BLOCKS_MAX];
    str id        = str_from(row->id);
    bool is_sound = vault_is_id(id) && row->n_blocks <= VAULT_BLOCKS_MAX && row->age_ms >= 0;
    if (!is_sound || vault_get(vault, namespace, id, now_ms)) return;
    for (size_t i = 0; i < row->n_blocks; i++) {
        const Pb__VaultBlock *block = row->blocks[i];
        blocks[i]                   = (struct vault_block){.is_sealed = block->is_sealed,
                                                           .is_early  = block->is_early,
                                                           .text      = text_of(block->text),
                                                           .signature = text_of(block->signature)};
    }
    const struct vault_entry entry = {.provider    = text_of(row->provider),
                                      .model       = text_of(row->model),
                                      .id          = text_of(row->upstream_id),
                                      .signature   = text_of(row->signature),
                                      .blocks      = blocks,
                                      .block_count = (uint32_t)row->n_blocks,
                                      .call_mark   = mark_of(row->call_mark),
                                      .result_mark = mark_of(row->result_mark)};
    vault_put(vault, namespace, id, &entry, now_ms - row->age_ms);
}
