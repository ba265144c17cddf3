/* The log as it is found: which base is durable, and what was committed behind it. */
#include "base/assert.h"
#include "base/attr.h"
#include "base/mem.h"
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

struct wal_file {
    uint8_t *data; /* owned; NULL: the file is not there, or empty */
    size_t size;
    struct wal_head head; /* {}: it has not a whole one */
    bool is_settled, is_doubted;
};

struct wal_past {
    struct wal_file files[WAL_FILES];
    unsigned base, now; /* file that is settled; that is being read */
    size_t at;
    uint64_t number; /* of the next record */
    struct wal_end end;
};

uint64_t wal_checksum(uint64_t begun, bytes part)
{
    const uint8_t *at = part.ptr;
    uint64_t sum      = begun ^ part.len;
    for (size_t left = part.len; left > 0;) {
        uint64_t word = 0;
        size_t len    = left < sizeof word ? left : sizeof word;
        memcpy(&word, at, len);
        sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15); /* odd: no two words come to the same */
        sum ^= sum >> 32;
        at += len;
        left -= len;
    }
    return sum;
}

static bytes behind_checksum(const void *what, size_t size)
{
    return (bytes){(const uint8_t *)what + sizeof(uint64_t), size - sizeof(uint64_t)};
}

uint64_t wal_head_checksum(const struct wal_head *head, bytes keep)
{
    return wal_checksum(wal_checksum(head->salt, behind_checksum(head, sizeof *head)), keep);
}

uint64_t wal_mark_checksum(uint64_t lineage, const struct wal_mark *mark)
{
    return wal_checksum(lineage, behind_checksum(mark, sizeof *mark));
}

uint64_t wal_proof(uint64_t lineage, uint64_t number)
{
    return wal_checksum(lineage, (bytes){&number, sizeof number});
}

uint64_t wal_frame_checksum(uint64_t salt, const struct wal_frame *frame, bytes payload)
{
    return wal_checksum(wal_checksum(salt, behind_checksum(frame, sizeof *frame)), payload);
}

/* --- files -------------------------------------------------------------------------------------
 */

static void fd_closep(const int *fd)
{
    if (*fd >= 0) close(*fd);
}

