#include "recording.h"

#include "base/assert.h"
#include "base/attr.h"
#include "base/mem.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
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

static void name_operation(struct operation *operation, const char *name)
{
    (void)snprintf(operation->name, sizeof operation->name, "%s", name);
}

/* --- files -------------------------------------------------------------------------------------
 */

static bool is_of_processes(const char *name)
{
    return strcmp(name, "lock.mdb") == 0 || strcmp(name, "owner") == 0;
}

/* The name in the recorded folder, or NULL: it is elsewhere, or does not count. */
static const char *name_in_folder(const char *path)
{
    if (!now.recording) return NULL;
    size_t len = strlen(now.path);
    if (strncmp(path, now.path, len) != 0 || path[len] != '/') return NULL;
    const char *name = path + len + 1;
    return strchr(name, '/') || is_of_processes(name) ? NULL : name;
}

static bool find_inode(const struct recording *recording, ino_t inode, unsigned *ret_file)
{
    for (unsigned i = 0; i < recording->file_count; i++) {
        if (recording->inodes[i] != inode) continue;
        *ret_file = i;
        return true;
    }
    return false;
}

static unsigned add_file(struct recording *recording, ino_t inode)
{
    ASSERT(recording->file_count < RECORDED_FILES_MAX);
    recording->inodes[recording->file_count] = inode;
    return recording->file_count++;
}

static bool is_recorded(int file, unsigned *ret_file)
{
    struct stat stat;
    return now.recording && fstat(file, &stat) == 0 &&
           find_inode(now.recording, stat.st_ino, ret_file);
}

/* The number may be given to a new file at once. */
static void forget_inode(const char *path)
{
    struct stat stat;
    unsigned file = 0;
    if (lstat(path, &stat) == 0 && find_inode(now.recording, stat.st_ino, &file)) {
        now.recording->inodes[file] = 0;
    }
}

static bool is_folder(int file)
{
    struct stat is;
    struct stat folder;
    return now.recording && fstat(file, &is) == 0 && S_ISDIR(is.st_mode) &&
           stat(now.path, &folder) == 0 && is.st_ino == folder.st_ino;
}

/* --- begin and end -----------------------------------------------------------------------------
 */

static status read_file(struct recording *recording, const char *path, const char *name,
                        struct error *reterr)
{
    struct stat stat;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &stat) != 0) {
        if (file >= 0) (void)close(file);
        return fail(reterr, STATUS_UNAVAILABLE, "%s cannot be read", path);
    }
    unsigned number             = add_file(recording, stat.st_ino);
    struct operation *operation = note(recording, OPERATION_WRITE);
    operation->file             = number;
    operation->len              = (size_t)stat.st_size;
    operation->data             = mem_new(operation->len + 1, 1);
    bool is_whole = read(file, operation->data, operation->len) == (ssize_t)operation->len;
    (void)close(file);
    note(recording, OPERATION_SYNC)->file = number;
    operation                             = note(recording, OPERATION_NAME);
    operation->file                       = number;
    name_operation(operation, name);
    if (!is_whole) return fail(reterr, STATUS_UNAVAILABLE, "%s cannot be read", path);
    return STATUS_OK;
}

static void dir_closep(DIR **dir)
{
    if (*dir) (void)closedir(*dir);
}

status recording_start(struct recording *recording, const char *path, struct error *reterr)
{
    ASSERT(!now.recording);
    CLEANUP(dir_closep) DIR *dir = opendir(path);
    if (!dir) return fail(reterr, STATUS_UNAVAILABLE, "%s cannot be read", path);
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        char file[PATH_MAX];
        if (entry->d_name[0] == '.' || is_of_processes(entry->d_name)) continue;
        (void)snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        TRY(read_file(recording, file, entry->d_name, reterr));
    }
    (void)note(recording, OPERATION_SYNC_NAMES);
    now.recording = recording;
    now.path      = path;
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

/* --- in place of the C library's ---------------------------------------------------------------
 */

static void note_open(int file, const char *path, int flags)
{
    struct stat stat;
    unsigned number  = 0;
    const char *name = name_in_folder(path);
    if (file < 0 || !name || fstat(file, &stat) != 0) return;
    if (!find_inode(now.recording, stat.st_ino, &number)) {
        number                      = add_file(now.recording, stat.st_ino);
        struct operation *operation = note(now.recording, OPERATION_NAME);
        operation->file             = number;
        name_operation(operation, name);
    }
    if (flags & O_TRUNC) note(now.recording, OPERATION_TRUNCATE)->file = number;
}

static int open_as(const char *path, int flags, va_list arguments)
{
    int mode = flags & O_CREAT ? va_arg(arguments, int) : 0;
    if (!now.recording) { /* nobody asks how durable it is, and no disk is waited for */
        flags &= ~O_DSYNC;
    }
    int file = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    note_open(file, path, flags);
    return file;
}

int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    int file = open_as(path, flags, arguments);
    va_end(arguments);
    return file;
}

int open64(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    int file = open_as(path, flags, arguments);
    va_end(arguments);
    return file;
}

int rename(const char *from, const char *to)
{
    struct stat stat;
    unsigned file         = 0;
    const char *name_from = name_in_folder(from);
    const char *name_to   = name_in_folder(to);
    bool is_noted         = name_from && name_to && lstat(from, &stat) == 0 &&
                    find_inode(now.recording, stat.st_ino, &file);
    if (is_noted) forget_inode(to);
    int error = (int)syscall(SYS_rename, from, to);
    if (error != 0 || !is_noted) return error;
    struct operation *operation = note(now.recording, OPERATION_NAME);
    operation->file             = file;
    name_operation(operation, name_to);
    name_operation(note(now.recording, OPERATION_UNNAME), name_from);
    return 0;
}

int unlink(const char *path)
{
    const char *name = name_in_folder(path);
    if (name) forget_inode(path);
    int error = (int)syscall(SYS_unlink, path);
    if (error == 0 && name) name_operation(note(now.recording, OPERATION_UNNAME), name);
    return error;
}

static void note_write(int file, const void *data, ssize_t len, off_t offset)
{
    unsigned number = 0;
    if (len <= 0 || !is_recorded(file, &number)) return;
    struct operation *operation = note(now.recording, OPERATION_WRITE);
    operation->file             = number;
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
    unsigned number = 0;
    int error       = (int)syscall(SYS_ftruncate, file, size);
    if (error != 0 || !is_recorded(file, &number)) return error;
    struct operation *operation = note(now.recording, OPERATION_TRUNCATE);
    operation->file             = number;
    operation->offset           = size;
    return 0;
}

static void note_sync(int file)
{
    unsigned number = 0;
    if (is_folder(file)) {
        (void)note(now.recording, OPERATION_SYNC_NAMES);
    } else if (is_recorded(file, &number)) {
        note(now.recording, OPERATION_SYNC)->file = number;
    }
}

/* The machine that is cut off is made from the notes, so that nothing waits for the real disk. */
int fdatasync(int file)
{
    note_sync(file);
    return 0;
}

int fsync(int file)
{
    note_sync(file);
    return 0;
}
