/* Changes of a transaction, read back and done again. */
#include "base/assert.h"
#include "base/buf.h"
#include "store/redo_internal.h"

#include <string.h>

static bool take(bytes *rest, size_t len, bytes *ret_part)
{
    if (rest->len < len) return false;
    *ret_part = (bytes){rest->ptr, len};
    rest->ptr = (const uint8_t *)rest->ptr + len;
    rest->len -= len;
    return true;
}

static bool take_u8(bytes *rest, uint8_t *ret_value)
{
    bytes raw = {};
    if (!take(rest, 1, &raw)) return false;
    *ret_value = *(const uint8_t *)raw.ptr;
    return true;
}

static bool take_name(bytes *rest, struct redo_names *names, uint8_t slot)
{
    uint8_t len = 0;
    bytes text  = {};
    if (!take_u8(rest, &len) || len == 0 || len > REDO_NAME_MAX || !take(rest, len, &text)) {
        return false;
    }
    names->slots[slot].len = len;
    memcpy(names->slots[slot].text, text.ptr, len);
    return true;
}

static bool take_change(bytes *rest, bool is_put, struct redo_change *ret_change)
{
    bytes key_len   = {};
    bytes value_len = {};
    if (!take(rest, 2, &key_len) || (is_put && !take(rest, 4, &value_len))) return false;
    size_t len = u16_from(key_len.ptr);
    if (len == 0 || len > STORE_KEY_MAX || !take(rest, len, &ret_change->key)) return false;
    ret_change->is_deletion = !is_put;
    ret_change->value       = (bytes){};
    return !is_put || take(rest, u32_from(value_len.ptr), &ret_change->value);
}

bool redo_take(bytes *rest, struct redo_names *names, struct redo_change *ret_change)
{
    while (rest->len > 0) {
        bytes left   = *rest;
        uint8_t kind = 0;
        uint8_t slot = 0;
        if (!take_u8(&left, &kind) || !take_u8(&left, &slot) || slot >= STORE_TABLES_MAX) {
            return false;
        }
        if (kind == CHANGE_NAME) {
            if (!take_name(&left, names, slot)) return false;
            *rest = left;
            continue;
        }
        bool is_put = kind == CHANGE_PUT;
        if ((!is_put && kind != CHANGE_DELETION) || names->slots[slot].len == 0) return false;
        if (!take_change(&left, is_put, ret_change)) return false;
        ret_change->table = (str){names->slots[slot].text, names->slots[slot].len};
        *rest             = left;
        return true;
    }
    return false;
}

static bool find_table(const struct store *store, str name, unsigned *ret_table)
{
    for (unsigned i = 0; i < store->table_count; i++) {
        if (!str_is(name, store->table_names[i])) continue;
        *ret_table = i;
        return true;
    }
    return false;
}

static status apply_change(struct txn *txn, const struct redo_change *change, unsigned redo_table,
                           struct error *reterr)
{
    unsigned table = 0;
    if (!find_table(txn->store, change->table, &table)) {
        return fail(reterr, STATUS_DATA_LOSS,
                    "redo: a change of the table `" STR_FMT "`, which is not here: use the release "
                    "that wrote it",
                    STR_ARG(change->table));
    }
    if (table == redo_table) return STATUS_OK;
    if (!change->is_deletion) return txn_put(txn, table, change->key, change->value, reterr);
    status deleted = txn_delete(txn, table, change->key, reterr);
    if (deleted != STATUS_NOT_FOUND) return deleted;
    return fail(reterr, STATUS_DATA_LOSS,
                "redo: an entry of the table `" STR_FMT "` is deleted that is not there",
                STR_ARG(change->table));
}

status redo_apply(struct txn *txn, bytes changes, unsigned redo_table, struct error *reterr)
{
    ASSERT(txn->is_write);
    struct redo_names names   = {};
    struct redo_change change = {};
    bytes rest                = changes;
    while (redo_take(&rest, &names, &change)) {
        TRY(apply_change(txn, &change, redo_table, reterr));
    }
    if (rest.len == 0) return STATUS_OK;
    return fail(reterr, STATUS_DATA_LOSS, "redo: changes that cannot be read");
}
