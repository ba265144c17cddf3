/* One backup: copies that begin together, are read back, and get their manifest and name last. */
#include "scheduler/backups/copy.h"

#include "base/mem.h"
#include "scheduler/backups/barrier.h"
#include "scheduler/backups/replay.h"
#include "scheduler/tables/tables.h"
#include "store/disk.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The copies of all partitions: the one that begins last opens the barrier. */
struct copying {
    const struct backup_set *set;
    const char *folder;
    struct backup_manifest *manifest;
    struct barrier *barrier;

    pthread_mutex_t mutex;
    size_t waiting; /* copies that have not begun */
    status opened;  /* how the barrier was opened */
    struct error open_error;
};

struct copy {
    struct copying *all;
    size_t index; /* of its source */
    pthread_t thread;
    bool has_begun;
    status code;
    struct error error;
};

static void copy_begun(void *context)
{
    struct copy *copy   = context;
    struct copying *all = copy->all;
    copy->has_begun     = true;
    (void)pthread_mutex_lock(&all->mutex);
    bool is_last = --all->waiting == 0;
    (void)pthread_mutex_unlock(&all->mutex);
    if (is_last) all->opened = barrier_open(all->barrier, &all->open_error);
}

static status folder_of(const char *folder, uint16_t partition, char path[static STORE_PATH_MAX],
                        struct error *reterr)
{
    int len = snprintf(path, STORE_PATH_MAX, "%s/p%u", folder, partition);
    if (len < STORE_PATH_MAX) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "%s: path too long", folder);
}

static status copy_partition(struct copy *copy)
{
    const struct partition *partition   = copy->all->set->sources[copy->index].partition;
    struct manifest_partition *entry    = &copy->all->manifest->partitions[copy->index];
    const struct backup_listener begins = {.begun = copy_begun, .context = copy};
    char path[STORE_PATH_MAX];
    TRY(folder_of(copy->all->folder, partition->index, path, &copy->error));
    if (mkdir(path, 0700) != 0) {
        return fail(&copy->error, STATUS_UNAVAILABLE, "backup: make %s: %m", path);
    }
    entry->index = partition->index;
    entry->epoch = partition->epoch;
    return store_backup(partition->store, path, &begins, &entry->info, &copy->error);
}

static void *copy_main(void *context)
{
    struct copy *copy = context;
    copy->code        = copy_partition(copy);
    if (!copy->has_begun) copy_begun(copy); /* the others do not wait for one that cannot */
    return NULL;
}

/* A thread that could not be made copies here, which the barrier would not survive: refused. */
static status copy_all(struct copying *all, struct copy *copies, struct error *reterr)
{
    size_t started = 0;
    int failed     = 0;
    while (started < all->set->count) {
        copies[started] = (struct copy){.all = all, .index = started};
        failed = pthread_create(&copies[started].thread, NULL, copy_main, &copies[started]);
        if (failed) break;
        started++;
    }
    for (size_t i = started; i < all->set->count; i++) {
        struct copy none = {.all = all};
        copy_begun(&none);
    }
    status code = STATUS_OK;
    for (size_t i = 0; i < started; i++) {
        (void)pthread_join(copies[i].thread, NULL);
        if (code == STATUS_OK && copies[i].code != STATUS_OK) {
            code    = copies[i].code;
            *reterr = copies[i].error;
        }
    }
    if (failed) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "backup: no thread to copy with");
    if (code == STATUS_OK && all->opened != STATUS_OK) {
        code    = all->opened;
        *reterr = all->open_error;
    }
    return code;
}

static status copy_under_barrier(const struct backup_set *set, const char *folder,
                                 struct backup_manifest *manifest, struct error *reterr)
{
    struct engine **engines = mem_new(set->count, sizeof *engines);
    for (size_t i = 0; i < set->count; i++) engines[i] = set->sources[i].engine;
    struct copying all = {.set      = set,
                          .folder   = folder,
                          .manifest = manifest,
                          .waiting  = set->count,
                          .mutex    = PTHREAD_MUTEX_INITIALIZER};
    status code        = barrier_close(engines, set->count, &all.barrier, reterr);
    free(engines);
    if (code != STATUS_OK) return code;
    struct copy *copies = mem_new(set->count, sizeof *copies);
    code                = copy_all(&all, copies, reterr);
    free(copies);
    return code;
}

