#include "store/disk.h"

#include "base/assert.h"
#include "base/attr.h"
#include "base/clock.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static void fd_closep(const int *fd)
{
    if (*fd >= 0) close(*fd);
}

static status path_in(const char *folder, const char *name, char path[static STORE_PATH_MAX],
                      struct error *reterr)
{
    int len = snprintf(path, STORE_PATH_MAX, "%s/%s", folder, name);
    if (len < STORE_PATH_MAX) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "store: the folder's name is too long: %.60s...",
                folder);
}

/* --- Kinds of file systems -------------------------------------------------------------------- */

/* Source: statfs(2), linux/magic.h, and the file systems' own headers. */
/* clang-format off */
static const struct {
    uint64_t magic;
    const char *name;
} networks[] = {
    {0x00006969, "nfs"},    {0x0000517b, "smb"},   {0xff534d42, "cifs"},  {0xfe534d42, "smb2"},
    {0x00c36400, "ceph"},   {0x5346414f, "afs"},   {0x01021997, "9p"},    {0x65735546, "fuse"},
    {0x73757245, "coda"},   {0x0bd00bd0, "lustre"}, {0x47504653, "gpfs"}, {0x7461636f, "ocfs2"},
    {0x01161970, "gfs2"},   {0x19830326, "beegfs"}, {0x0000564c, "ncp"},
};
/* clang-format on */

const char *disk_network_name(uint64_t magic)
{
    for (size_t i = 0; i < ARRAY_LEN(networks); i++) {
        if (networks[i].magic == magic) return networks[i].name;
    }
    return NULL;
}

status disk_check_local(const char *folder, struct error *reterr)
{
    struct statfs disk;
    if (statfs(folder, &disk) != 0) {
        return fail(reterr, STATUS_UNAVAILABLE, "store: %s: %m", folder);
    }
    /* 32 bits: on some machines the field is signed. */
    const char *network = disk_network_name((uint32_t)disk.f_type);
    if (!network) return STATUS_OK;
    return fail(reterr, STATUS_FAILED_PRECONDITION,
                "store: %s is on %s; locks and mapped files need a local disk", folder, network);
}

/* --- One owner -------------------------------------------------------------------------------- */

status disk_lock(const char *folder, int *ret_fd, struct error *reterr)
{
    char path[STORE_PATH_MAX];
    TRY(path_in(folder, "owner", path, reterr));
    CLEANUP(fd_closep) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return fail(reterr, STATUS_UNAVAILABLE, "store: %s: %m", path);

    /* flock(2) belongs to the open file, so it also keeps a second opening of this process out,
     * and dies with the process. */
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return fail(reterr, STATUS_UNAVAILABLE, "store: %s: %m", path);
        char owner[16] = "";
        (void)!pread(fd, owner, sizeof owner - 1, 0); /* only for the text */
        return fail(reterr, STATUS_FAILED_PRECONDITION,
                    "store: %s belongs to process %.*s; stop it first", folder,
                    (int)strcspn(owner, "\n"), owner);
    }
    (void)!ftruncate(fd, 0);
    dprintf(fd, "%d\n", (int)getpid());
    *ret_fd = fd;
    fd      = -1;
    return STATUS_OK;
}

/* --- How long a sync takes -------------------------------------------------------------------- */

enum { PROBE_BLOCK = 4096 /* bytes, LMDB's page */ };

static status probe_once(int fd, const uint8_t *block, const char *path, int64_t *ret_us,
                         struct error *reterr)
{
    int64_t begin_us = clock_mono_us();
    if (pwrite(fd, block, PROBE_BLOCK, 0) != PROBE_BLOCK || fdatasync(fd) != 0) {
        return fail(reterr, STATUS_UNAVAILABLE, "store: sync of %s: %m", path);
    }
    *ret_us = clock_mono_us() - begin_us;
    return STATUS_OK;
}

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static status probe(int fd, const char *path, unsigned rounds, int64_t *ret_p50_us,
                    struct error *reterr)
{
    uint8_t block[PROBE_BLOCK] = {};
    int64_t times_us[DISK_PROBE_ROUNDS_MAX];
    int64_t first_us = 0;
    TRY(probe_once(fd, block, path, &first_us, reterr)); /* allocates the block: not counted */
    for (unsigned i = 0; i < rounds; i++) {
        memset(block, (int)(i & 0xff), sizeof block);
        TRY(probe_once(fd, block, path, &times_us[i], reterr));
    }
    qsort(times_us, rounds, sizeof times_us[0], compare_times);
    *ret_p50_us = times_us[rounds / 2];
    return STATUS_OK;
}

status disk_probe_sync(const char *folder, unsigned rounds, int64_t *ret_p50_us,
                       struct error *reterr)
{
    ASSERT(rounds > 0);
    ASSERT(rounds <= DISK_PROBE_ROUNDS_MAX);
    char path[STORE_PATH_MAX];
    TRY(path_in(folder, "sync.probe", path, reterr));
    CLEANUP(fd_closep) int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return fail(reterr, STATUS_UNAVAILABLE, "store: %s: %m", path);
    status code = probe(fd, path, rounds, ret_p50_us, reterr);
    (void)unlink(path);
    return code;
}

bool disk_is_full(int fd)
{
    struct statfs disk;
    if (fstatfs(fd, &disk) != 0 || disk.f_blocks == 0 || disk.f_bsize <= 0) return false;
    return disk.f_bavail < (uint64_t)DISK_FULL_BYTES / (uint64_t)disk.f_bsize;
}

status disk_write(int fd, const void *data, size_t len, off_t offset, const char *what,
                  struct error *reterr)
{
    const uint8_t *at = data;
    while (len > 0) {
        ssize_t written = pwrite(fd, at, len, offset);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) {
            bool is_full = errno == ENOSPC || errno == EDQUOT;
            return fail(reterr, is_full ? STATUS_RESOURCE_EXHAUSTED : STATUS_UNAVAILABLE,
                        "store: write %s: %m", what);
        }
        at += written;
        offset += written;
        len -= (size_t)written;
    }
    return STATUS_OK;
}

status disk_sync(int fd, const char *what, struct error *reterr)
{
    if (fdatasync(fd) == 0) return STATUS_OK;
    return fail(reterr, STATUS_UNAVAILABLE, "store: sync %s: %m", what);
}

status disk_sync_gently(int fd, const char *what, struct error *reterr)
{
    enum { PIECE_MIN = 256 << 10, PIECES_MAX = 4096 };
    struct stat stat;
    if (fstat(fd, &stat) != 0) return fail(reterr, STATUS_UNAVAILABLE, "store: %s: %m", what);
    off_t piece = stat.st_size / PIECES_MAX > PIECE_MIN ? stat.st_size / PIECES_MAX : PIECE_MIN;
    for (off_t at = 0; at < stat.st_size; at += piece) {
        int rc = sync_file_range(fd, at, piece,
                                 SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                                     SYNC_FILE_RANGE_WAIT_AFTER);
        if (rc == 0) continue;
        if (errno == ENOSYS || errno == EINVAL || errno == ESPIPE || errno == EPERM) break;
        /* It was told of a failure, so that a sync would not be told again. */
        return fail(reterr, STATUS_UNAVAILABLE, "store: write %s: %m", what);
    }
    return disk_sync(fd, what, reterr);
}

status disk_sync_folder(const char *folder, struct error *reterr)
{
    CLEANUP(fd_closep) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && fsync(fd) == 0) return STATUS_OK;
    return fail(reterr, STATUS_UNAVAILABLE, "cannot sync %s: %m", folder);
}