static status read_whole(int fd, const char *path, struct wal_file *file, struct error *reterr)
{
    struct stat stat;
    if (fstat(fd, &stat) != 0) return fail(reterr, STATUS_UNAVAILABLE, "store: %s: %m", path);
    if (stat.st_size <= 0) return STATUS_OK;
    file->data = mem_new((size_t)stat.st_size, 1);
    while (file->size < (size_t)stat.st_size) {
        ssize_t got = pread(fd, file->data + file->size, (size_t)stat.st_size - file->size,
                            (off_t)file->size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(reterr, STATUS_UNAVAILABLE, "store: read %s: %m", path);
        if (got == 0) break;
        file->size += (size_t)got;
    }
    return STATUS_OK;
}

/* The greatest generation that has this mark behind the base; 0: none. `head`: of its log. */
static uint64_t marked(const struct wal_file *file, const struct wal_head *head, uint64_t is)
{
    uint64_t greatest = 0;
    if (wal_records_at(head->keep_len) > file->size) return 0;
    for (size_t i = 0; i < WAL_MARKS; i++) {
        struct wal_mark mark;
        memcpy(&mark, file->data + wal_marks_at(head->keep_len, is) + i * WAL_MARK_SIZE,
               sizeof mark);
        if (mark.is != is || mark.checksum != wal_mark_checksum(head->lineage, &mark)) continue;
        if (mark.generation > greatest) greatest = mark.generation;
    }
    return greatest;
}

/* A head that was being written when the machine died is none. */
static status read_head(struct wal_file *file, const char *path, struct error *reterr)
{
    struct wal_head head;
    if (file->size < WAL_HEAD_SIZE) return STATUS_OK;
    memcpy(&head, file->data, sizeof head);
    if (head.magic != WAL_MAGIC) return STATUS_OK;
    if (head.version == 0 || head.keep_len > WAL_BASE_MAX ||
        wal_records_at(head.keep_len) > file->size ||
        head.checksum !=
            wal_head_checksum(&head, (bytes){file->data + WAL_HEAD_SIZE, head.keep_len})) {
        return STATUS_OK;
    }
    if (head.version > WAL_VERSION) {
        return fail(reterr, STATUS_DATA_LOSS,
                    "store: %s was written by a later release: use that, and stop it in order",
                    path);
    }
    file->head       = head;
    file->is_settled = marked(file, &head, WAL_SETTLED) == head.generation;
    file->is_doubted = marked(file, &head, WAL_DOUBTED) == head.generation;
    return STATUS_OK;
}

static status read_file(const char *folder, unsigned index, struct wal_file *file,
                        bool *ret_is_there, struct error *reterr)
{
    char path[STORE_PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/wal.%u", folder, index);
    if (len >= (int)sizeof path) return fail(reterr, STATUS_INVALID_ARGUMENT, "too long a name");
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return STATUS_OK;
    if (fd < 0) return fail(reterr, STATUS_UNAVAILABLE, "store: %s: %m", path);
    TRY(read_whole(fd, path, file, reterr));
    *ret_is_there |= file->size > 0; /* an empty one is made before the first log begins */
    return read_head(file, path, reterr);
}

/* --- records -----------------------------------------------------------------------------------
 */

/* The record at `past->at`, if there is a whole one; `past` stays. */
static bool peek(const struct wal_past *past, struct wal_frame *ret_frame, bytes *ret_payload)
{
    const struct wal_file *file = &past->files[past->now];
    if (past->at > file->size || file->size - past->at < sizeof *ret_frame) return false;
    struct wal_frame frame;
    memcpy(&frame, file->data + past->at, sizeof frame);
    size_t left = file->size - past->at;
    if (frame.number != past->number || wal_aligned(sizeof frame + frame.len) > left) return false;
    bytes payload = {file->data + past->at + sizeof frame, frame.len};
    if (frame.checksum != wal_frame_checksum(file->head.salt, &frame, payload)) return false;
    *ret_frame   = frame;
    *ret_payload = payload;
    return true;
}

static void step(struct wal_past *past, const struct wal_frame *frame)
{
    past->at += wal_aligned(sizeof *frame + frame->len);
    past->number++;
}

static void go_to(struct wal_past *past, unsigned file)
{
    past->now    = file;
    past->number = past->files[file].head.first;
    past->at     = wal_records_at(past->files[file].head.keep_len);
}

static bool has_second(const struct wal_past *past)
{
    return past->files[1 - past->base].head.generation > past->files[past->base].head.generation;
}

static bool is_doubted(const struct wal_past *past)
{
    const struct wal_file *base  = &past->files[past->base];
    const struct wal_file *other = &past->files[1 - past->base];
    return base->is_doubted || (has_second(past) && other->is_doubted);
}

bool wal_past_next(struct wal_past *past, struct wal_record *ret_record)
{
    struct wal_frame frame;
    bytes payload;
    for (;;) {
        if (!peek(past, &frame, &payload)) {
            if (past->now != past->base || !has_second(past)) return false;
            go_to(past, 1 - past->base);
            continue;
        }
        step(past, &frame);
        if (frame.kind != WAL_COMMIT) continue;
        struct wal_frame next;
        bytes nothing;
        bool is_taken_back = peek(past, &next, &nothing) && next.kind == WAL_TAKEN_BACK &&
                             next.commit == frame.commit;
        if (is_taken_back) continue;
        *ret_record = (struct wal_record){.commit = frame.commit, .payload = payload};
        return true;
    }
}

/* --- all of it ---------------------------------------------------------------------------------
 */

/* The settled file with the greater generation; false: none is. */
static bool find_base(struct wal_past *past)
{
    bool is_found = false;
    for (unsigned i = 0; i < WAL_FILES; i++) {
        const struct wal_file *file = &past->files[i];
        if (!file->is_settled) continue;
        if (is_found && file->head.generation < past->files[past->base].head.generation) continue;
        past->base = i;
        is_found   = true;
    }
    return is_found;
}

/* To the end of a file. `*ret_last`: where its last record begins; 0: it has none. */
static void read_through(struct wal_past *past, size_t *ret_last)
{
    struct wal_frame frame;
    bytes payload;
    *ret_last = 0;
    while (peek(past, &frame, &payload)) {
        *ret_last = past->at;
        step(past, &frame);
    }
}

/* Goes through all that can be read. False: the second file does not go on where the first one
 * ends. */
static bool find_end(struct wal_past *past)
{
    size_t last = 0;
    go_to(past, past->base);
    read_through(past, &last);
    if (has_second(past)) {
        const struct wal_head *second = &past->files[1 - past->base].head;
        if (second->lineage != past->files[past->base].head.lineage) return false;
        if (second->first != past->number) return false;
        go_to(past, 1 - past->base);
        read_through(past, &last);
    }
    const struct wal_file *file = &past->files[past->now];
    bool is_plain               = !has_second(past) && !is_doubted(past);
    past->end                   = (struct wal_end){.file     = past->now,
                                                   .head     = file->head,
                                                   .at       = past->at,
                                                   .number   = past->number,
                                                   .is_plain = is_plain};
    if (last > 0) past->end.last = (bytes){file->data + last, past->at - last};
    return true;
}

/* A record beyond the end was written when the one at the end was durable. */
static bool has_record_beyond(const struct wal_file *file, const struct wal_end *end)
{
    struct wal_frame frame;
    for (size_t at = 0; at + sizeof frame <= file->size; at += WAL_ALIGN) {
        memcpy(&frame, file->data + at, sizeof frame);
        if (frame.number <= end->number || frame.number - end->number > file->size) continue;
        if (frame.proof == wal_proof(end->head.lineage, frame.number)) return true;
    }
    return false;
}

static status find_damage(const struct wal_past *past, const char *folder, struct error *reterr)
{
    const struct wal_end *end = &past->end;
    for (unsigned i = 0; i < WAL_FILES; i++) {
        if (marked(&past->files[i], &end->head, WAL_SETTLED) > end->head.generation) {
            return fail(reterr, STATUS_DATA_LOSS,
                        "store: %s/wal.%u is damaged in its first %zu bytes: restore a backup",
                        folder, i, wal_records_at(end->head.keep_len));
        }
        if (has_record_beyond(&past->files[i], end)) {
            return fail(reterr, STATUS_DATA_LOSS,
                        "store: the log is damaged behind byte %zu of %s/wal.%u, and commits that "
                        "were acknowledged follow: restore a backup",
                        end->at, folder, end->file);
        }
    }
    return STATUS_OK;
}

static status choose(struct wal_past *past, const char *folder, struct error *reterr)
{
    if (!find_base(past)) {
        return fail(reterr, STATUS_DATA_LOSS,
                    "store: the log in %s (wal.0, wal.1) has no beginning: restore a backup",
                    folder);
    }
    if (!find_end(past)) {
        return fail(reterr, STATUS_DATA_LOSS,
                    "store: the log in %s has a gap at the end of wal.%u: restore a backup", folder,
                    past->base);
    }
    TRY(find_damage(past, folder, reterr));
    go_to(past, past->base);
    return STATUS_OK;
}

status wal_past_read(const char *folder, struct wal_past **ret_past, struct error *reterr)
{
    CLEANUP(wal_past_freep) struct wal_past *past = mem_new(1, sizeof *past);
    bool is_there                                 = false;
    for (unsigned i = 0; i < WAL_FILES; i++) {
        TRY(read_file(folder, i, &past->files[i], &is_there, reterr));
    }
    *ret_past = NULL;
    if (!is_there) return STATUS_OK;
    TRY(choose(past, folder, reterr));
    *ret_past = TAKE(past);
    return STATUS_OK;
}

void wal_past_free(struct wal_past *past)
{
    if (!past) return;
    for (unsigned i = 0; i < WAL_FILES; i++) free(past->files[i].data);
    free(past);
}

void wal_past_freep(struct wal_past **past)
{
    wal_past_free(*past);
}

struct wal_base wal_past_base(const struct wal_past *past)
{
    const struct wal_file *file = &past->files[past->base];
    return (struct wal_base){.commit = file->head.commit,
                             .keep   = {file->data + WAL_HEAD_SIZE, file->head.keep_len}};
}

bool wal_past_is_doubted(const struct wal_past *past)
{
    return is_doubted(past);
}

const struct wal_end *wal_past_end(const struct wal_past *past)
{
    return &past->end;
}
