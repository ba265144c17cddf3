/* Copies of the LMDB kind, and reading them back. */
#include "base/assert.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/backup.h"
#include "store/disk.h"
#include "store/lmdb_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void fd_closep(const int *fd)
{
    if (*fd >= 0) close(*fd);
}

static status cannot(const char *action, const char *path, struct error *reterr)
{
    status code = STATUS_UNAVAILABLE;
    if (errno == ENOENT) code = STATUS_NOT_FOUND;
    if (errno == ENOSPC || errno == EDQUOT) code = STATUS_RESOURCE_EXHAUSTED;
    return fail(reterr, code, "backup: %s %s: %m", action, path);
}

/* Digest of the whole file, through a mapping: the page cache holds what was just copied. */
static status digest_file(const char *path, struct backup_info *ret_info, struct error *reterr)
{
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat stat;
    if (fd < 0 || fstat(fd, &stat) != 0) return cannot("open", path, reterr);
    if (stat.st_size <= 0) return fail(reterr, STATUS_DATA_LOSS, "backup: %s is empty", path);

    size_t size = (size_t)stat.st_size;
    void *data  = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) return cannot("map", path, reterr);
    sha256((bytes){.ptr = data, .len = size}, ret_info->sha256);
    ret_info->size_bytes = size;
    (void)munmap(data, size);
    return STATUS_OK;
}

static void bytes_freep(uint8_t **data)
{
    free(*data);
}

/* LMDB's name for the file in its folder. */
static status data_path(const char *folder, char path[static STORE_PATH_MAX], struct error *reterr)
{
    int len = snprintf(path, STORE_PATH_MAX, "%s/data.mdb", folder);
    if (len >= STORE_PATH_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "backup: the folder's name is too long");
    }
    return STATUS_OK;
}

/* --- Copying -----------------------------------------------------------------------------------
 *
 * LMDB copies into a pipe, on a thread of its own, and we from the pipe into the file: what comes
 * first tells that its transaction has begun, and the digest needs no second reading.
 */

enum { CHUNK_BYTES = 64 << 10 };

struct copier {
    MDB_env *env;
    int fd; /* the pipe's end to write to; closed by the thread */
    int rc;
};

static void *copier_main(void *context)
{
    struct copier *copier = context;
    copier->rc            = mdb_env_copyfd2(copier->env, copier->fd, MDB_CP_COMPACT);
    close(copier->fd);
    return NULL;
}

/* Until the pipe ends; a copy that broke off is found by the copier's own code. */
static status receive(int pipe_fd, int fd, const char *path, const struct backup_listener *listener,
                      struct backup_info *info, struct error *reterr)
{
    CLEANUP(bytes_freep) uint8_t *chunk = mem_new(1, CHUNK_BYTES);
    struct sha256_stream digest;
    sha256_begin(&digest);
    for (;;) {
        ssize_t got = read(pipe_fd, chunk, CHUNK_BYTES);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return cannot("read for", path, reterr);
        if (got == 0) break;
        if (info->size_bytes == 0 && listener) listener->begun(listener->context);
        info->size_bytes += (uint64_t)got;
        sha256_add(&digest, (bytes){chunk, (size_t)got});
        if (!file_write(fd, (bytes){chunk, (size_t)got})) return cannot("write", path, reterr);
    }
    sha256_end(&digest, info->sha256);
    return STATUS_OK;
}

static status copy_into(MDB_env *env, int fd, const char *path,
                        const struct backup_listener *listener, struct backup_info *info,
                        struct error *reterr)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return cannot("make a pipe for", path, reterr);
    struct copier copier = {.env = env, .fd = ends[1]};
    pthread_t thread;
    int failed = pthread_create(&thread, NULL, copier_main, &copier);
    if (failed) {
        close(ends[0]);
        close(ends[1]);
        errno = failed;
        return cannot("make a thread for", path, reterr);
    }
    status received = receive(ends[0], fd, path, listener, info, reterr);
    close(ends[0]); /* if we gave up, the copier ends with EPIPE */
    (void)pthread_join(thread, NULL);
    TRY(received);
    return lmdb_status(copier.rc, "copy", reterr);
}

