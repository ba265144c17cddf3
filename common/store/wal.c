#include "store/wal.h"

#include "base/assert.h"
#include "base/attr.h"
#include "base/mem.h"
#include "base/random.h"
#include "store/disk.h"
#include "store/store.h"
#include "store/wal_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FILE_MODE = 0600,
    SPARE     = sizeof(struct wal_frame), /* bytes: room to take the last commit back */
};

struct wal {
    char folder[STORE_PATH_MAX];
    int fds[WAL_FILES];
    size_t sizes[WAL_FILES]; /* bytes that are there, as zeros or more */
    unsigned now;            /* file that grows */
    struct wal_head head;    /* its */
    size_t begin, end;       /* of its records */
    uint64_t number;         /* of the next record */
    uint8_t *frame;          /* owned: a record as it is written */
    size_t frame_size;
};

/* --- files -------------------------------------------------------------------------------------
 */

static status path_of(const struct wal *wal, const char *name, char path[static STORE_PATH_MAX],
                      struct error *reterr)
{
    int len = snprintf(path, STORE_PATH_MAX, "%s/%s", wal->folder, name);
    if (len < STORE_PATH_MAX) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "store: the folder's name is too long");
}

static status open_file(const struct wal *wal, const char *name, int flags, int *ret_fd,
                        struct error *reterr)
{
    char path[STORE_PATH_MAX];
    TRY(path_of(wal, name, path, reterr));
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | flags, FILE_MODE);
    if (fd < 0) return fail(reterr, STATUS_UNAVAILABLE, "store: %s: %m", path);
    *ret_fd = fd;
    return STATUS_OK;
}

static status log_write(const struct wal *wal, unsigned file, const void *data, size_t len,
                        size_t at, struct error *reterr)
{
    return disk_write(wal->fds[file], data, len, (off_t)at, "the log", reterr);
}

static status log_sync(const struct wal *wal, unsigned file, struct error *reterr)
{
    return disk_sync(wal->fds[file], "the log", reterr);
}

/* Zeros in front of the end: what is written there later changes no length. */
static status make_room(struct wal *wal, unsigned file, size_t size, struct error *reterr)
{
    static const uint8_t zeros[WAL_GROW_MIN];
    if (size <= wal->sizes[file]) return STATUS_OK;
    size_t grow = wal->sizes[file];
    if (grow < WAL_GROW_MIN) grow = WAL_GROW_MIN;
    if (grow > WAL_GROW_MAX) grow = WAL_GROW_MAX;
    size_t goal = wal->sizes[file] + grow > size ? wal->sizes[file] + grow : size;
    while (wal->sizes[file] < goal) {
        size_t len = goal - wal->sizes[file];
        if (len > sizeof zeros) len = sizeof zeros;
        TRY(log_write(wal, file, zeros, len, wal->sizes[file], reterr));
        wal->sizes[file] += len;
    }
    return STATUS_OK;
}

/* --- a base ------------------------------------------------------------------------------------
 */

enum { MARKS_SIZE = WAL_MARKS * WAL_MARK_SIZE };

static void put_marks(uint8_t data[static MARKS_SIZE], const struct wal_head *head, uint64_t is)
{
    struct wal_mark mark = {.is = is, .generation = head->generation};
    mark.checksum        = wal_mark_checksum(head->lineage, &mark);
    for (size_t i = 0; i < WAL_MARKS; i++) memcpy(data + i * WAL_MARK_SIZE, &mark, sizeof mark);
}

/* What follows the log that was there, if one was. */
static struct wal_head head_of(const struct wal_base *base, const struct wal_head *before,
                               uint64_t first)
{
    ASSERT(base->keep.len <= WAL_BASE_MAX);
    struct wal_head head = {.magic      = WAL_MAGIC,
                            .version    = WAL_VERSION,
                            .keep_len   = (uint32_t)base->keep.len,
                            .lineage    = before ? before->lineage : random_u64(),
                            .generation = before ? before->generation + 1 : 1,
                            .salt       = random_u64(),
                            .first      = first,
                            .commit     = base->commit};
    head.checksum        = wal_head_checksum(&head, base->keep);
    return head;
}

/* Everything in front of the records, in one write. */
static status write_base(struct wal *wal, unsigned file, const struct wal_head *head, bytes keep,
                         bool is_settled, struct error *reterr)
{
    size_t size   = wal_records_at(keep.len);
    uint8_t *data = mem_new(size, 1);
    memcpy(data, head, sizeof *head);
    if (keep.len > 0) memcpy(data + WAL_HEAD_SIZE, keep.ptr, keep.len);
    if (is_settled) put_marks(data + wal_marks_at(keep.len, WAL_SETTLED), head, WAL_SETTLED);
    status written = log_write(wal, file, data, size, 0, reterr);
    free(data);
    if (written == STATUS_OK && wal->sizes[file] < size) wal->sizes[file] = size;
    return written;
}

