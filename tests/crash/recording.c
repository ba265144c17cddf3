#include "recording.h"

#include "base/assert.h"
#include "base/mem.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { CAPACITY_FIRST = 256 };

/* The functions below are called by LMDB and have no place for a context of ours. */
static struct {
    struct recording *recording; /* NULL: nothing is recorded */
    const char *path;
} now;

static struct operation *note(struct recording *recording, enum operation_kind kind)
{
    if (recording->count == recording->capacity) {
        recording->capacity = recording->capacity ? 2 * recording->capacity : CAPACITY_FIRST;
        recording->operations =
            mem_resize(recording->operations, recording->capacity, sizeof *recording->operations);
    }
    struct operation *operation = &recording->operations[recording->count++];
    *operation                  = (struct operation){.kind = kind};
    return operation;
}

void recording_start(struct recording *recording, const char *path)
{
    ASSERT(!now.recording);
    now.recording = recording;
    now.path      = path;
}

status recording_read(struct recording *recording, const char *path, struct error *reterr)
{
    struct stat stat;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &stat) != 0) {
        if (file >= 0) (void)close(file);
        return fail(reterr, STATUS_UNAVAILABLE, "%s cannot be read", path);
    }
    struct operation *operation = note(recording, OPERATION_WRITE);
    operation->len              = (size_t)stat.st_size;
    operation->data             = mem_new(operation->len, 1);
    bool is_whole = read(file, operation->data, operation->len) == (ssize_t)operation->len;
    (void)close(file);
    (void)note(recording, OPERATION_SYNC);
    if (!is_whole) return fail(reterr, STATUS_UNAVAILABLE, "%s cannot be read", path);
    return STATUS_OK;
}

void recording_ack(struct recording *recording, uint64_t commit)
{
    note(recording, OPERATION_ACK)->commit = commit;
}

void recording_stop(void)
{
    now.recording = NULL;
}

void recording_done(struct recording *recording)
{
    for (size_t i = 0; i < recording->count; i++) free(recording->operations[i].data);
    free(recording->operations);
    *recording = (struct recording){};
}

/* --- what LMDB calls ---------------------------------------------------------------------------
 */

static bool is_recorded(int file)
{
    if (!now.recording) return false;
    char link[64];
    char target[PATH_MAX];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t len = readlink(link, target, sizeof target - 1);
    if (len < 0) return false;
    target[len] = '\0';
    return strcmp(target, now.path) == 0;
}

static void note_write(int file, const void *data, ssize_t len, off_t offset)
{
    if (len <= 0 || !is_recorded(file)) return;
    struct operation *operation = note(now.recording, OPERATION_WRITE);
    operation->offset           = offset;
    operation->len              = (size_t)len;
    operation->data             = mem_new((size_t)len, 1);
    operation->is_durable       = (fcntl(file, F_GETFL) & O_DSYNC) != 0;
    memcpy(operation->data, data, (size_t)len);
}

ssize_t pwrite(int file, const void *data, size_t len, off_t offset)
{
    ssize_t written = syscall(SYS_pwrite64, file, data, len, offset);
    note_write(file, data, written, offset);
    return written;
}

ssize_t write(int file, const void *data, size_t len)
{
    off_t offset    = now.recording ? lseek(file, 0, SEEK_CUR) : 0;
    ssize_t written = syscall(SYS_write, file, data, len);
    note_write(file, data, written, offset);
    return written;
}

ssize_t writev(int file, const struct iovec *parts, int count)
{
    off_t offset    = now.recording ? lseek(file, 0, SEEK_CUR) : 0;
    ssize_t written = syscall(SYS_writev, file, parts, count);
    ssize_t left    = written;
    for (int i = 0; i < count && left > 0; i++) {
        ssize_t len = (ssize_t)parts[i].iov_len < left ? (ssize_t)parts[i].iov_len : left;
        note_write(file, parts[i].iov_base, len, offset);
        offset += len;
        left -= len;
    }
    return written;
}

int ftruncate(int file, off_t size)
{
    int error = (int)syscall(SYS_ftruncate, file, size);
    if (error == 0 && is_recorded(file)) note(now.recording, OPERATION_TRUNCATE)->offset = size;
    return error;
}

int fdatasync(int file)
{
    int error = (int)syscall(SYS_fdatasync, file);
    if (error == 0 && is_recorded(file)) (void)note(now.recording, OPERATION_SYNC);
    return error;
}

int fsync(int file)
{
    int error = (int)syscall(SYS_fsync, file);
    if (error == 0 && is_recorded(file)) (void)note(now.recording, OPERATION_SYNC);
    return error;
}