/* Where a copy stands in the archive, if there is one. */
static status note_place(const char *path, struct manifest_partition *partition,
                         struct error *reterr)
{
    struct replay_base base                   = {};
    CLEANUP(store_closep) struct store *store = NULL;
    TRY(store_open_backup(path, table_names, &store, reterr));
    status read = replay_base_read(store, partition->index, &base, reterr);
    if (read == STATUS_FAILED_PRECONDITION) return STATUS_OK;
    TRY(read);
    partition->sequence = base.sequence;
    memcpy(partition->timeline, base.timeline, sizeof partition->timeline);
    return STATUS_OK;
}

/* Reads back what was written, as a restore would. */
static status check_copies(const char *folder, struct backup_manifest *manifest,
                           struct error *reterr)
{
    for (uint16_t i = 0; i < manifest->count; i++) {
        char path[STORE_PATH_MAX];
        struct backup_info info       = {};
        struct backup_content content = {};
        TRY(folder_of(folder, manifest->partitions[i].index, path, reterr));
        TRY(store_verify_backup(path, table_names, &info, &content, reterr));
        if (memcmp(info.sha256, manifest->partitions[i].info.sha256, sizeof info.sha256) != 0) {
            return fail(reterr, STATUS_DATA_LOSS, "backup: %s reads back otherwise", path);
        }
        TRY(note_place(path, &manifest->partitions[i], reterr));
    }
    return STATUS_OK;
}

void backup_remove_files(const char *folder, uint16_t partition_count)
{
    char path[STORE_PATH_MAX + 32];
    for (uint16_t i = 0; i < partition_count; i++) {
        (void)snprintf(path, sizeof path, "%s/p%u/data.mdb", folder, i);
        (void)unlink(path);
        (void)snprintf(path, sizeof path, "%s/p%u", folder, i);
        (void)rmdir(path);
    }
    (void)snprintf(path, sizeof path, "%s/manifest.json", folder);
    (void)unlink(path);
    (void)rmdir(folder);
}

static status fill(const struct backup_set *set, const char *folder,
                   struct backup_manifest *manifest, struct error *reterr)
{
    TRY(copy_under_barrier(set, folder, manifest, reterr));
    TRY(check_copies(folder, manifest, reterr));
    TRY(backup_manifest_write(manifest, folder, reterr));
    return disk_sync_folder(folder, reterr);
}

status backup_make(const struct backup_set *set, const struct backup_place *place,
                   struct error *reterr)
{
    CLEANUP(backup_manifest_freep) struct backup_manifest *manifest = backup_manifest_new();
    (void)snprintf(manifest->name, sizeof manifest->name, "%s", place->name);
    (void)snprintf(manifest->version, sizeof manifest->version, "%s", TUTTI_VERSION);
    manifest->created_us      = place->created_us;
    manifest->partition_count = set->partition_count;
    manifest->count           = (uint16_t)set->count;

    char whole[STORE_PATH_MAX];
    char partial[STORE_PATH_MAX];
    (void)snprintf(whole, sizeof whole, "%s/%s", place->folder, place->name);
    int len = snprintf(partial, sizeof partial, "%s.partial", whole);
    if ((size_t)len >= sizeof partial) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "%s: path too long", place->folder);
    }
    backup_remove_files(partial, set->partition_count);
    if (mkdir(partial, 0700) != 0) {
        return fail(reterr, STATUS_UNAVAILABLE, "backup: make %s: %m", partial);
    }
    status made = fill(set, partial, manifest, reterr);
    if (made == STATUS_OK && rename(partial, whole) != 0) {
        made = fail(reterr, STATUS_UNAVAILABLE, "backup: rename %s: %m", partial);
    }
    if (made != STATUS_OK) backup_remove_files(partial, set->partition_count);
    return made == STATUS_OK ? disk_sync_folder(place->folder, reterr) : made;
}
