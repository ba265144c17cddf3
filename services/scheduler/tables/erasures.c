#include "scheduler/tables/erasures.h"

#include "scheduler/tables/tables.h"

enum part { PART_INDEX, PART_LIST, PART_DUE };

static void part_key(struct key *key, enum part part)
{
    key_begin(key);
    key_put_text(key, str_from("erasures"));
    key_put_u8(key, (uint8_t)part);
}

static void index_key(struct key *key, str run, enum erasure_kind kind)
{
    part_key(key, PART_INDEX);
    key_put_id(key, run);
    key_put_u8(key, (uint8_t)kind);
}

static void list_key(struct key *key, enum part part, uint64_t sequence)
{
    part_key(key, part);
    key_put_u64(key, sequence);
}

static void value_of(struct key *value, const struct erasure *erasure)
{
    key_begin(value);
    key_put_id(value, str_from(erasure->run.text));
    key_put_u64(value, (uint64_t)erasure->time_us);
    key_put_u8(value, (uint8_t)erasure->kind);
}

static bool value_read(bytes value, struct erasure *ret_erasure)
{
    uint64_t time_us = 0;
    uint8_t kind     = 0;
    bool is_read     = key_take_id(&value, &ret_erasure->run) && key_take_u64(&value, &time_us) &&
                   key_take_u8(&value, &kind) && value.len == 0;
    ret_erasure->time_us = (int64_t)time_us;
    ret_erasure->kind    = (enum erasure_kind)kind;
    return is_read && (kind == ERASURE_OF_VALUES || kind == ERASURE_OF_RUN);
}

/* --- reading -----------------------------------------------------------------------------------
 */

status erasures_find(struct txn *txn, str run, enum erasure_kind kind, uint64_t *ret_sequence,
                     struct error *reterr)
{
    struct key key;
    bytes value   = {};
    *ret_sequence = 0;
    index_key(&key, run, kind);
    status got = txn_get(txn, TABLE_META, key_bytes(&key), &value, NULL);
    if (got == STATUS_NOT_FOUND) return STATUS_OK;
    if (got != STATUS_OK) return fail(reterr, got, "erasures cannot be read");
    if (key_take_u64(&value, ret_sequence)) return STATUS_OK;
    return fail(reterr, STATUS_DATA_LOSS, "erasures: a row");
}

/* Which row is meant. */
struct seek {
    enum part part;
    bool is_last;   /* else the first */
    uint64_t after; /* that one */
};

static status row_of(struct txn *txn, const struct seek *seek, uint64_t *ret_sequence,
                     struct erasure *ret_erasure, bool *ret_found, struct error *reterr)
{
    struct key prefix;
    struct key after;
    part_key(&prefix, seek->part);
    list_key(&after, seek->part, seek->after);
    struct scan scan = {.prefix = key_bytes(&prefix), .backward = seek->is_last};
    if (!seek->is_last) scan.after = key_bytes(&after);
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    bytes key                                    = {};
    bytes value                                  = {};
    TRY(cursor_open(txn, TABLE_META, &scan, &cursor, reterr));
    status next = cursor_next(cursor, &key, &value, NULL);
    *ret_found  = next == STATUS_OK;
    if (next == STATUS_NOT_FOUND) return STATUS_OK;
    if (next != STATUS_OK) return fail(reterr, next, "erasures cannot be read");
    key = (bytes){(const uint8_t *)key.ptr + key_bytes(&prefix).len,
                  key.len - key_bytes(&prefix).len};
    if (key_take_u64(&key, ret_sequence) && value_read(value, ret_erasure)) return STATUS_OK;
    return fail(reterr, STATUS_DATA_LOSS, "erasures: a row");
}

status erasures_next(struct txn *txn, struct erasure_place *place, struct erasure *ret_erasure,
                     bool *ret_found, struct error *reterr)
{
    const struct seek next = {.part  = place->is_due ? PART_DUE : PART_LIST,
                              .after = place->sequence};
    return row_of(txn, &next, &place->sequence, ret_erasure, ret_found, reterr);
}

status erasures_newest(struct txn *txn, uint64_t *ret_sequence, struct error *reterr)
{
    struct erasure newest  = {};
    bool is_found          = false;
    *ret_sequence          = 0;
    const struct seek last = {.part = PART_LIST, .is_last = true};
    return row_of(txn, &last, ret_sequence, &newest, &is_found, reterr);
}

/* --- writing -----------------------------------------------------------------------------------
 */

static status append(struct txn *txn, const struct erasure *erasure, bool is_due, bool *ret_new,
                     struct error *reterr)
{
    struct key key;
    struct key value;
    uint64_t sequence = 0;
    str run           = str_from(erasure->run.text);
    TRY(erasures_find(txn, run, erasure->kind, &sequence, reterr));
    *ret_new = sequence == 0;
    if (!*ret_new) return STATUS_OK;
    TRY(erasures_newest(txn, &sequence, reterr));
    sequence++;
    struct key_u64 number = key_of_u64(sequence);
    value_of(&value, erasure);
    index_key(&key, run, erasure->kind);
    TRY(txn_put(txn, TABLE_META, key_bytes(&key), key_u64_bytes(&number), reterr));
    list_key(&key, PART_LIST, sequence);
    TRY(txn_put(txn, TABLE_META, key_bytes(&key), key_bytes(&value), reterr));
    if (!is_due) return STATUS_OK;
    list_key(&key, PART_DUE, sequence);
    return txn_put(txn, TABLE_META, key_bytes(&key), key_bytes(&value), reterr);
}

status erasures_add(struct txn *txn, const struct erasure *erasure, struct error *reterr)
{
    bool is_new = false;
    return append(txn, erasure, false, &is_new, reterr);
}

status erasures_add_due(struct txn *txn, const struct erasure *erasure, bool *ret_new,
                        struct error *reterr)
{
    return append(txn, erasure, true, ret_new, reterr);
}

status erasures_end_due(struct txn *txn, uint64_t sequence, struct error *reterr)
{
    struct key key;
    list_key(&key, PART_DUE, sequence);
    return txn_delete(txn, TABLE_META, key_bytes(&key), reterr);
}

status erasures_forget(struct txn *txn, int64_t before_us, size_t count_max, size_t *ret_count,
                       struct error *reterr)
{
    uint64_t newest = 0;
    TRY(erasures_newest(txn, &newest, reterr));
    for (*ret_count = 0; *ret_count < count_max; ++*ret_count) {
        struct erasure_place place = {};
        struct erasure oldest      = {};
        bool is_found              = false;
        struct key key;
        TRY(erasures_next(txn, &place, &oldest, &is_found, reterr));
        if (place.sequence == newest || oldest.time_us >= before_us) return STATUS_OK;
        index_key(&key, str_from(oldest.run.text), oldest.kind);
        TRY(txn_delete(txn, TABLE_META, key_bytes(&key), reterr));
        list_key(&key, PART_LIST, place.sequence);
        TRY(txn_delete(txn, TABLE_META, key_bytes(&key), reterr));
    }
    return STATUS_OK;
}
