#include "scheduler/backups/tidy.h"

#include "base/mem.h"
#include "scheduler/backups/backups.h"
#include "scheduler/backups/replay.h"
#include "store/disk.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char removed_suffix[] = ".removed";

void tidy_done(struct tidy *tidy)
{
    for (size_t i = 0; i < tidy->count; i++) free(tidy->manifests[i]);
    free(tidy->manifests);
    *tidy = (struct tidy){};
}

static int by_time(const void *a, const void *b)
{
    const struct backup_manifest *left  = *(struct backup_manifest *const *)a;
    const struct backup_manifest *right = *(struct backup_manifest *const *)b;
    return (left->created_us > right->created_us) - (left->created_us < right->created_us);
}

static void add_folder(const char *folder, const char *name, struct tidy *tidy)
{
    char path[STORE_PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/%s", folder, name);
    if ((size_t)len >= sizeof path || tidy->count >= BACKUPS_LISTED_MAX) return;
    CLEANUP(backup_manifest_freep) struct backup_manifest *manifest = backup_manifest_new();
    if (backup_manifest_read(path, manifest, NULL) != STATUS_OK) return;
    if (strcmp(manifest->name, name) != 0) return; /* copied here under another name: not ours */
    tidy->manifests[tidy->count++] = TAKE(manifest);
}

void tidy_read(const char *folder, struct tidy *ret_tidy)
{
    *ret_tidy = (struct tidy){};
    DIR *dir  = opendir(folder);
    if (!dir) return;
    ret_tidy->manifests        = mem_new(BACKUPS_LISTED_MAX, sizeof *ret_tidy->manifests);
    const struct dirent *entry = NULL;
    /* glibc's readdir() is safe for different directories. */
    /* NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while ((entry = readdir(dir))) {
        if (!backup_name_is_valid(str_from(entry->d_name))) continue;
        add_folder(folder, entry->d_name, ret_tidy);
    }
    (void)closedir(dir);
    qsort(ret_tidy->manifests, ret_tidy->count, sizeof *ret_tidy->manifests, by_time);
}

/* --- backups -----------------------------------------------------------------------------------
 */

/* First out of sight, so that no half of a backup is ever listed. */
static status remove_one(const char *folder, const struct backup_manifest *manifest,
                         struct error *reterr)
{
    char path[STORE_PATH_MAX];
    char removed[STORE_PATH_MAX];
    int len = snprintf(removed, sizeof removed, "%s/%s%s", folder, manifest->name, removed_suffix);
    if ((size_t)len >= sizeof removed) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "%s: path too long", folder);
    }
    (void)snprintf(path, sizeof path, "%.*s", len - (int)sizeof removed_suffix + 1, removed);
    if (rename(path, removed) != 0) {
        return fail(reterr, STATUS_UNAVAILABLE, "backup: remove %s: %m", path);
    }
    TRY(disk_sync_folder(folder, reterr));
    backup_remove_files(removed, manifest->partition_count);
    return STATUS_OK;
}

static void remove_rest(const char *folder)
{
    char path[STORE_PATH_MAX];
    DIR *dir = opendir(folder);
    if (!dir) return;
    const struct dirent *entry = NULL;
    size_t suffix_len          = sizeof removed_suffix - 1;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): as above */
    while ((entry = readdir(dir))) {
        size_t name_len = strlen(entry->d_name);
        if (name_len <= suffix_len ||
            strcmp(entry->d_name + name_len - suffix_len, removed_suffix) != 0) {
            continue;
        }
        int len = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if ((size_t)len < sizeof path) backup_remove_files(path, MANIFEST_PARTITIONS_MAX);
    }
    (void)closedir(dir);
}

status tidy_remove(const char *folder, struct tidy *tidy, int64_t until_us, uint64_t *ret_removed,
                   struct error *reterr)
{
    *ret_removed = 0;
    remove_rest(folder);
    size_t old = 0;
    while (old + 1 < tidy->count && tidy->manifests[old]->created_us < until_us) old++;
    status removed = STATUS_OK;
    size_t done    = 0;
    while (done < old && removed == STATUS_OK) {
        removed = remove_one(folder, tidy->manifests[done], reterr);
        if (removed == STATUS_OK) free(tidy->manifests[done++]);
    }
    memmove(tidy->manifests, tidy->manifests + done,
            (tidy->count - done) * sizeof *tidy->manifests);
    tidy->count -= done;
    *ret_removed = done;
    return removed;
}

/* --- the archive -------------------------------------------------------------------------------
 */

static const struct manifest_partition *find_partition(const struct backup_manifest *manifest,
                                                       uint16_t partition)
{
    for (uint16_t i = 0; i < manifest->count; i++) {
        if (manifest->partitions[i].index == partition) return &manifest->partitions[i];
    }
    return NULL;
}

static struct archive_base *bases_of(const struct tidy *tidy, uint16_t partition, size_t *ret_count)
{
    struct archive_base *bases = mem_new(tidy->count + 1, sizeof *bases);
    size_t count               = 0;
    for (size_t i = 0; i < tidy->count; i++) {
        const struct manifest_partition *found = find_partition(tidy->manifests[i], partition);
        if (!found) continue;
        struct archive_base *base = &bases[count++];
        base->sequence            = found->sequence;
        base->created_us          = tidy->manifests[i]->created_us;
        memcpy(base->timeline, found->timeline, sizeof base->timeline);
    }
    *ret_count = count;
    return bases;
}

status tidy_archive(const char *archive, const struct tidy *tidy, const struct backup_set *set,
                    uint64_t *ret_removed, struct error *reterr)
{
    *ret_removed = 0;
    for (size_t i = 0; i < set->count; i++) {
        char path[STORE_PATH_MAX];
        uint16_t partition = set->sources[i].partition->index;
        uint64_t removed   = 0;
        size_t count       = 0;
        TRY(archive_path(archive, partition, path, reterr));
        struct archive_base *bases = bases_of(tidy, partition, &count);
        status purged              = archive_purge(path, bases, count, &removed, reterr);
        free(bases);
        *ret_removed += removed;
        TRY(purged);
    }
    return STATUS_OK;
}

static bool has_base(const struct tidy *tidy, const struct partition *partition)
{
    struct replay_base now = {};
    status read            = replay_base_read(partition->store, partition->index, &now, NULL);
    if (read != STATUS_OK) return true; /* it has no timeline that one could stand on */
    for (size_t i = 0; i < tidy->count; i++) {
        const struct manifest_partition *found =
            find_partition(tidy->manifests[i], partition->index);
        if (!found || found->sequence == 0) continue;
        if (memcmp(found->timeline, now.timeline, sizeof now.timeline) == 0) return true;
    }
    return false;
}

bool tidy_has_base(const struct tidy *tidy, const struct backup_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (!has_base(tidy, set->sources[i].partition)) return false;
    }
    return true;
}
