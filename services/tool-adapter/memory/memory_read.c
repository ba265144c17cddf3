/* Looking things up: by key, in order, by document, and what has no vector yet. */
#include "base/buf.h"
#include "base/clock.h"
#include "tool-adapter/memory/vector_rows.h"

static status too_large(struct error *reterr)
{
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the answer is too large");
}

static status copy_vector(struct txn *txn, const Pb__MemorySpace *space, uint64_t sequence,
                          struct arena *arena, const float **ret_vector, struct error *reterr)
{
    const void *vector = vector_find(txn, space->id, space->current, sequence);
    if (!vector) return STATUS_OK;
    size_t size = space->current->dimensions * sizeof **ret_vector;
    float *copy = arena_alloc(arena, size);
    if (!copy) return too_large(reterr);
    memcpy(copy, vector, size);
    *ret_vector = copy;
    return STATUS_OK;
}

status memory_get(struct memory_store *store, const struct memory_scope *scope,
                  const struct memory_keys *keys, struct arena *arena, struct memory_page *ret_page,
                  struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn                   = NULL;
    CLEANUP(memory_space_row_free) Pb__MemorySpace *space = NULL;
    struct memory_entry *entries = arena_alloc(arena, (keys->count + 1) * sizeof *entries);
    size_t found                 = 0;
    if (!entries) return too_large(reterr);
    TRY(txn_begin_read(store->store, &txn, reterr));
    TRY(memory_space_row(txn, scope, &space, reterr));
    *ret_page = (struct memory_page){.entries = entries};
    TRY(memory_space_of(space, arena, &ret_page->space, reterr));
    for (size_t i = 0; space && i < keys->count; i++) {
        struct key_row row = {};
        status code        = memory_key_row(txn, space->id, keys->items[i], &row);
        if (code == STATUS_NOT_FOUND) continue;
        TRY(code);
        struct memory_entry *entry = &entries[found++];
        TRY(memory_entry_read(txn, space->id, row.sequence, true, arena, entry, reterr));
        if (!keys->with_vectors) continue;
        TRY(copy_vector(txn, space, row.sequence, arena, &entry->vector, reterr));
    }
    ret_page->count = found;
    return STATUS_OK;
}

/* --- in the order of keys -----------------------------------------------------------------------
 */

enum { SCRATCH_MAX = 1 << 20 /* bytes of one entry's row while it is looked at */ };

struct page_of_keys {
    const struct memory_filter *filter;
    const struct memory_until *until;
    struct arena *arena;   /* of those that are meant */
    struct arena *scratch; /* of the one that is looked at */
    uint32_t space;
    size_t limit;
    struct memory_entry *entries;
    size_t count;
    bool has_more;
    struct key last; /* where it stopped */
    bool is_over;    /* the table's end */
};

static status take_key(struct page_of_keys *page, struct txn *txn, bytes key, bytes value,
                       struct error *reterr)
{
    const str name = {.ptr = (const char *)key.ptr + 4, .len = key.len - 4};
    if (!memory_key_matches(page->filter, name) || value.len < 8) return STATUS_OK;
    struct memory_entry entry = {};
    uint64_t sequence         = u64_from(value.ptr);
    arena_clear(page->scratch);
    TRY(memory_entry_read(txn, page->space, sequence, false, page->scratch, &entry, reterr));
    if (!memory_filter_matches(page->filter, &entry)) return STATUS_OK;
    page->has_more = page->count == page->limit;
    if (page->has_more) return STATUS_OK;
    return memory_entry_read(txn, page->space, sequence, false, page->arena,
                             &page->entries[page->count++], reterr);
}

/* One snapshot's worth. */
static status read_keys(struct memory_store *store, struct page_of_keys *page,
                        const struct key *prefix, struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn          = NULL;
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    struct scan scan                             = {.prefix = key_bytes(prefix)};
    int64_t until_ms                             = clock_mono_ms() + MEMORY_READ_MS;
    if (page->last.len > 0) scan.after = key_bytes(&page->last);
    TRY(txn_begin_read(store->store, &txn, reterr));
    TRY(cursor_open(txn, TABLE_KEYS, &scan, &cursor, reterr));
    while (!page->has_more && clock_mono_ms() < until_ms) {
        TRY(memory_check_until(page->until, "looking through the keys", reterr));
        bytes key     = {};
        bytes value   = {};
        status code   = cursor_next(cursor, &key, &value, NULL);
        page->is_over = code == STATUS_NOT_FOUND;
        if (page->is_over) return STATUS_OK;
        TRY(code);
        page->last.len = key.len;
        memcpy(page->last.data, key.ptr, key.len);
        TRY(take_key(page, txn, key, value, reterr));
    }
    return STATUS_OK;
}

status memory_list(struct memory_store *store, const struct memory_scope *scope,
                   const struct memory_filter *filter, const struct memory_until *until,
                   struct arena *arena, struct memory_page *ret_page, struct error *reterr)
{
    CLEANUP(arena_freep) struct arena *scratch = arena_new(SCRATCH_MAX);
    struct memory_space space                  = {};
    struct key prefix;
    TRY(memory_space_find(store, scope, arena, &space, reterr));
    struct page_of_keys page = {.filter  = filter,
                                .until   = until,
                                .arena   = arena,
                                .scratch = scratch,
                                .space   = space.id,
                                .limit   = filter->limit};
    page.entries             = arena_alloc(arena, (filter->limit + 1) * sizeof *page.entries);
    if (!page.entries || !scratch) return too_large(reterr);
    memory_put_key(&prefix, space.id, filter->document.len > 0 ? filter->document : filter->prefix);
    if (filter->after.len > 0) memory_put_key(&page.last, space.id, filter->after);
    while (space.id && !page.is_over && !page.has_more) {
        TRY(read_keys(store, &page, &prefix, reterr));
    }
    *ret_page = (struct memory_page){
        .entries = page.entries, .count = page.count, .has_more = page.has_more};
    return STATUS_OK;
}

