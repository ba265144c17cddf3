#include "scheduler/engine/files/engine_files.h"

#include "base/assert.h"
#include "scheduler/tables/file_store.h"

enum { SYSTEM_PARTITION = 0, ROWS_PER_PIECE = FILE_PIECE_SIZE / FILE_ROW_SIZE };

/* --- rows --------------------------------------------------------------------------------------
 */

static status put_record(struct engine *engine, const Pb__StoredFile *file, struct error *reterr)
{
    struct key key;
    file_key(&key, str_from(file->namespace_), str_from(file->id));
    return record_put(engine->txn, TABLE_FILES, key_bytes(&key), &file->base, reterr);
}

/* When what is there of it goes; 0: never. The record is put by the caller. */
static status set_due(struct engine *engine, Pb__StoredFile *file, int64_t due_us,
                      struct error *reterr)
{
    struct key key;
    if (file->due_us > 0) {
        file_due_key(&key, file->due_us, str_from(file->namespace_), str_from(file->id));
        TRY(txn_delete(engine->txn, TABLE_FILE_DUE, key_bytes(&key), reterr));
    }
    file->due_us = due_us;
    if (due_us == 0) return STATUS_OK;
    if (due_us < engine->file_due_us) engine->file_due_us = due_us;
    file_due_key(&key, due_us, str_from(file->namespace_), str_from(file->id));
    return txn_put(engine->txn, TABLE_FILE_DUE, key_bytes(&key), (bytes){.ptr = "", .len = 0},
                   reterr);
}

static status put_piece(struct engine *engine, Pb__StoredFile *file, ProtobufCBinaryData data,
                        struct error *reterr)
{
    uint32_t row = file->pieces * ROWS_PER_PIECE;
    for (size_t at = 0; at < data.len; at += FILE_ROW_SIZE, row++) {
        struct key key;
        size_t left = data.len - at;
        bytes value = {.ptr = data.data + at, .len = left < FILE_ROW_SIZE ? left : FILE_ROW_SIZE};
        file_row_key(&key, str_from(file->id), row);
        TRY(txn_put(engine->txn, TABLE_FILE_PIECES, key_bytes(&key), value, reterr));
    }
    file->pieces++;
    bool is_whole = file->pieces == file_piece_count(file->size);
    int64_t due   = is_whole ? file->expires_us : file->created_us + FILE_UPLOAD_US;
    if (is_whole || file->due_us == 0) TRY(set_due(engine, file, due, reterr));
    return put_record(engine, file, reterr);
}

/* --- commands ----------------------------------------------------------------------------------
 */

static status refuse_full(struct command *command)
{
    return command_refuse(command, STATUS_RESOURCE_EXHAUSTED, "store_full",
                          "the store is nearly full");
}

status engine_begin_file(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__BeginFile *request = command->request;
    uint64_t count               = 0;
    engine_answer(engine, command);
    if (!engine->accepts_runs) return refuse_full(command);
    TRY(txn_count(engine->txn, TABLE_FILES, &count, reterr));
    if (count >= FILES_MAX) {
        return command_refuse(command, STATUS_RESOURCE_EXHAUSTED, "quota_exceeded",
                              "there are %d files; no more fit", FILES_MAX);
    }
    struct id id =
        id_next(&engine->ids, engine->now_us / 1000, (uint32_t)prng_next(&engine->random));
    Pb__StoredFile file = *request->file;
    file.namespace_     = text_in(engine->arena, command->namespace);
    file.id             = text_in(engine->arena, str_from(id.text));
    file.created_us     = engine->now_us;
    file.pieces         = 0;
    file.deleted        = false;
    file.due_us         = 0;
    TRY(put_piece(engine, &file, request->data, reterr));
    *(Pb__StoredFile *)command->response = file;
    return STATUS_OK;
}

static status find(struct engine *engine, struct command *command, const char *id,
                   Pb__StoredFile **ret_file, struct error *reterr)
{
    struct error why = {};
    status got =
        file_get(engine->txn, command->namespace, str_from(id), engine->arena, ret_file, &why);
    if (got == STATUS_OK && (*ret_file)->deleted) {
        *ret_file = NULL;
        return command_refuse(command, STATUS_NOT_FOUND, "not_found", "there is no such file");
    }
    if (got != STATUS_NOT_FOUND) return got == STATUS_OK ? got : fail(reterr, got, "%s", why.text);
    *ret_file = NULL;
    return command_refuse(command, got, "not_found", "%s", why.text);
}

