#include "base/mem.h"
#include "tool-adapter/memory/memory_store_internal.h"

#include <stdlib.h>

static const char *const tables[] = {"meta", "spaces", "keys", "entries", "texts", "vectors", NULL};

status memory_store_open(const struct memory_store_options *options,
                         struct memory_store **ret_store, struct error *reterr)
{
    const struct store_options on = {
        .path = options->path, .size_max = options->size_max, .tables = tables};
    struct store *store = NULL;
    if (options->path) {
        TRY(store_open(&on, &store, reterr));
    } else {
        store = store_open_memory(&on);
    }
    struct memory_store *memory = mem_new(1, sizeof *memory);
    memory->store               = store;
    memory->dot                 = vector_dot_of();
    memory->dot_codes           = vector_dot_codes_of();
    change_queue_init(&memory->queue);
    *ret_store = memory;
    return STATUS_OK;
}

void memory_store_closep(struct memory_store **ref)
{
    struct memory_store *store = *ref;
    if (!store) return;
    store_close(store->store);
    change_queue_done(&store->queue);
    free(store);
    *ref = NULL;
}

bool memory_store_is_failed(const struct memory_store *store)
{
    return store_is_failed(store->store);
}

/* --- keys ---------------------------------------------------------------------------------------
 */

void memory_space_key(struct key *key, const struct memory_scope *scope)
{
    key_begin(key);
    key_put_text(key, scope->tenant);
    key_put_text(key, scope->namespace);
}

/* The name as it is, so that names with a common beginning are neighbours. */
void memory_put_key(struct key *key, uint32_t space, str name)
{
    key_begin(key);
    key_put_u32(key, space);
    for (size_t i = 0; i < name.len; i++) key_put_u8(key, (uint8_t)name.ptr[i]);
}

void memory_entry_key(struct key *key, uint32_t space, uint64_t sequence)
{
    key_begin(key);
    key_put_u32(key, space);
    key_put_u64(key, sequence);
}

void memory_vector_key(struct key *key, uint32_t space, uint32_t version, uint64_t row)
{
    key_begin(key);
    key_put_u32(key, space);
    key_put_u32(key, version);
    key_put_u64(key, row);
}

/* --- spaces -------------------------------------------------------------------------------------
 */

void memory_space_row_free(Pb__MemorySpace **space)
{
    if (*space) pb__memory_space__free_unpacked(*space, NULL);
    *space = NULL;
}

static status unpack_space(bytes value, Pb__MemorySpace **ret_space, struct error *reterr)
{
    *ret_space = pb__memory_space__unpack(NULL, value.len, value.ptr);
    if (*ret_space) return STATUS_OK;
    return fail(reterr, STATUS_DATA_LOSS, "the row of a memory namespace cannot be read");
}

status memory_space_row(struct txn *txn, const struct memory_scope *scope,
                        Pb__MemorySpace **ret_space, struct error *reterr)
{
    struct key key;
    bytes value = {};
    *ret_space  = NULL;
    memory_space_key(&key, scope);
    status code = txn_get(txn, TABLE_SPACES, key_bytes(&key), &value, reterr);
    if (code == STATUS_NOT_FOUND) return STATUS_OK;
    TRY(code);
    return unpack_space(value, ret_space, reterr);
}

static status copy_text(struct arena *arena, const char *text, str *ret_copy, struct error *reterr)
{
    char *copy = arena_strdup(arena, str_from(text));
    if (!copy) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the answer is too large");
    *ret_copy = str_from(copy);
    return STATUS_OK;
}

static status version_of(const Pb__MemoryVersion *row, struct arena *arena,
                         struct memory_version *ret_version, struct error *reterr)
{
    *ret_version = (struct memory_version){};
    if (!row) return STATUS_OK;
    ret_version->id         = row->id;
    ret_version->dimensions = row->dimensions;
    ret_version->count      = row->count;
    TRY(copy_text(arena, row->model, &ret_version->model, reterr));
    TRY(copy_text(arena, row->label, &ret_version->label, reterr));
    return copy_text(arena, row->asked, &ret_version->asked, reterr);
}

status memory_space_of(const Pb__MemorySpace *row, struct arena *arena,
                       struct memory_space *ret_space, struct error *reterr)
{
    *ret_space = (struct memory_space){};
    if (!row) return STATUS_OK;
    ret_space->id           = row->id;
    ret_space->count        = row->count;
    ret_space->old_versions = row->n_old_versions;
    TRY(version_of(row->current, arena, &ret_space->versions[MEMORY_CURRENT], reterr));
    return version_of(row->next, arena, &ret_space->versions[MEMORY_NEXT], reterr);
}

status memory_space_find(struct memory_store *store, const struct memory_scope *scope,
                         struct arena *arena, struct memory_space *ret_space, struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn                   = NULL;
    CLEANUP(memory_space_row_free) Pb__MemorySpace *space = NULL;
    TRY(txn_begin_read(store->store, &txn, reterr));
    TRY(memory_space_row(txn, scope, &space, reterr));
    return memory_space_of(space, arena, ret_space, reterr);
}

struct listing {
    struct arena *arena;
    struct memory_space *spaces;
    size_t count;
};

static status list_space(bytes key, bytes value, struct error *reterr, void *context)
{
    struct listing *listing                             = context;
    struct memory_space *space                          = &listing->spaces[listing->count];
    struct key_text tenant                              = {};
    struct key_text name                                = {};
    CLEANUP(memory_space_row_free) Pb__MemorySpace *row = NULL;
    if (!key_take_text(&key, &tenant) || !key_take_text(&key, &name)) {
        return fail(reterr, STATUS_DATA_LOSS, "the key of a memory namespace cannot be read");
    }
    TRY(unpack_space(value, &row, reterr));
    TRY(memory_space_of(row, listing->arena, space, reterr));
    char *copy = arena_strdup(listing->arena, (str){.ptr = name.data, .len = name.len});
    if (!copy) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the answer is too large");
    space->name = str_from(copy);
    listing->count++;
    return STATUS_OK;
}

status memory_spaces(struct memory_store *store, const struct memory_scope *scope,
                     struct arena *arena, struct memory_space **ret_spaces, size_t *ret_count,
                     struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    struct listing listing              = {.arena = arena};
    struct page page                    = {};
    struct key prefix;
    struct key after;
    key_begin(&prefix);
    key_put_text(&prefix, scope->tenant);
    memory_space_key(&after, scope);
    const struct scan scan = {.prefix = key_bytes(&prefix)};
    if (scope->namespace.len > 0) {
        page.key_len = after.len;
        memcpy(page.key, after.data, after.len);
    }
    listing.spaces = arena_alloc(arena, MEMORY_LIST_MAX * sizeof *listing.spaces);
    if (!listing.spaces) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the answer is too large");
    TRY(txn_begin_read(store->store, &txn, reterr));
    TRY(txn_page(txn, TABLE_SPACES, &scan, MEMORY_LIST_MAX, &page, list_space, &listing, reterr));
    *ret_spaces = listing.spaces;
    *ret_count  = listing.count;
    return STATUS_OK;
}