/* --- deleting -----------------------------------------------------------------------------------
 */

struct deletion {
    const str *keys;
    size_t count;
    uint64_t deleted;
};

static status delete_keys(struct change *change, struct error *reterr, void *context)
{
    struct deletion *deletion = context;
    deletion->deleted         = 0;
    for (size_t i = 0; change->space && i < deletion->count; i++) {
        struct key_row row = {};
        str name           = deletion->keys[i];
        status code        = memory_key_row(change->txn, change->space->id, name, &row);
        if (code == STATUS_NOT_FOUND) continue;
        TRY(code);
        TRY(memory_entry_delete(change, name, row.sequence, reterr));
        deletion->deleted++;
    }
    return STATUS_OK;
}

status memory_delete_keys(struct memory_store *store, const struct memory_scope *scope,
                          const str *keys, size_t count, uint64_t *ret_deleted,
                          struct error *reterr)
{
    struct deletion deletion = {.keys = keys, .count = count};
    *ret_deleted             = 0;
    TRY(change_run(store, scope, delete_keys, &deletion, reterr));
    *ret_deleted = deletion.deleted;
    return STATUS_OK;
}

enum { DELETE_ARENA_MAX = 64 << 20 /* bytes: MEMORY_LIST_MAX rows */ };

static status delete_batch(struct memory_store *store, const struct memory_scope *scope,
                           const struct memory_entry *entries, size_t count, uint64_t *deleted,
                           struct error *reterr)
{
    str keys[MEMORY_LIST_MAX];
    uint64_t gone = 0;
    for (size_t i = 0; i < count; i++) keys[i] = entries[i].key;
    TRY(memory_delete_keys(store, scope, keys, count, &gone, reterr));
    *deleted += gone;
    return STATUS_OK;
}

status memory_delete_matching(struct memory_store *store, const struct memory_scope *scope,
                              const struct memory_filter *filter, const struct memory_until *until,
                              uint64_t *ret_deleted, struct error *reterr)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(DELETE_ARENA_MAX);
    struct memory_filter next                = *filter;
    bool has_more                            = true;
    char after[MEMORY_KEY_MAX]; /* the last key that was meant: nothing before it is left */
    next.after   = (str){};
    next.limit   = MEMORY_LIST_MAX;
    *ret_deleted = 0;
    if (!arena) return too_large(reterr);
    while (has_more) {
        struct memory_page page = {};
        arena_clear(arena);
        TRY(memory_check_until(until, "deleting", reterr));
        TRY(memory_list(store, scope, &next, until, arena, &page, reterr));
        TRY(delete_batch(store, scope, page.entries, page.count, ret_deleted, reterr));
        has_more = page.has_more;
        if (!has_more) break;
        str last = page.entries[page.count - 1].key;
        memcpy(after, last.ptr, last.len);
        next.after = (str){.ptr = after, .len = last.len};
    }
    return STATUS_OK;
}

/* --- what has no vector of the next version -----------------------------------------------------
 */

status memory_unembedded(struct memory_store *store, const struct memory_scope *scope,
                         uint64_t after, size_t limit, struct arena *arena,
                         struct memory_page *ret_page, struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn                   = NULL;
    CLEANUP(cursor_closep) struct cursor *cursor          = NULL;
    CLEANUP(memory_space_row_free) Pb__MemorySpace *space = NULL;
    struct memory_entry *entries = arena_alloc(arena, (limit + 1) * sizeof *entries);
    int64_t until_ms             = clock_mono_ms() + MEMORY_READ_MS;
    size_t size                  = 0;
    struct key prefix;
    struct key last;
    if (!entries) return too_large(reterr);
    *ret_page = (struct memory_page){.entries = entries};
    TRY(txn_begin_read(store->store, &txn, reterr));
    TRY(memory_space_row(txn, scope, &space, reterr));
    if (!space) return STATUS_OK;
    key_begin(&prefix);
    key_put_u32(&prefix, space->id);
    memory_entry_key(&last, space->id, after);
    const struct scan scan = {.prefix = key_bytes(&prefix), .after = key_bytes(&last)};
    TRY(cursor_open(txn, TABLE_ENTRIES, &scan, &cursor, reterr));
    while (ret_page->count < limit && size < MEMORY_EMBED_BATCH && clock_mono_ms() < until_ms) {
        bytes key   = {};
        bytes value = {};
        status code = cursor_next(cursor, &key, &value, NULL);
        if (code == STATUS_NOT_FOUND) {
            ret_page->last = 0;
            return STATUS_OK;
        }
        TRY(code);
        ret_page->last = u64_from((const uint8_t *)key.ptr + 4);
        if (vector_find(txn, space->id, space->next, ret_page->last)) continue;
        struct memory_entry *entry = &entries[ret_page->count];
        TRY(memory_entry_read(txn, space->id, ret_page->last, true, arena, entry, reterr));
        size += entry->content.len;
        ret_page->count++;
    }
    return STATUS_OK;
}
