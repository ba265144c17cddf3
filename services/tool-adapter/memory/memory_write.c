/* What is remembered: looked up first, because what is known needs no embedding; then written. */
#include "base/buf.h"
#include "base/mem.h"
#include "tool-adapter/memory/vector_rows.h"

#include <stdlib.h>

enum { SWEEP_PER_WRITE = 100, SPACES_ROW = 1 };

/* --- looking ------------------------------------------------------------------------------------
 */

static void look_at(struct txn *txn, const Pb__MemorySpace *space, struct memory_item *item)
{
    struct key_row row = {};
    if (memory_key_row(txn, space->id, item->key, &row) != STATUS_OK) return;
    if (memcmp(row.hash, item->hash, SHA256_SIZE) != 0) return;
    item->is_known[MEMORY_CURRENT] = vector_find(txn, space->id, space->current, row.sequence);
    item->is_known[MEMORY_NEXT]    = vector_find(txn, space->id, space->next, row.sequence);
}

status memory_look(struct memory_store *store, const struct memory_scope *scope,
                   struct memory_item *items, size_t count, struct arena *arena,
                   struct memory_space *ret_space, struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn                   = NULL;
    CLEANUP(memory_space_row_free) Pb__MemorySpace *space = NULL;
    for (size_t i = 0; i < count; i++) {
        sha256(bytes_from(items[i].content), items[i].hash);
        memset(items[i].is_known, 0, sizeof items[i].is_known);
    }
    TRY(txn_begin_read(store->store, &txn, reterr));
    TRY(memory_space_row(txn, scope, &space, reterr));
    for (size_t i = 0; space && i < count; i++) look_at(txn, space, &items[i]);
    return memory_space_of(space, arena, ret_space, reterr);
}

/* --- writing ------------------------------------------------------------------------------------
 */

static status next_space_id(struct change *change, uint32_t *ret_id, struct error *reterr)
{
    struct key key;
    bytes value = {};
    uint8_t raw[4];
    uint32_t id = 0;
    key_begin(&key);
    key_put_u8(&key, SPACES_ROW);
    status code = txn_get(change->txn, TABLE_META, key_bytes(&key), &value, reterr);
    if (code != STATUS_OK && code != STATUS_NOT_FOUND) return code;
    if (code == STATUS_OK && value.len == sizeof raw) id = u32_from(value.ptr);
    id++;
    for (size_t i = 0; i < sizeof raw; i++) raw[i] = (uint8_t)(id >> (8 * (sizeof raw - 1 - i)));
    *ret_id = id;
    return txn_put(change->txn, TABLE_META, key_bytes(&key), (bytes){.ptr = raw, .len = sizeof raw},
                   reterr);
}

static Pb__MemoryVersion *version_new(Pb__MemorySpace *space, const struct memory_version *version)
{
    Pb__MemoryVersion *row = mem_new(1, sizeof *row);
    pb__memory_version__init(row);
    row->id         = ++space->last_version;
    row->dimensions = version->dimensions;
    row->model      = mem_dup(version->model.ptr, version->model.len);
    row->label      = mem_dup(version->label.ptr, version->label.len);
    row->asked      = mem_dup(version->asked.ptr, version->asked.len);
    return row;
}

/* The space with its first version, or as it is. */
static status prepare_space(struct change *change, const struct memory_space *expected,
                            struct error *reterr)
{
    const struct memory_version *first = &expected->versions[MEMORY_CURRENT];
    if (!change->space) {
        uint32_t id = 0;
        TRY(next_space_id(change, &id, reterr));
        change->space = mem_new(1, sizeof *change->space);
        pb__memory_space__init(change->space);
        change->space->id = id;
    }
    Pb__MemorySpace *space = change->space;
    if (!space->current && first->id == 0) space->current = version_new(space, first);
    if (!space->current) return fail(reterr, STATUS_ABORTED, "the namespace is gone");
    /* Others may have made the same version meanwhile. */
    bool is_same  = first->id ? space->current->id == first->id
                              : str_is(first->model, space->current->model) &&
                                   first->dimensions == space->current->dimensions;
    uint32_t next = space->next ? space->next->id : 0;
    if (is_same && next == expected->versions[MEMORY_NEXT].id) return STATUS_OK;
    return fail(reterr, STATUS_ABORTED, "the embedding version of the namespace has changed");
}

/* The vector of one version: the one that was given, or the one that is there. */
static status settle_vector(struct change *change, const struct memory_item *item, unsigned which,
                            uint64_t sequence, bool is_same, struct error *reterr)
{
    Pb__MemoryVersion *version =
        which == MEMORY_CURRENT ? change->space->current : change->space->next;
    if (!version) return STATUS_OK;
    if (item->vectors[which]) {
        vector_put(change, version, sequence, item->vectors[which]);
        return STATUS_OK;
    }
    if (is_same && vector_find(change->txn, change->space->id, version, sequence)) return STATUS_OK;
    return fail(reterr, STATUS_ABORTED, "an entry has changed meanwhile");
}

