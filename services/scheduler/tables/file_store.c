#include "scheduler/tables/file_store.h"

#include "base/assert.h"
#include "base/id.h"

#include <string.h>

/* --- keys --------------------------------------------------------------------------------------
 */

void file_key(struct key *key, str namespace, str id)
{
    key_begin(key);
    key_put_text(key, namespace);
    if (id.len > 0) key_put_id(key, id);
}

void file_row_key(struct key *key, str id, uint32_t number)
{
    key_begin(key);
    key_put_id(key, id);
    key_put_u32(key, number);
}

void file_due_key(struct key *key, int64_t due_us, str namespace, str id)
{
    ASSERT(due_us > 0);
    key_begin(key);
    key_put_u64(key, (uint64_t)due_us);
    key_put_text(key, namespace);
    key_put_id(key, id);
}

bool file_due_key_read(bytes raw, int64_t *ret_due_us, struct key_text *ret_namespace,
                       struct id *ret_id)
{
    bytes rest          = raw;
    uint64_t due_us     = 0;
    bool is_well_formed = key_take_u64(&rest, &due_us) && key_take_text(&rest, ret_namespace) &&
                          key_take_id(&rest, ret_id) && rest.len == 0;
    if (!is_well_formed || ret_namespace->is_digest || due_us > INT64_MAX) return false;
    *ret_due_us = (int64_t)due_us;
    return true;
}

/* --- pieces ------------------------------------------------------------------------------------
 */

uint32_t file_piece_count(int64_t size)
{
    ASSERT(size > 0 && size <= FILE_SIZE_MAX);
    return (uint32_t)((size + FILE_PIECE_SIZE - 1) / FILE_PIECE_SIZE);
}

size_t file_piece_size(int64_t size, uint32_t number)
{
    ASSERT(number < file_piece_count(size));
    int64_t left = size - (int64_t)number * FILE_PIECE_SIZE;
    return left < FILE_PIECE_SIZE ? (size_t)left : FILE_PIECE_SIZE;
}

bool file_is_there(const Pb__StoredFile *file, int64_t now_us)
{
    bool is_whole = file->size > 0 && file->pieces == file_piece_count(file->size);
    return is_whole && !file->deleted && (file->expires_us == 0 || file->expires_us > now_us);
}

status file_get(struct txn *txn, str namespace, str id, struct arena *arena,
                Pb__StoredFile **ret_file, struct error *reterr)
{
    struct key key;
    status got = STATUS_NOT_FOUND;
    if (id_is_valid(id)) {
        file_key(&key, namespace, id);
        got = record_get(txn, TABLE_FILES, key_bytes(&key), &pb__stored_file__descriptor, arena,
                         ret_file, NULL);
    }
    if (got == STATUS_NOT_FOUND) {
        return fail_code(reterr, STATUS_NOT_FOUND, "not_found", "there is no such file");
    }
    return got == STATUS_OK ? got : fail(reterr, got, "a file cannot be read");
}

status file_read_piece(struct txn *txn, const Pb__StoredFile *file, uint32_t number,
                       struct arena *arena, ProtobufCBinaryData *ret_data, struct error *reterr)
{
    size_t size    = file_piece_size(file->size, number);
    uint8_t *place = arena_alloc(arena, size);
    if (!place) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    uint32_t row = number * (FILE_PIECE_SIZE / FILE_ROW_SIZE);
    for (size_t at = 0; at < size; row++) {
        struct key key;
        bytes value = {};
        file_row_key(&key, str_from(file->id), row);
        status got = txn_get(txn, TABLE_FILE_PIECES, key_bytes(&key), &value, NULL);
        if (got != STATUS_OK && got != STATUS_NOT_FOUND) {
            return fail(reterr, got, "a piece of a file cannot be read");
        }
        if (value.len == 0 || value.len > size - at) {
            return fail(reterr, STATUS_DATA_LOSS, "a piece of a file is missing");
        }
        memcpy(place + at, value.ptr, value.len);
        at += value.len;
    }
    *ret_data = (ProtobufCBinaryData){.data = place, .len = size};
    return STATUS_OK;
}
