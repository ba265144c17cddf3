#include "scheduler/services/run_reader.h"

#include "base/clock.h"
#include "scheduler/engine/breakers/job_wait.h"
#include "scheduler/tables/dead_letters.h"
#include "scheduler/tables/run_wire.h"

enum { CLIENT_ID_MAX = 128 /* bytes, as openapi.yaml */ };

bool client_id_is_valid(str text)
{
    static const char others[] = "._:-";
    if (text.len == 0 || text.len > CLIENT_ID_MAX || id_is_valid(text)) return false;
    for (size_t i = 0; i < text.len; i++) {
        char c          = text.ptr[i];
        bool is_letter  = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool is_digit   = c >= '0' && c <= '9';
        bool is_allowed = is_letter || is_digit || (c && strchr(others, c));
        if (!is_allowed) return false;
    }
    return true;
}

str namespace_of_keys(str namespace)
{
    return namespace.len == 0 || str_is(namespace, "*") ? str_from("default") : namespace;
}

/* --- views -------------------------------------------------------------------------------------
 */

/* What a final row lacks: input and output, and an error that was too long for it. */
static bool needs_state(const Pb__RunView *row, const Pb__RunHead *head, bool is_full)
{
    if (head->is_parked) return false;
    if (!run_status_wire_is_final(row->status) || is_full) return true;
    return row->status != PB__RUN_STATUS__RUN_STATUS_COMPLETED;
}

status run_read_view(const struct shard *shard, str id, bool is_full, struct arena *arena,
                     Pb__RunView **ret_view, struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    Pb__RunHead *head                   = NULL;
    Pb__RunView *view                   = NULL;
    TRY(txn_begin_read(shard->partition->store, &txn, reterr));
    TRY(run_rows_get(txn, id, arena, &view, &head, reterr));
    run_wire_add_head(view, head);
    if (needs_state(view, head, is_full)) {
        CLEANUP(run_freep) struct run *run = NULL;
        bytes digest                       = {view->digest.data, view->digest.len};
        struct error why                   = {};
        status loaded = run_load(txn, scheduler_definitions(shard->scheduler), id, head, digest,
                                 false, NULL, &run, &why);
        if (loaded == STATUS_DATA_LOSS) return run_damaged(id, &why, reterr);
        if (loaded != STATUS_OK) return fail(reterr, loaded, "%s", why.text);
        TRY(run_wire_fill(view, run, is_full, arena, reterr));
        TRY(run_waits_explain(txn, view, clock_unix_us(), arena, reterr));
    }
    *ret_view = view;
    return STATUS_OK;
}

/* --- finding -----------------------------------------------------------------------------------
 */

static status not_found(str text, struct error *reterr)
{
    return fail_code(reterr, STATUS_NOT_FOUND, "not_found", "there is no run " STR_FMT,
                     STR_ARG(text));
}

/* Another tenant's run is not there, whoever asks. */
static status check_namespace(struct run_place *place, str namespace, struct arena *arena,
                              struct error *reterr)
{
    if (str_is(namespace, "*")) return STATUS_OK;
    str id                              = str_from(place->id.text);
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    Pb__RunView *row                    = NULL;
    TRY(txn_begin_read(place->shard->partition->store, &txn, reterr));
    TRY(run_row_get(txn, id, arena, &row, reterr));
    if (str_equal(str_from(row->namespace_), namespace)) return STATUS_OK;
    return not_found(id, reterr);
}

static status find_client_id(struct run_place *place, str text, str namespace, struct arena *arena,
                             struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    TRY(txn_begin_read(place->shard->partition->store, &txn, reterr));
    struct key key;
    client_id_key(&key, namespace, text);
    const ProtobufCMessageDescriptor *type = &pb__client_id_record__descriptor;
    Pb__ClientIdRecord *record             = NULL;
    status got = record_get(txn, TABLE_CLIENT_IDS, key_bytes(&key), type, arena, &record, NULL);
    if (got == STATUS_NOT_FOUND || (got == STATUS_OK && strlen(record->run) != ID_LEN)) {
        return not_found(text, reterr);
    }
    if (got != STATUS_OK) return fail(reterr, got, "client ids cannot be read");
    memcpy(place->id.text, record->run, ID_LEN + 1);
    return STATUS_OK;
}

status run_find(struct scheduler *scheduler, str text, str namespace, struct arena *arena,
                struct run_place *ret_place, struct error *reterr)
{
    struct run_place place            = {};
    uint16_t count                    = scheduler_partition_count(scheduler);
    if (namespace.len == 0) namespace = str_from("*");

    bool is_generated = id_is_valid(text);
    if (is_generated) {
        place.partition = id_partition(text);
        memcpy(place.id.text, text.ptr, ID_LEN);
    } else {
        if (!client_id_is_valid(text)) return not_found(str_slice(text, 0, 64), reterr);
        place.partition = partition_of_text(namespace_of_keys(namespace), text, count);
    }
    if (place.partition >= count) return not_found(text, reterr);
    place.shard = scheduler_shard(scheduler, place.partition);
    if (place.shard && !is_generated) {
        TRY(find_client_id(&place, text, namespace_of_keys(namespace), arena, reterr));
    } else if (place.shard) {
        TRY(check_namespace(&place, namespace, arena, reterr));
    }
    *ret_place = place;
    return STATUS_OK;
}

static status count_letter(bytes, const Pb__DeadLetterRecord *, struct error *, void *context)
{
    size_t *count = context;
    ++*count;
    return STATUS_OK;
}

status run_find_left(struct scheduler *scheduler, str text, str namespace, struct arena *arena,
                     struct run_place *ret_place, struct error *reterr)
{
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    struct run_place place              = {};
    struct error why                    = {};
    size_t count                        = 0;
    status found = run_find(scheduler, text, namespace, arena, ret_place, &why);
    if (found == STATUS_NOT_FOUND && id_is_valid(text)) {
        place.partition = id_partition(text);
        memcpy(place.id.text, text.ptr, ID_LEN);
        place.shard = place.partition < scheduler_partition_count(scheduler)
                          ? scheduler_shard(scheduler, place.partition)
                          : NULL;
    }
    if (place.shard) {
        const struct letter_filter filter = {.namespace = namespace, .run = text};
        TRY(txn_begin_read(place.shard->partition->store, &txn, reterr));
        TRY(letters_visit(txn, &filter, count_letter, &count, reterr));
    }
    if (count == 0) {
        if (reterr) *reterr = why;
        return found;
    }
    *ret_place = place;
    return STATUS_OK;
}