status engine_append_file(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__AppendFile *request = command->request;
    Pb__StoredFile *file          = NULL;
    engine_answer(engine, command);
    if (!engine->accepts_runs) return refuse_full(command);
    TRY(find(engine, command, request->id, &file, reterr));
    if (!file) return STATUS_OK;
    bool is_next = request->number == file->pieces && file->pieces < file_piece_count(file->size);
    if (request->number > file->pieces || (request->number == file->pieces && !is_next) ||
        (is_next && request->data.len != file_piece_size(file->size, request->number))) {
        return command_refuse(command, STATUS_INVALID_ARGUMENT, "input_invalid",
                              "a piece that the file does not have, or not yet");
    }
    if (is_next) TRY(put_piece(engine, file, request->data, reterr));
    *(Pb__StoredFile *)command->response = *file;
    return STATUS_OK;
}

status engine_delete_file(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__FileAt *request = command->request;
    Pb__StoredFile *file      = NULL;
    engine_answer(engine, command);
    TRY(find(engine, command, request->id, &file, reterr));
    if (!file) return STATUS_OK;
    file->deleted = true;
    TRY(set_due(engine, file, engine->now_us, reterr));
    TRY(put_record(engine, file, reterr));
    *(Pb__StoredFile *)command->response = *file;
    return STATUS_OK;
}

/* --- what goes ---------------------------------------------------------------------------------
 */

/* Some rows of a file; `*ret_is_gone`: there are no more. */
static status drop_rows(struct engine *engine, str id, bool *ret_is_gone, struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    struct key prefix;
    id_key(&prefix, id);
    const struct scan scan = {.prefix = key_bytes(&prefix)};
    TRY(cursor_open(engine->txn, TABLE_FILE_PIECES, &scan, &cursor, reterr));
    *ret_is_gone = false;
    for (unsigned i = 0; i < FILE_ROWS_PER_TURN; i++) {
        bytes key    = {};
        bytes row    = {};
        status next  = cursor_next(cursor, &key, &row, NULL);
        *ret_is_gone = next == STATUS_NOT_FOUND;
        if (*ret_is_gone) return STATUS_OK;
        if (next != STATUS_OK) return fail(reterr, next, "the pieces of a file cannot be read");
        TRY(cursor_delete(cursor, reterr));
    }
    return STATUS_OK;
}

static status drop_some(struct engine *engine, str namespace, str id, struct error *reterr)
{
    Pb__StoredFile *file = NULL;
    bool is_gone         = false;
    struct key key;
    TRY(file_get(engine->txn, namespace, id, engine->arena, &file, reterr));
    TRY(drop_rows(engine, id, &is_gone, reterr));
    if (!is_gone && file->deleted) return STATUS_OK;
    file->deleted = true;
    if (!is_gone) return put_record(engine, file, reterr);
    TRY(set_due(engine, file, 0, reterr));
    file_key(&key, namespace, id);
    return txn_delete(engine->txn, TABLE_FILES, key_bytes(&key), reterr);
}

/* The first row of what is due; NOT_FOUND if there is none. */
static status first_due(struct engine *engine, struct key_text *ret_namespace, struct id *ret_id,
                        int64_t *ret_due_us, struct error *reterr)
{
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    bytes key                                    = {};
    bytes row                                    = {};
    const struct scan scan                       = {};
    TRY(cursor_open(engine->txn, TABLE_FILE_DUE, &scan, &cursor, reterr));
    status next = cursor_next(cursor, &key, &row, NULL);
    if (next == STATUS_NOT_FOUND) return next;
    if (next == STATUS_OK && file_due_key_read(key, ret_due_us, ret_namespace, ret_id)) return next;
    return fail(reterr, STATUS_DATA_LOSS, "the times of files cannot be read");
}

status engine_files_due(struct engine *engine, struct error *reterr)
{
    struct key_text namespace = {};
    struct id id              = {};
    int64_t due_us            = 0;
    if (engine->file_due_us > engine->now_us) return STATUS_OK;
    status found = first_due(engine, &namespace, &id, &due_us, reterr);
    if (found != STATUS_OK && found != STATUS_NOT_FOUND) return found;
    if (found == STATUS_OK && due_us <= engine->now_us) {
        str owner = {.ptr = namespace.data, .len = namespace.len};
        TRY(drop_some(engine, owner, str_from(id.text), reterr));
    }
    return engine_peek_files(engine, reterr);
}

status engine_peek_files(struct engine *engine, struct error *reterr)
{
    struct key_text namespace = {};
    struct id id              = {};
    engine->file_due_us       = INT64_MAX;
    if (engine->partition->index != SYSTEM_PARTITION) return STATUS_OK;
    status found = first_due(engine, &namespace, &id, &engine->file_due_us, reterr);
    return found == STATUS_NOT_FOUND ? STATUS_OK : found;
}
