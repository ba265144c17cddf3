/*
 * Bytes as a segment of the archive, and as the changes of a transaction: whatever they are, they
 * are read or refused. The first byte says which: 0: a file as it is; 1: a file whose digests are
 * made right first, so that what is behind them is reached; 2: changes, applied to a store.
 */
#include "scheduler/archive/segment.h"

#include "base/assert.h"
#include "base/buf.h"

#include <string.h>

enum { CHECK = 8, RECORD_HEAD = 21, STORE_BYTES = 1 << 20, TABLE_REDO = 1 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_check(char *raw, size_t len)
{
    uint8_t digest[SHA256_SIZE];
    sha256((bytes){raw, len}, digest);
    memcpy(raw + len, digest, CHECK);
}

static void make_right(struct buf *file)
{
    if (file->len < SEGMENT_HEAD_SIZE) return;
    size_t at = SEGMENT_HEAD_SIZE;
    while (file->len - at >= RECORD_HEAD + CHECK) {
        size_t len = u32_from(file->ptr + at + 17);
        if (len > file->len - at - RECORD_HEAD - CHECK) break;
        put_check(file->ptr + at, RECORD_HEAD + len);
        at += RECORD_HEAD + len + CHECK;
    }
    sha256((bytes){file->ptr + SEGMENT_HEAD_SIZE, file->len - SEGMENT_HEAD_SIZE},
           (uint8_t *)file->ptr + 72);
    put_check(file->ptr, SEGMENT_HEAD_SIZE - CHECK);
}

static void read_file(bytes file)
{
    struct segment segment    = {};
    struct redo_record record = {};
    struct error error        = {};
    status next               = segment_open(file, "f", &segment, &error);
    uint64_t sequence         = segment.next;
    while (next == STATUS_OK) {
        next = segment_next(&segment, &record, &error);
        if (next == STATUS_OK) ASSERT(record.sequence == sequence++);
        if (next == STATUS_OK) ASSERT(record.part.len <= REDO_PART_MAX);
    }
    ASSERT(next == STATUS_NOT_FOUND || next == STATUS_DATA_LOSS ||
           next == STATUS_FAILED_PRECONDITION);
}

static void apply(bytes changes)
{
    static const char *const tables[]         = {"a", "redo", NULL};
    const struct store_options options        = {.size_max = STORE_BYTES, .tables = tables};
    CLEANUP(store_closep) struct store *store = store_open_memory(&options);
    struct txn *txn                           = NULL;
    struct error error                        = {};
    status begun                              = txn_begin_write(store, &txn, &error);
    ASSERT(begun == STATUS_OK);
    status applied = redo_apply(txn, changes, TABLE_REDO, &error);
    ASSERT(applied == STATUS_OK || applied == STATUS_DATA_LOSS ||
           applied == STATUS_RESOURCE_EXHAUSTED);
    txn_abort(txn);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    bytes rest = {data + 1, size - 1};
    if (data[0] == 2) {
        apply(rest);
        return 0;
    }
    CLEANUP(buf_done) struct buf file = buf_init(SEGMENT_SIZE_MAX);
    (void)buf_put(&file, rest.ptr, rest.len);
    if (data[0] == 1) make_right(&file);
    read_file(bytes_from(buf_str(&file)));
    return 0;
}
