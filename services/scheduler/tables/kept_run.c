#include "scheduler/tables/kept_run.h"

#include "rpc/wire.h"
#include "scheduler/run/renumber.h"
#include "scheduler/run/state.h"
#include "scheduler/tables/run_store.h"
#include "scheduler/tables/run_wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ROW_SIZE_MAX = 1 << 20, TRACEPARENT_MAX = 63 };

/* --- making --------------------------------------------------------------------------------------
 */

struct packing {
    struct txn *txn;
    struct arena *arena;
    Pb__KeptRun *kept;
    struct payload_index numbers; /* of the payloads that are in `kept` */
    size_t size_bytes;
    size_t entry_capacity, payload_capacity;
};

static status too_large(struct error *reterr)
{
    return fail_code(reterr, STATUS_RESOURCE_EXHAUSTED, "body_too_large",
                     "the run is over %d MiB or %d entries and payloads, too large for a line; a "
                     "backup holds it",
                     KEPT_RUN_SIZE_MAX >> 20, KEPT_RUN_ITEMS_MAX);
}

/* A copy behind the last item of a growing list. */
static status push(struct packing *packing, ProtobufCBinaryData **list, size_t *count,
                   size_t *capacity, str data, struct error *reterr)
{
    size_t items = packing->kept->n_entries + packing->kept->n_payloads;
    packing->size_bytes += data.len;
    if (items >= KEPT_RUN_ITEMS_MAX || packing->size_bytes > KEPT_RUN_SIZE_MAX) {
        return too_large(reterr);
    }
    if (*count == *capacity) {
        size_t more                = *capacity > 0 ? 2 * *capacity : 16;
        ProtobufCBinaryData *moved = arena_alloc(packing->arena, more * sizeof *moved);
        if (!moved) return too_large(reterr);
        if (*count > 0) memcpy(moved, *list, *count * sizeof *moved);
        *list     = moved;
        *capacity = more;
    }
    (*list)[*count] = bytes_in(packing->arena, data);
    if (data.len > 0 && !(*list)[*count].data) return too_large(reterr);
    ++*count;
    return STATUS_OK;
}

static status number_payload(uint64_t payload, const uint8_t *hash, uint64_t *ret_payload,
                             void *context, struct error *reterr)
{
    struct packing *packing = context;
    Pb__KeptRun *kept       = packing->kept;
    *ret_payload            = payload_find(&packing->numbers, hash);
    if (*ret_payload != 0) return STATUS_OK;
    struct payload_access access        = {.txn = packing->txn};
    const struct payload_store payloads = payload_store_of(&access);
    str text                            = {};
    TRY(payloads.load(payload, &text, payloads.context, reterr));
    TRY(push(packing, &kept->payloads, &kept->n_payloads, &packing->payload_capacity, text,
             reterr));
    payload_add(&packing->numbers, hash, kept->n_payloads);
    *ret_payload = kept->n_payloads;
    return STATUS_OK;
}

static status pack_entry(bytes entry, void *context, struct error *reterr)
{
    struct packing *packing            = context;
    Pb__KeptRun *kept                  = packing->kept;
    CLEANUP(buf_done) struct buf fresh = buf_init(ENTRY_MAX);
    const struct renumbering numbers   = {.payload = number_payload, .context = packing};
    TRY(entry_renumber(entry, &numbers, &fresh, reterr));
    return push(packing, &kept->entries, &kept->n_entries, &packing->entry_capacity,
                buf_str(&fresh), reterr);
}

/* What neither the state nor the place of a run tells. */
static Pb__RunView row_bare(const Pb__RunView *row)
{
    Pb__RunView bare     = PB__RUN_VIEW__INIT;
    bare.id              = row->id;
    bare.client_id       = row->client_id;
    bare.namespace_      = row->namespace_;
    bare.workflow        = row->workflow;
    bare.version         = row->version;
    bare.digest          = row->digest;
    bare.created_us      = row->created_us;
    bare.created_by      = row->created_by;
    bare.labels          = row->labels;
    bare.n_labels        = row->n_labels;
    bare.traceparent     = row->traceparent;
    bare.trace_id        = row->trace_id;
    bare.forked_run      = row->forked_run;
    bare.forked_sequence = row->forked_sequence;
    bare.parent_run      = row->parent_run;
    bare.parent_task     = row->parent_task;
    bare.start_key       = row->start_key;
    bare.erased_us       = row->erased_us;
    return bare;
}

