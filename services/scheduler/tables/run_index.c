#include "scheduler/tables/run_index.h"

#include "base/hash.h"
#include "scheduler/tables/event_index.h"
#include "scheduler/tables/run_wire.h"

/* The first byte of a key. On disk. */
enum index_kind {
    INDEX_LABEL    = 'l',
    INDEX_PARENT   = 'p',
    INDEX_STATUS   = 's',
    INDEX_WORKFLOW = 'w',
};

enum { LABEL_DIGEST_SIZE = 16 /* bytes of SHA-256 */ };

/* --- prefixes of the keys ----------------------------------------------------------------------
 */

static void begin(struct key *key, enum index_kind kind)
{
    key_begin(key);
    key_put_u8(key, (uint8_t)kind);
}

void index_label_key(struct key *key, str namespace, const Pb__Label *label)
{
    uint8_t digest[SHA256_SIZE];
    const bytes parts[] = {
        bytes_from(str_from(label->key)), {"", 1}, bytes_from(str_from(label->value))};
    sha256_parts(parts, ARRAY_LEN(parts), digest);
    begin(key, INDEX_LABEL);
    key_put_text(key, namespace);
    for (int i = 0; i < LABEL_DIGEST_SIZE; i++) key_put_u8(key, digest[i]);
}

void index_parent_key(struct key *key, str parent)
{
    begin(key, INDEX_PARENT);
    key_put_id(key, parent);
}

void index_workflow_key(struct key *key, str namespace, str workflow, Pb__RunStatus state)
{
    begin(key, INDEX_WORKFLOW);
    key_put_text(key, namespace);
    key_put_text(key, workflow);
    key_put_u8(key, (uint8_t)state);
}

void index_status_key(struct key *key, str namespace, Pb__RunStatus state)
{
    begin(key, INDEX_STATUS);
    key_put_text(key, namespace);
    key_put_u8(key, (uint8_t)state);
}

status index_next_namespace(struct txn *txn, const struct key *key, str after,
                            struct key_text *ret_namespace, bool *ret_found, struct error *reterr)
{
    struct key kind;
    struct key from;
    bytes rest  = {};
    bytes row   = {};
    bytes found = {};
    uint8_t of  = 0;
    *ret_found  = false;
    begin(&kind, (enum index_kind)key->data[0]);
    from = kind;
    if (after.len > 0) {
        key_put_text(&from, after);
        key_step(&from);
    }
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan scan = {.prefix = key_bytes(&kind), .from = key_bytes(&from)};
    TRY(cursor_open(txn, TABLE_RUN_INDEX, &scan, &cursor, reterr));
    status next = cursor_next(cursor, &found, &row, NULL);
    if (next == STATUS_NOT_FOUND) return STATUS_OK;
    if (next != STATUS_OK) return fail(reterr, next, "the index of runs cannot be read");
    rest = found;
    if (!key_take_u8(&rest, &of) || !key_take_text(&rest, ret_namespace)) {
        return fail(reterr, STATUS_DATA_LOSS, "table run_index: a key");
    }
    *ret_found = true;
    return STATUS_OK;
}

/* --- rows --------------------------------------------------------------------------------------
 */

typedef status change(struct txn *txn, struct key *key, const Pb__RunView *row,
                      struct error *reterr);

static status put(struct txn *txn, struct key *key, const Pb__RunView *row, struct error *reterr)
{
    key_put_id(key, str_from(row->id));
    return txn_put(txn, TABLE_RUN_INDEX, key_bytes(key), (bytes){}, reterr);
}

static status delete (struct txn *txn, struct key *key, const Pb__RunView *row,
                      struct error *reterr)
{
    key_put_id(key, str_from(row->id));
    status deleted = txn_delete(txn, TABLE_RUN_INDEX, key_bytes(key), NULL);
    if (deleted == STATUS_OK || deleted == STATUS_NOT_FOUND) return STATUS_OK;
    return fail(reterr, deleted, "a row of the index of runs cannot be deleted");
}

static status each_label(struct txn *txn, const Pb__RunView *row, change *what,
                         struct error *reterr)
{
    for (size_t i = 0; i < row->n_labels; i++) {
        struct key key;
        index_label_key(&key, str_from(row->namespace_), row->labels[i]);
        TRY(what(txn, &key, row, reterr));
    }
    return STATUS_OK;
}

static status parent(struct txn *txn, const Pb__RunView *row, change *what, struct error *reterr)
{
    struct key key;
    if (!id_is_valid(str_from(row->parent_run))) return STATUS_OK;
    index_parent_key(&key, str_from(row->parent_run));
    return what(txn, &key, row, reterr);
}

static status end(struct txn *txn, const Pb__RunView *row, change *what, struct error *reterr)
{
    struct key key;
    str namespace = str_from(row->namespace_);
    if (!run_status_wire_is_final(row->status)) return STATUS_OK;
    index_workflow_key(&key, namespace, str_from(row->workflow), row->status);
    TRY(what(txn, &key, row, reterr));
    if (row->status == PB__RUN_STATUS__RUN_STATUS_COMPLETED) return STATUS_OK;
    index_status_key(&key, namespace, row->status);
    return what(txn, &key, row, reterr);
}

status run_index_begin(struct txn *txn, const Pb__RunView *row, struct error *reterr)
{
    TRY(each_label(txn, row, put, reterr));
    return parent(txn, row, put, reterr);
}

status run_index_end(struct txn *txn, const Pb__RunView *row, struct error *reterr)
{
    return end(txn, row, put, reterr);
}

status run_index_reopen(struct txn *txn, const Pb__RunView *row, struct error *reterr)
{
    return end(txn, row, delete, reterr);
}

status run_index_relabel(struct txn *txn, const Pb__RunView *before, const Pb__RunView *row,
                         struct error *reterr)
{
    TRY(each_label(txn, before, delete, reterr));
    return each_label(txn, row, put, reterr);
}

status run_index_delete(struct txn *txn, const Pb__RunView *row, struct error *reterr)
{
    TRY(each_label(txn, row, delete, reterr));
    TRY(parent(txn, row, delete, reterr));
    return end(txn, row, delete, reterr);
}
