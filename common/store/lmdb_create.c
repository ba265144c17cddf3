/*
 * The first moment of a store. LMDB begins a file with two pages that no sync orders, and a power
 * cut between them leaves a file that it never opens again. So the file begins under another name,
 * is synced, and only then gets its own.
 */
#include "store/disk.h"
#include "store/lmdb_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { FILE_MODE = 0600 };

static status path_in(const char *folder, const char *name, char ret_path[static STORE_PATH_MAX],
                      struct error *reterr)
{
    int len = snprintf(ret_path, STORE_PATH_MAX, "%s/%s", folder, name);
    if (len < STORE_PATH_MAX) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "the folder's name is too long");
}

static status cannot(const char *action, const char *path, struct error *reterr)
{
    return fail(reterr, STATUS_UNAVAILABLE, "cannot %s %s: %m", action, path);
}

static void env_closep(MDB_env **env)
{
    if (*env) mdb_env_close(*env);
}

/* An empty environment in the file `path`, synced. */
static status begin_file(const char *path, struct error *reterr)
{
    CLEANUP(env_closep) MDB_env *env = NULL;
    TRY(lmdb_status(mdb_env_create(&env), "create", reterr));
    TRY(lmdb_status(mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK, FILE_MODE), path, reterr));
    return lmdb_status(mdb_env_sync(env, 1), path, reterr);
}

status lmdb_create(const char *folder, struct error *reterr)
{
    char file[STORE_PATH_MAX];
    char fresh[STORE_PATH_MAX];
    TRY(path_in(folder, "data.mdb", file, reterr));
    TRY(path_in(folder, "data.mdb.new", fresh, reterr));
    if (access(file, F_OK) == 0) return STATUS_OK;
    if (unlink(fresh) != 0 && errno != ENOENT) return cannot("remove", fresh, reterr);
    TRY(begin_file(fresh, reterr));
    if (rename(fresh, file) != 0) return cannot("rename", fresh, reterr);
    return disk_sync_folder(folder, reterr);
}