static void go_on_in(struct wal *wal, unsigned file, const struct wal_head *head)
{
    wal->now    = file;
    wal->head   = *head;
    wal->begin  = wal_records_at(head->keep_len);
    wal->end    = wal->begin;
    wal->number = head->first;
}

/* --- open and close ----------------------------------------------------------------------------
 */

static status size_of(struct wal *wal, unsigned file, struct error *reterr)
{
    struct stat stat;
    if (fstat(wal->fds[file], &stat) != 0) {
        return fail(reterr, STATUS_UNAVAILABLE, "store: the log in %s: %m", wal->folder);
    }
    wal->sizes[file] = (size_t)stat.st_size;
    return STATUS_OK;
}

/* Written beside, whole and synced, before it takes its name: whatever log there was counts until
 * then. A wal.1 of it is older from then on. */
static status begin(struct wal *wal, const struct wal_head *head, bytes keep, struct error *reterr)
{
    char fresh[STORE_PATH_MAX];
    char path[STORE_PATH_MAX];
    TRY(path_of(wal, "wal.new", fresh, reterr));
    TRY(path_of(wal, "wal.0", path, reterr));
    TRY(open_file(wal, "wal.1", 0, &wal->fds[1], reterr));
    TRY(size_of(wal, 1, reterr));
    TRY(open_file(wal, "wal.new", O_TRUNC, &wal->fds[0], reterr));
    TRY(write_base(wal, 0, head, keep, true, reterr));
    TRY(log_sync(wal, 0, reterr));
    if (rename(fresh, path) != 0) {
        return fail(reterr, STATUS_UNAVAILABLE, "store: rename %s: %m", fresh);
    }
    TRY(disk_sync_folder(wal->folder, reterr));
    go_on_in(wal, 0, head);
    return STATUS_OK;
}

static struct wal *wal_new(const char *folder)
{
    struct wal *wal = mem_new(1, sizeof *wal);
    wal->fds[0] = wal->fds[1] = -1;
    int len                   = snprintf(wal->folder, sizeof wal->folder, "%s", folder);
    ASSERT(len >= 0 && (size_t)len < sizeof wal->folder);
    return wal;
}

static status give(struct wal *wal, status code, struct wal **ret_wal)
{
    if (code == STATUS_OK) {
        *ret_wal = wal;
    } else {
        wal_close(wal);
    }
    return code;
}

status wal_open(const char *folder, const struct wal_past *past, const struct wal_base *base,
                struct wal **ret_wal, struct error *reterr)
{
    struct wal *wal            = wal_new(folder);
    const struct wal_end *end  = past ? wal_past_end(past) : NULL;
    const struct wal_head head = head_of(base, end ? &end->head : NULL, end ? end->number : 1);
    return give(wal, begin(wal, &head, base->keep, reterr), ret_wal);
}

/* The last record may be in the page cache only, and a sync that has failed may have told nobody
 * who still lives: it is written once more. */
static status resume(struct wal *wal, const struct wal_end *end, struct error *reterr)
{
    static const char *const names[WAL_FILES] = {"wal.0", "wal.1"};
    for (unsigned i = 0; i < WAL_FILES; i++) {
        TRY(open_file(wal, names[i], 0, &wal->fds[i], reterr));
        TRY(size_of(wal, i, reterr));
    }
    TRY(disk_sync_folder(wal->folder, reterr));
    go_on_in(wal, end->file, &end->head);
    wal->end    = end->at;
    wal->number = end->number;
    TRY(log_write(wal, end->file, end->last.ptr, end->last.len, end->at - end->last.len, reterr));
    return log_sync(wal, end->file, reterr);
}

status wal_resume(const char *folder, const struct wal_past *past, struct wal **ret_wal,
                  struct error *reterr)
{
    const struct wal_end *end = wal_past_end(past);
    if (!end->is_plain) {
        return fail(reterr, STATUS_FAILED_PRECONDITION, "store: a checkpoint was under way");
    }
    struct wal *wal = wal_new(folder);
    return give(wal, resume(wal, end, reterr), ret_wal);
}

void wal_close(struct wal *wal)
{
    if (!wal) return;
    for (unsigned i = 0; i < WAL_FILES; i++) {
        if (wal->fds[i] >= 0) close(wal->fds[i]);
    }
    free(wal->frame);
    free(wal);
}