static status put_entry(struct change *change, const struct memory_item *item, uint64_t sequence,
                        int64_t created_us, int64_t now_us, struct error *reterr)
{
    struct key key;
    Pb__MemoryEntry row = PB__MEMORY_ENTRY__INIT;
    CLEANUP(buf_done)
    struct buf packed = buf_init(MEMORY_METADATA_MAX + MEMORY_KEY_MAX + MEMORY_SUBJECT_MAX + 128);
    char *name        = mem_dup(item->key.ptr, item->key.len);
    char *subject     = mem_dup(item->subject.ptr ? item->subject.ptr : "", item->subject.len);
    row.key           = name;
    row.subject       = subject;
    row.metadata_json.len = item->metadata.len;
    row.metadata_json.data =
        (uint8_t *)mem_dup(item->metadata.ptr ? item->metadata.ptr : "", item->metadata.len);
    row.created_us = created_us;
    row.updated_us = now_us;
    size_t size    = pb__memory_entry__get_packed_size(&row);
    char *place    = buf_reserve(&packed, size);
    if (place) (void)pb__memory_entry__pack(&row, (uint8_t *)place);
    free(name);
    free(subject);
    free(row.metadata_json.data);
    if (!place) return fail(reterr, STATUS_INVALID_ARGUMENT, "the metadata is too large");
    memory_entry_key(&key, change->space->id, sequence);
    return txn_put(change->txn, TABLE_ENTRIES, key_bytes(&key), (bytes){.ptr = place, .len = size},
                   reterr);
}

static int64_t created_of(struct change *change, uint64_t sequence, int64_t now_us)
{
    struct key key;
    bytes value     = {};
    int64_t created = now_us;
    memory_entry_key(&key, change->space->id, sequence);
    if (txn_get(change->txn, TABLE_ENTRIES, key_bytes(&key), &value, NULL) != STATUS_OK) {
        return created;
    }
    Pb__MemoryEntry *row = pb__memory_entry__unpack(NULL, value.len, value.ptr);
    if (row) created = row->created_us;
    if (row) pb__memory_entry__free_unpacked(row, NULL);
    return created;
}

static status write_item(struct change *change, const struct memory_item *item, int64_t now_us,
                         struct error *reterr)
{
    struct key key;
    struct key_row row     = {};
    Pb__MemorySpace *space = change->space;
    status code            = memory_key_row(change->txn, space->id, item->key, &row);
    if (code != STATUS_OK && code != STATUS_NOT_FOUND) return code;
    bool is_new  = code == STATUS_NOT_FOUND;
    bool is_same = !is_new && memcmp(row.hash, item->hash, SHA256_SIZE) == 0;
    if (is_new) row.sequence = ++space->last_sequence;
    if (is_new) space->count++;
    int64_t created_us = is_new ? now_us : created_of(change, row.sequence, now_us);
    for (unsigned i = 0; i < MEMORY_VERSIONS; i++) {
        TRY(settle_vector(change, item, i, row.sequence, is_same, reterr));
    }
    TRY(put_entry(change, item, row.sequence, created_us, now_us, reterr));
    if (is_same) return STATUS_OK;
    memcpy(row.hash, item->hash, SHA256_SIZE);
    TRY(memory_put_key_row(change->txn, space->id, item->key, &row, reterr));
    memory_entry_key(&key, space->id, row.sequence);
    return txn_put(change->txn, TABLE_TEXTS, key_bytes(&key), bytes_from(item->content), reterr);
}

struct writing {
    const struct memory_space *space;
    const struct memory_item *items;
    size_t count;
    int64_t now_us;
};

static status write_items(struct change *change, struct error *reterr, void *context)
{
    const struct writing *writing = context;
    TRY(prepare_space(change, writing->space, reterr));
    for (size_t i = 0; i < writing->count; i++) {
        TRY(write_item(change, &writing->items[i], writing->now_us, reterr));
    }
    return memory_sweep(change, SWEEP_PER_WRITE, reterr);
}

status memory_write(struct memory_store *store, const struct memory_scope *scope,
                    const struct memory_space *space, const struct memory_item *items, size_t count,
                    int64_t now_us, struct error *reterr)
{
    struct writing writing = {.space = space, .items = items, .count = count, .now_us = now_us};
    return change_run(store, scope, write_items, &writing, reterr);
}

/* --- another version ----------------------------------------------------------------------------
 */

