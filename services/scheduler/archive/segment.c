#include "scheduler/archive/segment.h"

#include "base/assert.h"
#include "base/file.h"
#include "store/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char magic[] = "TUTTIRDO";

enum {
    CHECK_SIZE  = 8,             /* bytes of a digest that stand in head and record */
    RECORD_HEAD = 8 + 8 + 1 + 4, /* bytes before the part */
    FLAG_END    = 1,
};

void segment_name(const struct segment_head *head, char name[static SEGMENT_NAME_SIZE])
{
    char timeline[2 * REDO_TIMELINE_SIZE + 1];
    hex_encode(head->timeline, REDO_TIMELINE_SIZE, timeline);
    (void)snprintf(name, SEGMENT_NAME_SIZE, "%s-%020" PRIu64 ".redo", timeline, head->first);
}

static bool put_check(struct buf *to, size_t from)
{
    uint8_t digest[SHA256_SIZE];
    sha256((bytes){to->ptr + from, to->len - from}, digest);
    return buf_put(to, digest, CHECK_SIZE);
}

static bool is_checked(const uint8_t *raw, size_t len)
{
    uint8_t digest[SHA256_SIZE];
    sha256((bytes){raw, len}, digest);
    return memcmp(digest, raw + len, CHECK_SIZE) == 0;
}

/* --- writing -----------------------------------------------------------------------------------
 */

bool segment_add(struct segment_head *head, struct buf *body, const struct redo_record *record)
{
    size_t from = body->len;
    if (from == 0) {
        head->first    = record->sequence;
        head->first_us = record->at_us;
        memcpy(head->timeline, record->timeline, sizeof head->timeline);
    }
    ASSERT(from == 0 || record->sequence == head->last + 1);
    bool is_written = buf_put_u64(body, record->sequence) &&
                      buf_put_u64(body, (uint64_t)record->at_us) &&
                      buf_put_byte(body, record->is_end ? FLAG_END : 0) &&
                      buf_put_u32(body, (uint32_t)record->part.len) &&
                      buf_put(body, record->part.ptr, record->part.len) && put_check(body, from);
    if (!is_written) {
        body->len = from;
        return false;
    }
    head->last    = record->sequence;
    head->last_us = record->at_us;
    return true;
}

static void put_head(const struct segment_head *head, struct buf *to)
{
    (void)buf_put(to, magic, sizeof magic - 1);
    (void)buf_put_u16(to, SEGMENT_FORMAT);
    (void)buf_put_u16(to, head->partition);
    (void)buf_put_u32(to, head->epoch);
    (void)buf_put(to, head->timeline, sizeof head->timeline);
    (void)buf_put_u64(to, head->first);
    (void)buf_put_u64(to, head->last);
    (void)buf_put_u64(to, (uint64_t)head->first_us);
    (void)buf_put_u64(to, (uint64_t)head->last_us);
    (void)buf_put_u64(to, head->body_size);
    (void)buf_put(to, head->sha256, sizeof head->sha256);
    (void)put_check(to, 0);
    ASSERT(to->len == SEGMENT_HEAD_SIZE);
}

static void fd_closep(const int *fd)
{
    if (*fd >= 0) close(*fd);
}

static status cannot(const char *action, const char *path, struct error *reterr)
{
    bool is_full = errno == ENOSPC || errno == EDQUOT;
    return fail(reterr, is_full ? STATUS_RESOURCE_EXHAUSTED : STATUS_UNAVAILABLE,
                "archive: %s %s: %m", action, path);
}

static status write_file(const char *path, const struct buf *head, const struct buf *body,
                         struct error *reterr)
{
    CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return cannot("make", path, reterr);
    if (!file_write(fd, bytes_from(buf_str(head))) || !file_write(fd, bytes_from(buf_str(body)))) {
        return cannot("write", path, reterr);
    }
    return fsync(fd) == 0 ? STATUS_OK : cannot("sync", path, reterr);
}

status segment_write(struct segment_head *head, const struct buf *body, const char *folder,
                     struct error *reterr)
{
    char name[SEGMENT_NAME_SIZE];
    char path[STORE_PATH_MAX];
    char partial[STORE_PATH_MAX];
    CLEANUP(buf_done) struct buf raw = buf_init(SEGMENT_HEAD_SIZE);
    ASSERT(body->len > 0);
    head->body_size = body->len;
    sha256(bytes_from(buf_str(body)), head->sha256);
    put_head(head, &raw);
    segment_name(head, name);
    int len = snprintf(partial, sizeof partial, "%s/%s.partial", folder, name);
    if ((size_t)len >= sizeof partial) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "archive: %s: path too long", folder);
    }
    (void)snprintf(path, sizeof path, "%.*s", len - (int)strlen(".partial"), partial);
    status written = write_file(partial, &raw, body, reterr);
    if (written == STATUS_OK && rename(partial, path) != 0) {
        written = cannot("rename to", path, reterr);
    }
    if (written == STATUS_OK) return disk_sync_folder(folder, reterr);
    (void)unlink(partial); /* its room may be what is missing */
    return written;
}

