#include "scheduler/tables/run_store.h"

#include "base/assert.h"
#include "base/mem.h"

#include <stdlib.h>

enum { CHAIN_CAPACITY_MIN = 64 };

/* --- payloads ----------------------------------------------------------------------------------
 */

static status payload_keep(str text, uint64_t *ret_payload, void *context, struct error *reterr)
{
    struct payload_access *access = context;
    ASSERT(access->next);
    uint64_t number    = *access->next;
    struct key_u64 key = key_of_u64(number);
    TRY(row_append(access->txn, TABLE_PAYLOADS, key_u64_bytes(&key), bytes_from(text), reterr));
    *access->next = number + 1;
    *ret_payload  = number;
    return STATUS_OK;
}

static status payload_load(uint64_t payload, str *ret_text, void *context, struct error *reterr)
{
    const struct payload_access *access = context;
    struct key_u64 key                  = key_of_u64(payload);
    bytes value                         = {};
    status got = txn_get(access->txn, TABLE_PAYLOADS, key_u64_bytes(&key), &value, NULL);
    if (got == STATUS_NOT_FOUND) {
        return fail(reterr, STATUS_DATA_LOSS, "payload %llu is missing",
                    (unsigned long long)payload);
    }
    if (got != STATUS_OK) return fail(reterr, got, "a payload cannot be read");
    *ret_text = (str){.ptr = value.ptr, .len = value.len};
    return STATUS_OK;
}

struct payload_store payload_store_of(struct payload_access *access)
{
    return (struct payload_store){.store = payload_keep, .load = payload_load, .context = access};
}

/* --- rows --------------------------------------------------------------------------------------
 */

status run_damaged(str id, const struct error *why, struct error *reterr)
{
    return fail_code(reterr, STATUS_DATA_LOSS, "run_damaged",
                     "what is stored of run " STR_FMT
                     " cannot be read (%.80s); restore a backup, or "
                     "delete the run with force=true and a key of all namespaces",
                     STR_ARG(id), why->text);
}

status run_row_get(struct txn *txn, str id, struct arena *arena, Pb__RunView **ret_row,
                   struct error *reterr)
{
    struct key key;
    struct error why = {};
    id_key(&key, id);
    status got = record_get(txn, TABLE_RUNS, key_bytes(&key), &pb__run_view__descriptor, arena,
                            ret_row, &why);
    if (got == STATUS_NOT_FOUND) {
        return fail_code(reterr, got, "not_found", "there is no run " STR_FMT, STR_ARG(id));
    }
    if (got == STATUS_DATA_LOSS) return run_damaged(id, &why, reterr);
    if (got != STATUS_OK) return fail(reterr, got, "the row of run " STR_FMT, STR_ARG(id));
    return STATUS_OK;
}

/* Of a run that has not ended, or did so before heads moved into rows. */
static status open_head_get(struct txn *txn, str id, struct arena *arena, Pb__RunHead **ret_head,
                            struct error *reterr)
{
    struct key key;
    id_key(&key, id);
    struct error why = {};
    status got = record_get(txn, TABLE_RUN_HEADS, key_bytes(&key), &pb__run_head__descriptor, arena,
                            ret_head, &why);
    if (got == STATUS_OK) return STATUS_OK;
    if (got == STATUS_NOT_FOUND) got = fail(&why, STATUS_DATA_LOSS, "it has no head");
    if (got == STATUS_DATA_LOSS) return run_damaged(id, &why, reterr);
    return fail(reterr, got, "the head of run " STR_FMT, STR_ARG(id));
}

status run_rows_get(struct txn *txn, str id, struct arena *arena, Pb__RunView **ret_row,
                    Pb__RunHead **ret_head, struct error *reterr)
{
    Pb__RunView *row = NULL;
    TRY(run_row_get(txn, id, arena, &row, reterr));
    bytes head = {row->head.data, row->head.len};
    if (head.len == 0) {
        TRY(open_head_get(txn, id, arena, ret_head, reterr));
    } else {
        struct error why = {};
        status read      = record_read(head, &pb__run_head__descriptor, arena, ret_head, &why);
        if (read == STATUS_DATA_LOSS) return run_damaged(id, &why, reterr);
        if (read != STATUS_OK) return fail(reterr, read, "%s", why.text);
    }
    *ret_row = row;
    return STATUS_OK;
}

status run_row_add_head(Pb__RunView *row, const Pb__RunHead *head, struct arena *arena,
                        struct error *reterr)
{
    size_t size    = pb__run_head__get_packed_size(head);
    row->head.data = arena_alloc(arena, size + 1);
    if (!row->head.data) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    row->head.len = pb__run_head__pack(head, row->head.data);
    return STATUS_OK;
}

/* --- loading -----------------------------------------------------------------------------------
 */

/* The entries of a run in the order in which they are found: newest first. */
struct chain {
    uint64_t *entries; /* owned */
    size_t count, capacity;
};

static void chain_done(struct chain *chain)
{
    free(chain->entries);
}