static status prepare_next(struct change *change, const struct memory_version *next,
                           struct error *reterr)
{
    Pb__MemorySpace *space = change->space;
    if (!space) return fail(reterr, STATUS_ABORTED, "the namespace is gone");
    if (!space->next) space->next = version_new(space, next);
    const Pb__MemoryVersion *row = space->next;
    if (str_is(next->model, row->model) && str_is(next->label, row->label) &&
        row->dimensions == next->dimensions) {
        return STATUS_OK;
    }
    return fail(reterr, STATUS_ABORTED, "the namespace is being embedded by another model");
}

struct embedding {
    const struct memory_version *next;
    const struct memory_entry *entries;
    size_t count;
    float *const *vectors;
};

static status embed_next(struct change *change, struct error *reterr, void *context)
{
    const struct embedding *embedding = context;
    TRY(prepare_next(change, embedding->next, reterr));
    for (size_t i = 0; i < embedding->count; i++) {
        const struct memory_entry *entry = &embedding->entries[i];
        struct key_row row               = {};
        uint8_t hash[SHA256_SIZE];
        sha256(bytes_from(entry->content), hash);
        status code = memory_key_row(change->txn, change->space->id, entry->key, &row);
        if (code == STATUS_NOT_FOUND || row.sequence != entry->sequence) continue;
        if (memcmp(row.hash, hash, sizeof hash) != 0) continue;
        vector_put(change, change->space->next, row.sequence, embedding->vectors[i]);
    }
    return STATUS_OK;
}

status memory_embed_next(struct memory_store *store, const struct memory_scope *scope,
                         const struct memory_version *next, const struct memory_entry *entries,
                         size_t count, float *const *vectors, struct error *reterr)
{
    struct embedding embedding = {
        .next = next, .entries = entries, .count = count, .vectors = vectors};
    return change_run(store, scope, embed_next, &embedding, reterr);
}

/* Its vectors are deleted from now on. */
static void retire(Pb__MemorySpace *space, Pb__MemoryVersion *version)
{
    size_t count        = space->n_old_versions;
    space->old_versions = mem_resize(space->old_versions, count + 1, sizeof *space->old_versions);
    space->old_versions[count] = version->id;
    space->n_old_versions      = count + 1;
    pb__memory_version__free_unpacked(version, NULL);
}

static status drop_next(struct change *change, struct error *reterr, void *context)
{
    const uint32_t *id     = context;
    Pb__MemorySpace *space = change->space;
    TRY(vectors_write(change, reterr));
    if (space && space->next && space->next->id == *id) retire(space, TAKE(space->next));
    return STATUS_OK;
}

status memory_drop_next(struct memory_store *store, const struct memory_scope *scope, uint32_t id,
                        struct error *reterr)
{
    return change_run(store, scope, drop_next, &id, reterr);
}

status memory_sweep(struct change *change, uint64_t limit, struct error *reterr)
{
    Pb__MemorySpace *space = change->space;
    while (space->n_old_versions > 0 && limit > 0) {
        CLEANUP(cursor_closep) struct cursor *cursor = NULL;
        struct key prefix;
        bytes key   = {};
        bytes value = {};
        status code = STATUS_OK;
        key_begin(&prefix);
        key_put_u32(&prefix, space->id);
        key_put_u32(&prefix, space->old_versions[space->n_old_versions - 1]);
        const struct scan scan = {.prefix = key_bytes(&prefix)};
        TRY(cursor_open(change->txn, TABLE_VECTORS, &scan, &cursor, reterr));
        for (; limit > 0 && code == STATUS_OK; limit--) {
            code = cursor_next(cursor, &key, &value, reterr);
            if (code == STATUS_OK) TRY(cursor_delete(cursor, reterr));
        }
        if (code == STATUS_OK) return STATUS_OK;
        if (code != STATUS_NOT_FOUND) return code;
        space->n_old_versions--;
    }
    return STATUS_OK;
}

struct switching {
    bool is_switched, is_done;
};

static status switch_version(struct change *change, struct error *reterr, void *context)
{
    struct switching *switching = context;
    Pb__MemorySpace *space      = change->space;
    *switching                  = (struct switching){.is_switched = true, .is_done = true};
    if (!space) return STATUS_OK;
    TRY(vectors_write(change, reterr));
    bool is_whole = space->next && space->next->count == space->count;
    if (is_whole && space->current) {
        retire(space, space->current);
        space->current = TAKE(space->next);
    }
    switching->is_switched = !space->next;
    TRY(memory_sweep(change, MEMORY_DELETE_BATCH, reterr));
    switching->is_done = !space->next && space->n_old_versions == 0;
    return STATUS_OK;
}

status memory_switch(struct memory_store *store, const struct memory_scope *scope,
                     bool *ret_is_switched, bool *ret_is_done, struct error *reterr)
{
    struct switching switching = {};
    TRY(change_run(store, scope, switch_version, &switching, reterr));
    *ret_is_switched = switching.is_switched;
    *ret_is_done     = switching.is_done;
    return STATUS_OK;
}
