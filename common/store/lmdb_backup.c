/* Copies of the LMDB kind, and reading them back. */
#include "base/assert.h"
#include "base/mem.h"
#include "store/backup.h"
#include "store/lmdb_internal.h"

#include <errno.h>
#include <fcntl.h>
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
    return fail(reterr, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_UNAVAILABLE,
                "backup: %s %s: %m", action, path);
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

static status sync_path(const char *path, struct error *reterr)
{
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) return cannot("sync", path, reterr);
    return STATUS_OK;
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

status lmdb_backup(struct store *store, const char *folder, struct backup_info *ret_info,
                   struct error *reterr)
{
    char path[STORE_PATH_MAX];
    TRY(data_path(folder, path, reterr));
    MDB_env *env = ((struct lmdb_store *)store)->env;
    TRY(lmdb_status(mdb_env_copy2(env, folder, MDB_CP_COMPACT), "copy", reterr));
    TRY(sync_path(path, reterr));
    TRY(sync_path(folder, reterr));

    struct backup_info info = {};
    TRY(digest_file(path, &info, reterr));
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
        TRY(read_table(txn, tables[i], &ret_content->entries[i], &ret_content->content_bytes,
                       reterr));
        ret_content->table_count++;
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
