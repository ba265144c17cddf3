/**
 * file_store: stored files in the tables of the system partition.
 *
 *     files        namespace, id -> StoredFile (file.proto)
 *     file_pieces  id, number (u32) -> up to FILE_ROW_SIZE bytes
 *     file_due     due in us (u64), namespace, id -> nothing: what is left of it goes then
 *
 * A file comes in pieces of FILE_PIECE_SIZE, each of which is a transaction of its own, and several
 * rows. It is there once its last piece is; one whose upload was cut off goes after FILE_UPLOAD_US.
 *
 * Functions read in a transaction of the caller's.
 */
#ifndef SCHEDULER_FILE_STORE_H
#define SCHEDULER_FILE_STORE_H

#include "file.pb-c.h"
#include "scheduler/tables/record.h"

enum {
    FILE_SIZE_MAX    = 32 << 20,  /* bytes */
    FILE_PIECE_SIZE  = 1 << 20,   /* bytes that travel together */
    FILE_ROW_SIZE    = 256 << 10, /* bytes */
    FILE_NAME_MAX    = 255,       /* bytes, as the next three */
    FILE_TYPE_MAX    = 127,
    FILE_SUBJECT_MAX = 200,
    FILE_SHA256_SIZE = 32,
};
#define FILE_UPLOAD_US INT64_C(3'600'000'000) /* so long after its beginning an upload may last */

/** `id` empty: the prefix of all of the namespace. */
void file_key(struct key *key, str namespace, str id);
void file_row_key(struct key *key, str id, uint32_t number);
void file_due_key(struct key *key, int64_t due_us, str namespace, str id);
bool file_due_key_read(bytes raw, int64_t *ret_due_us, struct key_text *ret_namespace,
                       struct id *ret_id);

/** How many pieces a file has when it is whole, and how large one of them is. */
uint32_t file_piece_count(int64_t size);
size_t file_piece_size(int64_t size, uint32_t number);

/** Says whether anybody may see it. */
bool file_is_there(const Pb__StoredFile *file, int64_t now_us);

/** Whatever there is of it, also if nobody may see it. NOT_FOUND (code "not_found"). Lives as long
 * as `arena`. */
status file_get(struct txn *txn, str namespace, str id, struct arena *arena,
                Pb__StoredFile **ret_file, struct error *reterr);

/** One piece of a whole file, in the arena. DATA_LOSS: a row of it is missing. */
status file_read_piece(struct txn *txn, const Pb__StoredFile *file, uint32_t number,
                       struct arena *arena, ProtobufCBinaryData *ret_data, struct error *reterr);

#endif