static status pack_row(const Pb__RunView *row, struct packing *packing, struct error *reterr)
{
    const Pb__RunView bare = row_bare(row);
    size_t size            = pb__run_view__get_packed_size(&bare);
    uint8_t *packed        = arena_alloc(packing->arena, size + 1);
    if (!packed) return too_large(reterr);
    packing->kept->row =
        (ProtobufCBinaryData){.data = packed, .len = pb__run_view__pack(&bare, packed)};
    packing->size_bytes += size;
    return STATUS_OK;
}

static status pack_definition(bytes digest, struct packing *packing, struct error *reterr)
{
    bytes source = {};
    status got   = txn_get(packing->txn, TABLE_DEFINITIONS, digest, &source, NULL);
    if (got == STATUS_NOT_FOUND) return fail(reterr, STATUS_DATA_LOSS, "a definition is missing");
    if (got != STATUS_OK) return fail(reterr, got, "a definition cannot be read");
    packing->kept->definition =
        bytes_in(packing->arena, (str){.ptr = source.ptr, .len = source.len});
    packing->size_bytes += source.len;
    return packing->kept->definition.data ? STATUS_OK : too_large(reterr);
}

/* Neither half erased nor one that cannot be read. */
static status check_rest(struct txn *txn, str id, const Pb__RunView *row, const Pb__RunHead *head,
                         struct error *reterr)
{
    struct key key;
    bytes deletion = {};
    if (!run_status_wire_is_final(row->status) || head->is_parked) {
        return fail_code(reterr, STATUS_FAILED_PRECONDITION, "run_not_finished",
                         "run " STR_FMT " has not ended; only what has ended is exported",
                         STR_ARG(id));
    }
    id_key(&key, id);
    status got = txn_get(txn, TABLE_DELETIONS, key_bytes(&key), &deletion, NULL);
    if (got == STATUS_NOT_FOUND) return STATUS_OK;
    if (got != STATUS_OK) return fail(reterr, got, "deletions cannot be read");
    return fail_code(reterr, STATUS_UNAVAILABLE, "unavailable",
                     "run " STR_FMT " is being erased; try again in a second", STR_ARG(id));
}

status kept_run_make(struct txn *txn, str id, struct arena *arena, Pb__KeptRun *ret_kept,
                     struct error *reterr)
{
    Pb__RunView *row  = NULL;
    Pb__RunHead *head = NULL;
    TRY(run_rows_get(txn, id, arena, &row, &head, reterr));
    TRY(check_rest(txn, id, row, head, reterr));
    struct packing packing = {.txn = txn, .arena = arena, .kept = ret_kept};
    ret_kept->id           = text_in(arena, id);
    TRY(pack_row(row, &packing, reterr));
    TRY(pack_definition((bytes){row->digest.data, row->digest.len}, &packing, reterr));
    status walked = run_entries_walk(txn, head->last_entry, pack_entry, &packing, reterr);
    payload_index_done(&packing.numbers);
    return walked;
}

/* --- reading -------------------------------------------------------------------------------------
 */

PRINTF_LIKE(2, 3)
static status wrong(struct error *reterr, const char *format, ...)
{
    char text[ERROR_TEXT_MAX / 2];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return fail_code(reterr, STATUS_INVALID_ARGUMENT, "run_invalid",
                     "%s: the line was changed or cut; export the run again", text);
}

static bool is_id_or_none(const char *text)
{
    return !*text || id_is_valid(str_from(text));
}

/* What the state cannot tell. Texts are UTF-8 without NUL: wire_unpack() has looked. */
static status read_row(const Pb__KeptRun *message, struct arena *arena, struct kept_run *kept,
                       struct error *reterr)
{
    struct error why = {};
    void *unpacked   = NULL;
    const bytes data = {message->row.data, message->row.len};
    if (message->row.len > ROW_SIZE_MAX ||
        wire_unpack(&pb__run_view__descriptor, data, arena, &unpacked, &why) != STATUS_OK) {
        return wrong(reterr, "`row` is none of a run");
    }
    Pb__RunView *row = unpacked;
    if (strcmp(row->id, message->id) != 0) return wrong(reterr, "`row` is of another run");
    bool are_ids = is_id_or_none(row->forked_run) && is_id_or_none(row->parent_run);
    if (!are_ids || row->created_us < 0 || row->erased_us < 0 ||
        strlen(row->traceparent) > TRACEPARENT_MAX) {
        return wrong(reterr, "`row` has values that no run has");
    }
    *row      = row_bare(row);
    kept->row = row;
    return STATUS_OK;
}

