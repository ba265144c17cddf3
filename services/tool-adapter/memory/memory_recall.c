/* The search: every vector of the version against the query, in place in the map. What the codes of
 * a row show to be too far away is not looked at itself. */
#include "base/buf.h"
#include "base/clock.h"
#include "tool-adapter/memory/vector_rows.h"

#include <stdlib.h>

enum {
    LOOK_EVERY  = 8, /* rows between looks at the clock */
    ALIGNED     = sizeof(float) - 1,
    HEAP_ROOM   = MEMORY_RECALL_MAX,
    SCRATCH_MAX = 1 << 20, /* bytes of one entry's row while it is looked at */
};

struct found {
    float score;
    uint64_t sequence;
};

struct search {
    struct memory_store *store;
    const struct memory_space *space;
    const struct memory_query *query;
    struct arena *scratch;        /* of the filter */
    float *aligned;               /* for a vector that lies askew */
    struct found heap[HEAP_ROOM]; /* the worst first */
    size_t count;
    struct key last;
    bool is_over;
};

/* Of equal scores the older entry is better, so that the order is always the same. */
static bool is_worse(struct found a, struct found b)
{
    return a.score < b.score || (a.score == b.score && a.sequence > b.sequence);
}

static void sift_down(struct search *search)
{
    struct found moved = search->heap[0];
    size_t at          = 0;
    while (2 * at + 1 < search->count) {
        size_t child = 2 * at + 1;
        if (child + 1 < search->count && is_worse(search->heap[child + 1], search->heap[child])) {
            child++;
        }
        if (!is_worse(search->heap[child], moved)) break;
        search->heap[at] = search->heap[child];
        at               = child;
    }
    search->heap[at] = moved;
}

static void add(struct search *search, struct found found)
{
    if (search->count == search->query->limit) {
        search->heap[0] = found;
        sift_down(search);
        return;
    }
    size_t at = search->count++;
    while (at > 0 && is_worse(found, search->heap[(at - 1) / 2])) {
        search->heap[at] = search->heap[(at - 1) / 2];
        at               = (at - 1) / 2;
    }
    search->heap[at] = found;
}

static bool has_filter(const struct memory_filter *filter)
{
    return filter->subject.len > 0 || filter->document.len > 0 || filter->prefix.len > 0 ||
           json_count(filter->metadata) > 0;
}

/* Looked at for those only that are near enough. */
static status is_meant(struct search *search, struct txn *txn, uint64_t sequence,
                       bool *ret_is_meant, struct error *reterr)
{
    struct memory_entry entry = {};
    *ret_is_meant             = true;
    if (!has_filter(&search->query->filter)) return STATUS_OK;
    arena_clear(search->scratch);
    TRY(memory_entry_read(txn, search->space->id, sequence, false, search->scratch, &entry,
                          reterr));
    *ret_is_meant = memory_filter_matches(&search->query->filter, &entry);
    return STATUS_OK;
}

static status take_one(struct search *search, struct txn *txn, struct found found,
                       struct error *reterr)
{
    bool is_wanted = false;
    if (found.score < search->query->score_min) return STATUS_OK;
    bool is_full = search->count == search->query->limit;
    if (is_full && !is_worse(search->heap[0], found)) return STATUS_OK;
    TRY(is_meant(search, txn, found.sequence, &is_wanted, reterr));
    if (is_wanted) add(search, found);
    return STATUS_OK;
}

/* A view, or a copy of one that lies askew. */
static const float *vector_at(const struct search *search, const struct vector_row *row,
                              unsigned slot, uint32_t dimensions)
{
    const void *vector =
        (const uint8_t *)row->slots + (size_t)slot * dimensions * sizeof *search->aligned;
    if (((uintptr_t)vector & ALIGNED) == 0) return vector;
    memcpy(search->aligned, vector, dimensions * sizeof *search->aligned);
    return search->aligned;
}

/* Whether the vector in a slot may be among the nearest, as far as its code says. */
static bool is_near(const struct search *search, const struct vector_row *row, unsigned slot,
                    uint32_t dimensions)
{
    bool is_full = search->count == search->query->limit;
    float least  = search->query->score_min;
    if (is_full && search->heap[0].score > least) least = search->heap[0].score;
    const struct vector_code code = vector_row_code(row, slot);
    const int8_t *codes           = row->codes + (size_t)slot * dimensions;
    float score = code.step * search->store->dot_codes(search->query->vector, codes, dimensions);
    return score + code.error >= least;
}