/* The older file first, durably: alone it would begin with a base that may be gone. */
static status remove_files(const struct wal *wal, struct error *reterr)
{
    static const char *const names[WAL_FILES] = {"wal.0", "wal.1"};
    char path[STORE_PATH_MAX];
    for (unsigned i = 0; i < WAL_FILES; i++) {
        TRY(path_of(wal, names[i == 0 ? 1 - wal->now : wal->now], path, reterr));
        if (unlink(path) != 0 && errno != ENOENT) {
            return fail(reterr, STATUS_UNAVAILABLE, "store: remove %s: %m", path);
        }
        TRY(disk_sync_folder(wal->folder, reterr));
    }
    return STATUS_OK;
}

status wal_remove(struct wal *wal, struct error *reterr)
{
    status removed = remove_files(wal, reterr);
    wal_close(wal);
    return removed;
}

/* --- records -----------------------------------------------------------------------------------
 */

static void *frame_memory(struct wal *wal, size_t size)
{
    if (size > wal->frame_size || wal->frame_size > 16 * WAL_GROW_MAX) {
        free(wal->frame);
        wal->frame_size = size > WAL_GROW_MIN ? size : WAL_GROW_MIN;
        wal->frame      = mem_new(wal->frame_size, 1);
    }
    return wal->frame;
}

static status put_record(struct wal *wal, enum wal_kind kind, uint64_t commit, bytes payload,
                         struct error *reterr)
{
    struct wal_frame frame = {.len    = (uint32_t)payload.len,
                              .kind   = kind,
                              .number = wal->number,
                              .commit = commit,
                              .proof  = wal_proof(wal->head.lineage, wal->number)};
    frame.checksum         = wal_frame_checksum(wal->head.salt, &frame, payload);
    size_t size            = wal_aligned(sizeof frame + payload.len);
    uint8_t *data          = frame_memory(wal, size);
    memset(data + size - WAL_ALIGN, 0, WAL_ALIGN);
    memcpy(data, &frame, sizeof frame);
    if (payload.len > 0) memcpy(data + sizeof frame, payload.ptr, payload.len);
    TRY(log_write(wal, wal->now, data, size, wal->end, reterr));

    /* From here on the record may be on disk, whatever the answer is. */
    TRY(log_sync(wal, wal->now, reterr));
    wal->end += size;
    wal->number++;
    return STATUS_OK;
}

status wal_append(struct wal *wal, uint64_t commit, bytes payload, struct error *reterr)
{
    if (payload.len > WAL_PAYLOAD_MAX) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED,
                    "store: a commit of %zu bytes; %d are allowed", payload.len, WAL_PAYLOAD_MAX);
    }
    size_t end = wal->end + wal_aligned(sizeof(struct wal_frame) + payload.len) + SPARE;
    TRY(make_room(wal, wal->now, end, reterr));
    return put_record(wal, WAL_COMMIT, commit, payload, reterr);
}

status wal_take_back(struct wal *wal, uint64_t commit, struct error *reterr)
{
    status code = put_record(wal, WAL_TAKEN_BACK, commit, (bytes){}, reterr);
    return code == STATUS_RESOURCE_EXHAUSTED ? STATUS_UNAVAILABLE : code;
}

uint64_t wal_turn_bytes(const struct wal *wal)
{
    return wal->end - wal->begin;
}

/* --- turns -------------------------------------------------------------------------------------
 */

static status cut(struct wal *wal, unsigned file, struct error *reterr)
{
    if (wal->sizes[file] <= WAL_KEPT_MAX) return STATUS_OK;
    if (ftruncate(wal->fds[file], WAL_KEPT_MAX) != 0) {
        return fail(reterr, STATUS_UNAVAILABLE, "store: cut the log: %m");
    }
    wal->sizes[file] = WAL_KEPT_MAX;
    return STATUS_OK;
}

status wal_turn(struct wal *wal, const struct wal_base *base, struct error *reterr)
{
    unsigned other             = 1 - wal->now;
    const struct wal_head head = head_of(base, &wal->head, wal->number);
    TRY(cut(wal, other, reterr));
    TRY(write_base(wal, other, &head, base->keep, false, reterr));
    go_on_in(wal, other, &head);
    return STATUS_OK;
}

static status write_marks(const struct wal *wal, uint64_t is, struct error *reterr)
{
    uint8_t blocks[MARKS_SIZE] = {};
    put_marks(blocks, &wal->head, is);
    return log_write(wal, wal->now, blocks, sizeof blocks, wal_marks_at(wal->head.keep_len, is),
                     reterr);
}

/* The head first: a mark proves that it was durable. */
status wal_settle(struct wal *wal, struct error *reterr)
{
    TRY(log_sync(wal, wal->now, reterr));
    TRY(write_marks(wal, WAL_SETTLED, reterr));
    return log_sync(wal, wal->now, reterr);
}

void wal_doubt(struct wal *wal)
{
    (void)write_marks(wal, WAL_DOUBTED, NULL); /* a disk that fails may refuse that, too */
}