status lmdb_backup(struct store *store, const char *folder, const struct backup_listener *listener,
                   struct backup_info *ret_info, struct error *reterr)
{
    char path[STORE_PATH_MAX];
    TRY(data_path(folder, path, reterr));
    CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST) {
        return fail(reterr, STATUS_ALREADY_EXISTS, "backup: %s is there already", path);
    }
    if (fd < 0) return fail(reterr, STATUS_UNAVAILABLE, "backup: make %s: %m", path);

    struct backup_info info = {};
    TRY(copy_into(((struct lmdb_store *)store)->env, fd, path, listener, &info, reterr));
    if (fsync(fd) != 0) return cannot("sync", path, reterr);
    TRY(disk_sync_folder(folder, reterr));
    *ret_info = info;
    return STATUS_OK;
}

/* --- Verifying -------------------------------------------------------------------------------- */

/* Reads a table from end to end, counting, and checks that its keys ascend. */
static status read_table(MDB_txn *txn, const char *name, uint64_t *ret_entries, uint64_t *ret_bytes,
                         struct error *reterr)
{
    MDB_dbi table = 0;
    MDB_stat stat;
    TRY(lmdb_status(mdb_dbi_open(txn, name, 0, &table), name, reterr));
    TRY(lmdb_status(mdb_stat(txn, table, &stat), name, reterr));
    MDB_cursor *cursor = NULL;
    TRY(lmdb_status(mdb_cursor_open(txn, table, &cursor), name, reterr));

    uint64_t entries = 0;
    uint64_t size    = 0;
    bool is_ordered  = true;
    MDB_val key;
    MDB_val value;
    MDB_val last = {};
    int rc       = 0;
    while (is_ordered && (rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == MDB_SUCCESS) {
        is_ordered = entries == 0 || mdb_cmp(txn, table, &last, &key) < 0;
        last       = key;
        size += key.mv_size + value.mv_size;
        entries++;
    }
    mdb_cursor_close(cursor);
    if (!is_ordered || (rc == MDB_NOTFOUND && entries != stat.ms_entries)) {
        return fail(reterr, STATUS_DATA_LOSS, "backup: table %s is damaged", name);
    }
    if (rc != MDB_NOTFOUND) return lmdb_status(rc, name, reterr);
    *ret_entries = entries;
    *ret_bytes += size;
    return STATUS_OK;
}

static void env_closep(MDB_env **env)
{
    if (*env) mdb_env_close(*env);
}

static void mdb_abortp(MDB_txn **txn)
{
    if (*txn) mdb_txn_abort(*txn);
}

static status read_tables(const char *folder, const char *const *tables,
                          struct backup_content *ret_content, struct error *reterr)
{
    CLEANUP(env_closep) MDB_env *env = NULL;
    TRY(lmdb_status(mdb_env_create(&env), "open the copy", reterr));
    TRY(lmdb_status(mdb_env_set_maxdbs(env, STORE_TABLES_MAX), "open the copy", reterr));
    /* Nobody else has the copy open, so it needs no lock file. */
    TRY(lmdb_status(mdb_env_open(env, folder, MDB_RDONLY | MDB_NOLOCK, 0), "open the copy",
                    reterr));
    CLEANUP(mdb_abortp) MDB_txn *txn = NULL;
    TRY(lmdb_status(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), "open the copy", reterr));

    for (unsigned i = 0; tables[i]; i++) {
        ASSERT(i < STORE_TABLES_MAX);
        ret_content->table_count++;
        status read = read_table(txn, tables[i], &ret_content->entries[i],
                                 &ret_content->content_bytes, reterr);
        if (read == STATUS_NOT_FOUND && i > 0) continue; /* a table of a later release */
        TRY(read);
    }
    return STATUS_OK;
}

status store_verify_backup(const char *folder, const char *const *tables,
                           struct backup_info *ret_info, struct backup_content *ret_content,
                           struct error *reterr)
{
    ASSERT(folder);
    ASSERT(tables);
    char path[STORE_PATH_MAX];
    struct backup_info info       = {};
    struct backup_content content = {};
    TRY(data_path(folder, path, reterr));
    TRY(digest_file(path, &info, reterr));
    TRY(read_tables(folder, tables, &content, reterr));
    *ret_info    = info;
    *ret_content = content;
    return STATUS_OK;
}