static status read_definition(const Pb__KeptRun *message, struct definitions *definitions,
                              struct kept_run *kept, struct error *reterr)
{
    const Pb__RunView *row = kept->row;
    const bytes digest     = {row->digest.data, row->digest.len};
    struct error why       = {};
    status taken =
        definitions_take(definitions, str_of(message->definition), digest, &kept->workflow, &why);
    if (taken == STATUS_RESOURCE_EXHAUSTED) return fail(reterr, taken, "%s", why.text);
    if (taken != STATUS_OK) return wrong(reterr, "`definition`: %s", why.text);
    const struct workflow *workflow = kept->workflow;
    bool is_same                    = strcmp(workflow->namespace_, row->namespace_) == 0 &&
                   strcmp(workflow->name, row->workflow) == 0 &&
                   strcmp(workflow->version, row->version) == 0;
    return is_same ? STATUS_OK : wrong(reterr, "`row` names another workflow than `definition`");
}

static status load_payload(uint64_t payload, str *ret_text, void *context, struct error *reterr)
{
    const Pb__KeptRun *message = context;
    if (payload == 0 || payload > message->n_payloads) {
        return fail(reterr, STATUS_DATA_LOSS, "payload %llu is missing",
                    (unsigned long long)payload);
    }
    *ret_text = str_of(message->payloads[payload - 1]);
    return STATUS_OK;
}

/* Contents are found by their hash when the run goes on, so it has to be theirs; of an erased run
 * it is that of what was there. */
static status check_payloads(const struct kept_run *kept, struct error *reterr)
{
    const Pb__KeptRun *message        = kept->message;
    const struct payload_index *known = &kept->run->payloads;
    bool is_erased                    = kept->row->erased_us > 0;
    if (known->count != message->n_payloads) {
        return wrong(reterr, "`payloads` has some that no entry names");
    }
    for (size_t i = 0; i < message->n_payloads && !is_erased; i++) {
        uint8_t hash[PAYLOAD_HASH_SIZE];
        payload_hash(str_of(message->payloads[i]), hash);
        if (payload_find(known, hash) != i + 1) {
            return wrong(reterr, "payload %zu is not what its entry says", i + 1);
        }
    }
    return STATUS_OK;
}

static status fold(struct kept_run *kept, struct error *reterr)
{
    const Pb__KeptRun *message          = kept->message;
    const struct payload_store payloads = {
        .load    = load_payload,
        .context = (void *)(uintptr_t)message,
    };
    kept->run = run_new(str_from(kept->id.text), kept->workflow);
    for (size_t i = 0; i < message->n_entries; i++) {
        const bytes entry = {message->entries[i].data, message->entries[i].len};
        struct error why  = {};
        if (entry_replay(kept->run, entry, &payloads, NULL, NULL, &why) == STATUS_OK) continue;
        return wrong(reterr, "entry %zu of the journal: %s", i + 1, why.text);
    }
    if (run_status_is_final(run_status(kept->run))) return check_payloads(kept, reterr);
    return fail_code(reterr, STATUS_FAILED_PRECONDITION, "run_not_finished",
                     "run %s had not ended when it was exported; start it anew", kept->id.text);
}

status kept_run_read(const Pb__KeptRun *message, struct definitions *definitions,
                     struct arena *arena, struct kept_run *ret_kept, struct error *reterr)
{
    *ret_kept = (struct kept_run){.message = message};
    if (!id_is_valid(str_from(message->id))) return wrong(reterr, "`id` is none of a run");
    memcpy(ret_kept->id.text, message->id, ID_LEN + 1);
    status done = read_row(message, arena, ret_kept, reterr);
    if (done == STATUS_OK) done = read_definition(message, definitions, ret_kept, reterr);
    if (done == STATUS_OK) done = fold(ret_kept, reterr);
    if (done != STATUS_OK) kept_run_done(ret_kept);
    return done;
}

void kept_run_done(struct kept_run *kept)
{
    run_free(kept->run);
    workflow_unref(kept->workflow);
    *kept = (struct kept_run){};
}