/* --- reading -----------------------------------------------------------------------------------
 */

static status damaged(const char *path, size_t at, const char *what, struct error *reterr)
{
    return fail(reterr, STATUS_DATA_LOSS, "%s: damaged at byte %zu: %s", path, at, what);
}

status segment_head_read(bytes file, const char *path, struct segment_head *ret_head,
                         struct error *reterr)
{
    const uint8_t *raw = file.ptr;
    size_t at          = sizeof magic - 1;
    if (file.len < SEGMENT_HEAD_SIZE) return damaged(path, file.len, "the head is cut", reterr);
    if (memcmp(raw, magic, at) != 0) return damaged(path, 0, "this is no segment", reterr);
    uint16_t format = u16_from(raw + at);
    if (format > SEGMENT_FORMAT) {
        return fail(reterr, STATUS_FAILED_PRECONDITION,
                    "%s: format %u, and this release knows %d: use the one that wrote it", path,
                    format, SEGMENT_FORMAT);
    }
    if (!is_checked(raw, SEGMENT_HEAD_SIZE - CHECK_SIZE) || format == 0) {
        return damaged(path, 0, "the head has another digest", reterr);
    }
    struct segment_head head = {.partition = u16_from(raw + 10), .epoch = u32_from(raw + 12)};
    memcpy(head.timeline, raw + 16, sizeof head.timeline);
    head.first     = u64_from(raw + 32);
    head.last      = u64_from(raw + 40);
    head.first_us  = (int64_t)u64_from(raw + 48);
    head.last_us   = (int64_t)u64_from(raw + 56);
    head.body_size = u64_from(raw + 64);
    memcpy(head.sha256, raw + 72, sizeof head.sha256);
    if (head.first > head.last || head.first_us < 0 || head.first_us > head.last_us) {
        return damaged(path, 32, "the head contradicts itself", reterr);
    }
    *ret_head = head;
    return STATUS_OK;
}

status segment_open(bytes file, const char *path, struct segment *ret_segment, struct error *reterr)
{
    struct segment segment = {.path = path, .file = file, .at = SEGMENT_HEAD_SIZE};
    TRY(segment_head_read(file, path, &segment.head, reterr));
    uint64_t size = file.len - SEGMENT_HEAD_SIZE;
    if (size > segment.head.body_size) {
        return damaged(path, (size_t)segment.head.body_size + SEGMENT_HEAD_SIZE,
                       "something stands behind its end", reterr);
    }
    segment.next  = segment.head.first;
    segment.at_us = segment.head.first_us;
    *ret_segment  = segment;
    return STATUS_OK;
}

static status at_end(const struct segment *segment, struct error *reterr)
{
    const struct segment_head *head = &segment->head;
    uint8_t digest[SHA256_SIZE];
    const uint8_t *raw = segment->file.ptr;
    bool is_whole      = segment->at - SEGMENT_HEAD_SIZE == head->body_size &&
                    segment->next == head->last + 1 && segment->at_us == head->last_us;
    if (!is_whole) return damaged(segment->path, segment->at, "records are missing", reterr);
    sha256((bytes){raw + SEGMENT_HEAD_SIZE, (size_t)head->body_size}, digest);
    if (memcmp(digest, head->sha256, sizeof digest) != 0) {
        return damaged(segment->path, SEGMENT_HEAD_SIZE, "the body has another digest", reterr);
    }
    return STATUS_NOT_FOUND;
}

status segment_next(struct segment *segment, struct redo_record *ret_record, struct error *reterr)
{
    const uint8_t *raw = (const uint8_t *)segment->file.ptr + segment->at;
    size_t left        = segment->file.len - segment->at;
    if (left == 0) return at_end(segment, reterr);
    if (left < RECORD_HEAD) return damaged(segment->path, segment->at, "a cut record", reterr);
    size_t len = u32_from(raw + 17);
    if (len > REDO_PART_MAX || left - RECORD_HEAD < len + CHECK_SIZE ||
        !is_checked(raw, RECORD_HEAD + len)) {
        return damaged(segment->path, segment->at, "a record has another digest, or is cut",
                       reterr);
    }
    struct redo_record record = {
        .sequence = u64_from(raw),
        .at_us    = (int64_t)u64_from(raw + 8),
        .is_end   = raw[16] == FLAG_END,
        .part     = {raw + RECORD_HEAD, len},
    };
    memcpy(record.timeline, segment->head.timeline, sizeof record.timeline);
    if (record.sequence != segment->next || record.at_us < segment->at_us) {
        return damaged(segment->path, segment->at, "a record out of order", reterr);
    }
    segment->next  = record.sequence + 1;
    segment->at_us = record.at_us;
    segment->at += RECORD_HEAD + len + CHECK_SIZE;
    *ret_record = record;
    return STATUS_OK;
}
