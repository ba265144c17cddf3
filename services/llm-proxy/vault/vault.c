#include "llm-proxy/vault/vault.h"

#include "base/map.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROW_OVERHEAD  = 128, /* bytes in the map, and of the allocator */
    HOUR_MS       = 3'600'000,
    REPLICA_CHARS = VAULT_REPLICA_BITS / 4,
};

/* One allocation: the row, its blocks, its texts. */
struct row {
    struct row *older, *newer;
    size_t size;
    str namespace, key;
    struct vault_entry entry;
    struct vault_block blocks[];
};

struct vault {
    struct map *rows; /* id -> row */
    struct row *oldest, *newest;
    size_t bytes;
    uint64_t replica, last;
    struct vault_keeper keeper; /* zeroed: none */
};

struct vault *vault_new(uint64_t replica, uint64_t last)
{
    struct vault *vault = mem_new(1, sizeof *vault);
    vault->rows         = map_new(VAULT_ENTRIES_MAX);
    vault->replica      = replica & ((UINT64_C(1) << VAULT_REPLICA_BITS) - 1);
    vault->last         = last;
    return vault;
}

void vault_keep_with(struct vault *vault, const struct vault_keeper *keeper)
{
    vault->keeper = *keeper;
}

static void forget(struct vault *vault, struct row *row)
{
    if (row->older) row->older->newer = row->newer;
    if (row->newer) row->newer->older = row->older;
    if (vault->oldest == row) vault->oldest = row->newer;
    if (vault->newest == row) vault->newest = row->older;
    vault->bytes -= row->size;
    (void)map_remove(vault->rows, row->key);
    free(row);
}

void vault_freep(struct vault **ref)
{
    struct vault *vault = *ref;
    if (!vault) return;
    while (vault->oldest) forget(vault, vault->oldest);
    map_free(vault->rows);
    free(vault);
    *ref = NULL;
}

void vault_mint(struct vault *vault, char ret_id[static VAULT_ID_SIZE])
{
    (void)snprintf(ret_id, VAULT_ID_SIZE, "tc-%0*" PRIx64 "-%" PRIx64, REPLICA_CHARS,
                   vault->replica, ++vault->last);
}

static bool is_hex(str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) return false;
    }
    return text.len > 0;
}

bool vault_is_id(str id)
{
    size_t dash = sizeof "tc-" - 1 + REPLICA_CHARS;
    return str_starts_with(id, str_from("tc-")) && id.len > dash && id.len < VAULT_ID_SIZE &&
           id.ptr[dash] == '-' && is_hex(str_slice(id, sizeof "tc-" - 1, dash)) &&
           is_hex(str_slice(id, dash + 1, id.len));
}

bool vault_is_foreign(const struct vault *vault, str id)
{
    char own[VAULT_ID_SIZE];
    int len = snprintf(own, sizeof own, "tc-%0*" PRIx64 "-", REPLICA_CHARS, vault->replica);
    return vault_is_id(id) && !str_starts_with(id, str_slice(str_from(own), 0, (size_t)len));
}

/* --- in ----------------------------------------------------------------------------------------
 */

static size_t texts_size(str namespace, str id, const struct vault_entry *entry)
{
    size_t size = namespace.len + id.len + entry->provider.len + entry->model.len + entry->id.len +
                  entry->signature.len;
    for (uint32_t i = 0; i < entry->block_count; i++) {
        size += entry->blocks[i].text.len + entry->blocks[i].signature.len;
    }
    return size;
}

static str keep(char **at, str text)
{
    str kept = {.ptr = *at, .len = text.len};
    if (text.len > 0) memcpy(*at, text.ptr, text.len);
    *at += text.len;
    return kept;
}

static struct row *row_new(str namespace, str id, const struct vault_entry *entry,
                           size_t texts_bytes, int64_t now_ms)
{
    size_t head          = sizeof(struct row) + entry->block_count * sizeof(struct vault_block);
    struct row *row      = mem_new(1, head + texts_bytes);
    char *at             = (char *)row + head;
    row->size            = head + texts_bytes + ROW_OVERHEAD;
    row->namespace       = keep(&at, namespace);
    row->key             = keep(&at, id);
    row->entry           = *entry;
    row->entry.put_ms    = now_ms;
    row->entry.blocks    = row->blocks;
    row->entry.provider  = keep(&at, entry->provider);
    row->entry.model     = keep(&at, entry->model);
    row->entry.id        = keep(&at, entry->id);
    row->entry.signature = keep(&at, entry->signature);
    for (uint32_t i = 0; i < entry->block_count; i++) {
        row->blocks[i]           = entry->blocks[i];
        row->blocks[i].text      = keep(&at, entry->blocks[i].text);
        row->blocks[i].signature = keep(&at, entry->blocks[i].signature);
    }
    return row;
}

static void tell(const struct vault *vault, const struct row *row)
{
    const struct vault_keeper *keeper = &vault->keeper;
    if (keeper->put) keeper->put(row->namespace, row->key, &row->entry, keeper->context);
}

static bool is_expired(const struct row *row, int64_t now_ms)
{
    return now_ms - row->entry.put_ms > (int64_t)VAULT_HOURS * HOUR_MS;
}

void vault_put(struct vault *vault, str namespace, str id, const struct vault_entry *entry,
               int64_t now_ms)
{
    struct row *same = map_get(vault->rows, id);
    if (same) forget(vault, same);
    if (entry->block_count > VAULT_BLOCKS_MAX) return;
    size_t size = texts_size(namespace, id, entry);
    if (size > VAULT_ENTRY_BYTES_MAX) return;
    struct row *row = row_new(namespace, id, entry, size, now_ms);
    while (vault->oldest &&
           (is_expired(vault->oldest, now_ms) || vault->bytes + row->size > VAULT_BYTES_MAX ||
            map_count(vault->rows) == VAULT_ENTRIES_MAX)) {
        forget(vault, vault->oldest);
    }
    if (!map_put(vault->rows, row->key, row)) {
        free(row);
        return;
    }
    row->older = vault->newest;
    if (row->older) row->older->newer = row;
    if (!vault->oldest) vault->oldest = row;
    vault->newest = row;
    vault->bytes += row->size;
    tell(vault, row);
}

/* --- out ---------------------------------------------------------------------------------------
 */

static struct row *find(struct vault *vault, str namespace, str id, int64_t now_ms)
{
    struct row *row = map_get(vault->rows, id);
    if (!row || !str_equal(row->namespace, namespace)) return NULL;
    if (!is_expired(row, now_ms)) return row;
    forget(vault, row);
    return NULL;
}

const struct vault_entry *vault_get(struct vault *vault, str namespace, str id, int64_t now_ms)
{
    struct row *row = find(vault, namespace, id, now_ms);
    return row ? &row->entry : NULL;
}

void vault_note_mark(struct vault *vault, str namespace, str id, bool is_result,
                     enum vault_mark mark, int64_t now_ms)
{
    struct row *row = find(vault, namespace, id, now_ms);
    if (!row) return;
    enum vault_mark *kept = is_result ? &row->entry.result_mark : &row->entry.call_mark;
    if (*kept == mark) return;
    *kept = mark;
    tell(vault, row);
}

size_t vault_count(const struct vault *vault)
{
    return map_count(vault->rows);
}

size_t vault_bytes(const struct vault *vault)
{
    return vault->bytes;
}