static status chain_push(struct chain *chain, uint64_t entry, struct error *reterr)
{
    if (chain->count == RUN_ENTRIES_MAX) {
        return fail(reterr, STATUS_DATA_LOSS, "over %d journal entries", RUN_ENTRIES_MAX);
    }
    if (chain->count == chain->capacity) {
        chain->capacity = chain->capacity ? 2 * chain->capacity : CHAIN_CAPACITY_MIN;
        chain->entries  = mem_resize(chain->entries, chain->capacity, sizeof *chain->entries);
    }
    chain->entries[chain->count++] = entry;
    return STATUS_OK;
}

static status entry_get(struct txn *txn, uint64_t number, bytes *ret_entry, struct error *reterr)
{
    struct key_u64 key = key_of_u64(number);
    status got         = txn_get(txn, TABLE_JOURNAL, key_u64_bytes(&key), ret_entry, NULL);
    if (got == STATUS_NOT_FOUND) {
        return fail(reterr, STATUS_DATA_LOSS, "journal entry %llu is missing",
                    (unsigned long long)number);
    }
    if (got != STATUS_OK) return fail(reterr, got, "a journal entry cannot be read");
    return STATUS_OK;
}

static status chain_follow(struct txn *txn, uint64_t after_entry, uint64_t last_entry,
                           struct chain *chain, struct error *reterr)
{
    uint64_t at = last_entry;
    while (at > after_entry) {
        TRY(chain_push(chain, at, reterr));
        bytes entry                = {};
        struct entry_header header = {};
        TRY(entry_get(txn, at, &entry, reterr));
        TRY(entry_read_header(entry, &header, reterr));
        if (header.previous >= at) {
            return fail(reterr, STATUS_DATA_LOSS, "journal entry %llu follows a later one",
                        (unsigned long long)at);
        }
        at = header.previous;
    }
    if (at == after_entry) return STATUS_OK;
    return fail(reterr, STATUS_DATA_LOSS, "the snapshot is not of this journal");
}

status run_entries_walk(struct txn *txn, uint64_t last_entry,
                        status (*visit)(bytes entry, void *context, struct error *reterr),
                        void *context, struct error *reterr)
{
    CLEANUP(chain_done) struct chain chain = {};
    TRY(chain_follow(txn, 0, last_entry, &chain, reterr));
    for (size_t i = chain.count; i > 0; i--) {
        bytes entry = {};
        TRY(entry_get(txn, chain.entries[i - 1], &entry, reterr));
        TRY(visit(entry, context, reterr));
    }
    return STATUS_OK;
}

status run_replay(struct txn *txn, struct run *run, uint64_t after_entry, uint64_t last_entry,
                  const struct run_visit *visit, struct error *reterr)
{
    CLEANUP(chain_done) struct chain chain = {};
    TRY(chain_follow(txn, after_entry, last_entry, &chain, reterr));

    struct payload_access access        = {.txn = txn};
    const struct payload_store payloads = payload_store_of(&access);
    for (size_t i = chain.count; i > 0; i--) {
        if (visit && visit->is_done && *visit->is_done) break;
        bytes entry = {};
        TRY(entry_get(txn, chain.entries[i - 1], &entry, reterr));
        TRY(entry_replay(run, entry, &payloads, visit ? visit->visit : NULL,
                         visit ? visit->context : NULL, reterr));
        if (visit && visit->entry) visit->entry(run, visit->context);
    }
    return STATUS_OK;
}

static status from_snapshot(struct txn *txn, str id, const struct workflow *workflow,
                            struct run **ret_run, struct error *reterr)
{
    struct key key;
    id_key(&key, id);
    bytes snapshot = {};
    status got     = txn_get(txn, TABLE_SNAPSHOTS, key_bytes(&key), &snapshot, NULL);
    if (got == STATUS_NOT_FOUND) {
        return fail(reterr, STATUS_DATA_LOSS, "the snapshot of run " STR_FMT " is missing",
                    STR_ARG(id));
    }
    if (got != STATUS_OK) return fail(reterr, got, "the snapshot of run " STR_FMT, STR_ARG(id));
    struct payload_access access        = {.txn = txn};
    const struct payload_store payloads = payload_store_of(&access);
    return run_snapshot_unpack(id, workflow, snapshot, &payloads, ret_run, reterr);
}

/* NOLINTNEXTLINE(readability-function-size): its parameters are run_store.h's */
status run_load(struct txn *txn, struct definitions *definitions, str id, const Pb__RunHead *head,
                bytes digest, bool from_start, const struct run_visit *visit, struct run **ret_run,
                struct error *reterr)
{
    CLEANUP(workflow_unrefp) const struct workflow *workflow = NULL;
    TRY(definitions_get(definitions, txn, digest, &workflow, reterr));

    CLEANUP(run_freep) struct run *run = NULL;
    uint64_t after_entry               = from_start ? 0 : head->snapshot_entry;
    if (after_entry > 0) {
        TRY(from_snapshot(txn, id, workflow, &run, reterr));
    } else {
        run = run_new(id, workflow);
    }
    TRY(run_replay(txn, run, after_entry, head->last_entry, visit, reterr));
    *ret_run = TAKE(run);
    return STATUS_OK;
}