static status take(struct search *search, struct txn *txn, bytes key, bytes value,
                   struct error *reterr)
{
    uint32_t dimensions   = search->space->versions[MEMORY_CURRENT].dimensions;
    unsigned slots        = vector_row_slots(dimensions);
    struct vector_row row = {};
    TRY(vector_row_read(dimensions, key, value, &row, reterr));
    for (unsigned slot = 0; slot < slots; slot++) {
        if (!(row.taken >> slot & 1)) continue;
        if (row.codes && !is_near(search, &row, slot, dimensions)) continue;
        const float *vector      = vector_at(search, &row, slot, dimensions);
        const struct found found = {
            .score    = search->store->dot(search->query->vector, vector, dimensions),
            .sequence = row.first + slot};
        TRY(take_one(search, txn, found, reterr));
    }
    return STATUS_OK;
}

/* One snapshot's worth. */
static status scan_some(struct search *search, const struct key *prefix, struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn          = NULL;
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    struct scan scan                             = {.prefix = key_bytes(prefix)};
    int64_t until_ms                             = clock_mono_ms() + MEMORY_READ_MS;
    bytes key                                    = {};
    bytes value                                  = {};
    if (search->last.len > 0) scan.after = key_bytes(&search->last);
    TRY(txn_begin_read(search->store->store, &txn, reterr));
    TRY(cursor_open(txn, TABLE_VECTORS, &scan, &cursor, reterr));
    for (unsigned i = 1;; i++) {
        status code = cursor_next(cursor, &key, &value, NULL);
        if (code == STATUS_NOT_FOUND) {
            search->is_over = true;
            return STATUS_OK;
        }
        TRY(code);
        TRY(take(search, txn, key, value, reterr));
        if (i % LOOK_EVERY != 0) continue;
        TRY(memory_check_until(&search->query->until, "the search", reterr));
        if (clock_mono_ms() >= until_ms) break;
    }
    search->last.len = key.len;
    memcpy(search->last.data, key.ptr, key.len);
    return STATUS_OK;
}

static int compare(const void *left, const void *right)
{
    const struct found *a = left;
    const struct found *b = right;
    if (is_worse(*a, *b)) return 1;
    return is_worse(*b, *a) ? -1 : 0;
}

/* What was found, in order; what has gone meanwhile is left out. */
static status read_found(struct search *search, const struct memory_scope *scope,
                         struct arena *arena, struct memory_entry *entries, size_t *ret_count,
                         struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn                   = NULL;
    CLEANUP(memory_space_row_free) Pb__MemorySpace *space = NULL;
    TRY(txn_begin_read(search->store->store, &txn, reterr));
    TRY(memory_space_row(txn, scope, &space, reterr));
    if (!space || !space->current ||
        space->current->id != search->space->versions[MEMORY_CURRENT].id) {
        return fail(reterr, STATUS_ABORTED, "the embedding version of the namespace has changed");
    }
    qsort(search->heap, search->count, sizeof *search->heap, compare);
    *ret_count = 0;
    for (size_t i = 0; i < search->count; i++) {
        struct memory_entry *entry = &entries[*ret_count];
        status code =
            memory_entry_read(txn, space->id, search->heap[i].sequence, true, arena, entry, reterr);
        if (code == STATUS_NOT_FOUND) continue;
        TRY(code);
        entry->score = search->heap[i].score;
        ++*ret_count;
    }
    return STATUS_OK;
}

status memory_recall(struct memory_store *store, const struct memory_scope *scope,
                     const struct memory_space *space, const struct memory_query *query,
                     struct arena *arena, struct memory_page *ret_page, struct error *reterr)
{
    CLEANUP(arena_freep) struct arena *scratch = arena_new(SCRATCH_MAX);
    struct search *search                      = arena_alloc(arena, sizeof *search);
    struct memory_entry *entries = arena_alloc(arena, (query->limit + 1) * sizeof *entries);
    struct key prefix;
    uint32_t dimensions = space->versions[MEMORY_CURRENT].dimensions;
    if (!search || !entries || !scratch) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the answer is too large");
    }
    *ret_page = (struct memory_page){.entries = entries};
    if (space->id == 0 || query->limit == 0) return STATUS_OK;
    *search = (struct search){.store = store, .space = space, .query = query, .scratch = scratch};
    search->aligned = arena_alloc(arena, dimensions * sizeof *search->aligned);
    if (!search->aligned) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "too many dimensions");
    key_begin(&prefix);
    key_put_u32(&prefix, space->id);
    key_put_u32(&prefix, space->versions[MEMORY_CURRENT].id);
    while (!search->is_over) TRY(scan_some(search, &prefix, reterr));
    return read_found(search, scope, arena, entries, &ret_page->count, reterr);
}
